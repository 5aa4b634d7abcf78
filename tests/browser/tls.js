/*
 * tls.js: a page of another origin and a daemon that speaks TLS: fetch, sendBeacon, WebSocket.
 *
 * The certificate is made by the openssl command; the browser is told to believe it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Daemon, program, readDatabase } from './daemon.js';
import { PATIENCE_MS, note, test, until } from './tap.js';

/* Runs in the page: sends one event each way, and reads them back by the last. */
async function talk(base) {
    const message = (n) =>
        JSON.stringify({ type: 'ingest', events: [{ id: '', timestamp: new Date().toISOString(), n }] });
    const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: message(1) };
    const posted = await (await fetch(`https://${base}/_tracker/events`, options)).json();
    const beacon = navigator.sendBeacon(`https://${base}/_tracker/events`, message(2));
    const socket = new WebSocket(`wss://${base}/_tracker/ws`);
    const heard = (what) =>
        new Promise((resolve, reject) => {
            socket.addEventListener(what, resolve, { once: true });
            socket.addEventListener('error', () => reject(new Error('the WebSocket failed')));
        });
    await heard('open');
    socket.send(message(3));
    const ack = JSON.parse((await heard('message')).data);
    socket.close(1000);
    const closed = await heard('close');
    const read = await (await fetch(`https://${base}/_tracker?limit=10`)).json();
    return { posted, beacon, ack, code: closed.code, clean: closed.wasClean, total: read.total };
}

export async function tls({ site, browser, folder: home }) {
    const folder = mkdtempSync(path.join(home, 'tls-'));
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name));
    const made = spawnSync('openssl', [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    ]);
    if (made.status !== 0) {
        note('no openssl command: TLS is not tried');
        return;
    }
    const database = path.join(folder, 'beacond.db');
    if (!readFileSync(program).includes('bufferevent_openssl')) {
        note('beacond was built without OpenSSL: TLS is not tried');
        return;
    }
    const daemon = await Daemon.start(database, ['--tls-cert', cert, '--tls-key', key]);
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    await page.goto(`${site.origin('127.0.0.1')}/reader.html`);
    await test('through TLS fetch, a beacon and a WebSocket do what they do without', async () => {
        const told = await page.evaluate(talk, `127.0.0.1:${daemon.port}`);
        assert.equal(told.posted.saved, 1);
        assert.equal(told.beacon, true);
        assert.deepEqual(told.ack, { type: 'ack', saved: 1 });
        assert.deepEqual([told.code, told.clean], [1000, true]);
        assert.ok(told.total >= 2);
        await until('the beacon to be stored', () => readDatabase(database).events.length === 3);
    });
    await context.close();
    await daemon.stop();
}
