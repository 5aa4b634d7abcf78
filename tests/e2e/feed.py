"""<prefix>/tail: Server-Sent Events of what is stored, each once, resumable by the last id."""

import random
import threading

from harness import NOW, SLOW, Daemon, Rows, case, equal, event, main, poll, run, scale, shell


class Feed:
    """A client: reads the head, then events as they are asked for. version "1.0" has no chunks."""

    def __init__(self, daemon, target="/_tracker/tail", last=None, version="1.1", **headers):
        self.wire = daemon.wire()
        lines = ["GET %s HTTP/%s" % (target, version), "Host: " + daemon.host()]
        if last is not None:
            lines.append("Last-Event-ID: %s" % last)
        lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
        self.wire.send("\r\n".join(lines + ["", ""]).encode())
        head = self.wire._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in head[1:]}
        self.chunked = self.headers.get("transfer-encoding") == "chunked"
        self.text, self.ended, self.comments, self.last = b"", False, 0, None

    def _more(self):
        """The next bytes of the stream; false at its proper end."""
        if not self.chunked:
            if not self.wire.buffer and not self.wire._more():
                self.ended = True
            data, self.wire.buffer = self.wire.buffer, b""
        else:
            size = int(self.wire._until(b"\r\n"), 16)
            data = self.wire._exactly(size)
            equal(self.wire._exactly(2), b"\r\n")
            self.ended = size == 0
        self.text += data
        return not self.ended

    def block(self):
        """The next block: its fields as pairs; None at the end. Comments are counted and passed over."""
        while True:
            while b"\n\n" not in self.text:
                if not self._more():
                    return None
            block, self.text = self.text.split(b"\n\n", 1)
            if block == b":":
                self.comments += 1
                continue
            fields = []
            for line in block.split(b"\n"):
                name, value = line.split(b": ", 1)
                fields.append((name.decode(), value))
            for name, value in fields:
                if name == "id":
                    self.last = int(value)
            return fields

    def events(self, count):
        """The next events: (id, text)."""
        out = []
        while len(out) < count:
            fields = self.block()
            assert fields is not None, "ended after %d of %d" % (len(out), count)
            if [name for name, _ in fields] == ["id", "data"]:
                out.append((int(fields[0][1]), fields[1][1]))
            else:
                equal([name for name, _ in fields], ["retry", "id"])
        return out

    def close(self):
        self.wire.close()


def rows(daemon, after=0):
    return daemon.sql("select seq, event from events where seq > ? order by seq", after)


@case
def events_come_as_they_are_stored_and_the_head_says_what_it_is():
    daemon = Daemon()
    daemon.save([event() for _ in range(3)])
    feed = Feed(daemon)
    equal((feed.status, feed.headers["content-type"], feed.headers["cache-control"], feed.headers["x-accel-buffering"]),
          (200, "text/event-stream", "no-store", "no"))
    last = rows(daemon)[-1][0]
    equal(feed.block(), [("retry", b"2000"), ("id", b"%d" % last)])
    daemon.save([event(NOW - n) for n in range(5)])
    daemon.save([b'{\n"timestamp"\r\n:"2026-11-21T04:00:00Z","t":"\\n\xe2\x80\xa8"\r}'])
    got = feed.events(6)
    wanted = rows(daemon, last)
    equal(got[:5], wanted[:5])
    equal(got[5], (wanted[5][0], wanted[5][1].replace(b"\n", b" ").replace(b"\r", b" ")))
    feed.close()


@case
def it_goes_on_behind_the_last_id_without_gap_or_repeat():
    daemon = Daemon()
    daemon.save([event() for _ in range(200)])
    stop, random_ = threading.Event(), random.Random(7)

    def write():
        while not stop.is_set():
            daemon.save([event(NOW - n) for n in range(20)])

    writer = threading.Thread(target=write)
    writer.start()
    got, last = [], 0
    for round in range(12):
        # By header, or by parameter; the header of who comes again counts.
        feed = Feed(daemon, "/_tracker/tail?lastEventId=%d" % (last if round % 2 else 5), last=None if round % 2 else last)
        got += feed.events(random_.randrange(1, 300))
        last = got[-1][0]
        feed.close()
    stop.set()
    writer.join()
    equal(got, rows(daemon)[:len(got)])
    daemon.crash()
    again = Daemon(database=daemon.database)
    feed = Feed(again, last=last)
    equal(feed.events(len(rows(again)) - len(got)), rows(again, last))
    again.save([event()])
    equal(len(feed.events(1)), 1)
    feed.close()


@case
def ids_that_are_none_are_refused_and_those_of_the_future_mean_from_now_on():
    daemon = Daemon()
    daemon.save([event() for _ in range(3)])
    table = Rows()
    for value in ("x", "-1", "1.5", "9" * 19, "1 2", "0x1"):
        with table(value):
            equal(Feed(daemon, last=value).status, 400)
            equal(daemon.get("/_tracker/tail?lastEventId=" + value.replace(" ", "+")).status, 400)
    with table("empty parameter"):
        equal(daemon.get("/_tracker/tail?lastEventId=").status, 400)
    table.check()
    for last in (lambda: "", lambda: rows(daemon)[-1][0], lambda: rows(daemon)[-1][0] + 1, lambda: "9" * 18):
        feed = Feed(daemon, last=last())
        equal(feed.block(), [("retry", b"2000"), ("id", b"%d" % rows(daemon)[-1][0])])
        daemon.save([event()])
        equal(feed.events(1), rows(daemon)[-1:])
        feed.close()


@case
def erased_events_leave_no_trouble():
    daemon = Daemon()
    daemon.save([event() for _ in range(6)])
    numbers = [number for number, _ in rows(daemon)]
    shell(daemon.database, "delete from events where seq in (%d, %d, %d)" % (numbers[1], numbers[2], numbers[5]))
    feed = Feed(daemon, last=numbers[0])
    equal([number for number, _ in feed.events(2)], numbers[3:5])
    daemon.save([event()])
    number, = [number for number, _ in feed.events(1)]
    equal([number], [last for last, _ in rows(daemon)[-1:]])
    assert number > numbers[5], "given out again"
    feed.close()


@case
def a_slow_client_gets_everything_and_costs_no_memory():
    daemon = Daemon()
    body = '"%s"' % ("x" * 2000)
    daemon.save([event() for _ in range(10)])
    feeds = [Feed(daemon, last=0) for _ in range(scale(40, 8))]
    daemon.save([event(payload=body) for _ in range(500)])
    before = daemon.rss()
    for _ in range(scale(20, 3)):
        daemon.save([event(payload=body) for _ in range(500)])
    whole = rows(daemon)
    grown = daemon.rss() - before
    # 40 feeds × 20 MB are behind; each may hold a page and what the cache and the queue hold is one copy.
    assert SLOW or grown < 100 << 20, grown
    for feed in feeds[:4]:
        equal(feed.events(len(whole)), whole)
    for feed in feeds:
        feed.close()
    daemon.save([event()])
    equal(daemon.total(), len(whole) + 1)


@case
def few_pages_under_way_serve_many_feeds():
    daemon = Daemon(max_reads="2")
    daemon.save([event(payload='"%s"' % ("x" * 1000)) for _ in range(300)])
    feeds = [Feed(daemon, last=0) for _ in range(12)]
    for feed in feeds:
        equal(feed.events(300), rows(daemon))
    daemon.save([event()])
    for feed in feeds:
        equal(len(feed.events(1)), 1)
        feed.close()


@case
def an_idle_stream_lives_by_comments_past_every_timeout():
    daemon = Daemon(ping_interval="1s", timeout="1s")
    feed = Feed(daemon)
    feed.block()
    feed._more(), feed._more()
    daemon.save([event()])
    equal(len(feed.events(1)), 1)
    assert feed.comments >= 2, feed.comments
    feed.close()


def connections(daemon):
    """Its TCP connections, those included that the client has closed."""
    port = "%04X" % int(daemon.address.rsplit(":", 1)[1])
    with open("/proc/net/tcp") as file:
        table = [line.split() for line in list(file)[1:]]
    return sum(fields[1].endswith(":" + port) and fields[3] in ("01", "08") for fields in table)


@case
def a_client_that_goes_is_noticed_while_nothing_comes():
    daemon = Daemon(ping_interval="0s")
    feeds = [Feed(daemon) for _ in range(5)]
    for feed in feeds:
        feed.block()
    equal(connections(daemon), 5)
    for feed in feeds:
        feed.close()
    poll(lambda: connections(daemon) == 0, "the connections to be closed")


@case
def a_shutdown_ends_it_properly():
    daemon = Daemon(drain="20s")
    feeds = [Feed(daemon, version=version) for version in ("1.1", "1.0", "1.1")]
    for feed in feeds:
        feed.block()
    equal("transfer-encoding" in feeds[1].headers, False)
    daemon.save([event()])
    for feed in feeds:
        equal(len(feed.events(1)), 1)
    daemon.stop()
    for feed in feeds:
        equal((feed.block(), feed.ended), (None, True))
        feed.close()


@case
def other_methods_are_answered_and_the_connection_goes_on():
    daemon = Daemon()
    connection = daemon.connection()
    head = connection.request("HEAD", "/_tracker/tail")
    equal((head.status, head.body, head.header("Content-Type"), head.header("Content-Length")),
          (200, b"", "text/event-stream", None))
    for method in ("POST", "PUT", "DELETE"):
        answer = connection.request(method, "/_tracker/tail", body=b"")
        equal((answer.status, answer.header("Allow")), (405, "GET, HEAD, OPTIONS"))
    preflight = connection.request("OPTIONS", "/_tracker/tail", {"Origin": "http://localhost:1"})
    equal(preflight.status, 204)
    assert "last-event-id" in preflight.header("Access-Control-Allow-Headers")
    connection.close()
    answer = daemon.get("/_tracker/tail?lastEventId=x", Origin="http://localhost:1")
    equal((answer.status, answer.header("Access-Control-Allow-Origin")), (400, "http://localhost:1"))


@case
def pages_of_other_origins_may_read_it_and_the_key_is_asked_for():
    daemon = Daemon(key=["q:query", "i:ingest"])
    equal(Feed(daemon).status, 401)
    equal(Feed(daemon, X_Tracker_Key="i").status, 403)
    equal(Feed(daemon, "/_tracker/tail?key=q").status, 403)
    feed = Feed(daemon, X_Tracker_Key="q", Origin="https://dash.example")
    equal((feed.status, feed.headers["access-control-allow-origin"]), (200, "https://dash.example"))
    equal("access-control-allow-credentials" in feed.headers, False)
    feed.close()


@case
def what_a_retry_of_rejects_stores_comes_too():
    daemon = Daemon(max_event="1K")
    daemon.post([event(payload='"%s"' % ("x" * 2000))])
    feed = Feed(daemon)
    feed.block()
    daemon.stop()
    equal(feed.block(), None)
    again = Daemon(database=daemon.database)
    feed = Feed(again, last=feed.last)
    equal(run("rejects", "retry", "all", "--database", again.database).returncode, 0)
    equal(feed.events(1), rows(again))
    feed.close()


main()
