"""Calls to the disk that fail in the daemon while it prunes, forgets, backs up, imports and reads. What was
asked for is done, or an exit code and a message tell that it was not, and it can be done again."""

import glob
import http.client
import json
import os
import sqlite3
import subprocess

from failing import (EIO, FOR_EVER, LOCK, ONCE, OPEN, OWN_OPEN, OWN_RENAME, OWN_ROOM, OWN_SYNC, OWN_SYNC_RANGE, READ,
                     SHM_LOCK, SHM_MAP, SIZE, SYNC, TARGET, TRUNCATE, WRITE, Life, Sweep)
from harness import begin, case, directory, equal, finish, main, run
from sockets import Cut, Ended, Socket

SOME = (READ, WRITE, TRUNCATE, SYNC, SIZE, LOCK, SHM_LOCK)


def told(done, what):
    """It has failed and says why."""
    code, _, err = done
    equal(code, 1, "exit code: %r" % (done,))
    lines = err.strip().splitlines()
    assert lines and lines[-1].startswith("beacond: ") and len(lines) <= 4, "what %s says: %r" % (what, err)


class Jobs:
    """Plays a command again and again: with the fault, and then, if it failed, without."""

    def __init__(self, name, life, command, done):
        """command(n): its words; done(n): looks at what it has done."""
        self.name, self.life, self.command, self.done = name, life, command, done
        life.gone = set()

    def play(self, n, often, op):
        life = self.life
        words, life.plays = self.command(), getattr(life, "plays", 0) + 1
        process = begin(*words, "--database", life.daemon.database)
        if often == FOR_EVER:
            try:
                process.wait(self.patience)
            except subprocess.TimeoutExpired:  # it tries until the disk is well again
                life.disk.clear()
        first = finish(process)
        touched = life.disk.clear()
        assert first[0] != 0 or not touched or op not in self.must_fail, "a fault was not noticed"
        if first[0] != 0:
            assert touched, "failed without a fault: %r" % (first,)
            told(first, self.name)
            self.failed()
            again = run(*words, "--database", life.daemon.database)
            equal((again.returncode, touched), (0, touched), "again: %r" % again.stderr)
        self.done()
        life.turn()
        return touched

    must_fail = ()  # calls that may not fail unnoticed
    patience = 3    # seconds, for one that does not give up by itself

    def failed(self):
        """For who has something to look at when it has failed."""

    def over(self, *more, **how):
        sweep = Sweep(self.name, self.life.disk, self.play)
        self.sweep = getattr(self, "sweep", sweep)
        self.sweep.over(*more, **how)
        return self

    def finish(self):
        self.sweep.tell()
        self.life.come_through(self.life.gone)


def lived(**options):
    life = Life(track=True, **options)
    for _ in range(5):
        life.until_taken(life.texts(20, '"%s"' % ("x" * 200)))
    life.settle()
    return life


def posted(life, *more, **members):
    """Stored while the disk is well; then it is as it was."""
    armed, life.disk.map[4] = life.disk.map[4], 0
    texts = life.texts(*more, **members)
    life.until_taken(texts)
    life.disk.map[4] = armed
    return texts


@case
def prune_is_done_or_says_that_it_was_not():
    life = lived()
    kept = []

    def command():
        kept[:] = posted(life, 4)
        life.until = json.loads(kept[2])["timestamp"]
        return "prune", "--before", life.until

    def done():
        life.gone = {text for made in life.sent for text in made} - set(kept[2:])
        equal(life.daemon.total(), 2, "what is left")

    Jobs("prune", life, command, done).over(SOME).finish()


@case
def forget_is_done_or_says_that_it_was_not():
    life = lived()
    users = []

    def command():
        users.append("user-of-%d-cellars" % life.number)
        life.theirs = posted(life, 3, userId=users[-1])
        return "forget", "--user", users[-1]

    def done():
        life.gone |= set(life.theirs)
        for suffix in "", "-wal":
            if os.path.exists(life.daemon.database + suffix):
                with open(life.daemon.database + suffix, "rb") as file:
                    assert users[-1].encode() not in file.read(), "%s is left in %s" % (users[-1], suffix or "it")

    Jobs("forget", life, command, done).over(SOME).finish()


@case
def a_backup_is_whole_or_not_there():
    life = lived()
    folder = directory()
    names = []

    def command():
        posted(life)
        names.append(os.path.join(folder, "b%d.db" % len(names)))
        return "backup", names[-1]

    def failed():
        assert not os.path.lexists(names[-1]), "a backup that failed has its name"
        equal(glob.glob(names[-1] + "*"), [], "left behind")

    def done():
        equal(glob.glob(os.path.join(folder, "*.partial*")), [], "left behind")
        with sqlite3.connect(names[-1]) as copy:
            equal(copy.execute("pragma integrity_check").fetchall(), [("ok",)])
            equal(copy.execute("select count(*) from events").fetchall(), [(life.daemon.total(),)])
        copy.close()
        os.unlink(names[-1])

    jobs = Jobs("backup", life, command, done)
    jobs.failed = failed
    jobs.over(SOME)
    jobs.must_fail = OPEN, WRITE, OWN_OPEN, OWN_SYNC, OWN_RENAME, OWN_SYNC_RANGE
    jobs.over((SIZE,), files=(TARGET,), times=(ONCE,), every=True)
    jobs.over((OPEN, READ, WRITE, TRUNCATE, SIZE, LOCK, OWN_OPEN, OWN_SYNC, OWN_RENAME, OWN_ROOM, OWN_SYNC_RANGE),
              files=(TARGET,))
    jobs.finish()


@case
def an_import_goes_on_when_the_disk_does():
    life = lived()

    def command():
        path = os.path.join(directory(), "some.log")
        armed, life.disk.map[4] = life.disk.map[4], 0
        life.lines_of_it = life.texts(6)
        life.disk.map[4] = armed
        with open(path, "wb") as file:
            file.write(b"".join(text + b"\n" for text in life.lines_of_it))
        return "import", path

    def done():
        life.acked.update(life.lines_of_it)

    jobs = Jobs("import", life, command, done)
    jobs.patience = 0.4
    jobs.over(SOME).finish()


# --- reads ------------------------------------------------------------------------------------

def over_http(life, **headers):
    """None: broken off or refused, as it must be. Else the number of events."""
    try:
        answer = life.daemon.get("/_tracker", **headers)
        if answer.status == 200:
            parsed = json.loads(answer.plain())
            equal(parsed["total"], len(parsed["events"]))
            return len(parsed["events"])
    except http.client.IncompleteRead:
        return None
    except http.client.RemoteDisconnected:
        return None
    equal(answer.status, 503, repr(answer))
    answer.error()
    return None


def over_websocket(life):
    socket = Socket(life.daemon)
    try:
        socket.send({"type": "events:query", "reqId": "r", "query": {}})
        answer = socket.json()
    except (Ended, Cut):
        return None
    if "response" not in answer:
        assert "error" in answer, answer
        socket.close()
        return None
    socket.close()
    equal(answer["response"]["total"], len(answer["response"]["events"]))
    return len(answer["response"]["events"])


@case
def a_read_that_fails_on_its_way_is_not_taken_for_whole():
    life = Life(cache_events=0)
    for _ in range(8):  # some pages of the database, each a statement of its own
        life.until_taken(life.texts(150, '"%s"' % ("x" * 1000)))
    life.settle()
    broken = []
    for name, read in (("plain", lambda: over_http(life)), ("gzip", lambda: over_http(life, Accept_Encoding="gzip")),
                       ("WebSocket", lambda: over_websocket(life))):
        def play(n, often, op):
            posted(life)  # what a reader has in its memory is void
            count = read()
            touched = life.disk.clear()
            if count is None:
                broken.append(name)
                assert touched, "broken off without a fault"
                equal(read(), len(life.acked), "a read behind it")
            else:
                equal(count, len(life.acked), "a whole answer")
            life.turn()
            return touched

        Sweep("read, " + name, life.disk, play).over((READ, SHM_LOCK, SHM_MAP, SIZE, LOCK), errors=(EIO,)).tell()
        assert broken.count(name) > 3, "no answer was broken off"
    life.settle()
    life.check_whole()


main()
