"""How a WebSocket begins: the handshake of RFC 6455, 4, and the negotiation of RFC 7692, 5 and 7."""

import base64
import json
import os

from harness import Daemon, Rows, case, directory, equal, main
from sockets import AGREED, BROWSER_OFFER, PING, SAMPLE_KEY, Refused, Socket, check_upgraded, closing, frame, upgrade

QUERY = '{"type":"events:query","reqId":"%s","query":{"limit":0}}'


def answered(wire, what=""):
    """Behind a 101: that it is a WebSocket."""
    wire.send(frame(b"are you there", PING))
    equal(wire._exactly(15), b"\x8a\x0dare you there", "pong %s" % what)


# Headers that replace those of the handshake; each is a right one.
RIGHT = [
    {}, {"Upgrade": "WebSocket"}, {"Upgrade": "WEBSOCKET"}, {"Connection": "upgrade"},
    {"Connection": "keep-alive, Upgrade"}, {"Connection": "Upgrade,keep-alive"},
    {"Connection": "keep-alive ,\tUPGRADE , x"}, {"Connection": ",,Upgrade,"},
    {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}, {"Sec-WebSocket-Key": "/+/+/+/+/+/+/+/+/+/+/w=="},
    {"sec-websocket-version": "13"}, {"Sec-WebSocket-Protocol": "chat, superchat"},
    {"Sec-WebSocket-Extensions": "x-unknown; a=b"}, {"Content-Length": "0"},
    {"X-Tracker-Key": "whatever"}, {"Cookie": "a=b"}, {"User-Agent": "x" * 2000},
    {"Pragma": "no-cache", "Cache-Control": "no-cache", "Accept-Encoding": "gzip, deflate, br, zstd",
     "Accept-Language": "en", "Sec-Fetch-Mode": "websocket", "Origin": "http://localhost:5173"},
]


@case
def a_right_handshake_is_answered_101():
    daemon, rows = Daemon(), Rows()
    for headers in RIGHT:
        with rows(repr(headers)[:100]):
            key = headers.get("Sec-WebSocket-Key", SAMPLE_KEY)
            wire = daemon.wire().send(upgrade(headers=headers))
            answer = wire.response()
            equal(answer.status, 101, repr(answer))
            check_upgraded(answer, key)
            equal(answer.header("Sec-WebSocket-Extensions"), None)
            answered(wire)
    with rows("Connection in two headers"):
        wire = daemon.wire().send(upgrade(headers=[("Connection", "keep-alive"), ("Connection", "Upgrade")]))
        equal(wire.response().status, 101)
        answered(wire)
    for target in ("/_tracker/ws?x=y", "/_tracker/ws?"):
        with rows(target):
            Socket(daemon, target=target).sync()
    rows.check()


@case
def the_samples_of_the_rfc_come_out_as_printed_there():
    daemon = Daemon()
    wire = daemon.wire().send(upgrade(key=SAMPLE_KEY))
    equal(wire.response().header("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    wire.send(bytes.fromhex("8985 37fa213d 7f9f4d5158"))
    equal(wire._exactly(7), bytes.fromhex("8a05 48656c6c6f"))


# What replaces a part of the handshake, and the status; 0: anything from 400 on.
WRONG = [
    ({"Sec-WebSocket-Version": "12"}, 426), ({"Sec-WebSocket-Version": "8"}, 426),
    ({"Sec-WebSocket-Version": "14"}, 426), ({"Sec-WebSocket-Version": "0"}, 426),
    ({"Sec-WebSocket-Version": None}, 426), ({"Sec-WebSocket-Version": ""}, 426),
    ({"Sec-WebSocket-Version": "thirteen"}, 426), ({"Sec-WebSocket-Version": "113"}, 426),
    ({"Sec-WebSocket-Version": "-13"}, 426), ({"Sec-WebSocket-Version": "13.0"}, 426),
    ({"Upgrade": None}, 426), ({"Upgrade": "websockets"}, 426), ({"Upgrade": "h2c"}, 426),
    ({"Upgrade": "web socket"}, 426), ({"Upgrade": ""}, 426),
    ({"Connection": None}, 426), ({"Connection": "keep-alive"}, 426), ({"Connection": "Upgraded"}, 426),
    ({"Connection": "close"}, 426), ({"Connection": "no-upgrade"}, 426), ({"Connection": ""}, 426),
    ({"Sec-WebSocket-Key": None}, 400), ({"Sec-WebSocket-Key": ""}, 400), ({"Sec-WebSocket-Key": "x"}, 400),
    ({"Sec-WebSocket-Key": base64.b64encode(b"x" * 15).decode()}, 400),
    ({"Sec-WebSocket-Key": base64.b64encode(b"x" * 17).decode()}, 400),
    ({"Sec-WebSocket-Key": base64.b64encode(b"x" * 18).decode()}, 400),
    ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ="}, 400),
    ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ"}, 400),
    ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j_Q=="}, 400),
    ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub2 5jZQ=="}, 400),
    ({"Sec-WebSocket-Key": "=" * 24}, 400), ({"Sec-WebSocket-Key": "x" * 5000}, 400),
    ({"Content-Length": "5"}, 400), ({"Transfer-Encoding": "chunked"}, 400),
    ({"Content-Length": "-1"}, 0), ({"Host": None}, 0),
]


@case
def a_wrong_handshake_is_refused():
    daemon, rows = Daemon(), Rows()
    for headers, status in WRONG:
        with rows(repr(headers)[:100]):
            behind = b"hello" if "Content-Length" in headers else b"0\r\n\r\n" if "Transfer-Encoding" in headers else b""
            wire = daemon.wire().send(upgrade(headers=headers) + behind)
            check_refused(wire.response(), status)
    for pairs in ([("Sec-WebSocket-Key", SAMPLE_KEY), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")],
                  [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Version", "8")]):
        with rows("two of " + pairs[0][0]):
            check_refused(daemon.wire().send(upgrade(headers=pairs)).response(), 0)
    with rows("HTTP/1.0"):
        check_refused(daemon.wire().send(upgrade(version="1.0")).response(), 426)
    with rows("a plain GET"):
        check_refused(daemon.get("/_tracker/ws"), 426)
    rows.check()


def check_refused(answer, status):
    if status:
        equal(answer.status, status, repr(answer))
    assert 400 <= answer.status < 500, repr(answer)
    if status:
        answer.error()
    equal(answer.header("Sec-WebSocket-Accept"), None)
    if status == 426:
        equal(answer.header("Sec-WebSocket-Version"), "13")
        equal((answer.header("Upgrade") or "").lower(), "websocket", "Upgrade")


@case
def other_methods_are_not_allowed():
    daemon = Daemon()
    for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD"):
        wire = daemon.wire().send(upgrade(method=method, headers={"Content-Length": "0"}))
        answer = wire.response(method)
        equal(answer.status, 405, method)
        equal({m.strip() for m in answer.header("Allow").split(",")}, {"GET", "OPTIONS"}, method)
        if method != "HEAD":
            answer.error()
    equal(daemon.request("OPTIONS", "/_tracker/ws").status, 204)
    for target in ("/ws", "/_tracker/ws/x", "/_tracker/wss", "/_tracker/WS"):
        equal(daemon.wire().send(upgrade(target)).response().status, 404, target)


@case
def a_refused_handshake_may_be_tried_again_on_the_same_connection():
    daemon = Daemon()
    for headers in ({"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": "short"}, {"Origin": "https://evil.example"}):
        wire = daemon.wire().send(upgrade(headers=headers))
        answer = wire.response()
        assert answer.status in (426, 400, 403), answer
        if (answer.header("Connection") or "").lower() == "close":
            assert wire.at_end()
            continue
        wire.send(upgrade())
        equal(wire.response().status, 101, repr(headers))
        answered(wire)


@case
def what_is_pipelined_behind_the_handshake_is_taken():
    daemon = Daemon()
    three = b"".join(frame((QUERY % n).encode()) for n in range(3))
    for sent in (len(three), 0, 1, 50, 100, 200):
        socket = Socket(daemon, behind=three[:sent]).raw(three[sent:])
        for n in range(3):
            socket.response(str(n))
        socket.sync()
    # As much as one likes, and a Close last.
    ingest = frame(b'{"type":"ingest","events":[' + b",".join(
        b'{"timestamp":"2026-11-21T04:00:00Z","n":%d}' % n for n in range(5000)) + b"]}")
    socket = Socket(daemon, behind=ingest + closing(1000))
    equal(socket.ack(), 5000)
    socket.closed(1000)


@case
def a_handshake_may_follow_other_requests():
    daemon = Daemon()
    get = b"GET /_tracker?limit=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = b'{"events":[{"timestamp":"2026-11-21T04:00:00Z","id":"by post"}]}'
    post = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for together in (True, False):
        wire = daemon.wire()
        requests = [get, post, get, upgrade()]
        if together:
            wire.send(b"".join(requests) + frame((QUERY % "x").encode()))
        for n, request in enumerate(requests):
            if not together:
                wire.send(request)
            equal(wire.response().status, 101 if n == 3 else 200, "request %d" % n)
        if not together:
            wire.send(frame((QUERY % "x").encode()))
        length = wire._exactly(2)[1]
        if length == 126:
            length = int.from_bytes(wire._exactly(2), "big")
        equal(json.loads(wire._exactly(length))["reqId"], "x")


@case
def one_octet_at_a_time_is_fast_enough():
    daemon = Daemon()
    wire = daemon.wire()
    data = upgrade() + frame((QUERY % "octets").encode()) + frame(b"ping", PING) + closing(1000)
    for n in range(len(data)):
        wire.send(data[n:n + 1])
    equal(wire.response().status, 101)
    rest = b""
    while not rest.endswith(b"\x88\x02\x03\xe8"):
        rest += wire._exactly(1)
    assert b"octets" in rest and b"\x8a\x04ping" in rest, rest
    assert wire.at_end()


@case
def every_prefix_and_every_socket_has_it():
    path = "unix:" + os.path.join(directory(), "s")
    daemon = Daemon(prefix=["/a", "/b/c"], listen=["127.0.0.1:0", path])
    for target in ("/a/ws", "/b/c/ws"):
        for address in (daemon.address, path):
            Socket(daemon, target=target, address=address).ask(limit=0)
    equal(daemon.wire().send(upgrade("/_tracker/ws")).response().status, 404)


# --- permessage-deflate (RFC 7692) ------------------------------------------------------------

PMD = "permessage-deflate"

# An offer, and whether it can be agreed on. Where it limits the server's window to no less than 15
# bits it may be declined, or taken by an answer that tells that limit: WINDOW.
WINDOW = "server_max_window_bits=15"
OFFERS = [
    (PMD, True), (BROWSER_OFFER, True), (PMD + "; client_max_window_bits=15", True),
    (PMD + "; client_max_window_bits=8", True), (PMD + "; client_max_window_bits=\"10\"", True),
    (PMD + "; server_no_context_takeover", True), (PMD + "; client_no_context_takeover", True),
    (PMD + ";server_no_context_takeover;client_no_context_takeover", True), (AGREED, True),
    (PMD + "; server_max_window_bits=15", WINDOW), (PMD + " ;\tclient_max_window_bits", True),
    (PMD + "; server_max_window_bits=15; client_max_window_bits=9; server_no_context_takeover", WINDOW),
    (PMD + "; server_max_window_bits=14", False), (PMD + "; server_max_window_bits=8", False),
    (PMD + "; server_max_window_bits=16", False), (PMD + "; server_max_window_bits=7", False),
    (PMD + "; server_max_window_bits", False), (PMD + "; server_max_window_bits=015", False),
    (PMD + "; server_max_window_bits=x", False), (PMD + "; server_max_window_bits=", False),
    (PMD + "; client_max_window_bits=16", False), (PMD + "; client_max_window_bits=7", False),
    (PMD + "; client_max_window_bits=0", False), (PMD + "; client_max_window_bits=08", False),
    (PMD + "; client_max_window_bits=-9", False), (PMD + "; client_max_window_bits=1000", False),
    (PMD + "; server_no_context_takeover=1", False), (PMD + "; client_no_context_takeover=true", False),
    (PMD + "; unknown", False), (PMD + "; unknown=1", False), (PMD + "; x=\"a, b; c\"", False),
    (PMD + "; server_no_context_takeover; server_no_context_takeover", False),
    (PMD + "; client_max_window_bits; client_max_window_bits=10", False),
    (PMD + "; server_max_window_bits=15; server_max_window_bits=15", False),
    ("x-webkit-deflate-frame", False), ("permessage-deflated", False), ("permessage-bzip2", False),
    ("x; y=z", False), ("deflate", False),
    # Several: the first that fits.
    (PMD + "; server_max_window_bits=10, " + PMD, True), (PMD + "; unknown, " + PMD, True),
    ("x-unknown; a=1, " + BROWSER_OFFER, True), (PMD + "; server_max_window_bits=10, x-unknown", False),
    (PMD + "," + PMD, True), ("x; y=\"a, permessage-deflate\"", False),
    (PMD + "; server_max_window_bits=9, " + PMD + "; server_max_window_bits=8", False),
]


@case
def an_offer_of_compression_is_taken_when_it_can_be_kept():
    daemon, rows = Daemon(), Rows()
    for offer, fits in OFFERS:
        with rows(offer):
            socket = Socket(daemon, offer=offer)
            if fits != WINDOW:
                equal(socket.deflated, fits, "agreed")
            equal(socket.window_told, socket.deflated and fits == WINDOW, "server_max_window_bits told")
            message = QUERY % "packed"
            if socket.deflated:
                socket.send(message, packed=True).response("packed")
            socket.send(message).response("packed")
    for offers, fits in [((PMD + "; unknown", PMD), True), (("x-y", BROWSER_OFFER), True), (("x", "y"), False)]:
        with rows("in %d headers: %s" % (len(offers), offers)):
            socket = Socket(daemon, headers=[("Sec-WebSocket-Extensions", o) for o in offers], offer=offers[0])
            equal(socket.deflated, fits)
    rows.check()


@case
def a_malformed_offer_is_declined_or_refused():
    daemon, rows = Daemon(), Rows()
    for offer in ("", ";", ",", "=", PMD + ";", PMD + "; =1", PMD + "; client_max_window_bits=\"10",
                  PMD + " x", PMD + "; client_max_window_bits=10 5", "\"" + PMD + "\"", PMD + "=1"):
        with rows(offer):
            wire = daemon.wire().send(upgrade(headers={"Sec-WebSocket-Extensions": offer}))
            answer = wire.response()
            if answer.status != 400:
                equal(answer.status, 101)
                equal(answer.header("Sec-WebSocket-Extensions"), None)
                answered(wire)
    rows.check()


@case
def without_an_agreement_a_compressed_message_is_an_error():
    daemon = Daemon()
    for offer in (None, PMD + "; server_max_window_bits=10"):
        Socket(daemon, offer=offer).send(QUERY % 1, packed=True).closed(1002)


@case
def what_a_foreign_page_asks_is_refused():
    daemon = Daemon()
    for origin in ("https://evil.example", "null"):
        try:
            Socket(daemon, headers={"Origin": origin})
            raise AssertionError("%s may" % origin)
        except Refused as refused:
            equal(refused.answer.status, 403)
            refused.answer.error()


main()
