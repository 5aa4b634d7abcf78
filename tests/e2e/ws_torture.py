"""The retry torture over WebSockets: clients that keep each batch until its ack has come, and send what
was not acknowledged again on their next connection, over roads that are cut anywhere, to a daemon that is
killed. In the end every event is there, once (CONTRACT.md 6, DESIGN.md 1).

  BEACOND_SEED       the seed, printed when something fails; 1 by default
  BEACOND_TEST_LONG  1: thousands of kills

A reporter has several batches under way. After a break it sends them again in their order, each as it was,
the last one perhaps with newer events behind it. A road passes bytes on until it has had enough: then it
breaks the connection to the daemon, or holds back what is still on its way and delivers it when the
reporter is long back on another road.

Equal batches (bursts) go over a connection that nobody cuts, since nothing tells them from retries.
"""

import collections
import random
import select
import socket
import sys
import threading
import time

from harness import NOW, PATIENCE, Closed, Daemon, Wire, WriteLock, batch, case, equal, event, main, poll, scale, stamp
from sockets import RSV1, Cut, Ended, Refused, Socket, deflate, fragments, frame
from world import BATCH, LONG, SEED, STORED, Emitted, World, killer, play, reset, slow_disk

WINDOW = 4  # batches under way


class Road(threading.Thread):
    """Between one reporter (near, its end of it) and the daemon. most: bytes there and back, None for no
    end."""

    def __init__(self, world, dice, most):
        super().__init__(daemon=True)
        self.near, self.side = socket.socketpair()
        self.near.settimeout(PATIENCE)
        self.most, self.held = list(most), b""
        self.fate, self.delay = dice.choice(["reset", "end", "late", "late"]), dice.random() * 0.05
        self.far = world.connect().sock
        self.start()

    def run(self):
        try:
            while self._pass(self.side, self.far, 0) and self._pass(self.far, self.side, 1):
                select.select([self.side, self.far], [], [])
            if self.fate == "late":
                self._deliver()
            if self.fate == "reset":
                reset(self.far)
        except OSError:
            pass
        for one in (self.side, self.far):
            one.close()

    def _pass(self, source, target, way):
        """Passes on what has come. False at an end."""
        if not select.select([source], [], [], 0)[0]:
            return True
        data = source.recv(4096)
        most = self.most[way]
        target.sendall(data if most is None else data[:most])
        if most is None:
            return bool(data)
        self.most[way] -= len(data)
        if self.most[way] < 0 and way == 0 and self.fate == "late":
            self.held = data[most:]
        return bool(data) and self.most[way] > 0

    def _deliver(self):
        """The reporter is cut off; what it has sent arrives later."""
        self.side.shutdown(socket.SHUT_WR)
        rest = [self.held]
        self.side.settimeout(PATIENCE)
        while data := self.side.recv(65536):
            rest.append(data)
        time.sleep(self.delay)
        self.far.sendall(b"".join(rest))
        self.far.shutdown(socket.SHUT_WR)
        while self.far.recv(65536):
            pass


class Batch:
    __slots__ = ("items",)

    def __init__(self, items):
        self.items = items


class Reporter:
    """cut: how likely a connection leads over a bad road. bursts: how likely one comes behind a visit."""

    def __init__(self, world, number, visits, cut, bursts):
        self.world, self.number, self.visits, self.cut, self.bursts = world, number, visits, cut, bursts
        self.dice = random.Random("%d-ws-%d" % (SEED, number))
        self.emitted, self.roads, self.waiting, self.session = [], [], collections.deque(), ""
        self.expected, self.acked, self.left = collections.deque(), 0, 0
        self.clock = NOW + number * 100000000
        self.thread = threading.Thread(target=self._run, daemon=True)

    def host(self, address=None):
        return "localhost"

    def _run(self):
        try:
            visit = 0
            while visit < self.visits and not self.world.failure:
                self._visit("sess_%d_%d" % (self.number, visit))
                visit += 1
            for road in self.roads:
                road.join()
        except Exception as error:
            self.world.fail(error)

    def _visit(self, session):
        self.session, self.left = session, self.dice.randrange(1, 25)
        while (self.left or self.waiting) and not self.world.failure:
            try:
                self._connection()
            except (Cut, Ended, Closed, OSError):
                pass
            except Refused as refused:
                equal(refused.answer.status, 503, "at a restart")
            except AssertionError as error:
                if "cut short" not in str(error):  # inside the answer to the handshake
                    raise
        self.roads = [road for road in self.roads if road.is_alive()]
        if self.dice.random() < self.bursts:
            self._burst()

    def _emit(self, count, equal_ones=False):
        """New events; of a burst all are equal."""
        self.clock += 1
        items = []
        for _ in range(count):
            self.clock += not equal_ones and self.dice.random() < 0.5
            text = '{"id":"","timestamp":"%s","type":"console","sessionId":"%s","payload":{"n":%d}}' % (
                stamp(self.clock), self.session, -1 if equal_ones else len(self.emitted))
            items.append(Emitted(text.encode()))
            self.emitted.append(items[-1])
        return items

    # One connection.

    def _open(self):
        offer = self.dice.random() < 0.5
        if self.dice.random() < self.cut:
            most = (self.dice.randrange(60, 12000), None) if self.dice.random() < 0.7 else \
                (None, self.dice.randrange(60, 500))
            road = Road(self.world, self.dice, most)
            self.roads.append(road)
            wire = Wire(road.near)
        else:
            wire = self.world.connect()
        try:
            return Socket(self, key="tk_any", offer=offer, wire=wire)
        except Exception:
            wire.close()
            raise

    def _connection(self):
        one = self._open()
        self.expected.clear()
        try:
            if self.waiting and self.left and self.dice.random() < 0.5:
                self.waiting[-1].items += self._emit(self.dice.randrange(1, 5))
            for unacknowledged in list(self.waiting):
                self._send(one, unacknowledged)
            while self.left or self.waiting:
                if self.world.failure:
                    return
                while self.left and len(self.waiting) < WINDOW and self.dice.random() < 0.8:
                    self.left -= 1
                    self.waiting.append(Batch(self._emit(self.dice.randrange(1, BATCH + 1))))
                    self._send(one, self.waiting[-1])
                if self.dice.random() < 0.1:
                    self.expected.append((one.query(limit=0), self.acked))
                if self.expected:
                    self._answer(one)
            while self.expected:
                self._answer(one)
            if self.dice.random() < 0.7:
                one.close(1001)
        finally:
            one.wire.close()

    def _send(self, one, unit):
        data = batch(item.text for item in unit.items)
        packed = one.deflated and self.dice.random() < 0.7
        if packed:
            data = deflate(data)
        cuts = sorted(self.dice.randrange(len(data) + 1) for _ in range(self.dice.choice([0, 0, 0, 1, 3])))
        one.wire.sock.sendall(fragments(data, cuts, rsv=RSV1 if packed else 0))
        self.expected.append(unit)

    def _answer(self, one):
        """The next answer, whatever it is that is expected next."""
        what = self.expected.popleft()
        if not isinstance(what, Batch):
            req_id, acked = what
            answer = one.json()
            equal((answer["type"], answer["reqId"]), ("events:response", req_id))
            assert answer["response"]["total"] >= acked, "a read that lacks what was acknowledged before"
            return
        equal(one.ack(), len(what.items), "saved")
        assert self.waiting.popleft() is what
        for item in what.items:
            item.note(STORED)
        self.acked += len(what.items)
        self.world.acknowledged()

    def _burst(self):
        with self.world.calm.for_burst():
            one = Socket(self, wire=self.world.connect())
            items = self._emit(BATCH * self.dice.randrange(1, 4), True)
            for start in range(0, len(items), BATCH):
                one.save([item.text for item in items[start:start + BATCH]])
            for item in items:
                item.note(STORED)
            equal(one.close(1000), 1000)
        self.acked += len(items)


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
def each_event_is_stored_once_however_often_the_daemon_is_killed():
    world = World(threads=2)
    reporters = [Reporter(world, n, sys.maxsize, 0, 0.1) for n in range(6)]
    play(world, reporters, killer(reporters, 2000 if LONG else scale(15, 4)))


@case
def each_event_is_stored_once_on_bad_roads_to_a_daemon_that_is_killed():
    world = World(threads=2)
    reporters = [Reporter(world, n, sys.maxsize, 0.7, 0) for n in range(6)]
    play(world, reporters, killer(reporters, 1000 if LONG else scale(10, 3)))


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
