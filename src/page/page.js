/*
 * page.js: what is asked and when, and the state of it all. Everything is asked anew every few seconds
 * while the page is seen: the figures of the window and the last minute each time, what takes the
 * daemon longer (values, rejects) less often.
 */
const everyMs = 3000;
const rarelyMs = 15000;
const minuteMs = 60000;

/* Name, length in ms, what the beginning is rounded down to, so that the first step is a whole one. */
const spans = {
    '15m': ['15 minutes', 15 * minuteMs, 1000],
    '1h': ['hour', 60 * minuteMs, minuteMs],
    '1d': ['day', stepMs.day, stepMs.hour],
    '7d': ['7 days', 7 * stepMs.day, stepMs.hour],
    '30d': ['30 days', 30 * stepMs.day, stepMs.hour],
    all: ['all'],
    own: ['from \u2026 to'],
};

const view = { span: '1h', step: '', since: '', until: '' };
const chart = new Chart(byId('chart'), byId('chart-at'));
let timer = 0;
let running = null; /* the AbortController of the requests under way */
let rarelyAt = 0; /* when the rare ones were last answered */
let answeredMs = 0;
let paused = false;
let latest = null; /* the last answer of stats, for the table */

const tail = new Tail(lock);
const rejects = new Rejects(lock);

/* --- the key ------------------------------------------------------------------------------- */

function lock(error) {
    const wrong = key.value !== '';
    key.forget();
    stopAsking();
    rarelyAt = 0;
    if (tail.on) tail.stop();
    byId('data').hidden = true;
    byId('gate').hidden = false;
    byId('forget').hidden = true;
    setState('none', 'Waiting for a key');
    say(byId('trouble'), '');
    say(
        byId('gate-why'),
        wrong ? `Refused: ${error.message}.` : 'This daemon shows its events to those who have a key.',
    );
    byId('key').focus();
}

function unlock(event) {
    event.preventDefault();
    const given = byId('key').value.trim();
    if (!key.fits(given)) {
        say(byId('gate-why'), 'No key: those have 1 to 256 visible ASCII characters and no colon.');
        return;
    }
    key.value = given;
    say(byId('gate-why'), 'Asking\u2026');
    refresh();
}

/* --- what is shown --------------------------------------------------------------------------- */

const stateWords = {
    ready: 'Ready',
    failing: 'Failing: it can\u2019t store events now; clients keep theirs',
    draining: 'Shutting down',
};

function setState(name, words) {
    byId('state').dataset.state = name;
    say(byId('state'), words);
}

function showNow(stats) {
    setState(stats.state, stateWords[stats.state] ?? String(stats.state));
    say(byId('events'), number(stats.events));
    byId('oldest').replaceChildren(
        ...(stats.oldest === null ? ['none yet'] : ['since ', timed(stats.oldest)]),
    );
    say(byId('newest-ago'), stats.newest === null ? '\u2013' : ago(daemonNow() - Date.parse(stats.newest)));
    byId('newest').replaceChildren(...(stats.newest === null ? [] : [timed(stats.newest)]));
    say(byId('rejects'), number(stats.rejects));
    const { cache, database } = stats;
    say(byId('cached'), cache === null ? 'off' : number(cache.events));
    say(byId('cached-more'), cache === null ? '' : bytes(cache.bytes));
    say(byId('database'), bytes(database.bytes));
    say(
        byId('database-more'),
        database.wal === undefined ? '' : `${bytes(database.free)} of it free, log ${bytes(database.wal)}`,
    );
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'local';
    say(
        byId('about'),
        `beacond ${stats.version}, up ${lasting(stats.uptime)}, prefix ${prefix}. Times are in ${zone}${zone === 'UTC' ? '' : ', but whole days are UTC\u2019s'}.`,
    );
}

function showMinute(stats) {
    say(byId('rate'), `${tenths.format(stats.total / 60)}/s`);
    byId('pulse').replaceChildren(pulseOf(stats));
}

function showWindow(answer) {
    /* All of nothing has no beginning: it is shown as the present. */
    const present = iso(daemonNow());
    const stats = { ...answer, since: answer.since ?? present, until: answer.until ?? present };
    latest = stats;
    const utc = stats.step === 'day';
    const from = written(Date.parse(stats.since), utc);
    const to = written(Date.parse(stats.until), utc);
    const peak = stats.steps.reduce((most, [, count]) => Math.max(most, count), 0);
    say(
        byId('chart-caption'),
        stats.total === 0
            ? `No events from ${from} to ${to}.`
            : `${plural(stats.total, 'event')} from ${from} to ${to}${utc ? ' UTC' : ''}, per ${stats.step}; at most ${number(peak)} in one.`,
    );
    chart.show(stats);
    showFigures();
}

const mostFigures = 500;

function showFigures() {
    if (!byId('figures').open || latest === null) return;
    const utc = latest.step === 'day';
    const rows = latest.steps.slice(-mostFigures).reverse();
    const left = latest.steps.length - rows.length;
    say(
        byId('figures-caption'),
        `Events per ${latest.step}, newest first; steps without events are left out.${left > 0 ? ` ${number(left)} older ones are not listed.` : ''}`,
    );
    byId('figures-rows').replaceChildren(
        ...rows.map(([iso, count]) =>
            element(
                'tr',
                {},
                element(
                    'th',
                    { scope: 'row' },
                    timed(iso, written(Date.parse(iso), utc).slice(0, utc ? 10 : 19)),
                ),
                element('td', { class: 'number' }, number(count)),
            ),
        ),
    );
}

function showValues(values, total) {
    const { counted, since } = values;
    const from = since === null ? '' : `, since ${written(Date.parse(since))}`;
    const when = `counted at ${written(Date.now()).slice(11)}`; /* less often than the rest */
    say(
        byId('values-caption'),
        counted === 0
            ? 'No event of the window is in memory.'
            : counted >= total
              ? `All ${plural(counted, 'event')} of the window, ${when}.`
              : `The newest ${number(counted)} of the window's ${number(total)}${from}: those in memory, 50,000 at most, ${when}.`,
    );
    byId('values').replaceChildren(
        ...(counted === 0
            ? []
            : [
                  countsTable('App', values.appId, counted),
                  countsTable('Type', values.type, counted),
                  countsTable('Level', values.level, counted),
              ]),
    );
}

/* --- asking -------------------------------------------------------------------------------------- */

const iso = (ms) => new Date(ms).toISOString();

function windowParameters() {
    const parameters = view.step === '' ? {} : { step: view.step };
    const [, length, round] = spans[view.span];
    if (view.span === 'own') {
        if (view.since !== '') parameters.since = view.since;
        if (view.until !== '') parameters.until = view.until;
    } else if (length !== undefined) {
        parameters.since = iso(Math.floor((daemonNow() - length) / round) * round);
        parameters.until = iso(daemonNow());
    }
    return parameters;
}

async function askAll(signal) {
    const rarely = performance.now() - rarelyAt >= rarelyMs || rarelyAt === 0;
    const minute = { since: iso(daemonNow() - minuteMs), until: iso(daemonNow()), step: 'second' };
    const [last, stats] = await Promise.all([
        ask('/stats', minute, signal),
        ask('/stats', rarely ? { ...windowParameters(), values: 10 } : windowParameters(), signal).catch(
            (error) => {
                /* The window's own fault: too many steps, for one. All else is shown all the same. */
                if (error.status !== 400) throw error;
                return error;
            },
        ),
    ]);
    if (signal.aborted) return;
    answered();
    showNow(last);
    showMinute(last);
    const refused = stats instanceof Trouble;
    say(byId('window-error'), refused ? `This can't be shown: ${stats.message}.` : '');
    if (!refused) showWindow(stats);
    if (!refused && stats.values) showValues(stats.values, stats.total);
    if (rarely) await rejects.refresh(signal);
    if (rarely) rarelyAt = performance.now();
}

function answered() {
    answeredMs = Date.now();
    if (key.value !== '') key.keep();
    say(byId('trouble'), '');
    const opened = !byId('gate').hidden;
    byId('gate').hidden = true;
    byId('data').hidden = false;
    byId('forget').hidden = key.value === '';
    if (!opened) return;
    byId('key').value = '';
    byId('now-title').focus();
}

function inWords(error) {
    const kept = answeredMs === 0 ? '' : ` What is shown is from ${written(answeredMs).slice(11)}.`;
    const again = paused ? '' : ' Trying again.';
    if (error.status === 0)
        return [`No connection to the daemon: ${error.message}.${kept}${again}`, 'gone', 'Not connected'];
    if (error.status === 503)
        return [
            `The daemon can't answer now (503): ${error.message}.${kept}${again}`,
            'failing',
            'Can\u2019t answer',
        ];
    return [`Error ${error.status}: ${error.message}.${kept}${again}`, 'gone', 'Error'];
}

function stopAsking() {
    clearTimeout(timer);
    running?.abort();
    running = null;
}

/* Asks now, in place of what is under way, and again later. */
async function refresh() {
    stopAsking();
    const mine = (running = new AbortController());
    try {
        await askAll(mine.signal);
    } catch (error) {
        if (mine.signal.aborted) return;
        if (!(error instanceof Trouble)) throw error;
        if (error.locked) {
            lock(error);
            return;
        }
        const [words, state, short] = inWords(error);
        say(byId('trouble'), words);
        setState(state, short);
        if (byId('data').hidden && !byId('gate').hidden) say(byId('gate-why'), words);
    }
    if (running !== mine) return;
    running = null;
    if (!paused && !document.hidden) timer = setTimeout(refresh, everyMs);
}

/* --- what the reader does ---------------------------------------------------------------------- */

/* Windows stand behind '#', so that a reload and a bookmark keep them. */
function writeView() {
    const span = view.span === 'own' ? `${view.since}..${view.until}` : view.span;
    history.replaceState(null, '', `#${span}${view.step === '' ? '' : `/${view.step}`}`);
}

/* What stands behind '#' may come from anywhere, and need not be escaped as it should. */
function behindHash() {
    try {
        return decodeURIComponent(location.hash.slice(1));
    } catch {
        return '';
    }
}

function readView() {
    const [span, step = ''] = behindHash().split('/');
    const own = /^([^.]*(?:\.\d+Z)?)\.\.(.*)$/.exec(span);
    if (own) Object.assign(view, { span: 'own', since: own[1], until: own[2] });
    else if (Object.hasOwn(spans, span) && span !== 'own') view.span = span;
    view.step = Object.hasOwn(stepMs, step) ? step : '';
}

/* The choices are those of view. */
function showView() {
    for (const input of document.getElementsByName('span')) input.checked = input.value === view.span;
    byId('own').hidden = view.span !== 'own';
    setMoment(byId('since'), view.since);
    setMoment(byId('until'), view.until);
    byId('step').value = view.step;
}

function changeView() {
    writeView();
    rarelyAt = 0;
    if (byId('gate').hidden) refresh();
}

/* Of the local time in an input, or "" for none. */
function moment(input) {
    const ms = new Date(input.value).getTime();
    return Number.isNaN(ms) ? '' : iso(ms);
}

function setMoment(input, text) {
    const ms = Date.parse(text);
    input.value = Number.isNaN(ms) ? '' : written(ms).replace(' ', 'T');
}

function chooseSpan(span) {
    view.span = span;
    byId('own').hidden = span !== 'own';
    if (span !== 'own') {
        changeView();
        return;
    }
    if (latest !== null && view.since === '' && view.until === '') {
        setMoment(byId('since'), latest.since);
        setMoment(byId('until'), latest.until);
    }
}

function chooseOwn(event) {
    event.preventDefault();
    if (view.span !== 'own') return;
    view.since = moment(byId('since'));
    view.until = moment(byId('until'));
    changeView();
}

function setUp() {
    readView();
    for (const [name, [text]] of Object.entries(spans)) {
        const input = element('input', { type: 'radio', name: 'span', value: name });
        input.addEventListener('change', () => chooseSpan(name));
        byId('spans').append(element('label', {}, input, element('span', {}, text)));
    }
    showView();
    window.addEventListener('hashchange', () => {
        readView();
        showView();
        changeView();
    });
    byId('step').addEventListener('change', () => {
        view.step = byId('step').value;
        changeView();
    });
    byId('window').addEventListener('submit', chooseOwn);
    byId('figures').addEventListener('toggle', showFigures);
    byId('key-form').addEventListener('submit', unlock);
    byId('forget').addEventListener('click', () => {
        key.forget();
        lock(new Trouble(401, ''));
    });
    byId('hold').addEventListener('click', () => {
        paused = !paused;
        byId('hold').setAttribute('aria-pressed', String(paused));
        rarelyAt = 0;
        if (paused) clearTimeout(timer);
        else refresh();
    });
    document.addEventListener('visibilitychange', () => {
        if (document.hidden) clearTimeout(timer);
        else if (!paused && byId('gate').hidden) refresh();
    });
}

key.load();
setUp();
refresh();
