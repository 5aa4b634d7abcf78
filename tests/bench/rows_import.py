"""Import: how fast log files come in, and how fast they are passed over the second time."""

import os
import random
import subprocess
import time

from harness import BINARY
from measure import ROUNDS, SECONDS, Figure, Row, directory, program, stamp

EVENTS = 400000


def log_file(given):
    """So many events of 500 bytes, four a millisecond, with random ids or none."""
    path, dice, pad = os.path.join(directory(), "bench.log"), random.Random(1), "x" * 300
    now = int(time.time() * 1000) - EVENTS // 4
    with open(path, "w") as file:
        for n in range(EVENTS):
            name = "%08x-0000-4000-8000-%012x" % (dice.getrandbits(32), dice.getrandbits(48)) if given else ""
            file.write('{"id":"%s","timestamp":"%s","level":"info","type":"custom","appId":"shop",'
                       '"sessionId":"sess_%d","payload":{"n":%d,"text":"%s"},"meta":{"route":"/"}}\n'
                       % (name, stamp(now + n // 4), n // 20, n, pad))
    return path


def imports(database, path):
    """Lines a second."""
    began = time.monotonic()
    subprocess.run([BINARY, "import", "--database", database, path], check=True, stdout=subprocess.DEVNULL)
    return EVENTS / (time.monotonic() - began)


def measured(given, again=False):
    """Lines a second into a new database (or once more into that), and rows a second by SQLite."""
    path, rates, rows = log_file(given), [], []
    for _ in range(ROUNDS):
        rows.append(program("insert_bench", os.path.join(directory(), "bare.db"), SECONDS)["rows"])
        database = os.path.join(directory(), "import.db")
        rates.append(imports(database, path))
        if again:
            rates[-1] = imports(database, path)
    return Figure(max(rates), max(rows))


ROWS = [
    Row("import of a log with ids : bare SQLite inserts", lambda: measured(True), "events/s", 0, ("at least", 0.5)),
    Row("import of a log without ids : bare inserts", lambda: measured(False), "events/s", 0, ("at least", 0.5)),
    Row("the same log with ids again : bare inserts", lambda: measured(True, True), "events/s", 0, ("at least", 1)),
]
