/*
 * chart.js: counts per step as bars. A chart of years has more steps than there are pixels: as many as
 * fit one column are shown as their highest, so a peak stays one. Its cursor is a slider: arrow keys,
 * Page Up and Down, Home and End move it, and a screen reader reads the figures at it.
 */
const stepMs = { second: 1000, minute: 60000, hour: 3600000, day: 86400000 };
const narrowest = 3; /* pixels of a column */
const edge = { left: 44, right: 8, top: 10, bottom: 24 };

const tickMs = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
    1209600, 2592000, 7776000, 31536000, 157680000, 788400000, 3153600000, 31536000000,
].map((seconds) => seconds * 1000);

/* 1, 2 or 5 times a power of ten: the distance of about four lines up to most. */
function spacing(most) {
    const rough = Math.max(1, most / 4);
    const power = 10 ** Math.floor(Math.log10(rough));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

function tickText(ms, distance, utc) {
    const text = written(ms, utc);
    if (distance >= 31536000000) return text.slice(0, 4);
    if (distance >= 2592000000) return text.slice(0, 7);
    if (distance >= 86400000 || text.endsWith(' 00:00:00')) return text.slice(5, 10);
    return distance < 60000 ? text.slice(11) : text.slice(11, 16);
}

/* The steps of an answer as columns: {at, to: ms; most, sum: events}, by index; empty ones left out. */
function columnsOf(stats, width) {
    const size = stepMs[stats.step];
    const from = Math.floor(Date.parse(stats.since) / size) * size;
    const to = Math.max(from + size, Math.ceil((Date.parse(stats.until) + 1) / size) * size);
    const steps = (to - from) / size;
    const each = Math.max(1, Math.ceil((steps * narrowest) / width));
    const columns = new Map();
    for (const [iso, count] of stats.steps) {
        const index = Math.floor((Date.parse(iso) - from) / size / each);
        const column = columns.get(index) ?? { most: 0, sum: 0 };
        column.most = Math.max(column.most, count);
        column.sum += count;
        columns.set(index, column);
    }
    return { from, to, size, each, count: Math.ceil(steps / each), columns };
}

class Chart {
    constructor(place, told) {
        this.place = place;
        this.told = told; /* where the figures at the cursor stand */
        this.stats = null;
        this.cursor = -1;
        new ResizeObserver(() => this.draw()).observe(place);
        place.addEventListener('keydown', (event) => this.key(event));
        place.addEventListener('pointermove', (event) => this.point(event));
        place.addEventListener('pointerleave', () => this.pick(-1));
        place.addEventListener('blur', () => this.pick(-1));
        place.addEventListener('focus', () => this.cursor < 0 && this.pick(Infinity));
    }

    show(stats) {
        const kept = this.cursor >= 0 && this.grid ? this.grid.from + this.cursor * this.columnMs() : null;
        this.stats = stats;
        this.draw();
        if (kept === null) return;
        const index = Math.floor((kept - this.grid.from) / this.columnMs());
        this.pick(index < 0 ? 0 : index);
    }

    columnMs() {
        return this.grid.size * this.grid.each;
    }

    draw() {
        const width = this.place.clientWidth;
        const height = this.place.clientHeight;
        if (this.stats === null || width === 0) return;
        this.plot = {
            width: Math.max(60, width - edge.left - edge.right),
            height: height - edge.top - edge.bottom,
        };
        this.grid = columnsOf(this.stats, this.plot.width);
        const svg = drawn('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
        this.rows(svg);
        this.times(svg);
        svg.append(drawn('path', { class: 'bars', d: this.bars() }));
        this.marks = [drawn('rect', { class: 'cursor' }), drawn('path', { class: 'picked' })];
        svg.append(...this.marks);
        this.place.replaceChildren(svg);
        this.pick(this.cursor);
    }

    rows(svg) {
        let most = 1;
        for (const column of this.grid.columns.values()) most = Math.max(most, column.most);
        const distance = spacing(most);
        this.top = Math.ceil(most / distance) * distance;
        for (let value = 0; value <= this.top; value += distance) {
            const y = Math.round(this.y(value)) + 0.5;
            svg.append(drawn('path', { class: 'grid', d: `M${edge.left} ${y}h${this.plot.width}` }));
            svg.append(
                drawn('text', { x: edge.left - 6, y: y + 4, 'text-anchor': 'end' }, brief.format(value)),
            );
        }
    }

    times(svg) {
        const { from, to, size } = this.grid;
        const utc = size === stepMs.day;
        const shift = utc ? 0 : new Date(from).getTimezoneOffset() * 60000;
        const room = Math.max(2, Math.floor(this.plot.width / 76));
        const distance = tickMs.find((ms) => ms >= size && (to - from) / ms <= room) ?? to - from;
        for (let at = Math.ceil((from - shift) / distance) * distance + shift; at < to; at += distance) {
            const x = edge.left + ((at - from) / (to - from)) * this.plot.width;
            if (x > edge.left + this.plot.width - 14) break;
            const y = edge.top + this.plot.height;
            svg.append(drawn('path', { class: 'grid', d: `M${Math.round(x) + 0.5} ${y}v4` }));
            svg.append(
                drawn(
                    'text',
                    { x, y: y + 18, 'text-anchor': x < edge.left + 20 ? 'start' : 'middle' },
                    tickText(at, distance, utc),
                ),
            );
        }
    }

    y(value) {
        return edge.top + this.plot.height * (1 - value / this.top);
    }

    bar(index, column) {
        const width = this.plot.width / this.grid.count;
        const gap = width >= 4 ? 1 : 0;
        const y = Math.min(this.y(column.most), edge.top + this.plot.height - 1); /* one event is seen, too */
        const x = edge.left + index * width;
        return `M${x.toFixed(2)} ${y.toFixed(2)}h${(width - gap).toFixed(2)}V${edge.top + this.plot.height}h${(gap - width).toFixed(2)}z`;
    }

    bars() {
        return [...this.grid.columns].map(([index, column]) => this.bar(index, column)).join('');
    }

    /* The figures of a column, for eyes and ears. */
    words(index) {
        const { from, size, each, columns } = this.grid;
        const utc = size === stepMs.day;
        const at = from + index * this.columnMs();
        const time = written(at, utc).slice(0, size === stepMs.day ? 10 : size === stepMs.second ? 19 : 16);
        const column = columns.get(index) ?? { most: 0, sum: 0 };
        const sum = plural(column.sum, 'event');
        if (each === 1) return `${time}: ${sum}`;
        return `${time} and ${each - 1} more: ${sum}, ${number(column.most)} in the busiest ${this.stats.step}`;
    }

    pick(index) {
        if (!this.grid) return;
        this.cursor = index < 0 ? -1 : Math.min(index, this.grid.count - 1);
        const [band, picked] = this.marks;
        const column = this.grid.columns.get(this.cursor);
        const width = this.plot.width / this.grid.count;
        band.setAttribute('x', edge.left + this.cursor * width);
        band.setAttribute('y', edge.top);
        band.setAttribute('width', this.cursor < 0 ? 0 : width);
        band.setAttribute('height', this.plot.height);
        picked.setAttribute('d', column ? this.bar(this.cursor, column) : '');
        const text = this.cursor < 0 ? '' : this.words(this.cursor);
        say(this.told, text);
        this.place.setAttribute('aria-valuemax', this.grid.count - 1);
        this.place.setAttribute('aria-valuenow', Math.max(0, this.cursor));
        this.place.setAttribute('aria-valuetext', text || this.words(this.grid.count - 1));
    }

    point(event) {
        if (!this.grid) return;
        const x = event.clientX - this.place.getBoundingClientRect().left - edge.left;
        const index = Math.floor((x / this.plot.width) * this.grid.count);
        this.pick(index < 0 || index >= this.grid.count ? -1 : index);
    }

    key(event) {
        const moves = {
            ArrowLeft: -1,
            ArrowDown: -1,
            ArrowRight: 1,
            ArrowUp: 1,
            PageDown: -10,
            PageUp: 10,
            Home: -Infinity,
            End: Infinity,
        };
        const move = moves[event.key];
        if (move === undefined || !this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        this.pick(Math.max(0, this.cursor + move));
    }
}

/* A minute of seconds as a small picture; what it says stands beside it as text. */
function pulseOf(stats) {
    const { from, count, columns } = columnsOf({ ...stats, step: 'second' }, Infinity);
    const most = Math.max(1, ...[...columns.values()].map((column) => column.most));
    const path = [...columns].map(([index, { most: value }]) => {
        const height = Math.max(1, (value / most) * 20);
        return `M${index} ${20 - height}h0.8v${height}h-0.8z`;
    });
    const svg = drawn('svg', {
        viewBox: `0 0 ${count} 20`,
        preserveAspectRatio: 'none',
        'aria-hidden': 'true',
        'data-from': from,
    });
    svg.append(drawn('path', { class: 'bars', d: path.join('') }));
    return svg;
}
