"""Export beside a bare SELECT of the same events in the same order."""

import os
import sqlite3
import subprocess
import time

from measure import CACHED, ROUNDS, Figure, Row, directory, fill, room

from harness import BINARY

_made = {}


def database():
    if "database" not in _made:
        _made["events"] = room(CACHED)
        _made["database"] = fill(os.path.join(directory(), "export.db"), _made["events"])
    return _made["database"]


def select(path):
    """Seconds."""
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    began, rows = time.monotonic(), 0
    for row in connection.execute("select event from events order by ts, seq"):
        rows += 1
    took = time.monotonic() - began
    connection.close()
    assert rows == _made["events"], rows
    return took


def export(path, form):
    """Seconds."""
    began = time.monotonic()
    done = subprocess.run([BINARY, "export", "--database", path, "--format", form], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=True)
    took = time.monotonic() - began
    assert b": %d events, " % _made["events"] in done.stderr, done.stderr
    return took


def rate(form):
    path = database()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(select(path))
        ours.append(export(path, form))
    return Figure(_made["events"] / min(ours), _made["events"] / min(theirs))


ROWS = [
    Row("export of %d events : a bare SELECT" % CACHED, lambda: rate("ndjson"), "events/s", 0, ("at least", 0.5)),
    Row("export of %d events as CSV : a bare SELECT" % CACHED, lambda: rate("csv"), "events/s", 0),
]
