/*
 * page_ui.js: the daemon's own page at /, as its reader sees it: figures, chart and key, by keyboard alone
 * too, and to a screen reader (axe-core). page_live.js has the rest.
 */
import assert from 'node:assert/strict';
import { lockDatabase } from './daemon.js';
import { accessible, again, event, fine, look, post, shows, tables, visit } from './page_look.js';
import { test, until } from './tap.js';
import { KEYS, World } from './world.js';

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

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
            /* Two of them have as many events: only the drawing tells that the second has come. */
            const drawing = await until('it is drawn', async () => {
                const bars = await page.getAttribute('#chart .bars', 'd');
                return !drawings.has(bars) && bars;
            });
            drawings.add(drawing);
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
        await page.evaluate(() => (location.hash = '#%'));
        await page.reload();
        await shows(page, '#state', 'Ready');
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
        await page.waitForFunction(() => document.activeElement.id === 'now-title'); // moved there behind it
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
    await keyed(stage);
    await byKeyboard(stage);
}
