"""Very many connections at once: idle ones of every kind, and all that come back in the same second after
a restart. limits.py has the rules for few; here is whether they hold for thousands.

  BEACOND_TEST_LONG  1: 10,000 of each; else the herd is smaller
"""

import collections
import heapq
import os
import random
import select
import socket
import time

import stores
from crowds import PING, SHAKE, TAIL, allowed, post
from harness import (NOW, SLOW, Daemon, Wire, batch, case, directory, equal, event, lasting_address, main,
                     parse_address, poll, scale)
from sockets import frame
from tally import check_tally

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
KI = 1 << 10


def descriptors(daemon):
    return len(os.listdir("/proc/%d/fd" % daemon.pid))


class Crowd:
    """Connections of one kind. Each step is taken by all before the first is waited for."""

    def __init__(self, daemon, count, hello, expected):
        self.daemon, self.socks = daemon, [daemon.connect() for _ in range(count)]
        self.ask(hello, expected)

    def ask(self, request, expected):
        """All send it (or each what request(n) gives); all get what holds the expected bytes."""
        for n, sock in enumerate(self.socks):
            sock.sendall(request(n) if callable(request) else request)
        self.hear(expected)
        return self

    def hear(self, expected):
        for sock in self.socks:
            got = b""
            while expected not in got:
                more = sock.recv(65536)
                assert more, "ended, instead of %r, behind %r" % (expected, got[-200:])
                got += more

    def leave(self, count=None):
        gone = self.socks[:count]
        del self.socks[:count]
        for sock in gone:
            sock.close()


def grown(daemon, before, count, what, most):
    """What so many connections took, each."""
    each = (daemon.rss() - before) / count
    print("# %d %s: %.1f KiB each" % (count, what, each / KI))
    assert SLOW or each <= most * KI, "%s: %.1f KiB each" % (what, each / KI)
    return daemon.rss()


@case
def ten_thousand_connections_are_served_at_once():
    count = allowed(int(os.environ.get("N", 0)) or scale(10000, 400))
    idle, follow, socks = count // 2, count // 8, count - count // 2 - count // 8
    admin = "unix:" + os.path.join(directory(), "admin")
    daemon = Daemon(max_connections=count, threads=2, timeout="1h", ping_interval="0s", admin_listen=admin)
    warm = [Crowd(daemon, 20, PING, b'"ok":true'), Crowd(daemon, 20, SHAKE, b" 101 "), Crowd(daemon, 20, TAIL, b"id: ")]
    daemon.save([event() for _ in range(100)])
    for one in warm:
        one.leave()
    before = rss = daemon.rss()
    began = time.monotonic()
    idle = Crowd(daemon, idle, PING, b'"ok":true')
    rss = grown(daemon, rss, len(idle.socks), "idle HTTP connections", 8)
    socks = Crowd(daemon, socks, SHAKE, b" 101 ")
    rss = grown(daemon, rss, len(socks.socks), "WebSockets", 16)
    # All of them are served, and not only held.
    stored = 100
    for crowd, wrap, expected in ((idle, post, b'"saved":1,'), (socks, lambda texts: frame(batch(texts)), b'"saved":1}')):
        crowd.ask(lambda n: wrap([event(NOW + n)]), expected)
        stored += len(crowd.socks)
    rss = daemon.rss()
    follow = Crowd(daemon, follow, TAIL, b"id: ")
    grown(daemon, rss, len(follow.socks), "streams of events", 16)
    last = event(n=424242)
    idle.socks[0].sendall(post([last]))
    follow.hear(b'"n":424242,')
    stored += 1
    print("# %d connections made and served in %.1f s; %.1f MiB altogether" % (
        count, time.monotonic() - began, (daemon.rss() - before) / KI / KI))
    # One more waits until someone leaves; admin-listen is there all the same.
    late = [Wire(daemon.connect()).send(PING) for _ in range(5)]
    equal(daemon.request("GET", "/readyz", address=admin).status, 200)
    equal(daemon.request("GET", "/metrics", address=admin).status, 200)
    # Each network thread may take one too many before it looks.
    assert sum(one.silent() for one in late) >= 4, "served beyond max-connections"
    idle.leave(10)
    equal([one.response().status for one in late], [200] * 5)
    equal(Wire(daemon.connect()).send(PING).response().status, 200)
    for crowd in (idle, follow, socks):
        crowd.leave()
    for one in late:
        one.close()
    daemon.save([event()])  # who has left a stream is noticed with its next event
    poll(lambda: descriptors(daemon) < 100, "all of them to be gone")
    equal(daemon.total(), stored + 1)
    print("# when all have left: %.1f MiB more than before" % ((daemon.rss() - before) / KI / KI))
    # What is kept is kept for the next.
    after = daemon.rss()
    for _ in range(2):
        again = Crowd(daemon, count // 2, PING, b'"ok":true')
        again.leave()
        poll(lambda: descriptors(daemon) < 100, "all of them to be gone")
    more = (daemon.rss() - after) / KI / KI
    print("# after two more of %d: %.1f MiB more" % (count // 2, more))
    assert SLOW or more <= 4, "%.1f MiB" % more


# --- a restart is met by all of them at once --------------------------------------------------------

class Client:
    """Has batches, which it sends one after the other until each is acknowledged; when its connection
    ends it comes back after a while and sends what was not."""

    def __init__(self, number, kind, rounds):
        self.kind, self.sock, self.got, self.tries = kind, None, b"", 0
        wrap = post if kind == "http" else lambda texts: frame(batch(texts))
        self.batches = [wrap([event(NOW + 1000 * number + n) for n in range(3)]) for _ in range(rounds)]
        self.open = False  # a WebSocket that is one
        self.misses = number % 4 == 0  # the first answer to its second batch gets lost


class Herd:
    """Drives them all from one thread. pause(): seconds until a client comes back."""

    def __init__(self, address, clients, pause):
        self.place, self.clients, self.pause = parse_address(address)[1], clients, pause
        self.epoll, self.by_file, self.due, self.acked = select.epoll(), {}, [], 0
        self.goal = 0
        self.counter = 0

    def begin(self, rounds):
        """All that have no batch under way send their next."""
        self.goal += len(self.clients) * rounds
        for client in self.clients:
            self.send(client) if client.sock and client.open else self.later(client, 0)

    def later(self, client, seconds):
        self.counter += 1
        heapq.heappush(self.due, (time.monotonic() + seconds, self.counter, client))

    def connect(self, client):
        client.tries += 1
        sock = client.sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(self.place)
        client.got, client.open = b"", False
        self.by_file[sock.fileno()] = client
        self.epoll.register(sock.fileno(), select.EPOLLOUT)

    def lost(self, client):
        if client.sock:
            del self.by_file[client.sock.fileno()]
            client.sock.close()
        client.sock, client.open = None, False
        if client.batches:
            self.later(client, self.pause())

    def send(self, client):
        if not client.batches:
            return
        try:
            client.sock.send(client.batches[0] if client.open else SHAKE)
        except OSError:
            self.lost(client)

    def ready(self, client, events):
        if not client.got and events & select.EPOLLOUT:
            if client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return self.lost(client)
            client.open = client.kind == "http"
            self.epoll.modify(client.sock.fileno(), select.EPOLLIN)
            return self.send(client)
        try:
            more = client.sock.recv(4096)
        except OSError:
            more = b""
        if not more:
            return self.lost(client)
        client.got += more
        if not client.open:
            if b"\r\n\r\n" in client.got:
                assert b" 101 " in client.got, client.got
                client.open, client.got = True, b""
                self.send(client)
        elif b'"saved":3' in client.got:
            client.got = b""
            if client.misses and len(client.batches) == 1:
                client.misses = False
                return self.lost(client)
            client.batches.pop(0)
            self.acked += 1
        elif b" 503 " in client.got:
            self.lost(client)

    def turn(self):
        while self.due and self.due[0][0] <= time.monotonic():
            client = heapq.heappop(self.due)[2]
            if client.sock is None:
                self.connect(client)
        for file, events in self.epoll.poll(0.05):
            if file in self.by_file:
                self.ready(self.by_file[file], events)

    def until(self, fact, what):
        def go_on():
            self.turn()
            return fact()
        poll(go_on, what)

    def all_acked(self):
        return self.acked == self.goal


def check_herd(pause, what):
    count, address = allowed(10000 if LONG else scale(2000, 100)), lasting_address()
    options = {"listen": address, "timeout": "1h", "ping_interval": "0s", "drain": "1s"}
    daemon = Daemon(**options)
    herd = Herd(daemon.address, [Client(n, ("http", "ws")[n % 2], 2) for n in range(count)], pause)
    herd.begin(1)
    herd.until(herd.all_acked, "everybody's first batch to be acknowledged")
    herd.begin(1)
    herd.until(lambda: herd.acked >= herd.goal - count // 2, "half of the second batches to be acknowledged")
    daemon.crash()
    for _ in range(20):  # meanwhile some find nobody there
        herd.turn()
    options["listen"] = daemon.address
    again, began = Daemon(database=daemon.database, **options), time.monotonic()
    before = again.rss()
    again.reset_peak()
    for client in herd.clients:  # those too that had nothing left to send
        if not client.batches:
            client.batches.append((post if client.kind == "http" else lambda t: frame(batch(t)))(
                [event(NOW + n) for n in range(3)]))
            herd.goal += 1
            if client.sock is None:
                herd.later(client, pause())
            elif client.open:
                herd.send(client)
    herd.until(herd.all_acked, "everybody to be acknowledged after the restart")
    peak = (again.peak() - before) / KI / KI
    print("# %s: %d clients back and acknowledged %.1f s after the restart, %.1f attempts each, at most %d; "
          "%.0f MiB at the highest" % (what, count, time.monotonic() - began, sum(c.tries for c in herd.clients) / count,
                                       max(c.tries for c in herd.clients), peak))
    assert SLOW or peak <= 48 + count * 24 / KI, "%.1f MiB" % peak
    stored = collections.Counter(n for n, in again.sql("select %s from events" % stores.number("n")))
    equal(len(stored), herd.goal * 3, "different events")
    equal(set(stored.values()), {1}, "how often each is stored")
    equal(again.total(), len(stored))
    check_tally(again.database)


@case
def a_herd_comes_back_within_a_second():
    dice = random.Random(9)
    check_herd(lambda: dice.random() if LONG else dice.random() / 4, "without a pause worth the name")


@case
def a_herd_comes_back_as_the_stock_client_does():
    dice = random.Random(10)
    check_herd(lambda: 3 + 2 * dice.random() if LONG else 0.5 + dice.random(), "three to five seconds later" if LONG else
               "half a second to one and a half later")


main()
