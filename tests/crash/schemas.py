"""Databases as each schema version has left them, in tests/data/schema: known contents, to be opened by
what comes later.

  N.db.gz                          schema N, after SIGTERM
  N-killed.db.gz, -killed.wal.gz   the same with more in it, after kill -9: the rest is in the log
  N.json                           what is in them: see make()

A schema that is released is kept here for good. `python3 tests/crash/schemas.py N`, with BEACOND set, makes
those of the schema that this beacond writes. Migrations of tests: later-N.sql (tests/faults/later.h).
"""

import gzip
import json
import os
import sys
import time

from harness import DATA, NOW, Daemon, equal, event, run, shell, sliced, sql
from tally import check_tally

FOLDER = os.path.join(DATA, "schema")
ODD = [b'{"id":"","timestamp":"2026-11-20T12:00:00.5Z","price":19.90,"big":123456789012345678901234567890}',
       b'{"timestamp":"0000-01-01T00:00:00Z","type":"none","n":1e21}',
       b'{"id":"far","timestamp":"9999-12-31T23:59:59.999Z","a":"\\u0000\\ud800"}',
       b'{"id":"gr\xc3\xbcn","timestamp":"1969-12-31T23:59:59.999+00:00","a":1,"a":2}',
       b'{"id":null,"timestamp":"2026-11-20T13:00:00+01:00","userId":"u1"}']
BAD = [b'{"n":"no time"}', b'{"timestamp":"yesterday"}', b'7']
USER = "who-was-forgotten"


def versions():
    return sorted(int(name[:-6]) for name in os.listdir(FOLDER) if name.endswith(".db.gz") and "-" not in name)


def known(version):
    with open(os.path.join(FOLDER, "%d.json" % version), encoding="utf-8") as file:
        return json.load(file)


def unpack(version, folder, killed=False):
    """One of them, laid into the folder. Returns its path."""
    path = os.path.join(folder, "beacond.db")
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    for suffix, packed in [("", ".db.gz")] if not killed else [("", "-killed.db.gz"), ("-wal", "-killed.wal.gz")]:
        with gzip.open(os.path.join(FOLDER, "%d%s" % (version, packed))) as file, open(path + suffix, "wb") as out:
            out.write(file.read())
    return path


def later(*numbers):
    """The environment in which beacond-later knows these migrations (2: from schema 1 to 2)."""
    return {"FAULTY_LATER": ":".join(os.path.join(FOLDER, "later-%d.sql" % n) for n in numbers)}


def check_contents(database, version, killed=False, dated=True, **more):
    """The daemon on it, whichever is in `more`: everything is there, and it goes on from there. dated: the
    receipts are young enough to count."""
    was = known(version)
    expected = (was["behind"] if killed else []) + was["events"]
    daemon = Daemon(database=database, **more)
    answer = daemon.get("/_tracker")
    equal([text.decode() for text in sliced(answer.body)], expected, "events")
    equal(answer.json()["total"], len(expected), "total")
    first = daemon.get("/_tracker?limit=10&until=2026-11-21T03:00:00Z&cursor=" + was["cursor"]).json()
    equal([e["id"] for e in first["events"]], was["next"], "the page behind a cursor of then")
    equal([row[0].decode() for row in daemon.sql("select event from rejects order by n")], was["rejects"])
    check_tally(database)
    if dated:
        for body in was["bodies"]:
            texts = [text.encode("latin-1") for text in body]
            equal(daemon.post(texts).json()["duplicate"], len(texts), "sent again")
    given = daemon.post([event(NOW, 3, "given-3")]).json()
    equal(given["duplicate"], 1, "an id of then")
    daemon.save([event(NOW + 10 ** 7, 1, "new")])
    equal(daemon.total(), len(expected) + 1)
    daemon.stop()
    check_tally(database)


def date_receipts(database):
    """Receipts count for seven days."""
    shell(database, "update receipts set at = %d" % (time.time() * 1000))


def pack(path, name):
    with open(path, "rb") as file, open(os.path.join(FOLDER, name), "wb") as out:
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as packed:
            packed.write(file.read())


def make(version):
    """events: the texts as they are read, newest first; behind: those that only the killed one has, which
    are newer. bodies: batches that were sent, of bytes (latin-1). next: ids of the page behind cursor."""
    daemon = Daemon()
    bodies = [ODD, [event(NOW - n * 86400000, n) for n in range(30)], [event(NOW, n, "given-%d" % n) for n in range(5)]]
    for body in bodies:
        daemon.save(body)
    equal(daemon.post(BAD).json()["rejected"], len(BAD))
    daemon.save([event(NOW, n)[:-1] + b',"userId":"%s"}' % USER.encode() for n in range(70, 80)])
    equal(run("forget", "--database", daemon.database, "--user", USER).returncode, 0)
    texts = [text.decode() for text in sliced(daemon.get("/_tracker").body)]
    page = daemon.read("limit=10&until=2026-11-21T03:00:00Z")
    behind = daemon.read("limit=10&until=2026-11-21T03:00:00Z&cursor=" + page["nextCursor"])
    out = {"events": texts, "behind": [], "rejects": [text.decode() for text in BAD],
           "bodies": [[text.decode("latin-1") for text in body] for body in bodies],
           "cursor": page["nextCursor"], "next": [e["id"] for e in behind["events"]]}
    daemon.stop()
    equal(sql(daemon.database, "pragma user_version"), [(version,)])
    pack(daemon.database, "%d.db.gz" % version)
    again = Daemon(database=daemon.database)
    again.save([b'{"id":"killed-%d","timestamp":"9999-12-31T23:59:59.999Z"}' % n for n in range(20)])
    out["behind"] = [text.decode() for text in sliced(again.get("/_tracker").body)][:20]
    again.signal(9)
    again.ended()
    pack(again.database, "%d-killed.db.gz" % version)
    pack(again.database + "-wal", "%d-killed.wal.gz" % version)
    with open(os.path.join(FOLDER, "%d.json" % version), "w", encoding="utf-8") as file:
        json.dump(out, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    make(int(sys.argv[1]))
