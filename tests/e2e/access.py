"""Who may do what (CONTRACT.md 3, 5, 7): how keys, origins and Hosts may be spelled, which prefixes have
which routes, what WebSockets show to whom. access_table.py has every combination of them.
"""

import json

from harness import NOW, Daemon, Rows, case, equal, event, main
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

LISTED, LOOPBACK, FOREIGN = "https://shop.example", "http://localhost:5173", "https://evil.example"
SITE, PAGE = "https://site.example", "https://a.pages.example"

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
    daemon, rows = Daemon(), Rows()
    daemon.save([event(NOW, 0, payload=json.dumps(SECRET))])
    connection = daemon.connection()
    for host, local in HOSTS:
        for method, target, status in (("GET", "/_tracker", 200), ("POST", "/_tracker/events", 200), ("GET", "/health", 200),
                                       ("OPTIONS", "/_tracker", 204), ("GET", "/nowhere", 404), ("DELETE", "/", 405)):
            with rows("%s %s, Host %r" % (method, target, host)):
                body = b'{"events":[]}' if method == "POST" else None
                answer = connection.request(method, target, {"Host": host, "Origin": LOOPBACK}, body)
                if host in ("", "localhost evil", "localhost/evil") and answer.status == 400:
                    continue  # malformed is as good a reason
                equal(answer.status, status if local else 403)
                equal(answer.header("Access-Control-Allow-Origin"), LOOPBACK if local else None)
                assert local or SECRET.encode() not in answer.body
    connection.close()
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
