"""Bodies, ids and events: what is taken, what is put aside, what is refused (CONTRACT.md 2, 3)."""

import gzip
import hashlib
import json
import os
import threading
import time
import zlib

from harness import (NOW, UUID7, Daemon, batch, case, equal, event, main, original, scale, sliced,
                     stamp)
from stores import dialect

POST = "/_tracker/events"


def stored(daemon, query=""):
    """Raw stored texts, oldest stored first among equal timestamps."""
    answer = daemon.get("/_tracker" + query)
    equal(answer.status, 200)
    return sliced(answer.body)[::-1]


def outcome(saved, rejected=0, duplicate=0):
    return {"ok": True, "saved": saved, "rejected": rejected, "duplicate": duplicate}


def refused(daemon, status, body, headers=None, what=""):
    """The body must be refused with that status, in the form of an error, storing nothing."""
    before = daemon.total()
    answer = daemon.request("POST", POST, dict(headers or {}, Origin="http://localhost:5173"), body)
    equal(answer.status, status, "%s: %r" % (what, answer.body[:200]))
    text = answer.error()
    equal(answer.header("Access-Control-Allow-Origin"), "http://localhost:5173", what)
    equal(daemon.total(), before, what + ": total")
    return text


# --- ids --------------------------------------------------------------------------------------

# Name, the raw event, and the raw text that the assigned id replaces; None: no member was there.
ASSIGNED = [
    ("empty", '{"id":"","timestamp":"%s"}', '""'),
    ("empty with white space", '{ "id" : "" , "timestamp" : "%s" }', '""'),
    ("missing", '{"timestamp":"%s","a":1}', None),
    ("number", '{"id":5,"timestamp":"%s"}', "5"),
    ("null", '{"timestamp":"%s","id":null}', "null"),
    ("true", '{"timestamp":"%s","id":true,"z":[]}', "true"),
    ("object", '{"id":{"id":"x"},"timestamp":"%s"}', '{"id":"x"}'),
    ("array", '{"id":["", "x"],"timestamp":"%s"}', '["", "x"]'),
    ("the last of several counts", '{"id":"first","timestamp":"%s","id":""}', '""'),
    ("an escaped name", '{"\\u0069d":"","timestamp":"%s"}', '""'),
    ("an escaped name behind a plain one", '{"id":"x","timestamp":"%s","\\u0069\\u0064":7}', "7"),
    ("only nested ones", '{"timestamp":"%s","payload":{"id":""},"b":[{"id":"y"}]}', None),
    ("a name that only begins so", '{"timestamp":"%s","idx":"","i":"","Id":""}', None),
]


@case
def an_event_without_a_usable_id_gets_a_uuid_and_is_otherwise_untouched():
    daemon = Daemon()
    texts = [(text % stamp(NOW)).encode() for _, text, _ in ASSIGNED]
    daemon.save(texts)
    now = time.time() * 1000
    seen = set()
    for (name, _, was), text, got in zip(ASSIGNED, texts, stored(daemon)):
        given = json.loads(got)["id"]
        assert UUID7.fullmatch(given), "%s: %r" % (name, given)
        assert abs(int(given[:8] + given[9:13], 16) - now) < 600000, "%s: its time" % name
        seen.add(given)
        if was is None:
            equal(original(got, None), text, name)
        else:
            at = text.rindex(was.encode()) if name.startswith(("the last", "an escaped name b")) \
                else text.index(was.encode())
            equal(got, text[:at] + b'"' + given.encode() + b'"' + text[at + len(was):], name)
    equal(len(seen), len(ASSIGNED), "distinct ids")
    equal(daemon.sql("select count(*) from events where not given"), [(len(ASSIGNED),)])
    equal({i.decode() for i, in daemon.sql("select id from events")}, seen, "the column id")


@case
def ids_assigned_by_all_threads_at_once_are_unique():
    daemon = Daemon(threads=4)
    count = scale(40, 10)

    def send():
        connection = daemon.connection()
        for _ in range(count):
            daemon.save([event() for _ in range(50)], connection=connection)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = daemon.sql("select count(*), count(distinct id) from events")
    equal(rows, [(4 * count * 50,) * 2])


# Raw text of the id member's value, and the id that is.
GIVEN = [
    ('"a"', "a"), ('"evt_9c1f-2"', "evt_9c1f-2"), ('" "', " "), ('"0"', "0"),
    ('"\\u00e9\\/\\n"', "\u00e9/\n"), ('"\u00e9t\u00e9"', "\u00e9t\u00e9"),
    ('"%s"' % ("x" * 5000), "x" * 5000), ('"\\"quoted\\""', '"quoted"'),
]


def in_column(id):
    """As the column has it. PostgreSQL has no room in an index for what is long: there its hash stands instead."""
    return dialect(id, "\x01h" + hashlib.sha256(id.encode()).hexdigest()) if len(id) > 1000 else id


@case
def a_given_id_is_kept_byte_for_byte():
    daemon = Daemon()
    texts = [('{"timestamp":"%s","id":%s}' % (stamp(NOW), raw)).encode() for raw, _ in GIVEN]
    daemon.save(texts)
    equal(stored(daemon), texts)
    rows = daemon.sql("select id, given from events order by seq")
    equal([(i.decode(), g) for i, g in rows], [(in_column(i), 1) for _, i in GIVEN])


@case
def the_same_timestamp_and_given_id_are_stored_once():
    daemon = Daemon()
    first = [event(NOW, 1, "a"), event(NOW, 2, "b")]
    daemon.save(first)
    equal(daemon.post(first).json(), outcome(2, 0, 2), "again")
    equal(daemon.post([event(NOW, 3, "b"), event(NOW, 4, "c")]).json(), outcome(2, 0, 1), "half new")
    equal(daemon.post([event(NOW, 5, "d"), event(NOW, 5, "d")]).json(), outcome(2, 0, 1), "in one body")
    equal(daemon.post([event(NOW + 1, 6, "a")]).json(), outcome(1), "another timestamp")
    equal([json.loads(t)["n"] for t in stored(daemon)], [1, 2, 4, 5, 6])
    equal(daemon.total(), 5)
    daemon.stop()
    again = Daemon(database=daemon.database)
    equal(again.post(first).json(), outcome(2, 0, 2), "after a restart")
    equal(again.total(), 5)


@case
def given_ids_are_compared_unescaped_and_whole():
    daemon = Daemon()

    def send(raw_id):
        text = '{"id":"%s","timestamp":"%s"}' % (raw_id, stamp(NOW))
        answer = daemon.post([text.encode()])
        equal(answer.status, 200, raw_id)
        return answer.json()["duplicate"]

    equal(send("A"), 0)
    equal(send("\\u0041"), 1, "another spelling of the same id")
    equal(send("A\\u0000b"), 0, "behind a NUL it differs")
    equal(send("A\\u0000c"), 0, "behind a NUL it differs")
    equal(send("A\\u0000b"), 1)
    equal(send("\\ud800"), 0, "a lone surrogate")
    equal(send("\\ud801"), 0, "another lone surrogate")
    equal(send("\\uD800"), 1)
    equal(send("\\ud83d\\ude00"), 0)
    equal(send("\U0001f600"), 1, "a pair is the character")
    # The same moment, written in another offset, is the same timestamp.
    equal(daemon.post([b'{"id":"A","timestamp":"2026-11-21T05:00:00.0009+01:00"}']).json(),
          outcome(1, 0, 1))
    equal(daemon.total(), 6)


@case
def equal_events_without_ids_are_distinct_and_all_are_stored():
    daemon = Daemon()
    daemon.save([event(NOW, 1)] * 100)
    equal(daemon.total(), 100)
    equal(len({json.loads(t)["id"] for t in stored(daemon)}), 100)


# --- verbatim ---------------------------------------------------------------------------------

PAYLOADS = [
    "19.90", "1e21", "1E400", "-0", "-0.0", "0.1e-999", "123456789012345678901234567890",
    "-9223372036854775809", "18446744073709551616", '"\\/"', '"\\u00e9\\u00E9"', '"\u00e9"',
    '"\\ud83d\\ude00"', '"\U0001f600"', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udc00\\ud800"',
    '"\\ud800x"', '{"a":1,"a":2,"a":1}', '{"b":1,"a":2}', '{"":0}', '{"\\u0000":1}',
    '{ "x" : [ 1 ,\t2 ,\r\n 3 ] }', "[]", "[ ]", "{ }", '"\u2028\u2029"', '"\x7f\u0085\ufeff"',
    '"\\b\\f\\n\\r\\t\\"\\\\"', '"</script><!--"', "null", "true", '"\uffff\U0010ffff"',
    "[" * 510 + "]" * 510, '"%s"' % ("long " * 20000),
]


@case
def an_event_comes_back_byte_for_byte():
    daemon = Daemon()
    texts = [event(NOW, n, payload=raw) for n, raw in enumerate(PAYLOADS)]
    daemon.save(texts)
    for raw, text, got in zip(PAYLOADS, texts, stored(daemon)):
        equal(original(got, b'""'), text, raw)
    rows = daemon.sql("select event from events order by seq")
    equal([r for r, in rows], stored(daemon), "the column event")


@case
def white_space_around_events_is_not_kept_and_that_within_is():
    daemon = Daemon()
    text = b'{\n\t"id" :\r\n"x" , "timestamp":"%s" }' % stamp(NOW).encode()
    body = b' \r\n\t{ "events" : [ \n' + text + b"\t\r , \n" + event(NOW, 2, "y") + b' ] } \n'
    equal(daemon.request("POST", POST, {}, body).json(), outcome(2))
    equal(stored(daemon), [text, event(NOW, 2, "y")])


@case
def unknown_members_types_and_levels_are_kept():
    daemon = Daemon()
    text = ('{"id":"x","timestamp":"%s","level":"fatal","type":5,"future":{"a":[null]},"appId":null}'
            % stamp(NOW)).encode()
    daemon.save([text])
    equal(stored(daemon), [text])


# --- the body ---------------------------------------------------------------------------------

NO_JSON = [
    b"", b" ", b"hello", b"{", b'{"events":[]', b'{"events":[]}x', b'{"events":[]} {"events":[]}',
    b'{"events":[],}', b'{events:[]}', b"{'events':[]}", b'{"events":[{]}', b'{"events":[{"a":}]}',
    b'{"events":[01]}', b'{"events":["\\x"]}', b'{"events":["\n"]}', b'{"events":[1,]}',
    b'{"events":[],"\xff":1}', b'{"events":[],"a":"\xc3"}', b"\xff\xfe{\x00}\x00", b"\x00",
    b'{"events":[]}\x00', b'{"events":[nul]}', b'{"events":[+1]}', b'{"events":[.5]}', b"[[[[",
    b'{"events":[NaN]}', b'{"events":[1]/**/}', b"\xef\xbb\xbf", b'{"events":[\xef\xbb\xbf]}',
]
NO_EVENTS = [
    b"[]", b"null", b"5", b'"events"', b"{}", b'{"type":"ingest"}', b'{"events":null}',
    b'{"events":{}}', b'{"events":"[]"}', b'{"Events":[]}', b'{"data":{"events":[]}}',
    b'{"events":[],"events":1}',
]


@case
def a_body_that_is_no_json_or_has_no_events_array_is_refused_with_400():
    daemon = Daemon()
    for body in NO_JSON:
        refused(daemon, 400, body, what=repr(body))
    for body in NO_EVENTS:
        text = refused(daemon, 400, body, what=repr(body))
        assert "events" in text, text
    # Nothing of a body is kept that ends badly, however far its beginning was right.
    refused(daemon, 400, batch([event(NOW, n) for n in range(1000)])[:-1])
    equal(daemon.sql("select count(*) from rejects"), [(0,)])


@case
def every_other_spelling_of_a_body_is_taken():
    daemon = Daemon()
    for form in ['{"events":[%s]}', '{"events":[%s],"type":"ingest"}', '{"type":null,"events":[%s]}',
                 '\ufeff{"events":[%s]}', '{"\\u0065vents":[%s]}', '{"x":{"events":5},"events":[%s]}',
                 '{"events":7,"events":[%s]}', '{"events":[1,{},{"a":[]}],"events":[%s]}']:
        answer = daemon.request("POST", POST, {}, (form % event().decode()).encode())
        equal(answer.status, 200, form)
        equal(answer.json(), outcome(1), form)


@case
def an_empty_batch_is_fine():
    daemon = Daemon()
    for body in [b'{"type":"ingest","events":[]}', b'{"events":[ ]}']:
        answer = daemon.request("POST", POST, {}, body)
        equal((answer.status, answer.json()), (200, outcome(0)))


@case
def any_content_type_is_taken():
    daemon = Daemon()
    for kind in ["application/json", "application/json; charset=utf-8", "text/plain",
                 "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
                 "application/octet-stream", "", "nonsense", None]:
        headers = {} if kind is None else {"Content-Type": kind}
        answer = daemon.request("POST", POST, headers, batch([event()]))
        equal((answer.status, answer.json()), (200, outcome(1)), repr(kind))


@case
def a_chunked_body_is_taken_and_bounded():
    daemon = Daemon(max_body="64K")

    def chunked(data, size):
        return b"".join(b"%x\r\n%s\r\n" % (len(data[i:i + size]), data[i:i + size])
                        for i in range(0, len(data), size)) + b"0\r\n\r\n"

    for size in (1, 100, 100000):
        body = batch([event() for _ in range(20)])
        answer = daemon.request("POST", POST, {"Transfer-Encoding": "chunked"}, chunked(body, size))
        equal((answer.status, answer.json()), (200, outcome(20)), "chunks of %d" % size)
    large = b" " * 65536 + batch([event()])
    answer = daemon.request("POST", POST, {"Transfer-Encoding": "chunked"}, chunked(large, 4096))
    equal(answer.status, 413)
    answer.error()
    equal(daemon.total(), 60)


@case
def a_post_without_a_length_has_no_body():
    daemon = Daemon()
    wire = daemon.wire().send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = wire.response()
    assert answer.status in (400, 411), answer
    answer.error()


@case
def who_expects_100_is_told_to_continue():
    daemon = Daemon()
    body = batch([event()])
    wire = daemon.wire().send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\n"
                              b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    equal(wire.response().status, 100)
    wire.send(body)
    equal(wire.response().json(), outcome(1))


@case
def bodies_at_the_limit_are_taken_and_over_it_refused_with_413():
    daemon = Daemon(max_body="64K", max_inflated="256K")
    body = batch([event()])
    at = body + b" " * (65536 - len(body))
    equal(daemon.request("POST", POST, {}, at).status, 200, "at the limit")
    refused(daemon, 413, at + b" ", what="one over")
    refused(daemon, 413, at * 10, what="ten times over")
    refused(daemon, 413, at * 1000, what="64 MB")
    packed = {"Content-Encoding": "gzip"}
    body = batch([event()])
    full = body + b" " * (262144 - len(body))
    equal(daemon.request("POST", POST, packed, gzip.compress(full)).status, 200, "inflated, at it")
    refused(daemon, 413, gzip.compress(full + b" "), packed, what="inflated, one over")
    noise = gzip.compress(os.urandom(66000))
    refused(daemon, 413, noise, packed, what="on the wire")


@case
def a_big_body_within_the_default_limits_is_taken():
    daemon = Daemon()
    texts = [event(NOW, n, payload='"%s"' % ("x" * 2000)) for n in range(scale(3900, 500))]
    assert len(batch(texts)) < 8 << 20
    daemon.save(texts)
    many = [b'{"timestamp":"2026-11-21T04:00:00Z"}'] * scale(200000, 20000)
    equal(daemon.post(many, packed=True).json(), outcome(len(many)))
    equal(daemon.total(), len(texts) + len(many))


# --- gzip -------------------------------------------------------------------------------------

@case
def gzip_bodies_are_taken_in_every_legal_form():
    daemon = Daemon()
    fields = b"\x1f\x8b\x08\x1c\0\0\0\0\0\x03\x04\0abcdname\0comment\0"
    empty = gzip.compress(b"")
    for name, pack in [("plain", gzip.compress), ("uncompressed", lambda body: gzip.compress(body, 0)),
                       ("header fields", lambda body: fields + gzip.compress(body)[10:]),
                       ("members", lambda body: b"".join(gzip.compress(body[i:i + 100])
                                                         for i in range(0, len(body), 100))),
                       ("an empty member", lambda body: empty + gzip.compress(body) + empty)]:
        body = batch([event() for _ in range(10)])
        answer = daemon.request("POST", POST, {"Content-Encoding": "gzip"}, pack(body))
        equal((answer.status, answer.body), (200, b'{"ok":true,"saved":10,"rejected":0,"duplicate":0}'),
              name)
    answer = daemon.request("POST", POST, {"Content-Encoding": "GZip"},
                            gzip.compress(batch([event() for _ in range(10)])))
    equal(answer.status, 200, "names of codings know no case")
    equal(daemon.total(), 60)


@case
def damaged_gzip_bodies_are_refused_with_400():
    daemon = Daemon()
    headers = {"Content-Encoding": "gzip"}
    body = batch([event(NOW, n) for n in range(10)])
    good = gzip.compress(body)
    for cut in list(range(0, 20)) + [len(good) // 2, len(good) - 8, len(good) - 4, len(good) - 1]:
        refused(daemon, 400, good[:cut], headers, "cut to %d" % cut)
    for name, data in [("garbage behind", good + b"garbage"), ("a NUL behind", good + b"\0"),
                       ("a cut second member", good + good[:15]), ("a magic behind", good + b"\x1f\x8b"),
                       ("checksum", good[:-8] + bytes([good[-8] ^ 1]) + good[-7:]),
                       ("length", good[:-1] + b"\1"), ("method", good[:2] + b"\7" + good[3:]),
                       ("zlib", zlib.compress(body)), ("raw", zlib.compress(body)[2:-4]),
                       ("not packed", body)]:
        refused(daemon, 400, data, headers, name)


@case
def a_gzip_bomb_costs_no_more_than_a_legal_body():
    daemon = Daemon(max_inflated="1M")
    headers = {"Content-Encoding": "gzip"}
    daemon.save([event()], packed=True)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(scale(1000, 100))) + packer.flush()
    before = daemon.rss()
    for _ in range(4):
        refused(daemon, 413, bomb, headers, "a bomb")
        refused(daemon, 413, gzip.compress(b"[" * (2 << 20)), headers, "brackets")
    grown = daemon.rss() - before
    if not scale(0, 1):
        assert grown < 16 << 20, "grown by %d" % grown
    # A bomb made of members, each small.
    refused(daemon, 413, gzip.compress(b" " * 60000) * 1000, headers, "members")


@case
def an_unknown_encoding_is_refused_with_415():
    daemon = Daemon()
    body = batch([event()])
    for coding in ["br", "deflate", "zstd", "compress", "x", "gzip, br", "gzip;q=1"]:
        refused(daemon, 415, body, {"Content-Encoding": coding}, coding)


# --- no poison --------------------------------------------------------------------------------

WHEN = '"timestamp":"%s"' % stamp(NOW)
LIMIT = 4096


def padded(size):
    text = '{"id":"pad%d",%s,"p":"' % (size, WHEN)
    return (text + "x" * (size - len(text) - 2) + '"}').encode()


def nested(levels):
    """An event with that many levels, itself the first."""
    inner = levels - 1
    return ('{"id":"deep%d",%s,"p":%s}' % (levels, WHEN, "[" * inner + "]" * inner)).encode()


# Reason, and elements that are put aside for it.
POISON = [
    ("not an object", [b"5", b"null", b'"text"', b"[]", b"[{}]", b"true", b"-1.5e300"]),
    ("nested too deep", [nested(513), nested(600), b'{"a":' * 520 + b"1" + b"}" * 520]),
    ("not UTF-8", [b'{"id":"u",' + WHEN.encode() + b',"a":"\xff"}',
                   b'{"\xc3":1,' + WHEN.encode() + b"}", b'{%s,"a":"\xed\xa0\x80"}' % WHEN.encode(),
                   b'{%s,"a":"\xc0\x80"}' % WHEN.encode(), b'{%s,"a":"\xf4\x90\x80\x80"}' % WHEN.encode()]),
    ("over the event limit", [padded(LIMIT + 1), padded(LIMIT * 4)]),
    ("no timestamp", [b"{}", b'{"id":"x"}', b'{"timestamp":null}', b'{"timestamp":1700000000000}',
                      b'{"payload":{%s}}' % WHEN.encode(), b'{%s,"timestamp":{}}' % WHEN.encode()]),
    ("unreadable timestamp", [b'{"timestamp":""}', b'{"timestamp":"yesterday"}',
                              b'{"timestamp":"2026-02-30T00:00:00Z"}',
                              b'{%s,"timestamp":"x"}' % WHEN.encode(),
                              b'{%s,"times\\u0074amp":"x"}' % WHEN.encode()]),
]


@case
def events_that_cannot_be_stored_are_put_aside_and_their_neighbours_saved():
    daemon = Daemon(max_event="4K")
    elements, bad, good = [event(NOW, 0, "g0")], [], [event(NOW, 0, "g0")]
    for reason, raws in POISON:
        for raw in raws:
            neighbour = event(NOW, len(good), "g%d" % len(good))
            elements += [raw, neighbour]
            bad.append((reason, raw))
            good.append(neighbour)
    answer = daemon.post(elements)
    equal((answer.status, answer.json()), (200, outcome(len(good), len(bad))))
    equal(stored(daemon), good)
    rows = daemon.sql("select reason, event, received from rejects order by n")
    for (reason, raw), (got_reason, got, received) in zip(bad, rows):
        equal(got_reason.decode(), reason, "reason of %r" % raw[:80])
        equal(got.encode() if isinstance(got, str) else bytes(got), raw, "raw bytes")
        assert abs(received - time.time() * 1000) < 600000, "received %r" % received
    equal(len(rows), len(bad), "rows of rejects")


@case
def a_batch_of_nothing_but_bad_events_is_answered_200():
    daemon = Daemon()
    for reason, raws in POISON:
        if reason == "over the event limit":
            continue
        answer = daemon.post(raws)
        equal((answer.status, answer.json()), (200, outcome(0, len(raws))), reason)
    equal(daemon.total(), 0)


@case
def limits_of_an_event_are_inclusive():
    daemon = Daemon(max_event="4K")
    texts = [padded(LIMIT), nested(512), nested(511)]
    daemon.save(texts)
    equal(stored(daemon), texts)


@case
def a_flood_of_bad_events_is_counted_but_bounded():
    daemon = Daemon(max_rejects=100)
    count = scale(500000, 50000)
    answer = daemon.request("POST", POST, {}, b'{"events":[' + b"0," * (count - 1) + b"0]}")
    equal((answer.status, answer.json()), (200, outcome(0, count)))
    daemon.save([event()])
    rows, = daemon.sql("select count(*) from rejects")
    assert 0 < rows[0] <= 100, rows
    # The newest are kept: what arrives now is there.
    equal(daemon.post([b'"the newest"']).json(), outcome(0, 1))
    equal(daemon.sql("select event from rejects order by n desc limit 1"), [(b'"the newest"',)])


@case
def nesting_of_a_million_levels_neither_crashes_nor_hangs():
    daemon = Daemon()
    deep = scale(1000000, 100000)
    answer = daemon.post([b"[" * deep + b"]" * deep, event(NOW, 1, "g")])
    equal((answer.status, answer.json()), (200, outcome(1, 1)))
    answer = daemon.request("POST", POST, {}, b'{"events":' + b"[" * deep)
    equal(answer.status, 400)
    answer = daemon.request("POST", POST, {}, b'{"a":' * deep)
    equal(answer.status, 400)


main()
