/*
 * closing.js: how the WebSockets of pages end, what is stored then, and which pages get none.
 */
import assert from 'node:assert/strict';
import { readDatabase } from './daemon.js';
import { close, connect, dial, ended, endedClean, handshake } from './dial.js';
import { windowOf } from './page/link.js';
import { test, until } from './tap.js';
import { KEYS, World } from './world.js';

async function endings(world, page) {
    await test('a wrong key: 1008, and both sides are done with it', async () => {
        /* In a row: if none but a timeout ended them, so many would take longer. */
        let ends = null;
        const all = page.evaluate(async (url) => {
            const found = [];
            while (found.length < 30) {
                const link = new Link(new WebSocket(url));
                await link.opened();
                link.send({ type: 'auth', key: 'wrong' });
                found.push(await link.closed());
            }
            return found;
        }, world.directUrl());
        all.then((found) => (ends = found), () => (ends = []));
        await until('all are closed', () => ends, 45000);
        for (const end of await all) endedClean(end, 1008);
    });

    await test('a message before auth: 1008', async () => {
        const link = await dial(page, world.directUrl());
        endedClean(await link.evaluate(async (l) => {
            await l.opened();
            l.ingest(eventsOf(5, 0, 3));
            return l.closed();
        }), 1008);
    });

    await test('a message that is too large once it is inflated: 1009', async () => {
        const link = await connect(page, world.directUrl(), KEYS.site);
        endedClean(await link.evaluate((l) => {
            l.ingest(eventsOf(5, 0, 100, { pad: 'x'.repeat(40000) }));
            return l.closed();
        }), 1009);
    });

    await test('one that is too large on the wire as well: 1009, though the browser is still sending',
        async () => {
            const link = await connect(page, world.directUrl(), KEYS.site);
            ended(await link.evaluate((l) => {
                l.ingest(eventsOf(5, 0, 100, { pad: noise(40000) }));
                return l.closed();
            }), 1009);
        });

    await test('a binary message: 1003', async () => {
        const link = await connect(page, world.directUrl(), KEYS.site);
        endedClean(await link.evaluate((l) => {
            l.socket.send(new Uint8Array([123, 125]));
            return l.closed();
        }), 1003);
    });

    await test('the page closes right behind its batches: they are stored', async () => {
        const link = await connect(page, world.directUrl(), KEYS.site);
        const { texts, end } = await link.evaluate(async (l) => {
            const texts = [];
            for (let i = 0; i < 20; i++) texts.push(...l.ingest(eventsOf(6, 2 * i, 2)));
            l.socket.close(1000);
            return { texts, end: await l.closed() };
        });
        endedClean(end, 1000);
        world.ledger.push(...texts);
        await world.storedOnce(texts);
    });
}

/* A page sends batches until its connection ends, and end() ends it. The events of each batch; how many
 * batches were acknowledged, and how many were passed on. What the page sends while the daemon's Close
 * is on its way to it, Chromium throws away: nobody but the proxy knows where that began. */
async function sentUntil(world, page, day, end) {
    const link = await connect(page, world.socketUrl(), KEYS.site);
    const { sent } = handshake(world);
    const pumped = link.evaluate((l, d) => l.pump((i) => eventsOf(d, 5 * i, 5)), day);
    pumped.catch(() => {}); // told below
    await until('batches come', () => sent.messages > 20);
    await end();
    const { texts, acked } = await pumped;
    return { texts, acked, passed: sent.messages - 1, sent, end: await link.evaluate((l) => l.closed()) };
}

async function restarts(world, page) {
    await test('SIGTERM: 1012, and all that was sent before the browser closed is stored', async () => {
        const idle = await connect(page, world.directUrl(), KEYS.reader);
        const { texts, acked, passed, sent, end } = await sentUntil(world, page, 7, async () =>
            assert.equal(await world.daemon.stop(), 0));
        endedClean(await idle.evaluate((l) => l.closed()), 1012);
        ended(end, 1012);
        assert.ok(sent.closed);
        assert.ok(acked > 0 && acked <= passed, `${acked} of ${passed}`);
        const kept = texts.slice(0, passed).flat();
        world.ledger.push(...kept);
        const all = texts.flat();
        assert.deepEqual((await world.stored(all)).sort(), kept.sort());
    });

    await test('after a restart the page connects again, and goes on', async () => {
        await world.daemon.run();
        const link = await connect(page, world.directUrl(), KEYS.site);
        const texts = await link.evaluate(async (l) => {
            const texts = l.ingest(eventsOf(8, 0, 4));
            await l.next('ack');
            return texts;
        });
        world.ledger.push(...texts);
        await world.storedOnce(texts);
        await close(link, 1000);
    });

    await test('SIGKILL: no Close; what was acknowledged is stored, and each batch whole or not at all',
        async () => {
            const { texts, acked, end } = await sentUntil(world, page, 9, () => world.daemon.kill());
            assert.deepEqual([end.code, end.wasClean], [1006, false]);
            await world.daemon.run();
            const stored = await world.stored(texts.flat());
            assert.ok(stored.length >= 5 * acked);
            assert.deepEqual(stored.sort(), texts.slice(0, stored.length / 5).flat().sort());
            world.ledger.push(...stored);
            const link = await connect(page, world.directUrl(), KEYS.reader);
            assert.ok(await link.evaluate(async (l, query) => {
                l.ask('again', query);
                return (await l.next('events:response')).response.total;
            }, windowOf(9)) >= stored.length);
        });
}

async function origins(stage) {
    const welcome = stage.site.origin('shop.example');
    const world = await World.openKeyed(stage, 'socket-origins', ['--allow-origin', welcome]);
    const page = await world.page('socket.html', 'shop.example');
    const stranger = await world.page('socket.html', 'evil.example');

    await test('of a list of origins: the page of another can not open a WebSocket', async () => {
        const link = await dial(stranger, world.directUrl());
        assert.equal(await link.evaluate((l) => l.opened()), false);
        const { code, wasClean } = await link.evaluate((l) => l.closed());
        assert.deepEqual([code, wasClean], [1006, false]);
    });

    await test('of a list of origins: the page of one that is listed can', async () => {
        const link = await connect(page, world.directUrl(), KEYS.site);
        await link.evaluate((l) => {
            l.ingest(eventsOf(1, 0, 1));
            return l.next('ack');
        });
        assert.equal(readDatabase(world.daemon.database).events.length, 1);
    });
    await world.close();
}

export async function closing(stage) {
    const world = await World.openKeyed(stage, 'closing', ['--max-message', '2M']);
    const page = await world.page('socket.html', 'shop.example');
    await endings(world, page);
    await restarts(world, page);
    await test('in the end each event is stored exactly once', () => world.ledgerHolds());
    await world.close();
    await origins(stage);
}
