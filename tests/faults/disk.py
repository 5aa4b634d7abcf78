"""Calls to the disk that fail while events come in, and while the write-ahead log is put back: held, then 503;
reads go on; it works again by itself, and nothing acknowledged is lost or stored twice."""

import http.client
import os
import sqlite3

from failing import (ACCESS, DATABASE, DELETE, EIO, ERRORS, FOR_EVER, FULL_PATH, KINDS, LOCK, LOSSY, NAMES, ONCE,
                     OPEN, READ, SHM_LOCK, SHM_MAP, SIZE, SYNC, TRUNCATE, WAL, WRITE, Life, Sweep, steps)
from harness import becomes, case, equal, main, poll, shell, sql

EVERY = (OPEN, DELETE, ACCESS, FULL_PATH, READ, WRITE, TRUNCATE, SYNC, SIZE, LOCK, SHM_MAP, SHM_LOCK)


def ingested(life, texts, op, often):
    """A body meets the fault; the fault goes; it is taken. Returns how many calls failed."""
    taken = life.post(texts)
    if not taken:
        assert life.disk.hits(), "refused without a fault"
        if often == FOR_EVER:
            life.check_unready()
        if op in (WRITE, SYNC, TRUNCATE):
            equal(life.daemon.get("/_tracker?limit=1").status, 200, "a read meanwhile")
    touched = life.disk.clear()
    if not taken:
        if life.refused % 8 == 3:
            becomes(life.ready, 200, "ready again without being sent anything")
        life.until_taken(texts)
        equal(life.ready(), 200)
    life.turn()
    return touched


@case
def ingest_gets_over_every_call_that_fails():
    life = Life(track=True)
    for _ in range(3):
        life.until_taken(life.texts())
    life.settle()
    sweep = Sweep("ingest", life.disk, lambda n, often, op: ingested(life, life.texts(), op, often))
    sweep.over(EVERY).tell()
    life.come_through()


@case
def ingest_after_another_program_has_written_gets_over_them_too():
    # The writer's pages are void then: it reads, counts the tally anew, and tells the cache.
    life = Life()
    for _ in range(20):
        life.until_taken(life.texts(10))
    life.settle()

    def play(n, often, op):
        armed, life.disk.map[4] = life.disk.map[4], 0
        shell(life.daemon.database, "update tally_day set events = events")
        life.disk.map[4] = armed
        return ingested(life, life.texts(), op, often)

    sweep = Sweep("ingest, counting anew", life.disk, play)
    sweep.over((READ, SHM_MAP, SHM_LOCK, LOCK), errors=(EIO,)).over((WRITE,), errors=(EIO,), times=(ONCE,)).tell()
    life.settle()
    life.check_whole()


def wal_size(life):
    try:
        return os.path.getsize(life.daemon.database + "-wal")
    except FileNotFoundError:
        return 0


def spoilt(life):
    return sum("the disk failed to take what was put back" in line for line in life.daemon.log())


class Checkpoints:
    """Several daemons at once, since each waits for its second of idleness. Each has a fault of its own."""

    def __init__(self, count, size):
        self.lives, self.size, self.faults, self.runs = [], size, 0, 0
        for _ in range(count):
            life = Life(track=True, cache_events=0)
            life.until_taken(life.texts(20, '"%s"' % ("x" * 500)))
            life.settle()
            life.spoilt = 0
            self.lives.append(life)

    def play(self, faults):
        """A round: (op, error, often, n) for each. Yields those that were touched."""
        pairs = list(zip(self.lives, faults))
        for life, _ in pairs:
            becomes(lambda: wal_size(life), 0, "all put back")
        for life, (op, error, often, n) in pairs:
            for _ in range(self.size):  # parts are put back on the way
                life.until_taken(life.texts(25, '"%s"' % ("y" * (300 if self.size == 1 else 100000))))
            life.disk.arm([op], [DATABASE, WAL], n, often, error)
        for life, (op, error, often, n) in pairs:
            poll(lambda: life.disk.hits() or wal_size(life) == 0, "a checkpoint")
            if life.disk.hits() and op == SYNC:  # what was dropped before the daemon heard of it breaks reads off
                poll(lambda: spoilt(life) > life.spoilt, "the flush that failed to be told of")
                life.spoilt += 1
            if life.disk.hits():
                self.meanwhile(life, op)
        for life, fault in pairs:
            touched = life.disk.clear()
            self.faults += touched > 0
            self.runs += touched
            becomes(lambda: wal_size(life), 0, "all put back by itself")
            life.turn()
            if touched:
                yield fault

    def meanwhile(self, life, op):
        """The log holds what the database does not. Who reads finds it, and ingest goes on."""
        if op in (WRITE, SYNC, TRUNCATE):
            poll(lambda: self.read(life), "a whole answer")
        texts = life.texts(2)
        if not life.post(texts):
            life.disk.clear()
            life.until_taken(texts)

    def read(self, life):
        """What is told is right, or visibly breaks off: in the moment in which a flush fails."""
        try:
            events = life.daemon.get("/_tracker")
            if events.status == 200:
                equal(len(events.json()["events"]), len(life.acked), "read meanwhile")
            counted = sql(life.daemon.database, "select count(*) from events not indexed")
        except (http.client.IncompleteRead, sqlite3.DatabaseError):
            return False
        equal(counted, [(len(life.acked),)])
        return events.status == 200

    def over(self, ops, times=(ONCE, FOR_EVER), errors=None):
        """Every sweep goes on until it was not touched; the daemons share the work."""
        sweeps = [[fault, steps()] for fault in ((op, error, often) for op in ops for error in errors or ERRORS[op]
                                                 for often in times)]
        while sweeps:
            now = sweeps[:len(self.lives)]
            faults = [fault + (next(numbers),) for fault, numbers in now]
            try:
                touched = {fault[:3] for fault in self.play(faults)}
            except Exception as failed:
                raise AssertionError("one of %s: %s" % (
                    ["%s %s %d %d" % (NAMES[f[0]], KINDS[f[1]], f[2], f[3]) for f in faults], failed)) from failed
            sweeps = [one for one in now if one[0] in touched] + sweeps[len(self.lives):]

    def finish(self, name):
        print("# %s: %d faults, %d calls failed" % (name, self.faults, self.runs), flush=True)
        for life in self.lives:
            life.come_through()


@case
def an_idle_daemon_puts_the_log_back_once_the_disk_lets_it():
    some = Checkpoints(8, 1)
    some.over((WRITE, SYNC, TRUNCATE, READ, SIZE, SHM_LOCK))
    some.finish("checkpoint of an idle daemon")


@case
def parts_that_were_put_back_and_lost_by_a_flush_are_read_from_the_log():
    some = Checkpoints(2, 3)
    some.over((SYNC,), errors=(LOSSY,))
    some.finish("checkpoint in parts")


main()
