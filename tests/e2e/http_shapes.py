"""Requests of shapes that no client should send, down to the byte (FIELD-NOTES: evhttp).

Each must be answered as the table says, or the connection closed, without smuggling a second
request past whatever stands in front of the daemon, and others must be served all the while.
"""

import resource
import socket
import threading

from harness import (NOW, Closed, Daemon, Rows, batch, case, equal, event, main, poll, scale)

ORIGIN = b"Origin: http://localhost:5173\r\n"
HEAD = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\n"
BODY = batch([event(NOW, 1)])
PING = b"GET /_tracker/ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLED = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
CLOSE = "close"  # an outcome: closed without an answer


def length(value, body=BODY):
    return HEAD + b"Content-Length" + value + b"\r\n\r\n" + body


def with_line(line, body=BODY):
    return HEAD + line + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def get(line=b"", target=b"/_tracker/ping", version=b"HTTP/1.1", host=b"Host: localhost\r\n"):
    return b"GET " + target + b" " + version + b"\r\n" + host + (line + b"\r\n" if line else b"") + b"\r\n"


L = b": %d" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

# Name, bytes, allowed outcomes (statuses or CLOSE). None of these may store anything, and the
# connection must be closed behind the answer: where the next request begins is not known.
REFUSED = [
    ("two equal Content-Length", HEAD + b"Content-Length" + L + b"\r\nContent-Length" + L + b"\r\n\r\n" + BODY, {400}),
    ("two different Content-Length", HEAD + b"Content-Length: 0\r\nContent-Length" + L + b"\r\n\r\n" + SMUGGLED, {400}),
    ("the same in another case", HEAD + b"content-length: 0\r\nCONTENT-LENGTH" + L + b"\r\n\r\n" + SMUGGLED, {400}),
    ("a list of lengths", length(b": 0, %d" % len(BODY)), {400}),
    ("a signed length", length(b": +%d" % len(BODY)), {400}),
    ("a negative length", length(b": -1"), {400}),
    ("a hexadecimal length", length(b": 0x%x" % len(BODY)), {400}),
    ("an empty length", length(b": "), {400}),
    ("a length of words", length(b": many"), {400}),
    ("a length with a tail", length(b": %dx" % len(BODY)), {400}),
    ("a length in two parts", length(b": 1 2"), {400}),
    ("a length beyond 64 bits", length(b": 99999999999999999999999"), {400, 413}),
    ("a length that wraps at 64 bits", length(b": 18446744073709551617"), {400, 413}),
    ("a length of 2^63", length(b": 9223372036854775808"), {400, 413}),
    ("a length of a terabyte", length(b": 1000000000000"), {413}),
    ("a blank before the colon", length(b" : %d" % len(BODY)), {400}),
    ("a tab before the colon", length(b"\t: %d" % len(BODY)), {400}),
    ("a fold before the colon", HEAD + b"Content-Length\r\n : 5\r\n\r\n" + SMUGGLED, {400}),
    ("another transfer coding", HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + BODY, {400, 501}),
    ("identity", HEAD + b"Transfer-Encoding: identity\r\nContent-Length" + L + b"\r\n\r\n" + BODY, {400, 501}),
    ("chunked and more", HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", {400, 501}),
    ("more and chunked", HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    ("two codings", HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", {400, 501}),
    ("chunked twice", HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    ("a spelling of chunked", HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    ("chunked behind a vertical tab", HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400, 501}),
    ("chunked behind a blank name", HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
    ("coding and length", HEAD + b"Content-Length: 4\r\n" + CHUNKED + b"0\r\n\r\n" + SMUGGLED, {400}),
    ("length and coding", HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
    ("coding in HTTP/1.0", HEAD.replace(b"1.1", b"1.0") + CHUNKED + b"0\r\n\r\n" + SMUGGLED, {400, 505}),
    ("a HEAD with a body", b"HEAD /_tracker HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
     % (len(SMUGGLED), SMUGGLED), {400}),
    ("a chunk size below zero", HEAD + CHUNKED + b"-1\r\n" + SMUGGLED, {400, CLOSE}),
    ("a signed chunk size", HEAD + CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n" + SMUGGLED, {400, CLOSE}),
    ("a chunk size with 0x", HEAD + CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n" + SMUGGLED, {400, CLOSE}),
    ("a chunk size of words", HEAD + CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", {400, CLOSE}),
    ("a chunk size that wraps", HEAD + CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n", {400, 413, CLOSE}),
    ("a chunk size of 2^63", HEAD + CHUNKED + b"8000000000000000\r\nhello\r\n0\r\n\r\n", {400, 413, CLOSE}),
    ("a chunk of a terabyte", HEAD + CHUNKED + b"E8D4A51000\r\nhello\r\n0\r\n\r\n", {400, 413, CLOSE}),
    ("a chunk longer than it says", HEAD + CHUNKED + b"3\r\nhello\r\n0\r\n\r\n" + SMUGGLED, {400, CLOSE}),
    ("a fold in a header", with_line(b"X-Folded: a\r\n b"), {400}),
    ("a fold as the first header", b"POST /_tracker/events HTTP/1.1\r\n Host: localhost\r\n\r\n", {400, 403}),
    ("a header without a name", with_line(b": x"), {400}),
    ("a header without a colon", with_line(b"Nonsense"), {400}),
    ("a blank within a name", with_line(b"Two Words: x"), {400}),
    ("a parenthesis in a name", with_line(b"(x): y"), {400}),
    ("a control character in a name", with_line(b"X\x01Y: z"), {400}),
    ("a high byte in a name", with_line(b"X\xe9: z"), {400}),
    ("a NUL in a name", with_line(b"X\0Y: z"), {400}),
    ("a NUL in a value", with_line(b"X-Y: a\0b"), {400}),
    ("a NUL in the target", get(target=b"/_tracker/ping\0x"), {400}),
    ("a NUL in the method", b"GE\0T /health HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, CLOSE}),
    ("a bare CR in a value", with_line(b"X-Y: a\rContent-Length: 0"), {400}),
    ("a bare CR in the target", get(target=b"/_tracker/ping\rx"), {400}),
    ("a target with a blank", get(target=b"/_tracker/ping x"), {400}),
    ("a target with a tab", get(target=b"/_tracker/ping\tx"), {400}),
    ("a target with raw high bytes", get(target=b"/_tracker/\xff\xfe"), {400, 404}),
    ("no target", b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, CLOSE}),
    ("an empty target", b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, CLOSE}),
    ("a relative target", get(target=b"_tracker/ping"), {400, 404}),
    ("no version", b"GET /_tracker/ping\r\nHost: localhost\r\n\r\n", {400, 505, CLOSE}),
    ("HTTP/0.9", b"GET /_tracker/ping\r\n", {400, 505, CLOSE}),
    ("HTTP/2.0", get(version=b"HTTP/2.0"), {400, 505, CLOSE}),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 403, 405, 505, CLOSE}),
    ("HTTP/9.9", get(version=b"HTTP/9.9"), {400, 505, CLOSE}),
    ("a version of words", get(version=b"HTTP/one"), {400, 505, CLOSE}),
    ("another protocol", get(version=b"HTCPCP/1.0"), {400, 505, CLOSE}),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n", {400, 403, CLOSE}),
    ("noise", bytes(range(1, 256)) * 4 + b"\r\n\r\n", {400, 403, CLOSE}),
    ("two Hosts", get(b"Host: localhost"), {400, 403}),
    ("two Hosts, one foreign", get(b"Host: evil.example"), {400, 403}),
    ("two keys of Origin", get(b"Origin: http://localhost\r\nOrigin: http://evil.example"), {400}),
    ("a long method", b"A" * 10000 + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, 405, 431, 501, CLOSE}),
    ("a target over the limit", get(target=b"/" + b"a" * 20000), {414, 431}),
    ("a header over the limit", get(b"X-Long: " + b"a" * 20000), {431}),
    ("many headers over the limit", get(b"\r\n".join(b"X-%d: y" % n for n in range(5000))), {431}),
    ("a head of a megabyte", get(b"X-Long: " + b"a" * 1000000), {431}),
    ("a head without an end", b"GET /_tracker/ping HTTP/1.1\r\nX-Long: " + b"a" * 100000, {431}),
    ("a line without an end", b"G" * 100000, {400, 414, 431, CLOSE}),
]

UNFINISHED = ("HTTP/0.9", "a line without an end", "a head without an end", "TLS")

# These must be answered so, and the connection stays usable.
ANSWERED = [
    ("an unknown method", b"BREW /_tracker/ping HTTP/1.1\r\nHost: localhost\r\n\r\n", {405, 501}),
    ("a method in small letters", b"get /_tracker/ping HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, 405, 501}),
    ("TRACE", b"TRACE /_tracker/ping HTTP/1.1\r\nHost: localhost\r\n\r\n", {405, 501}),
    ("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, 404, 405, 501}),
    ("OPTIONS of everything", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", {200, 204, 400, 404}),
    ("PATCH with a body", b"PATCH /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
     % (len(SMUGGLED), SMUGGLED), {405}),
    ("PUT with a body", b"PUT /_tracker/ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", {405}),
    ("DELETE", b"DELETE /_tracker/events HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}),
    ("a GET with a body", b"GET /_tracker/ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
     % (len(SMUGGLED), SMUGGLED), {200, 400}),
    ("a GET with a chunked body", b"GET /_tracker/ping HTTP/1.1\r\nHost: localhost\r\n" + CHUNKED
     + b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), {200, 400}),
    ("the absolute form", get(target=b"http://localhost/_tracker/ping"), {200, 400}),
    ("the absolute form with a port", get(target=b"http://localhost:4242/_tracker/ping?x=1"), {200, 400}),
    ("a fragment", get(target=b"/_tracker/ping#x"), {200, 400, 404}),
    ("an escaped slash", get(target=b"/_tracker%2Fping"), {400, 404}),
    ("an escaped letter", get(target=b"/_tracker/pin%67"), {200, 404}),
    ("an escaped NUL", get(target=b"/_tracker/ping%00"), {400, 404}),
    ("a bad escape", get(target=b"/_tracker/ping%zz"), {400, 404}),
    ("dots", get(target=b"/_tracker/../_tracker/ping"), {400, 404}),
    ("double slashes", get(target=b"//_tracker//ping"), {400, 404}),
    ("a double slash as a host", get(target=b"//evil.example/_tracker/ping"), {400, 404}),
    ("a slash at the end", get(target=b"/_tracker/ping/"), {404}),
    ("the root", get(target=b"/"), {200}),
    ("another case", get(target=b"/_TRACKER/ping"), {404}),
    ("the prefix and more", get(target=b"/_trackerx"), {404}),
    ("a long query", get(target=b"/_tracker/ping?" + b"a" * 10000), {200}),
    ("header values with high bytes", get(b"X-Y: \xff\xfe\x80"), {200}),
    ("empty header values", get(b"X-Y:\r\nX-Z:   "), {200}),
    ("no blank behind the colon", b"GET /_tracker/ping HTTP/1.1\r\nHost:localhost\r\n\r\n", {200}),
    ("blanks behind a value", get(b"X-Y: a \t "), {200}),
    ("Expect of something else", get(b"Expect: 200-ok"), {200, 417}),
    ("Upgrade to h2c", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"), {200}),
    ("an empty line before", b"\r\n" + PING, {200}),
]


def served(daemon):
    """Others are served."""
    equal(daemon.get("/health").status, 200, "others")


def first_answer(wire, method="GET"):
    """The status of the first answer, CLOSE when there is none; the Response or None."""
    try:
        answer = wire.response(method)
    except Closed:
        return CLOSE, None
    return answer.status, answer


def refused(daemon, name, data, allowed, pieces=()):
    wire = daemon.wire()
    wire.sock.settimeout(scale(3, 10))
    for piece in pieces:  # each arrives alone
        wire.send(data[:piece])
        data = data[piece:]
        poll(lambda: daemon.unread() == 0, "the daemon to read a piece")
    wire.send(data)
    if name in UNFINISHED:
        wire.half_close()  # nothing more will come; the daemon need not wait for it
    status, answer = first_answer(wire, "HEAD" if name == "a HEAD with a body" else "GET")
    assert status in allowed, "%s, expected %s" % (answer or status, allowed)
    if answer and name != "a HEAD with a body":
        answer.error()
    assert wire.at_end(), "a second answer: %r" % wire.buffer[:200]
    wire.close()


@case
def malformed_requests_are_refused_and_their_connection_closed():
    daemon, rows = Daemon(), Rows()
    for name, data, allowed in REFUSED:
        for origin in (b"", ORIGIN):
            if origin and (b"\r\nHost: localhost\r\n" not in data or name == "two keys of Origin"):
                continue
            with rows(name):
                sent = data.replace(b"\r\nHost: localhost\r\n", b"\r\nHost: localhost\r\n" + origin, 1)
                refused(daemon, name, sent, allowed)
    rows.check()
    equal(daemon.total(), 0, "smuggled events")
    equal(daemon.sql("select count(*) from rejects"), [(0,)])
    served(daemon)


@case
def malformed_requests_are_refused_just_so_when_they_arrive_in_pieces():
    daemon, rows, number = Daemon(), Rows(), 0
    for name, data, allowed in REFUSED:
        if name in UNFINISHED or name == "HTTP/0.9":
            continue
        lines = [n + 1 for n in range(min(len(data), 500)) if data[n:n + 1] == b"\n"][:6]
        cuts = [[cut] for cut in lines[:3]] + [[cut - 1] for cut in lines[:3]] + [[4096], [7, 10, 50]]
        for cut in cuts + [[b - a for a, b in zip([0] + lines, lines)]]:
            number += 1
            if sum(cut) < len(data) and all(piece > 0 for piece in cut) and number % scale(1, 4) == 0:
                with rows("%s, in pieces of %s" % (name, cut)):
                    refused(daemon, name, data, allowed, cut)
    rows.check()
    equal(daemon.total(), 0, "smuggled events")
    served(daemon)


@case
def long_heads_within_the_limit_are_taken_however_they_arrive():
    daemon = Daemon(head_timeout="10m")
    for count in (100, 300, 600, 1200):
        data = get(b"\r\n".join(b"X-%d: y" % n for n in range(count)))
        assert len(data) < 16384
        for size in (len(data), 4096, 1000, 97):
            wire = daemon.wire()
            for at in range(0, len(data), size):
                wire.send(data[at:at + size])
                if size < 4096:
                    poll(lambda: daemon.unread() == 0, "the daemon to read a piece")
            equal(wire.response().status, 200, "%d headers in pieces of %d" % (count, size))
            wire.send(PING)
            equal(wire.response().status, 200, "the next")
            wire.close()


@case
def errors_about_the_form_of_a_request_carry_cors_headers_where_the_head_was_read():
    daemon = Daemon()
    for name in ("a signed length", "another transfer coding", "coding and length", "a list of lengths",
                 "a length of a terabyte", "two equal Content-Length"):
        data = [d for n, d, _ in REFUSED if n == name][0]
        wire = daemon.wire().send(data.replace(b"\r\nHost", b"\r\n" + ORIGIN + b"Host", 1))
        answer = wire.response()
        equal(answer.header("Access-Control-Allow-Origin"), "http://localhost:5173", name)


def answered(daemon, data, allowed):
    wire = daemon.wire()
    wire.sock.settimeout(scale(3, 10))
    wire.send(data)
    answer = wire.response()
    assert answer.status in allowed, "%r, expected %s" % (answer, allowed)
    if answer.status >= 400:
        answer.error()
    if answer.status == 405:
        assert answer.header("Allow"), "no Allow"
    # Either the next request is answered as itself or the connection is closed.
    wire.send(PING)
    status, answer = first_answer(wire)
    assert status in (200, CLOSE), "next %r" % answer
    if answer:
        assert "version" in answer.json(), "next %r" % answer
    wire.close()


@case
def odd_but_clear_requests_are_answered_and_the_connection_goes_on():
    daemon, rows = Daemon(), Rows()
    for name, data, allowed in ANSWERED:
        with rows(name):
            answered(daemon, data, allowed)
    rows.check()
    equal(daemon.total(), 0)
    served(daemon)


@case
def hosts_and_versions_are_handled():
    daemon = Daemon(key="tk_test")
    # HTTP/1.0: answered, and closed unless it asks otherwise.
    wire = daemon.wire().send(b"GET /health HTTP/1.0\r\n\r\n")
    equal(wire.response().status, 200)
    assert wire.at_end()
    wire = daemon.wire().send(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    answer = wire.response()
    equal(answer.status, 200)
    wire.send(PING)
    assert first_answer(wire)[0] in (200, CLOSE)
    # HTTP/1.1 without Host is malformed, whether or not the keys would decide.
    wire = daemon.wire().send(b"GET /health HTTP/1.1\r\n\r\n")
    status, _ = first_answer(wire)
    assert status in (200, 400), status
    wire = daemon.wire().send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    equal(wire.response().status, 200)
    assert wire.at_end()


@case
def a_request_of_single_bytes_is_taken():
    daemon = Daemon()
    wire = daemon.wire()
    for n in range(len(SMUGGLED)):
        wire.send(SMUGGLED[n:n + 1])
    equal(wire.response().json()["saved"], 1)
    wire = daemon.wire()
    chunked = HEAD + CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in batch([event()])) + b"0\r\n\r\n"
    for n in range(len(chunked)):
        wire.send(chunked[n:n + 1])
    equal(wire.response().json()["saved"], 1)
    equal(daemon.total(), 2)


@case
def chunks_may_have_extensions_and_trailers():
    daemon = Daemon()
    wire = daemon.wire().send(HEAD + CHUNKED + b"%x;name=value\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n"
                              % (len(BODY), BODY) + PING)
    status, answer = first_answer(wire)
    equal(status, 200)
    equal(answer.json()["saved"], 1)
    status, answer = first_answer(wire)
    assert status == CLOSE or answer.json()["ok"]


@case
def requests_in_one_segment_are_answered_in_order():
    daemon = Daemon()
    count = 50
    parts = []
    for n in range(count):
        body = batch([event(NOW + n, n)])
        parts.append(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        parts.append(b"GET /_tracker?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        parts.append(PING)
        parts.append(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wire = daemon.wire().send(b"".join(parts))
    for n in range(count):
        equal(wire.response().json()["saved"], 1)
        answer = wire.response().json()
        equal((answer["total"], answer["events"][0]["n"]), (n + 1, n))
        assert "version" in wire.response().json()
        equal(wire.response().status, 404)


@case
def an_error_before_the_body_was_looked_at_leaves_the_connection_in_step():
    daemon = Daemon(key="tk_test")
    body = SMUGGLED * 3  # each refused body holds requests
    for head in (b"POST /_tracker/events HTTP/1.1", b"POST /nowhere HTTP/1.1", b"PUT /_tracker HTTP/1.1",
                 b"POST /_tracker/k/wrong/events HTTP/1.1", b"POST /_tracker/ping HTTP/1.1"):
        wire = daemon.wire().send(head + b"\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
                                  + body + PING)
        answer = wire.response()
        assert answer.status in (401, 404, 405), answer
        status, answer = first_answer(wire)
        assert status == CLOSE or answer.json()["ok"] is True, answer
        wire.close()


@case
def a_client_that_has_closed_its_half_still_gets_its_answers():
    daemon = Daemon()
    wire = daemon.wire().send(SMUGGLED + b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\n\r\n").half_close()
    equal(wire.response().json()["saved"], 1)
    equal(wire.response().json()["total"], 1)
    wire = daemon.wire().send(b"GET /_tracker HTTP/1.0\r\nHost: localhost\r\n\r\n").half_close()
    equal(wire.response().json()["total"], 1)


@case
def clients_that_go_away_at_any_point_hurt_nobody():
    daemon = Daemon()
    daemon.save([event(NOW + n, n, payload='"%s"' % ("x" * 500)) for n in range(scale(5000, 500))])
    request = b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
    for hard in (False, True):
        for cut in list(range(0, len(SMUGGLED), 7)):
            wire = daemon.wire().send(SMUGGLED[:cut])
            if hard:
                wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.close()
        for data in (request, request.replace(b"Accept-Encoding: gzip\r\n", b""), request * 3, SMUGGLED,
                     HEAD + CHUNKED + b"5\r\nhel"):
            for wait in (0, 1, 5000):
                wire = daemon.wire().send(data)
                if wait and data[:3] == b"GET":
                    wire.sock.recv(wait)
                if hard:
                    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                wire.close()
    served(daemon)
    daemon.read("limit=1")


@case
def many_silent_clients_do_not_keep_others_out():
    daemon = Daemon()
    idle = [daemon.connect() for _ in range(200)]
    requests = []
    for _ in range(100):
        body = batch([event()])
        requests.append(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    half = [daemon.wire().send(request[:40 + n]) for n, request in enumerate(requests)]
    served(daemon)
    daemon.save([event()])
    for n, wire in enumerate(half):
        equal(wire.send(requests[n][40 + n:]).response().json()["saved"], 1)
    for sock in idle:
        sock.close()
    equal(daemon.total(), 101)


@case
def a_silent_connection_is_closed_after_the_timeout():
    daemon = Daemon(timeout="1s")
    for data in (b"", b"GET /hea", SMUGGLED[:-5], PING):
        wire = daemon.wire().send(data)
        if data == PING:
            equal(wire.response().status, 200)
        status, answer = first_answer(wire)
        assert status in (CLOSE, 408), "%r: %r" % (data, answer)
    served(daemon)


@case
def more_clients_than_descriptors_are_waited_out():
    daemon = Daemon(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96)))
    crowd = [daemon.connect(bare=True) for _ in range(150)]
    lines = len(daemon.log())
    for sock in crowd[:120]:
        sock.close()
    poll(lambda: _try(daemon), "service once descriptors are free again")
    daemon.save([event()])
    assert len(daemon.log()) - lines < 200, "the log is flooded"
    for sock in crowd:
        sock.close()


def _try(daemon):
    try:
        return daemon.get("/health").status == 200
    except OSError:
        return False


@case
def slow_bodies_of_many_clients_at_once_are_all_taken():
    daemon = Daemon()
    trouble = []

    def client(number):
        try:
            body = batch([event(payload='"%s"' % ("y" * 100)) for _ in range(100)])
            data = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
            wire = daemon.wire()
            for at in range(0, len(data), 97 + number):
                wire.send(data[at:at + 97 + number])
            equal(wire.response().json()["saved"], 100)
            wire.close()
        except Exception as error:
            trouble.append("%d: %r" % (number, error))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(scale(40, 10))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(trouble, [])
    equal(daemon.total(), 100 * len(threads))


main()
