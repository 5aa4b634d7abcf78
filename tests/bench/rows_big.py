"""A database of millions of events: what small reads and the start cost, and how cost grows."""

import calendar
import os
import random
import time

from measure import (EVENTS, ROUNDS, SECONDS, Daemon, Figure, Row, directory, drop_file, fill, load, plain,
                     random_event, read, room, stamp, wait_hot)

PING = "/_tracker/ping"
NEWEST = "/_tracker?limit=50"
TOTAL = "/_tracker?limit=0"
PAGE = "/_tracker?limit=10000"
WINDOWS = 500
TURNS = 12
DAY_MS = 86400000

_made = {}


def most():
    """How many events: what is wanted, or what there is room for."""
    if "most" not in _made:
        _made["most"] = room(EVENTS)
    return _made["most"]


def database(events):
    """The one great database, with so many events at least."""
    path = _made.setdefault("path", os.path.join(directory(), "big.db"))
    if _made.get("events", 0) < events:
        fill(path, events)
        _made["events"] = events
    return path


def windows(daemon):
    """Targets for totals of random windows: from a millisecond to 30 days long, any length as likely
    as ten times that; half of them end anywhere in 30 days, half close to the newest event."""
    newest = milliseconds(daemon.read("limit=1")["events"][0]["timestamp"])
    dice = random.Random(1)
    targets = []
    for n in range(WINDOWS):
        back = dice.uniform(0, 30 * DAY_MS) if n % 2 else 10 ** dice.uniform(0, 5)
        until = int(newest - back)
        since = until - int(10 ** dice.uniform(0, 9.41))
        targets.append("%s&since=%s&until=%s" % (TOTAL, stamp(since), stamp(until)))
    return targets


def check_total(daemon, target):
    """What the tally says is what there is."""
    since, until = (target.split(name + "=")[1].split("&")[0] for name in ("since", "until"))
    told = daemon.get(target).json()["total"]
    counted = daemon.sql("select count(*) from events where ts between ? and ?", milliseconds(since),
                         milliseconds(until))[0][0]
    assert told == counted, (target, told, counted)


def milliseconds(text):
    base = time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(base) * 1000 + int(text[20:23])


def beside_ping(targets, coding="identity", check=None):
    """The median latency of those, and of a ping. Both change fourfold with what the processor's idle
    states cost at the moment, so they are taken in many short turns, of which the middle one counts."""
    daemon = Daemon(database=database(most()))
    wait_hot(daemon, PAGE)
    asked = targets(daemon) if callable(targets) else targets
    if check:
        check(daemon, asked)
    reads, pings = [], []
    for _ in range(TURNS * ROUNDS):
        pings.append(read(daemon, PING, coding, seconds=SECONDS / TURNS)["p50"])
        reads.append(read(daemon, asked, coding, seconds=SECONDS / TURNS))
    total = daemon.total()
    daemon.stop()
    reads.sort(key=lambda one: one["p50"])
    middle = reads[len(reads) // 2]
    note = "%d events; p99 %.3f ms, %.0f bytes" % (total, middle["p99"], middle["bytes"])
    if not isinstance(asked, str):
        note += "; the slowest of %d windows %.3f ms" % (len(asked), middle["slowest"])
    return Figure(middle["p50"], sorted(pings)[len(pings) // 2], note)


def newest(coding):
    return beside_ping(NEWEST, coding, lambda daemon, _: plain(daemon, NEWEST, coding, 50))


def totals():
    def check(daemon, targets):
        for target in targets[:20]:
            check_total(daemon, target)
    return beside_ping(windows, "identity", check)


def begin(dropped):
    """Seconds from the start of the program until it has acknowledged an event, and one second."""
    path = database(most())
    best, hot = None, None
    for _ in range(ROUNDS):
        if dropped:
            drop_file(path)
        began = time.monotonic()
        daemon = Daemon(database=path)
        daemon.save([random_event()])
        took = time.monotonic() - began
        best = took if best is None else min(best, took)
        hot = wait_hot(daemon, PAGE)
        daemon.stop()
    warm = "never" if hot is None else "%.1f s later" % hot
    return Figure(best, 1, "%d events; the newest 10,000 came from memory: %s" % (most(), warm))


def growth():
    """Prints its own table: the same figures at a tenth, three tenths and all of the events."""
    print("how cost grows%18s %12s %12s %12s %12s %12s" % (
        "events stored", "ingest/s", "newest 50", "total", "10,000 gzip", "ping"))
    for part in 1, 3, 10:
        events = most() * part // 10
        daemon = Daemon(database=database(events))
        hot = wait_hot(daemon, PAGE)
        total = daemon.total()
        asked = [read(daemon, what, coding, seconds=max(SECONDS / 3, 0.5))["p50"] for what, coding in (
            (NEWEST, "identity"), (windows(daemon), "identity"), (PAGE, "gzip"), (PING, "identity"))]
        rate = load(daemon, 32)["events"]
        daemon.stop()
        print("%32d %12.0f %9.3f ms %9.3f ms %9.3f ms %9.3f ms%s" % (
            total, rate, *asked, "" if hot is not None else "  (not from memory)"), flush=True)


NAME = "%d million events" % (EVENTS // 1000000) if EVENTS % 1000000 == 0 else "%d events" % EVENTS
ROWS = [
    Row("how cost grows", growth, "", 0),
    Row("newest 50 of %s : ping" % NAME, lambda: newest("identity"), "ms", 3, ("at most", 2)),
    Row("newest 50 of %s, gzip : ping" % NAME, lambda: newest("gzip"), "ms", 3),
    Row("total of any window of %s : ping" % NAME, totals, "ms", 3, ("at most", 5)),
    Row("start with %s : 1 second" % NAME, lambda: begin(False), "s", 2, ("at most", 1)),
    Row("start, the file not in memory : 1 second", lambda: begin(True), "s", 2, ("at most", 1)),
]
