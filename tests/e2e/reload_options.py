"""SIGHUP changes every option that can change: each is looked at before and after."""

import json
import threading

import stores
from harness import NOW, Rows, WriteLock, batch, case, equal, event, main, poll, stamp
from reloading import EVENTS, Configured, manual, sized, status
from sockets import Ended, Socket, narrow

# Options that change, and are tested outside of the table (reload_files.py).
ELSEWHERE = {"drain", "key-file", "admin-host", "dashboard", "dashboard-route", "dashboard-auth", "tls-cert", "tls-key"}
_rows = {}


def row(name, first, then, **more):
    """An option that SIGHUP changes from the one value to the other. What is decorated looks at the
    daemon, yields, and looks again once it has been reloaded. more: other options in force."""
    def keep(function):
        _rows[name] = (first, then, {key.replace("_", "-"): value for key, value in more.items()}, function)
        return function
    return keep


def over(daemon, texts):
    """Statuses of one body and the next."""
    return daemon.post(texts).status, daemon.post([event()]).status


@row("app-id", "one", "two")
def app_id(daemon):
    equal(daemon.get("/health").json()["appId"], "one")
    yield
    equal(daemon.get("/health").json()["appId"], "two")


@row("key", "alpha", ["beta:query", "gamma"])
def key(daemon):
    kept = daemon.connection()
    equal([status(daemon, headers={"X-Tracker-Key": k}, connection=kept) for k in ("alpha", "beta")], [200, 401])
    yield
    equal([status(daemon, headers={"X-Tracker-Key": k}, connection=kept) for k in ("alpha", "beta", "gamma")],
          [401, 200, 200])
    equal(daemon.post([event()], headers={"X-Tracker-Key": "beta"}).status, 403)


@row("allow-origin", [], "https://shop.example", key="alpha")
def allow_origin(daemon):
    foreign = {"X-Tracker-Key": "alpha", "Origin": "https://other.example"}
    equal(status(daemon, headers=foreign), 200)
    yield
    equal(status(daemon, headers=foreign), 403)
    equal(status(daemon, headers=dict(foreign, Origin="https://shop.example")), 200)


@row("beacon-origin", [], "https://shop.example", key="alpha")
def beacon_origin(daemon):
    equal(daemon.post([event()], headers={"Origin": "https://shop.example"}).status, 401)
    yield
    equal(daemon.post([event()], headers={"Origin": "https://shop.example"}).status, 200)


@row("allow-keyless", "no", "yes")
def allow_keyless(daemon):
    equal(status(daemon, headers={"Host": "shop.example"}), 403)
    yield
    equal(status(daemon, headers={"Host": "shop.example"}), 200)


def two_clients(daemon, header):
    """Whether a client may send when another one behind the same proxy is over its limit."""
    daemon.post([event() for _ in range(40)], headers={header: "203.0.113.1"})
    return daemon.post([event()], headers={header: "203.0.113.2"}).status


@row("trusted-proxy", "192.0.2.1", "127.0.0.1", proxy_header="x-forwarded-for", limit_events=2)
def trusted_proxy(daemon):
    equal(two_clients(daemon, "X-Forwarded-For"), 429)
    yield
    equal(two_clients(daemon, "X-Forwarded-For"), 200)


@row("proxy-header", "forwarded", "x-forwarded-for", trusted_proxy="127.0.0.1", limit_events=3)
def proxy_header(daemon):
    equal(two_clients(daemon, "X-Forwarded-For"), 429)
    yield
    equal(two_clients(daemon, "X-Forwarded-For"), 200)


@row("limit-events", 0, 1)
def limit_events(daemon):
    equal(over(daemon, [event() for _ in range(40)]), (200, 200))
    yield
    equal(over(daemon, [event() for _ in range(40)]), (200, 429))


@row("limit-bytes", 0, "1K")
def limit_bytes(daemon):
    equal(over(daemon, [sized(40000)]), (200, 200))
    yield
    equal(over(daemon, [sized(40000)]), (200, 429))


@row("max-header", "16K", "2K")
def max_header(daemon):
    kept, long = daemon.connection(), {"Cookie": "x" * 4000}
    equal(status(daemon, headers=long, connection=kept), 200)
    yield
    equal(status(daemon, headers=long, connection=kept), 431)
    equal(status(daemon), 200)


@row("max-body", "4K", "8M")
def max_body(daemon):
    kept = daemon.connection()
    equal(daemon.post([sized(9000)], connection=kept).status, 413)
    unfinished = daemon.wire()
    unfinished.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n\r\n" % EVENTS.encode())
    daemon.get("/health")
    yield
    daemon.save([sized(9000)], connection=kept)
    body = batch([sized(2500)])
    unfinished.send(body + b" " * (3000 - len(body)))
    equal(unfinished.response().status, 200)
    next_one = batch([sized(90000)])
    unfinished.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                    % (EVENTS.encode(), len(next_one)) + next_one)
    equal(unfinished.response().status, 200)


@row("max-inflated", "32M", "4K")
def max_inflated(daemon):
    equal(daemon.post([sized(9000)], packed=True).status, 200)
    yield
    equal(daemon.post([sized(9000)], packed=True).status, 413)


@row("max-message", "16M", "4K")
def max_message(daemon):
    one = Socket(daemon).save([sized(9000)])
    yield
    one.save([event()])
    one.ingest([sized(9000)])
    try:
        one.ack()
        raise AssertionError("a message over max-message was taken")
    except Ended as end:
        equal(end.code, 1009)


@row("max-event", "1M", "4K")
def max_event(daemon):
    one = Socket(daemon).save([sized(9000)])
    daemon.save([sized(9000)])
    yield
    equal(daemon.post([sized(9000), event()]).json()["rejected"], 1)
    equal(one.ingest([sized(9000), event()]).ack(), 1)


@row("max-depth", 512, 5)
def max_depth(daemon):
    deep = lambda: event(payload="[" * 20 + "]" * 20)
    daemon.save([deep()])
    yield
    equal(daemon.post([deep()]).json()["rejected"], 1)


@row("max-events", 500000, 2)
def max_events(daemon):
    daemon.save([event() for _ in range(5)])
    one = Socket(daemon)
    equal(len(json.loads(one.response(one.query(limit=5)))["events"]), 5)
    yield
    equal(len(daemon.read()["events"]), 2)
    equal(len(json.loads(one.response(one.query()))["events"]), 2)


def rejects(daemon, count, size=10):
    daemon.post([b'{"n":"%s"}' % (b"x" * size)] * count)
    return daemon.sql("select count(*), coalesce(sum(length(event)), 0) from rejects")[0]


@row("max-rejects", 10000, 3)
def max_rejects(daemon):
    assert rejects(daemon, 10)[0] >= 10
    yield
    equal(rejects(daemon, 1)[0], 3)


@row("max-rejects-size", "64M", "2K")
def max_rejects_size(daemon):
    assert rejects(daemon, 10, 1000)[1] >= 10000
    yield
    assert rejects(daemon, 1, 900)[1] <= 2048


def half_sent(daemon):
    """What becomes of two bodies of a megabyte of which most has been sent."""
    wires, rest = [], 100000
    for _ in range(2):
        body = batch([sized(900000)])
        wires.append((daemon.wire(), body))
        wires[-1][0].send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                          % (EVENTS.encode(), len(body)) + body[:-rest])
    poll(lambda: daemon.unread() == 0 or not all(w.silent() for w, _ in wires), "the bodies to be read")
    for wire, body in wires:
        if wire.silent():
            wire.send(body[-rest:])
    answers = [wire.response() for wire, _ in wires]
    return {answer.error() for answer in answers if answer.status != 200}


@row("max-receiving", "64M", "1M", max_body="1M", hold="100ms")
def max_receiving(daemon):
    crowded = "too much is being sent at once; send it again"
    assert crowded not in half_sent(daemon)
    yield
    assert crowded in half_sent(daemon)


@row("max-connections", 100, 1)
def max_connections(daemon):
    kept, other = daemon.connection(), daemon.wire()
    kept.request("GET", "/health")
    other.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    equal(other.response().status, 200)
    yield
    third = daemon.wire().send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    other.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    equal(other.response().status, 200, "a connection that was there")
    for _ in range(50):
        kept.request("GET", "/health")
    equal(third.silent(), True, "beyond the cap")
    kept.close()
    other.close()
    equal(third.response().status, 200)
    third.close()


@row("max-reads", 1, 256)
def max_reads(daemon):
    for _ in range(12):
        daemon.save([sized(900000)])
    slow = narrow(daemon, 4096)
    slow.sendall(b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\n\r\n")
    poll(lambda: status(daemon, target="/_tracker?limit=1") == 503, "the one answer to be under way")
    yield
    equal(status(daemon, target="/_tracker?limit=1"), 200)
    slow.close()


@row("max-push", "4M", "1K")
def max_push(daemon):
    one = Socket(daemon)
    one.response(one.query(limit=1))
    daemon.save([sized(5000)])
    one.wait_pushes(1)
    yield
    daemon.save([sized(5000)])
    one.wait_lost()


def while_locked(daemon):
    """What two bodies get, one behind the other, while nothing can be committed."""
    answers = []
    with WriteLock(daemon.database):
        first = threading.Thread(target=lambda: answers.append(daemon.post([sized(2000)]).error()))
        first.start()
        daemon.get("/health")
        second = daemon.post([sized(2000)]).error()
        first.join()
    return {second, *answers}


@row("queue-size", "64M", "1K", hold="300ms")
def queue_size(daemon):
    equal(while_locked(daemon), {"can't store it now; send it again"})
    yield
    assert "the queue is full; send it again" in while_locked(daemon)


@row("hold", "100ms", "1h")
def hold(daemon):
    with WriteLock(daemon.database):
        equal(daemon.post([event()]).status, 503)
    yield
    body, wire = batch([event()]), daemon.wire()
    with WriteLock(daemon.database):
        wire.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                  % (EVENTS.encode(), len(body)) + body)
        with WriteLock(stores.fresh()):  # takes a moment
            for _ in range(50):
                daemon.get("/health")
        equal(wire.silent(), True)
    equal(wire.response().status, 200)


@row("timeout", "1h", "300ms")
def timeout(daemon):
    silent, kept = daemon.wire(), daemon.wire()
    kept.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    equal(kept.response().status, 200)
    yield
    equal((silent.at_end(), kept.at_end()), (True, True))


@row("head-timeout", "1h", "300ms")
def head_timeout(daemon):
    begun = daemon.wire().send(b"GET /health HTTP/1.1\r\nHost: loc")
    daemon.get("/health")
    yield
    equal(begun.response().status, 408)


@row("body-timeout", "1h", "300ms")
def body_timeout(daemon):
    begun = daemon.wire().send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{" % EVENTS.encode())
    daemon.get("/health")
    yield
    equal(begun.response().status, 408)


@row("ping-interval", "0s", "50ms")
def ping_interval(daemon):
    one = Socket(daemon)
    yield
    one.next_frame()[0] == 9 or one.next_frame()


@row("retain", "0s", "1h")
def retain(daemon):
    old = [event(NOW - 86400000 * 400) for _ in range(10)]
    daemon.save(old)
    yield
    poll(lambda: daemon.read("until=" + stamp(NOW - 86400000 * 399))["total"] == 0, "the old events to go")


@row("retain-size", "0", "2M", max_rejects_size="1K")
def retain_size(daemon):
    for _ in range(6):
        daemon.save([sized(900000)])
    total = daemon.total()
    yield
    poll(lambda: daemon.total() < total, "events to go")


@row("min-free-disk", "0", "1000000G")
def min_free_disk(daemon):
    daemon.save([event(NOW - 86400000 * 400)])
    yield
    poll(lambda: daemon.read("until=" + stamp(NOW - 86400000 * 399))["total"] == 0, "the old event to go")


@row("log-level", "info", "debug")
def log_level(daemon):
    one = Socket(daemon)
    one.wire.close()
    assert not any(" debug " in line for line in daemon.log())
    yield
    one = Socket(daemon)
    daemon.wait_log(r" debug websocket \d+: begins")


@case
def each_option_that_can_change_does_and_is_named():
    daemon, rows = Configured(threads=1, receipts_size="1M"), Rows()
    for name, (first, then, more, function) in _rows.items():
        with rows(name):
            daemon.reload(dict(more, **{name: first}))
            probe = function(daemon)
            next(probe)
            equal(daemon.reload(dict(more, **{name: then})), "reloaded: " + name)
            equal(next(probe, "done"), "done")
    rows.check()


@case
def the_manual_marks_what_needs_a_restart_and_every_other_option_is_tested_here():
    reloads, restart = manual()
    equal(sorted(set(_rows) | ELSEWHERE), sorted(reloads))
    assert restart >= {"listen", "prefix", "database", "threads"}, restart


@case
def the_time_of_a_shutdown_is_that_of_now():
    daemon = Configured({"drain": "1h"})
    equal(daemon.reload({"drain": "100ms"}), "reloaded: drain")
    daemon.wire().send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{" % EVENTS.encode())
    daemon.get("/health")
    daemon.stop()


main()
