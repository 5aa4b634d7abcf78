"""Who may do what: every route × method × key × origin × mode × Host (CONTRACT.md 3, 5, 7).

The tables are the expectation. A new route is a row of ROUTES, a new way to bring a key a row of
KEYS, a new mode a row of MODES; everything else follows.
"""

import base64
import json
import os
import zlib

from harness import DATA, NOW, Daemon, Response, Rows, batch, case, equal, event, main, scale
from sockets import Refused, Socket, upgrade

SECRET = "none of your business"  # in every stored event
KEY_VALUES = {"ingest": "tk_ingest-1", "query": "tk_query_2", "both": "tk_both3", "wrong": "tk_wrong4"}

# Path (KEY stands for one), and what each method needs. "path": the ingest scope, of that KEY.
# "files": the query scope, by HTTP Basic and from any page; "moved": nothing, to where that is.
# "upgrade": a WebSocket handshake, which these requests are not; keys come later, by message.
ROUTES = [
    ("/_tracker", {"GET": "query", "HEAD": "query"}),
    ("/_tracker/", {"GET": "query", "HEAD": "query"}),
    ("/_tracker/events", {"GET": "query", "HEAD": "query", "POST": "ingest"}),
    ("/_tracker/ingest", {"GET": "query", "HEAD": "query", "POST": "ingest"}),
    ("/_tracker/k/KEY/events", {"POST": "path"}),
    ("/_tracker/ping", {"GET": "free", "HEAD": "free"}),
    ("/_tracker/ws", {"GET": "upgrade"}),
    ("/_tracker/tail", {"GET": "query", "HEAD": "query"}),
    ("/_tracker/stats", {"GET": "query", "HEAD": "query"}),
    ("/_tracker/rejects", {"GET": "query", "HEAD": "query"}),
    ("/health", {"GET": "free", "HEAD": "free"}),
    ("/_dashboard", {"GET": "moved", "HEAD": "moved"}),
    ("/_dashboard/", {"GET": "files", "HEAD": "files"}),
    ("/livez", {"GET": "free", "HEAD": "free"}),
    ("/readyz", {"GET": "free", "HEAD": "free"}),
    ("/metrics", {"GET": "query", "HEAD": "query"}),
    ("/_tracker/nowhere", {}),
    ("/nowhere", {}),
    ("/", {"GET": "free", "HEAD": "free"}),
]

# What needs the query scope and shows no event.
NO_EVENTS = ["/metrics", "/_tracker/stats", "/_tracker/rejects"]

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "preflight GET", "preflight POST"]

# How a key is brought: name, header, query, KEY in the path; and the status where "free", "ingest",
# "query" or "path" is needed.
KEYS = [
    #                          header    query     path     free  ingest query  path  files
    ("none",                   None,     None,     "wrong",  200,  401,  401,   401,  401),
    ("wrong",                  "wrong",  None,     "wrong",  200,  401,  401,   401,  401),
    ("ingest",                 "ingest", None,     "ingest", 200,  200,  403,   200,  401),
    ("query",                  "query",  None,     "query",  200,  403,  200,   403,  401),
    ("both",                   "both",   None,     "both",   200,  200,  200,   200,  401),
    ("wrong in query",         None,     "wrong",  "wrong",  200,  401,  401,   401,  401),
    ("ingest in query",        None,     "ingest", "wrong",  200,  200,  403,   401,  401),
    ("query in query",         None,     "query",  "wrong",  200,  403,  403,   401,  401),
    ("both in query",          None,     "both",   "wrong",  200,  200,  403,   401,  401),
    ("wrong, both in query",   "wrong",  "both",   "wrong",  200,  401,  401,   401,  401),
    ("both, wrong in query",   "both",   "wrong",  "wrong",  200,  200,  200,   401,  401),
    ("wrong, both in path",    "wrong",  None,     "both",   200,  401,  401,   200,  401),
    ("both, ingest in path",   "both",   None,     "ingest", 200,  200,  200,   200,  401),
    ("both, query in path",    "both",   "ingest", "query",  200,  200,  200,   403,  401),
    ("ingest by Basic",        None,     None,     "wrong",  200,  401,  401,   401,  401),
    ("query by Basic",         None,     None,     "wrong",  200,  401,  401,   401,  200),
]
NEEDS = {"free": 4, "ingest": 5, "query": 6, "path": 7, "files": 8}
BY_BASIC = {"ingest by Basic": "ingest", "query by Basic": "query"}

LISTED, LOOPBACK, FOREIGN = "https://shop.example", "http://localhost:5173", "https://evil.example"
SITE, PAGE = "https://site.example", "https://a.pages.example"

DASHBOARD = {"dashboard": os.path.join(DATA, "dashboard")}

# From these no key is needed to ingest, where beacon-origin lists them.
BEACONS = [SITE, PAGE]

# Name, options, whether keys count, origins that may, origins that may not.
MODES = [
    ("keys", {"key": [KEY_VALUES["ingest"] + ":ingest", KEY_VALUES["query"] + ":query", KEY_VALUES["both"]]},
     True, [None, LISTED, FOREIGN, "null"], []),
    ("keys and origins", {"key": [KEY_VALUES["ingest"] + ":ingest", KEY_VALUES["query"] + ":query",
                                  KEY_VALUES["both"] + ":ingest,query"], "allow_origin": LISTED},
     True, [None, LISTED], [FOREIGN, LOOPBACK, "null"]),
    ("no keys", {}, False, [None, LOOPBACK, "http://127.0.0.1:5180", "http://[::1]:8080"], [FOREIGN, LISTED, "null"]),
    ("no keys, an origin", {"allow_origin": LISTED}, False, [None, LOOPBACK, LISTED], [FOREIGN, "null"]),
    ("keyless allowed", {"allow_keyless": True}, False, [None, LOOPBACK], [FOREIGN]),
    ("keys and beacons", {"key": [KEY_VALUES["ingest"] + ":ingest", KEY_VALUES["query"] + ":query", KEY_VALUES["both"]],
                          "beacon_origin": [SITE, "https://*.pages.example"]},
     True, [None, SITE, PAGE, FOREIGN], []),
    ("keys, patterns and beacons", {"key": [KEY_VALUES["ingest"] + ":ingest", KEY_VALUES["query"] + ":query",
                                            KEY_VALUES["both"]],
                                    "allow_origin": [LISTED, "*.example.org"],
                                    "beacon_origin": [SITE, "*.pages.example"]},
     True, [None, LISTED, "http://a.b.example.org:8080", SITE, PAGE],
     [FOREIGN, "https://example.org", "https://evil-example.org", "https://pages.example"]),
    ("no keys, a beacon origin", {"beacon_origin": SITE}, False, [None, LOOPBACK, SITE], [FOREIGN, PAGE]),
]


def request_of(path, method, key, keyed):
    """Target, headers and body."""
    name, header, query, in_path = key[:4]
    target = path.replace("KEY", KEY_VALUES[in_path])
    if query:
        target += "?key=" + KEY_VALUES[query]
    headers = {"X-Tracker-Key": KEY_VALUES[header]} if header else {}
    if name in BY_BASIC:
        pair = "user:" + KEY_VALUES[BY_BASIC[name]]
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    body = batch([event(payload=json.dumps(SECRET))]) if method == "POST" else None
    if method in ("PUT", "PATCH"):
        body = b""  # as browsers do: Content-Length: 0
    if method.startswith("preflight"):
        headers["Access-Control-Request-Method"] = method.split()[1]
        headers["Access-Control-Request-Headers"] = "content-type,x-tracker-key,content-encoding"
    return target, headers, body


def expected(route, method, key, keyed, allowed, beacon=False):
    """The status. beacon: the origin needs no key to ingest."""
    path, needs = route
    if not needs:
        return 404
    if method == "OPTIONS" or method.startswith("preflight"):
        return 204  # to an origin that may not: without the headers that would let it go on
    if method not in needs:
        return 405
    need = needs[method]
    if need == "moved":
        return 301
    if need not in ("free", "files") and not allowed:
        return 403
    if need == "upgrade":
        return 426
    if beacon and need == "ingest" and (key[0] == "none" or key[0] in BY_BASIC):
        return 200
    return key[NEEDS[need]] if keyed else 200


def check_cors(answer, route, method, origin, allowed):
    if origin is None or not allowed or route[0].startswith("/_dashboard"):
        for name, _ in answer.headers:
            assert not name.lower().startswith("access-control-"), name
        return
    equal(answer.header("Access-Control-Allow-Origin"), origin, "Allow-Origin")
    assert "origin" in answer.vary(), "Vary: %r" % answer.vary()
    if method == "OPTIONS":
        return
    ingest = "POST" in route[1] and method in ("POST", "preflight POST")
    equal(answer.header("Access-Control-Allow-Credentials"), "true" if ingest else None, "credentials")
    if method.startswith("preflight") and answer.status == 204:
        equal(answer.header("Access-Control-Max-Age"), "7200", "Max-Age")
        names = {h.strip().lower() for h in answer.header("Access-Control-Allow-Headers").split(",")}
        own = {"last-event-id"} if route[0].endswith("/tail") else set()
        equal(names, {"content-type", "content-encoding", "x-tracker-key"} | own, "Allow-Headers")
        methods = {m.strip() for m in answer.header("Access-Control-Allow-Methods").split(",")}
        assert set(route[1]) <= methods, "Allow-Methods %r" % methods


def check_answer(answer, route, method, status):
    equal(answer.status, status, "status")
    if method == "HEAD" or status == 204:
        equal(answer.body, b"", "body")
    elif status >= 400:
        text = answer.error()
        for key in KEY_VALUES.values():
            assert key not in text, "a key in an error"
    if status == 405:
        equal({m.strip() for m in answer.header("Allow").split(",")}, set(route[1]) | {"OPTIONS"}, "Allow")
    shown = SECRET.encode() in answer.body
    reads = method == "GET" and route[1].get("GET") == "query" and status == 200 and route[0] not in NO_EVENTS
    equal(shown, reads, "events shown")
    assert SECRET not in repr(answer.headers)


def ask(daemon, connection, method, target, headers, body):
    """A request and its answer; of a stream the head, and what has been stored before."""
    if method != "GET" or "/tail" not in target:
        return connection.request(method, target, headers, body)
    wire = daemon.wire()
    lines = ["%s: %s" % pair for pair in {"Host": daemon.host(), "Last-Event-ID": "0", **headers}.items()]
    wire.send(("\r\n".join(["GET %s HTTP/1.0" % target] + lines + ["", ""])).encode("latin-1"))
    while b"\r\n\r\n" not in wire.buffer:
        assert wire._more(), "no answer"
    if b" 200 " not in wire.buffer.split(b"\r\n", 1)[0]:
        return wire.response()
    while SECRET.encode() not in wire.buffer:
        assert wire._more(), "ended early"
    head, body = wire.buffer.split(b"\r\n\r\n", 1)
    pairs = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:]]
    wire.close()
    return Response(200, [tuple(pair) for pair in pairs], body)


# There are a hundred thousand combinations; one in so many is tried.
PART = 1 if os.environ.get("BEACOND_TEST_LONG") == "1" else scale(4, 23)


def drawn(number):
    """The same in each run, and in step with no loop: each key meets each origin somewhere."""
    return zlib.crc32(b"%d" % number)


def check_mode(mode):
    name, options, keyed, may, may_not = mode
    daemon, rows, stored, number = Daemon(**options, **DASHBOARD), Rows(), 1, 0
    key = {"X-Tracker-Key": KEY_VALUES["both"]}
    daemon.save([event(NOW, 0, payload=json.dumps(SECRET))], headers=key)
    connection = daemon.connection()
    for route in ROUTES:
        for method in METHODS:
            for brought in KEYS:
                for origin in may + may_not:
                    number += 1
                    if drawn(number) % PART:
                        continue
                    allowed = origin in may
                    beacon = "beacon_origin" in options and origin in BEACONS
                    status = expected(route, method, brought, keyed, allowed, beacon)
                    target, headers, body = request_of(route[0], method, brought, keyed)
                    if origin:
                        headers["Origin"] = origin
                    with rows("%s %s, key %s, origin %s" % (method, target, brought[0], origin)):
                        answer = ask(daemon, connection, method.replace("preflight", "OPTIONS").split()[0],
                                     target, headers, body)
                        check_answer(answer, route, method, status)
                        check_cors(answer, route, method, origin, allowed)
                    if method == "POST" and status == 200:
                        stored += 1
    connection.close()
    rows.check()
    answer = daemon.request("GET", "/_tracker?limit=0", key)
    equal(answer.json()["total"], stored, "events stored by those who may, and by nobody else")
    equal(daemon.sql("select count(*) from rejects"), [(0,)])


@case
def with_keys_the_key_decides():
    check_mode(MODES[0])


@case
def with_keys_and_listed_origins_both_decide():
    check_mode(MODES[1])


@case
def without_keys_only_this_machines_pages_may():
    check_mode(MODES[2])


@case
def without_keys_listed_origins_may_too():
    check_mode(MODES[3])


@case
def keyless_allowed_serves_other_machines_but_not_their_pages():
    check_mode(MODES[4])


@case
def beacons_need_no_key():
    check_mode(MODES[5])


@case
def beacons_need_no_key_and_narrow_nothing_where_patterns_do():
    check_mode(MODES[6])


@case
def without_keys_beacon_origins_may():
    check_mode(MODES[7])


# Host, and whether it names this machine.
HOSTS = [
    ("localhost", True), ("localhost:4242", True), ("LocalHost:80", True), ("127.0.0.1", True),
    ("127.0.0.1:65535", True), ("127.255.0.9:1", True), ("[::1]", True), ("[::1]:4242", True),
    ("app.localhost", True), ("a.b.localhost:5173", True),
    ("evil.example", False), ("evil.example:4242", False), ("localhost.evil.example", False),
    ("127.0.0.1.evil.example", False), ("127.evil.example", False), ("evil-localhost", False),
    ("evillocalhost", False), ("10.0.0.1", False), ("192.168.1.5:4242", False), ("[::2]", False),
    ("[fe80::1]:80", False), ("[::1].evil.example", False), ("127.0.0.1@evil.example", False),
    ("evil.example@127.0.0.1", False), ("localhost:80:evil", False), ("localhost evil", False),
    ("localhost/evil", False), ("128.0.0.1", False), ("127.0.0.256", False), ("127.1", False),
    ("0x7f000001", False), ("2130706433", False), ("", False), (".localhost.evil", False),
]


@case
def without_keys_a_foreign_host_is_refused_on_everything():
    daemon, rows = Daemon(**DASHBOARD), Rows()
    daemon.save([event(NOW, 0, payload=json.dumps(SECRET))])
    connection = daemon.connection()
    for host, local in HOSTS:
        for route in ROUTES:
            for method in METHODS:
                for origin in (None, LOOPBACK, FOREIGN):
                    status = expected(route, method, KEYS[0], False, origin != FOREIGN) if local else 403
                    target, headers, body = request_of(route[0], method, KEYS[0], False)
                    if body:
                        body = b'{"events":[]}'
                    headers["Host"] = host
                    if origin:
                        headers["Origin"] = origin
                    with rows("%s %s, Host %r, origin %s" % (method, target, host, origin)):
                        answer = ask(daemon, connection, method.replace("preflight", "OPTIONS").split()[0],
                                     target, headers, body)
                        if host in ("", "localhost evil", "localhost/evil") and answer.status == 400:
                            continue  # malformed is as good a reason
                        check_answer(answer, route, method, status)
    rows.check()
    wire = daemon.wire().send(b"GET /_tracker HTTP/1.0\r\n\r\n")
    equal(wire.response().status, 403, "no Host at all")


@case
def with_keys_any_host_may():
    for options in ({"key": "tk_test"}, {"allow_keyless": True}):
        daemon = Daemon(**options)
        for host, _ in HOSTS:
            if " " in host or "/" in host or "@" in host or not host or host.count(":") == 2:
                continue
            answer = daemon.request("GET", "/_tracker", {"Host": host, "X-Tracker-Key": "tk_test"})
            equal(answer.status, 200, host)


# Origin, and whether it may read without keys when https://shop.example and null are listed.
ORIGINS = [
    (LISTED, True), ("null", True), ("http://localhost", True), ("https://localhost:1", True),
    ("http://127.0.0.1", True), ("http://127.8.8.8:80", True), ("http://[::1]:3000", True),
    ("https://shop.example:444", False), ("http://shop.example", False), ("https://shop.example.evil", False),
    ("https://evil-shop.example", False), ("https://shop.example/", False), ("https://shop.exampl", False),
    ("https://shop.example\t", True), ("http://localhost.evil", False), ("http://127.0.0.1.evil", False),
    ("http://evil/localhost", False), ("http://localhost@evil", False), ("http://evil@localhost", False),
    ("http://localhost:80:90", False), ("http://localhost:x", False), ("http://[::2]", False),
    ("http://[::1", False), ("ftp://localhost", False), ("localhost", False), ("//localhost", False),
    ("http://", False), ("http://127.0.0.256", False), ("*", False), ("file://", False),
    ("http://localhost https://shop.example", False), ("chrome-extension://localhost", False),
]


@case
def origins_are_compared_whole():
    daemon, rows = Daemon(allow_origin=[LISTED, "null"]), Rows()
    daemon.save([event(NOW, 0, payload=json.dumps(SECRET))])
    for origin, may in ORIGINS:
        with rows(origin):
            answer = daemon.request("GET", "/_tracker", {"Origin": origin})
            if not may and answer.status == 400:
                continue
            equal(answer.status, 200 if may else 403)
            equal(answer.header("Access-Control-Allow-Origin"), origin.strip() if may else None)
            equal(SECRET.encode() in answer.body, may)
    rows.check()


# Key as sent in the header, as configured "tk_test" with both scopes.
NEAR_MISSES = ["tk_tes", "tk_testt", "TK_TEST", "tk_test:query", "tk_test ,tk_test", "tk\x80test", "",
               "k" * 300, "tk_test\xe9", "Bearer tk_test", "*", "%74k_test"]


@case
def only_the_exact_key_opens():
    daemon = Daemon(key="tk_test")
    daemon.save([event(NOW, 0, payload=json.dumps(SECRET))], headers={"X-Tracker-Key": "tk_test"})
    for key in NEAR_MISSES:
        for method in ("GET", "POST"):
            answer = daemon.request(method, "/_tracker/events", {"X-Tracker-Key": key.encode("latin-1")},
                                    b'{"events":[]}' if method == "POST" else None)
            equal(answer.status, 401, "%s %r" % (method, key))
            assert SECRET.encode() not in answer.body
    for spaced in (" tk_test", "tk_test\t", "  tk_test  "):
        equal(daemon.request("GET", "/_tracker", {"X-Tracker-Key": spaced}).status, 200, "white space around")
    for name in ("x-tracker-key", "X-TRACKER-KEY"):
        equal(daemon.request("GET", "/_tracker", {name: "tk_test"}).status, 200, name)
    # Two of them: no guessing which counts.
    answer = daemon.request("GET", "/_tracker", [("X-Tracker-Key", "wrong"), ("X-Tracker-Key", "tk_test")])
    assert answer.status in (400, 401), answer


@case
def several_keys_live_at_once_and_each_with_its_scopes():
    keys = ["old", "new", "dash:query", "site:ingest", "all:query,ingest"]
    daemon = Daemon(key=keys)
    for key, reads, writes in [("old", 200, 200), ("new", 200, 200), ("dash", 200, 403), ("site", 403, 200),
                               ("all", 200, 200), ("dash:query", 401, 401), ("other", 401, 401)]:
        headers = {"X-Tracker-Key": key}
        equal(daemon.request("GET", "/_tracker", headers).status, reads, key)
        equal(daemon.request("POST", "/_tracker/events", headers, b'{"events":[]}').status, writes, key)


@case
def a_key_in_the_query_is_percent_decoded():
    daemon = Daemon(key=["a+b&c=d/e"])
    for text, status in [("a%2Bb%26c%3Dd%2Fe", 200), ("a%2bb%26c%3dd/e", 200), ("a+b%26c%3Dd/e", 401),
                         ("a", 401), ("", 401), ("%", 401), ("%00", 401)]:
        answer = daemon.request("POST", "/_tracker/events?key=" + text, {}, b'{"events":[]}')
        if status == 401 and answer.status == 400:
            continue
        equal(answer.status, status, text)
    equal(daemon.request("POST", "/_tracker/events?x=1&key=a%2Bb%26c%3Dd%2Fe&y", {}, b'{"events":[]}').status, 200)


@case
def ping_tells_who_it_is_and_nothing_else():
    daemon = Daemon(key="tk_test", app_id='my "app" \u00e9')
    for path in ("/_tracker/ping", "/health", "/_tracker/ping?x=y"):
        answer = daemon.get(path)
        equal(answer.status, 200)
        parsed = answer.json()
        equal(set(parsed), {"ok", "appId", "mode", "version"})
        equal((parsed["ok"], parsed["appId"], parsed["mode"]), (True, 'my "app" \u00e9', "http"))
        assert parsed["version"]
    equal(Daemon().get("/health").json()["appId"], "")


@case
def every_prefix_has_all_routes_and_no_other_has():
    daemon = Daemon(prefix=["/a", "/b/c"])
    for prefix, there in (("/a", True), ("/b/c", True), ("/_tracker", False), ("/b", False), ("/ab", False),
                          ("/a/a", False)):
        for path, needs in ROUTES:
            if not path.startswith("/_tracker") or "nowhere" in path:
                continue
            for method in needs:
                if path.endswith("/tail") and method == "GET":
                    continue  # would not end
                body = b'{"events":[]}' if method == "POST" else None
                answer = daemon.request(method, path.replace("/_tracker", prefix).replace("KEY", "k"), {}, body)
                status = 426 if needs[method] == "upgrade" else 200
                equal(answer.status, status if there else 404, "%s %s under %s" % (method, path, prefix))
    equal(daemon.get("/health").status, 200)


# --- WebSockets: Origin and Host at the handshake, keys by message ----------------------------

def opened(daemon, **headers):
    """A WebSocket, or None where the handshake is answered 403."""
    try:
        return Socket(daemon, headers={name: value for name, value in headers.items() if value})
    except Refused as refused:
        equal(refused.answer.status, 403)
        refused.answer.error()
        return None


@case
def a_websocket_is_opened_from_origins_that_may():
    rows = Rows()
    for name, options, keyed, may, may_not in MODES:
        daemon = Daemon(**options)
        for origin in may + may_not:
            with rows("%s, origin %s" % (name, origin)):
                equal(opened(daemon, Origin=origin) is not None, origin in may)
        daemon.stop()
    daemon = Daemon(allow_origin=[LISTED, "null"])
    for origin, may in ORIGINS:
        with rows("origin %s" % origin):
            wire = daemon.wire().send(upgrade(headers={"Origin": origin}))
            answer = wire.response()
            if may or answer.status != 400:
                equal(answer.status, 101 if may else 403)
    rows.check()


@case
def without_keys_a_foreign_host_opens_no_websocket():
    daemon, rows = Daemon(), Rows()
    for host, local in HOSTS:
        for origin in (None, LOOPBACK):
            with rows("Host %r, origin %s" % (host, origin)):
                wire = daemon.wire().send(upgrade(host=host, headers={"Origin": origin} if origin else {}))
                answer = wire.response()
                if not local and answer.status == 400:
                    continue  # malformed is as good a reason
                equal(answer.status, 101 if local else 403)
    rows.check()
    for options in ({"key": "tk_test"}, {"allow_keyless": True}):
        equal(Daemon(**options).wire().send(upgrade(host="evil.example")).response().status, 101)


# The key that auth brings; whether it may ingest and query. None: a wrong one.
SOCKET_KEYS = [("ingest", True, False), ("query", False, True), ("both", True, True), ("wrong", None, None)]


@case
def over_a_websocket_the_scopes_decide_too():
    for mode in MODES[:2]:
        daemon, rows, stored = Daemon(**mode[1]), Rows(), 0
        for name, ingests, queries in SOCKET_KEYS:
            for origin in mode[3]:
                for bring in ({}, {"X-Tracker-Key": KEY_VALUES["both"]}):  # counts for nothing
                    with rows("%s from %s with %s" % (name, origin, bring)):
                        one = opened(daemon, Origin=origin, **bring)
                        if ingests is None:
                            one.send({"type": "auth", "key": KEY_VALUES[name]}).closed(1008)
                            continue
                        equal(one.auth(KEY_VALUES[name]), {"type": "auth_ok"})
                        one.ingest([event(payload=json.dumps(SECRET))])
                        if ingests:
                            equal(one.ack(), 1)
                            stored += 1
                        else:
                            equal(one.error(), "the key may not ingest")
                        req_id = one.query()
                        if queries:
                            equal(json.loads(one.response(req_id))["total"], stored)
                        else:
                            equal(one.error(req_id), "the key may not query")
        rows.check()
        answer = daemon.request("GET", "/_tracker?limit=0", {"X-Tracker-Key": KEY_VALUES["both"]})
        equal(answer.json()["total"], stored)


@case
def an_ingest_key_never_sees_an_event():
    daemon = Daemon(**MODES[0][1])
    visitors = [Socket(daemon, key=KEY_VALUES["ingest"], offer=n % 2) for n in range(4)]
    turned = Socket(daemon, key=KEY_VALUES["both"]).follow()
    witness = Socket(daemon, key=KEY_VALUES["query"]).follow()
    for n, one in enumerate(visitors):
        for query in ({}, {"limit": 0}, {"cursor": "x"}, {"since": "never"}):
            equal(one.error(one.query(**query)), "the key may not query")
    equal(turned.auth(KEY_VALUES["ingest"]), {"type": "auth_ok"})
    for n, one in enumerate([*visitors, turned]):
        one.save([event(payload=json.dumps(SECRET))])
        witness.wait_pushes(n + 1)
    for one in [*visitors, turned]:
        one.sync()  # nothing but acks, errors and pongs has come
        equal((one.pushes, one.lost), ([], 0))
    # Nor one that has told no key at all.
    stranger = Socket(daemon)
    visitors[0].save([event(payload=json.dumps(SECRET))])
    witness.wait_pushes(6)
    equal(stranger.sync().pushes, [])
    stranger.query()
    stranger.closed(1008)


main()
