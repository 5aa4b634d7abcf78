"""The retry torture over WebSockets: reporters (reporters.py) over roads that are cut anywhere, to a daemon
with a slow disk, and to one that is restarted. In the end every event is there, once (CONTRACT.md 6,
DESIGN.md 1). tests/crash has the same while the daemon is killed.

  BEACOND_SEED       the seed, printed when something fails; 1 by default
  BEACOND_TEST_LONG  1: hundreds of restarts
"""

import random
import sys

from harness import NOW, Daemon, WriteLock, batch, case, equal, event, main, poll, scale
from reporters import Reporter
from sockets import Socket, frame
from world import BATCH, LONG, SEED, World, play, slow_disk


def restarter(visitors, count):
    """SIGTERM so often, while they send."""
    def disturb(world):
        dice = random.Random("%d-restart" % SEED)
        try:
            while world.kills < count and not world.failure:
                world.wait_acks(world.acks + dice.randrange(1, 60), visitors)
                world.restart()
        finally:
            for visitor in visitors:
                visitor.visits = 0
    return disturb


@case
def each_event_is_stored_once_wherever_the_connection_is_cut():
    world = World(threads=2)
    reporters = [Reporter(world, n, scale(10, 3) * (20 if LONG else 1), 0.8, 0.3) for n in range(8)]
    play(world, reporters, slow_disk(reporters))


@case
def each_event_is_stored_once_however_often_the_daemon_is_restarted():
    world = World(threads=2)
    reporters = [Reporter(world, n, sys.maxsize, 0.3, 0.1) for n in range(6)]
    play(world, reporters, restarter(reporters, 300 if LONG else scale(10, 3)))


# --- bursts -----------------------------------------------------------------------------------

def burst():
    return [event(NOW, 7)] * BATCH


@case
def equal_batches_that_were_all_acknowledged_are_all_stored():
    daemon = Daemon()
    one = Socket(daemon)
    for n in range(5):
        one.save(burst())
    one.raw(frame(batch(burst())) * 3)
    equal([one.ack() for _ in range(3)], [BATCH] * 3)
    equal(daemon.total(), 8 * BATCH)


@case
def a_burst_whose_connection_broke_before_its_ack_is_stored_once():
    for end in ("reset", "close"):
        for http in (False, True):
            daemon = Daemon(hold="1h")
            one = Socket(daemon)
            with WriteLock(daemon.database):
                one.ingest(burst())
                poll(lambda: daemon.unread() == 0, "the daemon to read it")
                one.reset() if end == "reset" else one.wire.close()
            poll(lambda: daemon.total() == BATCH, "the commit")
            if http:
                equal(daemon.post(burst()).json()["saved"], BATCH)
            else:
                Socket(daemon).save(burst())
            equal(daemon.total(), BATCH, "sent again after a %s, over HTTP %s" % (end, http))
            # There has been one retry, and this is no other.
            Socket(daemon).save(burst())
            equal(daemon.total(), 2 * BATCH)


@case
def a_burst_whose_ack_was_not_read_before_a_reset_is_stored_once():
    daemon = Daemon()
    one = Socket(daemon).ingest(burst())
    poll(lambda: not one.silent(), "the ack to come")
    one.wire.close()  # with the ack unread: a reset
    Socket(daemon).save(burst())
    equal(daemon.total(), BATCH)
    Socket(daemon).save(burst())
    equal(daemon.total(), 2 * BATCH)


@case
def a_burst_that_was_not_acknowledged_when_the_daemon_was_killed_is_stored_once():
    first = Daemon()
    one = Socket(first).save(burst())
    first.crash()
    one.wire.close()
    daemon = Daemon(database=first.database)
    Socket(daemon).save(burst())
    equal(daemon.total(), BATCH)


main()
