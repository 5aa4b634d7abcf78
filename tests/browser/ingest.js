/*
 * ingest.js: what a visitor's page sends to a daemon with keys: batches, compressed ones, beacons, and
 * the refusals its script must be able to read.
 */
import assert from 'node:assert/strict';
import { KEYS, World } from './world.js';
import { test, until } from './tap.js';

/* The requests of one visit, as "METHOD path". */
function lines(requests) {
    return requests.map(({ method, path }) => `${method} ${path}`);
}

async function batches(world) {
    const origin = world.stage.site.origin('localhost');

    await test('a keyed batch is preflighted without its key, and stored', async () => {
        const from = world.proxy.requests.length;
        const visit = await world.visit();
        const texts = await visit.emit(3);
        const [outcome] = await visit.settled();
        assert.deepEqual([outcome.status, outcome.body],
            [200, { ok: true, saved: 3, rejected: 0, duplicate: 0 }]);
        await world.storedOnce(texts);

        const [preflight, post] = world.proxy.requests.slice(from);
        assert.deepEqual(lines([preflight, post]),
            ['OPTIONS /_tracker/events', 'POST /_tracker/events']);
        assert.equal(preflight.headers.origin, origin);
        assert.equal(preflight.headers['access-control-request-headers'], 'content-type,x-tracker-key');
        assert.equal(preflight.headers['x-tracker-key'], undefined);
        assert.equal(preflight.answer.status, 204);
        assert.equal(preflight.answer.headers['access-control-max-age'], '7200');
        assert.equal(post.headers['x-tracker-key'], KEYS.site);
        for (const { headers } of [preflight.answer, post.answer]) {
            assert.equal(headers['access-control-allow-origin'], origin);
            assert.equal(headers['access-control-allow-credentials'], 'true');
            assert.match(headers.vary, /\borigin\b/i);
        }
    });

    await test('full batches go by themselves, and only the first is preflighted', async () => {
        const from = world.proxy.requests.length;
        const visit = await world.visit({ batchSize: 10, flushMs: 20 });
        const texts = [...(await visit.emit(25)), ...(await visit.emit(25))];
        await visit.settled();
        await world.storedOnce(texts);
        const methods = world.proxy.requests.slice(from).map(({ method }) => method);
        assert.ok(methods.filter((method) => method === 'POST').length >= 5);
        assert.equal(methods.filter((method) => method === 'OPTIONS').length, 1);
    });

    await test('a compressed batch is preflighted for its encoding, and stored', async () => {
        const from = world.proxy.requests.length;
        const visit = await world.visit({ gzip: true });
        const texts = await visit.emit(20);
        const [outcome] = await visit.settled();
        assert.deepEqual([outcome.status, outcome.body.saved], [200, 20]);
        await world.storedOnce(texts);
        const [preflight, post] = world.proxy.requests.slice(from);
        assert.match(preflight.headers['access-control-request-headers'], /content-encoding/);
        assert.equal(post.headers['content-encoding'], 'gzip');
        assert.deepEqual([...post.body.subarray(0, 2)], [0x1f, 0x8b]);
    });

    await test('a burst of equal events, several full batches of them, is stored as it is', async () => {
        const visit = await world.visit({ batchSize: 10 });
        const texts = await visit.emitBurst(30);
        const outcomes = await visit.settled();
        assert.deepEqual(outcomes.map(({ body }) => [body.saved, body.duplicate]),
            [[10, 0], [10, 0], [10, 0]]);
        await world.storedOnce(texts);
    });
}

async function beacons(world) {
    const settings = () => ({ beaconEndpoint: world.keyedUrl() });

    /* The only POST since then is a beacon: no key but the one in its path, not compressed. */
    function onlyBeacon(from) {
        const posts = world.proxy.requests.slice(from).filter(({ method }) => method === 'POST');
        assert.deepEqual(lines(posts), [`POST /_tracker/k/${KEYS.site}/events`]);
        assert.equal(posts[0].headers['x-tracker-key'], undefined);
        assert.equal(posts[0].headers['content-type'], 'application/json');
        assert.equal(posts[0].headers['content-encoding'], undefined);
        return posts[0];
    }

    await test('what waits when the tab is closed arrives as a beacon', async () => {
        const from = world.proxy.requests.length;
        const visit = await world.visit(settings());
        const texts = await visit.emit(10);
        await visit.close();
        await world.storedOnce(texts);
        onlyBeacon(from);
    });

    await test('what waits when the visitor goes elsewhere arrives as a beacon', async () => {
        const from = world.proxy.requests.length;
        const visit = await world.visit(settings());
        const texts = await visit.emit(10);
        await visit.page.click('a');
        await visit.page.waitForURL('**/elsewhere.html');
        await world.storedOnce(texts);
        onlyBeacon(from);
    });

    /* Which of these a browser fires, and in time, differs; each alone has to do. */
    for (const event of ['visibilitychange', 'beforeunload', 'pagehide']) {
        await test(`a beacon that is sent on ${event} arrives`, async () => {
            const from = world.proxy.requests.length;
            const visit = await world.visit({ ...settings(), beaconOn: [event] });
            const texts = await visit.emit(10);
            await visit.close();
            await world.storedOnce(texts);
            onlyBeacon(from);
        });
    }

    await test('a beacon carries credentials, and is taken with them', async () => {
        const from = world.proxy.requests.length;
        /* Same host, other port: another origin, but the same cookies. */
        const visit = await world.visit(settings(), '127.0.0.1');
        await visit.page.context().addCookies([{ name: 'visit', value: '1', url: world.url('/') }]);
        const texts = await visit.emit(2);
        await visit.close();
        await world.storedOnce(texts);
        const post = onlyBeacon(from);
        await until('the answer is there', () => post.answer);
        assert.equal(post.headers.cookie, 'visit=1');
        assert.equal(post.answer.headers['access-control-allow-credentials'], 'true');
    });

    await test('a beacon of 64 KiB, the most a browser takes, arrives', async () => {
        const from = world.proxy.requests.length;
        const visit = await world.visit(settings());
        const texts = await visit.emitBytes(65536);
        await visit.close();
        await world.storedOnce(texts);
        assert.equal(onlyBeacon(from).body.length, 65536);
    });

    await test('what is too much for a beacon stays in the queue and goes as batches', async () => {
        const visit = await world.visit(settings());
        const texts = await visit.emitBytes(65537);
        await visit.page.evaluate(() => tracker.beacon());
        assert.equal(await visit.waiting(), texts.length);
        await visit.settled();
        assert.deepEqual((await visit.outcomes())[0], { beacon: false });
        await world.storedOnce(texts);
    });
}

async function refusals(world) {
    const page = await world.page('visit.html');
    const empty = '{"type":"ingest","events":[]}';
    const attempt = (url, init) => page.evaluate(([u, i]) => attempt(u, i), [url, init]);
    const post = (headers, body = empty, route = '/_tracker/events') =>
        attempt(world.url(route), { method: 'POST', headers, body });
    const keyed = { 'X-Tracker-Key': KEYS.site, 'Content-Type': 'application/json' };

    /* The page's script learns the status and the reason. */
    async function readable(sentence, status, send) {
        await test(`${sentence}: the page reads ${status} and why`, async () => {
            const answer = await send();
            assert.equal(answer.status, status, JSON.stringify(answer));
            assert.equal(typeof answer.body.error, 'string');
            assert.notEqual(answer.body.error, '');
        });
    }

    await readable('a wrong key', 401, () => post({ ...keyed, 'X-Tracker-Key': 'wrong' }));
    await readable('no key', 401, () => post({ 'Content-Type': 'application/json' }));
    await readable('a wrong key in the path', 401, () => post({}, empty, '/_tracker/k/wrong/events'));
    await readable("sending with the reader's key", 403,
        () => post({ ...keyed, 'X-Tracker-Key': KEYS.reader }));
    await readable("reading with the site's key", 403,
        () => attempt(world.url('/_tracker'), { headers: { 'X-Tracker-Key': KEYS.site } }));
    await readable('a window that nobody can read', 400,
        () => attempt(world.url('/_tracker?since=soon'), { headers: { 'X-Tracker-Key': KEYS.reader } }));
    await readable('a body that is no JSON', 400, () => post(keyed, 'hello'));
    await readable('an unknown encoding', 415, () => post({ ...keyed, 'Content-Encoding': 'br' }));
    await readable('an unknown path', 404, () => attempt(world.url('/_tracker/nothing'), {}));
    await readable('a method that is not taken', 405,
        () => attempt(world.url('/_tracker/ping'), { method: 'POST', body: '{}' }));
    await readable('a body just over the limit', 413, () => post(keyed, ' '.repeat((1 << 20) + 1)));
    /* Without the proxy: the answer must survive that the browser is still sending. */
    await readable('a body far over the limit', 413, () =>
        page.evaluate(([u, headers]) =>
            attempt(u, { method: 'POST', headers, body: new Uint8Array(24 << 20) }),
            [`http://127.0.0.1:${world.daemon.port}/_tracker/events`, keyed]));
}

async function limited(stage) {
    const world = await World.openKeyed(stage, 'limited', ['--limit-events', '20']);
    await test('too many events: the page reads 429, why, and when to come back', async () => {
        const visit = await world.visit({ batchSize: 10 });
        const texts = await visit.emit(80);
        await until('a batch is refused', async () => {
            await visit.flush();
            if ((await visit.waiting()) === 0) texts.push(...(await visit.emit(80)));
            return (await visit.outcomes()).some(({ status }) => status === 429);
        });
        const refused = (await visit.outcomes()).find(({ status }) => status === 429);
        assert.notEqual(refused.body.error, '');
        assert.match(refused.retryAfter, /^[1-9][0-9]*$/);
        /* It goes on trying, and that helps. */
        await visit.settled();
        await world.storedOnce(texts);
    });
    await test('what was refused for a while is stored once', () => world.ledgerHolds());
    await world.close();
}

export async function ingest(stage) {
    const world = await World.openKeyed(stage, 'ingest', ['--max-body', '1M']);
    await batches(world);
    await beacons(world);
    await refusals(world);
    await test('in the end each emitted event is stored exactly once', () => world.ledgerHolds());
    await world.close();
    await limited(stage);
}
