"""The power fails: whatever the disk had not been told to keep may be gone, or there in part, in any
order (platter.py). What was answered for is there once, and nothing is there that was not sent.

A run is scripted and recorded (script.py); from the record come disks, for every moment at which
something is flushed, and each is opened. BEACOND_TEST_LONG=1: hundreds at each such moment, and the
daemon itself is started on every tenth of them."""

import collections
import os
import shutil
import sqlite3

from harness import NOW, Daemon, case, directory, equal, main
from platter import Disk, disks_of, generator
from script import Script, plain
from world import LONG, SEED

SUBSETS = 100 if LONG else 4
STARTED = 10 if LONG else 60  # one of so many disks is a daemon started on
STEPS = (("second", 1000), ("minute", 60000), ("hour", 3600000), ("day", 86400000))
USER = "visitor-of-the-cellar"
MARK = b"planted-mark-4711"


# --- what must be right -----------------------------------------------------------------------

class Schema:
    """What sqlite_schema holds, of a database that is whole."""

    def __init__(self, database):
        connection = sqlite3.connect(database)
        self.rows = self.read(connection)
        connection.close()

    @staticmethod
    def read(connection):
        return sorted(connection.execute("select type, name, sql from sqlite_schema"))


def check_counts(got, least, most, what):
    lost = least - got
    extra = got - most
    assert not lost, "%d %s lost, such as %r" % (sum(lost.values()), what, sorted(lost)[:2])
    assert not extra, "%d %s never sent, erased or stored twice, such as %r" % (
        sum(extra.values()), what, sorted(extra)[:2])


def look(path, schema):
    """A database by SQLite alone: whole? Its events and rejects as texts; None when there is no schema
    yet."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma synchronous = off")
    try:
        equal(connection.execute("pragma integrity_check").fetchall(), [("ok",)])
        if not connection.execute("select count(*) from sqlite_schema").fetchone()[0]:
            return None
        equal(Schema.read(connection), schema.rows, "schema")
        equal(connection.execute("pragma user_version").fetchone()[0], 1)
        connection.text_factory = bytes
        rows = connection.execute("select seq, ts, id, event from events").fetchall()
        for name, ms in STEPS:
            counted = collections.Counter(ts // ms * ms for _, ts, _, _ in rows)
            equal(dict(connection.execute("select at, events from tally_%s" % name)), dict(counted), "tally_" + name)
        last = connection.execute("select value from meta where name = 'last_seq'").fetchone()[0]
        equal(len({id for _, _, id, _ in rows}), len(rows), "distinct ids")
        assert last <= max([seq for seq, _, _, _ in rows], default=last)
        return (collections.Counter(plain(text) for _, _, _, text in rows),
                collections.Counter(row[0] for row in connection.execute("select event from rejects")))
    finally:
        connection.close()


def check_files(ledger, folder, now, schema):
    """What backup and export have written beside the database: whole or not there, and there once the
    command has said so."""
    for name in {name for name, _, _ in ledger.files}:
        path = os.path.join(folder, name)
        done = [began for one, began, ended in ledger.files if one == name and ended <= now]
        if not os.path.exists(path):
            assert not done, "%s is not there" % name
            continue
        begun = [began for one, began, _ in ledger.files if one == name and began < now]
        since, until = max(done) if done else min(begun), now
        least = ledger.bounds(ledger.items, since)[0]
        for item in ledger.items:
            if item.leaving < until:
                least.pop(item.text, None)
        most = collections.Counter(item.text for item in ledger.items if item.sent < until)
        if name.endswith(".db"):
            events = look(path, schema)
            assert events, name + " is empty"
            check_counts(events[0], least, most, "events of " + name)
        else:
            with open(path, "rb") as file:
                lines = collections.Counter(plain(line) for line in file.read().splitlines())
            check_counts(lines, least, most, "lines of " + name)


def check_disk(ledger, folder, now, schema):
    """All that can be told without the daemon."""
    path = os.path.join(folder, "beacond.db")
    for mark, since in ledger.banned:
        for suffix in ("", "-wal", "-journal"):
            if now >= since and os.path.exists(path + suffix):
                with open(path + suffix, "rb") as file:
                    assert mark not in file.read(), "%r is back in %s" % (mark, suffix or "the database")
    check_files(ledger, folder, now, schema)
    there = os.path.exists(path) and look(path, schema)
    events, rejects = there or (collections.Counter(), collections.Counter())
    check_counts(events, *ledger.bounds(ledger.items, now), "events")
    check_counts(rejects, *ledger.bounds(ledger.rejects, now), "rejects")


def check_started(ledger, folder, now, schema):
    """The daemon on it: it starts, knows what it has answered for, and goes on."""
    with open(os.path.join(folder, "beacond.db-shm"), "wb") as file:  # whatever is in it means nothing
        file.write(generator("shm", now).randbytes(32768))
    daemon = Daemon(database=os.path.join(folder, "beacond.db"))
    leaving = {item.text for item in ledger.items if item.leaving < now}
    bodies = [texts for texts, acked in ledger.bodies
              if acked <= now and not any(plain(text) in leaving for text in texts)]
    for texts in bodies[-6:]:
        answer = daemon.post(texts).json()
        equal((answer["saved"], answer["duplicate"]), (len(texts), len(texts)), "sent again")
    daemon.save([b'{"id":"","timestamp":"2030-01-01T00:00:00Z","n":"behind"}'])
    least, most = ledger.bounds(ledger.items, now)
    total = daemon.total() - 1
    assert sum(least.values()) <= total <= sum(most.values()), total
    daemon.stop()
    shutil.rmtree(daemon.directory)
    there = look(daemon.database, schema)
    there[0][plain(b'{"id":"","timestamp":"2030-01-01T00:00:00Z","n":"behind"}')] -= 1
    check_counts(+there[0], least, most, "events behind a start")


# --- the disks of a run -----------------------------------------------------------------------

def try_disks(script, entries, schema, subsets=SUBSETS, started=STARTED, between=0.02, only=None):
    """Opens them all. Returns how many there were, and how often something was flushed."""
    folder, dice, count, starts = directory(), generator(SEED, "disks"), 0, 0
    platter = script.platter()
    for now, disk in disks_of(platter, entries, dice, subsets, between):
        if only is not None and count not in only:
            count += 1
            continue
        disk.lay(folder)
        try:
            check_disk(script.ledger, folder, now, schema)
            if started and count % started == 0:
                disk.lay(folder)
                check_started(script.ledger, folder, now, schema)
                starts += 1
        except Exception as error:
            kept = os.environ.get("BEACOND_KEEP")
            if kept:
                disk.lay(kept)
            raise AssertionError("BEACOND_SEED=%d, disk %d (%s) at %d of the record, %s: %s: %s" % (
                SEED, count, disk.what, now, {name: len(data) for name, data in disk.files.items()},
                type(error).__name__, error)) from error
        count += 1
    print("# %d disks at %d flushes, a daemon started on %d; %d events" % (
        count, platter.flushes, starts, len(script.ledger.items)), flush=True)
    return count, platter.flushes


def schema_of(script):
    path = os.path.join(directory(), "whole.db")
    Disk("", {"whole.db": open(script.database, "rb").read()}).lay(os.path.dirname(path))
    return Schema(path)


def judged(script, **more):
    entries = script.finish()
    return try_disks(script, entries, schema_of(script), **more)


def ingest(script, rounds):
    """Batches of every kind, retries among them."""
    for n in range(rounds):
        first, more = script.events(2), script.events(1)
        script.post(first)
        script.post(first, duplicate=2)
        script.post(first + more, duplicate=2)
        script.post(script.events(1, id="own"), bad=[b'{"n":"no time %d.%d"}' % (script.n, n)])
        script.together([script.events(1 + k) for k in range(3)])
        script.together([first, script.events(1)])  # a retry over a WebSocket


@case
def what_was_answered_for_is_there_after_a_loss_of_power():
    script = Script()
    script.start()
    ingest(script, 2)
    script.settle()
    ingest(script, 1)
    script.stop()
    script.start()
    ingest(script, 1)
    script.stop()
    script.log(script.events(20))
    judged(script)


@case
def a_database_that_is_being_made_is_made_by_the_next_start():
    script = Script()
    script.start()
    script.stop()
    judged(script, subsets=20 if LONG else 3, started=1 if LONG else 4, between=0.2)


def large(script, count):
    """A batch whose commit takes more pages than are put back at once (store/sqlite/checkpoint.c)."""
    script.post([text[:-1] + b',"pad":"%s"}' % (b"%d " % n * 2000) for n, text in enumerate(script.events(count))])


@case
def a_log_that_is_put_back_in_parts_loses_nothing():
    script = Script()
    script.start()
    # The second and third find a part to be put back; in 4,000 pages all of it, and the log begins anew.
    for _ in range(16 if LONG else 3):
        large(script, 300)
    script.post(script.events(2))
    script.stop()
    judged(script, subsets=1, started=20, between=0)


@case
def what_a_killed_daemon_had_not_flushed_is_not_answered_for_until_it_is():
    for by_hand in (False, True):
        killed(by_hand)


def killed(by_hand):
    script = Script()
    if by_hand:
        script.made_by_hand()
    script.start()
    for _ in range(2):
        script.post(script.events(2))
        texts = script.events(3)
        script.cut_off(texts)
        script.start()
        script.post(texts, duplicate=3)  # written before the kill, and found again: but on the disk?
        script.post(script.events(1))
        given = script.events(2, id="own")
        script.cut_off(given)
        script.start()
        script.post(given, duplicate=2)
    script.stop()
    judged(script)


@case
def kill_9_at_any_moment_and_a_loss_of_power_behind_it_lose_nothing():
    script, dice, pending = Script(), generator(SEED, "kills"), None
    for _ in range(100 if LONG else 8):
        pending = script.risky(dice.randrange(1, 150), 12, pending)
    script.risky(0, 2, pending)
    judged(script, subsets=10 if LONG else 1)


@case
def what_was_erased_stays_erased_and_its_neighbours_stay():
    script = Script()
    script.start()
    script.post(script.events(30, ms=NOW - 10 ** 9))
    script.post(script.events(3) + script.events(2, user=USER, mark=MARK.decode()) + script.events(2))
    script.settle()
    script.post(script.events(4))
    script.erase(lambda text: USER.encode() in text, "forget", "--user", USER, mark=MARK)
    script.post(script.events(2))
    script.erase(lambda text: b'"timestamp":"2026-11-0' in text, "prune", "--before", "2026-11-20T00:00:00Z")
    script.post(script.events(2))
    script.stop()
    judged(script)


@case
def backups_and_exports_are_whole_or_not_there():
    script = Script()
    script.start()
    script.post(script.events(20))
    backup, export = (os.path.join(script.folder, name) for name in ("copy.db", "all.ndjson"))
    for more in ([], ["--force"]):
        script.written("copy.db", "backup", backup, *more)
        script.post(script.events(3))
        script.written("all.ndjson", "export", "--output", export, *more)
        script.post(script.events(3))
    script.stop()
    judged(script)


@case
def a_database_that_does_not_flush_is_found_out():
    # The proof of all above: less than synchronous=full, and these disks show what is lost.
    for mode in ("normal", "off"):
        script = Script(synchronous=mode)
        script.start()
        for _ in range(3):
            script.post(script.events(2))
        script.stop()
        try:
            judged(script, started=0)
        except AssertionError as error:
            assert "lost" in str(error), error
        else:
            raise AssertionError("nothing was lost with synchronous=%s" % mode)


main(of_files=True)
