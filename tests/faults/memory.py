"""Allocations that fail, one after the other, in a daemon that goes on (DESIGN.md 7; memory.c, allocations.py).

Each phase is something that a client or an operator does. It is played again and again, the n-th
allocation failing each time, from the first to the last that it makes. What may happen then: a right
answer, 503, or the end of that connection; nothing else. Right behind it the same, without a fault, must
succeed. What was acknowledged is stored once, what was refused and sent again too.

BEACOND_TEST_LONG=1 plays every n; otherwise some of them.
"""

import collections
import contextlib
import gzip
import http.client
import itertools
import json
import os
import random
import re
import signal
import socket

from allocations import FOREVER, JANSSON, LIBEVENT, NAMES, OURS, SQLITE, ZLIB, Memory
from harness import (BRIEF, BROKEN, FAULTY, Closed, NOW, PATIENCE, Daemon, batch, becomes, case, equal,
                     event, main, poll, run, sliced, sql, stamp)
from sockets import Cut, Ended, Refused, Socket

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
SEED = int(os.environ.get("BEACOND_SEED", "1"))
OLD = NOW - 86400000  # what no cache holds
COLD, HOT = 300, 60   # events
CACHED, STRADDLING = 400, 600
TRIES = 3             # of a phase and a side
SIDES = [OURS, SQLITE, JANSSON, ZLIB, LIBEVENT]
EVERYTHING = sum(SIDES)
NAMES[EVERYTHING] = "everybody"


class Declined(Exception):
    """The request was refused or its connection ended: what a fault may do to it."""


def text_of(n, ms=NOW, id=""):
    return event(ms, n, id, '{"text":"%s"}' % ("x%d " % n * 8))


class Session:
    """A daemon whose allocations can fail, and what has been stored in it."""

    def __init__(self, **options):
        self.memory = Memory()
        self.numbers, self.stored, self.doubtful = itertools.count(1), set(), set()
        self.daemon = Daemon(program=FAULTY, env=self.memory.env, **options)
        self.config = options.get("config")
        self.cold = [self.fresh() for _ in range(COLD)]
        self.save([text_of(n, OLD + n) for n in self.cold], self.cold)

    def fresh(self):
        return next(self.numbers)

    # One request.

    def request(self, method, target, headers=None, body=None, statuses=(200,)):
        """The answer, its body whole; Declined for 503 and for an end of the connection."""
        try:
            answer = self.daemon.request(method, target, headers, body)
        except (http.client.RemoteDisconnected, http.client.IncompleteRead, *BROKEN) as error:
            raise Declined("%s: %s" % (type(error).__name__, error)) from None
        if answer.status == 503:
            if answer.body:
                answer.error()
            assert answer.header("Retry-After"), answer
            raise Declined(repr(answer.body))
        assert answer.status in statuses, "%s %s: %r" % (method, target, answer)
        return answer

    def get(self, target, statuses=(200,), **headers):
        return self.request("GET", target, {k.replace("_", "-"): v for k, v in headers.items()}, None, statuses)

    def post(self, body, numbers, rejected=0, target="/_tracker/events", **headers):
        """Posts, and again what was refused, as the stock client does. Declined when the first was."""
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        self.doubtful |= set(numbers)
        try:
            told = self.request("POST", target, headers, body).json()
        except Declined:
            # Sent again by itself, the memory being back.
            self.memory.failed_before += self.memory.clear()
            told = self.request("POST", target, headers, body).json()
            self.settle(told, numbers, rejected)
            raise
        self.settle(told, numbers, rejected)
        return told

    def settle(self, told, numbers, rejected):
        if "lines" in told:
            told = dict(told, saved=told["stored"], rejected=told.get("refused", 0))
        equal(told["saved"], len(numbers), "of %r" % told)
        equal(told["rejected"], rejected, "rejected of %r" % told)
        self.stored |= set(numbers)
        self.doubtful -= set(numbers)

    def save(self, texts, numbers):
        self.post(batch(texts), numbers)

    # Faults.

    def play(self, what, sides, first, run=1):
        """Plays a phase once with that fault, and once without. Whether the fault was met."""
        self.memory.failed_before = 0
        self.memory.arm(sides, first, run)
        try:
            what(self)
        except Declined:
            pass
        failed = self.memory.clear() + self.memory.failed_before
        seen = self.memory.seen()
        if not self.daemon.alive():
            raise AssertionError("the daemon has died:\n" + self.daemon.log_tail())
        why = []
        # After one failure at once; after many, the writer first finds out that it can commit again.
        poll(lambda: self.works(what, why) or (run == 1 and self.fail(why)), "it to work again: %s" % what.__name__)
        return failed, seen

    def works(self, what, why):
        try:
            what(self)
            return True
        except Declined as error:
            why.append(error)
            return False

    def fail(self, why):
        raise AssertionError("once memory is there again: %s" % why[-1])

    def descriptors(self):
        """What it has open, by kind. Its readers open the database when they are first asked."""
        folder, names = "/proc/%d/fd" % self.daemon.pid, []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                names.append(re.sub(r"\d+", "", os.readlink(os.path.join(folder, name))))
        own = os.path.basename(self.daemon.database)
        return sorted(name for name in names if own not in name)

    def check(self):
        """What is stored against what was acknowledged."""
        counts = collections.Counter(n for n, in self.daemon.sql("select json_extract(event, '$.n') from events"))
        equal([n for n in self.stored if counts[n] != 1][:5], [], "acknowledged and not stored once")
        equal([n for n in counts if n not in self.stored and n not in self.doubtful or counts[n] > 1][:5], [], "stored")
        total = sum(counts.values())
        equal(self.daemon.total(), total, "total")
        for step, ms in (("second", 1000), ("minute", 60000), ("hour", 3600000), ("day", 86400000)):
            equal(self.daemon.sql("select at, events from tally_%s where events > 0 order by at" % step),
                  self.daemon.sql("select ts / %d * %d, count(*) from events group by 1 order by 1" % (ms, ms)), step)


# --- phases -----------------------------------------------------------------------------------

PHASES = []


def phase(function):
    PHASES.append(function)
    return function


def numbers_of(answer):
    return [json.loads(text)["n"] for text in sliced(answer.plain())]


@phase
def ping(session):
    equal(session.get("/_tracker/ping").json()["ok"], True)


@phase
def post_plain(session):
    numbers = [session.fresh() for _ in range(3)]
    session.save([text_of(n, NOW + n) for n in numbers], numbers)


@phase
def post_gzip(session):
    numbers = [session.fresh() for _ in range(40)]
    session.post(gzip.compress(batch([text_of(n, NOW + n) for n in numbers]), 1), numbers, Content_Encoding="gzip")


@phase
def post_mixed(session):
    """Rejects, given ids, and one of these sent a second time."""
    numbers = [session.fresh() for _ in range(4)]
    texts = [text_of(n, NOW + n, "id-%d" % n) for n in numbers]
    body = batch([texts[0], b'{"timestamp":"never"}', texts[1], b"7", *texts[2:], text_of(session.fresh(), NOW).replace(
        b'"level"', b'"\xff"')])
    told = session.post(body, numbers, 3)
    again = session.post(batch(texts[:2] + texts[3:]), numbers[:2] + numbers[3:])
    equal(again["duplicate"], 3, "of given ids") if told else None


@phase
def post_again(session):
    """A body and its retry, longer."""
    numbers = [session.fresh() for _ in range(5)]
    texts = [text_of(n, NOW + n) for n in numbers]
    session.save(texts[:3], numbers[:3])
    equal(session.post(batch(texts), numbers)["duplicate"], 3)


@phase
def post_lines(session):
    numbers = [session.fresh() for _ in range(30)]
    body = b"\n".join(text_of(n, NOW + n) for n in numbers) + b"\n"
    session.post(body, numbers, Content_Type="application/x-ndjson")


def check_window(session, query, **headers):
    """A read of what has been stored; n being the order of time too."""
    answer = session.get("/_tracker?" + query, **headers)
    shown = answer.plain()
    got, told = [json.loads(text)["n"] for text in sliced(shown)], json.loads(shown)
    equal(got, sorted(got, reverse=True), "order")
    return got, told


def all_of(session):
    return sorted(session.stored | session.doubtful, reverse=True)


@phase
def read_hot(session, **headers):
    least = max(session.stored) - HOT
    got, told = check_window(session, "since=" + stamp(NOW + least), **headers)
    expected = [n for n in all_of(session) if n >= least]
    equal(got, expected)
    equal(told["total"], len(expected))


@phase
def read_hot_gzip(session):
    read_hot(session, Accept_Encoding="gzip")


@phase
def read_cold(session):
    got, told = check_window(session, "until=2026-11-20T23:00:00Z&limit=200")
    equal(got, sorted(session.cold, reverse=True)[:200])
    equal(told["total"], COLD)
    got, told = check_window(session, "limit=100&cursor=" + told["nextCursor"], Accept_Encoding="gzip")
    equal(got, sorted(session.cold, reverse=True)[200:300])
    equal(told["total"], COLD)


@phase
def read_straddling(session):
    got, told = check_window(session, "limit=%d" % STRADDLING, Accept_Encoding="gzip")
    expected = all_of(session)
    equal(got, expected[:STRADDLING])
    equal(told["total"], len(expected))


@phase
def read_unchanged(session):
    tag = session.get("/_tracker?limit=5").header("ETag")
    equal(session.get("/_tracker?limit=5", statuses=(304,), If_None_Match=tag).body, b"")


def asked(sock, **query):
    sock.query("q", **query)
    told = sock.json()
    if told["type"] == "error":
        equal((told["reqId"], type(told["error"])), ("q", str))
        raise Declined(told["error"])
    equal((told["type"], told["reqId"]), ("events:response", "q"))
    return told["response"]


@phase
def websocket(session):
    """Ingest, query, push, deflated."""
    numbers = [session.fresh() for _ in range(6)]
    texts = [text_of(n, NOW + n) for n in numbers]
    session.doubtful |= set(numbers)
    try:
        try:
            sock = Socket(session.daemon, offer=True)
            sock.save(texts[:3], packed=True)
            session.stored |= set(numbers[:3])
            told = asked(sock, limit=10)
            equal([e["n"] for e in told["events"]], all_of_first(session, numbers[3:])[:10], "over the WebSocket")
            sock.save(texts[3:])
            session.stored |= set(numbers[3:])
            while len(sock.pushes) < 3 and not sock.lost:
                equal(sock._keep(sock.message()), True)
            equal([json.loads(t)["n"] for t in sock.pushes], numbers[3:][:len(sock.pushes)], "pushed")
            if sock.lost:
                raise Declined("push:lost")
            equal(sock.close(), 1000)
        except Ended as end:
            assert end.code in (1011, 1013), "Close %r" % end
            raise Declined("Close %r" % end) from None
        except (Closed, Cut, Refused, *BROKEN) as error:
            if isinstance(error, Refused):
                equal(error.answer.status, 503)
            raise Declined(repr(error)) from None
    except Declined:
        # Another client would send again what was not acknowledged.
        session.memory.failed_before += session.memory.clear()
        for part in (slice(0, 3), slice(3, 6)):
            session.post(batch(texts[part]), numbers[part])
        raise


def all_of_first(session, but):
    return [n for n in all_of(session) if n not in but]


@phase
def figures(session):
    told = session.get("/_tracker/stats?since=2026-01-01").json()
    assert told
    session.get("/_tracker/rejects").json()
    assert b"beacond_" in session.get("/metrics").body
    session.get("/")
    session.get("/livez")


@phase
def stream(session):
    """Server-Sent Events: what is stored comes, or the stream ends."""
    number, seen = session.fresh(), b""
    with contextlib.closing(session.daemon.wire()) as wire:
        try:
            wire.send(b"GET /_tracker/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = wire._until(b"\r\n\r\n")
            if b" 503 " in head:
                raise Declined(repr(head))
            assert b" 200 " in head, head
            session.save([text_of(number, NOW + number)], [number])
            while b'"n":%d,' % number not in seen:
                size = int(wire._until(b"\r\n"), 16)
                if size == 0:
                    raise Declined("the stream ended")
                seen += wire._exactly(size + 2)
        except (Closed, *BROKEN) as error:
            raise Declined(repr(error)) from None
        except AssertionError as error:
            if "cut short" not in str(error):
                raise
            raise Declined(str(error)) from None


# Over the control socket, as the commands do it.

def control(session, request):
    """The result of a job; Declined for an error and for an end without an answer."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        sock.settimeout(PATIENCE)
        data = b""
        try:
            sock.connect(session.daemon.database + ".control")
            sock.sendall(json.dumps(request).encode() + b"\n")
            while True:
                more = sock.recv(65536)
                if not more:
                    break
                data += more
        except BROKEN:
            pass
    lines = data.splitlines()
    told = json.loads(lines[-1]) if lines and data.endswith(b"\n") else {}
    if "result" not in told:
        assert not told or told.get("error") or "step" in told, told
        raise Declined(repr(told))
    if told["result"].get("stopped"):
        raise Declined("stopped")
    return told["result"]


@phase
def recount(session):
    told = control(session, {"job": "recount"})
    equal(told["events"], len(session.stored))


@phase
def backup(session):
    target = os.path.join(session.daemon.directory, "copy-%d.db" % session.fresh())
    try:
        told = control(session, {"job": "backup", "file": target})
        equal(told["events"], len(session.stored))
    except Declined:
        if not os.path.exists(target):
            raise
    # It has its name: then it is whole.
    try:
        equal(sql(target, "select count(*) from events"), [(len(session.stored),)])
        equal(sql(target, "pragma quick_check"), [(b"ok",)])
    finally:
        os.unlink(target)


def gone(session, numbers, request):
    """Erases by the job; what was refused half way is finished by the next."""
    try:
        told = control(session, request)
    except Declined:
        with session.memory.quiet():
            control(session, request)
        session.stored -= set(numbers)
        raise
    equal(told["events"], len(numbers))
    session.stored -= set(numbers)


@phase
def prune(session):
    numbers = [session.fresh() for _ in range(5)]
    with session.memory.quiet():
        session.save([text_of(n, NOW - 10**11 + n) for n in numbers], numbers)
    gone(session, numbers, {"job": "prune", "before": NOW - 10**10})


@phase
def forget(session):
    numbers = [session.fresh() for _ in range(5)]
    with session.memory.quiet():
        session.save([text_of(n, NOW + n).replace(b'"level"', b'"userId":"u%d","level"' % numbers[0]) for n in numbers],
                     numbers)
    gone(session, numbers, {"job": "forget", "id": "u%d" % numbers[0]})


@phase
def import_by_command(session):
    numbers = [session.fresh() for _ in range(50)]
    path = os.path.join(session.daemon.directory, "lines.log")
    with open(path, "wb") as file:
        file.write(b"".join(text_of(n, NOW + n) + b"\n" for n in numbers))
    command = ("import", "--database", session.daemon.database, path)
    session.doubtful |= set(numbers)
    done = run(*command)
    declined = done.returncode != 0
    if declined:
        equal((done.returncode, bool(done.stderr)), (1, True), "exit code, message")
        session.memory.failed_before += session.memory.clear()
        done = run(*command)
        equal(done.returncode, 0, "import again: %r" % done.stderr)
    session.stored |= set(numbers)
    session.doubtful -= set(numbers)
    if declined:
        raise Declined("import")


@phase
def reload(session):
    def told():
        return [line for line in session.daemon.log() if "eloaded" in line]
    before = len(told())
    session.daemon.signal(signal.SIGHUP)
    poll(lambda: len(told()) > before, "the reload")
    if "not reloaded" in told()[-1]:
        raise Declined(told()[-1])


def tries(what, sides, count):
    """Which allocations are to fail: all of them, or some."""
    if LONG:
        return itertools.count(1)
    dice = random.Random("%d %s %d" % (SEED, what.__name__, sides))
    return sorted(dice.sample(range(1, count + 1), min(count, 1 if BRIEF else TRIES)))


def every(session, what, sides, run=1):
    """Plays the phase with one allocation after the other failing. Returns how many were tried."""
    played = 0
    for first in tries(what, sides, session.play(what, sides, 0)[1]):
        try:
            failed, _ = session.play(what, sides, first, run)
        except Exception as error:
            raise AssertionError("%s, allocation %d of %s: %s: %s" % (
                what.__name__, first, NAMES[sides], type(error).__name__, error)) from error
        played += failed > 0
        if LONG and not failed:
            break
    return played


def chosen():
    """The phases: all, or those that PHASE in the environment names."""
    only = os.environ.get("PHASE", "").split()
    return [what for what in PHASES if not only or what.__name__ in only]


def played(sides_of, run=1):
    session = Session(cache_events=CACHED, hold="100ms")
    for what in PHASES:  # what is made at its first use is made
        session.play(what, 0, 0)
    total = 0
    for what in chosen():
        before = session.descriptors()
        for sides in sides_of:
            count = every(session, what, sides, run)
            total += count
            print("# %s, %s: %d" % (what.__name__, NAMES[sides], count), flush=True)
        session.check()
        becomes(session.descriptors, before, "descriptors after " + what.__name__)
    session.daemon.stop()
    equal(sql(session.daemon.database, "pragma integrity_check"), [(b"ok",)])
    print("# %d failures" % total)


@case
def a_daemon_answers_503_and_goes_on_whichever_allocation_fails():
    played(SIDES)


@case
def nor_does_it_matter_when_some_more_fail_behind_it():
    played((EVERYTHING,), 20)


@case
def while_all_allocations_fail_it_refuses_and_then_works():
    session = Session(cache_events=CACHED, hold="100ms")
    for what in chosen():
        if what is reload:  # says so in the log, which takes no memory
            continue
        session.play(what, EVERYTHING, 1, FOREVER)
    session.check()


if __name__ == "__main__":
    main()
