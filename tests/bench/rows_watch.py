"""What being watched costs, and what a change has cost: ingest beside itself."""

import contextlib
import os
import threading

import harness
from measure import BINARY, ROUNDS, Daemon, Figure, Row, load

SCRAPES = 10  # of /metrics a second
BEFORE = os.environ.get("BENCH_BEFORE")


@contextlib.contextmanager
def scraped(daemon):
    over, seen = threading.Event(), []

    def scrape():
        while not over.wait(1 / SCRAPES):
            seen.append(daemon.get("/metrics").status)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert seen and set(seen) == {200}, seen


def watched():
    """Ingest while /metrics is read, and while it is not."""
    beside, alone = [], []
    for _ in range(ROUNDS):
        daemon = Daemon()
        alone.append(load(daemon, 32)["events"])
        with scraped(daemon):
            beside.append(load(daemon, 32)["events"])
        daemon.stop()
    return Figure(max(beside), max(alone))


def before():
    """Ingest by this binary, and by the one that BENCH_BEFORE names."""
    if BEFORE is None:
        print("ingest : that of an older beacond: set BENCH_BEFORE to its binary")
        return None
    rates = {BINARY: [], BEFORE: []}
    for _ in range(ROUNDS):
        for binary in rates:
            harness.BINARY = binary
            daemon = Daemon()
            rates[binary].append(load(daemon, 32)["events"])
            daemon.stop()
    harness.BINARY = BINARY
    return Figure(max(rates[BINARY]), max(rates[BEFORE]))


ROWS = [
    Row("ingest, /metrics read %d times a second : not" % SCRAPES, watched, "events/s", 0, ("at least", 0.9)),
    Row("ingest : that of an older beacond", before, "events/s", 0, ("at least", 0.95)),
]
