/*
 * origins.js: which pages may use the daemon: without keys, with a list of origins, and beacons without
 * a key.
 */
import assert from 'node:assert/strict';
import { readDatabase } from './daemon.js';
import { KEYS, World } from './world.js';
import { test, until } from './tap.js';

const BODY = '{"type":"ingest","events":[{"timestamp":"2026-01-01T00:00:00.000Z","foreign":true}]}';

/* What came of one request of a page, as its script sees it. */
function attempt(page, url, init) {
    return page.evaluate(([u, i]) => attempt(u, i), [url, init]);
}

/* The browser keeps the answer from the page. */
async function rejects(page, url, init) {
    const { status, error } = await attempt(page, url, init);
    assert.match(error ?? `answered ${status}`, /TypeError/);
}

/* The daemon answered the page's newest request of that method with 403, without any CORS header. */
function refusedWithoutCors(world, page, method) {
    const { origin } = new URL(page.url());
    const request = world.proxy.requests
        .filter((one) => one.method === method && one.headers.origin === origin)
        .at(-1);
    assert.equal(request.answer.status, 403);
    const cors = Object.keys(request.answer.headers).filter((name) => name.startsWith('access-control-'));
    assert.deepEqual(cors, []);
}

/* A page that is not welcome tries everything. headers: what it sends besides. */
async function shutOut(world, page, headers) {
    const json = { ...headers, 'Content-Type': 'application/json' };
    const before = readDatabase(world.daemon.database).events.length;
    const write = world.url('/_tracker/events');

    await rejects(page, write, { method: 'POST', headers: json, body: BODY });
    await rejects(page, world.keyedUrl(), { method: 'POST', body: BODY });
    refusedWithoutCors(world, page, 'POST');
    const opaque = await attempt(page, world.keyedUrl(), { method: 'POST', mode: 'no-cors', body: BODY });
    assert.equal(opaque.type, 'opaque');
    refusedWithoutCors(world, page, 'POST');
    await rejects(page, world.url('/_tracker'), { headers });
    await rejects(page, world.url('/_tracker'), {});
    refusedWithoutCors(world, page, 'GET');
    await rejects(page, world.url('/_tracker/ping'), {});

    /* Its beacon may be under way after this; a text beacon needs no preflight, and is refused. */
    const posts = world.proxy.posts().length;
    const send = ([url, body]) => navigator.sendBeacon(url, body);
    assert.equal(await page.evaluate(send, [world.keyedUrl(), BODY]), true);
    await until('the beacon is answered', () => world.proxy.posts()[posts]?.answer);
    refusedWithoutCors(world, page, 'POST');
    assert.equal(readDatabase(world.daemon.database).events.length, before);
}

async function keyless(stage) {
    const world = await World.open(stage, 'keyless', []);
    const nameless = { key: undefined, beaconEndpoint: world.url('/_tracker/events') };

    for (const host of ['localhost', '127.0.0.1']) {
        await test(`a keyless daemon takes batches and beacons of a page on ${host}`, async () => {
            const visit = await world.visit(nameless, host);
            const texts = await visit.emit(5);
            await visit.settled();
            texts.push(...(await visit.emit(5)));
            await visit.close();
            await world.storedOnce(texts);
        });
    }

    await test('a keyless daemon refuses everything to a foreign page', async () => {
        await shutOut(world, await world.page('visit.html', 'shop.example'), {});
    });

    await test('a foreign name for this machine does not open a keyless daemon', async () => {
        const page = await world.page('visit.html', 'shop.example');
        const answer = await page.goto(`http://shop.example:${world.proxy.port}/_tracker`);
        assert.equal(answer.status(), 403);
        const same = await page.evaluate(() => fetch('/_tracker').then(({ status }) => status));
        assert.equal(same, 403);
    });

    await test('in the end the keyless daemon holds each event of the local pages once',
        () => world.ledgerHolds({ key: '' }));
    await world.close();
}

async function listed(stage) {
    const shop = stage.site.origin('shop.example');
    const world = await World.openKeyed(stage, 'listed', [
        '--allow-origin', shop,
        '--allow-origin', stage.site.origin('*.team.example'),
    ]);

    for (const host of ['shop.example', 'blog.team.example']) {
        await test(`allow-origin: a page on ${host}, which is listed, may send and read`, async () => {
            const visit = await world.visit({ beaconEndpoint: world.keyedUrl() }, host);
            const texts = await visit.emit(5);
            await visit.settled();
            texts.push(...(await visit.emit(5)));
            await visit.close();
            await world.storedOnce(texts);
            const reader = await world.reader({}, host);
            await reader.waitForSelector('#ping.green', { state: 'attached' });
            await reader.waitForFunction(() => shown.status === 200);
        });
    }

    for (const host of ['other.example', 'team.example', 'localhost']) {
        await test(`allow-origin: a page on ${host}, which is not listed, gets nothing, key or no`,
            async () => {
                const page = await world.page('visit.html', host);
                await shutOut(world, page, { 'X-Tracker-Key': KEYS.site });
            });
    }

    await test('in the end each event of the listed pages is stored exactly once, no other',
        () => world.ledgerHolds({}, 'shop.example'));
    await world.close();
}

async function keylessBeacons(stage) {
    const world = await World.openKeyed(stage, 'beacons', [
        '--beacon-origin', stage.site.origin('localhost'),
    ]);
    const plain = { beaconEndpoint: world.url('/_tracker/events') };

    await test('beacon-origin: a beacon without a key from a listed origin is stored', async () => {
        const visit = await world.visit(plain);
        const texts = await visit.emit(6);
        await visit.close();
        await world.storedOnce(texts);
        const post = world.proxy.posts().at(-1);
        assert.equal(post.path, '/_tracker/events');
        assert.equal(post.headers['x-tracker-key'], undefined);
    });

    await test('beacon-origin: it is recognised as the retry of a keyed batch whose answer was lost',
        async () => {
            const visit = await world.visit(plain);
            const texts = await visit.emit(6);
            world.proxy.mode = 'after';
            await visit.flush();
            world.proxy.mode = 'pass';
            texts.push(...(await visit.emit(2)));
            await visit.close();
            await world.storedOnce(texts);
        });

    await test('beacon-origin: a wrong key is not better than none', async () => {
        const page = await world.page('visit.html');
        const headers = { 'X-Tracker-Key': 'wrong' };
        const answer = await attempt(page, world.url('/_tracker/events'),
            { method: 'POST', headers, body: BODY });
        assert.equal(answer.status, 401);
    });

    await test('beacon-origin: reading still wants a key', async () => {
        const page = await world.page('visit.html');
        assert.equal((await attempt(page, world.url('/_tracker'), {})).status, 401);
    });

    await test('beacon-origin: a beacon without a key from another origin is refused', async () => {
        const page = await world.page('visit.html', 'shop.example');
        const posts = world.proxy.posts().length;
        const send = ([url, body]) =>
            navigator.sendBeacon(url, new Blob([body], { type: 'application/json' }));
        assert.equal(await page.evaluate(send, [world.url('/_tracker/events'), BODY]), true);
        await until('the beacon is answered', () => world.proxy.posts()[posts]?.answer);
        assert.equal(world.proxy.posts()[posts].answer.status, 401);
    });

    await test('in the end each event of the listed origin is stored exactly once, no other',
        () => world.ledgerHolds());
    await world.close();
}

export async function origins(stage) {
    await keyless(stage);
    await listed(stage);
    await keylessBeacons(stage);
}
