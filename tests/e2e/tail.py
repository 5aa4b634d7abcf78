"""`beacond tail`: each event as it is stored, once, whatever happens to the daemon."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import threading

from harness import NOW, PATIENCE, Daemon, Rows, begin, case, directory, equal, event, main, poll, run, shell, sql
from stores import of_files


class Tail:
    """`beacond tail` under way: its lines as they come."""

    def __init__(self, database, *arguments, stdout=subprocess.PIPE):
        self.process = begin("tail", "--database", database, *arguments, stdout=stdout)
        self.out, self.err = [], []
        for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            if stream is not None:
                threading.Thread(target=self._follow, args=(stream, lines), daemon=True).start()

    def _follow(self, stream, lines):
        for line in stream:
            lines.append(line.rstrip(b"\n"))

    def wait(self, count):
        poll(lambda: len(self.out) >= count, "%d lines of tail" % count)
        return self.out

    def told(self, pattern, count=1):
        """Waits for as many lines that it matches; returns the last match."""
        found = []

        def look():
            found[:] = filter(None, (re.search(pattern, line) for line in list(self.err)))
            return len(found) >= count

        poll(look, repr(pattern))
        return found[-1]

    def stop(self):
        """SIGINT; returns the number to go on from."""
        self.process.send_signal(signal.SIGINT)
        equal(self.process.wait(PATIENCE), 130)
        return self.told(rb"--since-seq (\d+) goes on from here").group(1).decode()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def stored(database):
    return [row[0] for row in sql(database, "select event from events order by seq")]


@case
def every_event_comes_once_in_the_order_of_commits_over_stops_and_kills():
    daemon = Daemon()
    daemon.save([event() for _ in range(3)])
    tail = Tail(daemon.database, "--since-seq", "0")
    tail.wait(3)
    database = daemon.database
    for end in ("stop", "crash", "stop"):
        threads = [threading.Thread(target=lambda: [daemon.save([event(NOW - n) for n in range(20)])
                                                    for _ in range(5)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        getattr(daemon, end)()
        daemon = Daemon(database=database)
    daemon.save([event()])
    tail.wait(3 + 3 * 400 + 1)
    tail.stop()
    equal(tail.out, stored(database))


@case
@of_files
def the_end_of_the_daemon_is_told_once_and_its_return():
    daemon = Daemon()
    daemon.save([event()])
    tail = Tail(daemon.database, "--last", "1")
    tail.wait(1)
    equal(tail.err, [])
    daemon.stop()
    tail.told(rb"no daemon is running")
    again = Daemon(database=daemon.database)
    tail.told(rb"running again")
    again.save([event()])
    tail.wait(2)
    tail.stop()
    equal(len(tail.err), 3, repr(tail.err))


@case
def it_begins_where_it_is_told_to():
    daemon = Daemon()
    daemon.save([event(NOW - n) for n in range(10)])
    texts, numbers = stored(daemon.database), [n for n, in daemon.sql("select seq from events order by seq")]
    rows = Rows()
    for arguments, wanted in ((["--last", "3"], texts[-3:]), (["--last", "0"], []), (["--last", "99"], texts),
                              (["--since-seq", str(numbers[6])], texts[7:]), (["--since-seq", "0"], texts),
                              (["--since-seq", str(numbers[9])], [])):
        with rows(repr(arguments)):
            tail = Tail(daemon.database, *arguments)
            tail.wait(len(wanted))
            seq = tail.stop() if wanted else None
            equal(tail.out, wanted)
            equal(seq, str(numbers[9]) if wanted else None)
            tail.kill()
    for arguments in (["--last", "-1"], ["--last", ""], ["--since-seq", "x"], ["--format", "xml"], ["--last", "9" * 30],
                      ["--database", os.path.join(directory(), "none.db")]):
        with rows(repr(arguments)):
            done = run("tail", "--database", daemon.database, *arguments)
            equal((done.returncode, done.stdout), (78, b""))
            assert done.stderr.startswith(b"beacond: "), done.stderr
    for arguments in (["x"], ["--last", "1", "--since-seq", "1"]):
        equal(run("tail", "--database", daemon.database, *arguments).returncode, 2)
    rows.check()


@case
def without_a_place_only_what_comes_from_now_on_is_written():
    daemon = Daemon()
    daemon.save([event() for _ in range(3)])
    tail = Tail(daemon.database)
    # When it has begun can't be seen: events go on coming until one is seen.
    poll(lambda: daemon.save([event()]) and tail.out, "the first line")
    tail.stop()
    texts = stored(daemon.database)
    first = texts.index(tail.out[0])
    assert first >= 3, first
    equal(tail.out, texts[first:first + len(tail.out)])


HOSTILE = ('{"timestamp":"2026-11-21T04:00:00Z","level":"er\\u001b[2Jror","type":"\u009b2J\u202e","appId":"a\\nb",'
           '"payload":{"message":"x\\u0000\\ud800\\u009b\\\\y\u2028\\u0007\x7f"}}').encode()


@case
def no_text_of_strangers_moves_the_cursor():
    daemon = Daemon()
    daemon.save([HOSTILE])
    tail = Tail(daemon.database, "--last", "1", "--format", "text")
    tail.wait(1)
    tail.stop()
    equal(tail.out[0].decode(), "2026-11-21T04:00:00.000Z er\\x1b[2Jror \\x9b2J\\u202e a\\nb: "
                                "x\\x00\\xed\\xa0\\x80\\x9b\\\\y\\u2028\\a\\x7f")
    # As JSON to a terminal it still means the same.
    ours, theirs = pty.openpty()
    tail = Tail(daemon.database, "--last", "1", stdout=theirs)
    os.close(theirs)
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(ours, 4096)
    tail.stop()
    os.close(ours)
    text = line.decode().rstrip("\r\n")
    assert not re.search("[\x00-\x1f\x7f-\x9f]", text), text
    equal(json.loads(text), json.loads(stored(daemon.database)[0]))


@case
def a_reader_that_goes_away_ends_it_also_while_nothing_comes():
    daemon = Daemon()
    daemon.save([event()])
    reading, writing = os.pipe()
    tail = Tail(daemon.database, "--last", "1", stdout=writing)
    os.close(writing)
    assert os.read(reading, 1 << 16).endswith(b"}\n")
    os.close(reading)
    equal(tail.process.wait(PATIENCE), 0)


@case
@of_files
def a_database_put_in_its_place_is_followed():
    daemon = Daemon()
    daemon.save([event() for _ in range(5)])
    daemon.stop()
    folder = directory()
    copy = os.path.join(folder, "copy.db")
    shutil.copy(daemon.database, copy)
    shell(copy, "delete from events where seq > 2; update meta set value = 0 where name = 'last_seq'")
    tail = Tail(daemon.database, "--last", "1")
    tail.wait(1)
    for suffix in ("-wal", "-shm"):
        if os.path.exists(daemon.database + suffix):
            os.remove(daemon.database + suffix)
    os.rename(copy, daemon.database)
    tail.told(rb"another file")
    again = Daemon(database=daemon.database)
    again.save([event(n=77)])
    tail.wait(2)
    tail.stop()
    assert b'"n":77' in tail.out[1], tail.out


@case
def where_it_says_that_it_stopped_nothing_is_missing():
    daemon = Daemon()
    daemon.save([event(n=n, payload='"%s"' % ("x" * 900)) for n in range(1000)])
    reading, writing = os.pipe()
    tail = Tail(daemon.database, "--since-seq", "0", stdout=writing)
    os.close(writing)
    room = fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ)
    waiting = lambda: struct.unpack("i", fcntl.ioctl(reading, termios.FIONREAD, b"\0" * 4))[0]
    poll(lambda: waiting() > room - 4096, "a pipe that is full")
    behind = tail.stop()
    with os.fdopen(reading, "rb") as out:
        first = [line[:-1] for line in out if line.endswith(b"\n")]
    rest = Tail(daemon.database, "--since-seq", behind)
    whole = daemon.sql("select count(*) from events where seq <= ?", int(behind))[0][0]
    equal(first[:whole], stored(daemon.database)[:whole])
    equal(rest.wait(1000 - whole)[:], stored(daemon.database)[whole:])
    rest.stop()


main()
