"""Flat memory: large windows, readers that dawdle, and the WAL meanwhile (DESIGN.md 1, 4)."""

import atexit
import select
import shutil
import tempfile

import stores
from crowds import Reader
from harness import NOW, SLOW, Daemon, case, equal, event, main, poll, scale, stamp

COUNT = scale(2000000, 60000)
ROOM = 16 << 20

_seeded = []


def seeded():
    """A daemon over a database of COUNT events, made once."""
    if not _seeded:
        _seeded.append(_seed())
    # The cache has a bound of its own, which is kept out of what is measured here.
    return Daemon(database=_seeded[0], max_events=5000000, timeout="1h", drain="0s", cache_bytes="1M")


def _seed():
    # The directories of a case go with it; this one stays until the end.
    home = tempfile.mkdtemp(prefix="beacond-e2e-")
    atexit.register(shutil.rmtree, home, True)
    daemon = Daemon(database=stores.fresh(home, keep=True), synchronous="off")
    connection, step = daemon.connection(), 100000
    for start in range(0, COUNT, step):
        count = min(step, COUNT - start)
        daemon.save([b'{"timestamp":"%s","n":%d}' % (stamp(NOW + n // 50).encode(), n)
                     for n in range(start, start + count)], packed=True, connection=connection)
    connection.close()
    equal(daemon.total(), COUNT)
    daemon.stop()
    return daemon.database


def warm(daemon):
    """Lets it allocate what it always needs, and returns its resident bytes."""
    for _ in range(6):
        for headers in ({}, {"Accept-Encoding": "gzip"}):
            equal(daemon.request("GET", "/_tracker?limit=20000", headers).status, 200)
    daemon.save([event(NOW - 1000000) for _ in range(100)])
    daemon.reset_peak()
    return daemon.rss()


def check_grown(daemon, before, what):
    grown = daemon.peak() - before
    if not SLOW:  # a sanitizer's own memory is not the daemon's
        assert grown <= ROOM, "%s raised resident memory by %.1f MiB" % (what, grown / 1048576)


@case
def a_large_window_does_not_raise_memory():
    daemon = seeded()
    before = warm(daemon)
    total = daemon.total()
    for packed in (False, True):
        equal(Reader(daemon, packed).rest(), total)
        check_grown(daemon, before, "a window of %d events, %s" % (total, "gzip" if packed else "plain"))


def quiet(daemon):
    """Waits until the daemon does nothing any more: its clients have stalled it."""
    last = [daemon.cpu_ns(), 0]

    def still():
        now = daemon.cpu_ns()
        last[1] = last[1] + 1 if now - last[0] < 100000 else 0
        last[0] = now
        return last[1] >= 20

    poll(still, "the daemon to come to rest")


@case
def slow_readers_neither_raise_memory_nor_keep_the_wal():
    daemon = seeded()
    before = warm(daemon)
    total, wal = daemon.total(), lambda: stores.wal_bytes(daemon.database)
    readers = [Reader(daemon, packed, small=True) for packed in (False, True, False, False)]
    for reader in readers:
        reader.take(10000)
    quiet(daemon)
    check_grown(daemon, before, "stalled readers")
    # Enough is written to have the WAL checkpointed while they stall, again and again.
    sizes = []
    for round in range(3):
        for n in range(scale(40, 10)):
            daemon.save([event(NOW - 5000000 - n, payload='"%s"' % ("w" * 400)) for _ in range(100)])
            sizes.append(wal())
        poll(lambda: wal() == 0, "the WAL to be reset while readers are stalled (it has %d bytes)" % wal())
    assert max(sizes) > 0 or stores.POSTGRES, "nothing went through the WAL"
    check_grown(daemon, before, "stalled readers and ingest")
    for reader in readers[:2]:
        while reader.events < 3000 and reader.take(2000):
            pass
        equal(reader.rest(), total, "events of a reader that was slow")
    check_grown(daemon, before, "slow readers")
    for reader in readers[2:]:
        reader.sock.close()
    equal(daemon.get("/health").status, 200)


@case
def a_client_that_sends_while_it_is_answered_is_not_buffered():
    daemon = seeded()
    before = warm(daemon)
    reader = Reader(daemon, small=True)
    reader.sock.setblocking(False)
    sent, junk = 0, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10000
    while sent < 100 << 20:
        if not select.select([], [reader.sock], [], 0.5)[1]:
            break
        try:
            sent += reader.sock.send(junk)
        except OSError:
            break
    check_grown(daemon, before, "%d bytes sent behind a request" % sent)
    reader.sock.close()
    equal(daemon.get("/health").status, 200)


@case
def readers_that_go_away_leave_nothing_behind():
    daemon = seeded()
    before = warm(daemon)
    for n in range(scale(100, 20)):
        reader = Reader(daemon, packed=n % 2 == 0, small=True)
        reader.take(5000)
        reader.sock.close()
    quiet(daemon)
    check_grown(daemon, before, "readers that went away")
    equal(daemon.request("GET", "/_tracker?limit=1").status, 200)


@case
def ingest_of_many_batches_does_not_raise_memory_for_ever():
    daemon = Daemon(queue_size="8M")
    connection = daemon.connection()

    def send(count):
        for _ in range(count):
            daemon.save([event(payload='"%s"' % ("m" * 300)) for _ in range(1000)], connection=connection)

    send(scale(60, 10))
    daemon.reset_peak()
    before = daemon.rss()
    send(scale(120, 10))
    # The database's page cache may still be filling: it has its own bound of 64 MiB.
    grown = daemon.peak() - before
    assert SLOW or grown < 80 << 20, "%.1f MiB" % (grown / 1048576)


main()
