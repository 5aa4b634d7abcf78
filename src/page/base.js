/*
 * base.js: elements, and how numbers and times are written. What strangers sent becomes text nodes
 * here and never anything else; the page's policy (require-trusted-types-for) refuses all that would
 * read it as markup.
 */
const byId = (id) => document.getElementById(id);

/* An element; what is undefined or null of the attributes is left out. */
function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes))
        if (value !== undefined && value !== null) made.setAttribute(key, value);
    made.append(...children);
    return made;
}

function drawn(name, attributes = {}, text = '') {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
}

/* Only when it differs: a live region speaks, and a selection is lost, whenever its text is set. */
function say(place, text) {
    if (place.textContent !== text) place.textContent = text;
}

const wholes = new Intl.NumberFormat('en');
const brief = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

const number = (value) => wholes.format(value);
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

function bytes(value) {
    const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
    let unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
        value /= 1024;
        unit++;
    }
    return unit === 0 ? plural(value, 'byte') : `${tenths.format(value)} ${units[unit]}`;
}

const two = (value) => String(value).padStart(2, '0');

/* "2026-11-21 14:03:22", local or UTC. Years beyond four digits don't occur: the daemon has none. */
function written(ms, utc = false) {
    const at = new Date(utc ? ms : ms - new Date(ms).getTimezoneOffset() * 60000);
    return at.toISOString().replace('T', ' ').slice(0, 19);
}

/* A time element for a moment that the daemon told. */
function timed(iso, text) {
    return element('time', { datetime: iso }, text ?? written(Date.parse(iso)));
}

function ago(ms) {
    const far = Math.abs(ms) / 1000;
    const [amount, unit] =
        far < 60
            ? [far, 's']
            : far < 3600
              ? [far / 60, 'min']
              : far < 172800
                ? [far / 3600, 'h']
                : [far / 86400, 'days'];
    const text = `${number(Math.floor(amount))} ${unit}`;
    if (far < 1) return 'now';
    return ms < 0 ? `in ${text}` : `${text} ago`;
}

function lasting(seconds) {
    const parts = [
        [Math.floor(seconds / 86400), 'd'],
        [Math.floor(seconds / 3600) % 24, 'h'],
        [Math.floor(seconds / 60) % 60, 'min'],
        [Math.floor(seconds) % 60, 's'],
    ];
    const first = parts.findIndex(([count]) => count > 0);
    if (first < 0) return '0 s';
    return parts
        .slice(first, first + 2)
        .map(([count, unit]) => `${count} ${unit}`)
        .join(' ');
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
