"""Calls to the disk that fail while a daemon starts, and under commands that have no daemon: it starts after all,
or an exit code and a message tell why not, and nothing of what is stored is lost."""

import os
import shutil

from failing import (ACCESS, DATABASE, DELETE, EIO, FULL_PATH, LOCK, LOCK_FILE, ONCE, OPEN, OWN_OPEN, OWN_READ,
                     OWN_TRUNCATE, OWN_UNLINK, OWN_WRITE, READ, SHM_LOCK, SHM_MAP, SIZE, SOCKET, SYNC, TRUNCATE, WRITE, Disk, Sweep)
from harness import FAULTY, NOW, Daemon, becomes, case, directory, equal, event, main, poll, sql
from tally import check_tally

CALLS = (OPEN, DELETE, ACCESS, FULL_PATH, READ, WRITE, TRUNCATE, SYNC, SIZE, LOCK, SHM_MAP, SHM_LOCK)
OURS = (OWN_OPEN, OWN_READ, OWN_WRITE, OWN_TRUNCATE, OWN_UNLINK)
HOLDS = 40  # events


def made(killed):
    """A folder with a database that a daemon has ended with, or was killed over."""
    daemon = Daemon()
    for part in range(4):
        daemon.save([event(NOW + n, n, "e%d" % n) for n in range(part * 10, part * 10 + 10)])
    daemon.crash() if killed else daemon.stop()
    return os.path.dirname(daemon.database)


def whole(database, holds):
    """By another program, with what is beside it."""
    check_tally(database)
    equal(sql(database, "pragma integrity_check"), [(b"ok",)])
    ids = [row[0] for row in sql(database, "select id from events where id != 'later' order by ts, seq")]
    equal(ids, [b"e%d" % n for n in range(holds)])


class Starts:
    """Starts a daemon again and again, each time over a fresh copy of a folder (None: of nothing)."""

    def __init__(self, name, template, holds):
        self.template, self.holds, self.disk = template, holds, Disk()
        self.sweep, self.refused, self.number = Sweep(name, self.disk, self.play), 0, 0

    def play(self, n, often, op):
        folder = os.path.join(directory(), "d")
        if self.template:
            shutil.copytree(self.template, folder, ignore=lambda _, names: [
                name for name in names if not name.startswith("beacond.db") or name.endswith((".lock", ".control"))])
        else:
            os.mkdir(folder)
        database = os.path.join(folder, "beacond.db")
        daemon = Daemon(program=FAULTY, env=self.disk.env, database=database, ready=False, hold="20s")
        daemon._done = True  # its end is no accident
        poll(lambda: not daemon.alive() or any(line.endswith(" ready") for line in daemon.log()),
             "a daemon that starts, or not")
        if daemon.alive():
            daemon.address = next(line.split()[-1] for line in daemon.log() if " listening on " in line)
            touched = self.disk.clear()
            daemon.save([event(NOW + 99999, 5, "later")])
            equal(daemon.total(), self.holds + 1)
            becomes(lambda: daemon.get("/readyz").status, 200, "ready")
            daemon.crash()
        else:
            touched = self.disk.clear()
            self.refuse(daemon, touched, folder)
        if self.holds:
            whole(database, self.holds)
        shutil.rmtree(folder)
        return touched

    def refuse(self, daemon, touched, folder):
        assert touched, "refused without a fault"
        daemon.ended(1)
        self.refused += 1
        errors = [line for line in daemon.log() if " error " in line]
        assert 1 <= len(errors) <= 3 and folder in errors[-1], "it says: %r" % daemon.log()
        assert "damaged" not in errors[-1] and "restore" not in errors[-1], errors[-1]
        if not self.holds or self.refused % 8 == 1:  # the same folder, with a disk that is well
            again = Daemon(database=os.path.join(folder, "beacond.db"))
            equal(again.total(), self.holds)
            again.crash()

    def over(self, *more, **how):
        self.sweep.over(*more, **how)
        return self

    def finish(self):
        self.sweep.tell()
        print("# of them, %d starts were refused" % self.refused, flush=True)
        assert self.refused > 5, "hardly ever refused"


@case
def a_start_on_what_a_daemon_has_ended_with():
    starts = Starts("start", made(killed=False), HOLDS)
    starts.over((READ,), times=(ONCE,), errors=(EIO,), every=True)  # each says of another what is wrong
    starts.over(CALLS).over(OURS, files=(DATABASE, LOCK_FILE, SOCKET)).finish()


@case
def a_start_on_what_a_killed_daemon_has_left():
    Starts("start after kill -9", made(killed=True), HOLDS).over(CALLS).finish()


@case
def a_start_on_nothing_makes_a_database_or_says_why_not():
    Starts("the schema", None, 0).over(CALLS).finish()


main()
