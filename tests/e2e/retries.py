"""Batches sent again are stored once (DESIGN.md 3, "Retry receipts"), case by case."""

import fcntl
import gzip
import os
import random
import socket
import sqlite3
import struct
import termios
import threading
import time

import stores
from harness import NOW, Daemon, WriteLock, batch, becomes, case, directory, equal, event, main, poll, scale, shell, stamp
from stores import dialect, of_files

HEAD = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


def events(count, first=0):
    """Events of a visit: a few share a millisecond."""
    return [event(NOW + (first + n) // 3, first + n) for n in range(count)]


def burst(count):
    return [event(NOW, 7)] * count


def outcome(saved, duplicate=0, rejected=0):
    return {"ok": True, "saved": saved, "rejected": rejected, "duplicate": duplicate}


def sent(daemon, texts, expected, what="", **more):
    answer = daemon.post(texts, **more)
    equal(answer.status, 200, "%s: %r" % (what, answer.body[:200]))
    equal(answer.json(), expected, what)


def count(daemon, table="events"):
    return daemon.sql("select count(*) from " + table)[0][0]


def unread(daemon, sock):
    """Bytes sent by the socket that the daemon has not read."""
    if sock.family != socket.AF_UNIX:
        return daemon.unread()
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


def send_and_break(daemon, texts, reset=False, address=None):
    """Sends a batch and closes before the answer. Returns when the daemon has taken it in."""
    before, body = count(daemon), batch(texts)
    with WriteLock(daemon.database):
        sock = daemon.connect(address)
        sock.sendall(HEAD % len(body) + body)
        poll(lambda: unread(daemon, sock) == 0, "the daemon to read it")
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    return poll(lambda: count(daemon) - before, "the commit")


# --- one after the other ----------------------------------------------------------------------

@case
def a_batch_sent_again_is_stored_once():
    daemon, a = Daemon(), events(20)
    sent(daemon, a, outcome(20))
    for _ in range(3):
        sent(daemon, a, outcome(20, 20))
    equal(count(daemon), 20)
    equal(daemon.total(), 20)


@case
def a_batch_sent_again_with_more_and_more_behind_it_is_stored_once():
    daemon, a, b, c = Daemon(), events(20), events(5, 20), events(30, 25)
    sent(daemon, a, outcome(20), "A")
    sent(daemon, a + b, outcome(25, 20), "A+B")
    sent(daemon, a + b + c, outcome(55, 25), "A+B+C")
    sent(daemon, a + b + c, outcome(55, 55), "A+B+C")
    equal(count(daemon), 55)


@case
def an_original_that_arrives_after_its_retry_is_stored_once():
    daemon, a, b = Daemon(), events(20), events(5, 20)
    sent(daemon, a + b, outcome(25), "A+B")
    sent(daemon, a, outcome(20, 20), "A")
    sent(daemon, a[:1], outcome(1, 1), "the first of A")
    equal(count(daemon), 25)


@case
def batches_that_only_begin_alike_are_all_stored():
    daemon, a = Daemon(), events(4)
    sent(daemon, a, outcome(4))
    sent(daemon, a[:3] + events(1, 10), outcome(4))
    sent(daemon, a[1:], outcome(3))
    equal(count(daemon), 11)


@case
def original_and_retry_of_one_transaction_are_stored_once():
    daemon, a, b = Daemon(), events(20), events(5, 20)
    connections = [daemon.connection() for _ in range(3)]
    answers = []
    with WriteLock(daemon.database):
        threads = [threading.Thread(target=lambda t=texts, c=connection: answers.append(
            daemon.post(t, connection=c).json())) for texts, connection in zip([a, a + b, a], connections)]
        for thread in threads:
            thread.start()
        poll(lambda: daemon.unread() == 0, "the daemon to read them")
    for thread in threads:
        thread.join()
    equal(sorted(x["saved"] for x in answers), [20, 20, 25])
    equal(sum(x["saved"] - x["duplicate"] for x in answers), 25)
    equal(count(daemon), 25)


@case
def a_retry_is_known_whatever_way_it_comes():
    key = "tk_one"
    listen = ["127.0.0.1:0", "unix:" + os.path.join(directory(), "s")]
    daemon = Daemon(key=[key, "tk_two"], prefix=["/_tracker", "/other"], listen=listen)
    a = events(20)

    def by(target, headers=None, expected=outcome(20, 20), **more):
        sent(daemon, a, expected, target, target=target, headers=headers, **more)

    by("/_tracker/events", {"X-Tracker-Key": key}, outcome(20))
    by("/_tracker/events", {"X-Tracker-Key": key}, packed=True)
    by("/_tracker/ingest", {"X-Tracker-Key": "tk_two"})
    by("/other/events", {"X-Tracker-Key": key})
    by("/_tracker/k/tk_two/events", {"Content-Type": "text/plain"})
    by("/_tracker/events?key=" + key)
    by("/_tracker/events", {"X-Tracker-Key": key}, connection=daemon.connection(daemon.addresses[1]))
    spaced = b' { "events" : [ \n' + b" ,\t".join(a) + b' ] , "more" : 1 }'
    answer = daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": key}, spaced)
    equal(answer.json(), outcome(20, 20), "other white space between")
    equal(count(daemon), 20)


# --- lost answers and restarts ----------------------------------------------------------------

@case
def a_batch_whose_answer_was_lost_is_stored_once():
    for number, (reset, more) in enumerate([(False, 0), (True, 0), (False, 5), (True, 5)]):
        daemon, a = Daemon(), events(20)
        equal(send_and_break(daemon, a, reset), 20)
        sent(daemon, a + events(more, 20), outcome(20 + more, 20))
        equal(count(daemon), 20 + more, str(number))
        daemon.stop()


@case
def a_retry_is_known_after_a_restart():
    database = stores.fresh()
    a, b, c = events(20), events(5, 20), events(3, 25)
    for number, (texts, known) in enumerate([(a, 0), (a, 20), (a + b, 20), (a + b + c, 25), (a, 20)]):
        daemon = Daemon(database=database)
        sent(daemon, texts, outcome(len(texts), known))
        daemon.stop() if number % 2 else daemon.crash()
    equal(count(Daemon(database=database)), 28)


@case
def killed_before_the_answer_each_batch_is_stored_once():
    database = stores.fresh()
    total = 0
    for number in range(scale(8, 3)):
        daemon, a = Daemon(database=database), events(20, number * 100)
        send_and_break(daemon, a)
        daemon.crash()
        daemon = Daemon(database=database)
        sent(daemon, a + events(5, number * 100 + 20), outcome(25, 20))
        total += 25
        equal(count(daemon), total)
        daemon.crash()


@case
def a_batch_refused_with_503_is_stored_by_its_retry():
    for texts in (events(20), burst(20)):
        daemon = Daemon(hold="300ms")
        with WriteLock(daemon.database):
            equal(daemon.post(texts).status, 503)
            equal(daemon.post(texts).status, 503)
        sent(daemon, texts, outcome(20))
        equal(count(daemon), 20)
        daemon.stop()


@case
def a_retry_is_known_although_limits_have_changed():
    database = stores.fresh()
    a = events(3) + [event(NOW + 9, 9, payload='"%s"' % ("x" * 5000))] + events(3, 30)
    large, small = dict(database=database, max_event="1M"), dict(database=database, max_event="1K")

    def kept(daemon):
        return count(daemon), count(daemon, "rejects")

    daemon = Daemon(**small)
    sent(daemon, a, outcome(6, 0, 1))
    daemon.stop()
    daemon = Daemon(**large)
    equal(daemon.post(a).status, 200)
    equal(kept(daemon), (6, 1), "more room")
    b = events(2, 40) + [event(NOW + 20, 99, payload='"%s"' % ("y" * 5000))]
    sent(daemon, b, outcome(3))
    daemon.crash()
    daemon = Daemon(**small)
    equal(daemon.post(b + events(1, 50)).status, 200)
    equal(kept(daemon), (10, 1), "less room")


@case
def rejected_events_of_a_retry_are_not_put_aside_twice():
    daemon = Daemon()
    bad = [b'{"timestamp":"never"}', b"7", b'{"a":1}']
    a = events(2) + bad[:2] + events(1, 2)
    sent(daemon, a, outcome(3, 0, 2))
    sent(daemon, a, outcome(3, 3, 2))
    sent(daemon, a + bad[2:] + events(1, 3), outcome(4, 3, 3))
    sent(daemon, bad, outcome(0, 0, 3))
    sent(daemon, bad, outcome(0, 0, 3))
    equal(count(daemon), 4)
    equal([r for r, in daemon.sql("select event from rejects order by n")], bad + bad)


@case
def thousands_of_rejected_events_of_a_retry_are_not_put_aside_twice():
    daemon, bad = Daemon(max_rejects=10000), [b"%d" % n for n in range(5000)]
    a = events(3) + bad + events(3, 3)
    sent(daemon, a, outcome(6, 0, 5000))
    kept = count(daemon, "rejects")
    sent(daemon, a, outcome(6, 6, 5000))
    sent(daemon, a + events(1, 6), outcome(7, 6, 5000))
    equal((count(daemon), count(daemon, "rejects")), (7, kept))


# --- bursts -----------------------------------------------------------------------------------

@case
def identical_full_batches_of_a_burst_are_all_stored():
    daemon, connection = Daemon(), None
    for number in range(6):
        connection = daemon.connection() if number % 2 == 0 else connection
        sent(daemon, burst(50), outcome(50), "batch %d" % number, connection=connection)
        if number % 2:
            connection.close()
    sent(daemon, burst(1), outcome(1), "the rest")
    equal(count(daemon), 301)


@case
def a_rest_of_a_burst_is_stored_also_with_newer_events_behind_it():
    for rest in (1, 2, 9):
        daemon = Daemon()
        sent(daemon, burst(10), outcome(10))
        sent(daemon, burst(10), outcome(10))
        sent(daemon, burst(rest) + events(5, 100), outcome(rest + 5))
        sent(daemon, burst(rest) + events(6, 100), outcome(rest + 6, rest + 5))
        equal(count(daemon), 26 + rest)
        daemon.stop()


@case
def a_burst_whose_connection_broke_before_the_answer_is_stored_once():
    for reset in (False, True):
        for address in ("127.0.0.1:0", "unix:" + os.path.join(directory(), "s")):
            daemon = Daemon(listen=address)
            sent(daemon, burst(10), outcome(10))
            send_and_break(daemon, burst(10), reset)
            sent(daemon, burst(10), outcome(10, 10), "its retry")
            sent(daemon, burst(10), outcome(10), "the next")
            equal(count(daemon), 30)
            daemon.stop()


@case
def a_burst_and_its_retry_that_wait_together_are_stored_once():
    daemon, body = Daemon(hold="1h"), batch(burst(10))
    with WriteLock(daemon.database):
        sock = daemon.connect()
        sock.sendall(HEAD % len(body) + body)
        poll(lambda: daemon.unread() == 0, "the daemon to read it")
        sock.close()
        wire = daemon.wire().send(HEAD % len(body) + body)
        poll(lambda: daemon.unread() <= 1, "the daemon to read its retry")  # 1: the end of the first
    equal(wire.response().json(), outcome(10, 10))
    equal(count(daemon), 10)


@case
def a_burst_sent_again_with_newer_events_behind_it_is_stored_once():
    daemon = Daemon()
    send_and_break(daemon, burst(10))
    sent(daemon, burst(25), outcome(25, 10))
    sent(daemon, burst(25), outcome(25), "the next")
    send_and_break(daemon, burst(24))
    sent(daemon, burst(24) + events(3, 100), outcome(27, 24))
    sent(daemon, burst(24) + events(3, 100), outcome(27, 27))
    equal(count(daemon), 77)


@case
def a_burst_is_stored_once_when_killed_before_the_answer():
    first = Daemon()
    sent(first, burst(10), outcome(10))
    first.crash()
    daemon = Daemon(database=first.database)
    sent(daemon, burst(10), outcome(10, 10), "its retry")
    sent(daemon, burst(10), outcome(10), "the next")
    equal(count(daemon), 20)


@case
def an_answer_to_a_burst_that_arrived_is_no_evidence():
    daemon, body = Daemon(), batch(burst(10))
    for ending in ("close", "half", "next"):
        wire = daemon.wire().send(HEAD % len(body) + body)
        equal(wire.response().json(), outcome(10), ending)
        if ending == "half":
            wire.half_close()
            assert wire.at_end()
        elif ending == "next":
            wire.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wire.response()
        wire.close()
    sent(daemon, burst(10), outcome(10))
    equal(count(daemon), 40)


@case
def a_single_event_sent_twice_is_a_retry():
    # Nothing tells it from one, and it is one far more often.
    daemon = Daemon()
    sent(daemon, burst(1), outcome(1))
    sent(daemon, burst(1), outcome(1, 1))
    sent(daemon, burst(1) + events(1, 50), outcome(2, 1))
    equal(count(daemon), 2)


# --- given ids --------------------------------------------------------------------------------

@case
def a_timestamp_and_id_are_stored_once_without_any_receipt():
    first, a = Daemon(), [event(NOW, n, "e%d" % n) for n in range(10)]
    sent(first, a, outcome(10))
    first.stop()
    shell(first.database, "delete from receipts")
    daemon = Daemon(database=first.database)
    sent(daemon, a, outcome(10, 10))
    sent(daemon, a[5:] + a[:5], outcome(10, 10), "in another order")
    sent(daemon, [event(NOW + 1, 50, "x"), event(NOW + 1, 51, "x")], outcome(2, 1), "in one body")
    equal(count(daemon), 11)


@case
def hundreds_of_thousands_of_one_millisecond_do_not_take_quadratic_time():
    many, at = scale(300000, 30000), stamp(NOW)
    bodies = {"given ids": ['{"id":"e%d","timestamp":"%s"}' % (n, at) for n in range(many)],
              "no ids": ['{"n":%d,"timestamp":"%s"}' % (n, at) for n in range(many)],
              "all equal": ['{"timestamp":"%s"}' % at] * many}
    for name, texts in bodies.items():
        daemon = Daemon(hold="1h")
        body = gzip.compress(batch(text.encode() for text in texts), 1)
        # A look at each of the others would take hours; the harness waits less than a minute.
        for known in (0, 0 if name == "all equal" else many):
            answer = daemon.request("POST", "/_tracker/events", {"Content-Encoding": "gzip"}, body)
            equal(answer.json(), outcome(many, known), name)
        equal(count(daemon), 2 * many if name == "all equal" else many, name)
        daemon.stop()


# --- bounds -----------------------------------------------------------------------------------

def bounded(daemon, most):
    rows, length = daemon.sql("select count(*), sum(length(receipts)) from receipts")[0]
    assert rows > 100, "%d rows" % rows
    return rows < most and length < 65536


@case
def receipts_are_bounded_and_the_newest_are_kept():
    most, size = scale(2000, 1200), {"receipts_size": "64K"}
    daemon = Daemon(**size)
    for restart in (False, True):
        connection = daemon.connection()
        for number in range(most):
            first = (restart * most + number) * 10
            sent(daemon, events(5, first), outcome(5), connection=connection)
        connection.close()
        # PostgreSQL's go a moment later.
        becomes(lambda: bounded(daemon, most), True, "receipts within their bound")
        if restart:
            daemon.crash()
            daemon = Daemon(database=daemon.database, **size)
        for n in range(100):
            sent(daemon, events(5, first - n * 10), outcome(5, 5), "the newest but %d" % n)
        sent(daemon, events(5), outcome(5), "the oldest")


@case
@of_files
def receipts_are_there_at_once_after_a_restart():
    # As many as the default bound takes of batches of 20.
    first, batches, many = Daemon(), 100, scale(3000, 300)
    sent(first, events(5), outcome(5))
    first.stop()
    numbers = random.Random(1)
    rows = (b"\x01" + b"".join(struct.pack("<I", 20) + numbers.randbytes(160) for _ in range(batches))
            for _ in range(many))
    connection = sqlite3.connect(first.database)
    connection.executemany("insert into receipts select min(n) - 1, at, ? from receipts",
                           ((row,) for row in rows))
    connection.commit()
    connection.close()
    began = time.monotonic()
    daemon = Daemon(database=first.database)
    took = time.monotonic() - began
    print("# started in %.2f s with %d receipts" % (took, many * batches))
    sent(daemon, events(6), outcome(6, 5))
    assert took < 60, "%.1f s to start with %d receipts" % (took, many * batches)


@case
def receipts_older_than_seven_days_are_dropped():
    first, a, b = Daemon(), events(5), events(5, 50)
    sent(first, a, outcome(5))
    sent(first, b, outcome(5))
    first.stop()
    shell(first.database, "update receipts set at = at - 7 * 86400000 - 1000 "
          "where {0} = (select min({0}) from receipts)".format(dialect("n", "serial")))
    daemon = Daemon(database=first.database)
    sent(daemon, b, outcome(5, 5))
    sent(daemon, a, outcome(5))
    equal(count(daemon, "receipts"), 2)


main()
