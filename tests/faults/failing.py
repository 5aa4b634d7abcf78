"""A disk that fails at the n-th call, and a daemon that must get over it: what disk.py, disk_jobs.py and
disk_start.py share.

The numbers of Disk are those of tests/faults/disk.h. In CI n goes 1, 2, 3, 5, 9, 16 …, with
BEACOND_TEST_LONG=1 it is every one; both end with the first run that no fault has touched.
"""

import collections
import json
import mmap
import os
import struct

from harness import BRIEF, FAULTY, NOW, Daemon, Skip, becomes, directory, equal, event, poll, run, sql
from tally import check_tally

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"

# What SQLite calls, and what our own objects call.
(OPEN, DELETE, ACCESS, FULL_PATH, READ, WRITE, TRUNCATE, SYNC, SIZE, LOCK, SHM_MAP, SHM_LOCK,
 OWN_OPEN, OWN_READ, OWN_WRITE, OWN_SYNC, OWN_TRUNCATE, OWN_RENAME, OWN_UNLINK, OWN_ROOM, OWN_SYNC_RANGE) = range(21)
NAMES = ("open delete access full-path read write truncate sync size lock shm-map shm-lock own-open own-read own-write "
         "own-sync own-truncate own-rename own-unlink own-room own-sync-range").split()
DATABASE, WAL, SHM, JOURNAL, TEMP, TARGET, LOCK_FILE, SOCKET, LOG = range(9)
STORE = (DATABASE, WAL, SHM, JOURNAL, TEMP)
EIO, ENOSPC, EIO_HALF, ENOSPC_HALF, LOSSY, ENOMEM, EMFILE = range(1, 8)
KINDS = "- EIO ENOSPC EIO-half ENOSPC-half EIO-lossy ENOMEM EMFILE".split()
ONCE, FOR_EVER = 1, 0
LATE = 8  # descriptors of a daemon that has begun, besides those of one that was just started

# What can go wrong with each.
ERRORS = collections.defaultdict(lambda: (EIO,), {
    READ: (EIO, EIO_HALF), WRITE: (EIO, ENOSPC, EIO_HALF, ENOSPC_HALF), SYNC: (EIO, LOSSY), SHM_MAP: (EIO, ENOMEM),
    OWN_OPEN: (EIO, EMFILE), OWN_WRITE: (EIO, ENOSPC, ENOSPC_HALF), OWN_SYNC: (EIO, ENOSPC), OWN_ROOM: (EIO, ENOSPC),
    OWN_SYNC_RANGE: (EIO, ENOSPC)})


class Disk:
    """The file through which a beacond-faulty is steered: env is what it gets."""

    def __init__(self, track=False):
        if not os.access(FAULTY, os.X_OK):
            raise Skip("no beacond-faulty at %s (set BEACOND_FAULTY)" % FAULTY)
        self.path = os.path.join(directory(), "disk")
        with open(self.path, "w+b") as file:
            file.truncate(4096)
            self.map = mmap.mmap(file.fileno(), 4096)
        self.env = {"FAULTY_DISK": self.path}
        self._set(36, int(track))

    def _set(self, at, *values):
        struct.pack_into("=%dI" % len(values), self.map, at, *values)

    def _get(self, at):
        return struct.unpack_from("=I", self.map, at)[0]

    def arm(self, ops, files, n, times, error):
        """From the n-th of these calls on, times of them fail (FOR_EVER: until clear())."""
        self._set(4, 0)
        self._set(8, sum(1 << op for op in ops), sum(1 << file for file in files), n, times, error, 0, 0)
        self._set(4, 1)

    def clear(self):
        """Returns how many have failed since arm()."""
        self._set(4, 0)
        return self.hits()

    def seen(self):
        return self._get(28)

    def hits(self):
        return self._get(32)

    def calls(self, op, *files):
        """Since the daemon's start."""
        return sum(self._get(64 + 4 * (op * 10 + file)) for file in files)


def steps(every=LONG):
    """n of one sweep."""
    n, step = 1, 1
    while True:
        yield n
        if BRIEF:
            return
        if not every and n >= 3:
            step = step * 3 // 2 + 1
        n += step


class Sweep:
    """Goes through ops, errors, once and lasting, and n. play(n, times, op) does it all, the fault being
    armed, and clears it; it returns how many calls failed."""

    def __init__(self, name, disk, play):
        self.name, self.disk, self.play, self.faults, self.runs = name, disk, play, 0, 0

    def over(self, ops, files=STORE, errors=None, times=(ONCE, FOR_EVER), every=LONG):
        for op in list(ops)[:1] if BRIEF else ops:
            for error in errors or ERRORS[op]:
                for often in times:
                    self._over(op, files, error, often, every)
        return self

    def _over(self, op, files, error, often, every):
        for n in steps(every):
            self.disk.arm([op], files, n, often, error)
            try:
                touched = self.play(n, often, op)
            except Exception as failed:
                raise AssertionError("%s, %s %s, call %d, %s: %s: %s" % (
                    self.name, NAMES[op], KINDS[error], n, "once" if often else "for ever", type(failed).__name__,
                    failed)) from failed
            if not touched:
                return
            self.faults += 1
            self.runs += touched

    def tell(self):
        print("# %s: %d faults, %d calls failed" % (self.name, self.faults, self.runs), flush=True)


class Life:
    """A daemon on such a disk, and what was sent to it: bodies that a client sends again until they are
    acknowledged, as the stock client does. Half of the events have ids of their own."""

    def __init__(self, database=None, track=False, **options):
        self.disk = Disk(track)
        self.options = dict(options)
        self.options.setdefault("hold", "120ms")
        self.sent, self.acked, self.number, self.lines, self.turns = [], set(), 0, 0, 0
        self.refused = 0
        self.daemon = Daemon(program=FAULTY, env=self.disk.env, database=database, **self.options)
        self.descriptors = None

    def texts(self, count=3, payload="{}", **members):
        """A new body's events."""
        made = []
        for part in range(count):
            self.number += 1
            id = "i%d" % self.number if self.number % 2 else ""
            text = event(NOW + self.number * 7, self.number, id, payload)
            for name, value in members.items():
                text = text[:-1] + b',"%s":"%s"}' % (name.encode(), value.encode())
            made.append(text)
        self.sent.append(made)
        return made

    def post(self, texts):
        """A body is sent: 200, or 503 as it must be. Returns whether it was acknowledged."""
        answer = self.daemon.post(texts)
        if answer.status == 200:
            equal(answer.json()["saved"], len(texts))
            equal(answer.json()["rejected"], 0)
            self.acked.update(texts)
            return True
        equal(answer.status, 503, repr(answer))
        answer.error()
        assert 1 <= int(answer.header("Retry-After")) <= 3600, repr(answer)
        self.refused += 1
        return False

    def until_taken(self, texts):
        poll(lambda: self.post(texts), "ingest to work again by itself")

    def ready(self):
        return self.daemon.get("/readyz").status

    def check_unready(self):
        """Both ways of asking."""
        equal(self.ready(), 503, "/readyz while commits fail")
        if self.refused % 16 == 1:
            done = run("ready", "--database", self.daemon.database)
            equal((done.returncode, done.stderr), (1, b"beacond: not ready: commits fail, see the log\n"))

    def turn(self):
        """At the end of each: the log stays short."""
        self.turns += 1
        lines = len(self.daemon.log())
        assert lines - self.lines <= 12, "%d lines of log of one fault:\n%s" % (
            lines - self.lines, "\n".join(self.daemon.log()[self.lines:][:30]))
        self.lines = lines

    def open_files(self):
        """Of its descriptors, those that are no sockets: connections end when they end."""
        count = 0
        for fd in os.listdir("/proc/%d/fd" % self.daemon.pid):
            try:
                count += not os.readlink("/proc/%d/fd/%s" % (self.daemon.pid, fd)).startswith("socket:")
            except FileNotFoundError:
                pass
        return count

    def settle(self):
        """Quiet and whole: notes its descriptors the first time, and finds as many later, but for those that
        are opened when they are first needed."""
        becomes(self.ready, 200, "ready by itself")
        if self.descriptors is None:
            self.descriptors = self.open_files()
        else:
            becomes(lambda: self.open_files() <= self.descriptors + LATE, True, "no descriptors leaked")

    def check_whole(self, gone=()):
        """What was acknowledged is there once; nothing else is; the file is whole."""
        expected = collections.Counter(json.loads(text)["n"] for made in self.sent for text in made
                                       if text in self.acked and text not in gone)
        doubtful = {json.loads(text)["n"] for made in self.sent for text in made if text not in self.acked}
        stored = collections.Counter(json.loads(row[0])["n"] for row in sql(self.daemon.database,
                                                                            "select event from events"))
        lost = sorted((expected - stored).elements())
        extra = sorted(n for n in (stored - expected).elements() if n not in doubtful)
        doubled = sorted(n for n, count in stored.items() if count > 1)
        assert not lost and not extra and not doubled, "lost: %s; not sent or erased: %s; twice: %s" % (
            lost[:5], extra[:5], doubled[:5])
        check_tally(self.daemon.database)
        equal(sql(self.daemon.database, "pragma integrity_check"), [(b"ok",)])
        if self.daemon.alive():
            shown = self.daemon.read()
            equal(len(shown["events"]), shown["total"], "total")
            equal(collections.Counter(e["n"] for e in shown["events"]), stored, "what a read shows")

    def come_through(self, gone=()):
        """All is there, and after a kill -9, too."""
        self.settle()
        self.check_whole(gone)
        self.restart(crash=True)
        self.check_whole(gone)

    def restart(self, crash=False):
        """kill -9 or SIGTERM, then once more on the same file."""
        self.disk.clear()
        self.daemon.crash() if crash else self.daemon.stop()
        self.disk._set(8, 0, 0)
        self.daemon = Daemon(program=FAULTY, env=self.disk.env, database=self.daemon.database, **self.options)
        self.descriptors, self.lines = None, 0
