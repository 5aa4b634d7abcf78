"""Ingest: how fast, how soon acknowledged, and what slow or idle clients cost the others."""

import os
import random
import select
import shutil
import socket
import subprocess
import threading
import time

from measure import (BINARY, ROUNDS, SECONDS, Daemon, Figure, Row, directory, fill, load, parse_address, program,
                     room)

SLOW_CLIENTS = 1000
IDLE = 10000
OLD = 400000  # events of a database that is pruned
PRUNED_RATE = 2000
COPIED = 50000  # events of a database that is backed up
IDLE_BYTES = 24 << 10
EVENTS_A_BATCH = 25
HANDSHAKE = (b"GET /_tracker/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
             b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n")


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
    return Figure(min(beside), min(alone))


def bare(*how):
    """What SQLite alone does."""
    return program("insert_bench", os.path.join(directory(), "bare.db"), SECONDS, *how)


def ingest(*how):
    """Events a second over HTTP or WebSockets, and rows a second by SQLite alone."""
    whole, rows = [], []
    for _ in range(ROUNDS):
        rows.append(bare()["rows"])
        daemon = Daemon()
        whole.append(load(daemon, 32, *how)["events"])
        daemon.stop()
    return Figure(max(whole), max(rows))


def latency():
    """The p99 of an answer at a fifth of the full load, and what a bare commit of one batch takes."""
    full, soon, commits = [], [], []
    for _ in range(ROUNDS):
        commits.append(bare(1)["p50"])
        daemon = Daemon()
        full.append(load(daemon, 32)["events"])
        daemon.stop()
        daemon = Daemon()
        rate = max(full) / 5 / EVENTS_A_BATCH
        measured = load(daemon, 32, "rate=%.3f" % rate)
        soon.append((measured["p99"], measured["p50"], measured["answers"] / rate))
        daemon.stop()
    p99, p50, sent = min(soon)
    return Figure(p99, min(commits), "%.0f batches a second; median %.2f ms" % (rate, p50),
                  "" if sent > 0.95 else "only %.0f %% of them were answered in time" % (sent * 100))


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
    return Figure(each, IDLE_BYTES)


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
    return Figure(min(beside), min(alone))


def pruning():
    """The p99 of an answer while the daemon prunes a database, and while it does not."""
    filled, beside, alone, erased, fault = fill(os.path.join(directory(), "old.db"), OLD), [], [], 0, ""
    how = "rate=%.3f" % (PRUNED_RATE / EVENTS_A_BATCH)
    for _ in range(ROUNDS):
        database = os.path.join(directory(), "old.db")
        shutil.copy(filled, database)
        daemon = Daemon(database=database)
        load(daemon, 32, how, seconds=1)
        alone.append(load(daemon, 32, how)["p99"])
        before = daemon.total()
        command = subprocess.Popen([BINARY, "prune", "--database", database, "--older-than", "1s"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        measured = load(daemon, 32, how)
        beside.append(measured["p99"])
        if command.poll() is not None:
            fault = "the prune had ended before"
        erased = max(erased, (before - daemon.total()) / SECONDS + measured["events"])
        command.terminate()
        command.wait()
        daemon.stop()
    return Figure(min(beside), min(alone), "about %.0f events erased a second" % erased, fault)


class Backups:
    """One backup after the other, until it is told to end."""

    def __init__(self, daemon):
        self.over, self.made, self.seconds = threading.Event(), 0, 0
        self.command = [BINARY, "backup", "--force", os.path.join(directory(), "copy.db"),
                        "--database", daemon.database]
        self.thread = threading.Thread(target=self.make)
        self.thread.start()

    def make(self):
        while not self.over.is_set():
            began = time.monotonic()
            process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and not self.over.wait(0.05):
                pass
            if process.poll() is None:
                process.terminate()
                process.wait()
                return
            assert process.returncode == 0, "a backup failed"
            self.made, self.seconds = self.made + 1, time.monotonic() - began

    def end(self):
        self.over.set()
        self.thread.join()


def backup_beside():
    """The p99 of a client's posts while the database is being backed up, and while it is not."""
    beside, alone, notes = [], [], []
    path = fill(os.path.join(directory(), "filled.db"), room(COPIED))
    for _ in range(ROUNDS):
        shutil.copyfile(path, path + ".round")
        daemon = Daemon(database=path + ".round", cache_events=0)
        alone.append(load(daemon, 32, "rate=400")["p99"])
        backups = Backups(daemon)
        measured = load(daemon, 32, "rate=400")
        backups.end()
        beside.append(measured["p99"])
        notes.append("%d whole backups meanwhile, the last in %.1f s; worst %.1f ms" % (
            backups.made, backups.seconds, measured["worst"]))
        daemon.stop()
    return Figure(min(beside), min(alone), notes[beside.index(min(beside))])


ROWS = [
    Row("ingest over HTTP, 32 connections : bare SQLite inserts", ingest, "events/s", 0, ("at least", 0.6)),
    Row("ingest over WebSockets, 32 connections : bare inserts", lambda: ingest("ws"), "events/s", 0,
        ("at least", 0.6)),
    Row("ingest p99 at 20 % of that : one bare commit", latency, "ms", 2, ("at most", 10)),
    Row("ingest p99 at %d events/s, pruning : not" % PRUNED_RATE, pruning, "ms", 2, ("at most", 2)),
    Row("ingest p99, %d slow clients held open : none" % SLOW_CLIENTS, slow_clients, "ms", 2, ("at most", 5)),
    Row("ingest p99, %d idle WebSockets : none" % IDLE, idle_beside, "ms", 2, ("at most", 2)),
    Row("ingest p99, the database being backed up : not", backup_beside, "ms", 2, ("at most", 5)),
    Row("memory of an idle WebSocket, of %d : 24 KiB" % IDLE, idle_memory, "bytes", 0, ("at most", 1)),
]
