/* A page like the plugin's dashboard: what a build has beside index.html, loaded as it is there. */
const settings = window.__TRACKER_CONFIG__;
const root = document.getElementById('root');

/* For the tests: what was shown, and what became of the requests. */
window.shown = { path: location.pathname, events: null, ping: null, lazy: null, error: null };

function put(name, text) {
	const line = document.createElement('p');
	line.id = name;
	line.textContent = text;
	root.append(line);
}

async function load() {
	const headers = settings.apiKey ? { 'X-Tracker-Key': settings.apiKey } : {};
	const ping = await fetch(settings.pingEndpoint, { headers });
	shown.ping = ping.status;
	const url = new URL(settings.readEndpoint, location.origin);
	url.searchParams.set('since', '2000-01-01T00:00:00.000Z');
	const answer = await fetch(url, { headers: { Accept: 'application/json', ...headers } });
	if (!answer.ok) throw new Error(`read: ${answer.status}`);
	const { events } = await answer.json();
	const { title } = await import('./chart-B7kQz_3x.js');
	shown.lazy = title(0);
	put('count', title(events.length));
	shown.events = events.length;
}

put('path', location.pathname);
load().catch((error) => {
	shown.error = String(error);
});
