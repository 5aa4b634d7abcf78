/*
 * link.js: one WebSocket of a client of CONTRACT.md 6, for the tests. Runs in pages, on the browser's
 * WebSocket, and in node, on that of the package ws.
 */

/* Only a failing test waits so long: nothing is timed here. */
const PATIENCE_MS = 120000;

/* What promise gives, unless it takes too long. */
export function patiently(what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/* Event n of a day of March 2024, n below a million: its own millisecond, or, with at, that one. */
export function event(day, n, payload, at = n) {
    const timestamp = new Date(Date.UTC(2024, 2, day) + at).toISOString();
    return {
        id: '',
        timestamp,
        level: 'info',
        type: 'custom',
        appId: 'shop',
        sessionId: 'sess_1',
        userId: 'anon_1',
        payload: { n, ...payload },
        meta: {},
    };
}

export function eventsOf(day, first, count, payload) {
    return Array.from({ length: count }, (_, i) => event(day, first + i, payload));
}

/* All of one day. */
export function windowOf(day) {
    const date = `2024-03-${String(day).padStart(2, '0')}`;
    return { since: `${date}T00:00:00.000Z`, until: `${date}T23:59:59.999Z` };
}

/* Text that hardly can be compressed. */
export function noise(bytes) {
    let text = '';
    while (text.length < bytes) text += Math.random().toString(36).slice(2);
    return text.slice(0, bytes);
}

export class Link {
    constructor(socket) {
        this.socket = socket;
        this.texts = []; // came, and nobody has taken them
        this.taker = null;
        this.end = null; // {code, reason, wasClean, unsent: bytes that were given to send() in vain}
        this.pumping = false;
        this.ends = new Promise((resolve) => {
            socket.onclose = ({ code, reason, wasClean }) => {
                this.end = { code, reason, wasClean, unsent: socket.bufferedAmount };
                resolve(this.end);
                this.taker?.();
            };
        });
        this.opens = new Promise((resolve) => {
            socket.onopen = () => resolve(true);
            this.ends.then(() => resolve(false));
        });
        socket.onerror = () => {}; // onclose follows
        socket.onmessage = ({ data }) => {
            this.texts.push(data);
            this.taker?.();
        };
    }

    opened() {
        return patiently('the handshake', this.opens);
    }

    closed() {
        return patiently('the end', this.ends);
    }

    send(message) {
        this.socket.send(JSON.stringify(message));
    }

    /* Gives the texts the events are sent as. */
    ingest(events) {
        this.send({ type: 'ingest', events });
        return events.map((one) => JSON.stringify(one));
    }

    ask(reqId, query) {
        this.send({ type: 'events:query', reqId, query });
    }

    /* The next message as it came. */
    async text() {
        if (this.texts.length === 0 && this.end === null) {
            await patiently('a message', new Promise((resolve) => (this.taker = resolve)));
            this.taker = null;
        }
        if (this.texts.length > 0) return this.texts.shift();
        throw new Error(`closed with ${this.end.code} ${this.end.reason}`);
    }

    /* The next message, which must be of that type. */
    async next(type) {
        const text = await this.text();
        const message = JSON.parse(text);
        if (message.type !== type) throw new Error(`${type} expected: ${text.slice(0, 200)}`);
        return message;
    }

    async auth(key) {
        if (!(await this.opened())) throw new Error('the handshake failed');
        this.send({ type: 'auth', key });
        await this.next('auth_ok');
    }

    /* Sends make(0), make(1)…, several ahead and one more for each acknowledgement, until pumping is
     * false and all are acknowledged, or until the connection ends. {texts: of each batch, acked: so
     * many of them} */
    async pump(make) {
        const texts = [];
        const more = () => texts.push(this.ingest(make(texts.length)));
        let acked = 0;
        this.pumping = true;
        while (texts.length < 8) more();
        while (acked < texts.length) {
            try {
                await this.next('ack');
            } catch (error) {
                if (this.end === null) throw error;
                break;
            }
            acked++;
            if (this.pumping && this.end === null) more();
        }
        return { texts, acked };
    }

    /* Takes pushes until so many events have been pushed. Gives them, in order. */
    async pushed(count) {
        const events = [];
        while (events.length < count) events.push(...(await this.next('push')).events);
        return events;
    }
}
