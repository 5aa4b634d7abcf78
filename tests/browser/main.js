/*
 * main.js: the browser tests of beacond: real pages of another origin, in Debian's Chromium, against a
 * real daemon; and node's ws, another client of its WebSockets. Reports TAP on stdout.
 *
 * To run them by hand, in the build tree, with chromium, node (18.3 or newer) and python3 installed:
 *
 *     npm ci --prefix SOURCES/tests/browser
 *     BEACOND=src/beacond SOURCES/tests/browser/run.sh [GROUP…]
 *
 * GROUP is ingest, retries, origins, reading, feed, socket, closing, tls, dashboard, page_ui, page_live or
 * node_ws; all of them by default.
 * Where they can't run they say so: "1..0 # SKIP" with the reason. In the environment:
 *
 *     BEACOND                the daemon (./src/beacond)
 *     BEACOND_NODE_MODULES   where playwright-core, axe-core and ws are installed (node_modules beside this file)
 *     BEACOND_CHROMIUM       the browser (the chromium of the PATH)
 *
 *     tap.js         tests as TAP, waiting for conditions
 *     daemon.js      starting and stopping beacond, looking into its database
 *     proxy.js       between the browser and the daemon: writes down, and cuts connections
 *     world.js       all that together for a group of tests, and the ledger of what was emitted
 *     frames.js      counts the frames of a WebSocket that passes the proxy
 *     dial.js        WebSockets of pages
 *     ingest.js retries.js origins.js reading.js feed.js socket.js closing.js
 *     tls.js dashboard.js node_ws.js         the tests
 *     page_ui.js page_live.js        those of the daemon's own page (page_look.js: what they share)
 *     page/          what runs in the browser: client.js is the client, reader.js the dashboard, link.js
 *                    a WebSocket (node_ws.js uses it too)
 */
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { closing } from './closing.js';
import { dashboard } from './dashboard.js';
import { feed } from './feed.js';
import { ingest } from './ingest.js';
import { nodeWs } from './node_ws.js';
import { origins } from './origins.js';
import { pageLive } from './page_live.js';
import { pageUi } from './page_ui.js';
import { reading } from './reading.js';
import { retries } from './retries.js';
import { socket } from './socket.js';
import { failures, finish, note, test } from './tap.js';
import { tls } from './tls.js';
import { Site } from './world.js';

const groups = {
    ingest, retries, origins, reading, feed, socket, closing, tls, dashboard, page_ui: pageUi, page_live: pageLive,
    node_ws: nodeWs,
};

const flags = [
    '--headless',
    '--no-sandbox', // it can't have one as root, or in most containers
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    /* Foreign pages: names that are nobody's, served here. */
    '--host-resolver-rules=MAP *.example 127.0.0.1',
];

function skip(reason) {
    console.log(`1..0 # SKIP ${reason}`);
    process.exit(0);
}

function findChromium() {
    const places = (process.env.PATH ?? '').split(':').map((folder) => path.join(folder, 'chromium'));
    const found = process.env.BEACOND_CHROMIUM ?? places.find((place) => existsSync(place));
    if (found === undefined) skip('chromium is not installed');
    /* A snap sees neither our files nor, in a container, anything at all. */
    if (realpathSync(found).includes('snap')) skip('chromium is a snap here, which tests can not drive');
    return found;
}

function findModule(name) {
    const beside = fileURLToPath(new URL('node_modules', import.meta.url));
    const modules = path.resolve(process.env.BEACOND_NODE_MODULES ?? beside);
    try {
        return createRequire(import.meta.url)(path.join(modules, name));
    } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND') throw error;
        return skip(`${name} is not installed (npm ci in tests/browser)`);
    }
}

async function run(stage, names) {
    for (const name of names) {
        const before = failures();
        note(name);
        try {
            await groups[name](stage);
        } catch (error) {
            /* Outside of any test: what the rest of the group needs is not there. */
            await test(`${name} runs to its end`, () => Promise.reject(error));
        }
        if (failures() > before) note(`${name}: ${failures() - before} failed`);
    }
}

const names = process.argv.slice(2);
if (names.some((name) => !(name in groups))) {
    console.error(`usage: run.sh [${Object.keys(groups).join('|')}]...`);
    process.exit(2);
}
const executablePath = findChromium();
const { chromium } = findModule('playwright-core');
const { WebSocket } = findModule('ws');
const axe = findModule('axe-core').source;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

const folder = mkdtempSync(path.join(tmpdir(), 'beacond-browser-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const site = await Site.open();
const browser = await chromium.launch({
    executablePath,
    args: flags,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
});
note(`Chromium ${browser.version()}, node ${process.version}`);
try {
    await run({ browser, site, folder, WebSocket, axe }, names.length > 0 ? names : Object.keys(groups));
} finally {
    await browser.close();
    await site.close();
}
process.exit(finish() ? 0 : 1);
