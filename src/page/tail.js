/*
 * tail.js: events as they are stored, by Server-Sent Events over fetch: EventSource can't send a key.
 * After a broken connection it goes on behind the last one it got; when that is too long ago to be
 * waited for, at the present, and says so.
 */
const tailRows = 200;
const tailKept = 1000; /* events, for the filter to look through */
const tailBytes = 8 << 20; /* characters of them */
const tailGapMs = 5 * 60000;

/* Reads one stream to its end, calling got({id, data}) for each message. */
async function readStream(body, got) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    let data = [];
    let id = null;
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const lines = (text + value).split('\n');
        text = lines.pop();
        for (const line of lines) {
            if (line === '') {
                if (id !== null || data.length > 0) got({ id, data: data.join('\n') });
                data = [];
                id = null;
            } else if (line.startsWith('data: ')) {
                data.push(line.slice(6));
            } else if (line.startsWith('id: ')) {
                id = line.slice(4);
            }
        }
    }
}

class Tail {
    constructor(onLocked) {
        this.onLocked = onLocked;
        this.list = byId('tail');
        this.state = byId('tail-state');
        this.button = byId('follow');
        this.freeze = byId('freeze');
        this.filter = byId('filter');
        this.kept = []; /* {id, text}, oldest first */
        this.size = 0;
        this.fresh = []; /* those not shown yet */
        this.missed = 0; /* came while held */
        this.on = false;
        this.run = 0; /* counts the starts: a stream that was stopped does not come back */
        this.held = false;
        this.lastId = null;
        this.heardMs = 0;
        this.button.addEventListener('click', () => (this.on ? this.stop() : this.start()));
        this.freeze.addEventListener('click', () => this.hold(!this.held));
        this.filter.addEventListener('input', () => this.showAll());
        /* What is being read does not move. */
        this.list.addEventListener(
            'toggle',
            (event) => event.target.open && this.on && this.hold(true),
            true,
        );
        document.addEventListener('visibilitychange', () => this.stream?.abort());
    }

    start() {
        this.on = true;
        this.lastId = null;
        this.button.textContent = 'Stop';
        this.freeze.disabled = false;
        say(this.state, 'Connecting\u2026');
        this.follow(++this.run);
    }

    stop() {
        this.on = false;
        this.run++;
        this.stream?.abort();
        this.hold(false);
        this.button.textContent = 'Follow';
        this.freeze.disabled = true;
        say(this.state, 'Not following.');
    }

    async follow(run) {
        const stopped = () => this.run !== run;
        while (!stopped()) {
            if (document.hidden)
                await new Promise((seen) =>
                    document.addEventListener('visibilitychange', seen, { once: true }),
                );
            if (stopped()) return;
            try {
                await this.connect();
                if (stopped()) return;
                this.told = 'The stream ended; connecting again.';
            } catch (error) {
                if (stopped()) return;
                if (error instanceof Trouble && error.locked) {
                    this.stop();
                    this.onLocked(error);
                    return;
                }
                this.told =
                    error instanceof Trouble
                        ? `Error ${error.status}: ${error.message}; trying again.`
                        : 'Not connected; trying again.';
            }
            say(this.state, this.told);
            if (!document.hidden) await pause(2000);
        }
    }

    async connect() {
        const late = this.lastId !== null && Date.now() - this.heardMs > tailGapMs;
        if (late) this.lastId = null;
        this.stream = new AbortController();
        const more = this.lastId === null ? {} : { 'Last-Event-ID': this.lastId };
        const answer = await fetch(address('/tail'), {
            headers: headers(more),
            signal: this.stream.signal,
            cache: 'no-store',
        });
        if (!answer.ok) throw await failed(answer);
        this.gap = late ? ' What came in the last minutes, unseen, is left out.' : '';
        this.heardMs = Date.now();
        this.tell();
        await readStream(answer.body, (message) => this.take(message));
    }

    tell() {
        if (!this.on) return;
        const word = this.filter.value.trim();
        if (this.held) say(this.state, `Held: ${plural(this.missed, 'newer event')} not shown.`);
        else
            say(
                this.state,
                `Following${word === '' ? '' : ', filtered'}; the newest ${tailRows} are shown.${this.gap ?? ''}`,
            );
    }

    take({ id, data }) {
        this.heardMs = Date.now();
        if (id !== null) this.lastId = id;
        if (data === '') return;
        this.kept.push({ id, text: data });
        this.size += data.length;
        while (this.kept.length > tailKept || (this.size > tailBytes && this.kept.length > 1))
            this.size -= this.kept.shift().text.length;
        if (this.held) {
            this.missed++;
        } else {
            this.fresh.push({ id, text: data });
            if (this.fresh.length > tailKept) this.fresh.shift();
        }
        this.paint ??= requestAnimationFrame(() => this.show());
    }

    hold(held) {
        if (this.held === held) return;
        this.held = held;
        this.missed = 0;
        this.freeze.setAttribute('aria-pressed', String(held));
        if (held) this.show();
        else this.showAll();
    }

    matches() {
        const wanted = this.filter.value.trim().toLowerCase();
        return ({ text }) => wanted === '' || text.toLowerCase().includes(wanted);
    }

    /* Those that have come since the last picture. */
    show() {
        this.paint = null;
        this.prepend(this.fresh);
        this.fresh = [];
        this.tell();
    }

    showAll() {
        this.fresh = [];
        this.list.replaceChildren();
        this.prepend(this.kept);
        this.tell();
    }

    prepend(events) {
        const rows = events
            .filter(this.matches())
            .slice(-tailRows)
            .reverse()
            .map(({ text }) => tailRow(text));
        this.list.prepend(...rows);
        while (this.list.childElementCount > tailRows) this.list.lastElementChild.remove();
    }
}

/* A row that opens: what was sent is laid out when someone looks. */
function openable(summary, text) {
    const details = element('details', {}, element('summary', {}, ...summary));
    details.addEventListener(
        'toggle',
        () =>
            details.append(
                element('pre', { class: 'theirs', tabindex: '0', 'aria-label': 'As it was sent' }, text()),
            ),
        { once: true },
    );
    return element('li', {}, details);
}

function tailRow(text) {
    const event = parsed(text) ?? {};
    const time = Date.parse(event.timestamp);
    const when = Number.isNaN(time) ? word(event.timestamp) : written(time).slice(5);
    const level = word(event.level);
    const summary = [
        element('time', {}, when),
        element('span', { class: 'level theirs', 'data-level': level }, level),
        element('span', { class: 'kind theirs' }, `${word(event.type)} ${word(event.appId)}`),
        element('span', { class: 'brief theirs' }, gist(event)),
    ];
    return openable(summary, () => indented(text));
}
