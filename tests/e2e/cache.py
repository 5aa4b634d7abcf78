"""The cache as clients meet it: the same bodies with and without it, and what a hot answer has that a
cold one has not (DESIGN.md 5). The random proof is cache_model.py.

A large gzip answer tells by its head whether it came from memory: only then its length is known
beforehand. Moments are the real clock's, since events far ahead of it are not cached."""

import base64
import gzip
import itertools
import json
import os
import random
import socket
import subprocess
import threading
import time

import stores
from harness import (DATA, PATIENCE, SLOW, Daemon, Rows, Wire, batch, case, equal, event, main,
                     parse_address, poll, scale, shell)
from model import FORMS, Asker, Model, expect, is_hot, target, told, wait_hot
from sockets import Socket
from world import LONG

HOUR = 3600000
ROOM = 64 << 20  # what memory may grow by that has nothing to do with the number of readers


def clock():
    return time.time_ns() // 1000000


_noise = [base64.b64encode(random.Random(n).randbytes(2950)).decode() for n in range(61)]
_turn = itertools.count()


def noise(size):
    """A payload that compresses badly: the same comes again further back than deflate looks."""
    return '"%s"' % _noise[next(_turn) % len(_noise)][:size]


def fill(daemon, model, moments, payload=lambda: "{}"):
    """Saves an event for each moment, some thousand a batch."""
    moments, connection = list(moments), daemon.connection()
    for at in range(0, len(moments), 2000):
        texts = [event(ms, payload=payload()) for ms in moments[at:at + 2000]]
        daemon.save(texts, connection=connection)
        if model:
            model.learn(daemon, [(ms, text, b'""') for ms, text in zip(moments[at:], texts)])
    connection.close()


def everywhere(daemon, model, what, **window):
    """That window in all forms is the model's."""
    asker, rows = Asker(daemon), model.window(**window)
    for form in FORMS:
        expect(asker.ask(form, **window), rows, "%s, %s" % (what, form))
    asker.close()


def packed(daemon, where, known=None):
    return daemon.get(where, Accept_Encoding="gzip", **({"If-None-Match": known} if known else {}))


# --- the same bodies --------------------------------------------------------------------------

def recorded():
    """What the stock client has sent: bodies, as they came."""
    with open(os.path.join(DATA, "stock-client", "requests.json"), encoding="utf-8") as file:
        bodies = [one["body"].encode() for one in json.load(file) if one["method"] == "POST"]
    with open(os.path.join(DATA, "stock-client", "events.ndjson"), "rb") as file:
        return bodies + [batch(file.read().splitlines())]


def twin(daemon, **options):
    """Another daemon on a copy of the stopped one's database."""
    return Daemon(database=stores.copied(daemon.database), **options)


def fetch(daemon, method, version, coding, where):
    wire = daemon.wire()
    wire.send(("%s %s HTTP/%s\r\nHost: localhost\r\nAccept-Encoding: %s\r\nConnection: close\r\n\r\n"
               % (method, where, version, coding)).encode())
    answer = wire.response(method)
    assert wire.at_end(), "bytes behind an answer"
    wire.close()
    return answer


REQUESTS = [("GET", version, coding) for version in ("1.1", "1.0") for coding in ("gzip", "identity")] + [
    ("HEAD", "1.1", "gzip"), ("HEAD", "1.0", "identity")]


def kept(answer):
    """The headers that both daemons must send alike."""
    free = {"etag", "date", "content-length", "transfer-encoding", "connection"}
    return sorted((k.lower(), v) for k, v in answer.headers if k.lower() not in free)


def places(model):
    """Targets of all kinds of windows and pages."""
    dice = random.Random(4)
    yield "/_tracker"
    yield "/_tracker?limit=0"
    for n in range(scale(10, 6)):
        since, until = sorted(model.stamp_at(dice.randrange(len(model.rows))) for _ in range(2))
        window = [{}, {"since": since}, {"until": until}, {"since": since, "until": until},
                  {"after": since}, {"since": until + 1, "until": since}][n % 6]
        page = [{}, {"limit": 7}, {"limit": 100, "page": 2}, {"limit": 1000}][n % 4]
        yield target(**window, **page)


@case
def the_same_database_gives_the_same_bodies_with_the_cache_on_and_off():
    first, model = Daemon(), Model()
    for body in recorded() * 2:
        equal(first.request("POST", "/_tracker/events", {"Content-Type": "application/json"}, body).status, 200)
    now = clock()
    model.learn(first)
    fill(first, model, [now - n % 3000 for n in range(scale(3000, 1500))], lambda: noise(200))
    fill(first, model, [now - n for n in range(0, 5000, 5)])
    fill(first, model, [now + 290000 + 40 * n for n in range(500)] + [now + HOUR] * 20)
    first.stop()
    off = twin(first, cache_events=0)
    on = [twin(first, cache_events=500), twin(first, cache_bytes="300K", threads=3), Daemon(database=first.database)]
    rows, askers = Rows(), [(Asker(daemon), Asker(off)) for daemon in on]
    for round in range(2):  # the first while it warms up
        for where in places(model):
            for form in REQUESTS:
                cold = fetch(off, *form, where)
                for number, daemon in enumerate(on):
                    with rows("%s %s, cache %d, round %d" % (" ".join(form), where, number, round)):
                        hot = fetch(daemon, *form, where)
                        equal((hot.status, kept(hot)), (cold.status, kept(cold)))
                        equal(hot.plain() if hot.body else b"", cold.plain() if cold.body else b"")
                        equal(hot.body == b"", form[0] == "HEAD")
        for ours, others in askers:
            for form in ("socket", "packed"):
                with rows("%s, round %d" % (form, round)):
                    equal(ours.ask(form, limit=3000), others.ask(form, limit=3000))
    for pair in askers:
        for asker in pair:
            asker.close()
    rows.check()
    expect(off.get("/_tracker").body, model.window(), "and they are right")


@case
def without_a_cache_every_answer_comes_from_the_database():
    for options in ({"cache_events": 0}, {"cache_bytes": 0}):
        daemon, model, now = Daemon(**options), Model(), clock()
        fill(daemon, model, [now - n % 700 for n in range(2000)], lambda: noise(700))
        for _ in range(5):
            assert not is_hot(packed(daemon, "/_tracker")), "a length that nobody can know"
        everywhere(daemon, model, "all")
        everywhere(daemon, model, "a part", since=now - 300, until=now - 20)
        daemon.save([event(now, n=1)])
        equal(daemon.total(), 2001)


# --- hot answers ------------------------------------------------------------------------------

@case
def a_hot_gzip_answer_has_a_length_and_is_one_gzip_stream():
    daemon, model, now = Daemon(), Model(), clock()
    fill(daemon, model, [now - 20000 + n // 3 for n in range(scale(5000, 3500))], lambda: noise(500))
    for window in ({}, {"since": now - 20000, "until": now}, {"since": now - 19950}, {"until": now - 19000},
                   {"since": now - 19900, "limit": 2900}):
        where, limit = target(**window), window.pop("limit", 500000)
        answer = wait_hot(daemon, where)
        expect(answer.plain(), model.window(**window), where, limit)  # plain: one member, nothing behind it
        equal(gzip.decompress(answer.body), answer.plain())
        done = subprocess.run(["zcat"], input=answer.body, capture_output=True, timeout=PATIENCE)
        equal((done.returncode, done.stderr), (0, b""), "zcat")
        equal(done.stdout, answer.plain(), "zcat")
        equal(daemon.get(where).body, answer.plain(), "identity")


@case
def a_hot_window_stays_whole_while_late_and_equal_events_come_into_it():
    daemon, model, now, dice = Daemon(), Model(), clock(), random.Random(5)
    window = {"since": now - 20000, "until": now + 1000}
    fill(daemon, model, [now - 10000 + n for n in range(scale(3000, 2000))], lambda: noise(600))
    wait_hot(daemon, target(**window))
    for round in range(scale(6, 3)):
        fill(daemon, model, [dice.choice([now - 10000, now - 9000 + dice.randrange(50), now - dice.randrange(30000)])
                             for _ in range(dice.choice([1, 10, 400]))])
        everywhere(daemon, model, "late events, round %d" % round, **window)
    wait_hot(daemon, target(**window))
    everywhere(daemon, model, "hot again", **window)


@case
def a_window_that_begins_in_the_cache_and_ends_in_the_database_is_whole():
    daemon, model, now = Daemon(cache_events=1000), Model(), clock()
    fill(daemon, model, (now - 20000 + n // 2 for n in range(scale(8000, 4000))), lambda: noise(200))
    fill(daemon, model, [now - 19000] * 50 + [now + HOUR + n for n in range(50)])  # below it, and above
    for newest in (0, 30, 50, 51, 600):
        for oldest in (900, 1049, 1050, 1051, 1100, 1500, 2074, 2300, 3999):
            window = {"since": model.stamp_at(oldest), "until": model.stamp_at(newest)}
            what = "from the newest but %d to the newest but %d" % (newest, oldest)
            everywhere(daemon, model, what, **window)
    asker, rows = Asker(daemon), model.window()
    for limit in (333, 1024, 1100):
        cursor, page = expect(asker.ask("gzip", limit=limit), rows, "chain", limit), 1
        while cursor:
            page += 1
            # What comes in pushes out of the cache what the chain reads, and falls between it.
            fill(daemon, None, [clock() - 5] * 100 + [now - 19500] * 7)
            form = FORMS[page % 4]
            cursor = expect(asker.ask(form, cursor=cursor, limit=limit), rows, "page %d by %s" % (page, form),
                            limit, page)
        model.learn(daemon)
        rows = model.window()
    asker.close()


@case
def who_has_its_200_reads_its_own_event():
    daemon = Daemon(threads=4)
    mine, others = daemon.connection(), [daemon.connection() for _ in range(4)]
    follower, done, trouble = Socket(daemon, offer=True), threading.Event(), []

    def look():
        # Reading makes the cache seal what it has open.
        try:
            connection, seen = daemon.connection(), 0
            while not done.is_set():
                answer = connection.request("GET", "/_tracker", {"Accept-Encoding": "gzip"}).plain()
                total = told(answer)[0]
                equal(answer.count(b'"timestamp":'), total, "events and their total")
                assert total >= seen, "events have gone"
                seen = total
            connection.close()
        except Exception as error:
            trouble.append(error)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for n in range(scale(1000, 100)):
            ms = clock() - (n * 7919 % 60000 if n % 3 == 0 else 0)
            daemon.save([event(ms, n, "own %d" % n)], connection=mine)
            who = "from a WebSocket"
            if n % 10 == 9:
                answer = follower.ask(since="1970-01-01", limit=0)
                answer["events"] = follower.ask(**{"since": stamped(ms), "until": stamped(ms)})["events"]
            else:
                connection = mine if n % 2 else others[n // 2 % 4]
                who = "from the same connection" if n % 2 else "from another one"
                answer = connection.request("GET", target(since=ms, until=ms)).json()
                answer["total"] = connection.request("GET", "/_tracker?limit=0").json()["total"]
            assert "own %d" % n in [e["id"] for e in answer["events"]], "event %d is not there, seen %s" % (n, who)
            equal(answer["total"], n + 1, "total, seen " + who)
    finally:
        done.set()
        looker.join()
        follower.wire.close()
    equal(trouble, [])


def stamped(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + ".%03dZ" % (ms % 1000)


@case
def many_read_the_same_hot_window_at_once_while_others_come_in():
    daemon, model, now = Daemon(threads=3), Model(), clock()
    fill(daemon, model, [now - 9000 + n for n in range(2000)], lambda: noise(600))
    window = {"since": now - 10000, "until": now}
    rows, done, trouble = model.window(**window), threading.Event(), []

    def read(form):
        try:
            asker = Asker(daemon)
            for _ in range(scale(12, 4)):
                expect(asker.ask(form, **window), rows, form)
            asker.close()
        except Exception as error:
            trouble.append(error)

    def ingest():
        try:
            connection = daemon.connection()
            while not done.is_set():
                daemon.save([event(now + 1 + n) for n in range(100)], connection=connection)
                daemon.save([event(now - 10001 - n) for n in range(100)], connection=connection)
            connection.close()
        except Exception as error:
            trouble.append(error)

    readers = [threading.Thread(target=read, args=(form,)) for form in FORMS * 2]
    sender = threading.Thread(target=ingest)
    for thread in readers + [sender]:
        thread.start()
    for thread in readers:
        thread.join()
    done.set()
    sender.join()
    equal(trouble, [])


# --- slow readers -----------------------------------------------------------------------------

class Slow:
    """A GET whose answer has begun and is not read."""

    def __init__(self, daemon, where, coding="gzip"):
        kind, place = parse_address(daemon.address)
        self.sock = socket.socket(kind, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(place)
        self.sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\nConnection: close\r\n\r\n"
                          % (where.encode(), coding.encode()))
        assert self.sock.recv(1, socket.MSG_PEEK), "no answer"

    def rest(self):
        """The whole Response."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        parts = [b"-"]
        while parts[-1]:
            parts.append(self.sock.recv(1 << 20))
        wire = Wire(self.sock)
        wire.buffer = b"".join(parts[1:])
        answer = wire.response()
        equal(wire.buffer, b"", "behind the answer")
        self.sock.close()
        return answer


@case
def a_slow_reader_gets_its_hot_answer_whole_when_the_cache_holds_none_of_it_any_more():
    count, now, model = scale(6000, 4000), clock(), Model()
    daemon = Daemon(cache_events=count, timeout="1h")
    since, until = now - HOUR, now - HOUR // 2
    window = {"since": since, "until": until}
    fill(daemon, model, [since + n // 7 for n in range(count)], lambda: noise(900))
    where, rows = target(**window), model.window(**window)
    wait_hot(daemon, where)
    readers = [Slow(daemon, where, coding) for coding in ("gzip", "identity", "gzip", "identity")]
    sockets = [Socket(daemon, room=4096, offer=offer) for offer in (None, True)]
    for one in sockets:
        one.query("large", since=stamped(since), until=stamped(until))
        poll(one.wire.sock.recv(1, socket.MSG_PEEK).__len__, "the answer to begin")
    fill(daemon, None, [now - n // 9 for n in range(count + 3000)], lambda: noise(50))
    poll(lambda: not is_hot(packed(daemon, where)), "the cache to let go of it")
    for number, reader in enumerate(readers):
        answer = reader.rest()
        equal(answer.header("Content-Encoding"), ("gzip", None)[number % 2])
        expect(answer.plain(), rows, "slow reader %d" % number)
    for one in sockets:
        expect(one.response("large"), rows, "slow WebSocket")
        one.reset()
    everywhere(daemon, model, "afterwards", **window)


def check_grown(daemon, before, room, what):
    grown = daemon.peak() - before
    print("# %s: %.1f MiB more" % (what, grown / 1048576), flush=True)
    assert SLOW or grown <= room, "%s: %.1f MiB more resident memory" % (what, grown / 1048576)


@case
def many_slow_readers_of_one_hot_window_do_not_raise_memory():
    daemon, now = Daemon(timeout="1h"), clock()
    count = scale(10000, 3000)
    fill(daemon, None, [now - 60000 + n for n in range(count)], lambda: noise(1000))
    answer = wait_hot(daemon)
    size = len(answer.body)
    for form in FORMS:
        Asker(daemon).ask(form, limit=1000)
    daemon.reset_peak()
    before = daemon.rss()
    readers = [Slow(daemon, "/_tracker", coding) for coding in ("gzip", "identity") * scale(15, 5)]
    sockets = [Socket(daemon, room=4096, offer=n % 2) for n in range(scale(20, 5))]
    for one in sockets:
        one.query()
        poll(one.wire.sock.recv(1, socket.MSG_PEEK).__len__, "the answer to begin")
    equal(daemon.get("/health").status, 200)
    equal(readers[0].rest().plain(), answer.plain())
    equal(readers[1].rest().plain(), answer.plain())
    readers += [Slow(daemon, "/_tracker") for _ in range(2)]
    check_grown(daemon, before, ROOM, "%d readers of %.1f MiB each" % (len(readers) + len(sockets), size / 1048576))
    for one in readers:
        one.sock.close()
    for one in sockets:
        one.reset()


@case
def slow_readers_of_ever_newer_windows_do_not_keep_all_that_was_ever_cached():
    daemon, now = Daemon(cache_bytes="24M", timeout="1h", synchronous="off"), clock() - HOUR
    # Large enough to show in the daemon's memory only where there is time for it.
    count, rounds, step = 6000 if LONG else 1500, 6 if LONG else 3, 100000

    def generation(number):
        """Fills the cache with others; the window that holds them."""
        since = now + number * step
        fill(daemon, None, [since + n for n in range(count)], lambda: noise(4000))
        return target(since=since, until=since + step - 1)

    for number in range(3):  # what SQLite keeps of it has its own bound
        where = generation(number)
    size = len(wait_hot(daemon, where).body)
    daemon.reset_peak()
    before, readers = daemon.rss(), []
    for number in range(rounds):
        where = generation(3 + number)
        readers.append(Slow(daemon, where))
    held = "%d readers of another %.1f MiB each" % (len(readers), size / 1048576)
    # What may be held whole is as much as the cache once more; of the others some chunks wait.
    room = (24 << 20) + ROOM * 3 // 4
    assert not LONG or rounds * size > room * 4 // 3, "too little to tell: " + held
    check_grown(daemon, before, room, held)
    for number in (0, rounds - 1):
        equal(readers[number].rest().plain().count(b'"timestamp":'), count, "events of reader %d" % number)
    for one in readers:
        one.sock.close()
    # Nothing is left behind, or there would be no room for this one.
    wait_hot(daemon, target(since=now + (2 + rounds) * step + count - count // 3))


# --- erasures and tags ------------------------------------------------------------------------

@case
def what_is_erased_by_hand_goes_from_the_answers_of_an_idle_daemon():
    daemon, model, now = Daemon(), Model(), clock()
    fill(daemon, model, [now - 9000 + n for n in range(3000)], lambda: noise(600))
    fill(daemon, model, [now + HOUR] * 5)
    window = {"since": now - 10000, "until": now}
    wait_hot(daemon, target(**window))
    tag = packed(daemon, target(**window)).header("ETag")
    for since, until in ((now - 8000, now - 7001), (now - 6100, now), (now + HOUR, now + HOUR)):
        shell(daemon.database, "delete from events where ts between %d and %d" % (since, until))
        model.erase(since, until)
        poll(lambda: daemon.total() == len(model.rows), "the daemon to notice the erasure")
        everywhere(daemon, model, "after an erasure")
        everywhere(daemon, model, "after an erasure", **window)
        equal(packed(daemon, target(**window), tag).status, 200, "a tag of before")
        tag = packed(daemon, target(**window)).header("ETag")
    # A change that leaves the number of events as it was.
    shell(daemon.database, "update events set event = replace(event, '\"type\":\"custom\"', '\"type\":\"none\"')")
    model.change(0, now + HOUR, lambda text: text.replace(b'"type":"custom"', b'"type":"none"'))
    poll(lambda: packed(daemon, target(**window), tag).status == 200, "the daemon to notice the change")
    everywhere(daemon, model, "after a change")


@case
def a_tag_is_the_same_from_memory_and_from_the_database():
    now, count, model = clock(), 2000, Model()
    first = Daemon(cache_events=count)
    window = {"since": now - 60000, "until": now - 10000}
    where = target(**window)
    fill(first, model, [now - 60000 + n * 9 for n in range(count)], lambda: noise(700))
    tag = wait_hot(first, where).header("ETag")
    equal(packed(first, where, tag).status, 304, "hot")
    fill(first, model, [now - n % 5 for n in range(count + 2000)])  # and out of the cache it goes
    cold = poll(lambda: (lambda answer: None if is_hot(answer) else answer)(packed(first, where)),
                "the cache to let go of it")
    equal(cold.header("ETag"), tag, "hot and cold")
    for asked in (packed(first, where, tag), first.get(where, **{"If-None-Match": tag})):
        equal((asked.status, asked.body, asked.header("ETag")), (304, b"", tag))
    first.stop()
    daemon = Daemon(database=first.database)
    early = packed(daemon, where)
    other = early.header("ETag")
    equal(other != tag, not stores.POSTGRES, "a tag lives as long as its daemon, or its database")
    hot = wait_hot(daemon, where)
    equal((hot.header("ETag"), hot.plain()), (other, early.plain()), "warming up and warm")
    equal(packed(daemon, where, other).status, 304)
    for ms, status in ((now - 60001, 304), (now - 9999, 304), (now - 10000, 200), (now - 60000, 200)):
        fill(daemon, model, [ms])
        answer = packed(daemon, where, other)
        equal(answer.status, status, "behind an event at %d" % (ms - now))
        if status == 200:
            expect(answer.plain(), model.window(**window), "a window with another event")
            other = answer.header("ETag")


main()
