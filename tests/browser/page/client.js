/*
 * client.js: a tracker's client as CONTRACT.md 3 describes it, for the tests: a queue that is sent in
 * batches, every so often and when a batch is full; a batch that could not be sent goes back to the
 * head of the queue, and newer events line up behind it; what is left when the page goes is sent as
 * a beacon. Runs in the page.
 */
class Tracker {
    /* writeEndpoint; beaconEndpoint (writeEndpoint); key (none); batchSize (25); flushMs (none: the
     * test calls flush()); gzip (false); beaconOn: the events that send what waits as a beacon */
    constructor(settings) {
        const beaconOn = ['visibilitychange', 'beforeunload', 'pagehide'];
        this.settings = { batchSize: 25, beaconOn, ...settings };
        this.queue = [];
        this.sending = false;
        /* What came of each send: {status, body, retryAfter}, {error} or {beacon: taken or not}. */
        this.outcomes = [];
        this.sessionId = `sess_${Math.random().toString(36).slice(2)}`;
        if (this.settings.flushMs) setInterval(() => this.flush(), this.settings.flushMs);
        for (const type of this.settings.beaconOn) {
            addEventListener(type, () => {
                if (type !== 'visibilitychange' || document.visibilityState === 'hidden') this.beacon();
            });
        }
    }

    /* Queues an event, and gives the text it will be sent as. */
    track(type, payload, timestamp = new Date().toISOString()) {
        const event = {
            id: '',
            timestamp,
            level: 'info',
            type,
            appId: 'shop',
            sessionId: this.sessionId,
            userId: 'anon_1',
            payload,
            meta: { route: location.pathname, language: navigator.language },
        };
        this.queue.push(event);
        if (this.settings.flushMs && this.queue.length >= this.settings.batchSize) void this.flush();
        return JSON.stringify(event);
    }

    static body(events) {
        return JSON.stringify({ type: 'ingest', events });
    }

    /* Sends full batches and the rest, until the queue is empty or a send fails. */
    async flush() {
        if (this.sending) return;
        this.sending = true;
        while (this.queue.length > 0) {
            const batch = this.queue.splice(0, this.settings.batchSize);
            if (!(await this.send(batch))) {
                this.queue.unshift(...batch);
                break;
            }
        }
        this.sending = false;
    }

    async send(batch) {
        const { writeEndpoint, key, gzip } = this.settings;
        const headers = { 'Content-Type': 'application/json' };
        let body = Tracker.body(batch);
        if (key) headers['X-Tracker-Key'] = key;
        if (gzip) {
            const packed = new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'));
            body = await new Response(packed).blob();
            headers['Content-Encoding'] = 'gzip';
        }
        try {
            const answer = await fetch(writeEndpoint, { method: 'POST', headers, body, keepalive: true });
            this.outcomes.push({
                status: answer.status,
                body: await answer.json(),
                retryAfter: answer.headers.get('Retry-After'),
            });
            return answer.ok;
        } catch (error) {
            this.outcomes.push({ error: String(error) });
            return false;
        }
    }

    /* All that waits, in one. What the browser does not take stays in the queue. */
    beacon() {
        if (this.queue.length === 0) return;
        const url = this.settings.beaconEndpoint ?? this.settings.writeEndpoint;
        const blob = new Blob([Tracker.body(this.queue)], { type: 'application/json' });
        const taken = navigator.sendBeacon(url, blob);
        this.outcomes.push({ beacon: taken });
        if (taken) this.queue = [];
    }
}
