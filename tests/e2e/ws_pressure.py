"""WebSockets when it gets tight: nothing that has arrived is dropped, nobody is closed for it, and memory
stays bounded (CONTRACT.md 6, DESIGN.md 7)."""

import json
import resource
import select
import signal
import socket
import threading
import time

from harness import Daemon, Skip, WriteLock, batch, case, equal, event, main, poll, scale
from sockets import MORE, PING, PONG, TEXT, Socket, frame, unpinged
from stores import of_files

KI, MI = 1 << 10, 1 << 20


def pad(size):
    return '"%s"' % ("x" * size)


def fill(daemon, count, size):
    """Stores so many events of that size."""
    connection = daemon.connection()
    for start in range(0, count, 10000):
        daemon.save([event(payload=pad(size)) for _ in range(min(10000, count - start))], packed=True,
                    connection=connection)
    connection.close()


def check_grown(daemon, before, most):
    if scale(True, False):  # a sanitizer's own memory is not the daemon's
        grown = daemon.rss() - before
        assert grown < most, "resident memory has grown by %.1f MiB" % (grown / MI)


class Sender(threading.Thread):
    """Sends data on a socket that may be left unread for long."""

    def __init__(self, sock, data):
        super().__init__(daemon=True)
        self.sock, self.data, self.sent = sock.wire.sock, data, 0
        self.start()

    def run(self):
        # Never blocked for long: a socket that is being sent on can't be reset.
        while self.sent < len(self.data):
            try:
                if select.select([], [self.sock], [], 0.1)[1]:
                    self.sent += self.sock.send(self.data[self.sent:self.sent + 65536], socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            except (OSError, ValueError):
                return


def stalled(*senders):
    """Waits until no more is taken from any of them; returns how much was."""
    last = [None, 0]

    def still():
        sent = [sender.sent for sender in senders]
        last[1] = last[1] + 1 if sent == last[0] else 0
        last[0] = sent
        return last[1] > 40
    poll(still, "the senders to stall")
    return last[0]


# --- overload ---------------------------------------------------------------------------------

@case
@of_files
def a_disk_that_fails_is_waited_for():
    daemon = unpinged(hold="100ms", preexec=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    one, other = Socket(daemon), Socket(daemon)
    one.save([event() for _ in range(10)])
    most = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)[1]
    for limit in (0, 65536):
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (limit, most))
        count = 60
        for _ in range(count):
            one.ingest([event(payload=pad(2000)) for _ in range(10)])
        poll(lambda: daemon.post([event()]).status == 503, "HTTP to be refused")
        for _ in range(2):  # reads go on
            other.ask(limit=0)
        equal(daemon.post([event()]).status, 503)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (most, most))
        equal([one.ack() for _ in range(count)], [10] * count)
    stored = {e["n"] for e in daemon.read()["events"]}
    equal(daemon.total(), len(stored))
    assert len(stored) >= 10 + 2 * 600
    one.save([event()])
    daemon.crash()
    equal(Daemon(database=daemon.database).total(), len(stored) + 1)


@case
def a_full_queue_leaves_the_socket_unread():
    daemon, size = unpinged(hold="100ms", queue_size="256K", max_message="256K"), 100 * KI
    sockets, other = [Socket(daemon) for _ in range(4)], Socket(daemon).save([event()])
    before, count = daemon.rss(), 200
    with WriteLock(daemon.database):
        senders = [Sender(s, b"".join(frame(batch([event(payload=pad(size))])) for _ in range(count)))
                   for s in sockets]
        took = stalled(*senders)
        assert all(t < count * size for t in took), "everything was taken: %s" % took
        assert daemon.unread() > 0
        check_grown(daemon, before, 16 * MI)
        equal(other.ask()["total"], 1)
        equal(Socket(daemon).ask(limit=0)["total"], 1)
        equal(daemon.get("/health").status, 200)
    for one in sockets:
        equal([one.ack() for _ in range(count)], [1] * count)
    equal(daemon.total(), 1 + 4 * count)


@case
def who_sends_more_than_its_share_is_slowed_and_loses_nothing():
    daemon, batches = unpinged(limit_events=4000), 60
    one = Socket(daemon)
    began = time.monotonic()
    Sender(one, b"".join(frame(batch([event() for _ in range(1000)])) for _ in range(batches)))
    equal([one.ack() for _ in range(batches)], [1000] * batches)
    equal(daemon.total(), 1000 * batches)
    # Ten seconds' worth may come at once, the rest takes its time.
    assert time.monotonic() - began > 3, "not limited"
    # HTTP from there is limited too, for twenty seconds.
    daemon = unpinged(limit_events=10)
    Socket(daemon).save([event() for _ in range(300)])
    equal(daemon.post([event()]).status, 429)


@case
def bytes_are_limited_the_same_way():
    daemon = unpinged(limit_bytes="100K")
    one, count = Socket(daemon), 13
    began = time.monotonic()
    Sender(one, b"".join(frame(batch([event(payload=pad(100 * KI))])) for _ in range(count)))
    equal([one.ack() for _ in range(count)], [1] * count)
    assert time.monotonic() - began > 1, "not limited"
    equal(daemon.total(), count)


# --- slow readers -----------------------------------------------------------------------------

@case
def behind_an_answer_that_nobody_reads_ingest_goes_on():
    daemon, count = unpinged(max_events=1000000), scale(30000, 8000)
    fill(daemon, count, 600)
    for offer in (None, True):
        one = Socket(daemon, room=4096, offer=offer)
        total, before = daemon.total(), daemon.rss()
        one.query("large")
        poll(lambda: not one.silent(), "the answer to begin")
        batches = 20
        for _ in range(batches):
            one.ingest([event(payload=pad(900)) for _ in range(10)])
        poll(lambda: daemon.total() == total + 10 * batches, "ingest behind the answer to be committed")
        one.query("second", limit=0)
        check_grown(daemon, before, 12 * MI)
        answer = json.loads(one.response("large"))
        equal((answer["total"], len(answer["events"])), (total, total))
        assert one.frames > 1 or offer, "one frame of the whole"
        equal([one.ack() for _ in range(batches)], [10] * batches)
        equal(json.loads(one.response("second"))["total"], total + 10 * batches)
        check_grown(daemon, before, 12 * MI)


@case
def control_frames_come_between_the_fragments_of_an_answer():
    daemon = unpinged()
    fill(daemon, scale(20000, 8000), 1000)
    one = Socket(daemon, room=4096)
    one.query("large")
    opcode, fin, rsv, payload = one.next_frame()
    equal((opcode, fin), (TEXT, 0))
    one._parts = [payload]
    one.raw(frame(b"between", PING))
    while True:
        opcode, fin, rsv, payload = one.next_frame()
        if opcode == PONG:
            equal(payload, b"between")
            break
        assert opcode == MORE and not fin, "the pong came behind the answer"
    while not fin or opcode != MORE:
        opcode, fin, rsv, payload = one.next_frame()
    one._parts = None
    one.sync()


@case
def many_large_answers_to_slow_readers_take_no_room():
    daemon = unpinged(max_events=1000000)
    count = scale(30000, 5000)
    fill(daemon, count, 600)
    Socket(daemon).ask(limit=1000)
    before, readers = daemon.rss(), [Socket(daemon, room=4096, offer=n % 2) for n in range(40)]
    for reader in readers:
        for _ in range(5):
            reader.query("q")
    poll(lambda: not any(r.silent() for r in readers), "the answers to begin")
    other = Socket(daemon)
    for _ in range(scale(50, 10)):
        other.save([event()])
    check_grown(daemon, before, 64 * MI)
    equal(len(json.loads(readers[1].response())["events"]), count)
    for reader in readers:
        reader.reset()


@case
def queries_that_nobody_reads_the_answers_of_are_bounded():
    daemon = unpinged()
    daemon.save([event(payload=pad(600)) for _ in range(scale(2000, 500))])
    one = Socket(daemon, room=4096)
    one.ask(limit=10)
    before, question = daemon.rss(), frame(b'{"type":"events:query","reqId":"q","query":{}}')
    count = scale(6000, 2000)
    sender = Sender(one, question * count)
    stalled(sender)
    check_grown(daemon, before, 24 * MI)
    one.reset()
    Socket(daemon).ask(limit=0)


@case
def acks_and_errors_that_nobody_reads_are_bounded():
    daemon = unpinged()
    for what in (frame(batch([])), frame(b"{"), frame(b'{"type":"auth","key":""}')):
        one = Socket(daemon, room=4096)
        before, count = daemon.rss(), scale(1000000, 100000)
        sender = Sender(one, what * count)
        stalled(sender)
        check_grown(daemon, before, 24 * MI)
        one.reset()
    Socket(daemon).ask(limit=0)


# --- many connections -------------------------------------------------------------------------

def open_many(daemon, count, **options):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 200:
        if hard < count + 200:
            raise Skip("no more than %d descriptors" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, hard))
    return [Socket(daemon, **options) for _ in range(count)]


@case
def idle_connections_take_at_most_24_kib_each():
    daemon, count = unpinged(key=["tk_key"]), scale(1000, 100)
    # What goes with the first ones is not theirs.
    first = open_many(daemon, 20, key="tk_key", offer=True)
    first[0].save([event()]).ask()
    before = daemon.rss()
    idle = open_many(daemon, count, key="tk_key", offer=True)
    for one in idle:
        one.save([event(payload=pad(2000))], packed=True)
    for one in idle[::2]:
        one.ask(limit=5)
    each = (daemon.rss() - before) / count
    if scale(True, False):
        assert each <= 24 * KI, "%.1f KiB for each" % (each / KI)
    first[0].save([event()])
    equal(len(idle[0].wait_pushes(1)), 1)
    for one in idle:
        one.wire.close()


@case
def messages_under_way_are_bounded_together():
    daemon = unpinged(max_receiving="16M")
    first = Socket(daemon).save([event()])
    before, part = daemon.rss(), frame(b'{"type":"ingest","events":[' + b" " * (4 * MI), fin=False)
    sockets = [Socket(daemon) for _ in range(scale(40, 10))]
    senders = [Sender(one, part) for one in sockets]
    stalled(*senders)
    first.save([event()])
    check_grown(daemon, before, 48 * MI)
    for one in sockets:
        one.reset()
    poll(lambda: Socket(daemon).send(batch([event()]) + b" " * (4 * MI)).ack() == 1, "room again")


main()
