"""Retention and beacond prune: the oldest goes, the file becomes smaller, nothing else changes."""

import contextlib
import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time

import stores
from disks import gone, tiny_disk
from harness import (NOW, Daemon, Wire, WriteLock, begin, case, equal, event, main, poll, run, scale, sliced, sql,
                     stamp)
from sockets import Socket, narrow
from stores import by_daemon, of_files
from tally import check_tally

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
DAY = 86400000
MIB = 1 << 20


def now_ms():
    return int(time.time() * 1000)


def fill(daemon, count, first_ms, step_ms, size=300):
    """count events, step_ms apart."""
    for start in range(0, count, 500):
        daemon.save([event(first_ms + n * step_ms, n, payload='"%s"' % ("x" * size))
                     for n in range(start, min(start + 500, count))])


def prune(database, *flags):
    """(events, bytes) that the command says have gone."""
    done = run("prune", "--database", database, *flags)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    events, freed = re.fullmatch(r"(\d+) events erased, (\d+) bytes freed\n", done.stdout.decode()).groups()
    return int(events), int(freed)


def settled(daemon):
    """The file's size, once what was written is in it. In a server: nothing that could be told."""
    if stores.POSTGRES:
        return 0
    poll(lambda: not stores.wal_bytes(daemon.database), "the WAL to be put back")
    return os.path.getsize(daemon.database)


def used(database):
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (sql(database, "pragma " + name)[0][0] for name in names)
    return (pages - free) * size


@case
def prune_erases_the_oldest_and_the_file_shrinks():
    daemon = Daemon()
    count, cut = scale(20000, 3000), NOW + 1800 * 1000
    fill(daemon, count, NOW, 1000)
    before, last = settled(daemon), daemon.sql("select max(seq) from events")[0][0]
    left = sliced(daemon.get("/_tracker?since=" + stamp(cut)).body)
    old = daemon.get("/_tracker", Accept_Encoding="gzip")
    events, freed = prune(daemon.database, "--before", stamp(cut))
    equal(events, 1800)
    equal(daemon.total(), count - 1800)
    equal(sliced(daemon.get("/_tracker").body), left)
    new = daemon.get("/_tracker", Accept_Encoding="gzip", If_None_Match=old.header("ETag"))
    equal(new.status, 200)
    equal(sliced(new.plain()), left)
    if not stores.POSTGRES:
        equal(settled(daemon), before - freed)
        assert freed > 1800 * 300, freed
    check_tally(daemon.database)
    equal(prune(daemon.database, "--before", stamp(cut)), (0, 0))
    # Without a daemon the command does it itself.
    daemon.stop()
    equal(prune(daemon.database, "--before", stamp(cut + 1000))[0], 1)
    equal(prune(daemon.database, "--before", "9999-12-31")[0], count - 1801)
    check_tally(daemon.database)
    # Numbers of erased events are not given out again.
    again = Daemon(database=daemon.database)
    again.save([event()])
    assert again.sql("select min(seq) from events")[0][0] > last


@case
def prune_wants_one_measure():
    daemon = Daemon()
    for flags, code in ((["--before", "yesterday"], 78), (["--older-than", "10"], 78),
                        (["--before", "2024-01-01", "--older-than", "1d"], 2)):
        equal(run("prune", "--database", daemon.database, *flags).returncode, code, flags)
    done = run("prune", "--database", daemon.database)
    equal(done.returncode, 1)
    assert b"retain" in done.stderr, done.stderr


@case
def events_go_when_they_are_too_old():
    daemon = Daemon(retain="1500ms")
    ahead = now_ms() + DAY
    daemon.save([event(now_ms() - DAY), event(now_ms() - 500), event(ahead)])
    daemon.wait_log(r"retention: erased 1 events")
    poll(lambda: daemon.total() == 1, "the second to become too old")
    equal([e["timestamp"] for e in daemon.read()["events"]], [stamp(ahead)])
    check_tally(daemon.database)


@case
@of_files
def the_oldest_go_when_the_database_is_too_large():
    daemon = Daemon()
    count = scale(15000, 12000)
    fill(daemon, count, NOW, 10)
    daemon.stop()
    size = os.path.getsize(daemon.database)
    assert size > 4 * MIB, size
    equal(run("check-config", "--retain-size", "128M").returncode, 78)
    equal(run("check-config", "--retain-size", "129M").returncode, 0)
    daemon = Daemon(database=daemon.database, retain_size="3M", max_rejects_size="64K", receipts_size="64K")
    daemon.wait_log(r"retention: erased \d+ events")
    assert 2.8 * MIB < used(daemon.database) <= 3 * MIB
    assert settled(daemon) <= 3.3 * MIB
    kept = [e["timestamp"] for e in daemon.read()["events"]]
    equal(kept, [stamp(NOW + n * 10) for n in range(count - 1, count - 1 - len(kept), -1)])
    assert len(kept) >= count // 3, len(kept)
    check_tally(daemon.database)
    # By hand, at once: what the daemon's options say.
    fill(daemon, 3000, NOW + DAY, 10)
    assert used(daemon.database) > 3 * MIB
    assert prune(daemon.database)[0] > 1000
    assert used(daemon.database) <= 3 * MIB


def free(disk):
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize


@case
@of_files
def the_oldest_go_for_the_sake_of_the_disk_but_never_the_newest_day():
    disk, resize = tiny_disk(24 * MIB)
    try:
        daemon = Daemon(database=os.path.join(disk, "beacond.db"))
        fill(daemon, 12000, now_ms() - 40 * DAY, 100)
        fill(daemon, 6000, now_ms() - 3600000, 100)
        daemon.stop()
        daemon = Daemon(database=daemon.database, min_free_disk="18M")
        daemon.wait_log(r"retention: erased \d+ events")
        poll(lambda: free(disk) >= 18 * MIB, "the write-ahead log to be put back, too")
        assert 6000 < daemon.total() < 18000, daemon.total()
        check_tally(daemon.database)
        daemon.stop()
        daemon = Daemon(database=daemon.database, min_free_disk="24M")
        daemon.wait_log(r"newer than 24 hours")
        equal(daemon.total(), 6000)
        equal(prune(daemon.database)[0], 0)
        daemon.stop()
        equal(sum("newer than 24" in line for line in daemon.log()), 1)
    finally:
        gone(disk)


@case
@of_files
def what_a_reader_keeps_from_the_disk_is_not_erased_for_again():
    disk, _ = tiny_disk(48 * MIB)
    try:
        daemon = Daemon(database=os.path.join(disk, "beacond.db"))
        fill(daemon, 12000, now_ms() - 40 * DAY, 100)
        settled(daemon)
        daemon.stop()
        reader = sqlite3.connect(daemon.database, isolation_level=None)
        reader.execute("begin")
        reader.execute("select count(*) from events").fetchall()
        daemon = Daemon(database=daemon.database, min_free_disk=str(free(disk) + 2 * MIB))
        daemon.wait_log(r"retention: erased \d+ events")
        left = daemon.total()
        assert 0 < left < 12000, left
        for _ in range(2):
            equal(prune(daemon.database)[0], 0)
        equal(daemon.total(), left)
        reader.close()
        daemon.stop()
    finally:
        gone(disk)


@case
@of_files
def a_full_disk_stops_it_and_nothing_is_half_done():
    disk, resize = tiny_disk(16 * MIB)
    try:
        daemon = Daemon(database=os.path.join(disk, "beacond.db"), hold="300ms")
        fill(daemon, 8000, NOW, 10)
        settled(daemon)
        # A log that has been put back keeps its room, in which slice after slice could be committed.
        with contextlib.closing(sqlite3.connect(daemon.database)) as other:
            poll(lambda: other.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0, "the log to be empty")
        with open(os.path.join(disk, "ballast"), "wb", buffering=0) as file:
            def full():
                """Whatever has made room again meanwhile."""
                before = file.tell()
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(4096))
                return file.tell() == before

            full()
            settled(daemon)
            poll(full, "the disk to stay full")
        done = run("prune", "--database", daemon.database, "--before", "9999-12-31")
        equal(done.returncode, 1, (done.stdout, done.stderr, os.statvfs(disk).f_bavail))
        left = daemon.total()
        assert left > 0
        equal(len(daemon.read()["events"]), left)
        check_tally(daemon.database)
        resize(32 * MIB)
        equal(prune(daemon.database, "--before", "9999-12-31")[0], left)
        check_tally(daemon.database)
        daemon.stop()
    finally:
        gone(disk)


@case
def a_lock_of_another_program_is_waited_for_a_moment():
    daemon = Daemon()
    daemon.save([event(NOW + n) for n in range(10)])
    with WriteLock(daemon.database) as lock:
        timer = threading.Timer(0.5, lock.release)
        timer.start()
        equal(prune(daemon.database, "--before", "9999-12-31")[0], 10)
        timer.join()
    if not LONG:
        return
    with WriteLock(daemon.database):
        done = run("prune", "--database", daemon.database, "--before", "9999-12-31")
        equal(done.returncode, 1)
        assert b"locked" in done.stderr, done.stderr


@case
@by_daemon
def stopped_in_the_middle_all_is_whole():
    count = scale(30000, 4000)
    daemon = Daemon()
    fill(daemon, count, NOW, 10)
    feeding, first = threading.Event(), daemon.sql("select min(seq) from events")[0][0]

    def feed():
        while not feeding.is_set():
            try:
                daemon.post([event(NOW + DAY)])
            except OSError:
                return

    # While events come in it takes its time.
    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        command = begin("prune", "--database", daemon.database, "--before", stamp(NOW + DAY),
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        poll(lambda: command.poll() is not None or daemon.sql("select min(seq) from events")[0][0] != first,
             "the first to go")
        daemon.stop()
    finally:
        feeding.set()
        feeder.join()
    out, err = command.communicate()
    assert command.returncode in (1, 130), (command.returncode, out, err)
    left = sql(daemon.database, "select count(*) from events where ts < ?", NOW + DAY)[0][0]
    assert 0 < left < count, left
    check_tally(daemon.database)
    equal(prune(daemon.database, "--before", stamp(NOW + DAY))[0], left)
    check_tally(daemon.database)


@case
def an_answer_under_way_comes_to_its_end():
    daemon = Daemon(cache_events=0)
    fill(daemon, scale(20000, 4000), NOW, 10, 1000)
    for coding in (b"identity", b"gzip"):
        wire = daemon.wire()
        wire.send(b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\n\r\n" % coding)
        wire._more()  # its first bytes
        least = daemon.sql("select min(ts) from events")[0][0]
        prune(daemon.database, "--before", stamp(least + 30000))
        answer = wire.response()
        equal(answer.status, 200)
        shown = json.loads(answer.plain())
        equal(list(shown), ["events", "total", "page", "limit"])
        assert daemon.total() <= len(shown["events"]) <= shown["total"], (len(shown["events"]), shown["total"])
        wire.close()
    check_tally(daemon.database)


@case
def readers_in_mid_answer_end_cleanly_while_all_of_it_goes():
    payload = '"%s"' % os.urandom(1500).hex()  # gzip makes it half as large, and no smaller

    def check(erase, **options):
        daemon = Daemon(timeout="1h", **options)
        for start in range(0, 4000, 500):
            daemon.save([event(NOW + n, n, payload=payload[:-9] + '%08x"' % n)[:-1] + b',"userId":"u"}'
                         for n in range(start, start + 500)])
        wires = []
        for coding in b"identity", b"gzip":
            wires.append(Wire(narrow(daemon, 4096)).send(
                b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\n\r\n" % coding))
            wires[-1]._more()  # its first bytes
        sockets = [Socket(daemon, room=4096, offer=offer) for offer in (None, True)]
        for socket in sockets:
            socket.query("slow")
            poll(lambda: not socket.wire.silent(), "the answer to begin")
        equal(erase(daemon).returncode, 0)
        equal(daemon.sql("select count(*) from events"), [(0,)])
        shown = [json.loads(wire.response().plain()) for wire in wires]
        shown += [json.loads(socket.response("slow")) for socket in sockets]
        for one in shown:
            # What had been read of it, newest first, and then a proper end.
            equal([e["n"] for e in one["events"]], list(range(3999, 3999 - len(one["events"]), -1)))
            assert 0 < len(one["events"]) <= one["total"] == 4000, (len(one["events"]), one["total"])
        for wire in wires:  # and the connection is one still
            wire.send(b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\n\r\n")
            equal(wire.response().json()["total"], 0)
        for socket in sockets:
            equal(socket.ask()["total"], 0)
        check_tally(daemon.database)
        return min(len(one["events"]) for one in shown)

    for erase in (lambda daemon: run("prune", "--database", daemon.database, "--before", "9999-12-31"),
                  lambda daemon: run("forget", "--database", daemon.database, "--user", "u")):
        check(erase)
        assert check(erase, cache_events=0) < 4000, "all had been read before anything went"


def interrupted(database):
    """Begins to prune all up to a day behind NOW, sends SIGINT once the first have gone. Returns how
    many are left; None when it had ended before."""
    before, rest = stamp(NOW + DAY), "select count(*), min(seq) from events where ts < ?"
    count, least = sql(database, rest, NOW + DAY)[0]
    with stores.held(database, "ts < %d" % (NOW + DAY)):
        command = begin("prune", "--database", database, "--before", before, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        poll(lambda: command.poll() is not None or sql(database, rest, NOW + DAY)[0][1] != least, "the first to go")
        command.send_signal(signal.SIGINT)
    out, err = command.communicate()
    left = sql(database, rest, NOW + DAY)[0][0]
    equal(int(out.split()[0]), count - left, "what it says has gone")
    if command.returncode == 0:
        return None
    equal(command.returncode, 130, err)
    assert b"stopped" in err, err
    assert 0 < left < count, (left, count)
    return left


@case
def an_interrupted_prune_is_whole_and_goes_on():
    daemon, over, count = Daemon(), threading.Event(), scale(10000, 4000)
    database, shift = daemon.database, itertools.count(1)
    # A server may let go of a day at once.
    first, step = stores.dialect((NOW, 10), (NOW - 20 * DAY, 20 * DAY // count))

    def feed():
        while not over.is_set():
            daemon.post([event(NOW + DAY)])

    fill(daemon, count, first, step)
    feeder = threading.Thread(target=feed)  # while events come in it takes its time
    feeder.start()
    try:
        left = interrupted(database)
    finally:
        over.set()
        feeder.join()
    assert left, "it was not interrupted"
    check_tally(database)
    equal(prune(database, "--before", stamp(NOW + DAY))[0], left)
    daemon.stop()

    def without_a_daemon():  # nothing holds it up here: it may be faster
        daemon = Daemon(database=database)
        fill(daemon, count, first + next(shift), step)  # others, or they would be retries
        daemon.stop()
        left = interrupted(database)
        check_tally(database)
        return left

    left = poll(without_a_daemon, "one that was interrupted")
    equal(prune(database, "--before", stamp(NOW + DAY))[0], left)
    check_tally(database)


main()
