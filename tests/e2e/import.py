"""beacond import: log files into the database, by the daemon that runs or by the command itself.

  BEACOND_TEST_LONG  1: a gigabyte, and more of everything
"""

import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading

import stores
from harness import (BINARY, DATA, NOW, PATIENCE, SANITIZERS, SLOW, Daemon, Rows, Skip, WriteLock, _environment,
                     begin, case, directory, equal, event, main, poll, run, scale, sql, stamp)
from stores import by_daemon, count, of_files
from tally import check_tally

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
RECORDED = os.path.join(DATA, "stock-client", "shop-2026_11_20.log")
COUNTS = re.compile(r"^(.*): (\d+) lines, (\d+) stored, (\d+) already there, (\d+) malformed, (\d+) skipped"
                    r" \(\d+ events/s\)$")


def written(name, data, where=None):
    path = os.path.join(where or directory(), name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def lines(texts):
    return b"".join(text + b"\n" for text in texts)


def new():
    return stores.fresh()


def counts(stdout):
    """{file: (lines, stored, already there, malformed, skipped)} of what import printed."""
    out = {}
    for line in stdout.decode().splitlines():
        match = COUNTS.match(line)
        assert match, "not a line of counts: %r" % line
        out[match.group(1)] = tuple(map(int, match.groups()[1:]))
    return out


def imported(database, *files, code=0, **more):
    """Runs it to its end. Returns what was counted, and what stands on standard error."""
    done = run("import", "--database", database, *files, **more)
    equal(done.returncode, code, "import %r: %r" % (files, done.stderr[-600:]))
    assert not SANITIZERS.search(done.stderr), done.stderr.decode("utf-8", "replace")
    return counts(done.stdout), done.stderr.decode()


def stored(database):
    """The texts in the order of time, as they are read, oldest first."""
    return [text for text, in sql(database, "select event from events order by ts, seq")]


class Command:
    """An import under way whose standard input is the test's."""

    def __init__(self, database, *files):
        self.process = begin("import", "--database", database, *files, stdin=subprocess.PIPE)
        # Whatever it waits for, no test waits longer.
        self.watch = threading.Timer(PATIENCE, self.process.kill)
        self.watch.daemon = True
        self.watch.start()

    def close(self):
        """Nothing more comes."""
        self.process.stdin.close()
        self.process.stdin = None

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self, code):
        """Waits for it; returns as imported()."""
        out, errors = self.process.communicate()
        self.watch.cancel()
        equal(self.process.returncode, code, errors)
        return counts(out), errors.decode()


def both(check):
    """check(database) without a daemon, and with one that has the database open."""
    rows = Rows()
    with rows("without a daemon"):
        database = new()
        check(database)
        check_tally(database)
    with rows("by the daemon"):
        daemon = Daemon()
        check(daemon.database)
        check_tally(daemon.database)
        equal(daemon.total(), count(daemon.database), "what the daemon says")
        daemon.stop()
    rows.check()


# --- what is taken ----------------------------------------------------------------------------

@case
def the_recorded_log_comes_in_byte_for_byte_and_once():
    with open(RECORDED, "rb") as file:
        recorded = file.read().splitlines()

    def check(database):
        found, errors = imported(database, RECORDED)
        equal((found[RECORDED], found["total"], errors), ((120, 120, 0, 0, 0),) * 2 + ("",))
        equal(stored(database), sorted(recorded, key=lambda text: json.loads(text)["timestamp"]))
        found, errors = imported(database, RECORDED)
        equal((found[RECORDED], errors), ((120, 0, 120, 0, 0), ""))
    both(check)


@case
@of_files
def a_database_that_is_made_is_nobody_elses_business():
    database = new()
    imported(database, RECORDED)
    equal(os.stat(database).st_mode & 0o077, 0)
    Daemon(database=database).stop()


@case
def compressed_members_and_standard_input_are_taken():
    with open(RECORDED, "rb") as file:
        text = file.read()
    half = text.index(b"\n", len(text) // 2) - 100  # in the middle of a line
    packed = gzip.compress(text[:half]) + gzip.compress(text[half:])

    def check(database):
        equal(imported(database, written("packed.log", packed))[0]["total"], (120, 120, 0, 0, 0))
        for data in text, packed:
            command = Command(database, "-")
            command.send(data)
            equal(command.end(0)[0]["standard input"], (120, 0, 120, 0, 0))
    both(check)


@case
def what_comes_slowly_over_a_pipe_is_stored_as_it_comes():
    def check(database):
        command = Command(database, "-")
        for n in range(1, 4):
            command.send(lines([event(id="e%d" % n)]) + b'{"half')
            poll(lambda: count(database) == n, "%d events" % n)
            command.send(b'":1}\n')  # no event
        equal(command.end(0)[0]["total"], (6, 3, 0, 3, 0))
    both(check)


@case
def a_directory_is_taken_in_the_order_of_time():
    where = directory()
    same = [event(n=n, id="s%d" % n) for n in range(6)]  # one timestamp: the order tells
    written("shop.log", lines(same[5:]), where)
    written("shop-2026_11_20.log", lines(same[1:2]), where)
    written("shop-2026_11_19.jsonl.gz", gzip.compress(lines(same[:1])), where)
    written("shop-2026_11_20_10_00_00.log", lines(same[2:3]), where)
    written("api-2026_11_20_11_00_00.log.gz", gzip.compress(lines(same[3:4])), where)
    written("shop-2026_11_21.log", lines(same[4:5]), where)
    written("notes.txt", b"none of it\n", where)
    os.mkfifo(os.path.join(where, "pipe.log"))
    os.mkdir(os.path.join(where, "deeper.log"))
    database = new()
    found, _ = imported(database, where)
    equal(found["total"], (6, 6, 0, 0, 0))
    equal(len(found), 7)
    equal(stored(database), same)


@case
def lines_without_an_id_are_taken_as_often_as_they_stand_there():
    same, other = event(n=1), event(n=2)
    path = written("a.log", lines([same] * 100 + [other] + [same] * 20))

    def check(database):
        equal(imported(database, path)[0]["total"], (121, 121, 0, 0, 0))
        equal(imported(database, path)[0]["total"], (121, 0, 121, 0, 0))
        ids = [id.decode() for id, in sql(database, "select id from events")]
        equal(len(set(ids)), 121)
        assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id)
                   for id in ids), ids[:3]
        # A log that has grown brings what is new.
        with open(path + ".more", "wb") as file:
            file.write(lines([same] * 130))
        equal(imported(database, path + ".more")[0]["total"], (130, 10, 120, 0, 0))
    both(check)


@case
def the_order_of_equal_timestamps_is_that_of_the_file():
    generator, size = random.Random(3), scale(20000, 4000)
    texts = [event(NOW + n // (size // 2) * 1000 + generator.randrange(2), n, "o%d" % n, '"%s"' % ("x" * 200))
             for n in range(size)]
    oldest_first = sorted(texts, key=lambda text: json.loads(text)["timestamp"])
    database = new()
    imported(database, written("a.log", lines(oldest_first)))
    equal(stored(database), oldest_first)
    # One that has the newest first is what a read gives, and means the same.
    database = new()
    newest_first = lines(oldest_first[::-1])
    found, errors = imported(database, written("b.log", newest_first))
    equal(found["total"], (size, size, 0, 0, 0))
    equal((stored(database), errors), (oldest_first, ""))
    # Where it can't be read backwards, that is said.
    database = new()
    found, errors = imported(database, written("c.log.gz", gzip.compress(newest_first, 1)))
    equal(found["total"], (size, size, 0, 0, 0))
    assert "newest event comes first" in errors, errors


# --- what is there already --------------------------------------------------------------------

def written_out(database, order, where=None):
    """The events of a database as lines, as an export would have them."""
    return written("out.ndjson", lines(text for text, in sql(database, "select event from events order by " + order)),
                   where)


def assigned(size, batches=1, spread=0):
    """A daemon whose events have ids of its own."""
    daemon = Daemon()
    for start in range(0, size, size // batches):
        daemon.save([event(NOW + n * spread, n) for n in range(start, start + size // batches)])
    return daemon


@case
def what_was_assigned_here_is_known_when_it_comes_back():
    for spread in 0, 7:
        size = scale(20000, 2000)
        daemon = assigned(size, 4, spread)
        for order in "ts, seq", "ts desc, seq desc":
            path = written_out(daemon.database, order)
            equal(imported(daemon.database, path)[0]["total"], (size, 0, size, 0, 0), order)
        with open(path, "ab") as file:
            file.write(lines([event(NOW, 1, "new"), event(NOW, 1, "new")]))
        equal(imported(daemon.database, path)[0]["total"], (size + 2, 1, size + 1, 0, 0))
        check_tally(daemon.database)
        daemon.stop()
        equal(imported(daemon.database, path)[0]["total"], (size + 2, 0, size + 2, 0, 0), "without a daemon")
        check_tally(daemon.database)


@case
def events_that_come_in_meanwhile_are_kept():
    daemon, size = Daemon(), scale(20000, 2000)
    path = written("a.log", lines(event(NOW + n, n, "i%d" % n, '"%s"' % ("x" * 400)) for n in range(size)))
    command = Command(daemon.database, path)
    sent = 0
    while command.process.poll() is None or sent < 5:
        daemon.save([event(NOW + n) for n in range(20)])
        sent += 1
    equal(command.end(0)[0]["total"], (size, size, 0, 0, 0))
    equal(daemon.total(), size + 20 * sent)
    check_tally(daemon.database)


# --- what is no log ---------------------------------------------------------------------------

GOOD = event(n=1, id="good")

BAD = [  # a file, what is counted of it, and words on standard error
    ("empty", b"", (0, 0, 0, 0, 0), []),
    ("empty lines", b"\n\r\n  \n\n", (4, 0, 0, 0, 4), []),
    ("the readable format", b"[04:00:22] info click\n" + GOOD + b"\n[04:00:23] warn\n", (3, 1, 0, 0, 2), []),
    ("half a line", GOOD + b"\n" + event()[:30], (2, 1, 0, 1, 0), ["half a line.log:2: half a line"]),
    ("whole without its end", GOOD, (1, 1, 0, 0, 0), []),
    ("no timestamp", b'{"a":1}\n' + GOOD + b"\n", (2, 1, 0, 1, 0), ["no timestamp.log:1: no timestamp"]),
    ("NULs", GOOD + b"\n\0\0\0\n" + b"\0" * 5000, (3, 1, 0, 2, 0), ["NULs.log:2: ", "NULs.log:3: "]),
    ("no UTF-8", b'{"timestamp":"2026-11-21T04:00:00Z","a":"\xff"}\n', (1, 0, 0, 1, 0), [":1: not UTF-8"]),
    ("UTF-16", GOOD.decode().encode("utf-16"), (1, 0, 0, 1, 0), [":1: "]),
    ("one JSON array", b'[\n{"a":1}\n]\n', (3, 0, 0, 2, 1), [":2: no timestamp"]),
    ("too large", b'{"timestamp":"2026-11-21T04:00:00Z","a":"%s"}\n' % (b"x" * (1 << 20)) + GOOD, (2, 1, 0, 1, 0),
     [":1: over the event limit"]),
    ("far too large", b"x" * (5 << 20) + b"\n" + GOOD, (2, 1, 0, 1, 0), [":1: over the event limit"]),
    ("endless", GOOD + b"\n" + b"x" * (5 << 20), (2, 1, 0, 1, 0), [":2: over the event limit"]),
    ("many", b"?\n" * 5000 + GOOD, (5001, 1, 0, 5000, 0), [":20: ", "and 4980 more malformed lines"]),
    ("noise", random.Random(1).randbytes(300000) + b"\n" + GOOD + b"\n", None, ["more malformed lines"]),
    ("terminal", b"\x1b[31mred\x1b[0m\n", (1, 0, 0, 1, 0), [":1: no JSON"]),
]


@case
def malformed_lines_are_counted_listed_and_never_fatal():
    daemon, rows = Daemon(), Rows()
    for name, data, expected, words in BAD:
        with rows(name):
            path, database = written(name + ".log", data), new()
            for where in database, daemon.database:
                before = count(where)
                found, errors = imported(where, path)
                if expected is not None and where == database:
                    equal(found["total"], expected)
                if expected is not None and where != database:
                    equal(found["total"][0], expected[0])
                    equal(found["total"][3:], expected[3:])
                for word in words:
                    assert word in errors, "%r not in %r" % (word, errors[-800:])
                assert len(errors.splitlines()) <= 21, errors
                assert "\x1b" not in errors, errors
                assert count(where) - before == found["total"][1]
            equal(sql(database, "select count(*) from rejects"), [(0,)])
            check_tally(database)
    check_tally(daemon.database)
    equal(daemon.sql("select count(*) from rejects"), [(0,)])
    rows.check()


@case
def the_limits_are_those_of_who_stores():
    text = b'{"timestamp":"2026-11-21T04:00:00Z","a":"%s"}\n' % (b"x" * 5000)
    deep = b'{"timestamp":"2026-11-21T04:00:00Z","a":[[[]]]}\n'
    path, database = written("a.log", text + deep), new()
    equal(imported(database, "--max-event", "4K", "--max-depth", "3", path)[0]["total"], (2, 0, 0, 2, 0))
    equal(imported(database, path)[0]["total"], (2, 2, 0, 0, 0))
    daemon = Daemon(max_event="4K", max_depth=3)
    # A server's database the command opens by itself, beside the daemon.
    equal(imported(daemon.database, path)[0]["total"], (2, 2, 0, 0, 0) if stores.POSTGRES else (2, 0, 0, 2, 0))


@case
def a_line_of_100_megabytes_takes_no_memory():
    if SLOW:
        raise Skip("resident memory is not judged here")
    path = written("huge.log", lines([GOOD]))
    with open(path, "r+b") as file:  # NULs that are not even on the disk
        file.seek(100 << 20, os.SEEK_END)
        file.write(b"\n" + GOOD + b"\n")

    def check(database):
        limit = 400 << 20  # of address space, threads' stacks included
        done = subprocess.run([BINARY, "import", "--database", database, path], env=_environment(None),
                              capture_output=True, timeout=PATIENCE,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit >> 3, limit >> 3)))
        equal(done.returncode, 0, done.stderr)
        equal(counts(done.stdout)["total"], (3, 1, 1, 1, 0))
    both(check)


@case
def files_that_cannot_be_read_do_not_stop_the_others():
    where = directory()
    good = written("good.log", lines([GOOD]), where)
    os.symlink("nowhere", os.path.join(where, "dangling.log"))
    cut = written("cut.log.gz", gzip.compress(lines([event(n=5, id="c%d" % n) for n in range(50)]))[:-7], where)
    empty = directory()
    for path, word in ((os.path.join(where, "missing.log"), "No such file"), (empty, "without logs"),
                       (os.path.join(where, "dangling.log"), "No such file"), (cut, "cut short"),
                       (good + "/more", "Not a directory")):
        database = new()
        found, errors = imported(database, path, good, code=1)
        equal(found[good][:2], (1, 1), path)
        assert path in errors and word in errors, errors
        check_tally(database)
    if os.geteuid() != 0:
        os.chmod(good, 0)
        assert "Permission denied" in imported(new(), good, code=1)[1]


@case
def a_file_that_vanishes_is_told_and_one_that_grows_is_taken_to_its_end():
    where = directory()
    for n in range(3):
        written("shop-2026_11_2%d.log" % n, lines([event(n=n, id="v%d" % n)]), where)
    pipe = os.path.join(directory(), "pipe")
    os.mkfifo(pipe)
    database = new()
    command = Command(database, pipe, where)  # the directory has been looked at before the pipe is read
    with open(pipe, "wb") as file:
        file.write(lines([GOOD]))
        file.flush()
        poll(lambda: count(database) == 1, "the first event")
        os.unlink(os.path.join(where, "shop-2026_11_21.log"))
        with open(os.path.join(where, "shop-2026_11_22.log"), "ab") as grown:
            grown.write(lines([event(id="grown")]) + event(id="whole later")[:40])
    found, errors = command.end(1)
    equal(found["total"], (5, 4, 0, 1, 0))
    assert "shop-2026_11_21.log: No such file" in errors and "shop-2026_11_22.log:3: half a line" in errors, errors


@case
@of_files
def usage_errors_and_unfit_databases_are_refused():
    equal(run("import").returncode, 2)
    equal(run("import", "--listen", "127.0.0.1:0", RECORDED).returncode, 2)
    equal(run("import", "--max-event", "x", RECORDED).returncode, 78)
    text = written("text.db", b"no database, and longer than a hundred bytes " * 10)
    done = run("import", "--database", text, RECORDED)
    equal(done.returncode, 78, done.stderr)
    equal(os.path.getsize(text), 450)


@case
def a_bar_is_drawn_on_a_terminal_and_nowhere_else():
    path = written("a.log", b"?\n" + lines([event(id="t%d" % n) for n in range(100)]))
    master, terminal = os.openpty()
    done = subprocess.run([BINARY, "import", "--database", new(), path], env=_environment(None), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=terminal, timeout=PATIENCE)
    os.close(terminal)
    drawn = os.read(master, 1 << 16).decode()
    os.close(master)
    equal(counts(done.stdout)["total"], (101, 100, 0, 1, 0))
    assert re.search(r"a\.log \[#+\] 100 % .* MB, .*/s", drawn), drawn
    assert drawn.endswith("\x1b[K"), "the bar is left standing: %r" % drawn
    equal(imported(new(), path)[1], "%s:1: no JSON: expected a value at byte 0\n" % path)


# --- interrupted ------------------------------------------------------------------------------

def many(size, prefix):
    return [event(NOW + n // 3, n, prefix + str(n) if n % 2 else "", '"%s"' % ("x" * 300)) for n in range(size)]


@case
def an_interrupted_import_is_whole_and_goes_on():
    size = scale(15000, 6000)
    texts = many(size, "k")
    path = written("a.log", lines(texts))

    def check(number, code):
        def once(database):
            command = Command(database, "-")
            command.send(lines(texts[:size // 2]))  # and then nothing: it waits for more
            poll(lambda: count(database) > 0, "the first events")
            command.process.send_signal(number)
            if number == signal.SIGKILL:
                command.process.communicate()
            else:
                found, errors = command.end(code)
                equal(found["total"][1], count(database), "what it says is stored")
                assert re.search(r"stopped at line \d+ of standard input", errors), errors
            poll(lambda: not os.path.exists("/proc/%d" % command.process.pid), "its end")
            there = poll(lambda: count(database), "what was stored")
            found, errors = imported(database, path)
            lines_, new_, old, bad, skipped = found["total"]
            equal((lines_, new_ + old, bad, skipped), (size, size, 0, 0))
            assert 0 < there <= old <= size // 2, (there, found)
            equal(count(database), size)
            check_tally(database)
        both(once)
    check(signal.SIGINT, 130)
    check(signal.SIGTERM, 130)
    check(signal.SIGKILL, None)


@case
@by_daemon
def a_daemon_that_ends_meanwhile_is_told_and_nothing_is_lost():
    size = scale(20000, 4000)
    texts = many(size, "d")
    for crash in False, True:
        daemon = Daemon()
        command = Command(daemon.database, "-")
        command.send(lines(texts[:size // 2]))
        poll(lambda: count(daemon.database) > 0, "the first events")
        if crash:
            daemon.crash()
        else:
            daemon.stop()
        out, errors = command.process.communicate(lines(texts[size // 2:]), timeout=PATIENCE)
        equal(command.process.returncode, 1, errors)
        assert b"run it again" in errors, errors
        found, _ = imported(daemon.database, written("a.log", lines(texts)))
        equal(sum(found["total"][1:3]), size)
        equal(count(daemon.database), size)
        check_tally(daemon.database)


def waits(command):
    """Reads what it says until it says that it waits."""
    for line in command.process.stderr:
        if b"waiting: " in line:
            return
    raise AssertionError("it does not say that it waits")


@case
def a_database_that_cannot_be_written_is_waited_for():
    texts = [event(id="w%d" % n) for n in range(30)]

    def check(database):
        for ending, code, expected in ("release", 0, 20), ("interrupt", 130, 1):
            command, before = Command(database, "-"), count(database)
            command.send(lines([event(id=ending)]))
            poll(lambda: count(database) > before, "it to have begun")
            with WriteLock(database) as lock:
                command.send(lines(texts[:19] if code == 0 else texts[19:]))
                command.close()
                waits(command)
                if code == 0:
                    lock.release()
                    found, _ = command.end(0)
                else:
                    command.process.send_signal(signal.SIGINT)
                    found, _ = command.end(130)
            # A server may commit behind the connection that was given up: then they are there already.
            equal(sum(found["total"][1:3]) if stores.POSTGRES else found["total"][1], expected, ending)
        assert count(database) in ((21, 32) if stores.POSTGRES else (21,)), count(database)
    both(check)


@case
@of_files
def a_generated_gigabyte_comes_in_and_adds_nothing_the_second_time():
    if not LONG:
        raise Skip("takes minutes; BEACOND_TEST_LONG=1 runs it")
    where, size = directory(), 2000000
    pad = b"x" * 380
    with open(os.path.join(where, "big.log"), "wb") as file:
        for n in range(size):
            file.write(b'{"id":"%s","timestamp":"%s","n":%d,"pad":"%s"}\n' %
                       (b"" if n % 4 == 0 else b"%032x" % random.getrandbits(128), stamp(NOW + n // 5).encode(), n,
                        pad))
    database = new()
    for expected in (size, size, 0, 0, 0), (size, 0, size, 0, 0):
        equal(imported(database, where, patience=3600)[0]["total"], expected)
        check_tally(database)
    shutil.rmtree(where)
    # And out again, and in, where it is the same; checked, backed up, and half of it erased.
    copy, out = new(), os.path.join(directory(), "out.ndjson")
    for arguments in ("check", "--database", database), ("export", "--output", out, "--database", database), \
            ("import", out, "--database", copy), ("backup", copy + ".copy", "--database", copy), \
            ("check", "--database", copy + ".copy"):
        done = run(*arguments, patience=3600)
        equal(done.returncode, 0, "%s: %r" % (arguments[0], done.stderr[-600:]))
    difference = "select count(*) from (select %s from events except select %s from there.events)"
    for one, other in (database, copy), (copy, copy + ".copy"):
        check_tally(other)
        equal(sql(other, "select count(*) from events"), [(size,)])
        connection = sqlite3.connect(one)
        connection.execute("attach ? as there", (other,))
        # Both were numbered in the order of time.
        equal(connection.execute(difference.replace("%s", "seq, ts, id, event")).fetchall(), [(0,)])
        connection.close()
    done = run("prune", "--database", copy, "--before", stamp(NOW + size // 10), patience=3600)
    equal((done.returncode, done.stdout.split()[0]), (0, b"%d" % (size // 10 * 5)), done.stderr)
    check_tally(copy)
    equal(sql(copy, "select count(*) from events"), [(size - size // 10 * 5,)])


main()
