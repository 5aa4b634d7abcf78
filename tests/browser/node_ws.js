/*
 * node_ws.js: another client of the daemon's WebSocket: the package ws, with and without compression.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { event, eventsOf, Link, noise, patiently, windowOf } from './page/link.js';
import { test, until } from './tap.js';
import { KEYS, World, holdsTexts } from './world.js';

const BOTH = 'both_93e1d0';

/* Settings of perMessageDeflate, and whether the daemon agrees to what they offer. */
const settings = [
    [false, false],
    [true, true],
    [{ threshold: 0 }, true],
    [{ clientMaxWindowBits: true }, true],
    [{ clientMaxWindowBits: 9, threshold: 0 }, true],
    [{ serverNoContextTakeover: true }, true],
    [{ serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }, true],
    [{ serverMaxWindowBits: 15 }, true],
    [{ serverMaxWindowBits: 10 }, false],
    [{ threshold: 0, zlibDeflateOptions: { level: 9, memLevel: 9 } }, true],
];

function dial(world, perMessageDeflate) {
    const { WebSocket } = world.stage;
    return new Link(new WebSocket(world.directUrl(), { perMessageDeflate }));
}

async function connect(world, perMessageDeflate, key) {
    const link = dial(world, perMessageDeflate);
    await link.auth(key);
    return link;
}

async function read(world, query) {
    const url = world.url(`/_tracker?${new URLSearchParams(query)}`);
    const answer = await fetch(url, { headers: { 'X-Tracker-Key': KEYS.reader } });
    assert.equal(answer.status, 200);
    return answer.text();
}

/* What a pong came back with. */
async function ping(link, data) {
    const pong = once(link.socket, 'pong');
    link.socket.ping(data);
    const [payload] = await patiently('a pong', pong);
    return payload.toString();
}

async function close(link, ...args) {
    link.socket.close(...args);
    const { code } = await link.closed();
    return code;
}

/* The events of one batch, acknowledged. */
async function ingest(world, link, events) {
    const texts = link.ingest(events);
    assert.equal((await link.next('ack')).saved, events.length);
    world.ledger.push(...texts);
    return texts;
}

/* Takes so many pushed events and acknowledgements, in any order, and nothing else. Gives the events as
 * they were sent. */
async function behind(link, count, acks) {
    const pushed = [];
    let acked = 0;
    while (pushed.length < count || acked < acks) {
        const text = await link.text();
        const { type, events } = JSON.parse(text);
        if (type === 'ack') acked++;
        else if (type === 'push') pushed.push(...events.map((one) => JSON.stringify({ ...one, id: '' })));
        else assert.fail(text.slice(0, 200));
    }
    return pushed;
}

async function ways(world) {
    for (const [i, [setting, agreed]] of settings.entries()) {
        const day = i + 1;
        await test(`perMessageDeflate: ${JSON.stringify(setting)}`, async () => {
            const link = await connect(world, setting, BOTH);
            assert.equal(link.socket.extensions, agreed ? 'permessage-deflate' : '');
            const texts = [
                ...(await ingest(world, link, eventsOf(day, 0, 1, { text: '🛒\u2028\u0000\ud800' }))),
                ...(await ingest(world, link, eventsOf(day, 1, 300, { text: 'again and again' }))),
                ...(await ingest(world, link, eventsOf(day, 301, 30, { text: noise(9000) }))),
            ];
            assert.equal(await ping(link, 'are you there?'), 'are you there?');
            assert.equal(await ping(link, ''), '');

            const body = await read(world, windowOf(day));
            holdsTexts(body, texts);
            link.ask('all', windowOf(day));
            assert.ok(await link.text() ===
                `{"type":"events:response","reqId":"all","response":${body}}`);

            const other = await connect(world, !setting, BOTH);
            for (const [from, count] of [[link, 3], [other, 200]]) {
                const later = eventsOf(day, texts.length, count, { text: 'pushed' });
                const sent = from.ingest(later);
                texts.push(...sent);
                world.ledger.push(...sent);
                assert.deepEqual(await behind(link, count, from === link ? 1 : 0), sent);
            }
            await other.next('ack');
            assert.equal(await close(other), 1005);
            assert.equal(await close(link, 1000, 'done'), 1000);
            holdsTexts(await read(world, windowOf(day)), texts);
        });
    }
}

/* One message in fragments of so many bytes, which cut characters too. */
async function inFragments(link, bytes, size, between) {
    for (let at = 0; at < bytes.length; at += size) {
        const fin = at + size >= bytes.length;
        link.socket.send(bytes.subarray(at, at + size), { binary: false, fin });
        if (!fin) await between?.();
    }
}

async function fragments(world) {
    for (const [i, setting] of [false, true, { threshold: 0 }].entries()) {
        const day = 11 + i;
        await test(`fragments and pings; perMessageDeflate: ${JSON.stringify(setting)}`, async () => {
            const link = await connect(world, setting, KEYS.site);
            const texts = [];
            for (const [size, count] of [[1, 1], [7, 10], [1000, 100], [100000, 1000]]) {
                const events = eventsOf(day, texts.length, count, { text: '🛒é\u2028“”' });
                const message = JSON.stringify({ type: 'ingest', events });
                let pings = 0;
                const between = async () => {
                    const data = `fragment ${pings++}`;
                    assert.equal(await ping(link, data), data);
                };
                await inFragments(link, Buffer.from(message), size, between);
                assert.equal((await link.next('ack')).saved, count);
                texts.push(...events.map((one) => JSON.stringify(one)));
            }
            world.ledger.push(...texts);
            holdsTexts(await read(world, windowOf(day)), texts);
            assert.equal(await close(link, 1000), 1000);
        });
    }
}

async function pipelined(world) {
    await test('a thousand batches in a row are acknowledged, and stored, in their order', async () => {
        const link = await connect(world, { threshold: 0 }, KEYS.site);
        const texts = [];
        const sizes = [];
        for (let i = 0; i < 1000; i++) {
            const batch = [];
            while (batch.length <= i % 7) batch.push(event(15, texts.length + batch.length, {}, 0));
            texts.push(...link.ingest(batch));
            sizes.push(batch.length);
        }
        const saved = [];
        while (saved.length < sizes.length) saved.push((await link.next('ack')).saved);
        assert.deepEqual(saved, sizes);
        world.ledger.push(...texts);
        /* All in one millisecond: the last stored comes first. */
        holdsTexts(await read(world, windowOf(15)), texts);
        assert.equal(await close(link, 1000), 1000);
    });

    await test('who closes behind a hundred batches still gets every acknowledgement', async () => {
        const link = await connect(world, true, KEYS.site);
        const texts = [];
        for (let i = 0; i < 100; i++) texts.push(...link.ingest(eventsOf(16, i, 1)));
        assert.equal(await close(link, 1000), 1000);
        assert.deepEqual(link.texts, Array(100).fill('{"type":"ack","saved":1}'));
        world.ledger.push(...texts);
        holdsTexts(await read(world, windowOf(16)), texts);
    });
}

async function closeCodes(world) {
    await test("the daemon's Close repeats the client's code", async () => {
        for (const [args, code] of [[[], 1005], [[1000], 1000], [[1001], 1001], [[3000, 'why'], 3000],
            [[4999, 'x'.repeat(123)], 4999]]) {
            const link = await connect(world, true, KEYS.site);
            link.socket.close(...args);
            const end = await link.closed();
            assert.deepEqual([end.code, end.reason, end.wasClean], [code, '', true]);
        }
    });

    const refused = [
        ['a wrong key', 1008, (link) => link.send({ type: 'auth', key: 'wrong' })],
        ['a binary message', 1003, (link) => link.socket.send(Buffer.from('{}'))],
        ['a message that is no UTF-8', 1007, (link) =>
            link.socket.send(Buffer.from('"\xed\xa0\x80"', 'latin1'), { binary: false })],
        ['a message over the limit', 1009, (link) => link.socket.send(' '.repeat(13 << 20))],
    ];
    for (const [what, code, offend] of refused) {
        await test(`${what}: ${code}`, async () => {
            for (const setting of [false, { threshold: 0 }]) {
                const link = await connect(world, setting, KEYS.site);
                offend(link);
                const end = await link.closed();
                assert.deepEqual([end.code, end.wasClean], [code, true]);
            }
        });
    }
}

async function large(world) {
    await test('a message of 10 MB, compressed and not, is stored whole', async () => {
        const query = windowOf(17);
        const texts = [];
        for (const setting of [false, true]) {
            const link = await connect(world, setting, KEYS.site);
            const pad = noise(100000);
            const events = eventsOf(17, texts.length, 100, { pad });
            texts.push(...(await ingest(world, link, events)));
            assert.equal(await close(link, 1000), 1000);
        }
        holdsTexts(await read(world, query), texts);
    });

    await test('who is slow to read an answer of 20 MB holds up nobody, and gets it whole', async () => {
        const query = windowOf(17);
        const body = await read(world, query);
        assert.ok(body.length > 20e6);
        const slow = await connect(world, false, BOTH);
        slow.ask('slow', query);
        /* Once the answer begins it has its snapshot: what is committed from then on is pushed. */
        await patiently('the answer to begin', once(slow.socket._socket, 'data'));
        slow.socket.pause();
        const other = await connect(world, true, BOTH);
        const texts = [];
        for (let i = 0; i < 50; i++) texts.push(...(await ingest(world, other, eventsOf(18, i, 1))));
        other.ask('fast', windowOf(18));
        assert.equal((await other.next('events:response')).response.total, 50);
        /* Its own batches are read and stored meanwhile. */
        const own = slow.ingest(eventsOf(19, 0, 5));
        world.ledger.push(...own);
        await until('they are stored', async () => JSON.parse(await read(world, windowOf(19))).total === 5);
        slow.socket.resume();
        const found = await slow.text();
        assert.ok(found === `{"type":"events:response","reqId":"slow","response":${body}}`);
        /* Behind it, in the order of their commits, what happened since. */
        assert.deepEqual(await behind(slow, 55, 1), [...texts, ...own]);
        assert.equal(await close(slow, 1000), 1000);
        assert.equal(await close(other, 1000), 1000);
    });
}

async function shutdown(world) {
    await test('SIGTERM: 1012 for all, and a new connection once the daemon is back', async () => {
        const links = [];
        for (const setting of [false, true]) links.push(await connect(world, setting, BOTH));
        links[0].ask('', windowOf(1));
        await links[0].next('events:response');
        assert.equal(await world.daemon.stop(), 0);
        for (const link of links) {
            const end = await link.closed();
            assert.deepEqual([end.code, end.wasClean], [1012, true]);
        }
        await world.daemon.run();
        const link = await connect(world, true, KEYS.site);
        await ingest(world, link, eventsOf(20, 0, 1));
        assert.equal(await close(link, 1000), 1000);
    });

    await test('in the end all that was acknowledged is there, and nothing else', async () => {
        const { total } = JSON.parse(await read(world, { limit: 0 }));
        assert.equal(total, world.ledger.length);
    });
}

export async function nodeWs(stage) {
    const world = await World.openKeyed(stage, 'node_ws', ['--key', BOTH, '--max-message', '12M']);
    await ways(world);
    await fragments(world);
    await pipelined(world);
    await closeCodes(world);
    await large(world);
    await shutdown(world);
    await world.close();
}
