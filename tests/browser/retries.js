/*
 * retries.js: a batch whose answer is a 503 or gets lost is sent again, and stored once.
 */
import assert from 'node:assert/strict';
import { lockDatabase } from './daemon.js';
import { KEYS, World } from './world.js';
import { test } from './tap.js';

/* Events that a batch carries after its answer was lost: those, and newer ones behind them. */
async function cutAndRetried(world, settings, mode, first, newer) {
    const visit = await world.visit(settings);
    const texts = await first(visit);
    const from = world.proxy.posts().length;
    world.proxy.mode = mode;
    await visit.flush();
    world.proxy.mode = 'pass';
    const answers = world.proxy.posts().slice(from).map(({ answer }) => answer?.status);
    assert.ok(answers.every((status) => status === (mode === 'after' ? 200 : undefined)), `${answers}`);
    const [lost] = await visit.outcomes();
    assert.match(lost.error ?? `answered ${lost.status}`, /TypeError/);
    assert.equal(await visit.waiting(), texts.length);
    texts.push(...(await visit.emit(newer)));
    return { visit, texts };
}

async function lostAnswers(world) {
    await test('a connection dropped before the request is passed on: the retry is stored', async () => {
        const { visit, texts } = await cutAndRetried(world, {}, 'before', (v) => v.emit(7), 3);
        const outcomes = await visit.settled();
        assert.deepEqual(outcomes.at(-1).body, { ok: true, saved: 10, rejected: 0, duplicate: 0 });
        await world.storedOnce(texts);
    });

    await test('a connection dropped after the commit: the retry, newer events behind it, is stored once',
        async () => {
            const { visit, texts } = await cutAndRetried(world, {}, 'after', (v) => v.emit(7), 3);
            const outcomes = await visit.settled();
            assert.deepEqual(outcomes.at(-1).body, { ok: true, saved: 10, rejected: 0, duplicate: 7 });
            await world.storedOnce(texts);
        });

    await test('the same with a compressed batch', async () => {
        const settings = { gzip: true };
        const { visit, texts } = await cutAndRetried(world, settings, 'after', (v) => v.emit(7), 3);
        const outcomes = await visit.settled();
        assert.equal(outcomes.at(-1).body.duplicate, 7);
        await world.storedOnce(texts);
    });

    await test('the same with a burst of equal events in one millisecond', async () => {
        const { visit, texts } = await cutAndRetried(world, {}, 'after', (v) => v.emitBurst(9), 0);
        const outcomes = await visit.settled();
        assert.equal(outcomes.at(-1).body.duplicate, 9);
        await world.storedOnce(texts);
    });

    await test('answers lost again and again: A, A+B, A+B+C, each event once', async () => {
        const { visit, texts } = await cutAndRetried(world, {}, 'after', (v) => v.emit(4), 5);
        world.proxy.mode = 'after';
        await visit.flush();
        world.proxy.mode = 'pass';
        texts.push(...(await visit.emit(6)));
        const outcomes = await visit.settled();
        assert.deepEqual(outcomes.at(-1).body, { ok: true, saved: 15, rejected: 0, duplicate: 9 });
        await world.storedOnce(texts);
    });

    await test('an original that arrives after its retry is not stored again', async () => {
        const { visit, texts } = await cutAndRetried(world, {}, 'late', (v) => v.emit(6), 2);
        await visit.settled();
        await world.storedOnce(texts);
        const answers = await world.proxy.deliver();
        assert.ok(answers.length > 0);
        for (const answer of answers) {
            assert.match(answer, /^HTTP\/1\.1 200 /);
            assert.match(answer, /"duplicate":6\b/);
        }
        await world.storedOnce(texts);
    });

    await test('a lost answer, then the tab is closed: the beacon carries all, stored once', async () => {
        const settings = { beaconEndpoint: world.keyedUrl() };
        const { visit, texts } = await cutAndRetried(world, settings, 'after', (v) => v.emit(7), 4);
        await visit.close();
        await world.storedOnce(texts);
        const last = world.proxy.posts().at(-1);
        assert.equal(last.path, `/_tracker/k/${KEYS.site}/events`);
        assert.equal(JSON.parse(last.body).events.length, 11);
    });

    await test('a lost answer, then the daemon is killed and comes back: stored once', async () => {
        const { visit, texts } = await cutAndRetried(world, {}, 'after', (v) => v.emit(7), 3);
        await world.daemon.kill();
        await visit.flush();
        assert.match((await visit.outcomes()).at(-1).error, /TypeError/);
        await world.daemon.run();
        const outcomes = await visit.settled();
        assert.deepEqual(outcomes.at(-1).body, { ok: true, saved: 10, rejected: 0, duplicate: 7 });
        await world.storedOnce(texts);
    });
}

async function busy(world) {
    await test('a database that stays locked: the page reads 503, and its retry is stored once',
        async () => {
            const visit = await world.visit();
            const texts = await visit.emit(5);
            const unlock = await lockDatabase(world.daemon.database);
            try {
                await visit.flush();
            } finally {
                await unlock();
            }
            const [refused] = await visit.outcomes();
            assert.equal(refused.status, 503, JSON.stringify(refused));
            assert.notEqual(refused.body.error, '');
            assert.match(refused.retryAfter, /^[1-9][0-9]*$/);
            assert.equal(await visit.waiting(), 5);
            texts.push(...(await visit.emit(3)));
            const outcomes = await visit.settled();
            assert.equal(outcomes.at(-1).body.saved, 8);
            await world.storedOnce(texts);
        });

    await test('batches refused with 503 for a while, sent by the clock, are stored once', async () => {
        const visits = await Promise.all(
            [1, 2, 3].map(() => world.visit({ batchSize: 5, flushMs: 20 })));
        const unlock = await lockDatabase(world.daemon.database);
        const texts = [];
        try {
            for (const visit of visits) texts.push(...(await visit.emit(12)));
            for (const { page } of visits)
                await page.waitForFunction(() => tracker.outcomes.some(({ status }) => status === 503));
        } finally {
            await unlock();
        }
        for (const visit of visits) {
            texts.push(...(await visit.emit(3)));
            await visit.settled();
        }
        await world.storedOnce(texts);
    });
}

export async function retries(stage) {
    const scenes = [
        { name: 'lost', hold: '60s', play: lostAnswers },
        { name: 'busy', hold: '200ms', play: busy },
    ];
    for (const { name, hold, play } of scenes) {
        const world = await World.openKeyed(stage, name, ['--hold', hold]);
        await play(world);
        await test('in the end each emitted event is stored exactly once', () => world.ledgerHolds());
        await world.close();
    }
}
