"""Calls to the disk that fail under commands that have no daemon: export, import, backup, prune, forget. Done, or an
exit code and a message, no half file under its name, and the database is whole; then once more. And a log that can't
be written."""

import json
import os
import sqlite3
import subprocess

from failing import (DATABASE, EIO, ENOSPC, ENOSPC_HALF, FOR_EVER, LOCK, LOCK_FILE, LOG, OPEN, OWN_OPEN, OWN_READ,
                     OWN_RENAME, OWN_SYNC, OWN_SYNC_RANGE, OWN_WRITE, READ, SHM_LOCK, SHM_MAP, SIZE, SYNC, TARGET,
                     TRUNCATE, WRITE, Disk, Life, Sweep)
from harness import FAULTY, NOW, Daemon, begin, case, directory, equal, event, finish, main, run, sql, stamp
from tally import check_tally

READS = (OPEN, READ, SIZE, LOCK, SHM_MAP, SHM_LOCK)
WRITES = READS + (WRITE, TRUNCATE, SYNC)


def made(count):
    daemon = Daemon()
    daemon.save([event(NOW + n, n, "e%d" % n, '"%s"' % ("x" * 900)) for n in range(count)])
    daemon.stop()
    return daemon.database


class Commands:
    """command(): its words; done(): looks at what it has made, once it says that it is done; failed(): nothing may be
    left of it."""

    def __init__(self, name, database, command, done, failed=lambda: None):
        self.database, self.command, self.done, self.failed = database, command, done, failed
        self.disk, self.strict, self.waits, self.runs, self.failures = Disk(), (), False, 0, 0
        self.sweep = Sweep(name, self.disk, self.play)

    def whole(self):
        check_tally(self.database)
        equal(sql(self.database, "pragma integrity_check"), [(b"ok",)])

    def play(self, n, often, op):
        words = (*self.command(), "--database", self.database)
        self.runs += 1
        process = begin(*words, program=FAULTY, env=self.disk.env)
        if often == FOR_EVER and self.waits:
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:  # it tries until the disk is well again
                self.disk.clear()
        code, out, err = finish(process)
        touched = self.disk.clear()
        if code == 0:
            assert not touched or op not in self.strict, "a fault was not noticed"
            self.done(out)
        else:
            assert touched, "failed without a fault: %r" % err
            self.failures += 1
            equal(code, 1, "exit code: %r" % err)
            lines = err.strip().splitlines()
            assert lines and len(lines) <= 5 and any("beacond: " in line or " error " in line for line in lines), err
            assert "damaged" not in err, err
            self.failed()
            if self.failures % 4 == 1:
                again = run(*words)
                equal(again.returncode, 0, "again: %r" % again.stderr)
                self.done(again.stdout.decode())
        if self.runs % 8 == 1:
            self.whole()
        return touched

    def over(self, *more, **how):
        self.sweep.over(*more, **how)
        return self

    def finish(self):
        self.whole()
        self.sweep.tell()
        assert self.failures > 5, "hardly ever failed"


@case
def an_export_is_whole_or_not_there():
    database, folder = made(300), directory()
    path = os.path.join(folder, "out.jsonl")

    def done(_):
        with open(path, "rb") as file:
            equal([json.loads(line)["id"] for line in file], ["e%d" % n for n in range(300)])
        os.unlink(path)
        equal(os.listdir(folder), [])

    def failed():
        if os.path.lexists(path):  # only when its folder could not be flushed
            done("")
        equal(os.listdir(folder), [])

    jobs = Commands("export", database, lambda: ("export", "--output", path), done, failed)
    jobs.over(READS)
    jobs.strict = OWN_WRITE, OWN_SYNC, OWN_RENAME
    jobs.over((OWN_WRITE, OWN_SYNC, OWN_RENAME), files=(TARGET, DATABASE), errors=(EIO, ENOSPC))
    jobs.strict = ()  # of a write that is cut short the rest is written
    jobs.over((OWN_WRITE,), files=(TARGET,), errors=(ENOSPC_HALF,)).finish()


@case
def an_export_to_a_pipe_ends_with_an_exit_code():
    database, disk = made(300), Disk()

    def play(n, often, op):
        code, out, err = finish(begin("export", "--database", database, program=FAULTY, env=disk.env))
        touched = disk.clear()
        if code == 0:
            equal(len(out.splitlines()), 300)
        else:
            assert touched and code == 1 and "beacond: " in err, (code, err)
            assert all(json.loads(line) for line in out.splitlines()), "a line cut off"
        return touched

    Sweep("export to a pipe", disk, play).over((READ, SHM_LOCK), errors=(EIO,)).tell()


@case
def an_import_without_a_daemon():
    database, number = made(20), [100]

    def command():
        path = os.path.join(directory(), "some.log")
        number[0] += 10
        with open(path, "wb") as file:
            for n in range(number[0], number[0] + 10):
                file.write(event(NOW + n, n, "e%d" % n) + b"\n")
        return "import", path

    def done(out):
        ids = {row[0] for row in sql(database, "select id from events")}
        for n in range(number[0], number[0] + 10):
            assert b"e%d" % n in ids, "e%d is missing: %s" % (n, out)

    jobs = Commands("import without a daemon", database, command, done)
    jobs.waits = True
    jobs.over(WRITES, errors=(EIO,)).over((WRITE,), errors=(ENOSPC, ENOSPC_HALF))
    jobs.over((OWN_READ, OWN_WRITE), files=(DATABASE, LOCK_FILE)).finish()


@case
def a_backup_without_a_daemon():
    database, folder = made(100), directory()
    path = os.path.join(folder, "backup.db")

    def done(_):
        with sqlite3.connect(path) as copy:
            equal(copy.execute("pragma integrity_check").fetchall(), [("ok",)])
            equal(copy.execute("select count(*) from events").fetchall(), [(100,)])
        copy.close()
        os.unlink(path)
        equal(os.listdir(folder), [])

    jobs = Commands("backup without a daemon", database, lambda: ("backup", path), done,
                    lambda: equal(os.listdir(folder), [], "left behind"))
    jobs.over(READS, errors=(EIO,))
    jobs.strict = OPEN, WRITE, OWN_OPEN, OWN_SYNC, OWN_RENAME, OWN_SYNC_RANGE
    jobs.over((OPEN, WRITE, OWN_OPEN, OWN_SYNC, OWN_RENAME, OWN_SYNC_RANGE), files=(TARGET,)).finish()


@case
def a_prune_without_a_daemon():
    database, number = made(2000), [0]

    def command():
        number[0] += 1
        return "prune", "--before", stamp(NOW + number[0])

    def done(out):
        equal(sql(database, "select min(ts) from events"), [(NOW + number[0],)])

    Commands("prune without a daemon", database, command, done).over((READ, WRITE, SYNC, SHM_LOCK),
                                                                     errors=(EIO,)).finish()


@case
def a_log_that_can_not_be_written_stops_nothing():
    life = Life()
    life.until_taken(life.texts())
    for error in EIO, ENOSPC, ENOSPC_HALF:
        life.disk.arm([OWN_WRITE], [LOG], 1, FOR_EVER, error)
        for _ in range(3):
            life.daemon.signal(1)  # SIGHUP is told of in the log
            life.until_taken(life.texts())
        assert life.disk.clear(), "nothing was logged"
    life.settle()
    life.check_whole()


main()
