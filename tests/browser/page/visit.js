/*
 * visit.js: what the tests do in a visitor's page, besides the client itself. Runs in the page.
 */
let tracker = null;
let emitted = 0;

function startTracker(settings) {
    tracker = new Tracker(settings);
}

/* Strings and numbers that servers like to spoil. */
function payload() {
    const text = '“quotes” \\ / é \u0000 \ud800 🛒';
    return { n: emitted++, text, price: 19.9, big: 1e21, deep: [[{ a: null }]] };
}

/* Tracks count events, and gives the texts they are sent as. */
function emit(count) {
    return Array.from({ length: count }, () => tracker.track('custom', payload()));
}

/* The same event count times, in one millisecond: a loop that logs. */
function emitBurst(count) {
    const same = payload();
    const now = new Date().toISOString();
    return Array.from({ length: count }, () => tracker.track('console', same, now));
}

/* Tracks events until the body that holds all that wait has exactly so many bytes. */
function emitBytes(bytes) {
    const texts = [];
    const short = () => bytes - new TextEncoder().encode(Tracker.body(tracker.queue)).length;
    while (short() > 2000) texts.push(...emit(1));
    texts.push(tracker.track('custom', { n: emitted++, pad: '' }));
    const last = tracker.queue.at(-1);
    last.payload.pad = 'x'.repeat(short());
    texts[texts.length - 1] = JSON.stringify(last);
    return texts;
}

/* One request, and what the page's script can learn of it. */
async function attempt(url, init) {
    try {
        const answer = await fetch(url, init);
        const { status, type } = answer;
        const retryAfter = answer.headers.get('Retry-After');
        return { status, type, retryAfter, body: type === 'opaque' ? null : await answer.json() };
    } catch (error) {
        return { error: String(error) };
    }
}
