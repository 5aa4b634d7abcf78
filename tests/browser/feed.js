/*
 * feed.js: Server-Sent Events in a page of another origin: by the browser's own EventSource, over a
 * restart, and by fetch where there are keys.
 */
import assert from 'node:assert/strict';
import { readDatabase } from './daemon.js';
import { test, until } from './tap.js';
import { KEYS, World } from './world.js';

/* Runs in the page: keeps what comes. */
function listen(url) {
    window.got = [];
    window.opened = 0;
    window.source = new EventSource(url);
    source.onopen = () => opened++;
    source.onmessage = ({ data, lastEventId }) => got.push([Number(lastEventId), data]);
}

async function listenWithKey([url, key]) {
    const answer = await fetch(url, { headers: { 'X-Tracker-Key': key, 'Last-Event-ID': '0' } });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('data: ')) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
    }
    await reader.cancel();
    return { status: answer.status, type: answer.headers.get('content-type'), text };
}

export async function feed(stage) {
    const world = await World.open(stage, 'feed', []);
    const page = await world.page('reader.html');
    const stored = () => readDatabase(world.daemon.database).events;

    await test('an EventSource gets each event as it is stored', async () => {
        await page.evaluate(listen, `http://127.0.0.1:${world.daemon.port}/_tracker/tail`);
        await page.waitForFunction(() => opened === 1);
        const visit = await world.visit();
        await visit.emit(25);
        await visit.settled();
        await page.waitForFunction(() => got.length === 25);
        const got = await page.evaluate(() => window.got);
        assert.deepEqual(got.map(([id]) => id), [...Array(25).keys()].map((n) => n + 1));
        assert.deepEqual(got.map(([, data]) => data), stored());
    });

    await test('over a restart it misses nothing and gets nothing twice', async () => {
        await world.daemon.stop();
        await world.daemon.run();
        const visit = await world.visit();
        await visit.emit(10);
        await visit.settled();
        await page.waitForFunction(() => opened > 1 && got.length >= 35);
        const got = await page.evaluate(() => window.got.map(([, data]) => data));
        assert.deepEqual(got, stored());
    });
    await world.close();

    const keyed = await World.openKeyed(stage, 'feed-keyed');
    await test('with a key a page of another origin reads the stream by fetch', async () => {
        const visit = await keyed.visit();
        const [text] = await visit.emit(1);
        await visit.settled();
        await until('it is stored', () => readDatabase(keyed.daemon.database).events.length === 1);
        const other = await keyed.page('reader.html', 'dash.example');
        const url = `http://127.0.0.1:${keyed.daemon.port}/_tracker/tail`;
        const answer = await other.evaluate(listenWithKey, [url, KEYS.reader]);
        assert.deepEqual([answer.status, answer.type], [200, 'text/event-stream']);
        assert.ok(answer.text.includes(JSON.parse(text).sessionId));
        const refused = await other.evaluate(listenWithKey, [url, KEYS.site]);
        assert.equal(refused.status, 403);
    });
    await keyed.close();
}
