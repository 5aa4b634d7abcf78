"""Pushes: who gets them, each event once, without a gap behind the answer (CONTRACT.md 6)."""

import json
import random
import socket
import threading

from harness import NOW, case, equal, event, main, poll, scale, sliced, stamp
from sockets import Socket, closing, unpinged

KEYS = ["tk_site-1:ingest", "tk_dash_2:query", "tk_both3"]
SITE, DASH, BOTH = (k.split(":")[0] for k in KEYS)


def stored(daemon):
    """The texts of all events in the order of their commits."""
    return [row[0] for row in daemon.sql("select event from events order by seq")]


def small(count):
    return [event() for _ in range(count)]


@case
def behind_a_query_each_event_is_pushed_once_in_commit_order():
    daemon = unpinged()
    daemon.save(small(10))
    followers = [Socket(daemon, offer=offer).follow() for offer in (None, True, None, True)]
    sender, connection = Socket(daemon), daemon.connection()
    for n in range(scale(50, 10)):
        daemon.save(small(n % 7), connection=connection)
        sender.save(small(n % 5))
        followers[0].save(small(3))  # its own come back too
    expected = stored(daemon)[10:]
    for follower in followers:
        equal(follower.wait_pushes(len(expected)), expected)
        follower.sync()
        equal((len(follower.pushes), follower.lost), (len(expected), 0))
    sender.sync()
    equal(sender.pushes, [], "to one that has not asked")


@case
def a_pushed_event_is_what_a_read_shows():
    daemon = unpinged()
    follower = Socket(daemon, offer=True).follow()
    texts = [b'{"id":"","timestamp":"2026-11-21T04:00:00Z","p":19.90,"z":"\\u0000\\ud800\\/","u":"\xe2\x82\xac"}',
             b'{"id":"given","timestamp":"1999-11-21T04:00:00Z", "a" : [ 1e400 ] }',
             b'{"timestamp":"2099-01-01","payload":{"a":1,"a":2}}', event(payload='"%s"' % ("x" * 200000))]
    daemon.save(texts)
    equal(sorted(follower.wait_pushes(4)), sorted(sliced(daemon.get("/_tracker").body)))
    equal(follower.pushes, stored(daemon))


@case
def what_was_put_aside_or_stored_already_is_not_pushed():
    daemon = unpinged()
    follower, texts = Socket(daemon).follow(), small(5) + [event(id="given")]
    daemon.save(texts)
    for again in (texts, texts + small(1), [b"1", b"{}"], [event(id="given", n=1)], [], [b"0", *small(1), b"[]"]):
        equal(daemon.post(again).status, 200)
    equal(len(stored(daemon)), 8)
    equal(follower.wait_pushes(8), stored(daemon))
    daemon.save(small(1))
    equal(follower.wait_pushes(9), stored(daemon))


@case
def the_window_of_the_query_does_not_narrow_what_is_pushed():
    daemon = unpinged()
    followers = []
    for query in ({"since": "2098-01-01"}, {"until": "1970-01-01"}, {"limit": 0}, {"limit": 1, "page": 5},
                  {"since": "2030-01-01", "until": "2020-01-01"}, {}):
        follower = Socket(daemon)
        follower.ask(**query)
        followers.append(follower)
    daemon.save(small(3))
    for follower in followers:
        equal(follower.wait_pushes(3), stored(daemon))


@case
def only_a_query_that_begins_a_read_begins_the_pushes():
    daemon = unpinged()
    daemon.save([event(NOW + n) for n in range(10)])
    cursor = daemon.read("limit=3")["nextCursor"]
    by_cursor, failed, followed = Socket(daemon), Socket(daemon), Socket(daemon).follow()
    by_cursor.ask(cursor=cursor, limit=3)
    for name, value in (("since", "never"), ("cursor", "forged"), ("limit", -1)):
        failed.error(failed.query(**{name: value}))
    daemon.save(small(2))
    followed.wait_pushes(2)
    followed.ask(cursor=cursor, limit=3)  # and ends none
    daemon.save(small(2))
    followed.wait_pushes(4)
    for silent in (by_cursor, failed):
        silent.sync()
        equal(silent.pushes, [])
        silent.follow()
    daemon.save(small(1))
    for follower, count in ((by_cursor, 1), (failed, 1), (followed, 5)):
        equal(follower.wait_pushes(count), stored(daemon)[-count:])


@case
def pushes_go_to_nobody_without_the_query_scope():
    daemon = unpinged(key=KEYS)
    sender = Socket(daemon, key=SITE)
    no_query = Socket(daemon, key=SITE)
    no_query.error(no_query.query())
    turned = Socket(daemon, key=BOTH).follow()
    witness = Socket(daemon, key=DASH).follow()
    sender.save(small(2))
    for follower in (turned, witness):
        follower.wait_pushes(2)
    equal(turned.auth(SITE), {"type": "auth_ok"})  # from here on it may not
    sender.save(small(3))
    witness.wait_pushes(5)
    for one in (no_query, turned, sender):
        one.error(one.query())
        one.sync()
    sender.save(small(1))
    witness.wait_pushes(6)
    for one, count in ((no_query, 0), (turned, 2), (sender, 0)):
        one.sync()
        equal(len(one.pushes), count)


@case
def answer_and_pushes_meet_without_a_gap_or_a_repeat():
    daemon, dice = unpinged(threads=2), random.Random(1)
    done, trouble = threading.Event(), []

    def send(number):
        try:
            connection = Socket(daemon) if number % 2 else daemon.connection()
            while not done.is_set():
                texts = small(dice.randrange(1, 30))
                if number % 2:
                    connection.save(texts)
                else:
                    daemon.save(texts, connection=connection)
        except Exception as error:
            trouble.append(error)

    senders = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for sender in senders:
        sender.start()
    followers = []
    try:
        for n in range(scale(40, 10)):
            follower = Socket(daemon, offer=n % 2)
            followers.append((follower, sliced(follower.response(follower.query()))))
            follower.wait_pushes(1)
    finally:
        done.set()
        for sender in senders:
            sender.join()
    equal(trouble, [])
    texts = stored(daemon)
    place = {text: n for n, text in enumerate(texts)}
    for number, (follower, answer) in enumerate(followers):
        follower.wait_pushes(len(texts) - len(answer))
        what = "follower %d, %d answered and %d pushed of %d" % (number, len(answer), len(follower.pushes), len(texts))
        equal(sorted(place[t] for t in answer), list(range(len(answer))), what)
        equal([place[t] for t in follower.pushes], list(range(len(answer), len(texts))), what)
        follower.sync()
        equal(len(follower.pushes), len(texts) - len(answer), what)


@case
def queries_again_and_again_repeat_no_push():
    daemon, done, trouble = unpinged(), threading.Event(), []

    def send():
        try:
            connection = daemon.connection()
            while not done.is_set():
                daemon.save(small(5), connection=connection)
        except Exception as error:
            trouble.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    seen, follower = [], Socket(daemon)
    try:
        first = len(sliced(follower.response(follower.query())))
        for _ in range(scale(40, 10)):
            before = len(follower.pushes)
            answered = json.loads(follower.response(follower.query(limit=0)))["total"]
            seen.append((before, len(follower.pushes), answered))
            follower.wait_pushes(len(follower.pushes) + 1)
    finally:
        done.set()
        sender.join()
    equal(trouble, [])
    texts = stored(daemon)
    place = {text: n for n, text in enumerate(texts)}
    follower.wait_pushes(len(follower.pushes) + len(texts) - 1 - place[follower.pushes[-1]])
    places = [place[t] for t in follower.pushes]
    equal(places, sorted(set(places)), "each once and in order")
    for before, after, answered in seen:
        # Behind the answer come exactly those that it has not counted.
        assert all(p < answered for p in places[:after]), "pushed ahead of an answer that does not hold it"
        equal(places[after], answered, "the first behind the answer")
    # What lies between two answers is in the second, if it was not pushed.
    assert places[0] >= first


@case
def pushes_wait_behind_a_large_answer():
    daemon = unpinged()
    daemon.save([event(payload='"%s"' % ("y" * 500)) for _ in range(scale(20000, 4000))], packed=True)
    for offer in (None, True):
        follower = Socket(daemon, room=4096, offer=offer)
        before = daemon.total()
        follower.query("large")
        poll(follower.wire.sock.recv(1, socket.MSG_PEEK).__len__, "the answer to begin")
        for _ in range(5):
            daemon.save(small(2))
        answer = json.loads(follower.response("large"))
        equal((answer["total"], len(answer["events"])), (before, before))
        equal(follower.pushes, [], "pushed ahead of the answer")
        equal(follower.wait_pushes(10), stored(daemon)[-10:])


def flood(daemon, size, follower):
    """Saves so many bytes, a little at a time, all read by the follower."""
    sent = 0
    while sent < size:
        texts = [event(payload='"%s"' % random.randbytes(200).hex()) for _ in range(50)]
        daemon.save(texts)
        follower.wait_pushes(len(follower.pushes) + len(texts))
        sent += sum(map(len, texts))


@case
def who_can_not_keep_up_is_told_once_and_may_begin_anew():
    daemon = unpinged(max_push="64K", cache_bytes="1M")
    for offer in (None, True):
        slow, quick = Socket(daemon, room=4096, offer=offer).follow(), Socket(daemon, offer=offer).follow()
        began, before = len(stored(daemon)), daemon.rss()
        flood(daemon, scale(24 << 20, 8 << 20), quick)
        texts = stored(daemon)
        equal(quick.pushes, texts[began:], "to one that reads")
        slow.wait_lost()
        # What it has got until then has no holes.
        equal(slow.pushes, texts[began:began + len(slow.pushes)])
        assert len(slow.pushes) < len(texts) - began, "nothing was lost"
        daemon.save(small(3))
        slow.sync()
        count = len(slow.pushes)
        slow.save(small(2)).sync()
        equal((slow.lost, len(slow.pushes)), (1, count), "pushed after push:lost")
        if scale(True, False):
            # SQLite's caches have grown by what was stored.
            assert daemon.rss() - before < 48 << 20, "%d MiB" % (daemon.rss() - before >> 20)
        answer = slow.ask(limit=0)
        equal(answer["total"], len(stored(daemon)))
        daemon.save(small(3))
        equal(slow.wait_pushes(count + 3)[count:], stored(daemon)[-3:])
        equal(slow.lost, 1)


@case
def who_dawdles_costs_the_others_nothing():
    daemon = unpinged(max_push="1M")
    stalled = [Socket(daemon, room=4096).follow() for _ in range(10)]
    follower, count = Socket(daemon).follow(), 0
    for _ in range(scale(100, 20)):
        daemon.save([event(payload='"%s"' % ("x" * 1000)) for _ in range(50)])
        count += 50
        follower.wait_pushes(count)
    equal(follower.pushes, stored(daemon))
    for one in stalled:
        one.reset()
    daemon.save(small(1))
    follower.wait_pushes(count + 1)


@case
def followers_that_come_and_go_disturb_nobody():
    daemon, dice = unpinged(), random.Random(2)
    steady = Socket(daemon, offer=True).follow()
    for n in range(scale(200, 40)):
        guest = Socket(daemon, offer=n % 2)
        guest.query()
        if n % 3:
            guest.response()
        daemon.save(small(2))
        if n % 3 == 1:
            guest.wait_pushes(2)
        dice.choice([guest.reset, guest.wire.close, lambda g=guest: g.raw(closing(1001)).wire.half_close()])()
    equal(steady.wait_pushes(len(stored(daemon))), stored(daemon))


@case
def a_large_commit_is_pushed_whole():
    daemon, count = unpinged(max_push="64M"), scale(30000, 3000)
    followers = [Socket(daemon, offer=offer).follow() for offer in (None, True)]
    daemon.save(small(count), packed=True)
    expected = stored(daemon)
    for follower in followers:
        equal(follower.wait_pushes(count), expected)


@case
def an_answer_from_the_cache_behind_one_from_the_database_leaves_no_gap():
    # The database shows a commit a moment before the cache does.
    daemon = unpinged(cache_events=20000, max_push="64M", synchronous="off")
    for _ in range(6):
        daemon.save([event(NOW - 86400000) for _ in range(5000)])
    for n in range(scale(4, 2)):
        begin = NOW + n * 1000
        bodies = [[event(begin) for _ in range(4000)] for _ in range(3)]
        posting = threading.Thread(target=lambda bodies=bodies: [daemon.save(body) for body in bodies])
        followers = []
        posting.start()
        while posting.is_alive():
            follower = Socket(daemon)
            cold = follower.query(since=stamp(NOW - 2 * 86400000), limit=0)
            hot = follower.query(since=stamp(begin), limit=0)
            follower.response(cold)
            total = json.loads(follower.response(hot))["total"]
            followers.append((follower, total, len(follower.pushes)))
        posting.join()
        equal(daemon.read("limit=0&since=%s" % stamp(begin))["total"], 12000)
        # What the second answer did not count was pushed behind it.
        for follower, total, pushed in followers:
            follower.wait_pushes(pushed + 12000 - total)
            equal(len(follower.sync().pushes), pushed + 12000 - total)
            follower.close()


main()
