/*
 * daemon.js: a real beacond on a port and a database of its own, and what is in that database.
 *
 * The database is read, and locked, by python's sqlite3: node has none before version 22.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export const program = process.env.BEACOND ?? './src/beacond';
const running = new Set();

/* To the daemon every BEACOND_… in the environment is an option. The configuration that this machine may
 * have is not for tests. */
const environment = Object.fromEntries([
    ...Object.entries(process.env).filter(([name]) => !name.startsWith('BEACOND')),
    ['BEACOND_CONFIG', ''],
]);

/* The last resort: nothing that was started here stays behind. */
process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
});

function start(command, args, stdio) {
    const child = spawn(command, args, { stdio, env: environment });
    running.add(child);
    child.on('exit', () => running.delete(child));
    return child;
}

export class Daemon {
    /* database: a path; options: flags. Resolves once the daemon is ready. */
    static async start(database, options) {
        const daemon = new Daemon();
        daemon.database = database;
        daemon.options = options;
        daemon.log = [];
        daemon.port = 0;
        await daemon.run();
        return daemon;
    }

    /* Again, after stop() or kill(): same port, same database. */
    async run() {
        const flags = ['--listen', `127.0.0.1:${this.port}`, '--database', this.database];
        this.child = start(program, ['serve', ...flags, ...this.options], ['ignore', 'inherit', 'pipe']);
        this.ended = once(this.child, 'exit');
        this.ended.catch(() => {}); // a program that is not there: told below
        await new Promise((resolve, reject) => {
            this.child.on('error', reject);
            this.child.on('exit', () => reject(new Error(`${program} ended:\n${this.log.join('\n')}`)));
            createInterface({ input: this.child.stderr }).on('line', (line) => {
                this.log.push(line);
                const listening = /listening on 127\.0\.0\.1:(\d+)( with TLS)?$/.exec(line);
                if (listening) this.port = Number(listening[1]);
                if (/\bready$/.test(line)) resolve();
            });
        });
    }

    async end(signal) {
        this.child.kill(signal);
        await this.ended;
    }

    /* In good order. Resolves with the exit code. */
    async stop() {
        await this.end('SIGTERM');
        return this.child.exitCode;
    }

    /* As a power cut would, but for the disk. */
    async kill() {
        await this.end('SIGKILL');
    }
}

const readRows = `
import json, sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
print(json.dumps([[row[0] for row in db.execute("SELECT event FROM events")],
                  db.execute("SELECT count(*) FROM rejects").fetchone()[0]]))
`;

/* {events: [TEXT…], rejects: COUNT} */
export function readDatabase(database) {
    const child = spawnSync('python3', ['-c', readRows, database], {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
    });
    if (child.status !== 0) throw new Error(`can't read ${database}: ${child.stderr}`);
    const [events, rejects] = JSON.parse(child.stdout);
    return { events, rejects };
}

const holdLock = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
db.execute("ROLLBACK")
`;

/* Keeps everyone else from writing. Resolves, once it does, with the function that lets them again. */
export async function lockDatabase(database) {
    const child = start('python3', ['-c', holdLock, database], ['pipe', 'pipe', 'inherit']);
    const ended = once(child, 'exit');
    const locked = once(child.stdout, 'data');
    await Promise.race([
        locked,
        ended.then(() => Promise.reject(new Error(`can't lock ${database}`))),
    ]);
    return async () => {
        child.stdin.end();
        await ended;
    };
}
