"""Who may do what, as a product: every route × method × key × origin × Host × listener × what a proxy says ×
mode, and over WebSockets every message × key × origin.

What is expected comes from verdict() and spoken(), which were written from CONTRACT.md and beacond-protocol(7),
ROUTES, and know nothing of the source. The source is only asked which routes and messages there are: one
that has no row here fails. Each daemon begins with another key and takes its mode by SIGHUP, on
connections that were open before, so that each row holds after a reload, and the key before is one of
those that must not count any more.

A whole product would be tens of millions of requests. In one run each combination of mode, route, method
and key is asked once, and some of the others; BEACOND_TEST_LONG=1 asks 40 times as many.
"""

import base64
import itertools
import json
import os
import re
import signal
import zlib

from harness import DATA, NOW, Daemon, Rows, batch, case, directory, equal, event, main, parse_address, scale
from mdoc import routes, source
from sockets import Ended, Refused, Socket

LONG = os.environ.get("BEACOND_TEST_LONG") == "1"
SECRET = b"none of your business"  # in the one event that is stored before

# --- the table ----------------------------------------------------------------------------------

# What each method needs. "path": the ingest scope, of the KEY in the path alone; "files": the query scope, as
# password; "upgrade": a handshake, which these requests are not; "moved": nothing, it leads elsewhere.
READ, FREE = {"GET": "query", "HEAD": "query"}, {"GET": "free", "HEAD": "free"}
BOTH = dict(READ, POST="ingest")
ROUTES = {
    "/_tracker": READ, "/_tracker/": READ, "/_tracker/events": BOTH, "/_tracker/ingest": BOTH,
    "/_tracker/k/KEY/events": {"POST": "path"}, "/_tracker/ws": {"GET": "upgrade"}, "/_tracker/tail": READ,
    "/_tracker/stats": READ, "/_tracker/rejects": READ, "/metrics": READ, "/_tracker/ping": FREE, "/health": FREE,
    "/livez": FREE, "/readyz": FREE, "/": FREE, "/_dashboard": {"GET": "moved", "HEAD": "moved"},
    "/_dashboard/": {"GET": "files", "HEAD": "files"},
}
NOWHERE = {"/_tracker/nowhere": {}, "/_tracker/k/KEY": {}, "/nowhere": {}}
ADMIN = {"/metrics", "/livez", "/readyz", "/_tracker/ping", "/health"}
SHOW_EVENTS = {"/_tracker", "/_tracker/", "/_tracker/events", "/_tracker/ingest", "/_tracker/tail"}
# The enums of the source, by which a place or an action that has no path of its own is noticed.
PLACES = {"NOWHERE", "ROOT", "EVENTS", "KEYED", "PING", "SOCKET", "FEED", "STATS", "REJECTS", "LIVEZ", "READYZ",
          "METRICS", "PAGE", "DASHBOARD"}
# What a client may send over a WebSocket, and what it needs.
MESSAGES = {"auth": None, "ingest": "ingest", "events:query": "query"}

# The last ones are no methods of ours: told so, and the connection is closed.
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "preflight GET", "preflight POST",
           "TRACE", "CONNECT", "BREW", "get"]
STRANGE = {"TRACE", "CONNECT", "BREW", "get"}

VALUES = {"ingest": "tk_ingest-1", "query": "tk_query_2", "both": "tk_both3", "wrong": "tk_wrong4", "old": "tk_before5",
          "prefix": "tk_both", "longer": "tk_both33", "empty": ""}
SCOPES = {"ingest": {"ingest"}, "query": {"query"}, "both": {"ingest", "query"}}

# Where a key is put: header, query, path (always one: the path has a place for it), Basic; "ignored" are
# headers that stand for keys elsewhere and count for nothing here.
KEYS = [dict(header=name) for name in VALUES] + [dict(query=name) for name in VALUES if name != "prefix"] + [
    dict(path=name) for name in ("ingest", "query", "both", "old", "prefix")] + [
    dict(basic=name) for name in ("ingest", "query", "both", "wrong", "old")] + [
    dict(), dict(header="wrong", query="both"), dict(header="both", query="wrong"), dict(header="empty", query="both"),
    dict(header="wrong", path="both"), dict(header="both", path="ingest"), dict(header="both", path="wrong"),
    dict(query="both", path="query"), dict(header="both", basic="wrong"), dict(header="ingest", basic="query"),
    dict(ignored="both"), dict(header="twice")]

LISTED, SITE, EVIL = "https://shop.example", "https://site.example", "https://evil.example"
LOOPBACK = ["http://localhost:5173", "http://127.0.0.1:8080", "http://[::1]"]
ORIGINS = [None, LISTED, SITE, EVIL, "null", "same", LOOPBACK[0], LOOPBACK[2], "http://localhost.evil.example",
           LISTED + ":444", LISTED + " " + LISTED, "http://a.b.pages.example:8080", "https://pages.example"]

# Host, whether it can only be this machine, and whether admin-listen takes it. None: HTTP/1.0 without one.
HOSTS = [("own", True, True), ("localhost", True, True), ("[::1]:4242", True, True), ("app.localhost:80", True, True),
         ("127.0.0.1.evil.example", False, False), ("evil.example:4242", False, False), ("10.1.2.3", False, True),
         ("metrics.example:9142", False, True), (None, False, True)]

LISTENERS = ["tcp", "unix", "admin"]

# What a proxy, or who plays one, says. It decides whom the limits count, never who may.
PROXIED = [{}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https",
                                                  "X-Forwarded-Host": "localhost", "Forwarded": "for=127.0.0.1;host=localhost"},
           {"X-Forwarded-For": "not an address, ::1", "X-Real-IP": "127.0.0.1", "X-Original-URL": "/livez",
            "X-HTTP-Method-Override": "GET"}]

THREE = [VALUES["ingest"] + ":ingest", VALUES["query"] + ":query", VALUES["both"]]
MODES = {
    "keys": dict(key=THREE),
    "keys, origins": dict(key=THREE, allow_origin=[LISTED, "*.pages.example"]),
    "keys, null": dict(key=THREE, allow_origin=[LISTED, "null"]),
    "keys, beacons": dict(key=THREE, beacon_origin=[SITE, "*.pages.example"]),
    "keys, origins, beacons": dict(key=THREE, allow_origin=[LISTED], beacon_origin=[SITE]),
    "no keys": dict(),
    "no keys, origins, beacons": dict(allow_origin=[LISTED], beacon_origin=[SITE]),
    "keyless": dict(allow_keyless=["yes"]),
}


# --- what the manual says -------------------------------------------------------------------------

def fits(listed, origin):
    """Whether an origin is one of those listed; *.site stands for every name below it, scheme and port."""
    host = (origin or "").partition("://")[2].partition(":")[0]
    return any(one == origin or one[:2] == "*." and host.endswith(one[1:]) for one in listed)


def lists(mode, origin):
    return fits(mode.get("allow_origin", []) + mode.get("beacon_origin", []), origin)


def origin_may(mode, origin):
    """origin as sent."""
    if origin is None or lists(mode, origin):
        return True
    if "key" in mode:
        return "allow_origin" not in mode
    return bool(re.fullmatch(r"https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?", origin))


def key_verdict(mode, need, brought, origin):
    """200, 401 or 403 for what needs that scope."""
    if "key" not in mode:
        return 200
    if need == "path":
        name, most = brought.get("path", "wrong"), {"ingest"}
    elif "header" in brought:
        name, most = brought["header"], {"ingest", "query"}
    elif "query" in brought:
        name, most = brought["query"], {"ingest"}
    else:
        return 200 if need == "ingest" and fits(mode.get("beacon_origin", []), origin) else 401
    if name not in SCOPES:
        return 401
    return 200 if ("ingest" if need == "path" else need) in SCOPES[name] & most else 403


def verdict(mode, listener, path, method, brought, origin, host):
    """The status, and whether CORS headers let the page read it."""
    needs, (_, local, numeric) = dict(ROUTES, **NOWHERE)[path], host
    admin = listener == "admin"
    if admin and path not in ADMIN:
        needs = {}
    if not (numeric if admin else local or "key" in mode or "allow_keyless" in mode):
        return 403, False
    lets = not admin and origin is not None and origin_may(mode, origin) and "dashboard" not in path
    if brought.get("header") == "twice":
        return 400, lets
    if not needs:
        return 404, lets
    if method.split()[0] in ("OPTIONS", "preflight"):
        return 204, lets
    need = needs.get(method)
    if need is None:
        return 405, lets
    if admin or need == "free":
        return 200, lets
    if need == "moved":
        return 301, False
    if need == "files":
        open_ = "key" not in mode or "query" in SCOPES.get(brought.get("basic"), set())
        return (200 if open_ else 401), False
    if not origin_may(mode, origin):
        return 403, False
    return (426 if need == "upgrade" else key_verdict(mode, need, brought, origin)), lets


# --- asking ---------------------------------------------------------------------------------------

class Asked:
    """One request: its bytes, what must come, and whether it ends its connection."""

    def __init__(self, world, listener, path, method, brought, origin, host, proxied):
        mode, own = world.mode, world.daemon.host(world.places[listener])
        self.name = "%s %s on %s, key %s, origin %s, Host %s, %s" % (method, path, listener, brought, origin, host[0], proxied)
        origin = "http://" + own if origin == "same" else origin
        strange, twice = method in STRANGE, brought.get("header") == "twice"
        # A head that is no good is told so even without a Host.
        counts = (None, True, True) if host[0] is None and (strange or twice) else host
        self.status, self.lets = verdict(mode, listener, path, method, brought, origin, counts)
        self.path, self.method, self.origin = path, method, origin
        self.head = method == "HEAD"
        if strange and self.status != 403:  # told before what is wrong with its headers
            self.status = 405 if path in ADMIN or listener != "admin" and path in ROUTES else 404
        self.reads = method == "GET" and self.status == 200 and path in SHOW_EVENTS
        self.streams = method == "GET" and path.endswith("/tail") and self.status == 200
        self.alone = strange or twice or host[0] is None or self.streams
        self.stores = method == "POST" and self.status == 200
        self.needs = dict(ROUTES, **NOWHERE)[path] if listener != "admin" or path in ADMIN else {}
        target = path.replace("KEY", VALUES[brought.get("path", "wrong")])
        if "query" in brought:
            target += "?key=" + VALUES[brought["query"]]
        lines = ["%s %s HTTP/1.%d" % (method.replace("preflight", "OPTIONS").split()[0], target, host[0] is not None)]
        if host[0] is not None:
            lines.append("Host: " + (own if host[0] == "own" else host[0]))
        lines += ["%s: %s" % pair for pair in proxied.items()]
        if origin is not None:
            lines.append("Origin: " + origin)
        if twice:
            lines += ["X-Tracker-Key: " + VALUES["wrong"], "X-Tracker-Key: " + VALUES["both"]]
        elif "header" in brought:
            lines.append("X-Tracker-Key: " + VALUES[brought["header"]])
        if "basic" in brought:
            lines.append("Authorization: Basic " + base64.b64encode(b"me:" + VALUES[brought["basic"]].encode()).decode())
        if "ignored" in brought:
            value = VALUES[brought["ignored"]]
            lines += ["Authorization: Bearer " + value, "Cookie: key=%s; X-Tracker-Key=%s" % (value, value),
                      "X-Api-Key: " + value, "Sec-WebSocket-Protocol: " + value, "X-Tracker_Key: " + value]
        if self.streams:
            lines.append("Last-Event-ID: 0")
        if method.startswith("preflight"):
            lines += ["Access-Control-Request-Method: " + method.split()[1],
                      "Access-Control-Request-Headers: content-type,x-tracker-key"]
        body = b""
        if method in ("POST", "PUT", "PATCH"):
            world.number += 1
            # Who may not, tries for real; who may, now and then, for each of these is a commit.
            self.stores = self.stores and world.number % 40 == 0
            body = batch([event(NOW - 1000)]) if method == "POST" and (self.status != 200 or self.stores) else b'{"events":[]}'
            lines.append("Content-Length: %d" % len(body))
        self.data = "\r\n".join(lines + ["", ""]).encode("latin-1") + body

    def check(self, status, headers, body):
        equal(status, self.status, "status")
        allow = headers.get(b"access-control-allow-origin")
        equal(allow, self.origin.encode() if self.lets else None, "Allow-Origin")
        if not self.lets:
            assert not any(name.startswith(b"access-control") for name in headers), headers
        else:
            assert b"Origin" in headers[b"vary"], "Vary"
            ingests = "POST" in self.needs and self.method in ("POST", "preflight POST")
            if self.method != "OPTIONS" and status != 400:
                equal(headers.get(b"access-control-allow-credentials"), b"true" if ingests else None, "credentials")
        equal(headers.get(b"x-content-type-options"), b"nosniff")
        assert b"cache-control" in headers
        shown = SECRET in body
        equal(shown, self.reads, "events shown")
        if status == 405:
            equal({m.strip() for m in headers[b"allow"].decode().split(",")}, set(self.needs) | {"OPTIONS"}, "Allow")
        if status >= 400 and not self.head:
            equal(list(json.loads(body)), ["error"])
        if self.head or status == 204:
            equal(body, b"", "body")
        whole = b"\n".join(headers.values()) + body
        assert status == 301 or not any(value.encode() in whole for value in VALUES.values() if value), "a key in the answer"


class Lane:
    """A connection on which many requests are under way."""

    def __init__(self, world, listener):
        self.world, self.listener = world, listener
        self.open()

    def open(self):
        self.sock = self.world.daemon.connect(self.world.places[self.listener])
        self.buffer, self.waiting = b"", []

    def ask(self, asked):
        # Who is refused and sends more is closed on, and the system may take answers back that are on their way.
        if asked.alone:
            self.settle()
        self.waiting.append(asked)
        if asked.alone or len(self.waiting) == 48:
            self.settle()

    def settle(self):
        if not self.waiting:
            return
        self.sock.sendall(b"".join(one.data for one in self.waiting))
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            got = None
            with self.world.rows(one.name):
                got = self.answer(one)
                one.check(*got)
            if got is None or one.alone:  # nothing is in step behind it
                self.sock.close()
                self.open()
                break

    def more(self):
        data = self.sock.recv(1 << 18)
        self.buffer += data
        assert data, "closed by the daemon; before: %r" % self.buffer[-200:]

    def answer(self, asked):
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.more()
        lines = self.buffer[:end].split(b"\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b": ")
            assert name.lower() not in headers, "%r twice" % name
            headers[name.lower()] = value
        status, length = int(lines[0][9:12]), 0
        if asked.streams and status == 200:
            while SECRET not in self.buffer:
                self.more()
            return status, headers, self.buffer[end + 4:]
        assert status != 200 or asked.head or headers[b"content-type"] != b"text/event-stream", "a stream"
        if asked.alone and headers.get(b"connection") != b"close":
            assert asked.data.startswith(b"GET") or asked.data.find(b"HTTP/1.0\r\n") > 0, "kept open"
        if b"transfer-encoding" in headers and not asked.head:
            while b"0\r\n\r\n" not in self.buffer[end + 2:]:
                self.more()
            length = self.buffer.index(b"0\r\n\r\n", end + 2) + 5 - end - 4
        elif b"content-length" in headers and not asked.head:
            length = int(headers[b"content-length"])
        elif asked.alone and not asked.head and status != 204:  # up to the end, as HTTP/1.0 may
            while data := self.sock.recv(1 << 18):
                self.buffer += data
            length = len(self.buffer) - end - 4
        while len(self.buffer) < end + 4 + length:
            self.more()
        body, self.buffer = self.buffer[end + 4:end + 4 + length], self.buffer[end + 4 + length:]
        return status, headers, body


class World:
    """A daemon that has come to its mode by a reload, with connections from before."""

    def __init__(self, mode):
        self.mode, self.rows, self.number, self.stored, self.asked = mode, Rows(), 0, 1, 0
        place = directory()
        self.config = os.path.join(place, "beacond.conf")
        self.write(dict(key=[VALUES["old"]]))
        socket_path = os.path.join(place, "s")
        self.daemon = Daemon(config=self.config, listen=["127.0.0.1:0", "unix:" + socket_path], admin_listen="127.0.0.1:0",
                             admin_host="metrics.example", dashboard=os.path.join(DATA, "dashboard"), hold="20s", timeout="1h", head_timeout="1h",
                             trusted_proxy=["127.0.0.1", "unix"], proxy_header="x-forwarded-for")
        line = self.daemon.wait_log(r"listening on \S+ for admin")
        self.places = {"tcp": self.daemon.addresses[0], "unix": "unix:" + socket_path,
                       "admin": re.search(r"on (\S+) for admin", line).group(1)}
        self.daemon.save([event(NOW, 0, payload=json.dumps(SECRET.decode()))], headers={"X-Tracker-Key": VALUES["old"]})
        self.lanes = {listener: Lane(self, listener) for listener in LISTENERS}
        for listener in LISTENERS:  # accepted, and served
            status = self.daemon.request("GET", "/livez", address=self.places[listener]).status
            equal(status, 200)
        self.write(mode)
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_log("reloaded: ")

    def write(self, mode):
        with open(self.config, "w") as file:
            for name, values in mode.items():
                file.writelines("%s = %s\n" % (name.replace("_", "-"), value) for value in values)

    def ask(self, listener, *row):
        asked = Asked(self, listener, *row)
        self.stored += asked.stores
        self.asked += 1
        self.lanes[listener].ask(asked)

    def finish(self):
        for lane in self.lanes.values():
            lane.settle()
            lane.sock.close()
        self.rows.check()
        rows = self.daemon.sql("select count(*) from events")[0][0]
        equal(rows, self.stored, "events stored by those who may, and by nobody else")
        self.daemon.stop()


def drawn(*what):
    """A number for a row: the same in each run, and in step with no loop."""
    return zlib.crc32(repr(what).encode())


def pick(some, number):
    return some[number % len(some)], number // len(some)


def each_row(name):
    """Every route × method × key with the others drawn; of route × method × origin × Host × listener a part."""
    paths = list(ROUTES) + list(NOWHERE)
    for again in range(40 if LONG else 1):
        for path, method, (k, brought) in itertools.product(paths, METHODS, enumerate(KEYS)):
            rest = drawn(name, path, method, k, again)
            if again == 0 and rest % scale(1, 9) or method in STRANGE and rest % 8:
                continue
            listener, rest = pick(["tcp", "unix", "tcp", "unix", "admin"], rest)
            origin, rest = pick(ORIGINS, rest)
            host, rest = pick(HOSTS if rest % 4 == 0 else HOSTS[:3], rest // 4)
            yield listener, path, method, brought, origin, host, PROXIED[rest % len(PROXIED)]
    for path, method, origin, host, listener in itertools.product(paths, METHODS, ORIGINS, HOSTS, LISTENERS):
        rest = drawn(name, path, method, origin, host, listener)
        if rest % (1 if LONG else scale(24, 200)) or method in STRANGE and rest // 24 % 8:
            continue
        brought, rest = pick(KEYS, rest // 24)
        yield listener, path, method, brought, origin, host, PROXIED[rest % len(PROXIED)]


def of_mode(name):
    def one():
        world = World(MODES[name])
        for row in each_row(name):
            world.ask(*row)
        world.finish()
        print("# %d requests" % world.asked)
    one.__name__ = "with_%s_each_request_is_answered_as_the_table_says" % name.replace(" ", "_").replace(",", "")
    case(one)


# --- completeness ---------------------------------------------------------------------------------

@case
def every_route_of_the_manual_and_of_the_source_has_its_rows():
    told = {}
    for path, methods, _ in routes():
        told.setdefault(path, set()).update(methods)
    equal({path: set(needs) for path, needs in ROUTES.items()}, told, "the routes of beacond-protocol(7)")
    header, text = source("src", "server", "route.h"), source("src", "server", "route.c")
    equal(set(re.findall(r"^    ROUTE_(\w+),", header.split("enum route_action")[0], re.M)) - {"PLACES"}, PLACES)
    equal({"/_tracker" + path for path in re.findall(r'\{"([^"]*)", *ROUTE', text.split("route_fixed[]")[0])}
          | set(re.findall(r'\{"([^"]*)", *ROUTE', text.split("route_fixed[]")[1].split("};")[0])),
          set(ROUTES) - {"/_tracker/k/KEY/events", "/_dashboard", "/_dashboard/"})
    equal({path for path in ROUTES if path in ADMIN}, ADMIN)


@case
def every_message_of_the_source_has_its_rows():
    text = source("src", "contract", "dialog.c")
    equal(set(re.findall(r'scan_field_is\(m->text, type, "([^"]+)"\)', text)), set(MESSAGES))


for _name in MODES:
    of_mode(_name)


# --- WebSockets -----------------------------------------------------------------------------------

# Of these an open connection takes none for more than it is: an error, or nothing.
NONSENSE = {"unknown": '{"type":"push","events":[]}', "auth_ok": '{"type":"auth_ok"}', "no type": '{"events":[]}',
            "twice": '{"type":"ingest","type":"x","events":[]}', "no JSON": "ingest"}
SPOKEN = list(MESSAGES) + list(NONSENSE)
BRINGS = [{}, {"X-Tracker-Key": VALUES["both"]}, {"Sec-WebSocket-Protocol": VALUES["both"]},
          {"Authorization": "Basic " + base64.b64encode(b"me:" + VALUES["both"].encode()).decode()}]


def spoken(mode, told, kind):
    """What becomes of a message behind an auth with that key (None: behind nothing): "closed" (1008), "refused"
    (an error; the connection goes on), "ignored", or "done"."""
    if "key" in mode and told not in SCOPES:
        return "closed" if told is not None or kind != "auth" else "done"
    if kind in NONSENSE:
        return "ignored" if kind in ("unknown", "auth_ok", "twice") else "refused"
    need = MESSAGES[kind]
    return "done" if need is None or "key" not in mode or need in SCOPES[told] else "refused"


def speak(one, kind, got):
    """Sends it and returns what became of it; got: the types of what was answered."""
    if kind == "auth":
        one.send({"type": "auth", "key": VALUES["both"]})
    elif kind == "ingest":
        one.ingest([event(NOW - 1000, payload=json.dumps(kind))])
    elif kind == "events:query":
        one.query()
    else:
        one.send(NONSENSE[kind])
    one.send({"type": "events:query", "reqId": "last", "query": {"since": "never"}})  # an error in any case
    while True:
        message = one.message()
        if json.loads(message).get("reqId") == "last":
            break
        got.append(json.loads(message)["type"])
    return {(): "ignored", ("error",): "refused"}.get(tuple(got), "done")


def converse(world, told, kind, headers, target, listener):
    one = Socket(world.daemon, address=world.places[listener], headers=headers, target=target)
    expected, messages = spoken(world.mode, told, kind), []
    try:
        if told is not None:
            one.send({"type": "auth", "key": VALUES[told]})
            equal(json.loads(one.message()), {"type": "auth_ok"})
        got = speak(one, kind, messages)
    except Ended as ended:
        equal((ended.code, messages), (1008, []), "close code, and what came before")
        got = "closed"
    equal(got, expected, "%r" % messages)
    if kind == "ingest" and got == "done":
        world.stored += 1


@case
def over_websockets_each_message_does_what_the_table_says():
    for name, mode in MODES.items():
        world = World(mode)
        for lane in world.lanes.values():
            lane.sock.close()
        told_ones = [None, "wrong", "old", "empty", "prefix", "ingest", "query", "both"]
        for told, kind, n in itertools.product(told_ones, SPOKEN, range(40 if LONG else 1)):
            rest = drawn("ws", name, told, kind, n)
            if rest % scale(1, 9):
                continue
            (bring, rest), listener = pick(BRINGS, rest // 9), LISTENERS[rest // 8 % 2]
            origin = [o for o in ORIGINS if o != "same" and origin_may(mode, o)]
            origin = origin[rest // 4 % len(origin)]
            target = "/_tracker/ws" + ("?key=" + VALUES["both"] if rest // 64 % 2 else "")
            with world.rows("%s, %s behind %s, %s, origin %s on %s" % (name, kind, told, bring, origin, listener)):
                converse(world, told, kind, dict(bring, **({"Origin": origin} if origin else {})), target, listener)
        world.rows.check()
        equal(world.daemon.sql("select count(*) from events")[0][0], world.stored, "stored by those who may")
        world.daemon.stop()


@case
def a_handshake_is_answered_as_origin_host_and_listener_say():
    for name, mode in MODES.items():
        world = World(mode)
        for origin, host, listener, (b, bring) in itertools.product(ORIGINS, HOSTS[:-1], LISTENERS, enumerate(BRINGS)):
            if not LONG and drawn("handshake", name, origin, host, listener, b) % scale(6, 40):
                continue
            own = world.daemon.host(world.places[listener])
            sent = "http://" + own if origin == "same" else origin
            status = verdict(mode, listener, "/_tracker/ws", "GET", {}, sent, host)[0]
            with world.rows("%s, origin %s, Host %s on %s, %s" % (name, origin, host[0], listener, bring)):
                headers = dict(bring, Host=own if host[0] == "own" else host[0], **({"Origin": sent} if sent else {}))
                try:
                    one = Socket(world.daemon, address=world.places[listener], headers=headers)
                    one.wire.close()
                    got = 426  # which it would have been without the handshake
                except Refused as refused:
                    got = refused.answer.status
                    refused.answer.error()
                equal(got, status)
        world.finish()


main()
