"""Thousands of clients that read or send too slowly, on purpose or not: memory stays bounded, the others are
served, and the slow ones go at the deadlines that the manual names. limits.py, ws_pressure.py and
memory.py have these one at a time; and whoever reads everything while it comes in.

  BEACOND_TEST_LONG  1: thousands of each
"""

import contextlib
import os
import socket
import threading
import time

import certs
import stores
from crowds import SHAKE, TAIL, Reader, allowed
from harness import (NOW, PATIENCE, SLOW, Daemon, Skip, batch, case, case_of_time, equal, event, main, parse_address,
                     poll, scale)
from sockets import frame
from tally import check_tally

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
MI = 1 << 20
WHOLE = b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\n\r\n"
PACKED = b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
OLDER = TAIL[:-2] + b"Last-Event-ID: 0\r\n\r\n"
QUERY = frame(b'{"type":"events:query","reqId":"q","query":{}}')


def narrow(daemon, request):
    """A connection that takes little before its client reads, with the request on its way."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(PATIENCE)
    sock.connect(parse_address(daemon.address)[1])
    sock.sendall(request)
    return sock


def fill(daemon, count):
    """So many events of a KiB that gzip makes half as large."""
    connection = daemon.connection()
    for start in range(0, count, 2000):
        daemon.save([event(NOW + n, n, payload='"%s"' % os.urandom(450).hex()) for n in range(start, start + 2000)],
                    connection=connection)
    connection.close()


class Others:
    """Well-behaved clients, all the while: each is answered, and right."""

    def __init__(self, daemon, base):
        self.daemon, self.saved, self.base = daemon, 0, base

    def __call__(self):
        connection = self.daemon.connection()  # each time: one that is kept is silent for too long, itself
        self.daemon.save([event(NOW + 10 ** 9)], connection=connection)
        self.saved += 1
        answer = connection.request("GET", "/_tracker?limit=3").json()
        connection.close()
        equal((len(answer["events"]), answer["total"]), (3, self.base + self.saved))
        return True


@case_of_time
def readers_that_take_nothing_or_a_byte_a_second_are_dropped_in_time():
    each = allowed(4 * (1000 if LONG else scale(150, 20))) // 4
    count = scale(20000, 4000)
    daemon = Daemon(max_reads=10 * each, timeout="5s", ping_interval="2s", threads=2, max_connections=10 * each)
    fill(daemon, count)
    others = Others(daemon, count)
    others()
    for request in (WHOLE, PACKED):
        daemon.request("GET", "/_tracker", {"Accept-Encoding": "gzip"} if request is PACKED else {})
    base, before = daemon.sockets(), daemon.rss()
    daemon.reset_peak()
    crowd = []
    for kind in (WHOLE, PACKED, OLDER, SHAKE + QUERY):
        crowd += [narrow(daemon, kind) for _ in range(each)]
    began = time.monotonic()
    trickle, going = crowd[::2], threading.Event()

    def sip():
        """A byte a second of every other one."""
        while not going.wait(1):
            for sock in trickle:
                with contextlib.suppress(OSError):
                    sock.recv(1)

    thread = threading.Thread(target=sip)
    thread.start()
    try:
        poll(lambda: others() and daemon.sockets() <= base, "all of them to be dropped")
    finally:
        going.set()
        thread.join()
    print("# %d readers of %.0f MB that took nothing were gone after %.1f s (timeout 5 s); %.1f KiB each at the "
          "highest; %d requests of others answered meanwhile" % (
              len(crowd), count / 1000, time.monotonic() - began, (daemon.peak() - before) / len(crowd) / 1024,
              2 * others.saved))
    assert SLOW or daemon.peak() - before <= 32 * MI + len(crowd) * MI, (daemon.peak() - before) / MI
    for sock in crowd:
        sock.close()
    equal(daemon.total(), count + others.saved)


# --- slow to send -------------------------------------------------------------------------------

def stalls():
    """Beginnings of what never comes to its end, and what is sent on, byte by byte."""
    body = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n"
    chunks = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [("nothing", b"", b""), ("a head", b"GET /_tracker HTTP/1.1\r\n", b"X-Header: y\r\n" * 500),
            ("a body", body, b" " * 50000), ("chunks", chunks, b"1\r\n \r\n" * 5000), ("a chunk", chunks + b"ffff\r\n", b" " * 50000),
            ("a frame", SHAKE + frame(batch([event()]))[:-9], b""), ("a handshake", SHAKE[:-2], b"X-Header: y\r\n" * 500),
            ("a frame's head", SHAKE + b"\x81\xfe", b"")]


@case_of_time
def senders_that_never_come_to_an_end_are_dropped_in_time():
    each = allowed(8 * (1000 if LONG else scale(60, 10))) // 8
    daemon = Daemon(timeout="3s", head_timeout="2s", body_timeout="3s", ping_interval="2s", threads=2)
    others = Others(daemon, 3)
    daemon.save([event() for _ in range(3)])
    others()
    base, before = daemon.sockets(), daemon.rss()
    daemon.reset_peak()
    crowd = []
    for name, start, rest in stalls():
        for _ in range(each):
            sock = daemon.connect()
            sock.sendall(start)
            crowd.append((sock, rest))
    began, at = time.monotonic(), 0

    def turn():
        """A byte more of each that goes on; the others are served meanwhile."""
        nonlocal at
        for sock, rest in crowd:
            with contextlib.suppress(OSError):
                sock.send(rest[at % max(len(rest), 1):][:1], socket.MSG_DONTWAIT)
        at += 1
        return others() and daemon.sockets() <= base

    poll(turn, "all of them to be dropped")
    print("# %d senders that never came to an end were gone after %.1f s; %.1f KiB each at the highest; %d requests of "
          "others answered meanwhile" % (len(crowd), time.monotonic() - began,
                                         (daemon.peak() - before) / len(crowd) / 1024, 2 * others.saved))
    assert SLOW or daemon.peak() - before <= 8 * MI + len(crowd) * 40 * 1024, (daemon.peak() - before) / MI
    for sock, _ in crowd:
        sock.close()
    equal(daemon.total(), 3 + others.saved)


@case_of_time
def handshakes_that_never_come_to_an_end_are_dropped_in_time():
    if not certs.there():
        raise Skip("there is no openssl command")
    folder, each = certs.authority(), 1000 if LONG else scale(100, 10)
    daemon = Daemon(tls_cert=os.path.join(folder, "cert.pem"), tls_key=os.path.join(folder, "key.pem"), timeout="3s",
                    head_timeout="2s", threads=2)
    others = Others(daemon, 3)
    daemon.save([event() for _ in range(3)])
    others()
    base = daemon.sockets()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32)) * 4
    crowd = [daemon.connect(bare=True) for _ in range(allowed(2 * each))]
    for n, sock in enumerate(crowd):
        sock.sendall(hello[:1] if n % 2 else hello)
    began, at = time.monotonic(), 0

    def turn():
        nonlocal at
        for sock in crowd[::2]:
            with contextlib.suppress(OSError):
                sock.send(hello[at % len(hello):][:1], socket.MSG_DONTWAIT)
        at += 1
        return others() and daemon.sockets() <= base

    poll(turn, "all of them to be dropped")
    print("# %d handshakes that never came to an end were gone after %.1f s" % (len(crowd), time.monotonic() - began))
    for sock in crowd:
        sock.close()
    equal(daemon.total(), 3 + others.saved)


# --- everything, while it comes in -------------------------------------------------------------------

@case
def everything_is_read_by_several_at_once_while_it_comes_in():
    daemon = Daemon(cache_bytes="1M", timeout="1h", readers=2, max_events=10 ** 9)
    count = 501000 if LONG else scale(30000, 3000)  # whole steps
    connection, step = daemon.connection(), 3000
    for start in range(0, count, step):
        daemon.save([event(NOW + n // 50, n) for n in range(start, start + step)], packed=True, connection=connection)
    sent, wal, over, trouble = [count], [], threading.Event(), []

    def ingest():
        try:
            mine = daemon.connection()
            while not over.is_set():
                first = sent[0]
                daemon.save([event(NOW + n // 50, n) for n in range(first, first + 250)], connection=mine)
                sent[0] = first + 250
                wal.append(stores.wal_bytes(daemon.database))
            mine.close()
        except Exception as error:
            trouble.append(error)

    def read(n):
        try:
            for _ in range(8 if LONG else 2):
                least = sent[0]
                reader = Reader(daemon, packed=n % 2 == 1)
                got = reader.rest()
                # A moment of its own: all that was committed before it was asked, nothing of later by halves.
                assert least <= got == reader.total() and got % 250 == 0, (least, got, reader.total())
        except Exception as error:
            trouble.append(error)

    ingesting = threading.Thread(target=ingest)
    readers = [threading.Thread(target=read, args=(n,)) for n in range(4)]
    ingesting.start()
    for thread in readers:
        thread.start()
    for thread in readers:
        thread.join()
    over.set()
    ingesting.join()
    equal(trouble, [])
    during = sent[0] - count
    print("# %d events came in while %d and more were read %d times; the WAL had %.1f MiB at most"
          % (during, count, 4 * (8 if LONG else 2), max(wal) / MI))
    assert during > 0, "ingest stood still"
    # Readers that leave no gap are kept out for a moment once it is 63 MiB long (store/sqlite/checkpoint.h), and once
    # more should the machine have had no time for one of them.
    assert max(wal) <= 96 * MI, "a WAL of %d bytes" % max(wal)
    poll(lambda: not stores.wal_bytes(daemon.database), "the WAL to be put back")
    equal(daemon.total(), sent[0])
    check_tally(daemon.database)


main()
