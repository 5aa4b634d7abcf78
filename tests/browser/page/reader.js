/*
 * reader.js: asks as the stock dashboard does, for a window of events and for a ping, over and over,
 * and shows what came. Runs in the page.
 */
const shown = { events: [], total: null, reads: 0, status: null };

function show(id, text, colour) {
    const element = document.getElementById(id);
    element.textContent = text;
    element.className = colour;
}

async function ping({ pingEndpoint, key }) {
    try {
        const answer = await fetch(pingEndpoint, { headers: { 'X-Tracker-Key': key } });
        const { ok, appId } = await answer.json();
        show('ping', appId, answer.ok && ok ? 'green' : 'red');
    } catch (error) {
        show('ping', String(error), 'red');
    }
}

async function read({ readEndpoint, key, since, until }) {
    const url = `${readEndpoint}?${new URLSearchParams({ since, until })}`;
    try {
        const answer = await fetch(url, {
            headers: { Accept: 'application/json', 'X-Tracker-Key': key },
        });
        const body = await answer.json();
        shown.status = answer.status;
        if (answer.ok) {
            shown.events = body.events;
            shown.total = body.total;
        }
        show('events', answer.ok ? `${body.events.length} of ${body.total}` : body.error, '');
    } catch (error) {
        shown.status = null;
        show('events', String(error), '');
    }
    shown.reads++;
}

/* readEndpoint, pingEndpoint, key, since, until; everyMs. The URL stays the same, as on a preset. */
function startReader(settings) {
    const look = async () => {
        await Promise.all([ping(settings), read(settings)]);
        setTimeout(look, settings.everyMs);
    };
    void look();
}
