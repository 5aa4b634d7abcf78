/*
 * json.js: an event for a person. Events are shown as they were sent: JSON.parse and stringify would
 * turn 19.90 into 19.9 and drop a member that is there twice, so the text is only broken into lines.
 */

/* A JSON text with line breaks and indents between its tokens. What is no JSON comes back readable. */
function indented(text) {
    const tokens = text.match(/"(?:[^"\\]|\\[^])*"?|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
    const parts = [];
    let depth = 0;
    const line = () => `\n${'  '.repeat(Math.min(depth, 40))}`;
    tokens.forEach((token, i) => {
        const next = tokens[i + 1];
        if (token === '{' || token === '[') {
            depth++;
            parts.push(token, next === '}' || next === ']' ? '' : line());
        } else if (token === '}' || token === ']') {
            depth = Math.max(0, depth - 1);
            const before = tokens[i - 1];
            parts.push(before === '{' || before === '[' ? '' : line(), token);
        } else if (token === ',') {
            parts.push(token, line());
        } else {
            parts.push(token === ':' ? ': ' : token);
        }
    });
    return parts.join('');
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

const isObject = (value) => typeof value === 'object' && value !== null;
const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}\u2026` : text);
const word = (value) => (typeof value === 'string' && value !== '' ? cut(value, 40) : '-');

/* What a payload tells most by, as beacond tail shows it. */
const telling = ['message', 'name', 'action', 'method', 'url', 'status', 'tag', 'text', 'from', 'to'];

function gist(event) {
    const payload = isObject(event) ? event.payload : undefined;
    if (!isObject(payload)) return payload === undefined ? '' : cut(String(payload), 160);
    const told = telling
        .map((name) => payload[name])
        .filter((value) => value !== undefined && value !== null && value !== '' && !isObject(value))
        .map((value) => cut(String(value), 100));
    return told.length > 0 ? told.join(' ') : cut(JSON.stringify(payload), 160);
}
