"""How a WebSocket ends: by either side, by a shutdown, by silence. What has wholly arrived is committed
(CONTRACT.md 6)."""

import json
import threading
import time

from harness import Daemon, WriteLock, batch, case, case_of_time, equal, event, main, poll, scale
from sockets import PING, Cut, Ended, Socket, closing, fragments, frame


def pad(size):
    return '"%s"' % ("x" * size)


# --- the end of a connection ------------------------------------------------------------------

@case
def what_has_wholly_arrived_is_committed_whatever_end_comes_behind_it():
    ends = [("half close", lambda s: s.wire.half_close()), ("close", lambda s: s.wire.close()),
            ("Close", lambda s: s.raw(closing(1001))), ("Close and close", lambda s: s.raw(closing()).wire.close()),
            ("half a message", lambda s: s.raw(frame(batch([event(id="half")]))[:-1]).wire.half_close()),
            ("half a head", lambda s: s.raw(frame(b"x" * 300)[:3]).wire.close()),
            ("half of a fragmented one", lambda s: s.raw(frame(batch([event(id="half")]), fin=False)).wire.close())]
    for locked in (False, True):
        daemon, expected = Daemon(hold="1h"), []
        sockets = [Socket(daemon, offer=True) for _ in range(2 * len(ends))]
        with WriteLock(daemon.database) as lock:
            if not locked:
                lock.release()
            for n, one in enumerate(sockets):
                texts = [event(payload=pad(3000)) for _ in range(40)]
                expected += [(json.loads(text)["n"], ends[n // 2][0]) for text in texts]
                one.ingest(texts[:20], packed=n % 2 == 1).ingest(texts[20:])
                ends[n // 2][1](one)
            if locked:
                # An end that is not looked at yet counts as a byte.
                poll(lambda: daemon.unread() <= len(sockets), "the daemon to read it")
        poll(lambda: daemon.total() >= len(expected), "the commit")
        stored = {e["n"] for e in daemon.read()["events"]}
        equal({end for n, end in expected if n not in stored}, set(), "ends that have lost something")
        equal(daemon.sql("select count(*) from events where id = 'half'"), [(0,)])
        for one in sockets:
            one.wire.close()


@case
def what_was_read_before_a_reset_is_committed():
    daemon = Daemon(hold="1h")
    for n in range(10):
        one = Socket(daemon)
        with WriteLock(daemon.database):
            one.ingest([event() for _ in range(20)])
            poll(lambda: daemon.unread() == 0, "the daemon to read it")
            one.reset()
        poll(lambda: daemon.total() == 20 * (n + 1), "the commit")


@case
def a_close_is_answered_behind_the_acks():
    daemon = Daemon(hold="1h")
    for offer in (None, True):
        one = Socket(daemon, offer=offer)
        with WriteLock(daemon.database):
            one.ingest([event()]).ingest([event(), event()]).raw(closing(1001))
            poll(lambda: daemon.unread() == 0, "the daemon to read it")
            assert one.silent(), "answered ahead of the acks"
        equal((one.ack(), one.ack()), (1, 2))
        one.closed(1001)


@case
def who_has_gone_with_answers_waiting_is_let_go():
    daemon = Daemon(max_reads=4)
    before = daemon.sockets()
    daemon.save([event(payload=pad(1000)) for _ in range(scale(20000, 5000))], packed=True)
    for end in ("reset", "close", "Close"):
        for count in (1, 2, 10, 300):
            gone = [Socket(daemon, room=4096, offer=n % 2) for n in range(3)]
            for one in gone:
                one.raw(frame(b'{"type":"events:query","reqId":"q","query":{}}') * count).ingest([event()])
                poll(lambda: not one.silent(), "the answer to begin")
                if end == "Close":
                    one.raw(closing(1001))
                one.reset() if end == "reset" else one.wire.close()
            poll(lambda: daemon.sockets() <= before, "%s behind %d queries: the connections to be freed" % (end, count))
            Socket(daemon).ask(limit=0)


# --- shutdown ---------------------------------------------------------------------------------

@case
def at_shutdown_the_acks_go_first_and_1012_behind_them():
    daemon = Daemon(hold="1h")
    idle, busy = [Socket(daemon) for _ in range(20)], Socket(daemon, offer=True)
    with WriteLock(daemon.database):
        busy.ingest([event()]).ingest([event(), event()])
        poll(lambda: daemon.unread() == 0, "the daemon to read it")
        daemon.signal()
        for one in idle:
            equal(one.closed(1012), "restarting")
        assert busy.silent(), "1012 ahead of the acks"
    equal((busy.ack(), busy.ack()), (1, 2))
    equal(busy.closed(1012), "restarting")
    equal(daemon.ended(), 0)
    equal(Daemon(database=daemon.database).total(), 3)


@case
def what_has_not_found_room_by_the_end_of_the_drain_time_is_committed_too():
    daemon = Daemon(hold="1h", queue_size="1K", drain="400ms")
    sockets = [Socket(daemon, offer=n % 2) for n in range(4)]
    with WriteLock(daemon.database):
        for n, one in enumerate(sockets):
            # The first of them fills the queue, the others are read and wait.
            one.ingest([event(payload=pad(500)) for _ in range(5)], packed=n % 2 == 1)
        poll(lambda: daemon.unread() == 0, "the daemon to read it")
        daemon.signal()
        for one in sockets:
            one.closed(1012)
    equal(daemon.ended(), 0)
    equal(Daemon(database=daemon.database).total(), 20)


@case
def behind_1012_what_still_arrives_is_committed_until_the_peers_close():
    daemon = Daemon(drain="1h")
    sockets = [Socket(daemon, offer=n % 2) for n in range(6)]
    daemon.signal()
    expected = 0
    for n, one in enumerate(sockets):
        try:
            one.message()
            raise AssertionError("a message instead of 1012")
        except Ended as end:
            equal((end.code, end.reason), (1012, "restarting"))
        for k in range(5):
            one.ingest([event(payload=pad(1000)) for _ in range(10)], packed=n % 2 == 1)
            expected += 10
        if n % 3 == 0:
            one.raw(closing(1012))
            one.finish()  # no acks
        elif n % 3 == 1:
            one.raw(fragments(batch([event()]), [5])).wire.half_close()
            expected += 1
            one.finish()
        else:
            one.wire.close()
    equal(daemon.ended(), 0)
    equal(Daemon(database=daemon.database).total(), expected)


@case
def a_shutdown_waits_no_longer_than_the_drain_time():
    daemon = Daemon(drain="300ms")
    daemon.save([event(payload=pad(1000)) for _ in range(scale(20000, 5000))], packed=True)
    silent, reading = Socket(daemon), Socket(daemon, room=4096)
    reading.query("never read")
    half = Socket(daemon).raw(frame(batch([event()]))[:-3])
    dribbling = Socket(daemon)
    daemon.signal()
    equal(daemon.ended(), 0)
    try:
        dribbling.closed(1012)
    except Cut:
        pass
    for one in (silent, half, reading, dribbling):
        one.wire.close()


@case
def a_shutdown_during_traffic_loses_nothing_that_was_acknowledged():
    daemon, acked, lock = Daemon(threads=2), [], threading.Lock()

    def visit():
        try:
            one = Socket(daemon)
            while True:
                id = "%d-%d" % (threading.get_ident(), time.monotonic_ns())
                one.ingest([event(id=id)])
                equal(one.ack(), 1)
                with lock:
                    acked.append(id)
        except Ended as end:
            one.raw(closing(end.code)).wire.close()
        except (Cut, OSError, AssertionError):
            pass

    threads = [threading.Thread(target=visit) for _ in range(10)]
    for thread in threads:
        thread.start()
    poll(lambda: len(acked) > 200, "some traffic")
    daemon.signal()
    equal(daemon.ended(), 0)
    for thread in threads:
        thread.join()
    ids = {row[0].decode() for row in daemon.sql("select id from events")}
    assert set(acked) <= ids, "lost %d" % len(set(acked) - ids)


# --- dead peers and idle ones -----------------------------------------------------------------

@case_of_time
def a_silent_peer_is_pinged_and_a_dead_one_dropped():
    daemon = Daemon(ping_interval="200ms", timeout="500ms")
    alive, dead, half = Socket(daemon), Socket(daemon), Socket(daemon).raw(frame(b"{}")[:4])
    dead.lively = half.lively = False
    while len(alive.pings) < 6:
        kind, what = alive.next_thing()
        equal(kind, PING)
        alive.control(kind, what)
    for one in (dead, half):
        poll(one_is_gone(one), "the dead peer to be dropped")
        try:
            one.message()
        except (Cut, Ended):
            pass
        assert one.pings, "dropped without a ping"
        one.wire.close()
    equal(alive.save([event()]).ask()["total"], 1)


def one_is_gone(one):
    """Whether the daemon has closed; what comes meanwhile is read."""
    def gone():
        try:
            one.control(*one.next_thing())
            return False
        except (Cut, Ended):
            return True
    return gone


@case_of_time
def who_talks_is_not_pinged():
    daemon = Daemon(ping_interval="2s")
    one, until = Socket(daemon), time.monotonic() + 3
    while time.monotonic() < until:
        one.ask(limit=0)
    equal(one.pings, [])


@case
def without_an_interval_nobody_is_pinged_or_dropped():
    daemon = Daemon(ping_interval="0s", timeout="200ms", head_timeout="200ms", body_timeout="200ms")
    quiet, witness = Socket(daemon), daemon.wire()
    witness.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    witness.response()
    assert witness.at_end(), "closed after the timeout for HTTP"
    for _ in range(20):
        time.sleep(0.05)
        assert quiet.silent(), "something came"
    equal(quiet.save([event()]).ask()["total"], 1)


main()
