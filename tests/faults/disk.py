"""Calls to the disk that fail while events come in, and while the write-ahead log is put back: held, then 503;
reads go on; it works again by itself, and nothing acknowledged is lost or stored twice."""

import os

from failing import (DATABASE, DELETE, ACCESS, EIO, FOR_EVER, FULL_PATH, LOCK, LONG, LOSSY, ONCE, OPEN, READ, SHM_LOCK,
                     SHM_MAP, SIZE, STORE, SYNC, TRUNCATE, WAL, WRITE, Life, Sweep)
from harness import NOW, becomes, case, equal, main, poll, shell, sql

EVERY = (OPEN, DELETE, ACCESS, FULL_PATH, READ, WRITE, TRUNCATE, SYNC, SIZE, LOCK, SHM_MAP, SHM_LOCK)


def ingested(life, texts, op, often):
    """A body meets the fault; the fault goes; it is taken. Returns how many calls failed."""
    taken = life.post(texts)
    touched = life.disk.hits()
    if not taken:
        assert touched, "refused without a fault"
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

    def play(n, often, op):
        return ingested(life, life.texts(), op, often)

    sweep = Sweep("ingest", life.disk, play).over(EVERY)
    sweep.tell()
    life.settle()
    life.check_whole()
    life.restart()
    life.check_whole()


main()
