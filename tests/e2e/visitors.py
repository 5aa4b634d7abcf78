"""Visitors of pages with the stock client's logic over HTTP, and the roads they take, which lose, cut and
delay (torture.py, tests/crash).

A visitor emits events into a queue and sends up to BATCH from its head; whatever is not answered by
200 goes back to the head and is sent again with newer events behind it. A visit ends with a beacon of
all that is left, after which the client is gone. Now and then a loop emits equal events within one
millisecond, which makes several identical full batches.

What is expected is kept per emitted event, as the number of times it must be and may be stored: once
and once if it was acknowledged, or if the road knows that it was committed; never if no request with
it ever reached the daemon; either if a beacon went into a connection that was cut.

Where equal events make equal batches, nothing but a connection broken before its answer was read
tells a retry from another copy (manual, "retries"): there the road cuts so that the daemon can see it,
and no kill falls between two copies.
"""

import random
import select
import socket
import threading

from harness import PATIENCE, Closed, batch, equal, poll, stamp
from world import BATCH, NEVER, SEED, STORED, UNKNOWN, Coming, Emitted, reset

HEAD = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


class Lost(Exception):
    """No answer. verdict: what the road knows of the batch."""

    def __init__(self, verdict):
        super().__init__(verdict)
        self.verdict = verdict


# --- the road ---------------------------------------------------------------------------------

def read_by_daemon(sock):
    """Whether the daemon has read all that was sent on the socket."""
    here, there = ("%04X" % s[1] for s in (sock.getsockname(), sock.getpeername()))
    with open("/proc/net/tcp") as file:
        for line in list(file)[1:]:
            fields = line.split()
            if fields[1].endswith(":" + there) and fields[2].endswith(":" + here):
                return fields[4].endswith(":00000000")
    return True  # gone, and so it was read or never will be


class Road:
    """From one client to the daemon. carry() takes a batch and gives the status, or raises Lost."""

    def __init__(self, world, dice, fates):
        self.world, self.dice, self.fates = world, dice, fates
        self.wire, self.delayed, self.racing = None, [], []

    def drop_wire(self):
        if self.wire:
            self.wire.close()
        self.wire = None

    def carry(self, items, burst):
        """burst: equal batches may exist."""
        if self.world.failure:
            raise AssertionError("elsewhere")
        fate = self.dice.choice(self.fates)
        if burst and fate in ("cut", "late", "race"):
            fate = "pass"
        self.world.turn()
        return getattr(self, "_" + fate)(items)

    def _send(self, items):
        body = batch(item.text for item in items)
        try:
            if self.wire is None:
                self.wire = self.world.connect()
        except OSError:
            raise Lost(NEVER)
        try:
            self.wire.sock.sendall(HEAD % len(body) + body)
        except OSError:
            self.drop_wire()
            raise Lost(UNKNOWN)

    def _answer(self, items):
        try:
            answer = self.wire.response()
        except (Closed, OSError, AssertionError):
            self.drop_wire()
            raise Lost(UNKNOWN)
        if answer.status == 200:
            told = answer.json()
            equal((told["saved"], told["rejected"]), (len(items), 0), "what the answer tells")
        else:
            equal(answer.status, 503, repr(answer))
        return answer.status

    def _pass(self, items):
        if self.dice.random() < 0.3:
            self.drop_wire()
        self._send(items)
        return self._answer(items)

    def _drop(self, items):
        """Lost on the way there."""
        raise Lost(NEVER)

    def _half(self, items):
        """A part of it arrives, and then the end."""
        body = batch(item.text for item in items)
        self.drop_wire()
        try:
            wire = self.world.connect()
            wire.send(HEAD % len(body) + body[:self.dice.randrange(len(body))])
            if self.dice.random() < 0.5:
                reset(wire.sock)
            wire.close()
        except OSError:
            pass
        raise Lost(NEVER)

    def _cut(self, items):
        """Lost on the way back, and the daemon can't know."""
        self._send(items)
        status = self._answer(items)
        raise Lost(STORED if status == 200 else NEVER)

    def _unread(self, items):
        """The client's side breaks, and so the daemon's before the answer."""
        self.drop_wire()
        self._send(items)
        sock = self.wire.sock
        try:
            poll(lambda: read_by_daemon(sock), "the daemon to read it")
            if self.dice.random() < 0.5:
                reset(sock)
        except OSError:
            pass
        self.drop_wire()
        raise Lost(UNKNOWN)

    def _seen(self, items):
        """The same, while the answer is on its way."""
        self.drop_wire()
        self._send(items)
        came = select.select([self.wire.sock], [], [], PATIENCE)[0]
        try:
            status = self.wire.sock.recv(12, socket.MSG_PEEK) if came else b""
        except OSError:
            status = b""
        self.drop_wire()  # unread, so the daemon gets a reset
        raise Lost(STORED if status == b"HTTP/1.1 200" else UNKNOWN)

    def _late(self, items):
        """Held up until the client has sent it again."""
        self.delayed.append(items)
        raise Lost(NEVER)

    def _race(self, items):
        """Arrives together with its retry."""
        thread = threading.Thread(target=self._deliver, args=(items,), daemon=True)
        self.racing.append(thread)
        thread.start()
        raise Lost(NEVER)

    def _deliver(self, items):
        """One that the client has given up arrives; on a kill the road tries no more."""
        other = Road(self.world, self.dice, ())
        verdict = UNKNOWN
        try:
            other._send(items)
            verdict = STORED if other._answer(items) == 200 else NEVER
        except Lost:
            pass
        except Exception as error:
            self.world.fail(error)
        other.drop_wire()
        for item in items:
            item.note(verdict)

    def release(self):
        """What was held up arrives."""
        while self.delayed:
            self._deliver(self.delayed.pop(self.dice.randrange(len(self.delayed))))

    def end(self):
        for thread in self.racing:
            thread.join()
        self.racing = []


# --- the client -------------------------------------------------------------------------------

class Visitor(Coming):
    """One visit after the other, each with its own session."""

    def __init__(self, world, number, visits, fates, bursts):
        super().__init__(world, number, visits)
        self.dice, self.bursts, self.queue = random.Random("%d-%d" % (SEED, number)), bursts, []
        self.road = Road(world, self.dice, fates)

    def _leave(self):
        self.road.drop_wire()
        self.road.end()

    def _emit(self, session, count, equal_ones=False):
        """Single events often share a millisecond; a loop's never with others."""
        self.clock += equal_ones
        for number in range(count):
            self.clock += not equal_ones and self.dice.random() < 0.5
            text = '{"id":"","timestamp":"%s","type":"console","sessionId":"%s","payload":{"n":%d}}' % (
                stamp(self.clock), session, len(self.emitted) if not equal_ones else -1)
            item = Emitted(text.encode())
            self.queue.append(item)
            self.emitted.append(item)
        self.clock += equal_ones

    def _flush(self):
        """As the stock client: what fails goes back to the head."""
        items, self.queue = self.queue[:BATCH], self.queue[BATCH:]
        ends = [json_time(item.text) for item in (items[0], items[-1])]
        equal_batches = ends[0] == ends[1] and len({item.text for item in items}) < len(items)
        rest = len(items) == 1 and b'"n":-1' in items[0].text
        try:
            status = self.road.carry(items, equal_batches or rest)
        except Lost as lost:
            for item in items:
                item.note(lost.verdict)
            status = 0
        if status == 200:
            for item in items:
                item.note(STORED)
            self.world.acknowledged()
        else:
            self.queue = items + self.queue
        return status == 200

    def _flush_all(self):
        while self.queue:
            self._flush()

    def _burst(self, session):
        count = self.dice.randrange(2, BATCH + 1)
        if self.world.abrupt or self.dice.random() < 0.5:
            self._emit(session, count, True)
            self._flush_all()
        else:
            with self.world.calm.for_burst():
                self._emit(session, count + BATCH * self.dice.randrange(1, 3), True)
                if self.dice.random() < 0.5:
                    self._emit(session, self.dice.randrange(1, 5))
                self._flush_all()

    def _visit(self, session):
        for _ in range(self.dice.randrange(1, 8)):
            if self.world.failure:
                return
            self._emit(session, self.dice.randrange(1, BATCH + BATCH // 2))
            if self.queue and self.dice.random() < 0.8:
                if self._flush() and self.dice.random() < 0.7:
                    self.road.release()
            if self.dice.random() < self.bursts:
                self._burst(session)
        self._beacon()
        self.road.release()
        self.road.end()

    def _beacon(self):
        """All that is left, whatever becomes of it."""
        if not self.queue:
            return
        items, self.queue = self.queue, []
        equal_events = len({item.text for item in items}) < len(items)
        try:
            verdict = STORED if self.road.carry(items, equal_events) == 200 else NEVER
        except Lost as lost:
            verdict = lost.verdict
        for item in items:
            item.note(verdict)


def json_time(text):
    return text[text.index(b"timestamp"):][:36]


ROADS = ["pass"] * 6 + ["drop", "half", "cut", "cut", "unread", "unread", "seen", "late", "late", "race"]
