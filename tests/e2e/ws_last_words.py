"""What has arrived is stored although its connection, or what went the other way, has come to a bad end:
a failed answer, a peer that takes nothing, a shutdown with messages that wait (CONTRACT.md 6)."""

import base64
import os
import random
import threading

from harness import Daemon, WriteLock, batch, case, case_of_time, equal, event, main, poll, scale, shell
from sockets import Ended, Socket, closing, frame

KI = 1 << 10
LARGE = scale(20000, 10000)  # events of a KiB: more than the kernel takes of an answer
AWAY, BACK = "alter table events rename to events_away", "alter table events_away rename to events"


def texts(count, size, id=None):
    return [event(id="" if id is None else "%s-%d" % (id, n), payload='"%s"' % ("x" * size)) for n in range(count)]


# What does not get small when it is compressed: the same comes again further back than deflate looks.
_noise = [base64.b64encode(random.Random(n).randbytes(768)).decode() for n in range(61)]


def full(**options):
    """A daemon with an answer that nobody reads at once, compressed or not."""
    daemon = Daemon(cache_events=0, **options)  # reads must be able to fail
    for _ in range(LARGE // 10000):
        # On no kept connection: the timeout may be over before the next body is made.
        daemon.save([event(payload='"%s"' % _noise[n % 61]) for n in range(10000)], packed=True)
    return daemon


def stored(daemon, id):
    return daemon.sql("select count(*) from events where id like ?", id + "-%")[0][0]


def stuck(daemon, offer=None):
    """A client that has asked, and takes nothing of the answer."""
    one = Socket(daemon, room=4096, offer=offer)
    one.query("large")
    poll(lambda: not one.silent(), "the answer to begin")
    return one


def ended_with(one, code):
    """Reads up to the daemon's Close: what stands before it must be well formed. Returns how many
    messages came whole."""
    count = 0
    try:
        while True:
            one.message()
            count += 1
    except Ended as end:
        equal(end.code, code, end.reason)
    return count


def turns(one):
    """What the daemon has read so far is acted on; it has one network thread."""
    for _ in range(3):
        one.sync()


def descriptors(daemon):
    return len(os.listdir("/proc/%d/fd" % daemon.pid))


# --- an answer that fails ---------------------------------------------------------------------

@case
def behind_an_answer_that_fails_midway_messages_are_stored_until_the_peers_close():
    daemon = full(threads=1)
    witness = Socket(daemon)
    for n, offer in enumerate((None, True)):
        one, id = stuck(daemon, offer), "case%d" % n
        one.query("behind")
        for k in range(5):
            one.ingest(texts(10, KI, "%s-%d" % (id, k)), packed=bool(offer))
        turns(witness)
        shell(daemon.database, AWAY)
        equal(ended_with(one, 1011), 0, "whole messages")
        for k in range(5, 8):
            one.ingest(texts(10, KI, "%s-%d" % (id, k)), packed=bool(offer))
        one.raw(closing(1011))
        one.finish()
        shell(daemon.database, BACK)
        poll(lambda: stored(daemon, id) == 80, "all to be stored")
        Socket(daemon).ask(limit=0)


@case
def no_ack_breaks_into_an_answer_that_fails_midway():
    daemon, count = full(threads=1), 5
    one, witness = stuck(daemon), Socket(daemon)
    saw, trouble = [], []

    def read():
        try:
            saw.append(ended_with(one, 1011))
        except Exception as error:
            trouble.append(error)

    with WriteLock(daemon.database) as lock:
        for n in range(count):
            one.ingest([event(id="ack-%d" % n)])
        poll(lambda: daemon.unread() == 0, "the daemon to read it")
        turns(witness)
        lock.change(AWAY)
        reader = threading.Thread(target=read)
        reader.start()
        daemon.wait_log("a read failed")
        lock.release(BACK)
        # They are committed now, and their answers come to the connection.
        reader.join()
    equal((trouble, saw), ([], [0]))
    one.raw(closing(1011))
    one.finish()
    poll(lambda: stored(daemon, "ack") == count, "all to be stored")


@case
def an_answer_that_fails_at_once_is_an_error_and_ends_nothing():
    daemon = Daemon(cache_events=0)
    daemon.save(texts(10, 10))
    one = Socket(daemon).follow()
    shell(daemon.database, AWAY)
    one.error(one.query())
    one.ingest(texts(1, 10, "behind"))
    shell(daemon.database, BACK)
    equal(one.ack(), 1)
    equal(len(one.wait_pushes(1)), 1)
    equal(one.ask(limit=0)["total"], 11)


# --- a peer that takes nothing ----------------------------------------------------------------

@case_of_time
def who_takes_nothing_for_too_long_loses_nothing_of_what_it_has_sent():
    daemon = full(threads=1, timeout="500ms", max_reads=1, queue_size="1K")
    for n, way in enumerate(("reset", "silence")):
        one, id, count = stuck(daemon, n % 2), "way%d" % n, 50
        with WriteLock(daemon.database):
            for k in range(count):
                one.ingest(texts(1, KI, "%s-%d" % (id, k)))
            assert daemon.unread() > 0, "nothing waits in the kernel"
            # One answer at a time: the other has been given up.
            Socket(daemon).ask(limit=0)
            if way == "reset":
                # What its own system still keeps goes with the connection.
                poll(lambda: one.unsent() == 0, "all of it to be sent")
                one.reset()
        poll(lambda: stored(daemon, id) == count, "%s: all to be stored" % way)
        if way == "silence":
            one.ingest(texts(1, 10, id + "-late"))
            poll(lambda: stored(daemon, id) == count + 1, "what comes later")
            one.wire.close()


@case_of_time
def who_has_gone_without_a_word_is_let_go_with_its_answers():
    # One reader: others may have a connection of their own to make when they are first asked.
    daemon = full(timeout="300ms", max_reads=2, queue_size="1M", readers=1)
    Socket(daemon).ask(limit=0)
    before = descriptors(daemon)
    dead = [stuck(daemon, offer) for offer in (None, True)]
    for n, one in enumerate(dead):
        for _ in range(20):
            one.query("more")
        one.ingest(texts(1, 10, "dead%d" % n))
    Socket(daemon).ask(limit=0)  # as soon as there is a place
    poll(lambda: descriptors(daemon) <= before, "the dead ones' descriptors")
    for one in dead:
        one.wire.close()
    equal((stored(daemon, "dead0"), stored(daemon, "dead1")), (1, 1))


# --- shutdown ---------------------------------------------------------------------------------

@case
def a_key_and_what_waited_for_it_may_cross_the_shutdown():
    for size, offer in ((10, None), (200, True), (2000, True), (2000, None)):
        daemon = Daemon(key=["right:ingest"], drain="1h")
        right, wrong, cut = [Socket(daemon, offer=offer) for _ in range(3)]
        daemon.signal()
        for one in (right, wrong, cut):
            equal(ended_with(one, 1012), 0)
        for one, key in ((right, "right"), (wrong, "wrong"), (cut, "right")):
            one.send({"type": "auth", "key": key}).ingest(texts(size, KI), packed=bool(offer))
        for one in (right, wrong):
            one.raw(closing(1012))
        cut.wire.half_close()
        for one in (right, cut):
            one.finish()
        wrong.wire.close()
        equal(daemon.ended(), 0)
        equal(Daemon(database=daemon.database, key=["right:query"]).sql("select count(*) from events"), [(2 * size,)])


@case
def what_waits_for_its_limit_at_the_shutdown_is_stored():
    for drain, silent in (("300ms", True), ("1h", False)):
        daemon = Daemon(threads=1, limit_bytes="5K", drain=drain)
        one, other, witness = Socket(daemon, offer=True), Socket(daemon), daemon.wire()
        one.save(texts(100, KI))  # which is worth twenty seconds
        for k in range(10):
            one.ingest(texts(10, KI), packed=k % 2 == 0)
            other.ingest(texts(1, 2 * KI))
        witness.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").response()
        assert one.silent() and other.silent(), "not limited"
        daemon.signal()
        for each in (one, other):
            ended_with(each, 1012)
            if not silent:
                each.raw(closing(1012))
                each.finish()
        equal(daemon.ended(), 0)
        equal(daemon.sql("select count(*) from events"), [(210,)], "drain %s" % drain)


@case_of_time
def what_waits_for_the_disk_at_the_shutdown_is_stored():
    daemon = Daemon(threads=1, queue_size="1K", drain=scale("4s", "16s"))
    sockets, witness = [Socket(daemon, offer=n % 2) for n in range(20)], Socket(daemon)
    with WriteLock(daemon.database):
        for one in sockets:
            for _ in range(5):
                one.ingest(texts(1, 2 * KI))
        turns(witness)
        daemon.signal()
        # Of the witness too: the daemon would wait for it all of the time.
        for one in [*sockets, witness]:
            equal(ended_with(one, 1012), 0)
            one.raw(closing(1012))
    equal(daemon.ended(), 0)
    equal(daemon.sql("select count(*) from events"), [(100,)])


@case
def what_still_waits_at_the_end_of_the_drain_time_is_stored():
    daemon, count = Daemon(threads=1, queue_size="1K", drain="300ms"), 20
    sockets, witness = [Socket(daemon, offer=n % 2) for n in range(count)], Socket(daemon)
    with WriteLock(daemon.database):
        for n, one in enumerate(sockets):
            one.ingest(texts(1, 10 if n % 2 else 2 * KI))
        turns(witness)
        daemon.signal()
        for one in sockets:
            equal(ended_with(one, 1012), 0)
        for one in sockets:
            one.finish()
    equal(daemon.ended(), 0)
    equal(daemon.sql("select count(*) from events"), [(count,)])


main()
