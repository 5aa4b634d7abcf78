/*
 * dashboard.js: a built dashboard (tests/data/dashboard), served by the daemon and opened with a key as
 * password.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { KEYS, World } from './world.js';
import { PATIENCE_MS, test, until } from './tap.js';

const build = fileURLToPath(new URL('../data/dashboard', import.meta.url));

/* A browser profile of its own that answers a question for a password with this one; and what came of
 * each request of its page: path, status, and whether the password went along. */
async function visitor(world, password) {
    const httpCredentials = password && { username: 'anyone', password };
    const context = await world.stage.browser.newContext({ httpCredentials });
    context.setDefaultTimeout(PATIENCE_MS);
    world.contexts.push(context);
    const page = await context.newPage();
    const seen = [];
    page.on('response', (response) => seen.push(response));
    return { page, seen };
}

async function facts(seen) {
    return Promise.all(
        seen.map(async (response) => ({
            path: new URL(response.url()).pathname,
            status: response.status(),
            password: 'authorization' in (await response.request().allHeaders()),
        }))
    );
}

async function shown(page) {
    await page.waitForFunction(() => window.shown && (shown.events !== null || shown.error !== null));
    return page.evaluate(() => ({
        ...shown,
        count: document.getElementById('count')?.textContent,
        background: getComputedStyle(document.body).backgroundColor,
    }));
}

/* As the page shows itself when all of it has come. */
function whole(route, events) {
    return {
        path: route,
        events,
        ping: 200,
        lazy: '0 events', // of a chunk that is imported when it is needed
        error: null,
        count: `${events} events`,
        background: 'rgb(2, 8, 23)',
    };
}

async function open(world, base) {
    const { page, seen } = await visitor(world, KEYS.reader);
    for (const [link, route] of [
        ['/_dashboard', '/_dashboard/'],
        ['/_dashboard/', '/_dashboard/'],
        ['/_dashboard/events', '/_dashboard/events'],
    ]) {
        const answer = await page.goto(base + link);
        assert.equal(answer.status(), 200);
        assert.deepEqual(await shown(page), whole(route, 3));
        await page.reload();
        assert.deepEqual(await shown(page), whole(route, 3));
    }
    return facts(seen);
}

export async function dashboard(stage) {
    const world = await World.openKeyed(stage, 'dashboard', ['--dashboard', path.normalize(build)]);
    const base = `http://127.0.0.1:${world.daemon.port}`;
    const event = '{"timestamp":"2026-01-01T00:00:00.000Z"}';
    const stored = await fetch(`${base}/_tracker/k/${KEYS.site}/events`, {
        method: 'POST',
        body: `{"events":[${event},${event},${event}]}`,
    });
    assert.equal(stored.status, 200);

    await test('the dashboard opens with a key as password, also by a link into it', async () => {
        const all = await open(world, base);
        const bad = all.filter(({ status, path: where }) => status >= 400 && where !== '/_dashboard/');
        assert.deepEqual(bad, []);
    });

    await test('the browser keeps the password to the dashboard itself', async () => {
        const all = await open(world, base);
        const data = all.filter(({ path: where }) => where.startsWith('/_tracker'));
        assert.ok(data.length > 0);
        const files = all.filter(({ path: where }) => where.startsWith('/_dashboard/'));
        assert.ok(files.some(({ password }) => password), 'what is sent can be seen');
        assert.deepEqual(data.filter(({ password }) => password), []);
    });

    for (const [name, key] of [
        ['no password', undefined],
        ['a wrong one', 'wrong'],
        ['a key that may only send', KEYS.site],
    ]) {
        await test(`with ${name} the dashboard stays closed`, async () => {
            const { page, seen } = await visitor(world, key);
            /* Where there is nobody to ask, the browser calls it an error. */
            const status = await page.goto(`${base}/_dashboard/`).then(
                (answer) => answer.status(),
                ({ message }) => message.includes('ERR_INVALID_AUTH_CREDENTIALS') && 401
            );
            assert.equal(status, 401);
            assert.deepEqual(seen.filter((response) => response.status() !== 401), []);
        });
    }

    await test('pages of other origins neither read, run nor frame it', async () => {
        const { page } = await visitor(world, KEYS.reader);
        await page.goto(`${base}/_dashboard/`);
        await shown(page);
        /* The same browser, which has the password. */
        const said = [];
        page.on('console', (message) => said.push(message.text()));
        await page.goto(`${stage.site.origin('shop.example')}/elsewhere.html`);
        const came = await page.evaluate(async (root) => {
            const attempt = (options) => fetch(`${root}/_dashboard/`, options).then(
                (answer) => answer.status,
                (error) => error.name
            );
            const element = (name, url) => new Promise((resolve) => {
                const made = document.createElement(name);
                made.onload = () => resolve('loaded');
                made.onerror = () => resolve('refused');
                made.src = url;
                document.body.append(made);
            });
            await element('iframe', `${root}/_dashboard/`);
            return {
                plain: await attempt({}),
                credentials: await attempt({ credentials: 'include' }),
                opaque: await attempt({ mode: 'no-cors', credentials: 'include' }),
                preflight: await attempt({ headers: { Authorization: 'Basic eDp4' } }),
                script: await element('script', `${root}/_dashboard/assets/index.js`),
                image: await element('img', `${root}/_dashboard/favicon.svg`),
            };
        }, base);
        assert.deepEqual(came, {
            plain: 'TypeError',
            credentials: 'TypeError',
            opaque: 'TypeError',
            preflight: 'TypeError',
            script: 'refused',
            image: 'refused',
        });
        const framed = page.frames().filter((one) => one.url().startsWith(base));
        assert.deepEqual(framed, []);
        await until('the browser says why', () => said.some((text) => text.includes('frame-ancestors')));
    });

    await world.close();
}
