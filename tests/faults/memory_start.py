"""Allocations that fail while the daemon starts and ends, and in each command (DESIGN.md 7; memory.c).

Whichever allocation fails: the daemon starts and works, or exits 1 with a message; a command does all of
what it was asked, or exits 1 with a message and what it had to leave whole is whole. Never by a signal.

BEACOND_TEST_LONG=1 tries every allocation; otherwise some of them.
"""

import os
import random
import re
import shutil
import sqlite3

from allocations import JANSSON, LIBEVENT, NAMES, OURS, SQLITE, THREADS, Memory
from harness import (BRIEF, FAULTY, NOW, SANITIZERS, Daemon, Rows, case, directory, equal, event, main, run, sql, stamp)

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
SEED = int(os.environ.get("BEACOND_SEED", "1"))
MOST = int(os.environ.get("MOST", 0)) or (100000 if LONG else 1 if BRIEF else 6)  # tries of a side


def tries(name, side, count):
    """Which of so many allocations are to fail."""
    if count <= MOST:
        return list(range(1, count + 1))
    dice = random.Random("%d %s %d" % (SEED, name, side))
    return sorted(dice.sample(range(1, count + 1), MOST))


def seeded():
    """A database of some events, rejects among them, left by a daemon that has ended."""
    daemon = Daemon()
    daemon.save([event(NOW + n, n, "" if n % 2 else "id-%d" % n).replace(
        b'"level"', b'"userId":"u%d","level"' % (n % 3)) for n in range(80)])
    daemon.post([event(NOW - 10**11, n + 1000) for n in range(20)] + [b'{"timestamp":"never"}', b"7"])
    daemon.stop()
    return daemon.database


def message(stderr):
    assert not SANITIZERS.search(stderr), stderr.decode("utf-8", "replace")
    return stderr.strip()


# --- the daemon -------------------------------------------------------------------------------

def started(memory, database, side, first):
    """Starts with that fault, works, ends with that fault. How many allocations were seen."""
    memory.arm(side, first)
    daemon = Daemon(program=FAULTY, env=memory.env, database=database, ready=False, hold="10s")
    try:
        daemon.wait_log(r" ready$")
        daemon.address = [m.group(1) for m in (re.search(r" listening on (\S+)", x) for x in daemon.log()) if m][0]
    except AssertionError:
        memory.clear()
        code = daemon.ended()
        assert daemon.log() and daemon.log()[-1].strip(), "no message"
        equal(code, 1, "exit code, after %s" % daemon.log()[-1])
        return memory.seen()
    memory.clear()
    daemon.save([event(NOW + 10**6)])
    equal(daemon.total() >= 1, True)
    daemon.stop()
    return memory.seen()


@case
def a_daemon_starts_or_says_why_not_whichever_allocation_fails():
    memory, database = Memory(), seeded()
    fresh = os.path.join(directory(), "made.db")
    rows, played = Rows(), 0
    for side in (OURS, SQLITE, JANSSON, LIBEVENT, THREADS):
        for name, path in (("of a database", database), ("of none", fresh)):
            count = started(memory, path, side, 0)
            for n in tries(name, side, count):
                for suffix in ("", "-wal", "-shm", "-lock", ".lock"):
                    if path == fresh and os.path.exists(fresh + suffix):
                        os.unlink(fresh + suffix)
                if path == fresh:
                    database_made(memory, path, side, n, rows)
                else:
                    with rows("%s, %s, allocation %d" % (name, NAMES[side], n)):
                        started(memory, path, side, n)
                played += 1
            print("# start, %s, %s: %d allocations" % (name, NAMES[side], count), flush=True)
    print("# %d starts" % played)
    rows.check()


def database_made(memory, path, side, n, rows):
    """The first start fails or not; the next one works with what the first has left."""
    with rows("of none, %s, allocation %d" % (NAMES[side], n)):
        memory.arm(side, n)
        daemon = Daemon(program=FAULTY, env=memory.env, database=path, ready=False)
        try:
            daemon.wait_log(r" ready$")
            memory.clear()
            daemon.stop()
        except AssertionError:
            memory.clear()
            assert daemon.log() and daemon.log()[-1].strip(), "no message"
            equal(daemon.ended(), 1, "exit code, after %s" % daemon.log()[-1])
        again = Daemon(database=path)
        again.save([event()])
        again.stop()


@case
def a_daemon_ends_as_it_should_whichever_allocation_fails():
    rows, played = Rows(), 0
    for side in (OURS, SQLITE, JANSSON, LIBEVENT):
        count = ended(side, 0)
        for n in tries("end", side, count):
            with rows("%s, allocation %d" % (NAMES[side], n)):
                ended(side, n)
            played += 1
        print("# end, %s: %d allocations" % (NAMES[side], count), flush=True)
    print("# %d ends" % played)
    rows.check()


def ended(side, first):
    memory = Memory()
    daemon = Daemon(program=FAULTY, env=memory.env)
    daemon.save([event(NOW + n, n) for n in range(30)])
    memory.arm(side, first)
    daemon.stop()
    seen = memory.seen()
    equal(sql(daemon.database, "select count(*) from events"), [(30,)])
    equal(sql(daemon.database, "pragma integrity_check"), [(b"ok",)])
    shutil.rmtree(daemon.directory, True)
    return seen


# --- commands ---------------------------------------------------------------------------------

LINES = b"".join(event(NOW + n, n + 5000) + b"\n" for n in range(40)) + b"what is this?\n"

COMMANDS = [
    ("check",), ("stats",), ("stats", "--json"), ("export",), ("export", "--format", "csv"),
    ("query", "apps", "--format", "json", "--since", "2026-01-01"), ("rejects",), ("rejects", "--json"),
    ("backup", "copy.db"), ("prune", "--before", stamp(NOW - 10**10)), ("forget", "--user", "u1"),
    ("import", "lines.log"), ("check-config",),
]


def commanded(memory, database, arguments, side, first):
    """Runs it over a copy of the database. Returns the code, what it wrote, its message, how many
    allocations there were, and what the database holds then."""
    where = directory()
    own = os.path.join(where, "own.db")
    shutil.copy(database, own)
    with open(os.path.join(where, "lines.log"), "wb") as file:
        file.write(LINES)
    memory.arm(side, first)
    done = run(*arguments, "--database", own, program=FAULTY, env=memory.env, cwd=where)
    memory.clear()
    out = done.stdout.replace(own.encode(), b"")  # another one each time
    if arguments[0] == "backup":
        target = os.path.join(where, "copy.db")
        # Whatever has its name is whole, also when that could not be told any more.
        assert done.returncode != 0 or os.path.exists(target), "no copy"
        out = repr(sql(target, "select * from events")).encode() if os.path.exists(target) else b""
        if done.returncode != 0 and out:
            equal((len(sql(target, "select 1 from events")), sql(target, "pragma quick_check")), (100, [(b"ok",)]))
    if arguments[0] in ("import", "forget", "prune"):  # times and rates; what the database holds tells
        out = b""
    if arguments[0] == "stats":  # names and figures of the files, which another copy has otherwise
        out = re.sub(rb"\d+", b"", out)
    equal(sql(own, "pragma quick_check"), [(b"ok",)])
    held = sql(own, "select count(*) from events")[0][0]
    shutil.rmtree(where, True)
    return done.returncode, out, message(done.stderr + (done.stdout if arguments[0] == "check" else b"")), memory.seen(), held


@case
def a_command_does_it_all_or_says_why_not_whichever_allocation_fails():
    memory, database = Memory(), seeded()
    with sqlite3.connect(database) as connection:
        before = connection.execute("select count(*) from events").fetchone()[0]
    rows, played = Rows(), 0
    for arguments in COMMANDS:
        code, wrote, said, _, after = commanded(memory, database, arguments, 0, 0)
        equal(code, 0, "%s: %r" % (arguments, said))
        for side in (OURS, SQLITE, JANSSON):
            count = commanded(memory, database, arguments, side, 0)[3]
            for n in tries(" ".join(arguments), side, count):
                with rows("%s, %s, allocation %d" % (" ".join(arguments), NAMES[side], n)):
                    code, out, told, _, held = commanded(memory, database, arguments, side, n)
                    played += 1
                    if code == 0:
                        equal(out, wrote, "what it wrote; %r" % told)
                        equal(held, after, "events")
                    else:
                        equal(code, 1, "exit code; %r" % told)
                        assert told, "no message"
                        assert min(before, after) <= held <= max(before, after), "%d events" % held
            print("# %s, %s: %d allocations" % (" ".join(arguments), NAMES[side], count), flush=True)
    print("# %d commands" % played)
    rows.check()


if __name__ == "__main__":
    main()
