/*
 * ask.js: requests to the daemon that served the page. The key is sent in a header, never in a URL, and
 * is kept in sessionStorage: for this tab, until it is closed.
 *
 * URLs are relative, so the page works as well behind a proxy that shows it below a path of its own.
 */
const prefix = document.documentElement.dataset.prefix;
const patienceMs = 20000;
const keyName = 'beacond.key';

/* Where storage is forbidden the key lasts as long as the page. */
const key = {
    value: '',
    load() {
        try {
            key.value = sessionStorage.getItem(keyName) ?? '';
        } catch {}
    },
    keep() {
        try {
            sessionStorage.setItem(keyName, key.value);
        } catch {}
    },
    forget() {
        key.value = '';
        try {
            sessionStorage.removeItem(keyName);
        } catch {}
    },
    /* What access_add_key takes; a header could not carry some of the rest. */
    fits: (text) => /^[!-9;-~]{1,256}$/.test(text),
};

function address(path, parameters = {}) {
    const url = new URL(`.${prefix}${path}`, location.href);
    url.search = new URLSearchParams(parameters);
    return url;
}

/* What went wrong, in words; status 0: no answer. */
class Trouble extends Error {
    constructor(status, text) {
        super(text);
        this.status = status;
    }

    /* Whether a key could mend it. */
    get locked() {
        return this.status === 401 || this.status === 403;
    }
}

function headers(more = {}) {
    return key.value === '' ? more : { 'X-Tracker-Key': key.value, ...more };
}

async function failed(answer) {
    const text = parsed(await answer.text().catch(() => ''))?.error;
    const words = typeof text === 'string' ? text : answer.statusText || 'no reason given';
    return new Trouble(answer.status, words);
}

/* How far the daemon's clock is ahead of this one, ms: windows end at the daemon's present. The header
 * has whole seconds, so less is not told from nothing. */
let clockAheadMs = 0;

function noteClock(answer) {
    const ahead = Date.parse(answer.headers.get('Date') ?? '') + 500 - Date.now();
    if (!Number.isNaN(ahead)) clockAheadMs = Math.abs(ahead) < 2000 ? 0 : ahead;
}

const daemonNow = () => Date.now() + clockAheadMs;

/* The JSON of an answer; throws Trouble. */
async function ask(path, parameters, signal) {
    const limit = AbortSignal.timeout(patienceMs);
    const stop = new AbortController();
    for (const one of [limit, signal]) one?.addEventListener('abort', () => stop.abort());
    try {
        const answer = await fetch(address(path, parameters), {
            headers: headers(),
            signal: stop.signal,
            cache: 'no-store',
            credentials: 'same-origin',
        });
        noteClock(answer);
        if (!answer.ok) throw await failed(answer);
        return await answer.json();
    } catch (error) {
        if (error instanceof Trouble) throw error;
        if (error instanceof SyntaxError) throw new Trouble(0, 'the answer is not beacond\u2019s');
        throw new Trouble(
            0,
            limit.aborted ? `no answer within ${patienceMs / 1000} s` : 'it can\u2019t be reached',
        );
    }
}
