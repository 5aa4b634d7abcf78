#!/usr/bin/env python3
"""Writes what the corpora of the fuzz targets begin with, one file each, to FOLDER/TARGET:

    seeds.py FOLDER (tests/fuzz/corpus)

Most targets take the first bytes for choices: their sources tell. Of frames 1 is compression, 2 and 4
the limit (0, 100, 5000 bytes, 1 MiB), from 8 on how many bytes come at once.
"""

import glob
import gzip
import os
import sys
import zlib

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")

MASK = b"\xa5\x00\x3c\xff"
DEFLATE, LIMIT_100, LIMIT_5000, LIMIT_1M = 1, 2, 4, 6


def frame(first, payload=b"", form=None, masked=True, mask=MASK):
    if form is None:
        form = 0 if len(payload) < 126 else 126 if len(payload) < 65536 else 127
    head = bytes([first, (0x80 if masked else 0) | (form or len(payload))])
    if form:
        head += len(payload).to_bytes(2 if form == 126 else 8, "big")
    if not masked:
        return head + payload
    return head + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload))


def text(message):
    """With a mask of zeros: a fuzzer's words can be seen through it."""
    return frame(0x81, message.encode(), mask=bytes(4))


def deflate(data, **how):
    squeeze = zlib.compressobj(wbits=-15, **how)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


def fragments(first, payload, size, between=b""):
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    out = b""
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        out += frame((first if i == 0 else 0) | (0x80 if last else 0), part)
        out += b"" if last else between
    return out


EVENT = '{"timestamp":1710498225123,"type":"error","sessionId":"s-1","message":"b\\u00f6se \\ud800"}'
INGEST = '{"type":"ingest","events":[%s,%s,5,{"id":"a","timestamp":"2024-03-15T10:23:45Z"}]}' % (
    EVENT,
    EVENT,
)
QUERY = (
    '{"type":"events:query","reqId":"r-1","query":{"since":"2024-03-15T00:00:00Z",'
    '"until":1710498225123,"limit":50,"page":2,"after":"x","cursor":"y"}}'
)
BOTH = text('{"type":"auth","key":"both"}')
CLOSE = frame(0x88, b"\x03\xe8bye")

SEEDS = {
    "auth-query-ingest": (LIMIT_1M, BOTH + text(QUERY) + text(INGEST) + CLOSE),
    "auth-ingest-only": (LIMIT_1M, text('{"type":"auth","key":"in"}') + text(INGEST) + text(QUERY)),
    "auth-query-only": (LIMIT_1M, text('{"type":"auth","key":"out"}') + text(QUERY) + text(INGEST)),
    "auth-wrong": (LIMIT_1M, text('{"type":"auth","key":"no"}') + text(INGEST)),
    "auth-missing": (LIMIT_1M, text(INGEST) + text(QUERY)),
    "compressed": (LIMIT_1M | DEFLATE, BOTH + frame(0xC1, deflate(INGEST.encode()))),
    "compressed-fragments": (
        LIMIT_1M | DEFLATE | 24,
        BOTH + fragments(0x41, deflate(QUERY.encode()), 17, frame(0x89, b"ping")),
    ),
    "compressed-stored": (LIMIT_1M | DEFLATE, frame(0xC1, deflate(QUERY.encode(), level=0))),
    "compressed-last-blocks": (
        LIMIT_1M | DEFLATE,
        frame(0xC1, zlib.compress(b"[1,2]", 9, -15) + b"\x03\x00\x00")
        + frame(0xC1)
        + frame(0xC1, b"\x00"),
    ),
    "compressed-bad": (
        LIMIT_1M | DEFLATE,
        frame(0xC1, deflate(b"hello")) + frame(0xC1, b"\xf2H\xcd"),
    ),
    "bomb": (LIMIT_5000 | DEFLATE, frame(0xC1, deflate(b"0" * 100000))),
    "limit": (LIMIT_100, frame(0x81, b"a" * 100) + frame(0x81, b"a" * 101)),
    "limit-none": (0, frame(0x81) + frame(0x81, b"a")),
    "fragments": (LIMIT_1M | 8, BOTH + fragments(0x01, INGEST.encode(), 50, frame(0x8A))),
    "lengths": (
        LIMIT_1M,
        b"".join(frame(0x81, b" " * n) for n in (0, 1, 125, 126, 127, 300)) + frame(0x81, b"a", 126),
    ),
    "length-huge": (LIMIT_1M, b"\x81\xff\x00\x00\x01\x00\x00\x00\x00\x00" + MASK),
    "utf8": (
        LIMIT_1M,
        fragments(0x01, "ä€😀".encode(), 1, frame(0x89, b"\xff")) + frame(0x81, b"\xed\xa0\x80"),
    ),
    "unmasked": (LIMIT_1M, frame(0x81, b"hello", masked=False)),
    "continuation": (LIMIT_1M, frame(0x80, b"hello")),
    "nested": (LIMIT_1M, frame(0x01, b"a") + frame(0x81, b"b")),
    "binary": (LIMIT_1M, frame(0x82, b"a")),
    "close-empty": (LIMIT_1M, frame(0x89, b"p" * 125) + frame(0x88)),
    "close-bad": (LIMIT_1M, frame(0x88, b"\x03\xed")),
    "messages": (
        LIMIT_1M,
        BOTH
        + b"".join(
            text(message)
            for message in (
                "",
                "[]",
                "nonsense",
                '{"type":5}',
                '{"type":"ping"}',
                '{"type":"ingest","reqId":7}',
                '{"type":"ingest","events":[]}',
                '{"type":"events:query"}',
                '{"\\u0074ype":"events:query","reqId":{"a":[1,2]},"query":5}',
            )
        ),
    ),
}


def read(name):
    with open(os.path.join(DATA, name), "rb") as file:
        return file.read()


# --- bodies ------------------------------------------------------------------------------------

STAMP = b'{"timestamp":"2024-03-15T10:23:%02dZ","a":%d}'


def scan():
    """The JSON test suite, each file as a body and as a member of an event; events of the stock client."""
    for path in sorted(glob.glob(os.path.join(DATA, "json-test-suite", "**", "*.json"), recursive=True)):
        with open(path, "rb") as file:
            text = file.read()
        name = os.path.basename(path)[: -len(".json")]
        if len(text) < 500:
            yield name, b"\0" + text
            yield "in-" + name, b'\0{"events":[{"timestamp":"2024-03-15T10:23:45Z","v":' + text + b"}]}"
    for i, line in enumerate(read("stock-client/events.ndjson").splitlines()[:3]):
        yield "stock-%d" % i, b'\0{"type":"ingest","events":[' + line + b"]}"


def text_of_events():
    for i, line in enumerate(read("stock-client/events.ndjson").splitlines()[:4]):
        yield "stock-%d" % i, b"\x08\x02" + line
    yield "lines", b"\0\0a\nb"
    yield "space", b"\0\0 a"
    yield "odd", b'\x04\x01{"type":"a\\u0000\\ud800b,\\"","id":5,"level":"\xc3\xa4","x":"\xe2\x80\xae\xc2\x9b"}'


def log():
    rising = [STAMP % (n, n) for n in range(9)]
    yield "rising", b"\3" + b"\n".join(rising) + b"\n"
    yield "falling", b"\2" + b"\n".join(reversed(rising)) + b"\n"
    yield "falling-half", b"\1" + b"\n".join(STAMP % (n, n) for n in (9, 8, 8, 7, 1))
    yield "falling-long", b"\1" + STAMP % (9, 9) + b"\n" + b"x" * 300 + b"\n" + STAMP % (3, 3) + b"\n"
    yield "gzip", b"\6" + b"\n\n".join(rising[:3]) + b'\r\n[plain line\n{"id":"a","timestamp":"2024"}\n'
    yield "stock", b"\3" + b"\n".join(read("stock-client/shop-2026_11_20.log").splitlines()[:2])


def gzips():
    yield "one", b"\4\x10\x10\0hello hello hello hello"
    yield "two", b"\x08\1\x10\0hello hello hello hello"
    yield "flaw", b"\x0c\1\x10\x11hello hello hello hello"
    yield "raw", b"\0\1\x10\0" + gzip.compress(b"hello hello", 9, mtime=0)
    yield "raw-two", b"\0\7\x10\0" + gzip.compress(b"hello", 0, mtime=0) + gzip.compress(b"", mtime=0)
    yield "bomb", b"\3\1\xff\0" + gzip.compress(b"0" * 100000, 9, mtime=0)


# --- texts -------------------------------------------------------------------------------------


def times():
    yield "z", b"2024-03-15T10:23:45.123Z"
    yield "leap", b"2016-12-31T23:59:60,999999+00:00"
    yield "west", b"1999-02-29 24:00:00.000-0330"
    yield "last", b"9999-12-31T23:59:59.999999999-23:59"
    yield "first", b"0000-01-01"


def ranges():
    yield "query", b"since=2024-03-15T10%3A23:45.123+02&limit=5&page=3&cursor="
    yield "key", b"/_tracker/k/zQ9zQ9zQ9/events?key=zQ9zQ9zQ9&after=2024-01-01"
    yield "path", b"/a%20b/../%2e%2e/x.js"
    yield "until", b"s%69nce=&until=2024-01-01&until=x&limit=99999999999999999999"


def heads():
    yield "get", b"\x02GET /_tracker?since=2024 HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\nX-Tracker-Key:k\r\n\r\n"
    yield "post", (
        b"\x04POST /_tracker/events HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n"
        b"Content-Type: application/x-ndjson; charset=utf-8\r\nExpect: 100-continue\r\n\r\n"
    )
    yield "chunked", b"\x04POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield "old", b"\x10GET / HTTP/1.0\n\n"
    yield "chunks", b"\x055;a=b\r\nhello\r\n00\r\nTrailer: x\r\n\r\n"
    yield "two-lengths", (
        b"\x04POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n"
    )
    yield "chunks-full", b"\xff3C\r\n" + b"a" * 60 + b"\r\n28\r\n" + b"b" * 40 + b"\r\n0\r\n\r\n"
    yield "chunks-fuller", b"\xff3C\r\n" + b"a" * 60 + b"\r\n29\r\n" + b"b" * 41 + b"\r\n0\r\n\r\n"
    yield "chunks-large", b"\xff65\r\n" + b"a" * 101


def values():
    yield "basic", b"Basic dXNlcjprZXk="
    yield "coding", b"gzip;q=0, *;q=1"
    yield "asset", b"assets/index-B3xYz_-q.js"
    yield "accept", b"text/html;q=0.8,*/*"
    yield "offer", b"permessage-deflate; server_max_window_bits=15; client_max_window_bits"
    yield "network", b"10.0.0.0/8"
    yield "origins", b"http://a.example.org:8080\nhttp://*.example.org:8080"
    yield "hosts", b"localhost:80\nmetrics.example"
    yield "keys", b"secretkey12345:ingest,query\nsecretkey"
    yield "forwarded", b'for="[2001:db8::1]:80";proto=https, for=unknown'
    yield "tag", b'W/"0123456789abcdef", "x", *'


def configs():
    yield "keys", b"key = SECRET:ingest\nlisten = [::1]:80\nmax-body=8M # as it is\n"
    yield "lists", b"prefix = /a\nprefix = /b\nallow-origin = *.example.org\ntrusted-proxy = 10.0.0.0/8\n"
    yield "beyond", b"max-body = 9223372036854775807G\n"
    yield "numbers", b"hold = 5s\nmax-event = 1KiB\ncache-events = 0\nsynchronous = off\nallow-keyless = yes\n"


# --- conversations -----------------------------------------------------------------------------


def dialogs():
    query, ingest = QUERY.encode(), INGEST.encode()

    def auth(key):
        return b'{"type":"auth","key":"%s"}' % key

    yield "both", b"\1" + b"\xff".join((auth(b"both"), query, ingest))
    yield "ingest", b"\1" + b"\xff".join((auth(b"in"), query, ingest))
    yield "query", b"\1" + b"\xff".join((auth(b"out"), query, ingest))
    yield "stranger", b"\1" + query
    yield "keyless", b"\0" + b"\xff".join((ingest, query, b'{"type":"x"}', b"[]", b'{"type":5}', b"no"))
    plain = b'{"type":"ingest","events":[%s]}' % (STAMP % (1, 1))
    yield "may-not-ingest", b"\1" + b"\xff".join((auth(b"out"), plain))
    yield "may-not-query", b"\1" + b"\xff".join((auth(b"in"), b'{"type":"events:query"}'))
    yield "again", b"\1" + b"\xff".join((auth(b"both"), auth(b"no"), ingest))


BODY = b'{"events":[{"timestamp":"2024-03-15T10:23:45.123Z","type":"x"},5]}'
KEY = b"X-Tracker-Key: both"


def ask(path, *headers, method=b"GET", body=None):
    lines = (b"%s %s HTTP/1.1" % (method, path), b"Host: a") + headers
    if body is not None:
        lines += (b"Content-Length: %d" % len(body),)
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def post(path, *headers, body=BODY):
    return ask(path, *headers, method=b"POST", body=body)


def requests():
    packed = gzip.compress(BODY, mtime=0)
    half = len(BODY) // 2
    upgrade = ask(
        b"/_tracker/ws",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Extensions: permessage-deflate",
    )
    yield "post", post(b"/_tracker/events", KEY, b"Origin: http://x.example")
    yield "beacon", post(b"/_tracker/k/in/events", b"Origin: http://x.example", b"Content-Type: text/plain")
    yield "gzip", post(b"/p/ingest?key=in", b"Content-Encoding: gzip", body=packed)
    yield "lines", post(
        b"/_tracker/events", KEY, b"Content-Type: application/x-ndjson", body=STAMP % (1, 1) + b'\n{"a":1}\n'
    )
    yield "expect", post(b"/_tracker/events", KEY, b"Expect: 100-continue")
    yield "chunked", (
        ask(b"/_tracker/events", b"X-Tracker-Key: in", b"Transfer-Encoding: chunked", method=b"POST")
        + b"%x;x=y\r\n%s\r\n" % (half, BODY[:half])
        + b"%x\r\n%s\r\n0\r\nA: b\r\n\r\n" % (len(BODY) - half, BODY[half:])
    )
    yield "read", ask(b"/_tracker?since=2024-03-15T00:00:00Z&until=2025-01-01&limit=5&page=1", KEY)
    yield "read-gzip", ask(b"/_tracker/events?limit=0", KEY, b"Accept-Encoding: gzip", b'If-None-Match: W/"0"')
    yield "several", (
        ask(b"/_tracker?limit=1&cursor=A", KEY) + ask(b"/_tracker/ping") + ask(b"/health", method=b"HEAD")
    )
    yield "websocket", upgrade + BOTH + text(QUERY) + text(INGEST) + CLOSE
    yield "websocket-deflate", upgrade + BOTH + frame(0xC1, deflate(INGEST.encode())) + frame(0x89, b"p")
    yield "tail", ask(b"/_tracker/tail", KEY, b"Last-Event-ID: 0")
    yield "stats", ask(b"/_tracker/stats?step=1h", KEY)
    yield "rejects", ask(b"/_tracker/rejects?limit=3", KEY)
    yield "probes", ask(b"/livez") + ask(b"/readyz") + ask(b"/metrics", KEY) + ask(b"/")
    yield "preflight", ask(
        b"/_tracker/events",
        b"Origin: http://a.b",
        b"Access-Control-Request-Method: POST",
        b"Access-Control-Request-Headers: x-tracker-key",
        method=b"OPTIONS",
    )
    yield "nowhere", ask(b"/nowhere", method=b"DELETE")
    yield "old", b"GET / HTTP/1.0\r\n\r\n"


def frames():
    for name, (options, wire) in SEEDS.items():
        yield name, bytes([options]) + wire


TARGETS = {
    "config": configs,
    "dialog": dialogs,
    "frames": frames,
    "gzip": gzips,
    "head": heads,
    "log": log,
    "range": ranges,
    "request": lambda: ((name, b"\0" + wire) for name, wire in requests()),
    "scan": scan,
    "text": text_of_events,
    "time": times,
    "values": values,
}


def main():
    for target, seeds in TARGETS.items():
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for name, seed in seeds():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(seed)


main()
