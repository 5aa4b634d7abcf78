/*
 * page_ui.js: the daemon's own page at /, as its reader sees it: figures, chart, live tail, rejects and
 * key; by keyboard, on a phone, in the dark, to a screen reader (axe-core); and that what strangers sent
 * is text to it whatever it says.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import { lockDatabase } from './daemon.js';
import { test, until } from './tap.js';
import { KEYS, World } from './world.js';

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

/* Runs nothing, in whatever way it is taken for markup, script, URL or style. */
const hostile = [
    '<img src=x onerror="ran.push(1)">',
    '"><script>ran.push(2)</script>',
    '</style><svg onload=ran.push(3)>',
    "javascript:ran.push(4)//'",
    '</pre></script><iframe srcdoc="<script>parent.ran.push(5)</script>">',
    '{{ran.push(6)}}${ran.push(7)}\u202e\u2066',
];

function event(ms, more = {}) {
    const fields = {
        id: '',
        timestamp: new Date(ms).toISOString(),
        level: 'info',
        type: 'click',
        appId: 'shop',
    };
    return JSON.stringify({
        ...fields,
        sessionId: 'sess_1',
        userId: 'u',
        payload: { text: 'Buy' },
        meta: {},
        ...more,
    });
}

async function post(world, texts, key) {
    const headers = { 'Content-Type': 'application/json', ...(key ? { 'X-Tracker-Key': key } : {}) };
    const url = `http://127.0.0.1:${world.daemon.port}/_tracker/events`;
    const answer = await fetch(url, { method: 'POST', headers, body: `{"events":[${texts.join(',')}]}` });
    assert.equal(answer.status, 200);
    return answer.json();
}

/* The page in a profile of its own. page.heard: what must not have been in the end (fine() looks). */
async function look(world, settings = {}, hash = '') {
    const context = await world.stage.browser.newContext({ timezoneId: 'Asia/Kolkata', ...settings });
    world.contexts.push(context);
    await context.addInitScript(() => {
        window.ran = [];
        window.violations = [];
        document.addEventListener('securitypolicyviolation', (event) =>
            window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
        );
    });
    return visit(world, await context.newPage(), hash);
}

async function visit(world, page, hash = '') {
    page.heard = { errors: [], urls: [] };
    page.on('pageerror', (error) => page.heard.errors.push(String(error)));
    page.on('request', (request) => page.heard.urls.push(request.url()));
    await page.goto(`http://127.0.0.1:${world.daemon.port}/${hash}`);
    return page;
}

/* Nothing failed in the page, nothing ran that was sent, nothing was asked of anyone else. */
async function fine(world, page) {
    assert.deepEqual(page.heard.errors, []);
    assert.deepEqual(await page.evaluate(() => [window.ran, window.violations]), [[], []]);
    const origins = new Set(
        page.heard.urls.map((url) => (url.startsWith('data:') ? 'data:' : new URL(url).origin)),
    );
    origins.delete('data:');
    assert.deepEqual([...origins], [`http://127.0.0.1:${world.daemon.port}`]);
}

/* Everything is asked anew. */
async function again(page) {
    await page.click('#hold');
    await page.click('#hold');
}

async function shows(page, selector, text) {
    await page.waitForFunction(
        ([where, what]) => document.querySelector(where)?.textContent.includes(what),
        [selector, text],
    );
}

/* Rows of the tables under selector, as [caption, name, count]. */
const tables = (page, selector) =>
    page.$$eval(`${selector} tbody tr`, (rows) =>
        rows.map((row) => [
            row.closest('table').caption.textContent,
            row.querySelector('.theirs').textContent,
            row.querySelector('.number').textContent,
        ]),
    );

/* Zero violations, told in words. */
async function accessible(world, page) {
    await page.evaluate(world.stage.axe);
    const found = await page.evaluate(async () => {
        const { violations, passes } = await window.axe.run(document, { resultTypes: ['violations'] });
        return [
            passes.length,
            violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`),
        ];
    });
    assert.deepEqual(found[1], []);
    assert.ok(found[0] > 15);
}

async function narrow(page) {
    const [needed, there] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        window.innerWidth,
    ]);
    assert.ok(needed <= there, `${needed} pixels needed, ${there} there`);
}

/* How many events were sent, how long ago, and which windows hold them. */
const sent = [
    [40, 5 * 60 * second, ['15m', '1h', '1d', '7d', '30d', 'all']],
    [25, 3 * hour, ['1d', '7d', '30d', 'all']],
    [10, 3 * day, ['7d', '30d', 'all']],
    [5, 20 * day, ['30d', 'all']],
    [3, 90 * day, ['all']],
];
const total = sent.reduce((sum, [count]) => sum + count, 0);

async function figures(stage) {
    const world = await World.open(stage, 'page', []);
    const now = Date.now();
    const levels = ['info', 'warn', 'error'];

    await test('a daemon without events is shown as one', async () => {
        const page = await look(world);
        await shows(page, '#state', 'Ready');
        assert.equal(await page.textContent('#events'), '0');
        await page.check('[name=span][value=all]');
        await shows(page, '#chart-caption', 'No events');
        await shows(page, '#values-caption', 'No event of the window');
        await shows(page, '#rejects-state', 'None');
        await fine(world, page);
    });

    const texts = sent.flatMap(([count, age]) =>
        [...Array(count).keys()].map((i) => event(now - age - i * second, { level: levels[i % 3] })),
    );
    await post(world, [...texts, '{"timestamp":"yesterday"}', '7']);
    const page = await look(world);

    await test('state and counts are those of the daemon', async () => {
        await shows(page, '#state', 'Ready');
        assert.equal(await page.textContent('#events'), String(total));
        assert.equal(await page.textContent('#rejects'), '2');
        assert.equal(await page.textContent('#cached'), String(total));
        const newest = await page.getAttribute('#newest time', 'datetime');
        assert.equal(newest, new Date(now - sent[0][1]).toISOString());
        assert.equal(await page.textContent('#newest-ago'), '5 min ago');
        assert.match(
            await page.textContent('#about'),
            /^beacond \S+, up .*, prefix \/_tracker\. Times are in Asia/,
        );
    });

    await test('a window shows what lies in it, as bars and as figures', async () => {
        const drawings = new Set();
        await page.click('#figures summary');
        for (const name of ['15m', '1h', '1d', '7d', '30d', 'all']) {
            const count = sent.filter(([, , spans]) => spans.includes(name)).reduce((sum, [n]) => sum + n, 0);
            await page.check(`[name=span][value="${name}"]`);
            await shows(page, '#chart-caption', `${count} events from`);
            drawings.add(await page.getAttribute('#chart .bars', 'd'));
            const rows = await page.$$eval('#figures-rows .number', (cells) =>
                cells.map((cell) => Number(cell.textContent)),
            );
            assert.equal(
                rows.reduce((sum, n) => sum + n, 0),
                count,
                name,
            );
        }
        assert.equal(drawings.size, 6);
        for (const step of ['hour', 'day']) {
            await page.selectOption('#step', step);
            await shows(page, '#chart-caption', `, per ${step}`);
        }
        await page.selectOption('#step', 'second');
        await shows(page, '#window-error', "This can't be shown: step");
        assert.equal(await page.textContent('#events'), String(total));
        await page.selectOption('#step', '');
        await page.waitForFunction(() => document.querySelector('#window-error').textContent === '');
    });

    await test('a window of one\u2019s own is in local time, and outlives a reload', async () => {
        await page.check('[name=span][value=own]');
        const local = (ms) => new Date(ms + 5.5 * hour).toISOString().slice(0, 19);
        await page.fill('#since', local(now - 4 * hour));
        await page.fill('#until', local(now - 2 * hour));
        await page.click('#own button');
        await shows(page, '#chart-caption', '25 events from');
        await page.reload();
        await shows(page, '#chart-caption', '25 events from');
        assert.equal(await page.inputValue('#since'), local(now - 4 * hour));
        await page.evaluate(() => (location.hash = '#7d/hour'));
        await shows(page, '#chart-caption', '75 events from');
        assert.equal(await page.isChecked('[name=span][value="7d"]'), true);
        assert.equal(await page.inputValue('#step'), 'hour');
    });

    await test('apps, types and levels are counted', async () => {
        await page.check('[name=span][value="all"]');
        await shows(page, '#values-caption', `All ${total} events`);
        const counts = levels.map((level, i) => [
            'Level',
            level,
            String(
                sent.reduce(
                    (sum, [count]) => sum + [...Array(count).keys()].filter((n) => n % 3 === i).length,
                    0,
                ),
            ),
        ]);
        const byCount = (a, b) => b[2] - a[2];
        const expected = [
            ['App', 'shop', String(total)],
            ['Type', 'click', String(total)],
            ...counts.sort(byCount),
        ];
        assert.deepEqual(await tables(page, '#values'), expected);
    });

    await test('the place in the chart is moved and read by keyboard', async () => {
        await page.focus('#chart');
        await page.keyboard.press('End');
        const last = await page.getAttribute('#chart', 'aria-valuetext');
        assert.match(last, /^\d{4}-\d\d-\d\d.*: \d+ events?/);
        assert.equal(await page.textContent('#chart-at'), last);
        const [most, there] = await page.$eval('#chart', (chart) => [chart.ariaValueMax, chart.ariaValueNow]);
        assert.equal(there, most);
        await page.keyboard.press('ArrowLeft');
        assert.equal(await page.getAttribute('#chart', 'aria-valuenow'), String(most - 1));
        await page.keyboard.press('Home');
        assert.match(await page.getAttribute('#chart', 'aria-valuetext'), /: 3 events|: 3 events,/);
        await page.keyboard.press('PageUp');
        assert.equal(await page.getAttribute('#chart', 'aria-valuenow'), '10');
    });

    await test('what comes in shows up by itself', async () => {
        await post(world, [event(Date.now())]);
        await shows(page, '#events', String(total + 1));
        await fine(world, page);
    });

    await test('a daemon that has gone is told, and when it is back', async () => {
        await world.daemon.stop();
        await shows(page, '#trouble', 'No connection to the daemon');
        assert.equal(await page.getAttribute('#state', 'data-state'), 'gone');
        assert.equal(await page.textContent('#events'), String(total + 1));
        await world.daemon.run();
        await again(page);
        await shows(page, '#state', 'Ready');
        assert.equal(await page.textContent('#trouble'), '');
    });

    await test('a daemon that can\u2019t store is shown as failing', async () => {
        const release = await lockDatabase(world.daemon.database);
        const waiting = post(world, [event(Date.now(), { type: 'late' })]).catch(() => {});
        await until('it is shown', async () => {
            await again(page);
            return (await page.getAttribute('#state', 'data-state')) === 'failing';
        });
        await shows(page, '#state', 'Failing');
        await release();
        await waiting;
        await until('it is over', async () => {
            await again(page);
            return (await page.getAttribute('#state', 'data-state')) === 'ready';
        });
    });
    await world.close();
}

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

async function keyed(stage) {
    const world = await World.openKeyed(stage, 'page-keyed', ['--prefix', '/_tracker']);
    await post(world, [event(Date.now()), event(Date.now())], KEYS.site);
    const page = await look(world);
    const give = async (key) => {
        await page.fill('#key', key);
        await page.press('#key', 'Enter');
    };

    await test('a daemon with keys shows nothing before one is given', async () => {
        await page.waitForSelector('#gate:visible');
        assert.equal(await page.isVisible('#data'), false);
        assert.equal(await page.textContent('#events'), '');
        assert.equal(await page.evaluate(() => document.activeElement.id), 'key');
        await accessible(world, page);
    });

    await test('keys that are wrong are refused, in words', async () => {
        for (const [key, words] of [
            ['nobodys', 'Refused: unknown key'],
            [KEYS.site, 'Refused: this key does not allow that here'],
            ['with space', 'No key:'],
            ['kl\u00e9', 'No key:'],
        ]) {
            await give(key);
            await shows(page, '#gate-why', words);
            assert.equal(await page.isVisible('#data'), false);
            assert.equal(await page.evaluate(() => sessionStorage.length), 0);
        }
    });

    await test('the right key opens it, for this tab and no longer', async () => {
        await give(KEYS.reader);
        await page.waitForSelector('#data:visible');
        assert.equal(await page.textContent('#events'), '2');
        assert.equal(await page.inputValue('#key'), '');
        await page.reload();
        await shows(page, '#events', '2');
        assert.equal(await page.isVisible('#gate'), false);
        const other = await visit(world, await page.context().newPage());
        await other.waitForSelector('#gate:visible');
        await other.close();
    });

    await test('the live tail brings the key, too', async () => {
        await page.click('#follow');
        await shows(page, '#tail-state', 'Following');
        await post(world, [event(Date.now(), { payload: { message: 'keyed' } })], KEYS.site);
        await shows(page, '#tail', 'keyed');
    });

    await test('the key is in no URL, and gone when it is forgotten', async () => {
        await page.click('#forget');
        await page.waitForSelector('#gate:visible');
        const kept = await page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie]);
        assert.deepEqual(kept, [0, 0, '']);
        assert.ok(
            [...page.heard.urls, page.url()].every(
                (url) => !url.includes(KEYS.reader) && !url.includes(KEYS.site),
            ),
        );
        await page.reload();
        await page.waitForSelector('#gate:visible');
        await fine(world, page);
    });
    await world.close();
}

async function byKeyboard(stage) {
    const world = await World.openKeyed(stage, 'page-keyboard');
    await post(world, [event(Date.now(), { payload: { message: 'first' } }), '7'], KEYS.site);
    const page = await look(world);
    const focused = () =>
        page.evaluate(() => {
            const one = document.activeElement;
            const seen = one.matches('.choices input') ? one.nextElementSibling : one;
            const style = getComputedStyle(seen);
            return [
                one.id || one.value || one.closest('[id]').id,
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
            ];
        });
    const tabTo = async (id) => {
        for (let n = 0; n < 40; n++) {
            await page.keyboard.press('Tab');
            const [name, marked] = await focused();
            assert.ok(marked, `${name} does not show its focus`);
            if (name === id) return;
        }
        assert.fail(`${id} is not reached`);
    };

    await test('all of it is done by keyboard alone, and the focus is seen', async () => {
        await page.waitForSelector('#gate:visible');
        await page.keyboard.type(KEYS.reader);
        await page.keyboard.press('Enter');
        await page.waitForSelector('#data:visible');
        await tabTo('1h');
        await page.keyboard.press('ArrowRight');
        await page.waitForFunction(() => location.hash === '#1d');
        await tabTo('step');
        await page.keyboard.press('h');
        await shows(page, '#chart-caption', 'per hour');
        await tabTo('chart');
        await page.keyboard.press('End');
        await shows(page, '#chart-at', ': 1 event');
        await tabTo('figures');
        await page.keyboard.press('Enter');
        await shows(page, '#figures-rows', '1');
        await tabTo('follow');
        await page.keyboard.press('Space');
        await shows(page, '#tail-state', 'Following');
        await post(world, [event(Date.now(), { payload: { message: 'second' } })], KEYS.site);
        await shows(page, '#tail', 'second');
        await tabTo('filter');
        await page.keyboard.type('SECOND');
        await tabTo('tail');
        await page.keyboard.press('Enter');
        await shows(page, '#tail pre', '"message": "second"');
        await tabTo('rejects-list');
        await page.keyboard.press('Enter');
        await shows(page, '#rejects-list pre', '7');
        await fine(world, page);
    });
    await world.close();
}

export async function pageUi(stage) {
    await figures(stage);
    await below(stage);
    await live(stage);
    await strangers(stage);
    await keyed(stage);
    await byKeyboard(stage);
}
