"""What one WebSocket may take of what all share: memory, the queue, time. None holds the others up for
long, and none is given up for what is no fault of its own (CONTRACT.md 6, DESIGN.md 7)."""

import re
import signal
import threading
import time

from harness import Daemon, WriteLock, batch, case, case_of_time, equal, event, main, poll, scale
from sockets import PING, PONG, RSV1, TEXT, Cut, Ended, Socket, deflate, frame

KI, MI = 1 << 10, 1 << 20
PROXY = {"trusted_proxy": "127.0.0.1", "proxy_header": "x-forwarded-for"}
ONE_SECOND = scale("400ms", "2s")  # a ping interval: as short as a busy machine allows


def pad(size):
    return '"%s"' % ("x" * size)


def texts(count, size):
    return [event(payload=pad(size)) for _ in range(count)]


def by(address):
    return {"X-Forwarded-For": "203.0.113.%d" % address}


def in_background(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def passes(witness, count):
    """So many ping intervals pass, on the daemon's own clock: until its peer has been pinged so often."""
    until = len(witness.pings) + count
    while len(witness.pings) < until:
        kind, what = witness.next_thing()
        equal(kind, PING)
        witness.control(kind, what)


def turns(daemon, witness):
    """What has come is looked at; the daemon has one network thread."""
    poll(lambda: daemon.unread() == 0, "the daemon to read it")
    for _ in range(3):
        witness.raw(frame(b"", PING))
        equal(witness.next_thing()[0], PONG)


def fill(daemon, count):
    """Stores so many events of a KiB."""
    connection = daemon.connection()
    for start in range(0, count, 10000):
        daemon.save(texts(min(10000, count - start), KI), packed=True, connection=connection)
    connection.close()


def check_peak(daemon, before, most):
    if scale(True, False):  # a sanitizer's own memory is not the daemon's
        grown = daemon.peak() - before
        assert grown < most, "resident memory has grown by %.1f MiB" % (grown / MI)


# --- memory -----------------------------------------------------------------------------------

@case
def what_compressed_messages_become_counts_and_is_bounded():
    # 15 KiB on the wire are 15 MiB of text. Those that are never finished, and those that are.
    text = batch(texts(1, 100)) + b" " * (15 * MI)
    packed, count = deflate(text, 9), scale(150, 20)
    for name, data in (("unfinished", frame(packed[:-8], fin=False, rsv=RSV1)), ("whole", frame(packed, rsv=RSV1))):
        daemon = Daemon(threads=1, max_receiving="8M", queue_size="1K", hold="100ms", drain="100ms")
        witness = Socket(daemon, offer=True).save(texts(1, 100), packed=True)
        before = daemon.rss()
        daemon.reset_peak()
        with WriteLock(daemon.database):
            witness.ingest(texts(2, 1000))  # the queue is full
            sockets = [Socket(daemon, offer=True) for _ in range(count)]
            for one in sockets:
                one.raw(data)
            poll(lambda: daemon.post(texts(20, KI)).status == 503, "HTTP to be refused")
            # What one connection may have read ahead, and zlib's context, are beside it; and the one
            # that may go on beyond all bounds needs room for a whole message, and to grow.
            try:
                check_peak(daemon, before, 64 * MI + count * 128 * KI)
            except AssertionError as error:
                raise AssertionError("%s: %s" % (name, error))
            for one in sockets:
                one.reset()
        equal(witness.ack(), 2)
        poll(lambda: daemon.post(texts(20, KI)).status == 200, "HTTP to be taken again")


def figure(daemon, name):
    return float(re.search(r"(?m)^%s (\S+)$" % name, daemon.get("/metrics").body.decode()).group(1))


def receiving(daemon):
    """What the daemon says it holds of what has come in, in bytes."""
    return figure(daemon, "beacond_receiving_bytes")


def messages(daemon):
    return figure(daemon, "beacond_websocket_messages_total")


def looks(daemon, seconds):
    """What it holds, for so long: many looks of its own at who may go on."""
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        yield receiving(daemon)


def spacious(size):
    """A batch of one event and so much white space."""
    return batch(texts(1, 100)) + b" " * size


@case
def whole_messages_that_wait_for_the_queue_do_not_pile_up():
    # Half of them compressed, and read at once; half of them still in the kernel for the most part.
    daemon = Daemon(threads=1, max_receiving="2M", max_body="512K", queue_size="1K")
    witness, size, count = Socket(daemon), 4 * MI, 30
    sockets = [Socket(daemon, offer=True) for _ in range(count)]
    witness.save(texts(1, 100))
    # Beside the 2 MiB: one message, which grows by half, and what each may have begun with.
    most = 2 * MI + 6 * MI + count * 128 * KI
    before = daemon.rss()
    daemon.reset_peak()
    with WriteLock(daemon.database):
        witness.ingest(texts(2, 1000))  # the queue is full
        for n, one in enumerate(sockets):
            in_background(one.send, spacious(size), n % 2 == 0)
        poll(lambda: receiving(daemon) >= 2 * MI, "too much to come in")
        for held in looks(daemon, scale(1, 2)):
            assert held < most, "%.1f MiB are held" % (held / MI)
        check_peak(daemon, before, 2 * most)
    equal(witness.ack(), 2)
    for one in sockets:
        equal(one.ack(), 1)
    equal(daemon.total(), 1 + 2 + count)


@case_of_time
def who_waits_behind_one_that_waits_for_the_queue_is_not_ended():
    daemon = Daemon(threads=1, max_receiving="2M", max_body="512K", queue_size="1K", body_timeout=scale("1s", "5s"))
    witness, begun, other = Socket(daemon), Socket(daemon), Socket(daemon, offer=True)
    text, part = spacious(4 * MI), 3 * MI // 2
    begun.raw(frame(text[:part], fin=False))
    poll(lambda: receiving(daemon) >= part, "a large part to come in")
    with WriteLock(daemon.database):
        witness.ingest(texts(2, 1000))  # the queue is full
        other.send(spacious(4 * MI), packed=True)
        poll(lambda: receiving(daemon) >= part + 4 * MI, "one to be whole")
        in_background(begun.raw, frame(text[part:], 0))
        for _ in looks(daemon, scale(1.5, 7)):
            pass
    for one, count in ((witness, 2), (other, 1), (begun, 1)):
        equal(one.ack(), count)


@case
def who_is_over_its_limit_piles_up_nothing_and_keeps_nobody_from_passing():
    daemon = Daemon(threads=1, max_receiving="2M", max_body="512K", limit_bytes="100K", drain="500ms", **PROXY)
    size, limited = 4 * MI, [Socket(daemon, headers=by(1), offer=True) for _ in range(20)]
    other = Socket(daemon, headers=by(2), offer=True)
    limited[0].send(spacious(size), packed=True)
    equal(limited[0].ack(), 1)
    for one in limited[1:]:
        one.send(spacious(size), packed=True)
    poll(lambda: receiving(daemon) > 2 * MI, "too much to come in")
    equal(other.send(spacious(size), packed=True).ack(), 1)
    for held in looks(daemon, 0.5):
        assert held < 2 * MI + 6 * MI + 20 * 128 * KI, "%.1f MiB are held" % (held / MI)
    assert all(one.silent() for one in limited[1:]), "not limited"
    equal(daemon.total(), 2)


@case
def a_query_that_waits_for_its_client_keeps_nobody_from_passing():
    daemon = Daemon(threads=1, max_receiving="2M", max_body="512K", hold="1m", drain="500ms")
    stored = scale(10000, 8000)
    fill(daemon, stored)
    asks, begun, other = Socket(daemon, room=4096), Socket(daemon), Socket(daemon, offer=True)
    asks.query("large")
    poll(lambda: not asks.silent(), "the answer to begin")
    # Too much without anyone who passes: a message, and bodies behind it.
    text, part, posts = spacious(2 * MI), 1200 * KI, [daemon.wire() for _ in range(3)]
    begun.raw(frame(text[:part], fin=False))
    poll(lambda: receiving(daemon) >= part, "a large part to come in")
    for post in posts:
        post.send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n" +
                  b" " * 400000)
    poll(lambda: receiving(daemon) > 2 * MI, "too much to come in")
    # Large enough to need leave, small enough for a query. It waits until the answer, which nobody reads, is out.
    read = messages(daemon)
    asks.send(b'{"type":"events:query","reqId":"second","query":{"limit":0}}' + b" " * (60 * KI))
    poll(lambda: messages(daemon) > read, "the query to be looked at")
    equal(other.send(spacious(4 * MI), packed=True).ack(), 1)
    asks.reset()
    for post in posts:
        post.close()
    equal(begun.raw(frame(text[part:], 0)).ack(), 1)
    equal(daemon.total(), stored + 2)


@case
def batches_are_not_made_before_there_is_room_for_them():
    # Many small events take several times the room of their text.
    count, each = scale(8, 4), scale(60000, 6000)
    daemon = Daemon(threads=1, queue_size="1M")
    witness = Socket(daemon)
    data = [batch([b'{"timestamp":"2026-01-01T00:00:00Z","i":%d}' % (n * each + i) for i in range(each)])
            for n in range(count + 1)]
    witness.send(data[0])
    equal(witness.ack(), each)
    sockets = [Socket(daemon, offer=True) for _ in data[1:]]
    before = daemon.rss()
    daemon.reset_peak()
    with WriteLock(daemon.database):
        witness.ingest(texts(2, 600 * KI))  # the queue is full
        turns(daemon, witness)
        for one, text in zip(sockets, data[1:]):
            one.send(text, packed=True)
        turns(daemon, witness)
        # A text grows by doubling.
        check_peak(daemon, before, 32 * MI + sum(2 * len(text) for text in data))
    equal(witness.ack(), 2)
    for one in sockets:
        equal(one.ack(), each)


# --- time -------------------------------------------------------------------------------------

class Hog(threading.Thread):
    """Sends all but the end of a message. outcome: 1013 when it was ended, 1 when it was let finish."""

    def __init__(self, daemon, size):
        super().__init__(daemon=True)
        text = batch(texts(1, size))
        self.one, self.rest, self.outcome = Socket(daemon, offer=True), frame(text[-10:], 0), None
        self.one.raw(frame(text[:-10], fin=False))
        self.start()

    def run(self):
        try:
            self.outcome = self.one.ack()
        except Ended as end:
            self.outcome = end.code
            self.one.wire.half_close()


@case_of_time
def who_does_not_finish_while_others_wait_is_ended_with_1013():
    daemon = Daemon(max_receiving="1M", max_body="512K", body_timeout="300ms", hold="100ms")
    count, size = 10, 200 * KI
    hogs, statuses = [Hog(daemon, size) for _ in range(count)], []

    def answered(status):
        statuses.append(daemon.post(texts(200, KI)).status)
        return statuses[-1] == status
    poll(lambda: answered(503), "HTTP to be refused")
    # These are whole; that they are not looked at for some time is no fault of theirs.
    patient = [Socket(daemon, offer=True) for _ in range(6)]
    for n, one in enumerate(patient):
        in_background(one.send, batch(texts(1, size)), n % 2 == 1)
    for one in patient:
        equal(one.ack(), 1)
    poll(lambda: answered(200), "HTTP to be taken again")
    for hog in hogs:
        hog.one.raw(hog.rest)
        hog.join()
    outcomes = [hog.outcome for hog in hogs]
    assert set(outcomes) <= {1, 1013}, "ended otherwise: %s" % outcomes
    # So many leave room for others.
    assert outcomes.count(1) <= 5, "%d were not ended" % outcomes.count(1)
    equal(daemon.total(), outcomes.count(1) + len(patient) + 200 * statuses.count(200))


@case
def who_holds_nobody_up_has_all_the_time():
    daemon = Daemon(max_receiving="1M", max_body="512K", body_timeout="300ms", head_timeout="300ms")
    whole = batch(texts(1, 100 * KI))
    slow = [Socket(daemon, offer=n == 1).raw(frame(whole[:-n - 1], fin=False)) for n in range(2)]
    witness = daemon.wire()
    witness.send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
    while witness._more():
        pass  # over for one of HTTP
    for n, one in enumerate(slow):
        equal(one.raw(frame(whole[-n - 1:], 0)).ack(), 1)


@case_of_time
def who_reads_slowly_is_not_taken_for_dead():
    daemon = Daemon(ping_interval=ONE_SECOND)
    fill(daemon, scale(20000, 10000))
    slow, witness, dead = Socket(daemon, room=4096), Socket(daemon), Socket(daemon)
    slow.query("large")
    for _ in range(4):
        passes(witness, 1)
        slow.wire.buffer += slow.wire.sock.recv(16 * KI)
    slow.response("large")
    slow.sync()
    slow.save(texts(1, 10))
    dead.lively = False
    equal(ended_by_pings(dead), 1)


def ended_by_pings(dead):
    """How often a peer that does not answer is pinged before it is dropped."""
    try:
        while True:
            dead.control(*dead.next_thing())
    except Cut:
        dead.wire.close()
        return len(dead.pings)


@case_of_time
def a_daemon_that_was_stopped_itself_does_not_take_its_peers_for_dead():
    daemon = Daemon(ping_interval=ONE_SECOND)
    peers, dead = [Socket(daemon, offer=n % 2) for n in range(10)], Socket(daemon)
    for one in peers:
        one.sync()
    daemon.signal(signal.SIGSTOP)
    over = time.monotonic() + scale(1.1, 5)  # more than two intervals, for which it is not there
    poll(lambda: time.monotonic() > over, "time to pass")
    daemon.signal(signal.SIGCONT)
    for one in peers:
        one.sync()
        one.save(texts(1, 10))
    dead.lively = False
    assert ended_by_pings(dead) >= 1, "dropped without a ping"


# --- limits of others -------------------------------------------------------------------------

@case
def who_is_over_its_limit_does_not_hold_up_large_messages_of_others():
    daemon = Daemon(threads=1, limit_bytes="100K", hold="2s", drain="500ms", **PROXY)
    large = [texts(scale(5000, 4500), KI) for _ in range(4)]
    limited, witness = Socket(daemon, headers=by(1)), Socket(daemon, headers=by(9))
    limited.ingest(large[0]).ingest(large[1])
    equal(limited.ack(), len(large[0]))
    turns(daemon, witness)
    daemon.save(large[2], headers=by(2))
    Socket(daemon, headers=by(3)).save(large[3])
    assert limited.silent(), "not limited"
    equal(daemon.total(), 3 * len(large[0]))


@case
def messages_of_every_kind_count_against_the_limit():
    # Ten seconds' worth are 10 KiB.
    for text in (b'{"type":"other","x":%s}' % pad(60 * KI).encode(), b"[" * (60 * KI),
                 b'{"type":"events:query","reqId":"q","query":{"limit":0,"x":%s}}' % pad(60 * KI).encode()):
        for packed in (False, True):
            daemon = Daemon(limit_bytes="1K")
            one = Socket(daemon, offer=True)
            equal(daemon.post(texts(1, 10)).status, 200)
            one.send(text, packed=packed).raw(frame(b"", PING))
            while one.next_thing()[0] != PONG:
                pass
            equal(daemon.post(texts(1, 10)).status, 429, "behind %s" % text[:20])


@case
def what_was_sent_long_ago_does_not_stop_the_reading():
    # While an answer is on its way there is always something to write.
    daemon = Daemon()
    fill(daemon, scale(40000, 20000))
    one, asked, group = Socket(daemon, room=64 * KI), 0, 400
    one.query("large")
    opcode, fin, _, payload = one.next_frame()
    equal((opcode, fin), (TEXT, 0))
    one._parts = [payload]
    while asked * 127 < 300 * KI:
        one.raw(frame(b"p" * 125, PING) * group)
        asked += group
        while len(one.pongs) < asked:
            opcode, fin, _, payload = one.next_frame()
            if opcode == PONG:
                one.pongs.append(payload)
            else:
                assert not fin, "only %d of %d pings answered before the end" % (len(one.pongs), asked)
    while not fin or opcode == PONG:
        opcode, fin, _, payload = one.next_frame()
    one._parts = None
    one.sync()


# --- processor time ---------------------------------------------------------------------------

def cpu_of_asking(daemon, one, times):
    before = daemon.cpu_ns()
    for _ in range(times):
        one.ask(limit=0)
    return daemon.cpu_ns() - before


@case
def those_who_wait_for_room_cost_nothing_meanwhile():
    daemon, count, times = Daemon(threads=1, queue_size="1K"), scale(800, 50), scale(1500, 100)
    sockets = [Socket(daemon) for _ in range(count)]
    one, filler = Socket(daemon), Socket(daemon)
    one.ask(limit=0)
    alone = cpu_of_asking(daemon, one, times)
    with WriteLock(daemon.database):
        filler.ingest(texts(2, KI))
        turns(daemon, filler)
        for n, waiting in enumerate(sockets):
            waiting.ingest(texts(1, 10 if n % 2 else 2 * KI))
        one.sync()
        crowded = cpu_of_asking(daemon, one, times)
        print("# %d ms of processor time alone, %d ms beside %d that wait" % (alone / 1e6, crowded / 1e6, count))
        began, before = time.monotonic_ns(), daemon.cpu_ns()
        poll(lambda: time.monotonic_ns() - began > 3e8, "time to pass")
        used = (daemon.cpu_ns() - before) / (time.monotonic_ns() - began)
        if scale(True, False):
            assert crowded < 2 * alone + 20e6, "answers take %.1f times as much" % (crowded / alone)
            assert used < 0.5, "%d %% of a processor while nothing happens" % (100 * used)
    equal(filler.ack(), 2)
    for waiting in sockets:
        equal(waiting.ack(), 1)
    equal(daemon.total(), count + 2)


@case
def http_that_never_ceases_leaves_room_for_websockets():
    daemon, done, trouble = Daemon(threads=1, queue_size="1K", hold="1m"), threading.Event(), []
    rounds, saved = scale(10, 3), []

    def visit():
        try:
            connection = daemon.connection()
            while not done.is_set():
                daemon.save(texts(2, KI), connection=connection)
                saved.append(1)
        except Exception as error:
            trouble.append(error)

    visitors = [threading.Thread(target=visit) for _ in range(20)]
    sockets = [Socket(daemon) for _ in range(5)]
    for visitor in visitors:
        visitor.start()
    try:
        poll(lambda: len(saved) > 100, "some traffic")
        before = len(saved)
        for _ in range(rounds):
            for one in sockets:
                one.ingest(texts(1, 2 * KI))
            for one in sockets:
                equal(one.ack(), 1)
        meanwhile = len(saved) - before
    finally:
        done.set()
        for visitor in visitors:
            visitor.join()
    equal(trouble, [])
    print("# %d requests for %d messages" % (meanwhile, rounds * len(sockets)))
    assert meanwhile < 20 * rounds * len(sockets), "%d requests went first" % meanwhile


main()
