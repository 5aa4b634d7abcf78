"""A disk that is really full, a tmpfs and, where a loop device can be had, an ext4: while events come in, while the
write-ahead log is put back, while old events are pruned, while a backup is made; and room again. faults.py has more
about ingest alone."""

import contextlib
import glob
import os
import shutil
import signal
import subprocess

from disks import gone, tiny_disk
from harness import NOW, Daemon, Skip, becomes, case, directory, equal, event, main, poll, run, sql, stamp
from tally import check_tally

SIZE = 24 << 20


@contextlib.contextmanager
def tmpfs():
    path, _ = tiny_disk(SIZE)
    try:
        yield path
    finally:
        gone(path)


@contextlib.contextmanager
def ext4():
    if not shutil.which("mkfs.ext4") or not shutil.which("mount"):
        raise Skip("no mkfs.ext4 or no mount")
    path, _ = tiny_disk(4096)  # in a mount namespace of our own
    image = os.path.join(directory(), "image")
    try:
        with open(image, "wb") as file:
            file.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, stderr=subprocess.DEVNULL)
        done = subprocess.run(["mount", "-o", "loop", image, path], capture_output=True)
        if done.returncode != 0:
            raise Skip("no loop mount: " + done.stderr.decode("ascii", "replace").strip().splitlines()[0])
        try:
            yield path
        finally:
            gone(path)
    finally:
        gone(path)


class Full:
    """A daemon on such a disk, what was sent to it, and a file that takes the room."""

    def __init__(self, disk):
        self.disk, self.ballast, self.sent, self.acked, self.gone = disk, os.path.join(disk, "ballast"), 0, [], 0
        self.daemon = Daemon(database=os.path.join(disk, "beacond.db"), hold="150ms")

    def send(self):
        """A batch; the same again if the last one was refused, as clients do."""
        ids = ["e%d" % n for n in range(self.sent, self.sent + 10)]
        answer = self.daemon.post([event(NOW + n, n, "e%d" % n, '"%s"' % ("x" * 4000))
                                   for n in range(self.sent, self.sent + 10)])
        if answer.status == 200:
            equal(answer.json()["saved"], 10)
            self.acked += ids
            self.sent += 10
            return True
        equal(answer.status, 503, repr(answer))
        assert int(answer.header("Retry-After")) >= 1
        return False

    def fill(self, left=0):
        """Takes all room of the disk but so many bytes."""
        with open(self.ballast, "ab", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)
            file.truncate(max(0, file.tell() - left))

    def until_full(self):
        for _ in range(2000):
            if not self.send():
                return
        raise AssertionError("never full")

    def free(self):
        os.unlink(self.ballast)

    def check(self):
        daemon = self.daemon
        kept = self.acked[self.gone:]
        equal(sorted(row[0].decode() for row in sql(daemon.database, "select id from events")), sorted(kept))
        equal(daemon.total(), len(kept))
        equal(len(daemon.read()["events"]), len(kept))
        check_tally(daemon.database)
        equal(sql(daemon.database, "pragma integrity_check"), [(b"ok",)])

    def recovers(self):
        becomes(lambda: self.daemon.get("/readyz").status, 200, "ready by itself")
        poll(self.send, "ingest by itself")
        becomes(lambda: os.path.getsize(self.daemon.database + "-wal"), 0, "the log put back")
        self.check()


def full_in_every_way(disk):
    full = Full(disk)
    daemon, database = full.daemon, full.daemon.database
    for _ in range(20):
        assert full.send()
    becomes(lambda: os.path.getsize(database + "-wal"), 0, "the log put back")

    # While events come in.
    full.fill(left=1 << 20)
    full.until_full()
    becomes(lambda: daemon.get("/readyz").status, 503, "not ready")
    equal(run("ready", "--database", database).returncode, 1)
    equal(daemon.get("/_tracker?limit=3").status, 200)
    full.check()

    # A prune, and a backup to the same disk, while it is full.
    done = run("prune", "--before", stamp(NOW + 50), "--database", database)
    full.gone = 50 - sql(database, "select count(*) from events where ts < ?", NOW + 50)[0][0]
    assert done.returncode == 0 and full.gone == 50 or \
        done.returncode == 1 and done.stderr.startswith(b"beacond: "), done
    backup = os.path.join(disk, "backup.db")
    done = run("backup", backup, "--database", database)
    equal(done.returncode, 1)
    assert done.stderr.startswith(b"beacond: ") and (b"space" in done.stderr or b"full" in done.stderr), done.stderr
    equal(glob.glob(backup + "*"), [], "of a backup")
    full.check()
    full.free()
    full.recovers()

    # Just enough room for the log, none to put it back.
    with open(database, "rb") as file:
        before = os.fstat(file.fileno()).st_size
    daemon.signal(signal.SIGSTOP)
    full.fill(left=600 << 10)
    daemon.signal(signal.SIGCONT)
    for _ in range(9):
        if not full.send():
            break
    full.fill()
    full.check()
    equal(os.path.getsize(database) >= before, True)
    done = run("prune", "--before", stamp(NOW + 100), "--database", database)
    if done.returncode == 0:
        full.gone = 100
    else:
        full.gone = 100 - sql(database, "select count(*) from events where ts < ?", NOW + 100)[0][0]
    full.check()
    full.free()
    full.recovers()

    # With room all of it works, and all is there after kill -9.
    equal(run("prune", "--before", stamp(NOW + 120), "--database", database).returncode, 0)
    full.gone = 120
    elsewhere = os.path.join(directory(), "backup.db")
    equal(run("backup", elsewhere, "--database", database).returncode, 0)
    equal(sql(elsewhere, "select count(*) from events"), [(len(full.acked) - 120,)])
    daemon.crash()
    full.daemon = Daemon(database=database)
    full.check()
    full.daemon.stop()


@case
def a_full_tmpfs():
    with tmpfs() as disk:
        full_in_every_way(disk)


@case
def a_full_ext4():
    with ext4() as disk:
        full_in_every_way(disk)


@case
def a_start_on_a_full_disk_says_so_and_works_later():
    with tmpfs() as disk:
        full = Full(disk)
        assert full.send()
        full.daemon.crash()
        full.fill()
        for path in full.daemon.database, os.path.join(disk, "new.db"):
            daemon = Daemon(database=path, ready=False, hold="1s")
            daemon._done = True
            poll(lambda: not daemon.alive() or any(line.endswith(" ready") for line in daemon.log()), "it to start")
            if daemon.alive():  # where room was left in its files
                daemon.crash()
            else:
                daemon.ended(1)
                assert path in daemon.log()[-1] and " error " in daemon.log()[-1], daemon.log()
        full.free()
        for path, holds in (full.daemon.database, 10), (os.path.join(disk, "new.db"), 0):
            daemon = Daemon(database=path)
            equal(daemon.total(), holds)
            daemon.stop()


main()
