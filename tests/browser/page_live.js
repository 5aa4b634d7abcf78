/*
 * page_live.js: the daemon's own page, the parts of it that show what was sent: live tail and rejects. What
 * strangers sent is text to it whatever it says. And the page below a path of a web server in front.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import { accessible, again, event, fine, look, narrow, post, shows, tables } from './page_look.js';
import { test, until } from './tap.js';
import { World } from './world.js';

/* Runs nothing, in whatever way it is taken for markup, script, URL or style. */
const hostile = [
    '<img src=x onerror="ran.push(1)">',
    '"><script>ran.push(2)</script>',
    '</style><svg onload=ran.push(3)>',
    "javascript:ran.push(4)//'",
    '</pre></script><iframe srcdoc="<script>parent.ran.push(5)</script>">',
    '{{ran.push(6)}}${ran.push(7)}\u202e\u2066',
];

/* Below a path of its own, as a web server in front may show it: /inside/x is /x to the daemon. */
async function openBelow(world) {
    const front = createServer((request, response) => {
        if (!request.url.startsWith('/inside/')) {
            response.writeHead(404).end();
            return;
        }
        const { method, headers } = request;
        const options = {
            port: world.daemon.port,
            path: request.url.slice('/inside'.length),
            method,
            headers,
        };
        const onward = forward(options, (answer) => {
            response.writeHead(answer.statusCode, answer.headers);
            answer.pipe(response);
        });
        response.on('close', () => onward.destroy());
        onward.on('error', () => response.destroy());
        request.pipe(onward);
    });
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    return front;
}

async function below(stage) {
    const world = await World.open(stage, 'page-below', ['--prefix', '/a:b/c']);
    await test('it works below a path of a web server, and with another prefix', async () => {
        const front = await openBelow(world);
        const page = await look(world);
        await page.goto(`http://127.0.0.1:${front.address().port}/inside/`);
        await shows(page, '#state', 'Ready');
        await page.click('#follow');
        await shows(page, '#tail-state', 'Following');
        await shows(page, '#rejects-state', 'None');
        assert.match(await page.textContent('#about'), /prefix \/a:b\/c\./);
        await page.close();
        front.closeAllConnections?.();
        front.close();
    });
    await world.close();
}

async function live(stage) {
    const world = await World.open(stage, 'page-live', []);
    const page = await look(world);
    const rows = () =>
        page.$$eval('#tail > li', (all) => all.map((row) => row.querySelector('.brief').textContent));
    await page.waitForSelector('#follow:visible');

    await test('an event is shown the moment it is stored, and opens as it was sent', async () => {
        await page.click('#follow');
        await shows(page, '#tail-state', 'Following');
        const text = event(Date.now(), { payload: { message: 'paid' } }).replace(
            '{"message"',
            '{"sum":19.90,"sum":1e21,"none":[],"message"',
        );
        await post(world, [text]);
        await page.waitForSelector('#tail li');
        assert.deepEqual(await rows(), ['paid']);
        await page.click('#tail summary');
        const shown = await page.textContent('#tail pre');
        assert.ok(
            shown.includes('\n    "sum": 19.90,\n    "sum": 1e21,\n    "none": [],\n    "message": "paid"\n'),
            shown,
        );
        assert.deepEqual(JSON.parse(shown).payload, { sum: 1e21, none: [], message: 'paid' });
    });

    await test('while someone looks nothing moves; then it goes on', async () => {
        await shows(page, '#tail-state', 'Held');
        await post(world, [event(Date.now(), { payload: { message: 'later' } })]);
        await shows(page, '#tail-state', '1 newer event not shown');
        assert.deepEqual(await rows(), ['paid']);
        await page.click('#freeze');
        assert.deepEqual(await rows(), ['later', 'paid']);
    });

    await test('only what holds a text is shown, and all again', async () => {
        await page.fill('#filter', 'PAID');
        assert.deepEqual(await rows(), ['paid']);
        await post(
            world,
            ['repaid', 'lost'].map((message) => event(Date.now(), { payload: { message } })),
        );
        await until('it comes', async () => (await rows()).length === 2);
        assert.deepEqual(await rows(), ['repaid', 'paid']);
        await page.fill('#filter', '');
        assert.deepEqual(await rows(), ['lost', 'repaid', 'later', 'paid']);
    });

    await test('over a restart nothing is missed or shown twice', async () => {
        await world.daemon.stop();
        await shows(page, '#tail-state', 'again');
        await world.daemon.run();
        await post(world, [event(Date.now(), { payload: { message: 'after' } })]);
        await until('it comes', async () => (await rows()).includes('after'));
        assert.deepEqual(await rows(), ['after', 'lost', 'repaid', 'later', 'paid']);
    });

    await test('the newest 200 are kept', async () => {
        const texts = [...Array(300).keys()].map((n) => event(Date.now(), { payload: { message: `n${n}` } }));
        await post(world, texts);
        await until('they come', async () => (await rows())[0] === 'n299');
        const shown = await rows();
        assert.deepEqual([shown.length, shown[199]], [200, 'n100']);
        await page.click('#follow');
        await shows(page, '#tail-state', 'Not following');
        assert.equal(await page.textContent('#follow'), 'Follow');
    });

    await test('rejects come a page at a time, newest first, with all that is known of them', async () => {
        for (let n = 0; n < 25; n++) await post(world, [`{"timestamp":"never ${n}"}`]);
        await post(world, [JSON.stringify('x'.repeat(3000))]);
        await again(page);
        await shows(page, '#rejects-state', '26 rejects');
        assert.deepEqual(await tables(page, '#reasons'), [
            ['Why', 'unreadable timestamp', '25'],
            ['Why', 'not an object', '1'],
        ]);
        await page.click('#rejects-list summary');
        assert.match(await page.textContent('#rejects-list pre'), /^"x{1999}\n\u2026 2\.9 KiB in all$/);
        const seen = [];
        for (;;) {
            const here = await page.$$eval('#rejects-list li', (all) => all.length);
            await page.$$eval('#rejects-list details', (all) => all.forEach((one) => (one.open = true)));
            await page.waitForFunction(
                (count) => document.querySelectorAll('#rejects-list pre').length === count,
                here,
            );
            seen.push(
                ...(await page.$$eval('#rejects-list pre', (all) => all.map((one) => one.textContent))),
            );
            if (!(await page.isVisible('#rejects-older'))) break;
            await page.click('#rejects-older');
            await page.waitForFunction(
                (last) => !document.querySelector('#rejects-list pre')?.textContent.includes(last),
                seen.at(-1),
            );
            await page.waitForFunction(() => document.querySelectorAll('#rejects-list pre').length === 0);
        }
        const expected = [...Array(25).keys()].reverse().map((n) => `{"timestamp":"never ${n}"}`);
        assert.deepEqual(seen.slice(1), expected);
        await page.click('#rejects-newest');
        await shows(page, '#rejects-list', 'not an object');
        await fine(world, page);
    });
    await world.close();
}

const plantReject = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
db.execute("UPDATE rejects SET reason = ?", (sys.argv[2],))
db.commit()
`;

async function strangers(stage) {
    const world = await World.open(stage, 'page-strangers', []);
    const page = await look(world, { viewport: { width: 360, height: 740 } });
    const long = 'w'.repeat(3000);

    await test('whatever strangers send is text, everywhere', async () => {
        await page.waitForSelector('#follow:visible');
        await page.click('#follow');
        await shows(page, '#tail-state', 'Following');
        const texts = hostile.map((text) =>
            event(Date.now(), {
                level: text,
                type: text,
                appId: text,
                userId: text,
                groupId: text,
                [text]: text,
                payload: { message: text, [text]: text },
            }),
        );
        texts.push(event(Date.now(), { appId: long, type: long, level: long, payload: { message: long } }));
        texts.push(event(Date.now(), { payload: hostile, appId: { a: hostile[0] }, level: 7, type: null }));
        await post(world, [...texts, ...hostile.map((text) => JSON.stringify(text))]);
        const planted = spawnSync('python3', ['-c', plantReject, world.daemon.database, hostile[0]], {
            encoding: 'utf8',
        });
        assert.equal(planted.status, 0, planted.stderr);
        await again(page);
        await shows(page, '#rejects-list', hostile[0]);
        await page.waitForFunction(() => document.querySelectorAll('#tail li').length === 8);
        for (const text of hostile) {
            await shows(page, '#values', text);
            assert.ok((await page.textContent('#tail')).includes(text), text);
            assert.ok(
                (await tables(page, '#values')).some(([, name]) => name === text),
                text,
            );
        }
        assert.deepEqual(await tables(page, '#reasons'), [['Why', hostile[0], String(hostile.length)]]);
        await page.$$eval('#tail details, #rejects-list details', (all) =>
            all.forEach((one) => (one.open = true)),
        );
        await page.waitForFunction(() => document.querySelectorAll('pre').length === 14);
        const opened = await page.$$eval('pre', (all) => all.map((one) => one.textContent).join('\n'));
        for (const text of hostile) assert.ok(opened.includes(JSON.stringify(text)), text);
        assert.equal(
            await page.$$eval('img, iframe, object, a[href^="javascript"], svg[onload]', (all) => all.length),
            0,
        );
        assert.equal(await page.$$eval('script', (all) => all.length), 1);
        await fine(world, page);
    });

    await test('a phone shows it without scrolling sideways', async () => {
        await narrow(page);
        await page.setViewportSize({ width: 320, height: 600 });
        await narrow(page);
        await page.setViewportSize({ width: 360, height: 740 });
    });

    await test('axe finds nothing on a phone, all opened', () => accessible(world, page));

    await test('axe finds nothing in the light and in the dark, which differ', async () => {
        const grounds = [];
        for (const colorScheme of ['light', 'dark']) {
            const other = await look(world, { colorScheme, reducedMotion: 'reduce' }, '#1d/minute');
            await shows(other, '#state', 'Ready');
            await other.click('#figures summary');
            await other.focus('#chart');
            grounds.push(
                await other.$eval('body', (body) =>
                    getComputedStyle(body).backgroundColor.match(/\d+/g).map(Number),
                ),
            );
            await fine(world, other);
            await accessible(world, other);
        }
        assert.ok(Math.min(...grounds[0]) > 200 && Math.max(...grounds[1]) < 60, String(grounds));
    });
    await world.close();
}

export async function pageLive(stage) {
    await below(stage);
    await live(stage);
    await strangers(stage);
}
