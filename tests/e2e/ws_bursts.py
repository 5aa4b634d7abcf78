"""Bursts over WebSockets: equal events of one millisecond, which nothing but the fate of the answer tells
from their own repetition. Whose ack can't have arrived may send them again, and they are stored once; whose
ack has arrived means them anew (CONTRACT.md 3 and 6)."""

import os
import random

from harness import (NOW, Daemon, WriteLock, batch, case, case_of_time, directory, equal, event, main, poll, scale,
                     shell)
from sockets import Cut, Ended, Socket

KI = 1 << 10
AWAY, BACK = "alter table events rename to events_away", "alter table events_away rename to events"


def texts(count, size):
    """Of that size also when they are compressed, but for a half."""
    dice = random.Random(size)
    return [event(payload='"%s"' % dice.randbytes(size // 2).hex()) for _ in range(count)]


def burst(n):
    return [event(NOW, n)] * 5


def count(daemon, n):
    return daemon.sql("select count(*) from events where event like ?", '%%"n":%d,%%' % n)[0][0]


def wait_count(daemon, n, expected):
    poll(lambda: count(daemon, n) == expected, "burst %d to be stored" % n)


def full(**options):
    """A daemon with an answer that nobody reads at once."""
    daemon = Daemon(cache_events=0, **options)  # reads must be able to fail
    daemon.save(texts(10000, KI), packed=True)
    return daemon


def stuck(daemon, offer=None):
    """A client that has asked, and takes nothing of the answer."""
    one = Socket(daemon, room=4096, offer=offer)
    one.query("large")
    poll(lambda: not one.silent(), "the answer to begin")
    return one


def check_again(daemon, n, one=None, **options):
    """It is sent again over another connection, while the first is there yet, and is stored once."""
    equal(Socket(daemon, **options).ingest(burst(n)).ack(), 5)
    equal(count(daemon, n), 5, "burst %d" % n)


# --- acks that can't be sent any more ---------------------------------------------------------

@case_of_time
def an_ack_behind_an_answer_that_nobody_takes_is_lost_with_it():
    daemon = full(threads=1, timeout="300ms", max_reads=1)
    for n in (1, 2):
        one = stuck(daemon, n % 2)
        one.ingest(burst(n))
        wait_count(daemon, n, 5)
        Socket(daemon).ask(limit=0)  # one at a time: the other has been given up
        check_again(daemon, n)
        one.wire.close()


@case_of_time
def an_ack_that_comes_when_nothing_can_be_sent_any_more_is_lost():
    daemon = full(threads=1, timeout="300ms", max_reads=1, queue_size="1K")
    for n in (1, 2):
        one, filler = stuck(daemon, n % 2), Socket(daemon)
        with WriteLock(daemon.database):
            filler.ingest(texts(2, KI)).raw(b"")
            poll(lambda: daemon.unread() == 0, "the daemon to read it")
            one.ingest(burst(n))
            Socket(daemon).ask(limit=0)  # the other has been given up
        equal(filler.ack(), 2)
        wait_count(daemon, n, 5)
        check_again(daemon, n)
        one.wire.close()


@case
def an_ack_that_gives_way_to_a_close_is_lost():
    daemon = full(threads=1)
    for n, early in ((1, True), (2, False)):
        one = stuck(daemon, n % 2)
        if early:
            one.ingest(burst(n))
            wait_count(daemon, n, 5)
        shell(daemon.database, AWAY)
        if not early:
            one.ingest(burst(n))
        try:
            one.message()
        except Ended as end:
            equal(end.code, 1011)
        shell(daemon.database, BACK)
        wait_count(daemon, n, 5)
        check_again(daemon, n)
        one.wire.close()


# --- connections that break -------------------------------------------------------------------

@case
def a_reset_of_one_that_is_not_read_is_noticed():
    daemon = Daemon(threads=1, limit_bytes="5K", trusted_proxy="127.0.0.1", proxy_header="x-forwarded-for")
    for n in (1, 2):
        one = Socket(daemon, headers={"X-Forwarded-For": "203.0.113.%d" % n})
        one.ingest(burst(n)).ingest(texts(1, 60 * KI))  # ten seconds' worth are 50 KiB
        wait_count(daemon, n, 5)
        for _ in range(30):
            one.ingest(texts(1, 2 * KI))
        equal(daemon.get("/health").status, 200)
        poll(lambda: daemon.unread() > 0, "the limit")
        one.reset()
        check_again(daemon, n, headers={"X-Forwarded-For": "203.0.113.1%d" % n})


@case
def who_ends_without_having_read_the_ack_has_not_got_it():
    place = "unix:" + os.path.join(directory(), "socket")
    daemon = Daemon(listen=[place, "127.0.0.1:0"], allow_keyless=True)
    for address in daemon.addresses:
        before = daemon.sockets()
        for n, reads in ((1, True), (2, False)):
            n += 10 * daemon.addresses.index(address)
            one = Socket(daemon, address=address)
            one.ingest(burst(n))
            poll(lambda: not one.silent(), "the ack")
            if reads:
                equal(one.ack(), 5)
                one.wire.half_close()
                one.finish()
                equal(Socket(daemon, address=address).ingest(burst(n)).ack(), 5)
                equal(count(daemon, n), 10, "anew, %s" % address)
            elif address.startswith("unix:"):  # nothing tells who reads of a TCP socket
                one.wire.half_close()
                poll(lambda: daemon.sockets() <= before, "the daemon to close")
                one.wire.close()
                check_again(daemon, n, address=address)
            else:
                one.reset()
                check_again(daemon, n, address=address)


@case
def of_many_acks_that_were_not_taken_none_is_forgotten():
    daemon, many = full(timeout="1h"), scale(66, 66)
    one = stuck(daemon)
    for n in range(1, many):
        one.ingest(burst(n))
    poll(lambda: count(daemon, many - 1) == 5, "the last of them to be stored")
    one.reset()
    for n in (1, 2, many - 1):
        check_again(daemon, n)


main()
