/*
 * reading.js: what the dashboard's page sees: the events of its window as they come, and the ping.
 */
import assert from 'node:assert/strict';
import { World } from './world.js';
import { test, until } from './tap.js';

export async function reading(stage) {
    const world = await World.openKeyed(stage, 'reading', ['--app-id', 'shop']);
    const reader = await world.reader();

    await test('the ping of a running daemon is green, and tells the appId', async () => {
        await reader.waitForSelector('#ping.green', { state: 'attached' });
        assert.equal(await reader.textContent('#ping'), 'shop');
    });

    await test("the reader's requests are preflighted without the key", async () => {
        await reader.waitForFunction(() => shown.reads > 0);
        const preflights = world.proxy.requests.filter(({ method }) => method === 'OPTIONS');
        assert.ok(preflights.length >= 2);
        for (const { headers, answer } of preflights) {
            assert.equal(headers['access-control-request-headers'], 'x-tracker-key');
            assert.equal(headers['x-tracker-key'], undefined);
            assert.equal(answer.status, 204);
            assert.equal(answer.headers['access-control-allow-credentials'], undefined);
        }
    });

    await test('events show up in an open reader, newest first', async () => {
        const visit = await world.visit();
        await visit.emit(30);
        await visit.settled();
        await reader.waitForFunction(() => shown.total === 30);
        const times = await reader.evaluate(() => shown.events.map(({ timestamp }) => timestamp));
        assert.deepEqual(times, [...times].sort().reverse());
        assert.equal(await reader.textContent('#events'), '30 of 30');
    });

    await test("the repeated poll of an unchanged window costs no body, in the browser's own cache", async () => {
        const polls = () => world.proxy.requests.filter(({ method, answer }) => method === 'GET' && answer?.status === 304);
        await until('a poll is answered 304', () => polls().length > 1);
        for (const { headers, answer } of polls()) {
            assert.ok(headers['if-none-match'].includes(answer.headers.etag));
            assert.equal(answer.headers['content-length'] ?? '0', '0');
        }
        // To the page it is an answer like any other.
        const reads = await reader.evaluate(() => shown.reads);
        await reader.waitForFunction((before) => shown.reads > before, reads);
        assert.equal(await reader.textContent('#events'), '30 of 30');
        const visit = await world.visit();
        await visit.emit(1);
        await visit.settled();
        await reader.waitForFunction(() => shown.total === 31);
    });

    await test('a window holds what lies in it, both ends included', async () => {
        const visit = await world.visit();
        const texts = await visit.track('emitBurst', 1);
        await visit.settled();
        const { timestamp } = JSON.parse(texts[0]);
        const page = await world.reader({ since: timestamp, until: timestamp });
        await page.waitForFunction(() => shown.total !== null);
        const seen = await page.evaluate(() => shown.events);
        assert.ok(seen.some(({ sessionId }) => sessionId === JSON.parse(texts[0]).sessionId));
        assert.ok(seen.every((event) => event.timestamp === timestamp));
    });

    await test('the ping turns red when the daemon stops, and green when it is back', async () => {
        assert.equal(await world.daemon.stop(), 0);
        await reader.waitForSelector('#ping.red', { state: 'attached' });
        await world.daemon.run();
        await reader.waitForSelector('#ping.green', { state: 'attached' });
    });

    await test('what visitors emit while the daemon is away comes when it is back, each once', async () => {
        const visit = await world.visit({ batchSize: 5, flushMs: 20 });
        await world.daemon.stop();
        const texts = await visit.emit(12);
        await visit.page.waitForFunction(() => tracker.outcomes.some(({ error }) => error));
        await world.daemon.run();
        await visit.settled();
        await world.storedOnce(texts);
        await until('the reader shows them', async () => {
            return (await reader.evaluate(() => shown.total)) === world.ledger.length;
        });
    });

    await test('in the end the reader shows each emitted event exactly once', () => world.ledgerHolds());
    await world.close();
}
