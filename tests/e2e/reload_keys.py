"""SIGHUP and what is under way: keys rotate, connections stay, nothing is lost."""

import itertools
import threading

from harness import (PATIENCE, Rows, WriteLock, batch, case, equal, event, main, poll, scale)
from reloading import Configured
from sockets import Cut, Ended, Socket

EVENTS = "/_tracker/events"
AGAIN = (1012, "the keys have changed")
BAD_KEY = 1008


def status(daemon, key, connection=None, target="/_tracker?limit=0"):
    return daemon.request("GET", target, {"X-Tracker-Key": key} if key else None, connection=connection).status


def post(daemon, key, texts=None, connection=None):
    return daemon.post(texts or [event()], headers={"X-Tracker-Key": key}, connection=connection).status


def ends(one):
    """The Close that it gets, and what came before: code, reason, messages."""
    seen = []
    try:
        while True:
            seen.append(one.message())
    except Ended as end:
        return (end.code, end.reason), seen


def head(method, target, key, **headers):
    lines = ["%s %s HTTP/1.1" % (method, target), "Host: localhost", "X-Tracker-Key: " + key]
    lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
    return "\r\n".join(lines + ["", ""]).encode()


class Tail:
    """A client of <prefix>/tail."""

    def __init__(self, daemon, key):
        self.wire, self.text, self.ended = daemon.wire(), b"", False
        self.wire.send(head("GET", "/_tracker/tail", key))
        start = self.wire._until(b"\r\n\r\n")
        assert start.startswith(b"HTTP/1.1 200 "), start
        while b"id: " not in self.text:
            self.more()

    def more(self):
        size = int(self.wire._until(b"\r\n"), 16)
        self.text += self.wire._exactly(size)
        self.wire._exactly(2)
        self.ended = size == 0

    def events(self, count):
        while self.text.count(b"\ndata: ") < count:
            assert not self.ended, "ended early"
            self.more()
        return [block.split(b"\ndata: ", 1)[1] for block in self.text.split(b"\n\n") if b"\ndata: " in block]


# --- keys -------------------------------------------------------------------------------------

@case
def a_rotated_key_counts_and_the_old_one_does_not_from_the_line_in_the_log_on():
    daemon = Configured({}, ["alpha"])
    kept = [daemon.connection() for _ in range(8)]  # on all threads
    old, new = "alpha", "beta"
    for turn in range(scale(10, 4)):
        equal({status(daemon, old, one) for one in kept}, {200})
        equal(daemon.reload({}, [old, new]), "reloaded: key")
        equal({status(daemon, key, one) for one in kept for key in (old, new)}, {200})
        equal(daemon.reload({}, [new]), "reloaded: key")
        for one in kept:
            equal((status(daemon, old, one), status(daemon, new, one)), (401, 200))
        equal(daemon.post([event()], "/_tracker/k/%s/events" % old).status, 401)
        equal(daemon.post([event()], "/_tracker/k/%s/events" % new).status, 200)
        old, new = new, "key-%d" % turn
    log = "\n".join(daemon.log())
    assert not any(key in log for key in ("alpha", "beta", "key-0")), log


@case
def a_websocket_whose_key_is_gone_is_to_come_again_and_others_stay():
    daemon = Configured({}, ["alpha", "beta"])
    gone, stays = Socket(daemon, "alpha"), Socket(daemon, "beta")
    for one in (gone, stays):
        one.response(one.query(limit=1))
    daemon.reload({}, ["beta"])
    post(daemon, "beta", [event(id="after")])
    equal(ends(gone), (AGAIN, []))  # no push either
    stays.wait_pushes(1)
    stays.save([event()])
    again = Socket(daemon)  # where the key itself is judged, and told to be bad
    again.send({"type": "auth", "key": "alpha"})
    equal(ends(again)[0][0], BAD_KEY)


@case
def what_it_had_sent_is_stored_and_acknowledged_or_not():
    daemon = Configured({"hold": "1h"}, ["alpha", "beta"])
    one, texts = Socket(daemon, "alpha"), [event() for _ in range(300)]  # more than are read at once
    cut = Socket(daemon, "alpha")
    with WriteLock(daemon.database):
        for text in texts:
            one.ingest([text])
        cut.raw(b"\x81\xfe\xff")  # a message that never becomes whole holds nobody up
        equal(daemon.reload({}, ["beta"]), "reloaded: key, hold")  # whatever the writer does
    equal(ends(one)[0], AGAIN)
    equal(ends(cut)[0], AGAIN)
    poll(lambda: daemon.request("GET", "/_tracker?limit=0", {"X-Tracker-Key": "beta"}).json()["total"] == len(texts),
         "all that was sent before")
    # Who does not heed the Close is not heard for long.
    deaf, sent = Socket(daemon, "beta"), itertools.count()
    daemon.reload({}, ["gamma"])
    try:
        while True:
            deaf.wire.sock.sendall(b"\x8a\x80\0\0\0\0")  # pongs
            next(sent)
            if not deaf.wire.silent():
                kind, what = deaf.next_thing()
                equal((kind, what), (8, AGAIN))
    except (Cut, OSError):
        pass


@case
def the_scopes_of_an_open_websocket_are_those_of_now():
    daemon = Configured({}, ["alpha", "beta"])
    one = Socket(daemon, "alpha")
    one.response(one.query(limit=1))
    equal(daemon.reload({}, ["alpha:ingest", "beta"]), "reloaded: key")
    one.save([event()])
    post(daemon, "beta")
    one.query()
    equal(one.json()["type"], "error")
    equal(one.pushes, [])
    equal(daemon.reload({}, ["beta", "alpha:query"]), "reloaded: key")
    one.response(one.query(limit=1))
    one.ingest([event()])
    equal(one.json()["type"], "error")


@case
def the_first_and_the_last_key_have_every_websocket_come_again():
    daemon = Configured({})
    keyless, stranger = Socket(daemon, "alpha").save([event()]), Socket(daemon)
    equal(daemon.reload({}, ["alpha"]), "reloaded: key, key-file")
    equal((ends(keyless)[0], ends(stranger)[0]), (AGAIN, AGAIN))
    keyed, stranger = Socket(daemon, "alpha").save([event()]), Socket(daemon, headers={"Origin": "https://evil.example"})
    equal(daemon.reload({}), "reloaded: key, key-file")
    equal((ends(keyed)[0], ends(stranger)[0]), (AGAIN, AGAIN))
    Socket(daemon).save([event()])


@case
def who_has_not_sent_a_key_yet_sends_one_of_now():
    daemon = Configured({}, ["alpha"])
    one, other = Socket(daemon), Socket(daemon)
    daemon.reload({}, ["beta"])
    equal(one.auth("beta"), {"type": "auth_ok"})
    one.save([event()])
    other.send({"type": "auth", "key": "alpha"})
    equal(ends(other)[0][0], BAD_KEY)


@case
def a_feed_whose_key_is_gone_ends_as_feeds_do_and_others_go_on():
    daemon = Configured({}, ["alpha", "beta"])
    gone, stays = Tail(daemon, "alpha"), Tail(daemon, "beta")
    post(daemon, "beta", [event(id="one")])
    equal([len(gone.events(1)), len(stays.events(1))], [1, 1])
    daemon.reload({}, ["beta"])
    while not gone.ended:
        gone.more()
    post(daemon, "beta", [event(id="two")])
    equal([b'"one"' in text or b'"two"' in text for text in stays.events(2)], [True, True])
    gone.wire.send(head("GET", "/_tracker/tail", "alpha"))  # the connection goes on
    equal(gone.wire.response().status, 401)


@case
def a_feed_of_an_origin_that_is_not_allowed_any_more_ends():
    daemon = Configured({}, ["alpha"])
    one = Tail(daemon, "alpha\r\nOrigin: https://shop.example")
    daemon.reload({"allow-origin": "https://other.example"}, ["alpha"])
    while not one.ended:
        one.more()


@case
def a_body_of_lines_ends_with_its_key_and_goes_on_with_another():
    daemon = Configured({}, ["alpha", "beta"])
    wires = {}
    for key in ("alpha", "beta"):
        wires[key] = daemon.wire()
        wires[key].send(head("POST", EVENTS, key, Content_Type="application/x-ndjson", Transfer_Encoding="chunked"))
    post(daemon, "beta")
    daemon.reload({}, ["beta"])
    for wire in wires.values():
        line = event() + b"\n"
        wire.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(line), line))
    equal([wires[key].response().status for key in ("alpha", "beta")], [401, 200])
    equal(daemon.sql("select count(*) from events"), [(2,)])


@case
def a_body_whose_key_changes_while_it_comes_is_never_taken_for_another():
    daemon, rows = Configured({}, ["alpha"]), Rows()
    body = batch([event()])
    for name, key, after, expected in (("thrown away when its key becomes one", "beta", ["alpha", "beta"], 503),
                                       ("its key goes", "beta", ["alpha"], 401),
                                       ("another key goes", "alpha", ["alpha", "gamma"], 200)):
        with rows(name):
            wire = daemon.wire()
            wire.send(head("POST", EVENTS, key, Content_Length=len(body)) + body[:10])
            status(daemon, "alpha")
            daemon.reload({}, after)
            wire.send(body[10:])
            answer = wire.response()
            equal(answer.status, expected)
            if expected == 503:
                equal(answer.header("Retry-After"), "1")
                wire.send(head("POST", EVENTS, key, Content_Length=len(body)) + body)
                equal(wire.response().json()["saved"], 1)
    rows.check()


# --- under load -------------------------------------------------------------------------------

class Load:
    """Clients that never stop, each on the one connection that it began with."""

    def __init__(self, daemon):
        self.daemon, self.stop, self.failed, self.sent = daemon, False, [], []
        self.threads = [threading.Thread(target=self.guarded, args=(work,)) for work in
                        [self.http] * 3 + [self.reads] + [self.websocket] * 2]
        for thread in self.threads:
            thread.start()

    def guarded(self, work):
        try:
            work()
        except Exception as error:
            self.failed.append("%s: %r" % (work.__name__, error))

    def http(self):
        kept = self.daemon.connection()
        kept.client.auto_open = 0  # a connection that is closed stays closed
        while not self.stop:
            texts = [event(payload='"%s"' % ("x" * 500)) for _ in range(20)]
            equal(post(self.daemon, "alpha", texts, kept), 200)
            self.sent += texts

    def reads(self):
        kept = self.daemon.connection()
        kept.client.auto_open = 0
        while not self.stop:
            equal(status(self.daemon, "alpha", kept, "/_tracker?limit=200"), 200)

    def websocket(self):
        one = Socket(self.daemon, "alpha")
        while not self.stop:
            texts = [event(payload='"%s"' % ("x" * 500)) for _ in range(20)]
            one.save(texts)
            self.sent += texts
        one.sync()

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join(PATIENCE)
        equal(self.failed, [])
        return self.sent


@case
def many_reloads_under_load_lose_nothing_and_drop_nobody():
    daemon = Configured({}, ["alpha"])
    dashboard, tail = Socket(daemon, "alpha"), Tail(daemon, "alpha")
    dashboard.response(dashboard.query(limit=1))
    idle = [daemon.connection() for _ in range(10)]
    equal({status(daemon, "alpha", one) for one in idle}, {200})

    def follow():
        try:
            dashboard.wait_pushes(1 << 30)
        except Ended:
            pass

    threading.Thread(target=follow, daemon=True).start()
    load = Load(daemon)
    count = scale(60, 30)
    for n in range(count):
        daemon.reload({"max-body": "%dM" % (2 + n % 3), "timeout": "%ds" % (60 + n % 2), "max-message": "%dM" % (4 + n % 3),
                       "max-header": "%dK" % (16 + n % 4), "retain": "%dd" % (3650 + n % 2), "allow-origin":
                       ["https://%d.example" % m for m in range(n % 5)], "max-events": 1000 + n,
                       "limit-events": [0, 1000000000][n % 2], "queue-size": "%dM" % (64 + n % 2)},
                      ["alpha"] + ["beta-%d-%d" % (n, m) for m in range(n % 7)])
        if n % 7 == 3:  # one that fails changes nothing
            assert daemon.reload({"max-body": "nothing"}, ["gamma"]).startswith("not reloaded"), daemon.verdicts()[-1]
    for _ in range(50):  # as fast as it goes
        daemon.signal(1)
    sent = load.end()
    equal({status(daemon, "alpha", one) for one in idle}, {200})
    stored = daemon.sql("select count(*) from events")[0][0]
    equal(stored, len(sent), "events stored")
    equal(len(tail.events(stored)), stored)
    poll(lambda: len(dashboard.pushes) == stored or dashboard.lost, "the pushes")
    equal(dashboard.lost, 0)


main()
