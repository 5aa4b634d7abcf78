/*
 * dial.js: WebSockets of pages, as the tests handle them: a Link (page/link.js) that lives in the page.
 */
import assert from 'node:assert/strict';

/* A connection of a page, not yet authenticated, whose methods are called with evaluate(). */
export function dial(page, url) {
    return page.evaluateHandle((u) => new Link(new WebSocket(u)), url);
}

export async function connect(page, url, key) {
    const link = await dial(page, url);
    await link.evaluate((l, k) => l.auth(k), key);
    return link;
}

export function close(link, code, reason) {
    return link.evaluate((l, args) => {
        l.socket.close(...args);
        return l.closed();
    }, [code, reason]);
}

/* The page was told this code, and both sides agreed on the end. */
export function endedClean({ code, wasClean }, expected) {
    assert.deepEqual([code, wasClean], [expected, true]);
}

/* The same, but for what the page went on sending: then Chromium does not call it clean. */
export function ended({ code, wasClean, unsent }, expected) {
    assert.deepEqual([code, wasClean], [expected, unsent === 0]);
}

/* The newest handshake that went through the proxy. */
export function handshake(world) {
    return world.proxy.requests.filter(({ path }) => path === '/_tracker/ws').at(-1);
}
