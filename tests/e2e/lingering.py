"""A refused request whose client goes on sending: the answers in front of it, and its own, arrive.

A socket that is closed while input comes resets the connection (src/server/linger.h). So here a client that
sends all before it reads anything must never see an error, and must be given everything, to the end."""

import re

from harness import BROKEN, Daemon, Wire, becomes, case, equal, event, main, repeated, scale
from sockets import narrow

PING = b"GET /_tracker/ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BAD = POST + b"Content-Length: +5\r\n\r\n"
PIECE = b"x" * 65536


def strict(daemon, pieces, statuses, what):
    """Sends all pieces, then reads the answers and the end; any error of the socket fails."""
    sock = narrow(daemon, 4096)
    wire = Wire(sock)
    for piece in pieces:
        sock.sendall(piece)
    answers = [wire.response() for _ in statuses]
    equal([answer.status for answer in answers], statuses, what)
    equal((wire.buffer, sock.recv(1)), (b"", b""), what)
    sock.close()
    return answers


def connections(daemon):
    shown = daemon.get("/metrics").body.decode()
    return int(re.search(r"^beacond_connections (\d+)$", shown, re.MULTILINE).group(1))


def cut_off(daemon, pieces):
    """Whether the daemon has had enough of one that sends for ever."""
    sock = daemon.connect()
    try:
        for piece in pieces:
            sock.sendall(piece)
    except BROKEN:
        return True
    finally:
        sock.close()
    return False


@case
def answers_in_front_of_a_bad_request_always_arrive():
    daemon = Daemon(threads=2)
    page = daemon.get("/").body
    with repeated(daemon, lambda connection, n: daemon.post([event(n=n)], connection=connection)):
        for n in range(scale(200, 60)):
            answers = strict(daemon, [PAGE + PING + PAGE + BAD, PIECE * 4], [200, 200, 200, 400], n)
            equal([answer.body for answer in answers[::2]], [page] * 2)


@case
def a_body_too_large_is_sent_to_its_end_and_413_read():
    daemon = Daemon(threads=2, max_body="64K")
    chunk = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
    for n in range(scale(20, 5)):
        strict(daemon, [POST + b"Content-Length: %d\r\n\r\n" % (10 << 20)] + [PIECE] * 160, [413], n)
        strict(daemon, [POST + b"Transfer-Encoding: chunked\r\n\r\n"] + [chunk] * 160 + [b"0\r\n\r\n"], [413], n)


@case
def a_body_that_is_refused_behind_its_head_is_sent_to_its_end():
    daemon = Daemon(threads=2)
    chunks = [b"4\r\nabcd\r\nzz\r\n"] + [PIECE] * 40
    for n in range(scale(20, 5)):
        strict(daemon, [POST + b"Transfer-Encoding: chunked\r\n\r\n"] + chunks, [400], n)
        lines = POST.replace(b"/json", b"/x-ndjson") + b"Transfer-Encoding: chunked\r\n\r\n"
        strict(daemon, [lines] + chunks, [400], n)
        strict(daemon, [b"GET /" + b"x" * 65536 * 4 + b" HTTP/1.1\r\n"] + [PIECE] * 40, [431], n)


@case
def who_says_nothing_more_and_does_not_close_is_closed():
    daemon = Daemon()
    kept = [Wire(daemon.connect()).send(BAD) for _ in range(40)]
    for wire in kept:
        equal(wire.response().status, 400)
        assert wire.at_end()
    becomes(lambda: connections(daemon), 1)


@case
def who_never_stops_sending_is_cut_off():
    daemon = Daemon()
    assert cut_off(daemon, [BAD] + [PIECE * 16] * 400)
    becomes(lambda: connections(daemon), 1)


@case
def no_more_than_a_part_of_all_connections_is_held_by_them():
    daemon = Daemon(max_connections=40, threads=1)
    kept = [Wire(daemon.connect()).send(BAD) for _ in range(30)]
    for wire in kept:
        equal(wire.response().status, 400)
        assert wire.at_end()
    assert connections(daemon) <= 12
    daemon.stop()


main()
