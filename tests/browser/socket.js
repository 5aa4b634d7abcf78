/*
 * socket.js: pages of another origin on the daemon's WebSocket: what they ingest, ask for and are pushed.
 */
import assert from 'node:assert/strict';
import { close, connect, endedClean, handshake } from './dial.js';
import { windowOf } from './page/link.js';
import { test } from './tap.js';
import { KEYS, World, holdsTexts } from './world.js';

/* What the page reads of one day over HTTP. */
function read(page, world, day) {
    const query = new URLSearchParams(windowOf(day));
    return page.evaluate(async ([url, key]) => {
        const answer = await fetch(url, { headers: { 'X-Tracker-Key': key } });
        return answer.text();
    }, [world.url(`/_tracker?${query}`), KEYS.reader]);
}

async function ingesting(world, page) {
    await test('a page ingests batches over a WebSocket, compressed, and acknowledged in order', async () => {
        const link = await connect(page, world.socketUrl(), KEYS.site);
        const { texts, acks } = await link.evaluate(async (l) => {
            const counts = [3, 1, 0, 4, 1, 5, 40, 2];
            const texts = [];
            for (const count of counts) texts.push(...l.ingest(eventsOf(1, texts.length, count)));
            const acks = [];
            for (let i = 0; i < counts.length; i++) acks.push(await l.next('ack'));
            return { texts, acks };
        });
        assert.deepEqual(acks.map(({ saved }) => saved), [3, 1, 0, 4, 1, 5, 40, 2]);
        world.ledger.push(...texts);
        await world.storedOnce(texts);
        holdsTexts(await read(page, world, 1), texts);

        const { headers, answer, sent } = handshake(world);
        assert.equal(headers.origin, world.stage.site.origin('shop.example'));
        assert.match(headers['sec-websocket-extensions'], /permessage-deflate/);
        assert.equal(answer.status, 101);
        assert.match(await link.evaluate((l) => l.socket.extensions), /^permessage-deflate/);
        assert.ok(sent.compressed > 0);
        endedClean(await close(link, 4000, 'done'), 4000);
    });

    await test("what a page's JSON.stringify writes comes back byte for byte", async () => {
        const link = await connect(page, world.directUrl(), KEYS.site);
        const texts = await link.evaluate(async (l) => {
            const strings =
                ['🛒👩‍👩‍👧 𝄞', '\u2028\u2029', '\u0000', '\ud800', '\udc00x', '“\\"/', 'e\u0301', '\ufeff'];
            const events = strings.flatMap((text, i) => [
                event(2, i, { text, [`key ${text}`]: { [text]: null } }),
                event(2, 100 + i, { long: text.repeat(5000) }),
            ]);
            events.push(event(2, 99, { numbers: [19.9, 1e21, -0, 5e-324, 2 ** 53] }));
            events.sort((a, b) => a.payload.n - b.payload.n);
            const texts = l.ingest(events);
            await l.next('ack');
            return texts;
        });
        world.ledger.push(...texts);
        await world.storedOnce(texts);
        holdsTexts(await read(page, world, 2), texts);
    });
}

async function querying(world, page) {
    await test("a query is answered under its reqId with what a GET of the same window gets", async () => {
        const body = await read(page, world, 2);
        const link = await connect(page, world.directUrl(), KEYS.reader);
        const reqIds = ['q-1', '🛒"\u2028\u0000', ''];
        const texts = await link.evaluate(async (l, [ids, query]) => {
            for (const id of ids) l.ask(id, query);
            const texts = [];
            while (texts.length < ids.length) texts.push(await l.text());
            return texts;
        }, [reqIds, windowOf(2)]);
        assert.deepEqual(texts.map((text) => JSON.parse(text).reqId), reqIds);
        assert.equal(texts[0], `{"type":"events:response","reqId":"q-1","response":${body}}`);
        for (const text of texts) assert.ok(text.endsWith(`,"response":${body}}`));
    });

    await test('an answer of some megabytes comes in compressed fragments, and whole', async () => {
        const site = await connect(page, world.directUrl(), KEYS.site);
        const texts = await site.evaluate(async (l) => {
            const texts = [];
            for (let i = 0; i < 4; i++) {
                texts.push(...l.ingest(eventsOf(3, 80 * i, 80, { pad: noise(12000) })));
                await l.next('ack');
            }
            return texts;
        });
        world.ledger.push(...texts);
        const body = await read(page, world, 3);
        holdsTexts(body, texts);
        const link = await connect(page, world.socketUrl(), KEYS.reader);
        const answer = await link.evaluate((l, query) => {
            l.ask('big', query);
            return l.text();
        }, windowOf(3));
        assert.ok(answer.length > 3.8e6);
        assert.ok(answer === `{"type":"events:response","reqId":"big","response":${body}}`);
        const { got } = handshake(world);
        /* auth_ok, and that. */
        assert.equal(got.messages, 2);
        assert.ok(got.fragments > 4, `${got.fragments} fragments`);
        assert.ok(got.compressed > 0);
    });
}

function range(from, to) {
    return Array.from({ length: to - from }, (_, i) => from + i);
}

/* Asks, then takes pushes behind the answer until there are count. {before: the numbers of what was
 * pushed ahead of the answer, answered, total, pushed}, each oldest first */
function follow(link, limits, count) {
    return link.evaluate(async (l, [query, n]) => {
        const numbers = (events) => events.map(({ payload }) => payload.n);
        l.ask('now', query);
        const before = [];
        for (;;) {
            const { type, events, response } = JSON.parse(await l.text());
            if (type !== 'push') {
                const answered = numbers(response.events).reverse();
                return { before, answered, total: response.total, pushed: numbers(await l.pushed(n)) };
            }
            before.push(...numbers(events));
        }
    }, [{ ...windowOf(4), ...limits }, count]);
}

async function pushes(world, page) {
    const other = await world.page('socket.html', 'blog.example');
    const ungranted = await connect(other, world.directUrl(), KEYS.site);
    const askInVain = () => ungranted.evaluate((l, query) => {
        l.ask('mine', query);
        return l.next('error');
    }, windowOf(4));

    await test('with a key for ingest alone a query is answered by an error', async () => {
        const { reqId, error } = await askInVain();
        assert.equal(reqId, 'mine');
        assert.notEqual(error ?? '', '');
    });

    await test('a page is pushed what another ingests: no gap and no repeat behind its answers', async () => {
        const links = [];
        for (let i = 0; i < 3; i++) links.push(await connect(page, world.directUrl(), KEYS.reader));
        const sender = await connect(other, world.directUrl(), KEYS.site);
        const pumped = sender.evaluate((l) =>
            l.pump((i) => eventsOf(4, 3 * i, 3, { pad: 'x'.repeat((i % 5) * 100) })));
        pumped.catch(() => {}); // told below

        /* One begins after the other, while more and more is committed; the last one asks anew, too. */
        const next = [];
        for (const [i, link] of links.entries()) {
            const { before, answered, total, pushed } = await follow(link, {}, 10);
            assert.deepEqual(before, []);
            assert.deepEqual(answered, range(0, total));
            next[i] = total + pushed.length;
            assert.deepEqual(pushed, range(total, next[i]));
        }
        for (let i = 0; i < 50; i++) {
            const { before, total, pushed } = await follow(links[2], { limit: 0 }, 1);
            assert.deepEqual(before, range(next[2], next[2] + before.length));
            assert.ok(next[2] + before.length <= total);
            next[2] = total + pushed.length;
            assert.deepEqual(pushed, range(total, next[2]));
        }

        await sender.evaluate((l) => (l.pumping = false));
        const texts = (await pumped).texts.flat();
        world.ledger.push(...texts);
        for (const [i, link] of links.entries()) {
            const rest = await link.evaluate(async (l, count) =>
                (await l.pushed(count)).map(({ payload }) => payload.n), texts.length - next[i]);
            assert.deepEqual(rest, range(next[i], texts.length));
            assert.deepEqual((await follow(link, { limit: 0 }, 0)).before, []);
        }
        await world.storedOnce(texts);
    });

    await test('with a key for ingest alone nothing of that is pushed', async () => {
        assert.equal((await askInVain()).reqId, 'mine');
    });
}

export async function socket(stage) {
    const world = await World.openKeyed(stage, 'socket');
    const page = await world.page('socket.html', 'shop.example');
    await ingesting(world, page);
    await querying(world, page);
    await pushes(world, page);
    await test('in the end each event is stored exactly once', () => world.ledgerHolds());
    await world.close();
}
