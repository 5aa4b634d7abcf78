"""Requests that hide in others: every way to spell where one ends that two readers may take for different
things, to the daemon itself and through the nginx of contrib, over HTTP/1.1 and HTTP/2.

Directly: one answer, an error, and the end of the connection. Through nginx: what beacond answers is
counted in its log, what nginx has sent it in nginx's, and both must be the same number; a request that
nginx does not know of was smuggled. proxies.py and http_shapes.py look at single ones more closely.
"""

import contextlib
import os
import re
import select
import struct

from fronts import MINE, NAME, SITE, Nginx, behind
from harness import Closed, Daemon, Rows, batch, case, equal, event, main, poll, scale

LONG = os.environ.get("BEACOND_TEST_LONG") == "1"
MARK = "hidden_one"
HIDDEN = ("GET /_tracker/%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (MARK, NAME)).encode()
STORED = batch([event(payload='"%s"' % MARK)])
STORES = b"POST /_tracker/k/%s/events HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s" % (
    SITE.encode(), NAME.encode(), len(STORED), STORED)

# Lines that should say that the body is chunked, as somebody might read them who is in a good mood.
CODINGS = [b"Transfer-Encoding: " + value for value in (
    b"xchunked", b"chunkedx", b"chunked,", b",chunked", b"chunked, chunked", b"chunked, identity", b"identity, chunked",
    b"gzip, chunked", b"chunked;q=1", b'"chunked"', b"'chunked'", b"chun ked", b"chunked\x00", b"\x00chunked", b"chunked\x0b",
    b"\x0bchunked", b"\x0cchunked", b"chunked\x0c", b"\xa0chunked", b"chunked\x85", b"\xef\xbb\xbfchunked", b"chunked\x7f",
    b"chunke\xc4\x8f", b"\tchunked", b"identity", b"", b"0", b"\xc2\xa0chunked", b"\r chunked", b"x\r chunked")] + [
    name + b": chunked" for name in (
        b"Transfer-Encoding ", b"Transfer-Encoding\t", b" Transfer-Encoding", b"\tTransfer-Encoding", b"Transfer-Encoding\x00",
        b"Transfer-Encoding\x0b", b"\x0bTransfer-Encoding", b"Transfer\x00-Encoding", b"Transfer Encoding", b"Transfer-Encoding\r",
        b"X: y\nTransfer-Encoding", b"X: y\rTransfer-Encoding", b"X: y\r\n Transfer-Encoding", b"X: y\x00\r\nTransfer-Encoding",
        b"(Transfer-Encoding)", b'"Transfer-Encoding"', b"Transfer-Encoding:", b"Transfer-Enc\xc3\xb6ding", b"X\r\n\tTransfer-Encoding")]

# Lengths that are none: {} is the right one.
LENGTHS = [b"Content-Length: " + value for value in (
    b"+{}", b"-{}", b"0x{}", b"{}x", b"{},", b",{}", b"{}, {}", b"{} {}", b"{}.0", b"{}e0", b"{};", b'"{}"', b"\x0b{}", b"{}\x0b",
    b"{}\x00", b"\x00{}", b"\xa0{}", b"", b"0, {}", b"1_0", b"\xd9\xa1", b"99999999999999999999", b"18446744073709551616",
    b"\t{}", b"0\r\n {}")] + [
    b"Content-Length : {}", b"Content-Length\t: {}", b" Content-Length: {}", b"Content-Length\x00: {}", b"Content_Length : {}",
    b"Content-Length: 0\r\nContent-Length: {}", b"Content-Length: {}\r\nContent-Length: 0",
    b"Content-Length: {}\r\nContent-Length: {}", b"X: y\nContent-Length: {}", b"X: y\rContent-Length: {}",
    b"Content-Length: {}\r\ncontent-length: 0"]

# Chunked bodies that are none.
CHUNKS = [b"g\r\n", b"-1\r\n", b"+0\r\n\r\n", b"0x0\r\n\r\n", b" 0\r\n\r\n", b"\t0\r\n\r\n", b"\r\n0\r\n\r\n", b"0\n\r\n", b"0\r\r\n\r\n",
          b"1\r\nxx0\r\n\r\n", b"1\r\nx\n0\r\n\r\n", b"1\r\nx\r0\r\n\r\n", b"1\r\nx0\r\n\r\n", b"1 2\r\nx\r\n0\r\n\r\n",
          b"0 0\r\n\r\n", b"1\tx\r\nx\r\n0\r\n\r\n", b"10000000000000000\r\n", b"fffffffffffffffff\r\n",
          b"8000000000000000\r\n", b"2;x=\n\r\n0\r\n\r\n", b"0;\x00\r\n\r\n", b"0;a\r\r\n\r\n", b"0_0\r\n\r\n", b"0,0\r\n\r\n", b"\xb2\r\n",
          b"0\x0b\r\n\r\n", b"0\r\nX: y\n\r\n", b"0\r\nX\x00: y\r\n\r\n", b";\r\n\r\n"]


def head(*lines, target="/_tracker/k/%s/events" % SITE, method="POST", end=b"\r\n", version="1.1"):
    first = ("%s %s HTTP/%s" % (method, target, version)).encode()
    return end.join([first, b"Host: " + NAME.encode(), *lines, b"", b""])


def ambiguous():
    """(name, bytes): none of them has one beginning and one end for everybody."""
    long = b"%d" % (len(STORES) + 5)
    for behind_it in (HIDDEN, STORES):
        for line in CODINGS:
            yield line, head(line) + b"0\r\n\r\n" + behind_it
            yield line + b" and a length", head(line, b"Content-Length: " + long) + b"0\r\n\r\n" + behind_it
            yield b"a length and " + line, head(b"Content-Length: 0", line) + b"0\r\n\r\n" + behind_it
        for line in LENGTHS:
            yield line, head(line.replace(b"{}", b"%d" % len(behind_it))) + behind_it
            yield line + b" and chunked", head(line.replace(b"{}", b"5"), b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + behind_it
        for body in CHUNKS:
            yield b"chunks " + body, head(b"Transfer-Encoding: chunked") + body + behind_it
        both = [b"Content-Length: 5", b"Transfer-Encoding: chunked"]
        for lines in (both, both[::-1], both + [both[1]], [both[1], both[1]]):
            yield b"both", head(*lines) + b"0\r\n\r\n" + behind_it
        for lines in ([b"Content-Length: 0"], [b"Transfer-Encoding: chunked"]):
            yield b"bare LF", head(*lines, end=b"\n") + behind_it
            yield b"bare CR", head(*lines, end=b"\r") + behind_it
        yield b"chunked in HTTP/1.0", head(b"Transfer-Encoding: chunked", version="1.0") + b"0\r\n\r\n" + behind_it
        yield b"two Hosts", head(b"Host: evil.example", b"Content-Length: 0") + behind_it
        yield b"a fold", head(b"X: y", b" z", b"Content-Length: 0") + behind_it
        yield b"an oversized head", head(b"X: " + b"y" * 40000, b"Content-Length: 0") + behind_it
        yield b"a NUL in the target", head(b"Content-Length: 0", target="/_tracker/ping\0x") + behind_it


# Clear ones, each with what an upgrade, an expectation or a body on a strange method may make of them.
CLEAR = [
    head(b"Content-Length: %d" % len(HIDDEN), method="GET", target="/_tracker/ping") + HIDDEN,
    head(b"Content-Length: %d" % len(HIDDEN), method="DELETE") + HIDDEN,
    head(b"Content-Length: %d" % len(STORES), method="OPTIONS") + STORES,
    head(b"Transfer-Encoding: chunked", method="GET", target="/_tracker/ping") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    head(b"Content-Length: %d" % len(STORES), target="/_tracker/nowhere") + STORES,
    head(b"Content-Length: %d" % len(STORES), b"Expect: 100-continue", target="/_tracker/k/wrong/events") + STORES,
    head(b"Content-Length: %d" % len(STORES), b"Expect: 100-continue") + STORES,
    head(b"Content-Length: %d" % len(STORES), b"Content-Encoding: gzip") + STORES,
    head(b"Content-Length: %d" % len(STORES), b"Content-Type: application/x-ndjson") + STORES,
    head(b"Connection: Content-Length", b"Content-Length: %d" % len(STORES)) + STORES,
    head(b"Connection: Transfer-Encoding, close", b"Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(STORES), STORES),
    head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__", method="GET",
         target="/_tracker/ws") + HIDDEN,
] + [head(*lines, b"Connection: Upgrade", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", method=method, target="/_tracker/ws") + b
     for method in ("GET", "POST") for b in (HIDDEN, STORES) for lines in (
         [b"Upgrade: websocket", b"Sec-WebSocket-Version: 12"], [b"Upgrade: websocket", b"Sec-WebSocket-Version: 13, 8"],
         [b"Upgrade: websocke", b"Sec-WebSocket-Version: 13"], [b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
                                                                b"Content-Length: %d" % len(b)])]


@case
def directly_each_is_refused_and_the_connection_ends():
    daemon, rows = Daemon(key=[SITE, MINE], head_timeout="1h", body_timeout="1h", timeout="1h", log_level="debug"), Rows()
    for number, (name, data) in enumerate(ambiguous()):
        if number % scale(1, 5):
            continue
        with rows("%r" % name):
            wire = daemon.wire().send(data).half_close()
            try:
                answer = wire.response()
                assert answer.status in (400, 404, 405, 413, 431), answer
                answer.error()
            except Closed:
                pass
            assert wire.at_end(), "a second answer: %r" % wire.buffer[:200]
            wire.close()
    rows.check()
    equal(daemon.sql("select count(*) from events") + daemon.sql("select count(*) from rejects"), [(0,), (0,)])
    assert not any(MARK in line for line in daemon.log())


class Counted:
    """A daemon behind nginx, and the two numbers."""

    def __init__(self, tcp):
        self.daemon, self.front = behind(Nginx, tcp, log_level="debug")
        self.others = self.front.connection()

    def numbers(self):
        """Requests that nginx has had an answer to, those it has begun to send beside, and what beacond has answered."""
        with open(self.front.path("beacond.access.log"), "rb") as file:
            told = re.findall(rb" upstream ((?:\d\d\d|-)(?:, (?:\d\d\d|-))*) ([-\d., ]+) \"", file.read())
        had = [one for statuses, times in told for one in zip(statuses.split(b", "), times.split(b", "))]
        answered = sum(status != b"-" for status, _ in had)
        begun = sum(status == b"-" and time != b"-" for status, time in had)
        return answered, begun, sum(bool(re.search(r"debug (request|HEAD) /.*: \d+ after|debug websocket \d+: begins", line))
                                    for line in self.daemon.log())

    def same(self, what):
        """Who comes next on the connections that nginx keeps gets their own answers."""
        for _ in range(2):
            equal(self.others.request("GET", "/_tracker/ping").json()["mode"], "http")
            equal(self.others.request("GET", "/_tracker?limit=0", {"X-Tracker-Key": MINE}).json()["events"], [])
        poll(lambda: self.within(*self.numbers()), "%r: of nginx, begun, of beacond: %r" % (what, self.numbers()))

    @staticmethod
    def within(answered, begun, got):
        """nginx logs a request when it is over, beacond when it is answered: for a moment beacond has more."""
        return answered <= got <= answered + begun

    def hidden(self):
        """Requests for what nobody asks for openly: of beacond and of nginx."""
        with open(self.front.path("beacond.access.log"), "rb") as file:
            return sum(MARK in line for line in self.daemon.log()), file.read().count(b"/" + MARK.encode())


def drained(wire):
    """Reads until the proxy closes, or has nothing more to say for a moment: what it does is in its log."""
    wire.sock.settimeout(0.2)
    with contextlib.suppress(OSError):
        while b" 404 " not in wire.buffer and wire._more():
            pass
    wire.close()


@case
def through_nginx_no_request_arrives_that_nginx_has_not_sent():
    for tcp in (False, True):
        counted, rows = Counted(tcp), Rows()
        everything = [*ambiguous(), *((data[:60], data) for data in CLEAR)]
        for number, (name, data) in enumerate(everything):
            if not LONG and number % scale(4, 40) != tcp:
                continue
            with rows("%r" % name):
                # Its end is told by a request behind it that nginx answers by itself, and closes.
                drained(counted.front.wire().send(data + b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
                if number % 16 == tcp:
                    counted.same(name)
        counted.same("all")
        counted.others.close()
        rows.check()
        reached, told = counted.hidden()
        assert reached <= told, "%d for %d" % (reached, told)


# --- HTTP/2 to HTTP/1.1 ---------------------------------------------------------------------------

def h2_frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def h2_text(text):
    assert len(text) < 127 + 128
    return (bytes([len(text)]) if len(text) < 127 else bytes([127, len(text) - 127])) + text


def h2_head(pairs):
    """Literals, none of them indexed or compressed: whatever they hold."""
    return b"".join(b"\x00" + h2_text(name) + h2_text(value) for name, value in pairs)


def h2_ask(front, pairs, body):
    """Sends one request on a connection of its own, and reads until it is answered or refused."""
    front.tls.set_alpn_protocols(["h2"])
    try:
        sock = front.connect()
    finally:
        front.tls.set_alpn_protocols(["http/1.1"])
    equal(sock.selected_alpn_protocol(), "h2")
    sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0, b"")
                 + h2_frame(1, 4 | (not body), 1, h2_head(pairs)) + (h2_frame(0, 1, 1, body) if body else b""))
    got = b""
    while select.select([sock], [], [], 20)[0] or sock.pending():
        try:
            data = sock.recv(65536)
        except OSError:
            break
        got += data
        at, over = 0, not data
        while len(got) - at >= 9 and not over:
            length = int.from_bytes(got[at:at + 3], "big")
            over = got[at + 3] in (3, 7) or got[at + 3] in (0, 1) and got[at + 4] & 1
            at += 9 + length
        if over:
            break
    sock.close()


def h2_rows():
    target = b"/_tracker/k/%s/events" % SITE.encode()
    plain = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", NAME.encode()), (b":path", target)]
    short = HIDDEN[:100]
    yield "clean", plain, STORED.replace(MARK.encode(), b"x")
    for name, value in ((b"transfer-encoding", b"chunked"), (b"content-length", b"0"), (b"content-length", b"5"),
                        (b"content-length", b"+0"), (b"x", b"y\r\n\r\n" + short), (b"x", b"y\ncontent-length: 0\n\n" + short),
                        (b"x", b"y\0"), (b"x\r\ny", b"z"), (b"x: y\r\ntransfer-encoding", b"chunked"), (b"X-Upper", b"y"),
                        (b"x:", b"y"), (b"x y", b"z"), (b"", b"y"), (b"connection", b"transfer-encoding"), (b"host", b"evil.example"),
                        (b"upgrade", b"websocket"), (b":path", b"/_tracker/" + MARK.encode()), (b"te", b"chunked"),
                        (b"x-forwarded-for", b"127.0.0.1\r\nx-tracker-key: " + MINE.encode())):
        yield "%r: %r" % (name, value), plain + [(name, value)], b"0\r\n\r\n" + HIDDEN
    for pseudo, values in ((b":method", (b"GET /_tracker/hidden_one HTTP/1.1\r\nX:", b"POST\r\n", b"GE T", b"")),
                           (b":path", (b"/_tracker/ping HTTP/1.1\r\nHost: x\r\n\r\n" + short, b"/_tracker/ping x", b"", b"*",
                                       b"/_tracker/ping\r\nX: y", b"/_tracker/ping%0d%0aX:%20y")),
                           (b":authority", (b"x\r\nTransfer-Encoding: chunked", b"x y", b"", b"evil.example\r\n")),
                           (b":scheme", (b"https\r\nX: y", b"https://x/ HTTP/1.1"))):
        for value in values:
            yield "%r: %r" % (pseudo, value), [(n, value if n == pseudo else v) for n, v in plain], b"0\r\n\r\n" + HIDDEN


@case
def over_http_2_nothing_arrives_that_nginx_has_not_sent():
    counted, rows = Counted(True), Rows()
    for name, pairs, body in h2_rows():
        with rows(name):
            h2_ask(counted.front, pairs, body)
    counted.same("all")
    rows.check()
    equal(counted.hidden()[0], 0)
    equal(counted.daemon.sql("select count(*) from events where event not like '%hidden_one%'"), [(1,)], "the clean one")
    counted.others.close()


main()
