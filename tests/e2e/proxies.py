"""beacond behind the nginx and the Caddy of contrib: everything as it is without them."""

import base64
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import stores
from fronts import CONTRIB, MINE, NAME, SITE, Caddy, Nginx, behind, settings, through
from harness import (NOW, PATIENCE, Daemon, Rows, Skip, Wire, WriteLock, batch, case, directory, equal, event, main,
                     poll, scale, sliced, stamp)
from sockets import Refused, Socket

EVENTS, KEYED = "/_tracker/events", "/_tracker/k/%s/events" % SITE
KEY, READ = {"X-Tracker-Key": SITE}, {"X-Tracker-Key": MINE}
PAGE = "https://www.example.org"
TOP = os.path.dirname(CONTRIB)
# What each hop says for itself, and what nginx and Caddy may say about a connection of their own.
HOP = {"date", "server", "connection", "keep-alive", "transfer-encoding", "upgrade", "via", "alt-svc"}


def facts(response):
    """What must not change on the way. Compressed, two answers of equal text can differ: the cache
    goes on compressing."""
    ours = HOP | ({"content-length"} if response.header("Content-Encoding") else set())
    return (response.status, sorted((k.lower(), v) for k, v in response.headers if k.lower() not in ours),
            response.plain() if response.body else b"")


def same(daemon, front, method, target, headers=None, body=None):
    """The answer to a request, which is the one that beacond gives itself."""
    direct = daemon.request(method, target, headers, body)
    passed = front.request(method, target, headers, body)
    equal(facts(passed), facts(direct), "%s %s %r" % (method, target, headers))
    return passed


def stored(daemon):
    return daemon.sql("select count(*) from events")[0][0]


# --- batches ------------------------------------------------------------------------------------

@through
def batches_are_taken_however_a_page_sends_them(kind):
    for tcp in (False, True):
        daemon, front = behind(kind, tcp)
        expected = 0
        for headers, target, packed in [
                (KEY, EVENTS, False), (KEY, "/_tracker/ingest", False), (KEY, EVENTS, True), ({}, KEYED, False),
                ({"Content-Type": "text/plain;charset=UTF-8"}, KEYED, False),
                ({"Content-Type": "application/x-www-form-urlencoded"}, KEYED, False),
                (dict(KEY, Origin=PAGE), EVENTS, True), (dict(KEY, Expect="100-continue"), EVENTS, False),
                ({}, EVENTS + "?key=" + SITE, False)]:
            answer = front.save([event() for _ in range(25)], target=target, headers=headers, packed=packed)
            expected += 25
            equal(answer.header("Access-Control-Allow-Origin"), headers.get("Origin"))
        equal(stored(daemon), expected)


@through
def a_body_larger_than_a_proxy_takes_by_default_is_taken(kind):
    daemon, front = behind(kind)
    texts = [event(payload='"%s"' % ("x" * 60000)) for _ in range(scale(80, 30))]
    front.save(texts, headers=KEY)
    connection = front.connection()
    # In chunks, as a body whose length nobody knows.
    parts = [b'{"events":[', b",".join(event() for _ in range(1000)), b"]}"]
    answer = connection.request("POST", EVENTS, dict(KEY, **{"Transfer-Encoding": "chunked"}),
                                b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n")
    equal((answer.status, answer.json()["saved"]), (200, 1000))
    equal(connection.request("GET", "/_tracker/ping").status, 200)
    connection.close()


@through
def preflights_and_errors_are_beaconds_own(kind):
    daemon, front = behind(kind, max_body="64K")
    rows = Rows()
    ask = {"Origin": PAGE, "Access-Control-Request-Method": "POST",
           "Access-Control-Request-Headers": "content-encoding,content-type,x-tracker-key"}
    from_page = {"Origin": PAGE}
    for status, method, target, headers, body in [
            (204, "OPTIONS", EVENTS, ask, None), (204, "OPTIONS", KEYED, ask, None),
            (204, "OPTIONS", "/_tracker/ping", ask, None), (204, "OPTIONS", EVENTS, {}, None),
            (400, "POST", KEYED, from_page, b"no JSON"), (401, "POST", EVENTS, from_page, batch([])),
            (401, "GET", EVENTS, from_page, None), (403, "GET", EVENTS, dict(KEY, Origin=PAGE), None),
            (404, "GET", "/_tracker/nowhere", from_page, None), (405, "DELETE", EVENTS, from_page, None),
            (413, "POST", KEYED, from_page, b"[" * 100000),
            (415, "POST", KEYED, dict(from_page, **{"Content-Encoding": "br"}), b"x"),
            (426, "GET", "/_tracker/ws", from_page, None), (200, "POST", KEYED, from_page, batch([]))]:
        with rows("%s %s" % (method, target)):
            equal(same(daemon, front, method, target, headers, body).status, status)
    rows.check()


@through
def who_must_wait_is_told_how_long(kind):
    daemon, front = behind(kind, limit_events=1, hold="50ms")
    with WriteLock(daemon.database):
        answer = front.post([event()], headers=KEY)
        equal((answer.status, answer.header("Retry-After")), (503, "1"), "while nothing can be stored")
        assert answer.error()
    front.save([event() for _ in range(500)], headers=KEY)
    answer = front.post([event()], headers=dict(KEY, Origin=PAGE))
    equal((answer.status, answer.header("Access-Control-Allow-Origin")), (429, PAGE))
    assert int(answer.header("Retry-After")) > 100, answer


@through
def lines_are_stored_while_they_come(kind):
    for length_known in (False, True):
        daemon, front = behind(kind, max_body="64K")
        texts = [event(payload='"%s"' % ("x" * 4000)) for _ in range(scale(2000, 1000))]
        lines = [text + b"\n" for text in texts]
        half = len(lines) * 3 // 4
        wire = front.wire()
        head = ["POST %s HTTP/1.1" % KEYED, "Host: " + NAME, "Content-Type: application/x-ndjson",
                "Content-Length: %d" % len(b"".join(lines)) if length_known else "Transfer-Encoding: chunked"]
        wire.send("\r\n".join(head + ["", ""]).encode())

        def send(data):
            wire.send(data if length_known else b"%x\r\n%s\r\n" % (len(data), data))

        send(b"".join(lines[:half]))
        # The last piece, of 1 MiB, may be waited for to its end.
        poll(lambda: stored(daemon) >= half // 2, "lines to be stored before the rest is sent")
        send(b"".join(lines[half:]))
        if not length_known:
            wire.send(b"0\r\n\r\n")
        answer = wire.response()
        equal((answer.status, answer.json()["saved"]), (200, len(lines)))
        wire.close()
        equal(stored(daemon), len(lines))


@through
def http_2_is_spoken(kind):
    _, front = behind(kind)
    curl = shutil.which("curl")
    if curl is None or b"HTTP2" not in subprocess.run([curl, "-V"], capture_output=True).stdout:
        raise Skip("no curl that speaks HTTP/2")
    path = front.path("events.ndjson")
    texts = [event() for _ in range(20000)]
    with open(path, "wb") as file:
        file.write(b"\n".join(texts))
    base = [curl, "-sS", "--http2", "--cacert", front.certificate, "--resolve",
            "%s:%d:127.0.0.1" % (NAME, front.port), "-w", "\n%{http_version} %{http_code}"]
    url = "https://%s:%d" % (NAME, front.port)

    def ask(*more):
        done = subprocess.run([*base, *more], capture_output=True, timeout=PATIENCE)
        equal(done.returncode, 0, done.stderr)
        return done.stdout.rsplit(b"\n", 1)

    body, told = ask("-T", path, "-X", "POST", "-H", "Content-Type: application/x-ndjson",
                     "-H", "X-Tracker-Key: " + SITE, url + EVENTS)
    equal((told, json.loads(body)["saved"]), (b"2 200", len(texts)))
    body, told = ask("-H", "X-Tracker-Key: " + MINE, url + "/_tracker")
    equal((told, len(sliced(body))), (b"2 200", len(texts)))
    os.unlink(path)


# --- reads --------------------------------------------------------------------------------------

@through
def answers_are_those_of_beacond_byte_for_byte(kind):
    daemon, front = behind(kind)
    for n in range(scale(20, 4)):
        front.save([event(NOW + n, payload='"%d%s"' % (i, "x" * 400)) for i in range(1000)], headers=KEY)
    rows = Rows()
    for headers in (READ, dict(READ, **{"Accept-Encoding": "gzip"}), dict(READ, Origin=PAGE),
                    dict(READ, **{"Accept-Encoding": "br, gzip;q=0.5"}), dict(READ, **{"Accept-Encoding": "br"})):
        for method, query in [("GET", ""), ("HEAD", ""), ("GET", "?limit=3"), ("GET", "?limit=0"),
                              ("GET", "?since=%s" % stamp(NOW + 3)), ("GET", "?since=yesterday")]:
            with rows("%s %s %r" % (method, query, headers)):
                same(daemon, front, method, "/_tracker" + query, headers)
    rows.check()

    shown = same(daemon, front, "GET", "/_tracker?limit=100", READ)
    cursor = shown.json()["nextCursor"]
    same(daemon, front, "GET", "/_tracker?limit=100&cursor=" + cursor, READ)

    for coding in ("gzip", "identity"):
        headers = dict(READ, **{"Accept-Encoding": coding})
        tag = front.request("GET", "/_tracker", headers).header("ETag")
        assert tag, "no ETag"
        again = same(daemon, front, "GET", "/_tracker", dict(headers, **{"If-None-Match": tag}))
        equal((again.status, again.body, again.header("ETag")), (304, b"", tag))
    front.save([event()], headers=KEY)
    equal(front.request("GET", "/_tracker", dict(headers, **{"If-None-Match": tag})).status, 200, "no cache")


@through
def the_page_and_dashboard_are_passed_and_nothing_else(kind):
    files = directory()
    os.mkdir(os.path.join(files, "assets"))
    for name, text in (("index.html", "<!doctype html><title>shop</title>"), ("assets/x.js", "let x = 1;\n" * 500)):
        with open(os.path.join(files, name), "w") as file:
            file.write(text)
    password = {"Authorization": "Basic " + base64.b64encode(b"me:" + MINE.encode()).decode()}
    daemon, front = behind(kind, dashboard=files)
    equal(front.request("GET", "/", {"Accept-Encoding": "gzip"}).status, 200, "the page")
    equal(front.request("GET", "/_dashboard/", password).status, 200, "the dashboard")
    rows = Rows()
    for target in ("/", "/_dashboard", "/_dashboard/", "/_dashboard/assets/x.js", "/_tracker/", "/_tracker/ping",
                   "/_tracker/stats", "/_tracker/rejects", "/_tracker/nowhere"):
        for headers in ({}, READ, {"Accept-Encoding": "gzip"}, password, dict(password, **{"Accept-Encoding": "gzip"})):
            with rows(target):
                if target == "/_tracker/stats":  # the uptime in it goes on
                    equal(front.request("GET", target, headers).status,
                          daemon.request("GET", target, headers).status)
                else:
                    same(daemon, front, "GET", target, headers)
    for target in ("/metrics", "/metrics?x", "//metrics", "/%6detrics", "/_tracker/../metrics", "/METRICS", "/x",
                   "/_tracker/%2e%2e/metrics", "/./metrics", "/_dashboard/../metrics"):
        with rows(target):
            answer = front.request("GET", target, READ)
            assert answer.status in (400, 404), answer
            assert answer.header("Content-Type") != "application/json", "beacond has seen it"
    for target in ("/livez", "/readyz", "/health"):
        with rows(target):
            same(daemon, front, "GET", target)
            wire = front.wire(source="127.0.0.2")
            wire.send(("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, NAME)).encode())
            assert wire.response().status in (403, 404), "from elsewhere"
            wire.close()
    rows.check()


def plainly(front, target):
    """The answer over http."""
    wire = Wire(socket.create_connection(("127.0.0.1", front.plain), PATIENCE))
    wire.send(("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (target, NAME)).encode())
    answer = wire.response()
    wire.close()
    return answer


@through
def plain_http_is_sent_to_https(kind):
    _, front = behind(kind)
    answer = plainly(front, "/_tracker/ping")
    assert answer.status in (301, 308), answer
    # Caddy tells the port, which is not 443 here.
    equal(answer.header("Location").replace(":%d" % front.port, ""), "https://%s/_tracker/ping" % NAME)


@case
def nginx_lets_certbot_renew_the_certificate():
    _, front = behind(Nginx)
    place = os.path.join(front.path("html"), ".well-known", "acme-challenge")
    os.makedirs(place)
    with open(os.path.join(place, "token"), "w") as file:
        file.write("proof")
    answer = plainly(front, "/.well-known/acme-challenge/token")
    equal((answer.status, answer.body), (200, b"proof"))


# --- what stays open ----------------------------------------------------------------------------

@through
def a_websocket_is_what_it_is_without(kind):
    for tcp in (False, True):
        # Whoever does not look for twice as long is dropped: not so short that a busy machine does that.
        daemon, front = behind(kind, tcp, ping_interval="1h" if tcp else "4s")
        for offer in (None, True):
            visitor, dashboard = Socket(front, key=SITE, offer=offer), Socket(front, key=MINE, offer=offer)
            equal(visitor.deflated, bool(offer), "permessage-deflate")
            dashboard.follow()
            texts = [event() for _ in range(300)]
            visitor.save(texts, packed=bool(offer))
            equal(len(dashboard.wait_pushes(300)), 300)
            large = [event(payload='"%s"' % ("x" * 100000)) for _ in range(scale(20, 5))]
            visitor.save(large)
            direct = Socket(daemon, key=MINE)
            equal(dashboard.response(dashboard.query("q")), direct.response(direct.query("q")))
            equal(dashboard.packed, bool(offer))
            direct.close()
            # It is pinged through the proxy, and its pongs arrive.
            while not visitor.pings and not tcp and not offer:
                visitor.control(*visitor.next_thing())
            visitor.sync()
            equal((visitor.close(), dashboard.close()), (1000, 1000))
        wrong = Socket(front)
        wrong.send({"type": "auth", "key": "wrong"}).closed(1008)
        # Who sends and is gone has sent it.
        before, gone = stored(daemon), Socket(front, key=SITE)
        gone.ingest([event() for _ in range(100)]).wire.close()
        poll(lambda: stored(daemon) == before + 100, "what was sent last to be stored")
        # At its end beacond says so.
        last = Socket(front, key=SITE).save([event()])
        daemon.signal()
        last.closed(1012)
        equal(daemon.ended(), 0)


@through
def a_handshake_that_is_none_is_answered_by_beacond(kind):
    daemon, front = behind(kind, allow_origin=PAGE)
    for headers, status in (({"Sec-WebSocket-Version": "12"}, 426), ({"Origin": "https://evil.example"}, 403)):
        try:
            Socket(front, headers=headers)
            raise AssertionError("upgraded: %r" % headers)
        except Refused as refused:
            equal(refused.answer.status, status)
            assert refused.answer.error()
    Socket(front, key=SITE, headers={"Origin": PAGE}).save([event()]).close()


@through
def what_a_websocket_sends_while_nothing_can_be_stored_waits(kind):
    daemon, front = behind(kind, queue_size="64K", ping_interval="1s", log_level="debug")
    visitor = Socket(front, key=SITE)
    with WriteLock(daemon.database):
        for _ in range(8):
            visitor.ingest([event(payload='"%s"' % ("x" * 5000)) for _ in range(20)])
        # It is left unread, not closed, and pinged.
        daemon.wait_log(r"websocket \d+: not read")
        while not visitor.pings:
            visitor.control(*visitor.next_thing())
    equal([visitor.ack() for _ in range(8)], [20] * 8)
    visitor.close()


class Feed:
    """Server-Sent Events, one by one."""

    def __init__(self, front, *headers):
        self.wire = front.wire().send("\r\n".join(
            ["GET /_tracker/tail HTTP/1.1", "Host: " + NAME, "X-Tracker-Key: " + MINE, *headers, "", ""]).encode())
        self.head = self.wire._until(b"\r\n\r\n").decode().lower()
        self.text = b""

    def block(self):
        """The next block: its lines."""
        while b"\n\n" not in self.text:
            size = int(self.wire._until(b"\r\n"), 16)
            assert size, "the stream has ended"
            self.text += self.wire._exactly(size)
            equal(self.wire._exactly(2), b"\r\n")
        block, self.text = self.text.split(b"\n\n", 1)
        return block.split(b"\n")


@through
def server_sent_events_arrive_one_by_one(kind):
    daemon, front = behind(kind, ping_interval="1s")
    feed = Feed(front, "Accept-Encoding: gzip")
    assert feed.head.startswith("http/1.1 200") and "text/event-stream" in feed.head, feed.head
    assert "content-encoding" not in feed.head, feed.head
    equal(feed.block(), [b"retry: 2000", b"id: 0"])
    for number in range(1, 20):
        front.save([event(n=number)], headers=KEY)
        block = feed.block()  # before the next is sent
        while block == [b":"]:
            block = feed.block()
        equal(block[0], b"id: %d" % number)
        equal(json.loads(block[1].split(b": ", 1)[1])["n"], number)
    while feed.block() != [b":"]:
        pass  # the comment that keeps it open
    feed.wire.close()
    again = Feed(front, "Last-Event-ID: 15")
    equal([again.block()[0] for _ in range(5)], [b"retry: 2000"] + [b"id: %d" % n for n in (16, 17, 18, 19)])
    again.wire.close()


# --- who it is ----------------------------------------------------------------------------------

@through
def limits_count_the_clients_that_the_proxy_sees_and_not_what_they_say(kind):
    rows = Rows()
    for tcp in (False, True):
        with rows("by TCP" if tcp else "by a Unix socket"):
            daemon, front = behind(kind, tcp, limit_events=1)

            def ask(source, count=0, **headers):
                wire = front.wire(source=source)
                body = batch([event() for _ in range(count)])
                lines = ["POST %s HTTP/1.1" % KEYED, "Host: " + NAME, "Content-Length: %d" % len(body)]
                lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
                status = wire.send("\r\n".join(lines + ["", ""]).encode() + body).response().status
                wire.close()
                return status

            equal(ask("127.0.0.1", 1000), 200)
            equal(ask("127.0.0.1"), 429, "who has sent too much")
            equal(ask("127.0.0.2"), 200, "another")
            for claim in ("127.0.0.2", "127.0.0.2, 203.0.113.9", "203.0.113.9", "unknown", "127.0.0.1, 127.0.0.1"):
                for name in ("X_Forwarded_For", "Forwarded", "X_Real_IP"):
                    value = "for=" + claim if name == "Forwarded" else claim
                    equal(ask("127.0.0.1", **{name: value}), 429, "%s: %s" % (name, value))
            equal(ask("127.0.0.2", 1000, X_Forwarded_For="127.0.0.3"), 200)
            equal((ask("127.0.0.2"), ask("127.0.0.3")), (429, 200), "a claim is not counted for another")
    rows.check()


# --- what is logged -----------------------------------------------------------------------------

def seen_by(front, secrets):
    """Requests that bring each of these keys in every way; some of them are broken."""
    path, query, escaped, header, basic = secrets
    for target, headers in [
            ("/_tracker/k/%s/events" % path, {}), ("/_tracker/events?key=" + query, {}),
            ("/_tracker/events?limit=1&key=%s&since=x" % query, {}), ("/_tracker/events?k%65y=" + escaped, {}),
            ("/_tracker/events?%6bey=" + escaped, {}), (EVENTS, {"X-Tracker-Key": header}),
            ("/_dashboard/", {"Authorization": "Basic " + basic}), ("/nowhere/k/%s?key=%s" % (path, query), {}),
            ("//_tracker//k/%s/events" % path, {}),
            ("/_tracker/k/%s/k/%s/events" % (path, path), {}), ("/_tracker/ws?key=" + query, {})]:
        for method in ("POST", "GET"):
            wire = front.wire()
            body = batch([]) if method == "POST" else b""
            lines = ["%s %s HTTP/1.1" % (method, target), "Host: " + NAME, "User-Agent: some-browser"]
            lines += ["%s: %s" % pair for pair in headers.items()]
            lines += ["Content-Length: %d" % len(body)] if body else []
            answer = wire.send("\r\n".join(lines + ["", ""]).encode() + body).response()
            assert answer.status != 101, answer
            wire.close()
    # Broken off in the middle, at each place.
    whole = ("POST /_tracker/k/%s/events?key=%s HTTP/1.1\r\nHost: %s\r\nX-Tracker-Key: %s\r\n"
             "Content-Length: 100\r\n\r\n" % (path, query, NAME, header)).encode()
    for end in (30, len(whole) - 30, len(whole)):
        front.wire().send(whole[:end]).close()
    for bad in (whole.replace(b"Content-Length: 100", b"Content-Length: x"), whole.replace(b" HTTP/1.1", b" HTTP/9"),
                whole.replace(b"Content-Length: 100", b"Transfer-Encoding: x"), b"\r\n" + whole.replace(b"\r\n", b"\n"),
                whole.replace(b"Host", b"H\0st"), whole.replace(b"POST ", b"POST\t"),
                whole.replace(b"?key", b"?x=" + b"x" * 100000 + b"&key")):
        front.wire().send(bad + b"x" * 100).close()


@through
def no_log_holds_a_key(kind):
    secrets = ["path_5ecret", "query_5ecret", "escaped_5ecret", "header_5ecret",
               base64.b64encode(b"me:5ecret").decode()]
    daemon, front = behind(kind, log_level="debug")
    seen_by(front, secrets)
    front.save([event()], target=KEYED)
    Socket(front, key=SITE).save([event()]).close()
    front.finish()  # it has written all of it
    for secret in [*secrets, SITE, MINE]:
        assert secret.encode() not in front.written(), "%s: %s" % (
            secret, [line for line in front.written().splitlines() if secret.encode() in line][0])
        assert secret not in "\n".join(daemon.log()), "beacond logs " + secret
    # What is there: the route, what was answered, who it was.
    text = front.written().decode()
    for word in ("/_tracker/k/...", "/_tracker/events", "127.0.0.1", "401"):
        assert word in text, "no %s in %s" % (word, text[-2000:])

    # And when beacond breaks off, or is not there at all.
    for broken in ("breaks off", "is gone"):
        place = os.path.join(directory(), "s")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(place)
        listener.listen(64)

        def hang_up():
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        if broken == "breaks off":
            threading.Thread(target=hang_up, daemon=True).start()
        elif kind is Nginx:
            listener.close()
        else:
            break  # Caddy would wait
        other = kind("unix:" + place)
        answers = [other.post([], target="/_tracker/k/path_5ecret/events?key=query_5ecret", headers={
            "X-Tracker-Key": "header_5ecret"}) for _ in range(3)]
        equal({answer.status for answer in answers}, {502}, broken)
        listener.close()
        other.finish()
        assert b"502" in other.written(), other.log_tail()
        for secret in secrets:
            assert secret.encode() not in other.written(), "%s: %s" % (broken, other.log_tail())


# --- what breaks --------------------------------------------------------------------------------

class Client(threading.Thread):
    """Sends as the stock client does: what is not answered 200 goes to the head of the queue and is
    sent again, with what is newer behind it."""

    def __init__(self, front, number, stop):
        super().__init__()
        self.front, self.number, self.stop = front, number, stop
        self.made, self.saved, self.failures, self.trouble = 0, 0, {}, None

    def make(self):
        self.made += 1
        return event(NOW + self.made, n=self.number * 10000000 + self.made)

    def run(self):
        queue, connection = [], self.front.connection()
        try:
            while not self.stop.is_set() or queue:
                if not self.stop.is_set():
                    queue += [self.make() for _ in range(5)]
                try:
                    answer = connection.request("POST", KEYED, {}, batch(queue[:200]))
                    status = answer.status
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    connection, status = self.front.connection(), type(error).__name__
                if status == 200:
                    told = answer.json()
                    equal(told["saved"], len(queue[:200]))
                    self.saved += told["saved"]
                    del queue[:200]
                else:
                    self.failures[status] = self.failures.get(status, 0) + 1
                    time.sleep(0.02)  # the client's own pause, which nothing depends on
        except Exception as error:
            self.trouble = repr(error)
        connection.close()


@through
def restarts_and_crashes_while_clients_send_lose_and_double_nothing(kind):
    daemon, front = behind(kind, drain="2s")
    config, listen = daemon.config, ["127.0.0.1:0", daemon.addresses[1]]
    stop = threading.Event()
    clients = [Client(front, number, stop) for number in range(1, 5)]
    for client in clients:
        client.start()
    saved = 0
    for end in ("stop", "crash", "stop", "crash"):
        target = saved + 400
        poll(lambda: sum(c.saved for c in clients) >= target or any(c.trouble for c in clients), "events to be saved")
        getattr(daemon, end)()
        daemon = Daemon(config=config, database=daemon.database, listen=listen, drain="2s")
        saved = sum(c.saved for c in clients)
    poll(lambda: sum(c.saved for c in clients) >= saved + 400 or any(c.trouble for c in clients), "more of them")
    stop.set()
    for client in clients:
        client.join(PATIENCE)
    equal([c.trouble for c in clients], [None] * len(clients))
    print("# failures: %r" % [c.failures for c in clients])
    made = sum(c.made for c in clients)
    equal(sum(c.saved for c in clients), made)
    rows = daemon.sql("select count(*), count(distinct %s) from events" % stores.member("n"))
    equal(rows, [(made, made)])


@case
def caddy_has_reads_and_preflights_wait_while_beacond_is_restarted():
    daemon, front = behind(Caddy)
    front.save([event()], headers=KEY)
    daemon.stop()
    asked, answers = [("GET", "/_tracker", 200), ("OPTIONS", EVENTS, 204), ("GET", "/_tracker/ping", 200)], {}

    def ask(method, target):
        answers[method, target] = front.request(method, target, READ).status

    waiting = [threading.Thread(target=ask, args=one[:2]) for one in asked]
    for one in waiting:
        one.start()
    again = Daemon(config=daemon.config, database=daemon.database, listen=["127.0.0.1:0", daemon.addresses[1]])
    for one in waiting:
        one.join(PATIENCE)
    equal(answers, {one[:2]: one[2] for one in asked})
    equal(stored(again), 1)


@through
def connections_to_beacond_are_kept(kind):
    daemon, front = behind(kind)

    def open_ones():
        names = []
        for fd in os.listdir("/proc/%d/fd" % daemon.pid):
            try:
                names.append(os.readlink("/proc/%d/fd/%s" % (daemon.pid, fd)))
            except OSError:
                pass
        return {name for name in names if name.startswith("socket:")}

    before, seen = open_ones(), set()
    for _ in range(30):
        equal(front.post([], headers=KEY).status, 200)
        equal(front.request("GET", "/_tracker?limit=1", READ).status, 200)
        seen |= open_ones() - before
    assert 1 <= len(seen) <= 10, "%d connections for 60 requests" % len(seen)


# --- what is no proper HTTP ---------------------------------------------------------------------

HIDDEN = "GET /_tracker/hidden_one HTTP/1.1\r\nHost: %s\r\n\r\n" % NAME
# Lines of a head, and what stands behind it: whoever reads the one differently sees a request.
SMUGGLED = [
    (["Content-Length: %d" % (len(HIDDEN) + 5), "Transfer-Encoding: chunked"], "0\r\n\r\n" + HIDDEN),
    (["Transfer-Encoding: chunked", "Content-Length: 4"], "0\r\n\r\n" + HIDDEN),
    (["Content-Length: 0", "Content-Length: %d" % len(HIDDEN)], HIDDEN),
    (["Content-Length: %d" % len(HIDDEN), "Content-Length: 0"], HIDDEN),
    (["Content-Length: 0, %d" % len(HIDDEN)], HIDDEN),
    (["Content-Length: +0"], HIDDEN), (["Content-Length: 0x0"], HIDDEN), (["Content-Length : 0"], HIDDEN),
    (["Content-Length: -1"], HIDDEN),
    (["Transfer-Encoding: xchunked", "Content-Length: %d" % len(HIDDEN)], HIDDEN),
    (["Transfer-Encoding: xchunked"], HIDDEN), (["Transfer-Encoding : chunked"], "0\r\n\r\n" + HIDDEN),
    (["Transfer-Encoding: chunked, identity"], "0\r\n\r\n" + HIDDEN),
    (["Transfer-Encoding: identity", "Content-Length: 0"], HIDDEN),
    (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], "0\r\n\r\n" + HIDDEN),
    (["X: y", " Transfer-Encoding: chunked", "Content-Length: %d" % (len(HIDDEN) + 5)], "0\r\n\r\n" + HIDDEN),
    (["Transfer-Encoding: \x0bchunked", "Content-Length: %d" % (len(HIDDEN) + 5)], "0\r\n\r\n" + HIDDEN),
    (["Transfer-Encoding:\tchunked", "Content-Length: %d" % (len(HIDDEN) + 5)], "0\r\n\r\n" + HIDDEN),
    (["Transfer_Encoding: chunked", "Content-Length: %d" % (len(HIDDEN) + 5)], "0\r\n\r\n" + HIDDEN),
    (["Connection: Content-Length", "Content-Length: %d" % len(HIDDEN)], HIDDEN),
    (["Connection: Transfer-Encoding", "Transfer-Encoding: chunked"], "%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    (["Transfer-Encoding: chunked"], "g\r\n" + HIDDEN), (["Transfer-Encoding: chunked"], "-1\r\n" + HIDDEN),
    (["Transfer-Encoding: chunked"], "0x0\r\n\r\n" + HIDDEN),
    (["Transfer-Encoding: chunked"], "1\r\nxx0\r\n\r\n" + HIDDEN),
    (["Transfer-Encoding: chunked"], "10000000000000000\r\n" + HIDDEN),
    (["Transfer-Encoding: chunked"], "2;x=\n\r\n0\r\n\r\n" + HIDDEN),
    (["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"], HIDDEN),
]


@through
def no_request_hides_in_another(kind):
    daemon, front = behind(kind, log_level="debug")
    rows = Rows()
    others = front.connection()

    def hidden(lines):
        return sum("hidden_one" in line for line in lines)

    for target, lines, data in [(KEYED, *row) for row in SMUGGLED] + [("/_tracker/ws", *SMUGGLED[-1])]:
        with rows("%s: %r %r" % (target, lines, data[:20])):
            head = ["%s %s HTTP/1.1" % ("POST" if target == KEYED else "GET", target), "Host: " + NAME, *lines, "", ""]
            wire = front.wire().send(("\r\n".join(head) + data).encode("latin-1"))
            assert wire.response().status != 101
            wire.close()
            # Who comes next, on the connections that the proxy keeps, gets their own answers.
            for _ in range(3):
                equal(others.request("GET", "/_tracker/ping").json()["mode"], "http")
                equal(others.request("GET", "/_tracker?limit=0", READ).json()["events"], [])
    others.close()
    rows.check()
    # Some of these are two requests, to the proxy as well, which has looked at both.
    poll(lambda: hidden(front.written().decode().splitlines()) >= hidden(daemon.log()),
         "what has reached beacond to be in the proxy's log as a request of its own")


@through
def the_example_passes_the_proxys_own_test(kind):
    for upstream in ("unix:/run/beacond/beacond.sock", "127.0.0.1:4242"):
        kind(upstream).check()


# --- what is written about it -------------------------------------------------------------------

def lines_of(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return [line.strip() for line in file]


@case
def the_manual_shows_lines_of_the_examples():
    page = "\n".join(lines_of("man", "beacond.8"))
    section = re.search(r"^\.Sh PROXIES$(.*?)^\.Sh ", page, re.M | re.S).group(1)
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", section, re.M | re.S)
    equal(len(blocks), 3, "blocks")
    for block, known in zip(blocks, (settings(Nginx), lines_of("contrib", Nginx.example),
                                     lines_of("contrib", Caddy.example))):
        rest = iter(known)
        for line in block.splitlines():
            assert line in rest, "not in the example, or not in that order: %r" % line
    equal(settings(Caddy), settings(Nginx))


@case
def readme_puts_a_name_into_the_examples():
    lines = lines_of("README")
    start = lines.index("cat >/etc/beacond/beacond.conf <<END")
    configuration = lines[start:lines.index("END", start)]
    # The file of keys is handed over by systemd there.
    equal([line for line in settings(Nginx) if line not in configuration], ["key-file = /etc/beacond/keys"])
    for kind in (Nginx, Caddy):
        found = [line for line in lines if line.startswith("sed ") and "contrib/" + kind.example in line]
        equal(len(found), 1, "lines with sed for " + kind.name)
        command, target = found[0].split(" >")
        equal(os.path.basename(target), os.path.basename(kind.example))
        done = subprocess.run(["sh", "-c", "name=beacond.my-site.net; " + command], cwd=TOP, capture_output=True,
                              text=True, timeout=PATIENCE)
        equal((done.returncode, done.stderr), (0, ""))
        with open(os.path.join(TOP, "contrib", kind.example), encoding="utf-8") as file:
            equal(done.stdout, file.read().replace(NAME, "beacond.my-site.net"))


main()
