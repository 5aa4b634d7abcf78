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
import socket
import struct
import threading
import time

from harness import PATIENCE, Daemon, Wire, WriteLock, directory, equal, lasting_address

SEED = int(os.environ.get("BEACOND_SEED", "1"))
LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
BATCH = 10

NEVER, UNKNOWN, STORED = "never", "unknown", "stored"


class Emitted:
    """One emitted event: an instance; equal ones share their text."""

    __slots__ = ("text", "least", "most")

    def __init__(self, text):
        self.text, self.least, self.most = text, 0, 0

    def note(self, verdict):
        self.least = max(self.least, verdict == STORED)
        self.most = max(self.most, verdict != NEVER)


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
    """A daemon that may be killed and started again in its place, and who sends to it."""

    def __init__(self, **options):
        self.options, self.database = options, os.path.join(directory(), "beacond.db")
        self.up = threading.Condition()
        self.daemon, self.address, self.failure = None, lasting_address(), None
        self.acks, self.kills = 0, 0
        self.calm = Calm()
        self.start()

    def start(self):
        daemon = Daemon(database=self.database, listen=self.address, **self.options)
        with self.up:
            self.daemon, self.address = daemon, daemon.address
            self.up.notify_all()

    def kill(self):
        with self.calm.for_kill():
            with self.up:
                daemon, self.daemon = self.daemon, None
            daemon.crash()
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
        return Wire(daemon.connect())

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

def check(world, visitors):
    """What is stored against what was emitted; both directions."""
    daemon = world.daemon
    least, most = collections.Counter(), collections.Counter()
    for visitor in visitors:
        for item in visitor.emitted:
            least[item.text] += item.least
            most[item.text] += item.most
    stored, ids = collections.Counter(), set()
    for text, id in daemon.sql("select event, id from events"):
        stored[text.replace(b'"id":"%s"' % id, b'"id":""', 1)] += 1
        ids.add(id)
    lost = [(t, stored[t], n) for t, n in least.items() if stored[t] < n]
    extra = [(t, n, most[t]) for t, n in stored.items() if n > most[t]]
    assert not lost and not extra, "lost: %d kinds, such as %r; stored too often: %d kinds, such as %r" % (
        len(lost), lost[:3], len(extra), extra[:3])
    total = sum(stored.values())
    equal(len(ids), total, "distinct ids")
    equal(daemon.total(), total, "total by the tally")
    for step, ms in (("second", 1000), ("minute", 60000), ("hour", 3600000), ("day", 86400000)):
        equal(daemon.sql("select at, events from tally_%s where events > 0 order by at" % step),
              daemon.sql("select ts / %d * %d, count(*) from events group by 1 order by 1" % (ms, ms)), step)
    equal(daemon.sql("select count(*) from rejects"), [(0,)])
    equal(daemon.sql("pragma integrity_check"), [(b"ok",)])
    doubtful = sum(most.values()) - sum(least.values())
    print("# %d events stored of %d emitted, %d of them in doubt; %d batches acknowledged, %d kills"
          % (total, sum(len(v.emitted) for v in visitors), doubtful, world.acks, world.kills), flush=True)


def play(world, visitors, disturb):
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
        check(world, visitors)
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
