/*
 * page_look.js: what the tests of the daemon's own page share: events for it, the page in a browser, and
 * what must be so whatever it shows.
 */
import assert from 'node:assert/strict';
import { PATIENCE_MS } from './tap.js';

export function event(ms, more = {}) {
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

export async function post(world, texts, key) {
    const headers = { 'Content-Type': 'application/json', ...(key ? { 'X-Tracker-Key': key } : {}) };
    const url = `http://127.0.0.1:${world.daemon.port}/_tracker/events`;
    const answer = await fetch(url, { method: 'POST', headers, body: `{"events":[${texts.join(',')}]}` });
    assert.equal(answer.status, 200);
    return answer.json();
}

/* The page in a profile of its own. page.heard: what must not have been in the end (fine() looks). */
export async function look(world, settings = {}, hash = '') {
    const context = await world.stage.browser.newContext({ timezoneId: 'Asia/Kolkata', ...settings });
    context.setDefaultTimeout(PATIENCE_MS);
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

export async function visit(world, page, hash = '') {
    page.heard = { errors: [], urls: [] };
    page.on('pageerror', (error) => page.heard.errors.push(String(error)));
    page.on('request', (request) => page.heard.urls.push(request.url()));
    await page.goto(`http://127.0.0.1:${world.daemon.port}/${hash}`);
    return page;
}

/* Nothing failed in the page, nothing ran that was sent, nothing was asked of anyone else. */
export async function fine(world, page) {
    assert.deepEqual(page.heard.errors, []);
    assert.deepEqual(await page.evaluate(() => [window.ran, window.violations]), [[], []]);
    const origins = new Set(
        page.heard.urls.map((url) => (url.startsWith('data:') ? 'data:' : new URL(url).origin)),
    );
    origins.delete('data:');
    assert.deepEqual([...origins], [`http://127.0.0.1:${world.daemon.port}`]);
}

/* Everything is asked anew. */
export async function again(page) {
    await page.click('#hold');
    await page.click('#hold');
}

export async function shows(page, selector, text) {
    await page.waitForFunction(
        ([where, what]) => document.querySelector(where)?.textContent.includes(what),
        [selector, text],
    );
}

/* Rows of the tables under selector, as [caption, name, count]. */
export const tables = (page, selector) =>
    page.$$eval(`${selector} tbody tr`, (rows) =>
        rows.map((row) => [
            row.closest('table').caption.textContent,
            row.querySelector('.theirs').textContent,
            row.querySelector('.number').textContent,
        ]),
    );

/* Zero violations, told in words. */
export async function accessible(world, page) {
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

/* Once the chart has been drawn anew for the width there is. */
export async function narrow(page) {
    const fits = () => document.documentElement.scrollWidth <= window.innerWidth;
    await page.waitForFunction(fits).catch(() => {});
    const [needed, there] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        window.innerWidth,
    ]);
    assert.ok(needed <= there, `${needed} pixels needed, ${there} there`);
}
