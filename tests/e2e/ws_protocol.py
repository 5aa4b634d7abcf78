"""The talk of the WebSocket sub-protocol: auth, ingest, acks, queries, errors, order (CONTRACT.md 6)."""

import json
import urllib.parse

from harness import NOW, Daemon, Rows, WriteLock, batch, case, equal, event, main, original, poll, scale, sliced, stamp
from sockets import PING, Cut, Ended, Socket, frame

KEYS = {"site": "tk_site-1:ingest", "dash": "tk_dash_2:query", "both": "tk_both3", "two": "tk_two4:ingest,query"}
SITE, DASH, BOTH, TWO = (k.split(":")[0] for k in KEYS.values())
AUTH_OK = {"type": "auth_ok"}


def keyed(**options):
    return Daemon(key=list(KEYS.values()), **options)


def http_read(daemon, query="", key=BOTH):
    answer = daemon.request("GET", "/_tracker" + ("?" + query if query else ""), {"X-Tracker-Key": key})
    equal(answer.status, 200, query)
    return answer


def total(daemon):
    return http_read(daemon, "limit=0").json()["total"]


# --- auth -------------------------------------------------------------------------------------

@case
def a_right_key_is_answered_auth_ok():
    daemon = keyed()
    for key in (SITE, DASH, BOTH, TWO):
        for offer in (None, True):
            equal(Socket(daemon, offer=offer).auth(key), AUTH_OK, key)
    socket = Socket(daemon)
    for message in ('{"key":"%s","type":"auth"}' % BOTH, ' \n{ "type" : "auth" , "key" : "%s" }\t' % BOTH,
                    '{"type":"x","type":"auth","key":"wrong","key":"%s"}' % BOTH,
                    '{"t\\u0079pe":"\\u0061uth","\\u006bey":"\\u0074%s","more":[{"a":1}]}' % BOTH[1:]):
        equal(socket.send(message).json(), AUTH_OK, message)


WRONG_KEYS = ["wrong", "", BOTH[:-1], BOTH + "x", BOTH.upper(), BOTH + "\0", " " + BOTH, KEYS["site"], "k" * 5000,
              None, 1, True, [BOTH], {"key": BOTH}, "\ud800", "\u00e9"]


@case
def a_wrong_key_is_closed_with_1008():
    daemon, rows = keyed(), Rows()
    for key in WRONG_KEYS:
        with rows(repr(key)[:60]):
            Socket(daemon).send({"type": "auth", "key": key}).closed(1008)
    for message in ('{"type":"auth"}', '{"type":"auth","key":"%s","key":"x"}' % BOTH,
                    '{"type":"auth","Key":"%s"}' % BOTH):
        with rows(message):
            Socket(daemon).send(message).closed(1008)
    rows.check()
    assert not any(BOTH in line for line in daemon.log()), "a key in the log"


@case
def before_auth_nothing_is_acted_on():
    daemon, rows = keyed(), Rows()
    for name, message in [("ingest", batch([event()])), ("query", '{"type":"events:query","reqId":"1","query":{}}'),
                          ("unknown", '{"type":"hello"}'), ("no type", "{}"), ("no object", "[]"),
                          ("no JSON", "hello"), ("nothing", ""), ("auth_ok", '{"type":"auth_ok"}'),
                          ("the right key in the wrong place", '{"type":"ingest","key":"%s","events":[]}' % BOTH)]:
        for packed in (False, True):
            with rows("%s, packed %s" % (name, packed)):
                socket = Socket(daemon, offer=True).send(message, packed=packed)
                socket.send({"type": "auth", "key": BOTH}).closed(1008)
    with rows("a ping"):
        socket = Socket(daemon).sync()
        equal(socket.auth(BOTH), AUTH_OK)
    for headers, target in [({"X-Tracker-Key": BOTH}, "/_tracker/ws"), ({}, "/_tracker/ws?key=" + BOTH)]:
        with rows("a key in the handshake: %s %s" % (headers, target)):
            Socket(daemon, headers=headers, target=target).ingest([event()]).closed(1008)
    rows.check()
    equal(total(daemon), 0)


@case
def a_stranger_gets_little_room_and_little_time():
    daemon, most = keyed(head_timeout="300ms"), 65536
    text = '{"type":"auth","key":"%s"}' % BOTH
    equal(Socket(daemon).send(text + " " * (most - len(text))).json(), AUTH_OK)
    Socket(daemon).send(text + " " * (most - len(text) + 1)).closed(1009)
    Socket(daemon, offer=True).send(text + " " * (most - len(text) + 1), packed=True).closed(1009)
    Socket(daemon).raw(frame(b"", length=most + 1)).closed(1009)
    socket = Socket(daemon, key=BOTH)
    socket.send(batch([event(payload='"%s"' % ("x" * 100000))]))
    equal(socket.ack(), 1)
    # Silent, pinging, or dribbling.
    for sends in (b"", frame(b"", PING) * 3, frame(text.encode())[:-1]):
        stranger = Socket(daemon).raw(sends)
        try:
            stranger.message()
            raise AssertionError("an answer")
        except (Ended, Cut) as end:
            assert not isinstance(end, Ended) or end.code != 1008, "1008 is for wrong keys"
        stranger.wire.close()
    socket.sync()  # who has told a key may be silent


@case
def scopes_are_kept_apart_and_the_connection_goes_on():
    daemon = keyed()
    site, dash = Socket(daemon, key=SITE), Socket(daemon, key=DASH)
    site.save([event(n=1)])
    equal(site.error(site.query("a")), "the key may not query")
    site.send('{"type":"events:query","query":{}}')
    equal(site.error(), "the key may not query")
    site.save([event(n=2)])
    for texts in ([event(n=3)], []):
        equal(dash.ingest(texts).error(), "the key may not ingest")
    dash.send('{"type":"ingest","reqId":"7","events":[]}')
    equal(dash.json()["error"], "the key may not ingest")
    equal(dash.ask()["total"], 2)
    for key in (BOTH, TWO):
        socket = Socket(daemon, key=key).save([event()])
        assert socket.ask()["total"] > 2
    equal(total(daemon), 4)


@case
def a_second_auth_replaces_the_scopes():
    daemon = keyed()
    socket = Socket(daemon, key=SITE)
    equal(socket.auth(DASH), AUTH_OK)
    socket.ingest([event()]).error()
    equal(socket.ask()["total"], 0)
    equal(socket.auth(SITE), AUTH_OK)
    socket.save([event()])
    socket.error(socket.query())
    equal(socket.auth(TWO), AUTH_OK)
    equal(socket.save([event()]).ask()["total"], 2)
    socket.send({"type": "auth", "key": "wrong"}).closed(1008)


@case
def without_keys_auth_is_answered_whatever_it_holds():
    daemon = Daemon()
    socket = Socket(daemon)
    equal(socket.ask()["total"], 0)
    for key in [*WRONG_KEYS, "tk_any"]:
        equal(socket.send({"type": "auth", "key": key}).json(), AUTH_OK, repr(key)[:60])
    equal(socket.send('{"type":"auth"}').json(), AUTH_OK)
    equal(socket.save([event()]).ask()["total"], 1)


# --- ingest -----------------------------------------------------------------------------------

# What comes back byte for byte; %s: a timestamp.
EVENTS = [
    '{"id":"","timestamp":"%s","payload":{"price":19.90,"big":123456789012345678901234567890,"e":1e21,"tiny":1E-400}}',
    '{"id":"","timestamp":"%s","a":"\\u0000\\ud800\\/\\u00e9","b":{"a":1,"a":2,"":[]}}',
    '{ "timestamp" : "%s" ,\n\t"id":"" , "nested" : [ [ [ { } ] ] ] }',
    '{"id":"","timestamp":"%s","text":"\u20ac \U0001f600 \u2028 \x7f"}',
    '{"id":"","timestamp":"%s","type":"ingest","events":[{"id":"","timestamp":"x"}]}',
    '{"id":"","timestamp":"%s","unknown":null,"level":"loud"}',
]


@case
def events_come_back_byte_for_byte():
    texts = [(text % stamp(NOW + n)).encode() for n, text in enumerate(EVENTS)]
    for packed in (False, True):
        daemon = Daemon()
        socket = Socket(daemon, offer=True).save(texts, packed=packed)
        stored = sliced(socket.response(socket.query()))
        equal([original(s, b'""') for s in stored], texts[::-1])
        equal(sliced(daemon.get("/_tracker").body), stored, "over HTTP")


REJECTED = [b"1", b"null", b'"text"', b"[]", b"{}", b'{"timestamp":1}', b'{"timestamp":"never"}',
            b'{"timestamp":"2026-11-21T04:00:00Z","deep":' + b"[" * 600 + b"]" * 600 + b"}"]


@case
def verdicts_are_those_of_http():
    bodies = [[event()], [], REJECTED, [event(), *REJECTED, event(), event(id="given")],
              [event(id="given")], [event(payload='"%s"' % ("x" * 2000))]]
    web, http = Daemon(max_event="1K"), Daemon(max_event="1K")
    socket = Socket(web)
    for number, texts in enumerate(bodies):
        answer = http.post(texts).json()
        equal(socket.ingest(texts).ack(), answer["saved"], "body %d" % number)
    for table in ("events", "rejects"):
        equal([row[0] for row in web.sql("select count(*) from " + table)],
              [row[0] for row in http.sql("select count(*) from " + table)], table)
    equal(web.sql("select reason, event from rejects order by 1, 2"), http.sql("select reason, event from rejects order by 1, 2"))
    socket.save([event()])


@case
def the_members_of_a_message_may_stand_in_any_order_and_form():
    daemon = Daemon()
    socket = Socket(daemon)
    for text in ('{"events":[%s],"type":"ingest"}', '{"type":"auth","events":[],"events":[%s],"type":"ingest"}',
                 '{"ty\\u0070e":"in\\u0067est","\\u0065vents":[%s]}', ' {"a":{"type":"auth"},"type":"ingest","events":[%s]} ',
                 '{"type":"ingest","events":[%s],"reqId":{"x":[1]},"query":"events:query"}'):
        socket.send(text.encode().replace(b"%s", event()))
        equal(socket.ack(), 1, text)
    equal(socket.ask()["total"], 5)


@case
def an_ack_comes_after_the_commit():
    daemon = Daemon(hold="1h")
    socket = Socket(daemon).save([event()])
    with WriteLock(daemon.database):
        socket.ingest([event()]).ingest([event()])
        poll(lambda: daemon.unread() == 0, "the daemon to read it")
        socket.sync()  # its pong overtakes, an ack would fail
        equal(daemon.total(), 1)
    equal((socket.ack(), socket.ack()), (1, 1))
    equal(daemon.sql("select count(*) from events"), [(3,)])


@case
def what_was_stored_already_is_acknowledged_and_not_stored_again():
    daemon = Daemon()
    a, b = [event(NOW + n, n) for n in range(20)], [event(NOW + 50 + n, n) for n in range(5)]
    socket = Socket(daemon).save(a)
    for texts in (a, a + b, b[:0], a, a + b):
        equal(Socket(daemon).ingest(texts).ack(), len(texts))
    equal(daemon.total(), 25)
    equal(daemon.post(a + b).json(), {"ok": True, "saved": 25, "rejected": 0, "duplicate": 25}, "over HTTP")
    c = [event() for _ in range(10)]
    daemon.save(c)
    equal(socket.ingest(c).ack(), 10)
    equal(daemon.total(), 35)


@case
def acks_come_in_the_order_of_the_messages():
    daemon = Daemon()
    for offer in (None, True):
        socket, sizes = Socket(daemon, offer=offer), [1, 300, 2, 0, 17, 1000, 0, 3] * scale(20, 4)
        socket.raw(b"".join(frame(batch([event() for _ in range(n)])) for n in sizes))
        equal([socket.ack() for _ in sizes], sizes)
    equal(daemon.total(), 2 * sum(sizes))


@case
def a_batch_of_many_events_is_one_message():
    daemon, count = Daemon(), scale(100000, 5000)
    socket = Socket(daemon, offer=True)
    socket.ingest([b'{"timestamp":"%s","n":%d}' % (stamp(NOW + n).encode(), n) for n in range(count)], packed=True)
    equal(socket.ack(), count)
    equal(daemon.total(), count)


# --- queries ----------------------------------------------------------------------------------

QUERIES = [
    {}, {"limit": 10}, {"limit": "10"}, {"limit": 0}, {"limit": 10, "page": 3}, {"page": "2"},
    {"since": stamp(NOW + 5)}, {"until": stamp(NOW + 5)}, {"since": stamp(NOW + 5), "until": stamp(NOW + 20)},
    {"after": stamp(NOW + 5)}, {"since": "2026-11-21T05:00:00.005+01:00"}, {"since": "2030-01-01"},
    {"since": "2026-11-21T05:00:00.005 01:00"}, {"limit": 1000000}, {"unknown": [1, {"x": None}], "limit": 3},
]


@case
def a_response_holds_what_the_same_read_over_http_does():
    daemon, rows = Daemon(max_events=40), Rows()
    daemon.save([event(NOW + n // 2, n) for n in range(60)])
    sockets = Socket(daemon), Socket(daemon, offer=True)
    for query in QUERIES:
        with rows(repr(query)):
            texts = {k: str(v) for k, v in query.items()}
            expected = daemon.get("/_tracker?" + urllib.parse.urlencode(texts)).body
            for socket in sockets:
                equal(socket.response(socket.query(**query)), expected)
    rows.check()
    for message in ('{"type":"events:query","reqId":"q"}', '{"type":"events:query","reqId":"q","query":null}'):
        answer = sockets[0].send(message).json()  # no query: everything, or an error
        equal(answer["reqId"], "q")
    sockets[0].sync()


@case
def a_chain_of_cursors_brings_each_event_once():
    daemon = Daemon()
    daemon.save([event(NOW + n // 7, n) for n in range(100)])
    socket, seen = Socket(daemon), []
    answer = socket.ask(limit=7)
    while True:
        seen += [e["n"] for e in answer["events"]]
        equal(answer["total"], 100)
        if "nextCursor" not in answer:
            break
        pushed = len(socket.pushes)
        socket.save([event(NOW + 3)]).wait_pushes(pushed + 1)
        answer = socket.ask(limit=7, cursor=answer["nextCursor"])
    equal(seen, list(range(99, -1, -1)))
    # Cursors are those of HTTP.
    first = socket.ask(limit=10, until=stamp(NOW + 5))
    second = socket.response(socket.query(limit=10, cursor=first["nextCursor"]))
    equal(second, daemon.get("/_tracker?limit=10&cursor=" + first["nextCursor"]).body)


WRONG_QUERIES = [("since", "yesterday"), ("since", 5), ("until", "2026-13-01"), ("until", True), ("after", ""),
                 ("limit", -1), ("limit", 1.5), ("limit", "ten"), ("limit", [1]), ("page", 0), ("page", "x"),
                 ("cursor", "forged"), ("cursor", {}), ("limit", 1e3), ("since", ["2026-11-21"])]


@case
def a_query_that_can_not_be_read_is_answered_with_its_req_id():
    daemon, rows = Daemon(), Rows()
    socket = Socket(daemon).save([event()])
    for name, value in WRONG_QUERIES:
        with rows("%s=%r" % (name, value)):
            req_id = socket.query(**{name: value})
            answer = socket.json()
            if name == "limit" and value == 1e3 and answer["type"] == "events:response":
                continue  # a number is a number
            equal((answer["type"], answer.get("reqId")), ("error", req_id))
            assert name in answer["error"], answer["error"]
    for value in ("text", 5, [], True):
        with rows("query %r" % value):
            socket.send({"type": "events:query", "reqId": "r", "query": value}).error("r")
    rows.check()
    equal(socket.ask()["total"], 1)


REQ_IDS = ["akt7ooqi3eb", "", "\u00e9\u20ac\U0001f600", "quote\" back\\ slash/ \n\t\x7f\u2028", "x" * 1000, "null", 7, -1.5,
           123456789012345678, True, False, None, ["a", 1], {"a": {"b": []}}]


@case
def a_req_id_comes_back_as_it_was():
    daemon, rows = Daemon(), Rows()
    socket = Socket(daemon)
    for req_id in REQ_IDS:
        with rows(repr(req_id)[:60]):
            answer = socket.send({"type": "events:query", "reqId": req_id, "query": {"limit": 0}}).json()
            equal(list(answer), ["type", "reqId", "response"])
            equal((answer["type"], answer["reqId"]), ("events:response", req_id))
    with rows("none"):
        equal(socket.send('{"type":"events:query","query":{}}').json()["response"]["total"], 0)
    with rows("one that nobody needs"):
        socket.send({"type": "events:query", "reqId": "x" * 100000, "query": {}}).error()
    with rows("two"):
        equal(socket.send('{"type":"events:query","reqId":"a","query":{},"reqId":"b"}').json()["reqId"], "b")
    rows.check()


@case
def the_dashboards_auth_and_first_query_need_no_waiting():
    daemon = keyed()
    http = daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": BOTH}, batch([event()]))
    equal(http.status, 200)
    question = frame(b'{"type":"events:query","reqId":"r","query":{}}')
    for behind in (frame(b'{"type":"auth","key":"%s"}' % DASH.encode()) + question,):
        for together in (True, False):
            socket = Socket(daemon, behind=behind if together else b"")
            if not together:
                socket.raw(behind)
            equal(socket.json(), AUTH_OK)
            equal(json.loads(socket.response("r"))["total"], 1)


# --- order ------------------------------------------------------------------------------------

@case
def a_query_sees_every_ingest_before_it_and_none_behind_it():
    for offer in (None, True):
        daemon, count = Daemon(), scale(200, 40)
        socket, sent, expected = Socket(daemon, offer=offer), [], 0
        for n in range(count):
            sent += [frame(batch([event(NOW + n), event(NOW + n)])),
                     frame(b'{"type":"events:query","reqId":%d,"query":{"limit":%d}}' % (n, n % 3 * 100))]
        socket.raw(b"".join(sent))
        for n in range(count):
            equal(socket.ack(), 2)
            expected += 2
            answer = json.loads(socket.response(n))
            equal(answer["total"], expected, "query %d" % n)
            equal(len(answer["events"]), min(expected, n % 3 * 100))


@case
def errors_and_auth_keep_their_place_too():
    daemon = keyed()
    socket = Socket(daemon, key=SITE)
    socket.raw(frame(batch([event()])) + frame(b"{") + frame(b'{"type":"events:query","reqId":"1","query":{}}') +
               frame(b'{"type":"auth","key":"%s"}' % TWO.encode()) +
               frame(b'{"type":"events:query","reqId":"2","query":{}}') + frame(batch([])))
    equal(socket.ack(), 1)
    socket.error()
    equal(socket.error("1"), "the key may not query")
    equal(socket.json(), AUTH_OK)
    equal(json.loads(socket.response("2"))["total"], 1)
    equal(socket.ack(), 0)


# --- what can't be read -----------------------------------------------------------------------

MALFORMED = ["", " ", "hello", "{", "}", "{}x", "[", "[]", "null", "1", '"ingest"', "{'type':'ingest'}", '{"type":"ingest",}',
             '{"type":"ingest","events":[}', '{"type":"ingest","events":[{"timestamp":"2026-11-21"}', "NaN",
             '{"type":"events:query","reqId":"x","query":{}', '{"type":"ingest"}', '{"type":"ingest","events":{}}',
             '{"type":"ingest","events":null}', '{"type":"ingest","events":"[]"}', "\ufeff{}", "[" * 100000]
NOTHING = ['{"type":"hello"}', '{"type":"auth_ok"}', '{"type":"ack","saved":1}', '{"type":"push","events":[]}',
           '{"type":"Ingest","events":[]}', '{"type":""}', '{"type":"events:query ","reqId":"x"}',
           '{"type":"\\u0000"}', '{"type":"hello","reqId":"x","deep":[[[[{"a":[]}]]]]}']


@case
def malformed_messages_are_answered_and_the_connection_goes_on():
    daemon, rows = Daemon(), Rows()
    socket = Socket(daemon, offer=True)
    for text in MALFORMED:
        for packed in (False, True):
            with rows("%r packed %s" % (text[:60], packed)):
                socket.send(text, packed=packed).error()
    rows.check()
    equal(socket.save([event()]).ask()["total"], 1)


@case
def messages_of_an_unknown_type_change_nothing():
    daemon = Daemon()
    socket = Socket(daemon)
    for text in NOTHING:
        socket.send(text).sync()
    for text in ("{}", '{"type":5}', '{"type":null}', '{"type":["ingest"],"events":[]}', '{"reqId":"x"}'):
        socket.send(text)  # no type: nothing, or an error
    socket.query("behind")
    while True:
        answer = socket.json()
        if answer["type"] == "events:response":
            break
        equal(answer["type"], "error")
    equal((answer["reqId"], answer["response"]["total"]), ("behind", 0))


@case
def a_message_to_no_purpose_may_be_large():
    daemon = Daemon()
    socket = Socket(daemon)
    socket.send('{"type":"hello","x":"%s"}' % ("x" * 1000000))  # nothing, or an error
    socket.send('{"type":"events:query","reqId":"large","query":{},"x":"%s"}' % ("x" * 1000000))
    socket.ingest([event()])
    while True:
        answer = socket.json()
        if answer["type"] == "ack":
            break
        assert answer["type"] in ("error", "events:response"), answer
    equal(daemon.total(), 1)


main()
