/*
 * rejects.js: what was put aside, why, and what it is; a page at a time, newest first.
 */
const rejectsPage = 10;

class Rejects {
    constructor(onLocked) {
        this.onLocked = onLocked;
        this.before = null; /* null: the newest page */
        this.next = null;
        this.shown = ''; /* what the list was made of: rows that someone has opened are left alone */
        byId('rejects-newest').addEventListener('click', () => this.go(null));
        byId('rejects-older').addEventListener('click', () => this.go(this.next));
    }

    async go(before) {
        this.before = before;
        await this.refresh();
        byId('rejects-title').scrollIntoView({ block: 'nearest' });
    }

    async refresh(signal) {
        const parameters = { limit: rejectsPage };
        if (this.before !== null) parameters.before = this.before;
        try {
            this.show(await ask('/rejects', parameters, signal));
        } catch (error) {
            if (error.locked) this.onLocked(error);
            else if (!signal?.aborted)
                say(byId('rejects-state'), `The rejects can't be shown: ${error.message}.`);
        }
    }

    show({ total, reasons, rejects, next }) {
        this.next = next;
        const made = JSON.stringify([total, reasons, rejects.map(({ number: n }) => n)]);
        say(byId('rejects-state'), this.words(total, rejects.length));
        byId('rejects-newest').hidden = this.before === null;
        byId('rejects-older').hidden = next === null;
        if (made === this.shown) return;
        this.shown = made;
        byId('reasons').replaceChildren(
            ...(total > 0 ? [countsTable('Why', reasons, total, ['Reason', 'Rejects'])] : []),
        );
        byId('rejects-list').replaceChildren(...rejects.map((reject) => this.row(reject)));
    }

    words(total, here) {
        if (total === 0) return 'None: whatever was sent could be stored.';
        const which = this.before === null ? 'the newest' : 'older ones';
        return `${plural(total, 'reject')}; ${number(here)} shown, ${which}. beacond rejects retry reads them anew.`;
    }

    row({ received, reason, bytes: size, event }) {
        const summary = [
            timed(received, written(Date.parse(received)).slice(5)),
            element('span', { class: 'brief theirs' }, reason),
            element('span', { class: 'kind' }, bytes(size)),
        ];
        const length = new TextEncoder().encode(event).length;
        return openable(summary, () => (size > length ? `${event}\n\u2026 ${bytes(size)} in all` : event));
    }
}

/* A table of values and how often each occurs, with their part of the whole as a bar. */
function countsTable(caption, counts, total, [value, count] = ['Value', 'Events']) {
    const rows = counts.map(([name, times]) => {
        const bar = element('span', { class: 'share', 'aria-hidden': 'true' });
        bar.style.setProperty('--share', `${(100 * times) / Math.max(1, total)}%`);
        const shown =
            name === null
                ? element('em', {}, 'others')
                : name === ''
                  ? element('em', {}, 'empty')
                  : String(name);
        return element(
            'tr',
            {},
            element('th', { scope: 'row' }, element('span', { class: 'theirs' }, shown), bar),
            element('td', { class: 'number' }, number(times)),
        );
    });
    const head = element(
        'tr',
        {},
        element('th', { scope: 'col' }, value),
        element('th', { scope: 'col', class: 'number' }, count),
    );
    return element(
        'table',
        { class: 'counts' },
        element('caption', {}, caption),
        element('thead', {}, head),
        element('tbody', {}, ...rows),
    );
}
