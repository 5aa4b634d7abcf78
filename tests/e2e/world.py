"""What the torture tests share: a daemon that is killed and started again, and the ledger of what was
emitted against what is stored.

  BEACOND_SEED       the seed, printed when something fails; 1 by default
  BEACOND_TEST_LONG  1: thousands of kills

Who sends has: thread (not started yet), visits (0 ends it), emitted (a list of Emitted).
"""

import collections
import contextlib
import os
import random
import signal
import socket
import struct
import threading
import time

import stores
from harness import BINARY, FAULTY, NOW, PATIENCE, Daemon, Wire, WriteLock, becomes, equal, lasting_address, sql
from tally import check_tally

SEED = int(os.environ.get("BEACOND_SEED", "1"))
LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
BATCH = 10

NEVER, UNKNOWN, STORED = "never", "unknown", "stored"


class Emitted:
    """One emitted event: an instance; equal ones share their text."""

    __slots__ = ("text", "least", "most", "leaves", "gone")

    def __init__(self, text):
        self.text, self.least, self.most, self.leaves, self.gone = text, 0, 0, False, False

    def note(self, verdict):
        self.least = max(self.least, verdict == STORED)
        self.most = max(self.most, verdict != NEVER)

    def going(self):
        """It is being erased, from now on until it is gone."""
        self.least, self.leaves = 0, True

    def went(self):
        self.least, self.most, self.gone = 0, 0, True


class Coming:
    """Who comes visit after visit, in a thread of its own, each with a session; _visit(session) and _leave()
    are the child's."""

    def __init__(self, world, number, visits):
        self.world, self.number, self.visits, self.emitted = world, number, visits, []
        self.clock = NOW + number * 100000000
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            visit = 0
            while visit < self.visits and not self.world.failure:
                self._visit("sess_%d_%d" % (self.number, visit))
                visit += 1
            self._leave()
        except Exception as error:
            self.world.fail(error)


class Calm:
    """Kills and what must not be interrupted by one exclude each other; who waits to kill is let
    in first."""

    def __init__(self):
        self.changed = threading.Condition()
        self.inside, self.killing = 0, False

    @contextlib.contextmanager
    def for_burst(self):
        with self.changed:
            self.changed.wait_for(lambda: not self.killing)
            self.inside += 1
        try:
            yield
        finally:
            with self.changed:
                self.inside -= 1
                self.changed.notify_all()

    @contextlib.contextmanager
    def for_kill(self):
        with self.changed:
            self.killing = True
            self.changed.wait_for(lambda: self.inside == 0)
        try:
            yield
        finally:
            with self.changed:
                self.killing = False
                self.changed.notify_all()


class World:
    """A daemon that may be killed and started again in its place, and who sends to it. abrupt: it may be
    killed at any moment, so that nobody must send what for_burst protects."""

    def __init__(self, abrupt=False, start=True, **options):
        self.options, self.database = options, stores.fresh()
        self.up = threading.Condition()
        self.daemon, self.address, self.failure = None, lasting_address(), None
        self.acks, self.kills, self.abrupt = 0, 0, abrupt
        self.outages = False  # the database may be away: then reads fail
        self.ration = None  # batches that may be sent in this life of the daemon; None: any number
        self.seen = collections.Counter()  # how many of an event a reader was shown at once
        self.calm = Calm()
        if start:
            self.start()

    def start(self, point=None, after=None, ration=None):
        """point: where it is to end by itself (tests/faults/points.c). after: how many seconds after it is
        ready it is killed; negative: after its start. ration: how many batches may be sent meanwhile. Returns
        whether it was ready before its end; bury() it in any case."""
        mortal = point or ration or after is not None
        daemon = Daemon(database=self.database, listen=self.address, ready=False,
                        program=FAULTY if point else BINARY, env={"FAULTY_POINT": point} if point else None,
                        **self.options)
        if mortal:
            daemon.doom()
        if after is not None and after < 0:
            threading.Timer(-after, daemon.process.kill).start()
        try:
            daemon.wait_ready()
        except AssertionError:
            if not mortal:
                raise
            self.dead = daemon
            return False
        with self.up:
            self.daemon, self.dead, self.address, self.ration = daemon, daemon, daemon.address, ration
            self.up.notify_all()
        if after is not None and after >= 0:
            threading.Timer(after, daemon.process.kill).start()
        return True

    def bury(self):
        """Waits until the daemon has ended: killed, or by SIGTERM and well. Returns the point at which it
        has ended, if it was one."""
        code = self.dead.ended()
        with self.up:
            self.daemon = None
        lines = self.dead.log()
        if code not in (-signal.SIGKILL, 0):
            raise AssertionError("exit code %d:\n%s" % (code, "\n".join(lines[-20:])))
        self.kills += code != 0
        self.dead.retire()
        points = [line[6:] for line in lines[-1:] if line.startswith("point ")]
        return points[0] if points else None

    def kill(self):
        with self.calm.for_kill():
            with self.up:
                daemon, self.daemon = self.daemon, None
            daemon.crash()
            daemon.retire()
            self.kills += 1
            self.start()

    def restart(self):
        """As kill, by SIGTERM: everything about the end must be right."""
        with self.calm.for_kill():
            with self.up:
                daemon, self.daemon = self.daemon, None
            daemon.stop()
            self.kills += 1
            self.start()

    def connect(self):
        with self.up:
            if not self.up.wait_for(lambda: self.daemon or self.failure, PATIENCE) or self.failure:
                raise AssertionError("no daemon")
            daemon = self.daemon
        try:
            return Wire(daemon.connect())
        except OSError:
            with self.up:  # those who come next wait for another
                if self.daemon is daemon and daemon.over():
                    self.daemon = None
            raise

    def turn(self):
        """Waits until one more batch may be sent."""
        with self.up:
            if not self.up.wait_for(lambda: self.ration is None or self.ration > 0 or self.failure, PATIENCE):
                raise AssertionError("no turn")
            if self.ration:
                self.ration -= 1

    def end_rations(self):
        with self.up:
            self.ration = None
            self.up.notify_all()

    def acknowledged(self):
        with self.up:
            self.acks += 1
            self.up.notify_all()

    def wait_acks(self, count, visitors):
        """Until so many batches have been acknowledged, or nobody sends any more."""
        def enough():
            return self.acks >= count or self.failure or not any(v.thread.is_alive() for v in visitors)
        with self.up:
            while not enough():
                self.up.wait(0.1)

    def fail(self, error):
        with self.up:
            self.failure = self.failure or error
            self.up.notify_all()


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# --- the ledger -------------------------------------------------------------------------------

def ledger(visitors, emitted=False):
    """How many of each event there must be and may be. emitted: while they are still sending, when whatever
    has been emitted may be there."""
    least, most = collections.Counter(), collections.Counter()
    for visitor in visitors:
        for item in list(visitor.emitted):
            least[item.text] += item.least
            most[item.text] += 1 if emitted and not item.gone else item.most
    return least, most


def compare(database, least, most):
    """What is stored against what must be and may be, in both directions; that the file is whole and its
    tally what a recount gives. Nobody writes meanwhile. Returns the number of events."""
    stores.sound(database)
    stored, ids = collections.Counter(), set()
    for text, id, given in sql(database, "select event, id, given from events"):
        stored[text if given else text.replace(b'"id":"%s"' % id, b'"id":""', 1)] += 1
        ids.add(id)
    lost = [(t, stored[t], n) for t, n in least.items() if stored[t] < n]
    extra = [(t, n, most[t]) for t, n in stored.items() if n > most[t]]
    assert not lost and not extra, "lost: %d kinds, such as %r; stored too often: %d kinds, such as %r" % (
        len(lost), lost[:3], len(extra), extra[:3])
    total = sum(stored.values())
    equal(len(ids), total, "distinct ids")
    check_tally(database)
    return total


def check(world, visitors, rejects=0):
    """All of it, at the end."""
    daemon = world.daemon
    least, most = ledger(visitors)
    # What was cut off may yet be committed, and what is old be erased.
    becomes(lambda: daemon.total() - daemon.sql("select count(*) from events")[0][0], 0, "total by the daemon")
    leaving = {item.text for visitor in visitors for item in visitor.emitted if item.leaves}
    for text, count in world.seen.items():
        if most[text] and text not in leaving:
            least[text] = max(least[text], count)
    daemon.stop()
    total = compare(world.database, least, most)
    equal(sql(world.database, "select count(*) from rejects"), [(rejects,)])
    doubtful = sum(most.values()) - sum(least.values())
    print("# %d events stored of %d emitted, %d of them in doubt; %d batches acknowledged, %d kills"
          % (total, sum(len(v.emitted) for v in visitors), doubtful, world.acks, world.kills), flush=True)


def play(world, visitors, disturb, judge=check):
    """Runs the visits, and beside them disturb(world) in this thread (a daemon dies with the thread
    that has started it)."""
    try:
        for visitor in visitors:
            visitor.thread.start()
        try:
            disturb(world)
        except Exception as error:
            world.fail(error)
        for visitor in visitors:
            visitor.thread.join()
        if world.failure:
            raise world.failure
        judge(world, visitors)
    except Exception as error:
        raise AssertionError("BEACOND_SEED=%d: %s: %s" % (SEED, type(error).__name__, error)) from error


def slow_disk(visitors):
    """Commits take their time now and then, until the visits are over."""
    def disturb(world):
        dice, acks = random.Random("%d-disk" % SEED), 0
        while any(visitor.thread.is_alive() for visitor in visitors):
            acks = max(acks, world.acks) + dice.randrange(1, 20)
            world.wait_acks(acks, visitors)
            with WriteLock(world.database):
                time.sleep(dice.random() * 0.15)
    return disturb


def killer(visitors, kills):
    """Kills so often, and then the visits end."""
    def disturb(world):
        dice = random.Random("%d-kill" % SEED)
        try:
            while world.kills < kills and not world.failure:
                world.wait_acks(world.acks + dice.randrange(1, 40), visitors)
                time.sleep(dice.random() * 0.005)
                world.kill()
        finally:
            for visitor in visitors:
                visitor.visits = 0
    return disturb
