"""A soak: everything at once for long, and nothing grows (DESIGN.md 1, promise 6).

Clients over HTTP and WebSocket, plain and through TLS, that send, send again, send rubbish and break
off; readers of little and of all; followers; and an operator who backs up, forgets, prunes and
reloads, while retention erases by age and size. All along the answers must be right, and in the end
each acknowledged event must have been followed and stored once. What is judged of the figures is
written in soaking.py.

  BEACOND_SOAK_SECONDS  how long; 120 by default, two hours with BEACOND_TEST_LONG=1
  BEACOND_SOAK_PACE     how much of it, 0.7 by default, 1 with BEACOND_TEST_LONG=1
"""

import contextlib
import gzip
import json
import os
import random
import re
import socket
import threading
import time

import certs
import stores
import tally
from harness import BRIEF, PATIENCE, SLOW, Grave, Skip, batch, case_of_time, directory, equal, main, poll, run, stamp
from reloading import Configured
from soaking import ACKED, DOUBT, STRETCHES, Figures, Ledger, growth, leaks
from sockets import PING, Cut, Ended, Socket, closing, frame

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
SECONDS = int(os.environ.get("BEACOND_SOAK_SECONDS", 7200 if LONG else 10 if BRIEF else 120))
PACE = float(os.environ.get("BEACOND_SOAK_PACE", 1 if LONG else 0.7)) / (10 if SLOW else 1)
SEED = int(os.environ.get("BEACOND_SEED", "1"))

KEY, GONE, OTHER = "tk_steady", "tk_one", "tk_two"  # GONE and OTHER take turns
RETAIN = 9 << 20
# Retention looks every three seconds, so that what the database holds, and SQLite keeps of it in memory, is even.
OPTIONS = {"retain": "30s", "retain-size": "9M", "receipts-size": "1M", "max-rejects": "200", "max-rejects-size": "256K",
           "cache-events": 2000, "cache-bytes": "2M", "threads": 2, "hold": "1h", "max-push": "64M"}
OLD = 3600000
WARM = 100  # seconds in which everything has come to its size; in less, memory is not judged
PINGS = 50  # they cost little, and so many of them show what each leaves behind
HEAD = b"%s %s HTTP/1.1\r\nHost: localhost\r\nX-Tracker-Key: " + KEY.encode() + b"\r\n%s\r\n"


def get(target, more=b""):
    return HEAD % (b"GET", target, more)


def post(body, more=b""):
    return HEAD % (b"POST", b"/_tracker/events", more + b"Content-Length: %d\r\n" % len(body)) + body


class Soak:
    """What all of them share."""

    def __init__(self):
        self.path = os.path.join(directory(), "s")
        self.pairs = [certs.issue(directory(), signer=certs.authority()) for _ in range(2)]
        self.daemon = Configured(self.options(0), [KEY, GONE], listen=["unix:" + self.path, "127.0.0.1:0"])
        self.ledger, self.over, self.trouble = Ledger(), threading.Event(), []
        self.requests, self.turn, self.user = 0, 0, 0
        self.lock = threading.Lock()
        self.threads = []
        self.breath, self.resting, self.steps = threading.Condition(), False, 0

    def options(self, turn):
        cert, key = self.pairs[turn % 2]
        return dict(OPTIONS, **{"tls-cert": cert, "tls-key": key})

    def unix(self):
        return self.daemon.wire("unix:" + self.path)

    def tls(self):
        return self.daemon.wire(self.daemon.secure[0])

    def did(self, count=1):
        with self.lock:
            self.requests += count

    def begin(self, step, every):
        """Has step() called again and again, at most so often, until the end."""
        def go_on():
            try:
                while not self.over.is_set():
                    began = time.monotonic()
                    with self.moving():
                        step()
                    self.over.wait(max(every / PACE - (time.monotonic() - began), 0))
            except Exception as error:
                self.fail(step, error)
            step.__self__.close()
        self.spawn(go_on)

    @contextlib.contextmanager
    def moving(self):
        """A step, which does not begin while all rest."""
        with self.breath:
            self.breath.wait_for(lambda: not self.resting)
            self.steps += 1
        try:
            yield
        finally:
            with self.breath:
                self.steps -= 1
                self.breath.notify_all()

    @contextlib.contextmanager
    def rest(self):
        """Nobody asks or sends anything meanwhile."""
        with self.breath:
            self.resting = True
            self.breath.wait_for(lambda: self.steps == 0)
        try:
            yield
        finally:
            with self.breath:
                self.resting = False
                self.breath.notify_all()

    def spawn(self, target):
        thread = threading.Thread(target=target, daemon=True)
        self.threads.append(thread)
        thread.start()

    def fail(self, who, error):
        self.trouble.append("%s: %s: %s" % (getattr(who, "__qualname__", who), type(error).__name__, error))
        self.over.set()


# --- who sends --------------------------------------------------------------------------------

class Client:
    """Ends with its connection."""

    wire = None

    def close(self):
        if self.wire:
            self.wire.close()


class Sender(Client):
    """Batches of events by their numbers."""

    def __init__(self, soak, number):
        self.soak, self.ledger, self.number = soak, soak.ledger, number
        self.dice = random.Random("%d-%d" % (SEED, number))

    def texts(self, count, old=False):
        """New events: the first number and their texts."""
        at, user = int(time.time() * 1000) - (OLD if old else 0), self.soak.user
        first = self.ledger.take(count, at, user, old)
        return first, [b'{"id":"","timestamp":"%s","level":"info","type":"custom","sessionId":"s%d","userId":"u%d","n":%d,'
                       b'"payload":{"text":"%s"}}' % (stamp(at).encode(), self.number, user, n, b"x" * (n % 97))
                       for n in range(first, first + count)]

    def batch(self):
        first, texts = self.texts(self.dice.randrange(1, 8), self.dice.random() < 0.03)
        return first, texts


class HttpSender(Sender):
    """Twenty requests at once on a connection that lasts for a while: some packed, some sent again with
    more behind them, some with events that can't be stored."""

    def __init__(self, soak, number):
        super().__init__(soak, number)
        self.left = 0

    def step(self):
        if self.left == 0:
            self.close()
            self.wire, self.left = self.soak.unix(), self.dice.randrange(1, 60)
        self.left -= 1
        sent, expected, last = [], [], None
        for _ in range(20):
            kind = self.dice.random()
            first, texts = self.batch()
            saved, rejected, known = len(texts), 0, 0
            if kind < 0.1 and last:  # the one before once more, and these behind it
                known = len(last)
                texts = last + texts
            last = texts
            if kind > 0.9:
                rejected = 2
                texts = texts + [b"17", b'{"timestamp":"never","n":%d}' % first]
                last = None
            body, more = batch(texts), b""
            if 0.8 < kind < 0.9:
                body, more = gzip.compress(body, 1), b"Content-Encoding: gzip\r\n"
            sent.append(post(body, more))
            expected.append((first, saved, {"ok": True, "saved": saved + known, "rejected": rejected, "duplicate": known}))
        self.wire.send(b"".join(sent))
        for first, saved, told in expected:
            answer = self.wire.response()
            equal((answer.status, json.loads(answer.body)), (200, told))
            self.ledger.note(first, saved, ACKED)
        self.soak.did(20)


class SocketSender(Sender):
    """The same on a WebSocket."""

    def __init__(self, soak, number):
        super().__init__(soak, number)
        self.one, self.left = None, 0

    def step(self):
        if self.left == 0:
            if self.one:
                equal(self.one.close(), 1000)
            self.one = Socket(self.soak.daemon, key=KEY, address="unix:" + self.soak.path, offer=self.dice.random() < 0.5)
            self.wire, self.left = self.one.wire, self.dice.randrange(1, 60)
        self.left -= 1
        sent = []
        for _ in range(20):
            first, texts = self.batch()
            sent.append((first, len(texts)))
            self.one.ingest(texts, packed=self.one.deflated and len(texts) > 4)
        for first, count in sent:
            equal(self.one.ack(), count)
            self.ledger.note(first, count, ACKED)
        self.soak.did(20)


class Passenger(Sender):
    """Comes, and leaves as nobody should: in the middle of a request or of its answer, of a frame, of
    TLS's handshake, without a word. What was not answered is sent again."""

    def step(self):
        name = self.dice.choice(["head", "body", "frame", "unread", "unread", "stream", "socket", "shake", "tls", "tls"])
        with contextlib.suppress(Cut, ConnectionError):
            getattr(self, name)()
        self.soak.did()

    def leave(self, wire):
        if self.dice.random() < 0.5 and wire.sock.family != socket.AF_UNIX:
            wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.close()

    def cut(self, wire, data):
        wire.send(data[:self.dice.randrange(1, len(data))])
        self.leave(wire)

    def head(self):
        self.cut(self.soak.unix(), get(b"/_tracker"))

    def body(self):
        self.cut(self.soak.unix(), post(b"x" * 5000))

    def frame(self):
        one = Socket(self.soak.daemon, key=KEY, address="unix:" + self.soak.path, offer=True)
        self.cut(one.wire, frame(b"x" * 5000, fin=self.dice.random() < 0.5))

    def unread(self):
        first, texts = self.texts(5)
        self.ledger.note(first, 5, DOUBT)
        self.leave(self.soak.unix().send(post(batch(texts))))
        wire = self.soak.unix().send(post(batch(texts)))
        told = json.loads(wire.response().body)
        equal((told["saved"], told["rejected"]), (5, 0))
        self.ledger.note(first, 5, ACKED)
        wire.close()

    def stream(self):
        wire = self.soak.unix().send(get(self.dice.choice([b"/_tracker", b"/_tracker/tail"])))
        wire._until(b"\r\n\r\n")
        self.leave(wire)

    def socket(self):
        one = Socket(self.soak.daemon, key=KEY, address="unix:" + self.soak.path, offer=True)
        one.query("q")
        self.dice.choice([lambda: self.leave(one.wire), one.response, lambda: one.raw(frame(b"", PING)),
                          lambda: one.raw(closing(1001))])()
        self.leave(one.wire)

    def shake(self):
        self.soak.daemon.connect(self.soak.daemon.secure[0], bare=True).send(b"\x16\x03\x01\x02\x00\x01\x00")

    def tls(self):
        first, texts = self.texts(3)
        wire = self.soak.tls().send(post(batch(texts)))
        equal(wire.response().json()["saved"], 3)
        self.ledger.note(first, 3, ACKED)
        self.leave(wire)


# --- who reads --------------------------------------------------------------------------------

class Reader(Client):
    """Windows of moments and of all there is. What an answer says and what it holds must agree."""

    def __init__(self, soak):
        self.soak, self.turns, self.wire, self.tag = soak, 0, soak.unix(), None

    def step(self):
        self.turns += 1
        now = int(time.time() * 1000)
        since = stamp(now - 500).encode()
        self.wire.send(get(b"/_tracker?since=" + since) + get(b"/_tracker?limit=20") + get(b"/_tracker?limit=0")
                       + get(b"/_tracker?since=%s&until=%s" % (stamp(now - 9000).encode(), stamp(now - 8900).encode())))
        for whole in (True, False, False, True):
            self.check(self.wire.response(), whole)
        # The same window again: nothing has changed in a window that ended an hour before there were clients.
        target = b"/_tracker?until=" + stamp(now - 2 * OLD).encode()[:16] + b":00Z"
        first = self.wire.send(get(target)).response()
        self.check(first, True)
        again = self.wire.send(get(target, b"If-None-Match: %s\r\n" % first.header("ETag").encode())).response()
        assert again.status in (304, 200), again
        self.wire.send(get(b"/_tracker/ping") * PINGS)
        for _ in range(PINGS):
            equal(self.wire.response().status, 200)
        self.soak.did(6 + PINGS)
        if self.turns % 20 == 0:
            packed = self.turns % 40 == 0
            answer = self.wire.send(get(b"/_tracker", b"Accept-Encoding: gzip\r\n" if packed else b"")).response()
            self.check(answer, "erased")
            self.soak.did()

    @staticmethod
    def check(answer, whole):
        equal(answer.status, 200)
        text = answer.plain()
        total = int(re.search(rb'"total":(\d+)', text[text.rindex(b"]"):]).group(1))
        events = text.count(b',"payload":{')
        if whole is True:
            equal(events, total, "events of an answer and its total")
        elif whole:  # long enough for retention to erase some of it meanwhile
            assert events <= total, (events, total)


class Follower:
    """Of the stream of events, or of a WebSocket's pushes, from the start to the end."""

    def __init__(self, soak, name):
        self.soak, self.name, self.whole = soak, soak.ledger.follower(name), True
        getattr(self, "open_" + name)()

    def open_tail(self):
        self.wire = self.soak.unix().send(get(b"/_tracker/tail"))
        assert b" 200 " in self.wire._until(b"\r\n\r\n")
        self.text = b""

    def open_push(self):
        self.one = Socket(self.soak.daemon, key=KEY, address="unix:" + self.soak.path)
        self.wire = self.one.follow().wire

    def run(self):
        try:
            while True:
                getattr(self, "follow_" + self.name)()
        except Exception as error:
            if not self.soak.over.is_set():
                self.soak.fail(self.name, error)
        self.wire.close()

    def mark(self, text):
        self.soak.ledger.saw(self.name, int(re.search(rb'"n":(\d+)', text).group(1)))

    def follow_tail(self):
        size = int(self.wire._until(b"\r\n"), 16)
        assert size, "the stream has ended"
        self.text += self.wire._exactly(size)
        self.wire._exactly(2)
        *blocks, self.text = self.text.split(b"\n\n")
        for block in blocks:
            if b"\ndata: " in block:
                self.mark(block)

    def follow_push(self):
        self.one.wait_pushes(1)
        for text in self.one.pushes:
            self.mark(text)
        self.one.pushes, self.one.push_sizes, self.one.pings = [], [], []
        if self.one.lost:
            self.one.lost, self.whole = 0, False
            self.one.follow()

    def end(self):
        """From another thread; who has closed only his half may still read."""
        self.wire.sock.shutdown(socket.SHUT_RDWR)


# --- the operator -----------------------------------------------------------------------------

class Operator(Client):
    """Everything that is asked of a daemon that runs, one after the other."""

    def __init__(self, soak):
        self.soak, self.turns = soak, 0
        self.folder = directory()

    def step(self):
        for name in ("reload", "backup", "forget", "prune", "figures"):
            if not self.soak.over.is_set():
                getattr(self, name)()
        self.turns += 1

    def command(self, *arguments):
        # forget gives way to ingest, and may take minutes on a busy machine.
        done = run(*arguments, "--database", self.soak.daemon.database, patience=10 * PATIENCE)
        equal(done.returncode, 0, "%r: %r" % (arguments, done.stderr))
        return done.stdout.decode()

    def reload(self):
        soak = self.soak
        soak.turn += 1
        keys = [GONE, OTHER]
        there, away = keys[soak.turn % 2], keys[(soak.turn + 1) % 2]
        verdict = soak.daemon.reload(soak.options(soak.turn), [KEY, there])
        assert verdict.startswith("reloaded:"), verdict
        for key, status in ((there, 200), (away, 401)):
            answer = soak.daemon.request("GET", "/_tracker?limit=0", {"X-Tracker-Key": key}, address="unix:" + soak.path)
            equal(answer.status, status, "key %s" % key)
        wire = soak.tls()
        with open(soak.pairs[soak.turn % 2][0]) as file:
            equal(wire.sock.getpeercert(True), certs.ssl.PEM_cert_to_DER_cert(file.read()), "the certificate")
        wire.close()

    def backup(self):
        file = os.path.join(self.folder, "copy%d.db" % self.turns)
        self.command("backup", file)
        if self.turns % 4 == 0:
            done = run("check", "--database", file)
            equal(done.returncode, 0, "check of a backup: %r" % done.stdout)
        os.unlink(file)

    def forget(self):
        """Each turn the events that come are another user's; who has not been seen for three is forgotten."""
        soak = self.soak
        soak.user, user = self.turns + 1, self.turns - 3
        if user >= 0:
            soak.ledger.forget(user)
            self.command("forget", "--user", "u%d" % user)
            equal(soak.daemon.sql("select count(*) from events where event like '%%\"userId\":\"u%d\"%%'" % user), [(0,)])

    def prune(self):
        self.command("prune", "--before", stamp(int(time.time() * 1000) - OLD // 2))

    def figures(self):
        for target in (b"/_tracker/stats", b"/_tracker/rejects", b"/metrics", b"/"):
            wire = self.soak.unix().send(get(target))
            equal(wire.response().status, 200, target)
            wire.close()


# --- the case ---------------------------------------------------------------------------------

def at_rest(soak, least=None):
    """Descriptors and threads without any client; once they are no more than least."""
    folder = "/proc/%d/" % soak.daemon.pid
    wire, found = soak.unix(), {}
    sender = Sender(soak, 0)

    def alone():
        """Who left a stream is noticed with the next event of it."""
        first, texts = sender.texts(1, old=True)
        soak.ledger.note(first, 1, ACKED)
        equal(wire.send(post(batch(texts))).response().status, 200)
        return b"\nbeacond_connections 1\n" in wire.send(get(b"/metrics")).response().body

    poll(alone, "the clients to be gone")

    def look():
        found.update((what, len(os.listdir(folder + what))) for what in ("fd", "task"))
        return least is None or all(found[what] <= least[what] for what in found)

    try:
        poll(look, "descriptors and threads to be as before")
    except AssertionError as error:
        raise AssertionError("%s: %r, they were %r" % (error, found, least))
    wire.close()
    return found


def first_steps(soak):
    """What is made at the first time only is made."""
    senders = [HttpSender(soak, 1), SocketSender(soak, 2)]
    reader = Reader(soak)
    for _ in range(3):
        for one in [*senders, reader]:
            one.step()
    operator = Operator(soak)
    operator.turns = 3  # from where on all of it is done; SQLite keeps descriptors for the next of its kind
    operator.step()
    for one in [*senders, reader]:
        one.close()
    before = at_rest(soak)
    soak.ledger.forget(0)  # nobody follows yet
    return before


def watch(soak, figures):
    """Samples until the time is over, or something went wrong. Memory is judged when all rest."""
    began = time.monotonic()
    until = began + SECONDS
    rests = [began + SECONDS * (STRETCHES / 2 + n) / (STRETCHES * 1.5) for n in range(STRETCHES)]
    while time.monotonic() < until and not soak.over.wait(1):
        figures.sample(soak.requests)
        if rests and time.monotonic() >= rests[0]:
            rests.pop(0)
            with soak.rest():
                wire = soak.unix()
                shown = wire.send(get(b"/metrics")).response().body
                wire.close()
                figures.rest(soak.requests, int(re.search(rb"\nbeacond_receipts_bytes (\d+)", shown).group(1)))
        if len(figures.samples) % 300 == 0:
            print("# %d s: %d requests, %s" % (SECONDS - (until - time.monotonic()), soak.requests, figures.samples[-1]), flush=True)
        if not soak.daemon.alive():
            soak.fail("the daemon", AssertionError("has died"))
    soak.over.set()
    for thread in soak.threads:
        thread.join()


def check_ledger(soak, followers):
    for follower in followers:
        if follower.whole and not soak.trouble:
            poll(lambda: soak.ledger.unseen(follower.name) == 0, follower.name + " to have seen everything")
        follower.end()
    daemon, ledger = soak.daemon, soak.ledger
    daemon.reload(dict(soak.options(0), **{"retain": "0s", "retain-size": 0}), [KEY])  # from here on nothing goes
    wire = soak.unix()
    poll(lambda: wire.send(get(b"/_tracker?limit=0")).response().json()["total"]
         == daemon.sql("select count(*) from events")[0][0], "the total to be that of a count")
    wire.close()
    rows = daemon.sql("select event, ts from events")
    times = bytearray(len(ledger.states))
    for text, _ in rows:
        times[int(re.search(rb'"n":(\d+)', text).group(1))] += 1
    # The oldest go first: from the oldest that is left on, old ones apart, all must be there.
    ledger.check("stored", times, min(ts for _, ts in rows if ts > time.time() * 1000 - OLD // 2))
    for follower in followers:
        ledger.check(follower.name, ledger.seen[follower.name], 0 if follower.whole else 1 << 62)
    tally.check_tally(daemon.database)


def check_figures(figures, turns):
    """What must not grow has not grown, and what is bounded kept its bounds."""
    samples = figures.samples
    for name in ("rss", "anonymous"):
        points = figures.rests[name]
        slope, grown = growth(points)
        print("# %s, at each rest, KiB: %s; %.2f bytes a request"
              % (name, " ".join("%d" % (low >> 10) for _, low in points), slope))
        assert SLOW or SECONDS < WARM or not leaks(points), "%s has grown by %d KiB, %.1f bytes a request" % (name, grown / 1024, slope)
    for name, room in (("descriptors", 4), ("threads", 1)):
        lows = [low for _, low in figures.stretches(name)]
        assert lows[-1] <= lows[0] + room, "%s: %r" % (name, lows)
    print("# at most: WAL %.1f MiB, database %.1f MiB, %d descriptors, %d threads" % (
        figures.most("wal") / 1048576, figures.most("database") / 1048576, figures.most("descriptors"), figures.most("threads")))
    # It is put back at 31 MiB; once more as much when someone reads at that moment.
    assert figures.most("wal") <= 128 << 20, "WAL of %d bytes" % figures.most("wal")
    late = [s["database"] for s in samples[len(samples) // 3:]]
    assert min(late) <= RETAIN + (2 << 20), "a database of %d bytes at the least" % min(late)
    assert max(late) <= RETAIN * 4, "a database of %d bytes" % max(late)
    lines = samples[-1]["lines"]
    assert lines <= 60 + 12 * turns + len(samples) // 10, "%d lines of log in %d s and %d turns" % (lines, len(samples), turns)


@case_of_time  # on a busy machine memory may seem to grow; what leaks does so each time
def nothing_grows_and_nothing_is_lost():
    if not certs.there():
        raise Skip("there is no openssl command")
    soak = Soak()
    figures, before = Figures(soak.daemon), first_steps(soak)
    followers = [Follower(soak, name) for name in ("tail", "push")]
    watchers = [threading.Thread(target=follower.run, daemon=True) for follower in followers]
    for thread in watchers:
        thread.start()
    operator = Operator(soak)
    for one, every in ((HttpSender(soak, 3), 0.1), (HttpSender(soak, 4), 0.15), (SocketSender(soak, 5), 0.15),
                       (Passenger(soak, 6), 0.1), (Reader(soak), 0.2), (operator, 8)):
        soak.begin(one.step, every)
    watch(soak, figures)
    print("# %d requests, %d events acknowledged, %d turns of the operator" % (soak.requests, soak.ledger.acked(), operator.turns))
    try:
        equal(soak.trouble, [])
        check_ledger(soak, followers)
    except Exception as error:  # once is too often
        raise Grave(str(error)) from error
    for thread in watchers:
        thread.join()
    check_figures(figures, operator.turns)
    at_rest(soak, before)
    poll(lambda: not stores.wal_bytes(soak.daemon.database), "the WAL to be put back")


main()
