#!/usr/bin/env python3
"""Writes the seeds of fuzz_frames, one file each, to the folder given (tests/fuzz/frames).

The first byte chooses (see fuzz_frames.c): 1 compression, 2 and 4 the limit (0, 100, 5000 bytes,
1 MiB), from 8 on how many bytes come at once.
"""

import os
import sys
import zlib

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


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, (options, wire) in SEEDS.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(bytes([options]) + wire)


main()
