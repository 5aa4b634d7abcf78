"""Clients that are slow, many, greedy or strangers (CONTRACT.md 3 and 7, DESIGN.md 6)."""

import gzip
import http.client
import os
import re
import resource
import select
import socket
import threading
import time

from harness import (NOW, PATIENCE, SLOW, Connection, Daemon, Rows, Wire, batch, case, case_of_time, directory,
                     equal, event, main, parse_address, poll, scale)

PAGE = "http://localhost:5173"
BUSY_NS = scale(100, 1000) * 1000000  # processor time that shows that somebody spins


def head(method="POST", target="/_tracker/events", **headers):
    lines = ["%s %s HTTP/1.1" % (method, target), "Host: localhost", "Origin: " + PAGE]
    lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
    return "\r\n".join(lines + ["", ""]).encode()


def post(texts, **headers):
    """The bytes of one whole request."""
    body = batch(texts) if isinstance(texts, list) else texts
    return head(Content_Length=len(body), **headers) + body


PING = head("GET", "/_tracker/ping")


def check_page_may_read(answer, ingest=True):
    equal(answer.header("Access-Control-Allow-Origin"), PAGE, "Allow-Origin")
    equal(answer.header("Access-Control-Allow-Credentials"), "true" if ingest else None, "Allow-Credentials")
    assert "origin" in answer.vary(), answer


def check_later(answer, status):
    """429 or 503: says when to come back, and a page can read it. Returns the seconds."""
    equal(answer.status, status, repr(answer))
    answer.error()
    check_page_may_read(answer)
    after = answer.header("Retry-After") or ""
    assert after.isdigit() and 1 <= int(after) <= 86400, "Retry-After: %r" % after
    return int(after)


def trickle(wire, data, every=0.02):
    """Sends byte by byte until the daemon has something to say (or closes)."""
    for at in range(len(data)):
        wire.send(data[at:at + 1])
        if select.select([wire.sock], [], [], every)[0]:
            return
    raise AssertionError("all of it was taken")


def waits(wire, seconds=0.5):
    """True when in that time nothing comes and nobody closes."""
    return not select.select([wire.sock], [], [], seconds)[0]


# --- slow to send --------------------------------------------------------------------------------

@case
def a_head_that_takes_too_long_is_answered_408():
    daemon = Daemon(head_timeout="300ms", body_timeout="1h", timeout="1h")
    for send in (lambda wire: wire.send(b"G"),
                 lambda wire: wire.send(PING[:-2]),
                 lambda wire: trickle(wire, PING[:-2] + b"X: " + b"y" * 4000),
                 lambda wire: trickle(wire, PING[:-2] + b"X: y\r\n" * 1000)):
        began, wire = time.monotonic(), daemon.wire()
        send(wire)
        answer = wire.response()
        assert time.monotonic() - began >= 0.29, "too early"
        equal(answer.status, 408)
        answer.error()
        equal(answer.header("Connection"), "close")
        assert wire.at_end(), "more behind the answer"
    equal(daemon.get("/health").status, 200)


@case
def a_body_that_takes_too_long_is_answered_408():
    daemon = Daemon(body_timeout="300ms", head_timeout="1h", timeout="1h")
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    for name, start, rest in [("no body at all", head(Content_Length=5000), b""),
                              ("half of it", head(Content_Length=5000) + b"{", b""),
                              ("byte by byte", head(Content_Length=5000), b" " * 5000),
                              ("chunked", head(Transfer_Encoding="chunked"), b""),
                              ("chunks byte by byte", head(Transfer_Encoding="chunked"), chunk * 10),
                              ("inside a chunk", head(Transfer_Encoding="chunked") + chunk[:100], b"")]:
        began, wire = time.monotonic(), daemon.wire()
        wire.send(start)
        if rest:
            trickle(wire, rest)
        answer = wire.response()
        assert time.monotonic() - began >= 0.29, name + ": too early"
        equal(answer.status, 408, name)
        answer.error()
        check_page_may_read(answer)
        equal(answer.header("Connection"), "close", name)
        assert wire.at_end(), name
    # A body that nobody will read has no more time than others.
    for target, status in (("/nowhere", 408), ("/_tracker/ping", 408)):
        wire = daemon.wire().send(head(target=target, Content_Length=5000) + b"x")
        equal(wire.response().status, status, target)
        assert wire.at_end()
    equal(daemon.total(), 0)


@case_of_time
def the_deadlines_begin_anew_with_each_request():
    daemon = Daemon(head_timeout="1600ms", body_timeout="1600ms", timeout="1h")
    wire = daemon.wire()
    for _ in range(2):
        request = post([event()])
        cut = request.index(b"\r\n\r\n") + 4
        # Each part comes in time; together they take twice as long as any may.
        for part in (request[:10], request[10:cut + 10], request[cut + 10:]):
            assert waits(wire, 1), "an answer before the request is whole"
            wire.send(part)
        equal(wire.response().status, 200)
        assert waits(wire, 2), "an idle connection was ended by a request's deadline"
    equal(daemon.total(), 2)


@case_of_time
def a_silent_connection_is_closed():
    daemon = Daemon(timeout="500ms", head_timeout="1h", body_timeout="1h")
    before = daemon.sockets()
    for name, sent, answers in [("nothing was ever sent", b"", 0), ("after a request", PING, 1),
                                ("after several", PING + post([event()]) + PING, 3),
                                ("half a head", PING[:20], None), ("half a body", head(Content_Length=9), None)]:
        began, wire = time.monotonic(), daemon.wire()
        wire.send(sent)
        for _ in range(answers or 0):
            equal(wire.response().status, 200, name)
        assert wire.at_end(), name
        assert time.monotonic() - began >= 0.4, name + ": too early"
    poll(lambda: daemon.sockets() == before, "the sockets to be closed")


@case_of_time
def who_sends_now_and_then_is_not_silent():
    daemon = Daemon(timeout="1500ms")
    wire = daemon.wire()
    body = batch([event()])
    request = head(Content_Length=len(body)) + body
    for at in range(0, len(request), 60):
        assert waits(wire, 0.25), "closed or answered early"
        wire.send(request[at:at + 60])
    equal(wire.response().status, 200)


# --- slow to read --------------------------------------------------------------------------------

LARGE = scale(30000, 3000)  # events of a kilobyte


def filled(daemon):
    for start in range(0, LARGE, 3000):
        daemon.save([event(NOW + start + n, payload='"%s"' % ("r" * 1000)) for n in range(3000)])


def reader(daemon, small=True):
    """Asks for everything and reads nothing yet. The kernel keeps little of it for us."""
    sock = socket.socket()
    if small:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(PATIENCE)
    sock.connect(parse_address(daemon.address)[1])
    return Wire(sock).send(head("GET", "/_tracker"))


@case_of_time
def who_reads_nothing_is_cut_off():
    daemon = Daemon(timeout="1s", drain="0s")
    before = daemon.sockets()
    filled(daemon)
    poll(lambda: daemon.sockets() == before, "the writers to be gone")
    began = time.monotonic()
    wires = [reader(daemon) for _ in range(5)]
    poll(lambda: daemon.sockets() == before + 5, "the readers to be let in")
    poll(lambda: daemon.sockets() == before, "the readers to be cut off")
    assert time.monotonic() - began >= 0.95, "cut off before the time"
    for wire in wires:
        try:
            raise SystemError("a whole answer: %r" % wire.response())
        except AssertionError as error:
            assert "cut short" in str(error), error
    equal(daemon.get("/health").status, 200)


@case_of_time
def who_reads_slowly_but_steadily_is_not():
    daemon = Daemon(timeout="1s", drain="0s")
    filled(daemon)
    wire, began, got = reader(daemon), time.monotonic(), b""
    # Four times as long as silence is suffered, a little at a time.
    while time.monotonic() - began < 4:
        select.select([], [], [], 0.02)
        data = wire.sock.recv(4096)
        assert data, "cut off after %d bytes and %.1f s" % (len(got), time.monotonic() - began)
        got += data
    wire.buffer = got
    answer = wire.response()
    equal(answer.status, 200)
    equal(len(answer.json()["events"]), LARGE)


# --- many ----------------------------------------------------------------------------------------

def idle_cpu(daemon, seconds=0.5):
    """Processor time it takes to do nothing for a while."""
    before = daemon.cpu_ns()
    select.select([], [], [], seconds)
    return daemon.cpu_ns() - before


def served(wire):
    """Whether the answer to what was sent has come, for a poll."""
    return bool(wire.buffer) or bool(select.select([wire.sock], [], [], 0)[0])


@case
def beyond_the_cap_a_client_waits_its_turn():
    for threads in (1, 2):
        daemon = Daemon(max_connections=4, threads=threads, timeout="1h", head_timeout="1h")
        first = [daemon.wire().send(PING) for _ in range(2)]
        for wire in first:
            equal(wire.response().status, 200)
        # Those who say nothing count as well.
        first += [daemon.wire() for _ in range(2)]
        poll(lambda: idle_cpu(daemon, 0.1) < BUSY_NS, "the daemon to come to rest")
        more = [daemon.wire().send(post([event()])) for _ in range(3)]
        assert idle_cpu(daemon) < BUSY_NS, "it spins at its cap"
        # Each loop may take one too many before it looks.
        waiting = [wire for wire in more if wire.silent()]
        assert len(waiting) >= 3 - (threads - 1), "served beyond the cap"
        for wire in first + [wire for wire in more if wire not in waiting]:
            wire.close()
        for wire in waiting:
            equal(wire.response().status, 200)
        equal(daemon.total(), 3)
        for wire in waiting:
            wire.close()


@case
def at_the_cap_every_turn_comes():
    daemon = Daemon(max_connections=8)
    fine, failed = [], []

    def one():
        try:
            for _ in range(scale(10, 3)):
                fine.append(daemon.post([event()]).status)
        except Exception as error:
            failed.append(repr(error))

    threads = [threading.Thread(target=one) for _ in range(scale(40, 16))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failed, [])
    equal(set(fine), {200})
    equal(daemon.total(), len(fine))


def descriptors(daemon):
    return len(os.listdir("/proc/%d/fd" % daemon.pid))


def few_files(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@case
def out_of_descriptors_it_waits_and_recovers():
    daemon = Daemon(threads=2, readers=1)
    room = descriptors(daemon)
    daemon.stop()
    limit = room + 6
    # The cap it sets itself would come first.
    assert limit // 2 > 8, limit
    daemon = Daemon(threads=2, readers=1, timeout="1h", preexec=few_files(limit))
    wires = [daemon.wire().send(post([event()])) for _ in range(24)]
    daemon.wait_log(r"can't accept a connection")
    poll(lambda: any(served(wire) for wire in wires), "those who are in to be served")
    assert idle_cpu(daemon, 1) < BUSY_NS, "it spins without descriptors"
    assert descriptors(daemon) >= limit - 1, "%d of %d" % (descriptors(daemon), limit)
    done = [wire for wire in wires if served(wire)]
    assert 0 < len(done) < len(wires), "%d served" % len(done)
    # Who is in is served: the database has what it needs.
    for wire in done:
        equal(wire.response().status, 200)
    wire = done[0]
    wire.send(head("GET", "/_tracker?limit=5"))
    total = wire.response().json()["total"]
    assert len(done) <= total <= sum(one in done or served(one) for one in wires), total
    # And whoever waits is let in as soon as others go.
    left = list(wires)
    while left:
        ready = poll(lambda: [wire for wire in left if wire in done or served(wire)], "a client's turn")
        for wire in ready:
            if wire not in done:
                equal(wire.response().status, 200)
            wire.close()
            left.remove(wire)
    equal(daemon.total(), len(wires))
    said = [line for line in daemon.log() if "can't accept" in line]
    assert len(said) <= len(wires), "%d lines of log" % len(said)


@case
def without_any_connection_it_waits_for_descriptors_and_ends_when_told():
    # A loop that stopped listening before it had a connection has nothing but its own clock to wake it.
    for threads in (1, 2):
        daemon = Daemon(threads=threads, drain="1h")
        before, (soft, hard) = daemon.sockets(), resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, hard))
        wires = [daemon.wire().send(post([event()])) for _ in range(4)]
        daemon.wait_log(r"can't accept a connection")
        assert idle_cpu(daemon) < BUSY_NS, "it spins without descriptors"
        assert all(wire.silent() for wire in wires), "there was a descriptor left"
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
        for wire in wires:
            equal(wire.response().status, 200)
            wire.close()
        equal(daemon.total(), len(wires))
        poll(lambda: daemon.sockets() == before, "the sockets to be closed")
        # Who can't be let in does not hold up the end: some time is tried, then the listeners close.
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, hard))
        wire = daemon.wire().send(PING)
        daemon.signal()
        assert wire.at_end(), "answered without a descriptor"
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
        daemon.ended(0)
        wire.close()


@case
def the_database_has_descriptors_in_reserve():
    daemon = Daemon(threads=2, timeout="1h", preexec=few_files(200))
    assert [line for line in daemon.log() if re.search("max-connections is lowered to 136:", line)]
    wires = [daemon.wire().send(PING) for _ in range(220)]
    poll(lambda: sum(served(wire) for wire in wires) >= 136, "as many as may be served")
    assert idle_cpu(daemon) < BUSY_NS, "it spins at its cap"
    assert sum(served(wire) for wire in wires) <= 137
    assert descriptors(daemon) <= 200 - 30, "nothing is left for the database"
    wire = next(wire for wire in wires if served(wire))
    wire.response()
    wire.send(post([event(payload='"%s"' % ("d" * 2000)) for _ in range(2000)]))
    equal(wire.response().json()["saved"], 2000)
    equal([line for line in daemon.log() if "can't accept" in line], [])
    for wire in wires:
        wire.close()
    equal(daemon.total(), 2000)


@case
def too_many_answers_at_once_are_refused():
    daemon = Daemon(max_reads=2, timeout="1h", drain="0s")
    filled(daemon)
    wires = [reader(daemon) for _ in range(2)]
    poll(lambda: all(served(wire) for wire in wires), "two answers to be under way")
    connection = daemon.connection()
    for method in ("GET", "HEAD"):
        answer = connection.request(method, "/_tracker?limit=1", {"Origin": PAGE})
        equal(answer.status, 503, method)
        check_page_may_read(answer, ingest=False)
        assert int(answer.header("Retry-After")) >= 1
    # Nothing else suffers.
    equal(connection.request("GET", "/_tracker/ping").status, 200)
    daemon.save([event()], connection=connection)
    wires[0].close()
    poll(lambda: connection.request("GET", "/_tracker?limit=1").status == 200, "room for another answer")
    # Answers that end give their place back, and those to clients that went.
    for _ in range(5):
        equal(connection.request("GET", "/_tracker?limit=1").status, 200)
    wires[1].close()


# --- bodies under way ----------------------------------------------------------------------------

def half_sent(daemon, count, size, sent):
    """Clients that have sent so much of a body of that size, or as much as is taken from them."""
    wires = []
    for _ in range(count):
        wire = daemon.wire().send(head(Content_Length=size))
        wire.sock.setblocking(False)
        wire.left = sent
        wires.append(wire)
    return wires


def push(wires):
    """Sends what goes. Returns the bytes that went."""
    went = 0
    for wire in wires:
        while wire.left > 0:
            try:
                n = wire.sock.send(b" " * min(wire.left, 1 << 16))
            except BlockingIOError:
                break
            except OSError:
                wire.left = 0
                break
            wire.left -= n
            went += n
    return went


@case
def bodies_under_way_are_bounded_together():
    room, size, count = 8 << 20, 4 << 20, 24
    daemon = Daemon(max_receiving=room, hold="2s", body_timeout="6s", threads=2)
    daemon.save([event()])
    daemon.reset_peak()
    before = daemon.rss()
    wires = half_sent(daemon, count, size, size - 1)
    refused, began, large = set(), time.monotonic(), [event(payload='"%s"' % ("b" * 900000)) for _ in range(3)]
    # For a while everybody pushes; whoever is refused is replaced by another.
    while time.monotonic() - began < 4 or len(refused) < count:
        push(wires)
        # Head and body of this come apart, and it waits in no queue behind the large ones.
        equal(daemon.post([event()]).status, 200, "a small post while large ones are stuck")
        for wire in list(wires):
            if select.select([wire.sock], [], [], 0)[0]:
                wire.sock.settimeout(PATIENCE)
                answer = wire.response()
                if answer.status != 408:
                    check_later(answer, 503)
                wires.remove(wire)
                refused.add(wire)
                wires += half_sent(daemon, 1, size, size - 1)
        assert time.monotonic() - began < PATIENCE, "nobody is refused"
    grown = daemon.peak() - before
    print("# %d MiB offered at once, %d MiB allowed, %.1f MiB grown"
          % (count * size >> 20, room >> 20, grown / 1048576))
    assert SLOW or grown < 3 * room, "%.1f MiB" % (grown / 1048576)
    # A large one meanwhile gets through or is told to come again.
    answer = daemon.post(large, headers={"Origin": PAGE})
    # Where the others' bytes leave it no room for as long, its time ends, too.
    if answer.status not in (200, 408):
        check_later(answer, 503)
    for wire in wires[::2]:
        wire.close()
    # The others have their time, and no more; then there is room again.
    poll(lambda: daemon.post(large).status == 200, "room for a large body")
    for wire in wires[1::2]:
        wire.sock.settimeout(PATIENCE)
        status = wire.response().status
        assert status in (408, 503), status


@case
def a_body_in_small_pieces_takes_no_more_room():
    daemon = Daemon(timeout="1h", body_timeout="1h", head_timeout="1h")
    clients, pieces = scale(200, 20), scale(1500, 100)
    wires = [daemon.wire().send(head(Content_Length=1 << 20)) for _ in range(clients)]
    poll(lambda: daemon.unread() == 0, "the heads to be read")
    daemon.reset_peak()
    before = daemon.rss()
    for _ in range(pieces):
        for wire in wires:
            wire.sock.send(b" ")
    poll(lambda: daemon.unread() == 0, "the pieces to be read")
    grown = daemon.peak() - before
    print("# %d bytes of bodies, byte by byte: %.1f MiB grown" % (clients * pieces, grown / 1048576))
    assert SLOW or grown < 16 << 20, "%.1f MiB for %d bytes" % (grown / 1048576, clients * pieces)
    for wire in wires:
        wire.close()


def tiny(count):
    """A body that says little, often."""
    return gzip.compress(b'{"events":[' + b",".join([b'{"timestamp":"2026-11-21"}'] * count) + b"]}", 9)


@case
def a_small_body_of_a_million_events_takes_its_turn():
    daemon = Daemon(synchronous="off", threads=2)
    body, headers = tiny(scale(1000000, 200000)), {"Content-Encoding": "gzip", "Origin": PAGE}
    assert len(body) < 80000, len(body)
    daemon.save([event()])
    daemon.reset_peak()
    before, statuses, failed = daemon.rss(), [], []

    def large():
        try:
            answer = daemon.request("POST", "/_tracker/events", headers, body)
            statuses.append(answer.status)
            if answer.status != 200:
                check_later(answer, 503)
        except Exception as error:
            failed.append(repr(error))

    threads = [threading.Thread(target=large) for _ in range(scale(8, 3))]
    for thread in threads:
        thread.start()
    small = {200: 0, 503: 0}
    while any(thread.is_alive() for thread in threads):
        small[daemon.post([event()]).status] += 1
        equal(daemon.get("/_tracker/ping").status, 200)
    for thread in threads:
        thread.join()
    equal(failed, [])
    grown = daemon.peak() - before
    print("# %d bodies of %d bytes: %r, %.0f MiB grown; others meanwhile: %r"
          % (len(threads), len(body), sorted(statuses), grown / 1048576, small))
    assert set(statuses) <= {200, 503}, statuses
    assert SLOW or grown < 600 << 20, "%.0f MiB" % (grown / 1048576)
    # Who comes again gets its turn, also behind a client that went away in the middle of its own.
    body = tiny(200000)
    wire = daemon.wire().send(head(Content_Encoding="gzip", Content_Length=len(body)) + body)
    poll(lambda: daemon.unread() == 0, "the body to be read")
    wire.close()
    poll(lambda: daemon.request("POST", "/_tracker/events", headers, body).status == 200, "a turn", 6 * PATIENCE)
    daemon.save([event()])


# --- greedy --------------------------------------------------------------------------------------

class From(Connection):
    """A connection from another loopback address."""

    def __init__(self, daemon, source, address=None):
        self.source = source
        super().__init__(daemon, address)

    def open(self):
        if self.source == "unix":
            super().open()
            return
        sock = socket.socket()
        sock.settimeout(PATIENCE)
        sock.bind((self.source, 0))
        sock.connect(parse_address(self.daemon.address)[1])
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        self.client.sock = sock

    def post(self, texts, headers=()):
        return self.request("POST", "/_tracker/events", [("Origin", PAGE)] + list(headers),
                            texts if isinstance(texts, bytes) else batch(texts))


@case
def events_are_counted_per_address():
    daemon, began = Daemon(limit_events=10), time.monotonic()
    noisy, other = From(daemon, "127.0.0.1"), From(daemon, "127.0.0.2")
    # Ten seconds' worth may come at once, and the batch that goes beyond is still taken whole.
    equal(noisy.post([event() for _ in range(99)]).status, 200)
    equal(noisy.post([event() for _ in range(201)]).status, 200)
    after = check_later(noisy.post([event()]), 429)
    assert 19 - (time.monotonic() - began) <= after <= 21, "Retry-After %d for a debt of 20 s" % after
    check_later(noisy.post([event()], [("Content-Encoding", "gzip")]), 429)
    equal(other.post([event()]).status, 200)
    # A new connection is no new client.
    check_later(From(daemon, "127.0.0.1").post([event()]), 429)
    # The connection goes on, and only ingest is limited.
    for method, target in (("GET", "/_tracker?limit=0"), ("GET", "/_tracker/ping"), ("OPTIONS", "/_tracker/events")):
        assert noisy.request(method, target).status in (200, 204), target
    equal(daemon.total(), 301)


@case_of_time
def what_is_refused_or_stored_already_counts_too():
    for name, texts in [("rejects", [b"0"] * 200), ("retries", None)]:
        daemon = Daemon(limit_events=10)
        client = From(daemon, "127.0.0.1")
        if texts is None:
            texts = [event() for _ in range(99)]
            equal(client.post(texts).status, 200, name)
        equal(client.post(texts).status, 200, name)
        check_later(client.post([event()]), 429)


@case
def bytes_are_counted_per_address():
    daemon, began = Daemon(limit_bytes=1000), time.monotonic()
    noisy, other = From(daemon, "127.0.0.1"), From(daemon, "127.0.0.2")
    equal(noisy.post(b'{"events":[]}' + b" " * 9000).status, 200)
    equal(noisy.post(b'{"events":[]}' + b" " * 20000).status, 200)
    after = check_later(noisy.post([event()]), 429)
    assert 18 - (time.monotonic() - began) <= after <= 20, after
    check_later(noisy.post(b'{"events":[]}' + b" " * 200000), 429)
    equal(noisy.request("GET", "/_tracker/ping").status, 200)
    equal(other.post([event()]).status, 200)
    # What counts is the wire: a body is charged as it came, packed.
    packed = gzip.compress(batch([event(payload='"%s"' % ("z" * 100000)) for _ in range(20)]), 9)
    assert len(packed) < 9000
    third = From(daemon, "127.0.0.3")
    equal(third.post(packed, [("Content-Encoding", "gzip")]).status, 200)
    equal(third.post([event()]).status, 200)
    # No JSON, and paid for all the same.
    fourth = From(daemon, "127.0.0.4")
    equal(fourth.post(b"x" * 20000).status, 400)
    check_later(fourth.post([event()]), 429)


@case_of_time
def who_waits_as_told_may_send_again():
    daemon = Daemon(limit_events=100)
    client = From(daemon, "127.0.0.1")
    equal(client.post([event() for _ in range(1300)]).status, 200)
    began = time.monotonic()
    after = check_later(client.post([event()]), 429)
    assert after <= 4, after
    poll(lambda: client.post([event()]).status == 200, "the limit to be over")
    assert time.monotonic() - began < after + 20, "longer than told"


# Whose word is believed, with which header configured: the peer, what it sends, whom that counts as.
# Trusted are 127.0.0.2, 127.0.0.8/30 and the Unix socket. "peer" is the peer itself.
V6 = "2001:db8:1:2::"
PROXIES = [
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: 203.0.113.1"], "203.0.113.1"),
    ("x-forwarded-for", "unix", ["X-Forwarded-For: 203.0.113.1"], "203.0.113.1"),
    ("x-forwarded-for", "127.0.0.9", ["x-forwarded-FOR:203.0.113.1:55000"], "203.0.113.1"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: 198.51.100.1, 203.0.113.1"], "203.0.113.1"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 203.0.113.1"], "203.0.113.1"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 127.0.0.2"], "203.0.113.1"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: 203.0.113.1,127.0.0.9", "X-Forwarded-For: 127.0.0.10"],
     "203.0.113.1"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 198.51.100.1"], "198.51.100.1"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: 203.0.113.1, unknown"], "peer"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For:"], "peer"),
    ("x-forwarded-for", "127.0.0.2", [], "peer"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: " + V6 + "1"], V6 + "ffff"),
    ("x-forwarded-for", "127.0.0.2", ["X-Forwarded-For: ::ffff:203.0.113.1"], "203.0.113.1"),
    # not the configured one
    ("x-forwarded-for", "127.0.0.2", ["Forwarded: for=203.0.113.1"], "peer"),
    ("x-forwarded-for", "127.0.0.2", ["X-Real-IP: 203.0.113.1"], "peer"),
    ("x-forwarded-for", "127.0.0.2", ["Forwarded: for=203.0.113.1", "X-Forwarded-For: 198.51.100.1"], "198.51.100.1"),
    # not trusted
    ("x-forwarded-for", "127.0.0.3", ["X-Forwarded-For: 203.0.113.1"], "peer"),
    ("x-forwarded-for", "127.0.0.3", ["X-Forwarded-For: 127.0.0.2"], "peer"),
    ("x-forwarded-for", "127.0.0.12", ["X-Forwarded-For: 203.0.113.1"], "peer"),
    ("forwarded", "127.0.0.2", ["Forwarded: for=203.0.113.1"], "203.0.113.1"),
    ("forwarded", "unix", ["Forwarded: For=\"203.0.113.1:99\";proto=https"], "203.0.113.1"),
    ("forwarded", "127.0.0.2", ["Forwarded: for=198.51.100.1, for=203.0.113.1;by=127.0.0.2"], "203.0.113.1"),
    ("forwarded", "127.0.0.2", ["Forwarded: for=203.0.113.1", "Forwarded: for=127.0.0.9"], "203.0.113.1"),
    ("forwarded", "127.0.0.2", ["Forwarded: for=\"[%s9]:80\"" % V6], V6 + "1"),
    ("forwarded", "127.0.0.2", ["Forwarded: for=\"198.51.100.1", "Forwarded: for=203.0.113.1"], "203.0.113.1"),
    ("forwarded", "127.0.0.2", ["Forwarded: for=203.0.113.1;host=\"x, for=198.51.100.1;y\""], "203.0.113.1"),
    ("forwarded", "127.0.0.2", ["Forwarded: for=203.0.113.1, for=_hidden"], "peer"),
    ("forwarded", "127.0.0.2", ["X-Forwarded-For: 203.0.113.1"], "peer"),
    ("forwarded", "127.0.0.3", ["Forwarded: for=203.0.113.1"], "peer"),
    ("none", "127.0.0.2", ["X-Forwarded-For: 203.0.113.1", "Forwarded: for=203.0.113.1"], "peer"),
]


def spend(daemon, address, header, name):
    """Makes that client one that must wait: far in debt. peer: an address that connects itself."""
    connection = From(daemon, name if re.match(r"unix|127\.", name) else "127.0.0.2", address)
    headers = []
    if not re.match(r"unix|127\.", name):
        told = name if header == "x-forwarded-for" else "for=\"%s\"" % ("[%s]" % name if ":" in name else name)
        headers = [(header, told)]
    # All different: equal ones are a burst, which waits.
    equal(connection.post([b"%d" % n for n in range(1000)], headers).status, 200)
    check_later(connection.post([], headers), 429)
    connection.close()


@case
def behind_proxies_the_client_is_whom_they_saw():
    rows = Rows()
    for header, peer, lines, client in PROXIES:
        with rows("%s: %s sends %r" % (header, peer, lines)):
            path = "unix:" + os.path.join(directory(), "s")
            daemon = Daemon(listen=["127.0.0.1:0", path], limit_events=1, threads=1, proxy_header=header,
                            trusted_proxy=[] if header == "none" else ["127.0.0.2", "127.0.0.8/30", "unix"])
            pairs = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
            address = path if peer == "unix" else None
            connection = From(daemon, peer, address)
            # An empty batch costs nothing, and asks whether more may come.
            for other in ("203.0.113.1", "198.51.100.1", V6 + "1", peer):
                same = other == (peer if client == "peer" else client) or (":" in other and ":" in client)
                if not same and (header != "none" or other == peer):
                    spend(daemon, address, header, other)
            equal(connection.post([], pairs).status, 200, "while others must wait")
            spend(daemon, address, header, peer if client == "peer" else client)
            check_later(connection.post([], pairs), 429)
            connection.close()
            daemon.stop()
    rows.check()


@case
def a_noisy_client_does_not_slow_the_others():
    daemon = Daemon(limit_events=2000, threads=2)
    texts = [event() for _ in range(500)]

    def quiet():
        took, client = [], From(daemon, "127.0.0.1")
        for _ in range(scale(60, 10)):
            body = batch([event() for _ in range(25)])
            began = time.monotonic()
            answer = client.post(body)
            took.append(time.monotonic() - began)
            equal(answer.status, 200, "a quiet client")
            equal(answer.json()["saved"], 25)
        client.close()
        return sorted(took)[len(took) // 2]

    alone = quiet()
    over, counts, failed, lock = threading.Event(), {}, [], threading.Lock()

    def noise():
        client = From(daemon, "127.0.0.2")
        try:
            while not over.is_set():
                status = client.post([event() for _ in range(500)] if 429 not in counts else texts).status
                with lock:
                    counts[status] = counts.get(status, 0) + 1
        except Exception as error:
            failed.append(repr(error))

    began = time.monotonic()
    threads = [threading.Thread(target=noise) for _ in range(4)]
    for thread in threads:
        thread.start()
    poll(lambda: counts.get(429, 0) > 10 or failed, "the noise to be noticed")
    beside = quiet()
    over.set()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - began
    equal(failed, [])
    print("# a quiet client's median: %.2f ms alone, %.2f ms beside the noise, %.1f times; noise: %r"
          % (alone * 1000, beside * 1000, beside / alone, counts))
    equal(set(counts), {200, 429})
    assert counts[200] * 500 <= 2000 * (elapsed + 10) + len(threads) * 500, "%r in %.1f s" % (counts, elapsed)


# --- strangers -----------------------------------------------------------------------------------

SITE, PAGES = "https://site.example", "https://*.pages.example"
KEYS = ["tk_both", "tk_in:ingest", "tk_out:query"]

# Method, target, Origin, key: the status, with beacon-origin SITE and PAGES.
BEACONS = [
    ("POST", "/_tracker/events", SITE, None, 200),
    ("POST", "/_tracker/ingest", SITE, None, 200),
    ("POST", "/_tracker/events", "https://SITE.example", None, 200),
    ("POST", "/_tracker/events", "https://a.pages.example", None, 200),
    ("POST", "/_tracker/events?x=y", "https://a.b.pages.example", None, 200),
    ("POST", "/_tracker/events", "https://pages.example", None, 401),
    ("POST", "/_tracker/events", "http://a.pages.example", None, 401),
    ("POST", "/_tracker/events", "https://evil-pages.example", None, 401),
    ("POST", "/_tracker/events", "https://a.pages.example.evil", None, 401),
    ("POST", "/_tracker/events", "https://site.example:8443", None, 401),
    ("POST", "/_tracker/events", "http://site.example", None, 401),
    ("POST", "/_tracker/events", "https://www.site.example", None, 401),
    ("POST", "/_tracker/events", "https://other.example", None, 401),
    ("POST", "/_tracker/events", "null", None, 401),
    ("POST", "/_tracker/events", None, None, 401),
    ("POST", "/_tracker/events", SITE, "tk_wrong", 401),
    ("POST", "/_tracker/events", SITE, "", 401),
    ("POST", "/_tracker/events", SITE, "tk_out", 403),
    ("POST", "/_tracker/events", SITE, "tk_in", 200),
    ("POST", "/_tracker/events?key=tk_wrong", SITE, None, 401),
    ("POST", "/_tracker/events?key=", SITE, None, 401),
    ("POST", "/_tracker/events?key=tk_in", SITE, None, 200),
    ("POST", "/_tracker/k/tk_wrong/events", SITE, None, 401),
    ("POST", "/_tracker/k/tk_in/events", SITE, None, 200),
    ("POST", "/_tracker/k/tk_in/events", "https://other.example", None, 200),
    ("POST", "/_tracker", SITE, None, 405),
    ("POST", "/_tracker/ping", SITE, None, 405),
    ("GET", "/_tracker", SITE, None, 401),
    ("GET", "/_tracker/events", SITE, None, 401),
    ("HEAD", "/_tracker/events", SITE, None, 401),
    ("GET", "/_tracker/events", SITE, "tk_out", 200),
]


@case
def beacons_need_no_key_from_a_listed_origin():
    rows = Rows()
    for narrowed in (False, True):
        options = {"allow_origin": "https://shop.example"} if narrowed else {}
        daemon = Daemon(key=KEYS, beacon_origin=[SITE, PAGES], **options)
        sent = 0
        for method, target, origin, key, status in BEACONS:
            allowed = not narrowed or origin is None or daemon_allows(origin)
            if not allowed and status != 405:
                status = 403
            headers = {name: value for name, value in (("Origin", origin), ("X-Tracker-Key", key)) if value is not None}
            if method == "POST":
                headers["Content-Type"] = "text/plain;charset=UTF-8"
            with rows("%s %s from %s, key %s%s" % (method, target, origin, key, ", narrowed" if narrowed else "")):
                answer = daemon.request(method, target, headers, batch([event()]) if method == "POST" else None)
                equal(answer.status, status)
                sent += method == "POST" and status == 200
                equal(answer.header("Access-Control-Allow-Origin"), origin if allowed else None)
                credentials = allowed and origin and method == "POST" and status != 405
                equal(answer.header("Access-Control-Allow-Credentials"), "true" if credentials else None)
        equal(daemon.request("GET", "/_tracker?limit=0", {"X-Tracker-Key": "tk_out"}).json()["total"], sent)
    rows.check()


def daemon_allows(origin):
    """Whether the narrowed daemon above lets pages of that origin in."""
    return origin.lower() == SITE or re.fullmatch(r"https://([a-z]+\.)+pages\.example", origin) is not None


@case
def a_beacon_of_64_kib_arrives():
    daemon = Daemon(key=KEYS, beacon_origin=SITE)
    body = batch([event(payload='"%s"' % ("k" * 200)) for _ in range(200)])
    assert len(body) < 65536
    body += b" " * (65536 - len(body))
    answer = daemon.request("POST", "/_tracker/events", {"Origin": SITE, "Content-Type": "text/plain"}, body)
    equal((answer.status, answer.json()["saved"]), (200, 200))


PATTERNS = [
    ("https://shop.example", True), ("https://shop.example:8443", False),
    ("https://a.example.org", True), ("http://a.b.example.org:8080", True), ("https://example.org", False),
    ("https://evil-example.org", False), ("https://a.example.org.evil", False), ("https://evil@a.example.org", False),
    ("https://a.example.org@evil", False), ("https://a.pages.example", True), ("http://a.pages.example", False),
    ("https://a.pages.example:444", False), ("https://pages.example", False), ("https://.pages.example", False),
    ("http://dev.example:8080", True), ("http://dev.example", False), ("null", False), ("https://evil.example", False),
]


@case
def allow_origin_takes_patterns():
    daemon, rows = Daemon(key=KEYS, allow_origin=["https://SHOP.example:443", "*.example.org", PAGES,
                                                  "http://dev.example:8080"]), Rows()
    for origin, may in PATTERNS:
        headers = {"Origin": origin, "X-Tracker-Key": "tk_both"}
        for method, target, body, good in (("POST", "/_tracker/events", b'{"events":[]}', 200),
                                           ("GET", "/_tracker", None, 200), ("OPTIONS", "/_tracker/events", None, 204),
                                           ("GET", "/_tracker/ping", None, 200)):
            with rows("%s %s from %s" % (method, target, origin)):
                answer = daemon.request(method, target, headers, body)
                free = method == "OPTIONS" or target.endswith("ping")
                equal(answer.status, good if may or free else 403)
                equal(answer.header("Access-Control-Allow-Origin"), origin if may else None)
    rows.check()


# Requests that their head alone refuses: method, target, headers, status.
REFUSED = [
    ("POST", "/_tracker/events", {}, 401),
    ("POST", "/_tracker/events", {"X-Tracker-Key": "tk_wrong"}, 401),
    ("POST", "/_tracker/events", {"X-Tracker-Key": "tk_out"}, 403),
    ("POST", "/_tracker/events", {"X-Tracker-Key": "tk_in", "Origin": "https://evil.example"}, 403),
    ("POST", "/_tracker/events?key=tk_wrong", {}, 401),
    ("POST", "/_tracker/k/tk_wrong/events", {"X-Tracker-Key": "tk_in"}, 401),
    ("POST", "/_tracker", {"X-Tracker-Key": "tk_in"}, 405),
    ("POST", "/_tracker/ping", {}, 405),
    ("PUT", "/_tracker/events", {"X-Tracker-Key": "tk_in"}, 405),
    ("PATCH", "/_tracker/events", {}, 405),
    ("POST", "/nowhere", {"X-Tracker-Key": "tk_in"}, 404),
    ("PUT", "/nowhere", {}, 404),
]


def refused_request(row, body_head):
    method, target, headers, _ = row
    pairs = {"Host": "localhost", "Origin": "https://shop.example"}
    pairs.update(headers)
    lines = ["%s %s HTTP/1.1" % (method, target)] + ["%s: %s" % pair for pair in pairs.items()]
    return ("\r\n".join(lines) + "\r\n" + body_head + "\r\n\r\n").encode()


@case
def a_body_that_nobody_reads_leaves_the_connection_in_step():
    daemon, rows = Daemon(key=KEYS, allow_origin="https://shop.example"), Rows()
    # The body looks like requests: out of step, they would be answered.
    body = head("GET", "/_tracker/nowhere") * 1500
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part)
                       for part in (body[at:at + 5000] for at in range(0, len(body), 5000))) + b"0\r\nX: y\r\n\r\n"
    keyed = post([], X_Tracker_Key="tk_in").replace(b"Origin: " + PAGE.encode() + b"\r\n", b"")
    forms = [("whole", "Content-Length: %d" % len(body), body), ("chunked", "Transfer-Encoding: chunked", chunked),
             ("in two", "Content-Length: %d" % len(body), body)]
    for form, body_head, sent in forms:
        wire = daemon.wire()
        for row in REFUSED:
            with rows("%s %s %r, %s" % (*row[:3], form)):
                wire.send(refused_request(row, body_head))
                begun = 1000 if form == "in two" else 0
                if begun:
                    poll(lambda: daemon.unread() == 0, "the head to be read")
                    wire.send(sent[:begun])
                    poll(lambda: daemon.unread() == 0, "the beginning to be read")
                # The next request right behind it.
                wire.send(sent[begun:] + keyed)
                answer = wire.response()
                equal(answer.status, row[3])
                answer.error()
                equal(answer.header("Connection"), None)
                answer = wire.response()
                equal((answer.status, answer.body), (200, b'{"ok":true,"saved":0,"rejected":0,"duplicate":0}'))
                assert wire.silent(), "more answers than requests"
        wire.close()
    rows.check()


@case
def who_asks_first_is_refused_at_once_and_nothing_more_is_read():
    # The client may send the body all the same: it must not be taken for a request.
    daemon, rows = Daemon(key=KEYS, allow_origin="https://shop.example", timeout="1h", body_timeout="1h"), Rows()
    body = PING * 100
    for row in REFUSED:
        for form in ("Content-Length: %d" % len(body), "Transfer-Encoding: chunked"):
            with rows("%s %s %r, %s" % (*row[:3], form)):
                wire = daemon.wire().send(refused_request(row, form + "\r\nExpect: 100-continue"))
                answer = wire.response()
                equal(answer.status, row[3])
                answer.error()
                equal(answer.header("Connection"), "close")
                wire.send(body)
                assert wire.at_end(), "an answer to what was no request: %r" % wire.buffer[:200]
    rows.check()


@case
def large_bodies_of_strangers_take_no_room():
    daemon = Daemon(key=KEYS)
    daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": "tk_in"}, batch([event()]))
    wires = [daemon.wire() for _ in range(8)]
    for wire in wires:
        equal(wire.send(PING).response().status, 200)
    daemon.reset_peak()
    before, size = daemon.rss(), scale(8 << 20, 1 << 20)
    piece = b" " * 65536
    for chunked in (False, True):
        for wire in wires:
            wire.send(head(Transfer_Encoding="chunked") if chunked else head(Content_Length=size))
        for _ in range(size // len(piece)):
            for wire in wires:
                wire.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        for wire in wires:
            wire.send((b"0\r\n\r\n" if chunked else b"") + PING)
            answer = wire.response()
            equal(answer.status, 401)
            check_page_may_read(answer)
            equal(wire.response().status, 200, "the next request")
    grown = daemon.peak() - before
    print("# %d MiB of strangers' bodies: %.1f MiB grown" % (2 * 8 * size >> 20, grown / 1048576))
    assert SLOW or grown < 4 << 20, "%.1f MiB" % (grown / 1048576)


@case
def over_the_limit_the_answer_is_read_and_nothing_kept():
    daemon = Daemon(max_body="1M", key=KEYS)
    daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": "tk_in"}, batch([event()]))
    daemon.reset_peak()
    before = daemon.rss()
    for key, size in (("tk_in", 3 << 20), (None, 3 << 20), ("tk_in", (1 << 20) + 1)):
        headers = {"X_Tracker_Key": key} if key else {}
        wire = daemon.wire().send(head(Content_Length=size, **headers))
        for _ in range(size // 65536):
            wire.send(b" " * 65536)
        answer = wire.send(b" " * (size % 65536)).response()
        equal(answer.status, 413)
        check_page_may_read(answer)
        assert wire.at_end()
    # One that will not be waited for: the answer comes at once, the connection ends.
    wire = daemon.wire().send(head(Content_Length=1 << 40))
    equal(wire.response().status, 413)
    assert wire.at_end()
    assert SLOW or daemon.peak() - before < 4 << 20


main()
