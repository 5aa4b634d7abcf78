"""Reporters: clients on WebSockets that keep each batch until its ack has come, and send what was not
acknowledged again on their next connection (ws_torture.py, tests/crash).

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
import threading
import time

from harness import PATIENCE, Closed, Wire, batch, equal, stamp
from sockets import RSV1, Cut, Ended, Refused, Socket, deflate, fragments
from world import BATCH, SEED, STORED, UNKNOWN, Coming, Emitted, reset

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
        time.sleep(self.delay)  # the road's own, which nothing waits for
        self.far.sendall(b"".join(rest))
        self.far.shutdown(socket.SHUT_WR)
        while self.far.recv(65536):
            pass


class Batch:
    __slots__ = ("items",)

    def __init__(self, items):
        self.items = items


class Reporter(Coming):
    """cut: how likely a connection leads over a bad road. bursts: how likely one comes behind a visit. stock:
    it is the stock client, which sends nothing again."""

    def __init__(self, world, number, visits, cut, bursts, stock=False):
        super().__init__(world, number, visits)
        self.cut, self.bursts, self.stock = cut, bursts, stock
        self.dice = random.Random("%d-ws-%d" % (SEED, number))
        self.roads, self.waiting, self.session = [], collections.deque(), ""
        self.expected, self.acked, self.left = collections.deque(), 0, 0

    def host(self, address=None):
        return "localhost"

    def _leave(self):
        for road in self.roads:
            road.join()

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
            if self.stock:
                self._give_up()
        self.roads = [road for road in self.roads if road.is_alive()]
        if not self.world.abrupt and self.dice.random() < self.bursts:
            self._burst()

    def _give_up(self):
        """What is not acknowledged may have arrived or not."""
        for unit in self.waiting:
            for item in unit.items:
                item.note(UNKNOWN)
        self.waiting.clear()

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
                    self.world.turn()
                    # One body of equal events, which no other is equal to.
                    alike = self.world.abrupt and not self.cut and self.dice.random() < 0.1
                    self.waiting.append(Batch(self._emit(self.dice.randrange(2, BATCH + 1), alike)))
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
            if self.world.outages and answer["type"] == "error":
                return
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
