"""PostgreSQL as the store: ingest by one node and by several, and reads through one."""

import os
import sys
import time

import harness
import postgres
import runner
from measure import (CACHED, COLD, PROGRAMS, ROUNDS, SECONDS, WHOLE, Daemon, Figure, Row, directory, finish, load,
                     plain, port, program, read, start, wait_hot)
from sockets import Socket

CONNECTIONS = 32  # of all nodes together
PUSHES = 100
READ = min(CACHED, 100000)
# What a server of that size would have; the rest as it comes.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "huge_pages": "try"}

_made = {}


def there():
    """Whether there is a server, and a program that knows one; says so once where there is not."""
    if "server" not in _made:
        _made["server"] = None
        try:
            if not os.path.exists(os.path.join(PROGRAMS, "copy_bench")):
                raise runner.Skip("built without PostgreSQL")
            _made["server"] = postgres.Server(keep=True, **SETTINGS)
        except runner.Skip as skip:
            print("PostgreSQL: left out, %s" % skip, file=sys.stderr)
    return _made["server"] is not None


def fresh():
    """A new database, on a server that has nothing to write back."""
    postgres.psql(_made["server"].admin(), "checkpoint")
    return _made["server"].database(keep=True)


def done(database):
    postgres.psql(_made["server"].admin(), "drop database %s with (force)" % database.split("/")[3].split("?")[0])


def ingested(nodes, connections=CONNECTIONS):
    """Events a second that so many nodes acknowledge together, and how many a commit held."""
    database = fresh()
    daemons = [Daemon(database=database, node="n%d" % n) for n in range(nodes)]
    loads = [start("load", port(daemon), connections // nodes, SECONDS) for daemon in daemons]
    measured = [finish(one) for one in loads]
    assert not any(one["refused"] for one in measured), measured
    size = float(postgres.rows(database, "select avg(events)::float8 from commits")[0][0])
    for daemon in daemons:
        daemon.stop()
    done(database)
    return sum(one["events"] for one in measured), size, max(one["p99"] for one in measured)


def ingest():
    """One node, to COPY of as many rows a commit."""
    if not there():
        return None
    whole, rows, notes = [], [], []
    for _ in range(ROUNDS):
        events, size, p99 = ingested(1)
        batches = max(1, round(size / 25))
        database = fresh()
        rows.append(program("copy_bench", database, SECONDS, batches)["rows"])
        done(database)
        whole.append(events)
        notes.append("%d events a commit; p99 of an answer %.1f ms" % (batches * 25, p99))
    return Figure(max(whole), max(rows), notes[whole.index(max(whole))])


def several(nodes):
    def measure():
        if not there():
            return None
        many, one, notes = [], [], []
        for _ in range(ROUNDS):
            one.append(ingested(1)[0])
            events, size, p99 = ingested(nodes)
            many.append(events)
            notes.append("%.0f events a commit; p99 of an answer %.1f ms" % (size, p99))
        return Figure(max(many), max(one), notes[many.index(max(many))])
    return measure


def pushed():
    """Events one after the other, each sent to one node once another has pushed the one before."""
    if not there():
        return None
    database = fresh()
    near, far = [Daemon(database=database, node=name) for name in ("near", "far")]
    watcher = Socket(far).follow()
    delays = []
    for n in range(PUSHES):
        near.save([harness.event(int(time.time() * 1000))])
        began = time.monotonic()
        watcher.wait_pushes(n + 1)
        delays.append(time.monotonic() - began)
    for daemon in (near, far):
        daemon.stop()
    done(database)
    delays.sort()
    return Figure(PUSHES / sum(delays), 1, "behind the answer: half of them within %.1f ms, all within %.1f ms" % (
        delays[PUSHES // 2] * 1e3, delays[-1] * 1e3))


def whole(**options):
    """Plain bytes a second of a window, to zlib at level 1."""
    def measure():
        if not there():
            return None
        database, hot, fault = fresh(), not options, ""
        daemon = Daemon(database=database, **options)
        stored = 0
        while stored < READ:
            stored += int(load(daemon, CONNECTIONS, seconds=1)["answers"]) * 25
        total = daemon.total()
        if hot and wait_hot(daemon, WHOLE) is None:
            fault = COLD
        text = plain(daemon, WHOLE, "gzip", total)
        path = os.path.join(directory(), "document")
        with open(path, "wb") as file:
            file.write(text)
        answers, alone = [], []
        for _ in range(ROUNDS):
            alone.append(program("zlib_bench", path, SECONDS / 2))
            answers.append(read(daemon, WHOLE, "gzip"))
            if hot and answers[-1]["with_length"] < answers[-1]["count"]:
                fault = COLD
        daemon.stop()
        done(database)
        best, took = min(answer["p50"] for answer in answers), min(one["deflate"] for one in alone)
        return Figure(len(text) / 1e6 / (best / 1e3), len(text) / 1e6 / took, "%d events, %.1f MB in %.1f ms" % (
            total, len(text) / 1e6, best), fault)
    return measure


ROWS = [
    Row("PostgreSQL: ingest over HTTP, 32 connections : bare COPY", ingest, "events/s", 0, ("at least", 0.5)),
    Row("PostgreSQL: ingest by 2 nodes : by 1", several(2), "events/s", 0),
    Row("PostgreSQL: ingest by 3 nodes : by 1", several(3), "events/s", 0),
    Row("PostgreSQL: pushes by another node in turn : one a second", pushed, "events/s", 0, ("at least", 4)),
    Row("PostgreSQL: hot read, gzip : zlib level 1", whole(), "MB/s", 0, ("at least", 20)),
    Row("PostgreSQL: cold read, gzip : zlib level 1", whole(cache_events=0), "MB/s", 0),
]
