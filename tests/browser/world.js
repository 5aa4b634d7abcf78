/*
 * world.js: what one group of tests plays in: a daemon, the proxy in front of it, the browser, pages of
 * another origin, and a ledger of every event that was emitted.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import { Daemon, readDatabase } from './daemon.js';
import { Proxy } from './proxy.js';
import { PATIENCE_MS, until } from './tap.js';

const pages = fileURLToPath(new URL('page/', import.meta.url));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };

/* The web server of the pages: the files of page/, under whatever name it is called. */
export class Site {
    static async open() {
        const site = new Site();
        site.server = createServer(async (request, response) => {
            const name = path.basename(new URL(request.url, 'http://site').pathname);
            try {
                const text = await readFile(path.join(pages, name));
                response.writeHead(200, { 'Content-Type': types[path.extname(name)] });
                response.end(text);
            } catch {
                response.writeHead(404).end();
            }
        });
        site.server.listen(0, '127.0.0.1');
        await once(site.server, 'listening');
        site.port = site.server.address().port;
        return site;
    }

    origin(host) {
        return `http://${host}:${this.port}`;
    }

    async close() {
        this.server.closeAllConnections?.();
        this.server.close();
        await once(this.server, 'close');
    }
}

/* Throws unless both are the same multiset of texts, and tells how they differ in few words. */
function sameTexts(found, expected) {
    const counts = new Map();
    for (const text of expected) counts.set(text, (counts.get(text) ?? 0) + 1);
    for (const text of found) counts.set(text, (counts.get(text) ?? 0) - 1);
    const wrong = [...counts].filter(([, count]) => count !== 0);
    if (wrong.length === 0) return;
    const some = wrong.slice(0, 3).map(([text, count]) => {
        const much = count > 0 ? `${count} missing` : `${-count} too many`;
        return `${much}: ${text.slice(0, 200)}`;
    });
    assert.fail([`${expected.length} expected, ${found.length} found`, ...some].join('\n'));
}

/* Throws unless the answer to a read holds these texts byte for byte, oldest first, but for the ids. */
export function holdsTexts(answer, texts) {
    const ids = JSON.parse(answer).events.map(({ id }) => id);
    assert.equal(ids.length, texts.length);
    assert.ok(ids.every((id) => typeof id === 'string' && id !== ''));
    assert.equal(new Set(ids).size, ids.length);
    const stored = [...texts].reverse().map((text, i) => text.replace('"id":""', () => `"id":"${ids[i]}"`));
    const same = answer.startsWith(`{"events":[${stored.join(',')}],"total":${ids.length},`);
    assert.ok(same, `expected ${stored.join(',').slice(0, 500)}\nfound ${answer.slice(0, 500)}`);
}

/* What a stored event was when it was sent: the daemon fills in the id, and nothing else. */
function asSent(text) {
    return text.replace(/^\{"id":"[^"]+"/, '{"id":""');
}

export const KEYS = { site: 'site_4fb1c9', reader: 'mine_a07e35' };

export class World {
    /* stage: {browser, site, folder}; options: the daemon's flags. */
    static async open(stage, name, options) {
        const world = new World();
        world.stage = stage;
        world.ledger = [];
        world.contexts = [];
        world.daemon = await Daemon.start(path.join(stage.folder, `${name}.db`), options);
        world.proxy = await Proxy.open(world.daemon.port);
        return world;
    }

    /* With a key for the visitors' pages and one for the reader. */
    static async openKeyed(stage, name, options = []) {
        const keys = ['--key', `${KEYS.site}:ingest`, '--key', `${KEYS.reader}:query`];
        return World.open(stage, name, [...keys, ...options]);
    }

    async close() {
        for (const context of this.contexts) await context.close();
        await this.proxy.close();
        await this.daemon.stop();
    }

    /* As pages reach the daemon: through the proxy. */
    url(route) {
        return `http://127.0.0.1:${this.proxy.port}${route}`;
    }

    socketUrl() {
        return `ws://127.0.0.1:${this.proxy.port}/_tracker/ws`;
    }

    /* Without the proxy. */
    directUrl() {
        return `ws://127.0.0.1:${this.daemon.port}/_tracker/ws`;
    }

    keyedUrl() {
        return this.url(`/_tracker/k/${KEYS.site}/events`);
    }

    /* A page in a browser profile of its own: no cache or connection of another test helps it. */
    async page(file, host = 'localhost') {
        const context = await this.stage.browser.newContext();
        context.setDefaultTimeout(PATIENCE_MS);
        this.contexts.push(context);
        const page = await context.newPage();
        await page.goto(`${this.stage.site.origin(host)}/${file}`);
        return page;
    }

    /* A visitor's page with a client in it. settings: those of Tracker; host: the page's. */
    async visit(settings = {}, host = 'localhost') {
        const page = await this.page('visit.html', host);
        const defaults = { writeEndpoint: this.url('/_tracker/events'), key: KEYS.site };
        await page.evaluate((all) => startTracker(all), { ...defaults, ...settings });
        return new Visit(this, page);
    }

    /* A reader's page that shows all there is, again and again. */
    async reader(settings = {}, host = 'localhost') {
        const page = await this.page('reader.html', host);
        await page.evaluate((all) => startReader(all), {
            readEndpoint: this.url('/_tracker'),
            pingEndpoint: this.url('/_tracker/ping'),
            key: KEYS.reader,
            since: '2000-01-01T00:00:00.000Z',
            until: '2100-01-01T00:00:00.000Z',
            everyMs: 100,
            ...settings,
        });
        return page;
    }

    /* How often each of these texts is in the database. */
    async stored(texts) {
        const wanted = new Set(texts);
        return readDatabase(this.daemon.database).events.map(asSent).filter((text) => wanted.has(text));
    }

    /* Waits until these are stored, and looks that each is there as often as it was emitted. */
    async storedOnce(texts) {
        await until(`${texts.length} events are stored`, async () =>
            (await this.stored(texts)).length >= texts.length
        );
        sameTexts(await this.stored(texts), texts);
    }

    /* The database holds what was emitted, each event once, and nothing else; and so says a reader. */
    async ledgerHolds(readerSettings = {}, host = 'localhost') {
        const { events, rejects } = readDatabase(this.daemon.database);
        sameTexts(events.map(asSent), this.ledger);
        assert.equal(rejects, 0);

        const page = await this.reader(readerSettings, host);
        await page.waitForFunction(() => shown.reads > 0);
        const { status, total, texts, ids } = await page.evaluate(() => ({
            status: shown.status,
            total: shown.total,
            texts: shown.events.map((event) => JSON.stringify({ ...event, id: '' })),
            ids: shown.events.map((event) => event.id),
        }));
        assert.equal(status, 200);
        assert.equal(total, this.ledger.length);
        sameTexts(texts, this.ledger);
        assert.equal(new Set(ids).size, ids.length);
        assert.ok(ids.every((id) => typeof id === 'string' && id !== ''));
    }
}

export class Visit {
    constructor(world, page) {
        this.world = world;
        this.page = page;
    }

    async track(call, count) {
        const texts = await this.page.evaluate(([name, n]) => window[name](n), [call, count]);
        this.world.ledger.push(...texts);
        return texts;
    }

    emit(count) {
        return this.track('emit', count);
    }

    emitBurst(count) {
        return this.track('emitBurst', count);
    }

    emitBytes(bytes) {
        return this.track('emitBytes', bytes);
    }

    /* Sends now; resolves when the queue is empty or a send has failed. */
    flush() {
        return this.page.evaluate(() => tracker.flush());
    }

    waiting() {
        return this.page.evaluate(() => tracker.queue.length);
    }

    outcomes() {
        return this.page.evaluate(() => tracker.outcomes);
    }

    /* Resolves when everything has been acknowledged, with what came of all sends. */
    async settled() {
        await until('the queue is empty', async () => {
            await this.flush();
            return this.page.evaluate(() => tracker.queue.length === 0 && !tracker.sending);
        });
        return this.outcomes();
    }

    /* As a visitor closes a tab. */
    async close() {
        const closed = this.page.waitForEvent('close');
        await this.page.close({ runBeforeUnload: true });
        await closed;
    }
}
