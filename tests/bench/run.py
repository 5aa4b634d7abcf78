"""`make bench`: measures beacond beside something measured in the same run, and prints ratios.

    python3 tests/bench/run.py [SECONDS [ROUNDS]]     from the build tree; see README

What else runs on the machine only makes things slower, so each row is measured several times, both
of its sides in turn, and the best of each side counts.
"""

import os
import random
import re
import resource
import select
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from harness import Daemon, directory, parse_address  # noqa: E402

PROGRAMS = os.path.join(os.getcwd(), "tests", "bench")
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 5
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
SLOW_CLIENTS = 1000
IDLE = 10000
IDLE_BYTES = 24 << 10
HANDSHAKE = (b"GET /_tracker/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
             b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n")


def program(name, *arguments):
    """Runs a program of this directory; returns what it wrote as {name: number}."""
    done = subprocess.run([os.path.join(PROGRAMS, name), *map(str, arguments)], stdout=subprocess.PIPE, check=True)
    return {key: float(value) for key, value in re.findall(r"(\w+)=(\S+)", done.stdout.decode())}


def load(daemon, connections, *how):
    measured = program("load", daemon.address.rsplit(":", 1)[1], connections, SECONDS, *how)
    assert measured["refused"] == 0, measured
    return measured


class SlowClients:
    """Connections that send a byte of a head or of a body about once a second, and never come to an
    end."""

    def __init__(self, daemon):
        self.over = threading.Event()
        place = parse_address(daemon.address)[1]
        self.sockets = []
        for n in range(SLOW_CLIENTS):
            sock = socket.create_connection(place)
            sock.sendall(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\n" +
                         (b"X: " if n % 2 else b"Content-Length: 1000000\r\n\r\n"))
            self.sockets.append(sock)
        self.thread = threading.Thread(target=self.trickle)
        self.thread.start()

    def trickle(self):
        while not self.over.is_set():
            random.shuffle(self.sockets)
            for at in range(0, len(self.sockets), 10):
                for sock in self.sockets[at:at + 10]:
                    sock.sendall(b"x")
                if self.over.wait(10 / len(self.sockets)):
                    return

    def end(self):
        """How many of them were still held open."""
        self.over.set()
        self.thread.join()
        held = sum(not select.select([sock], [], [], 0)[0] for sock in self.sockets)
        for sock in self.sockets:
            sock.close()
        return held


def slow_clients():
    """The p99 of a client's posts with slow clients held open, and without."""
    beside, alone = [], []
    for _ in range(ROUNDS):
        daemon = Daemon(head_timeout="1h", body_timeout="1h", timeout="1h", drain="0s")
        alone.append(load(daemon, 4)["p99"])
        slow = SlowClients(daemon)
        beside.append(load(daemon, 4)["p99"])
        held = slow.end()
        assert held == SLOW_CLIENTS, "only %d slow clients were held open" % held
        daemon.stop()
    return min(beside), min(alone)


def ingest(*how):
    """Events a second over HTTP or WebSockets, and rows a second by SQLite alone."""
    whole, bare = [], []
    for _ in range(ROUNDS):
        bare.append(program("insert_bench", os.path.join(directory(), "bare.db"), SECONDS)["rows"])
        daemon = Daemon()
        whole.append(load(daemon, 32, *how)["events"])
        daemon.stop()
    return max(whole), max(bare)


def idle_websockets(daemon):
    """That many, each of which has sent something and been answered."""
    sockets = []
    place = parse_address(daemon.address)[1]
    for _ in range(IDLE):
        sock = socket.create_connection(place)
        sock.sendall(HANDSHAKE + b"\x89\x80\0\0\0\0")
        sockets.append(sock)
    for sock in sockets:
        answer = b""
        while not answer.endswith(b"\r\n\r\n\x8a\0"):
            more = sock.recv(4096)
            assert more, answer
            answer += more
    return sockets


def idle_memory():
    """Resident bytes of the daemon for each idle WebSocket, and what they may be."""
    daemon = Daemon(ping_interval="0s", drain="0s")
    load(daemon, 4)
    before = daemon.rss()
    sockets = idle_websockets(daemon)
    each = (daemon.rss() - before) / IDLE
    for sock in sockets:
        sock.close()
    daemon.stop()
    return each, IDLE_BYTES


def idle_beside():
    """The p99 of a client's posts with idle WebSockets held open, and without."""
    beside, alone = [], []
    for _ in range(ROUNDS):
        daemon = Daemon(drain="0s")
        alone.append(load(daemon, 4)["p99"])
        sockets = idle_websockets(daemon)
        beside.append(load(daemon, 4)["p99"])
        for sock in sockets:
            sock.close()
        daemon.stop()
    return min(beside), min(alone)


# What, how it is measured, unit, digits, the bound of the ratio ("at most" or "at least"; none: it is
# only told).
ROWS = [
    ("ingest p99, %d slow clients held open : none" % SLOW_CLIENTS, slow_clients, "ms", 2, ("at most", 5)),
    ("ingest over HTTP, 32 connections : bare SQLite inserts", ingest, "events/s", 0, None),
    ("ingest over WebSockets, 32 connections : bare inserts", lambda: ingest("ws"), "events/s", 0, ("at least", 0.6)),
    ("memory of an idle WebSocket, of %d : 24 KiB" % IDLE, idle_memory, "bytes", 0, ("at most", 1)),
    ("ingest p99, %d idle WebSockets : none" % IDLE, idle_beside, "ms", 2, ("at most", 2)),
]


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print("%-56s %12s %12s %8s" % ("", "this", "to that", "ratio"))
    kept = True
    for name, measure, unit, digits, bound in ROWS:
        began = time.monotonic()
        this, that = measure()
        ratio, told = this / that, ""
        if bound:
            fine = ratio <= bound[1] if bound[0] == "at most" else ratio >= bound[1]
            kept = kept and fine
            told = "  %s %g: %s" % (*bound, "kept" if fine else "NOT KEPT")
        print("%-56s %12.*f %12.*f %8.2f  %s%s" % (name, digits, this, digits, that, ratio, unit, told), flush=True)
        print("  (%.0f s)" % (time.monotonic() - began), file=sys.stderr)
    for name in ("scan_bench",):
        print("\n%s" % name, flush=True)
        subprocess.run([os.path.join(PROGRAMS, name)], check=True)
    sys.exit(0 if kept else 1)


main()
