"""`make sizes`: what events take on disk, and what the daemon takes in memory, for README's "Sizing".

    python3 $srcdir/tests/bench/sizes.py [EVENTS]     from the build tree, once make has built the programs

Bytes alone, so it may run beside anything. EVENTS (250000) is how many each database gets; the cache is
filled to its default of 500,000 all the same. Events are those of tests/data/stock-client, 25 a POST
that is a session of its own, dated as so many a day would be: at 100,000 a day nearly every event is the
only one of its second, and has a row of the tally to itself.
"""

import json
import os
import resource
import socket
import sqlite3
import sys
import time

from measure import Daemon, directory, load, settled, stamp, start  # first: it knows where those below are
import certs
import harness
import rows_ingest

EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 250000
DAY_MS = 24 * 3600 * 1000
FLUSH = 25
FLUSH_MS = 10000  # one flush of the stock client holds what happened in so long
CLIENTS = 2000
READERS = 16
WHOLE = "GET /_tracker HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\n\r\n"
# What is in the database, by the beginnings of names.
PARTS = (("events", "sqlite_autoindex_events"), ("events_by_time",), ("events_given",), ("tally_",), ("receipts",))


def tell(what, figure, unit):
    print("%-68s %10s %s" % (what, figure, unit), flush=True)


def templates():
    path = os.path.join(harness.DATA, "stock-client", "events.ndjson")
    with open(path, "rb") as file:
        return [line.rstrip(b"\n") for line in file][:FLUSH]


def texts(a_day, events, ids):
    """Bodies' events, FLUSH at a time, the last of them of this moment; with an id of the client's own
    if ids."""
    kept = [json.loads(line) for line in templates()]
    flushes = events // FLUSH
    every = DAY_MS * FLUSH / a_day
    now = int(time.time() * 1000)
    for n in range(flushes):
        begin = now - FLUSH_MS - (flushes - n) * every
        for i, event in enumerate(kept):
            event["sessionId"] = "sess_%016x" % n + event["sessionId"][21:]
            event["timestamp"] = stamp(int(begin + i * FLUSH_MS / FLUSH))
            event["id"] = "%08x-0000-4000-8000-%012x" % (n, i) if ids else ""
        yield [json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() for event in kept]


def of_parts(database):
    """Bytes of the pages of each of PARTS, and of all others."""
    with sqlite3.connect("file:%s?mode=ro" % database, uri=True) as connection:
        rows = connection.execute("select name, sum(pgsize) from dbstat group by name").fetchall()
    found = []
    for part in PARTS:
        mine = [row for row in rows if row[0] in part or part[0].endswith("_") and row[0].startswith(part[0])]
        found.append(sum(row[1] for row in mine))
    return found, sum(row[1] for row in rows) - sum(found)


def disk(a_day, ids=False):
    daemon = Daemon()
    connection, sent = daemon.connection(), 0
    for one in texts(a_day, EVENTS, ids):
        daemon.save(one, connection=connection)
        sent += sum(map(len, one))
    connection.close()
    path = daemon.database
    daemon.stop()
    found, others = of_parts(path)
    count = EVENTS // FLUSH * FLUSH
    what = "%d a day%s" % (a_day, ", ids of the client's own" if ids else "")
    tell("an event as it is sent, %s" % what, "%.0f" % (sent / count), "bytes")
    tell("  in the database, all in all", "%.0f" % (os.path.getsize(path) / count), "bytes")
    for part, size in zip(("table events", "index by time", "index of given ids", "tallies", "receipts"), found):
        tell("    " + part, "%.1f" % (size / count), "bytes")
    tell("    other pages", "%.1f" % (others / count), "bytes")
    return path, count


def copies(path, count):
    """A backup and an export of it."""
    copy = os.path.join(directory(), "copy.db")
    harness.run("backup", "--database", path, copy)
    tell("a backup of these, an event", "%.0f" % (os.path.getsize(copy) / count), "bytes")
    lines = os.path.join(directory(), "events.ndjson")
    harness.run("export", "--database", path, "--output", lines)
    tell("an export of these, an event", "%.0f" % (os.path.getsize(lines) / count), "bytes")


def log_ahead():
    """The write-ahead log, at its largest while eight connections send without a pause, and at rest."""
    daemon = Daemon()
    log, most = daemon.database + "-wal", 0
    process = start("load", daemon.address.rsplit(":", 1)[1], 8, 600, "count=8000")
    while process.poll() is None:
        most = max(most, os.path.getsize(log))
        time.sleep(0.01)
    tell("write-ahead log under full load", "%.0f" % (most / 2**20), "MiB")
    harness.poll(lambda: os.path.getsize(log) == 0, "the write-ahead log is put back when nothing comes in")
    tell("  at rest", "0", "MiB")
    daemon.stop()


def each(what, daemon, opened):
    """Resident bytes for each of the connections that opened() makes."""
    before = daemon.rss()
    sockets = opened(daemon)
    tell(what, "%.1f" % ((daemon.rss() - before) / len(sockets) / 1024), "KiB")
    for sock in sockets:
        sock.close()


def answered(sock, request):
    sock.sendall(request)
    assert sock.recv(4096).startswith(b"HTTP/1.1 200"), "no answer"
    return sock


def http_connections(daemon, wrap=lambda sock: sock):
    place = harness.parse_address(daemon.address)[1]
    return [answered(wrap(socket.create_connection(place)), b"GET /_tracker/ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for _ in range(CLIENTS)]


def tls_connections(daemon):
    context = certs.context()
    return http_connections(daemon, lambda sock: context.wrap_socket(sock, server_hostname="localhost"))


def slow_readers(coding):
    def opened(daemon):
        sockets = []
        for _ in range(READERS):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(harness.parse_address(daemon.address)[1])
            sock.sendall((WHOLE % coding).encode())
            assert sock.recv(12) == b"HTTP/1.1 200", "no answer"
            sockets.append(sock)
        settled(daemon, 2)
        return sockets
    return opened


def memory(path):
    quiet = {"ping_interval": "0s", "drain": "0s", "timeout": "1h"}
    daemon = Daemon(**quiet)
    tell("resident, started with nothing stored", "%.1f" % (daemon.rss() / 2**20), "MiB")
    load(daemon, 8, seconds=2)
    daemon.reset_peak()
    each("for each idle HTTP connection, of %d" % CLIENTS, daemon, http_connections)
    each("for each idle WebSocket, of %d" % rows_ingest.IDLE, daemon, rows_ingest.idle_websockets)
    daemon.stop()

    folder = certs.authority()
    daemon = Daemon(tls_cert=os.path.join(folder, "cert.pem"), tls_key=os.path.join(folder, "key.pem"), **quiet)
    each("for each idle connection over TLS, of %d" % CLIENTS, daemon, tls_connections)
    daemon.stop()

    daemon = Daemon(**quiet)
    load(daemon, 8, "count=20000", seconds=600)
    tell("resident at the most, while 500,000 events came without a pause", "%.0f" % (daemon.peak() / 2**20), "MiB")
    tell("resident behind that, with the cache full of them", "%.0f" % (settled(daemon) / 2**20), "MiB")
    database = daemon.database
    daemon.stop()
    for what, options in ("with the cache, after a restart", {}), ("without it (cache-events = 0)", {"cache_events": 0}):
        daemon = Daemon(database=database, **quiet, **options)
        tell("resident %s" % what, "%.0f" % (settled(daemon) / 2**20), "MiB")
        daemon.stop()

    for coding in "gzip", "identity":
        daemon = Daemon(database=path, cache_events=0, **quiet)
        daemon.request("GET", "/_tracker?limit=20000", {"Accept-Encoding": coding})
        each("for each read from the database that waits for its client, %s" % coding, daemon, slow_readers(coding))
        daemon.stop()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    copies(*disk(100000))
    path, _ = disk(10000000)
    disk(10000000, ids=True)
    log_ahead()
    memory(path)


main()
