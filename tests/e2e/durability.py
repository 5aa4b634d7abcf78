"""A 200 means committed: through kill -9, restarts and every kind of shutdown (DESIGN.md 1, 7)."""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading

from harness import (NOW, PATIENCE, SLOW, Daemon, Skip, Wire, WriteLock, batch, case, directory, equal, event, main,
                     poll, scale, sql)
import stores
from stores import of_files

POST = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"


def post_bytes(texts):
    body = batch(texts)
    return POST % (len(body), body)


def ids_stored(daemon):
    return [row[0].decode() for row in daemon.sql("select id from events order by seq")]


class Senders:
    """Threads that send batches of three events with given ids until the daemon is gone, and note
    the ids that were acknowledged."""

    def __init__(self, daemon, name, count):
        self.acked, self.odd, self.daemon, self.over = [], [], daemon, False
        self.threads = [threading.Thread(target=self._run, args=("%s-%d" % (name, n),)) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, name):
        number = 0
        try:
            connection = self.daemon.connection()
            while not self.over:
                ids = ["%s-%d-%s" % (name, number, part) for part in "abc"]
                answer = self.daemon.post([event(NOW + number, number, id) for id in ids], connection=connection)
                if answer.status == 200 and answer.json()["saved"] == 3:
                    self.acked += ids
                elif answer.status != 503:
                    self.odd.append(answer)
                number += 1
            connection.close()
        except Exception:
            pass  # the daemon has gone, which is the point

    def join(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        equal(self.odd, [], "odd answers")


def check_whole(database_of, acked):
    """Everything acked is there, once, in whole batches, and the file is sound."""
    stored = ids_stored(database_of)
    equal(len(stored), len(set(stored)), "stored twice")
    missing = set(acked) - set(stored)
    assert not missing, "%d acknowledged events lost, such as %s" % (len(missing), sorted(missing)[:3])
    batches = {}
    for id in stored:
        batches.setdefault(id[:-2], []).append(id[-1])
    for name, parts in batches.items():
        equal(sorted(parts), ["a", "b", "c"], "half a batch: " + name)
    stores.sound(database_of.database)
    equal(database_of.total(), len(stored), "total")


@case
def what_was_acknowledged_survives_kill_9():
    database, acked = stores.fresh(), []
    for number in range(scale(8, 3)):
        daemon = Daemon(database=database)
        check_whole(daemon, acked)
        senders = Senders(daemon, "r%d" % number, 6)
        enough = 3 * (number * 20 + 5)
        poll(lambda: len(senders.acked) >= enough, "acknowledged batches")
        daemon.crash()
        senders.join()
        acked += senders.acked
    check_whole(Daemon(database=database), acked)


@case
def killed_right_behind_each_200_every_batch_is_there():
    database = stores.fresh()
    for number in range(scale(10, 3)):
        daemon = Daemon(database=database)
        wire = daemon.wire().send(post_bytes([event(NOW, number, "e%d" % number)]))
        equal(wire.response().status, 200)
        daemon.crash()
    daemon = Daemon(database=database)
    equal(ids_stored(daemon), ["e%d" % n for n in range(scale(10, 3))])


@case
def an_order_of_commit_is_kept_over_restarts():
    database, count = stores.fresh(), 5
    for number in range(count):
        daemon = Daemon(database=database)
        daemon.save([event(NOW, number, "e%d" % number)])
        daemon.stop() if number % 2 else daemon.crash()
    answer = Daemon(database=database).read()
    equal([e["id"] for e in answer["events"]], ["e%d" % n for n in reversed(range(count))])


def commits(database):
    """How many there are: in PostgreSQL's table of them, or as frames of the WAL's present generation."""
    if stores.POSTGRES:
        return sql(database, "select count(*) from commits")[0][0]
    with open(database + "-wal", "rb") as file:
        data = file.read()
    if len(data) < 32:
        return 0
    page, salts, count = struct.unpack(">I", data[8:12])[0], data[16:24], 0
    for at in range(32, len(data) - 23, 24 + page):
        if data[at + 8:at + 16] != salts:
            break
        count += data[at + 4:at + 8] != b"\0\0\0\0"
    return count


@case
def batches_that_wait_are_committed_together():
    daemon = Daemon(hold="1h", threads=2)
    daemon.save([event(NOW, 0, "first")])
    # An open reader keeps the WAL from starting anew, so that it can be counted.
    snapshot = stores.Snapshot(daemon.database)
    wires = [daemon.wire() for _ in range(32)]
    with WriteLock(daemon.database):
        before = commits(daemon.database)
        for n, wire in enumerate(wires):
            wire.send(post_bytes([event(NOW + n, n, "e%d-%d" % (n, part)) for part in range(5)]))
        poll(lambda: daemon.unread() == 0, "the daemon to read what was sent")
    for wire in wires:
        equal(wire.response().json()["saved"], 5)
    made = commits(daemon.database) - before
    snapshot.close()
    assert 1 <= made <= 8, "%d commits for 32 batches that waited together" % made
    equal(daemon.total(), 161)


@case
def many_clients_at_once_are_all_stored():
    daemon = Daemon()
    senders = Senders(daemon, "s", 24)
    poll(lambda: len(senders.acked) >= scale(3000, 300), "acknowledged events")
    senders.join()
    equal(sorted(senders.acked), sorted(ids_stored(daemon)))
    check_whole(daemon, senders.acked)


# --- shutdown ---------------------------------------------------------------------------------

def refused(daemon):
    """Whether connecting is refused by now."""
    try:
        daemon.connect().close()
    except ConnectionRefusedError:
        return True
    return False


@case
def sigterm_amid_ingest_loses_nothing_that_was_acknowledged():
    database, acked = stores.fresh(), []
    for number in range(scale(4, 2)):
        daemon = Daemon(database=database)
        senders = Senders(daemon, "r%d" % number, 8)
        poll(lambda: len(senders.acked) >= 60, "acknowledged batches")
        daemon.stop()
        senders.join()
        acked += senders.acked
    check_whole(Daemon(database=database), acked)


@case
def sigint_is_as_good_as_sigterm():
    daemon = Daemon()
    daemon.save([event()])
    daemon.signal(signal.SIGINT)
    daemon.ended(0)


@case
def requests_taken_before_sigterm_are_committed_and_answered():
    daemon = Daemon(hold="1h", drain="1h")
    wires = [daemon.wire() for _ in range(8)]
    for wire in wires:  # each is accepted for sure
        wire.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        equal(wire.response().status, 200)
    with WriteLock(daemon.database):
        for n, wire in enumerate(wires):
            wire.send(post_bytes([event(NOW, n, "e%d" % n)]))
        poll(lambda: daemon.unread() == 0, "the daemon to read what was sent")
        daemon.signal()
        poll(lambda: refused(daemon), "listeners to be closed")
        assert all(wire.silent() for wire in wires), "answered before the commit"
    for wire in wires:
        equal(wire.response().json()["saved"], 1)
        assert wire.at_end(), "kept alive at shutdown"
    daemon.ended(0)
    equal(sql(daemon.database, "select count(*) from events"), [(8,)])


@case
def connections_waiting_in_the_backlog_at_sigterm_are_answered():
    daemon = Daemon(drain="1h")
    daemon.signal(signal.SIGSTOP)
    wires = [daemon.wire().send(post_bytes([event(NOW, n, "e%d" % n)])) for n in range(20)]
    daemon.signal(signal.SIGTERM)
    daemon.signal(signal.SIGCONT)
    for wire in wires:
        equal(wire.response().json()["saved"], 1)
    daemon.ended(0)
    equal(sql(daemon.database, "select count(*) from events"), [(20,)])


@case
def a_body_still_arriving_at_sigterm_is_finished():
    daemon = Daemon(drain="1h")
    data = post_bytes([event(NOW, n, "e%d" % n) for n in range(100)])
    wire = daemon.wire().send(data[:5000])
    poll(lambda: daemon.unread() == 0, "the daemon to read the beginning")
    equal(daemon.get("/health").status, 200)
    daemon.signal()
    poll(lambda: refused(daemon), "listeners to be closed")
    wire.send(data[5000:])
    equal(wire.response().json()["saved"], 100)
    daemon.ended(0)
    equal(sql(daemon.database, "select count(*) from events"), [(100,)])


@case
def an_answer_being_sent_at_sigterm_is_finished():
    daemon = Daemon(drain="1h")
    count = scale(30000, 5000)
    daemon.save([event(NOW + n, n) for n in range(count)], packed=True)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", int(daemon.address.rsplit(":", 1)[1])))
    sock.sendall(b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wire = Wire(sock)
    wire.buffer = sock.recv(1000)
    daemon.signal()
    poll(lambda: refused(daemon), "listeners to be closed")
    parsed = json.loads(wire.response().body)
    equal((parsed["total"], len(parsed["events"])), (count, count))
    daemon.ended(0)


@case
def idle_connections_do_not_hold_up_a_shutdown():
    daemon = Daemon(drain="1h", timeout="1h")
    quiet = [daemon.connect() for _ in range(5)]
    kept = [daemon.wire() for _ in range(5)]
    for wire in kept:
        wire.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wire.response()
    daemon.signal()
    daemon.ended(0)
    for wire in kept:
        assert wire.at_end()
    for sock in quiet:
        sock.close()


@case
def a_client_that_never_finishes_holds_up_a_shutdown_no_longer_than_drain():
    daemon = Daemon(drain="500ms", timeout="1h")
    daemon.save([event(NOW, 1, "kept")])
    stuck = daemon.wire().send(post_bytes([event()])[:-5])
    poll(lambda: daemon.unread() == 0, "the daemon to read the beginning")
    daemon.signal()
    daemon.ended(0)
    stuck.close()
    equal(sql(daemon.database, "select id from events"), [(b"kept",)])


@case
def a_second_signal_ends_it_at_once():
    for second in (signal.SIGTERM, signal.SIGINT):
        # At once means that no thread is waited for; ThreadSanitizer takes that for a leak.
        tsan = os.environ.get("TSAN_OPTIONS", "") + ":report_thread_leaks=0"
        daemon = Daemon(drain="1h", hold="1h", timeout="1h", env={"TSAN_OPTIONS": tsan})
        daemon.save([event(NOW, 1, "kept")])
        wire = daemon.wire()
        with WriteLock(daemon.database):
            wire.send(post_bytes([event(NOW, 2, "waits")]))
            poll(lambda: daemon.unread() == 0, "the daemon to read it")
            daemon.signal()
            poll(lambda: refused(daemon), "listeners to be closed")
            assert daemon.alive()
            daemon.signal(second)
            code = daemon.ended()
            assert code != 0, "what was taken is not committed: no success"
        again = Daemon(database=daemon.database)
        assert b"kept" in dict.fromkeys(row[0] for row in again.sql("select id from events"))
        again.stop()


@case
@of_files
def a_clean_end_leaves_everything_in_the_one_file():
    daemon = Daemon()
    daemon.save([event(NOW, n) for n in range(500)])
    daemon.stop()
    wal = daemon.database + "-wal"
    assert not os.path.exists(wal) or os.path.getsize(wal) == 0, "a WAL of %d bytes" % os.path.getsize(wal)
    alone = os.path.join(directory(), "copy.db")
    shutil.copyfile(daemon.database, alone)
    equal(sql(alone, "select count(*) from events"), [(500,)])
    equal(sql(alone, "pragma integrity_check"), [(b"ok",)])


@case
def each_synchronous_mode_takes_and_keeps_events():
    for mode in ("full", "normal", "off"):
        daemon = Daemon(synchronous=mode)
        daemon.save([event(NOW, n) for n in range(10)])
        daemon.crash()
        equal(Daemon(database=daemon.database).total(), 10, mode)


@case
@of_files
def each_commit_is_flushed_to_the_disk_before_its_200():
    # kill -9 can't show it (the kernel keeps what was written): the system calls do.
    if SLOW:
        raise Skip("sanitizers can't be traced")
    if not shutil.which("strace"):
        raise Skip("no strace")
    trace = os.path.join(directory(), "trace")
    daemon = Daemon()
    daemon.save([event(NOW, 0)])
    tracer = subprocess.Popen(["strace", "-f", "-y", "-p", str(daemon.pid), "-o", trace,
                               "-e", "trace=fsync,fdatasync,write,writev,sendmsg,sendto,pwrite64"],
                              stderr=subprocess.PIPE)
    try:
        line = tracer.stderr.readline()
        if b"attached" not in line:
            raise Skip("strace may not attach: " + line.decode("ascii", "replace").strip())
        connection = daemon.connection()
        for n in range(1, 6):
            daemon.save([event(NOW, n)], connection=connection)
        connection.close()
    finally:
        tracer.terminate()
        tracer.wait()
        tracer.stderr.close()
    with open(trace, encoding="utf-8", errors="replace") as file:
        steps = ["flush" if "sync(" in line else "answer" for line in file
                 if re.search(r"f(data)?sync\(.*-wal", line) or "HTTP/1.1 200" in line]
    equal(steps.count("answer"), 5, "answers in the trace")
    for n, step in enumerate(steps):
        assert step != "answer" or n > 0 and steps[n - 1] == "flush", "an answer without a flush: %r" % steps


main()
