"""`beacond rejects`: what could not be stored is listed, read anew and dropped, by the daemon or without one."""

import base64
import json
import os
import re
import signal
import subprocess

from harness import (NOW, PATIENCE, UUID7, Daemon, Rows, begin, case, directory, equal, event, main, poll, run, shell,
                     sql, stamp)
from stores import blob, dialect, number, refuse
from tally import check_tally

LARGE = event(NOW + 5, n=1, payload='"%s"' % ("x" * 2000))
DEEP = b'{"timestamp":"%s","payload":%s}' % (stamp(NOW + 6).encode(), b"[" * 20 + b"]" * 20)
BAD_UTF8 = b'{"timestamp":"%s","payload":"\xff\x1b[2J"}' % stamp(NOW).encode()
NO_TIME = b'{"no":"time"}'
GIVEN = event(NOW + 7, n=2, id="mine", payload='"%s"' % ("y" * 2000))


def rejects(database, *arguments, code=0, **more):
    done = run("rejects", "--database", database, *arguments, **more)
    equal(done.returncode, code, "%r: %r" % (arguments, done.stderr))
    return done.stdout.decode()


def listed(database, *arguments):
    return [json.loads(line) for line in rejects(database, "list", "--json", *arguments).splitlines()]


def fact(daemon_or_path, statement):
    return sql(getattr(daemon_or_path, "database", daemon_or_path), statement)


def with_rejects(**options):
    """A daemon with small limits, and what it could not store."""
    daemon = Daemon(max_event="1K", max_depth=10, **options)
    answer = daemon.post([LARGE, event(NOW, n=0), DEEP, BAD_UTF8.replace(b"\x1b", b""), NO_TIME, b"17", GIVEN])
    equal(answer.json(), {"ok": True, "saved": 1, "rejected": 6, "duplicate": 0})
    return daemon


@case
def the_list_shows_each_with_its_reason_and_moves_no_cursor():
    daemon = with_rejects()
    shell(daemon.database, "update rejects set event = %s where n = 3" % blob(b"{\xff\x1b[2J\n\0"))
    for end in (lambda: None, daemon.stop):
        end()
        lines = rejects(daemon.database).splitlines()
        equal(len(lines), 6)
        assert re.fullmatch(r'1 +20\S+Z  over the event limit  \d+ bytes  \{"id":"",.*,\.\.\.', lines[0]), lines[0]
        assert re.fullmatch(r"3 +\S+Z  not UTF-8  8 bytes  \{\\xff\\x1b\[2J\\n\\x00", lines[2]), lines[2]
        assert re.fullmatch(r"5 +\S+Z  not an object  2 bytes  17", lines[4]), lines[4]
        parsed = listed(daemon.database)
        equal([one["n"] for one in parsed], [1, 2, 3, 4, 5, 6])
        equal([one["reason"] for one in parsed], ["over the event limit", "nested too deep", "not UTF-8", "no timestamp",
                                                  "not an object", "over the event limit"])
        equal((parsed[0]["event"], parsed[0]["bytes"]), (LARGE.decode(), len(LARGE)))
        equal(base64.b64decode(parsed[2]["base64"]), b"{\xff\x1b[2J\n\0")
        equal(listed(daemon.database, "--limit", "2"), parsed[:2])
        equal(rejects(daemon.database, "--limit", "0"), "")


@case
def what_the_limits_take_now_is_retried_by_the_command_itself():
    daemon = with_rejects()
    came = fact(daemon, "select received from rejects where n = 1")[0][0]
    daemon.stop()
    path = daemon.database
    equal(rejects(path, "retry", "all"), "0 stored, 0 already there, 6 kept\n".replace("0 stored", "3 stored")
          .replace("6 kept", "3 kept"))  # its own limits are the defaults
    equal([one["n"] for one in listed(path)], [3, 4, 5])
    rows = fact(path, "select seq, ts, received, given, id, event from events order by seq")[1:]
    equal([row[1:4] for row in rows], [(NOW + 5, came, 0), (NOW + 6, came, 0), (NOW + 7, came, 1)])
    assert UUID7.fullmatch(rows[0][4].decode())
    equal(rows[0][5], LARGE.replace(b'"id":""', b'"id":"' + rows[0][4] + b'"'))
    equal(rows[2][5], GIVEN)
    check_tally(path)
    again = Daemon(database=path)
    equal(again.total(), 4)


@case
def with_a_daemon_its_limits_count_and_all_who_read_see_it_at_once():
    first = with_rejects()
    first.stop()
    daemon = Daemon(database=first.database, max_event="1K", max_depth=50)
    equal(daemon.total(), 1)  # the cache is warm, and a tag is known
    tag = daemon.get("/_tracker").header("ETag")
    tail = begin("tail", "--database", daemon.database, "--since-seq", str(fact(first, "select max(seq) from events")[0][0]), stderr=subprocess.DEVNULL)
    # Of a server's database it is one of those who write there, and its own limits count.
    limits = dialect([], ["--max-event", "1K", "--max-depth", "50"])
    equal(rejects(daemon.database, "retry", "2", "1", "2", *limits), "1 stored, 0 already there, 1 kept\n")
    equal(json.loads(tail.stdout.readline())["payload"], json.loads(DEEP)["payload"])
    tail.send_signal(signal.SIGINT)
    equal(tail.wait(PATIENCE), 130)
    tail.stdout.close()
    events = daemon.read()["events"]
    equal([one["timestamp"] for one in events], [stamp(NOW + 6), stamp(NOW)])
    assert daemon.get("/_tracker", If_None_Match=tag).status == 200
    equal([one["n"] for one in listed(daemon.database)], [1, 3, 4, 5, 6])
    check_tally(daemon.database)


@case
def a_given_id_that_is_there_already_is_not_stored_again():
    daemon = with_rejects()
    daemon.stop()
    other = Daemon(database=daemon.database)
    other.save([GIVEN])
    equal(rejects(other.database, "retry", "6"), "0 stored, 1 already there, 0 kept\n")
    equal(fact(other, "select count(*) from events where id = 'mine'")[0][0], 1)
    equal(len(listed(other.database)), 5)
    check_tally(other.database)


@case
def the_reason_follows_the_limits_and_what_the_database_refuses_stays():
    daemon = with_rejects()
    daemon.stop()
    path = daemon.database
    shell(path, "insert into rejects(n, received, reason, event) %s values (50, 5, 'no object', %s), "
                "(51, 5, 'odd', %s)" % (dialect("", "overriding system value"), blob(b"{"), blob(b'{"a":1}],"events":[{"timestamp":"2024-01-01"}')))
    shell(path, "update rejects set reason = 'another' where n in (1, 4)")
    rejects(path, "retry", "all", "--max-event", "1K", "--max-depth", "10")
    equal({one["n"]: one["reason"] for one in listed(path)},
          {1: "over the event limit", 2: "nested too deep", 3: "not UTF-8", 4: "no timestamp",
           5: "not an object", 6: "over the event limit", 50: "not JSON", 51: "not JSON"})
    refuse(path, "{0}ts = %d" % (NOW + 5))
    equal(rejects(path, "retry", "1", "2"), "1 stored, 0 already there, 1 kept\n")
    equal(listed(path, "--limit", "1")[0]["reason"].split(": ")[0], "refused by the database")
    check_tally(path)


@case
def dropped_ones_are_gone_and_the_bound_still_counts_right():
    daemon = with_rejects(max_rejects=7)
    equal(rejects(daemon.database, "drop", "2", "4"), "2 dropped\n")
    equal(rejects(daemon.database, "drop", "2", code=1), "0 dropped\n")
    # Four are left, three more fit in.
    daemon.post([b"%d" % n for n in range(100, 103)])
    equal([one["n"] for one in listed(daemon.database)], [1, 3, 5, 6, 7, 8, 9])
    daemon.post([b"200"])
    equal([one["n"] for one in listed(daemon.database)], [3, 5, 6, 7, 8, 9, 10])
    equal(rejects(daemon.database, "drop", "all"), "7 dropped\n")
    equal(listed(daemon.database), [])
    daemon.post([b"%d" % n for n in range(300, 308)])
    equal(len(listed(daemon.database)), 7)
    daemon.stop()
    equal(rejects(daemon.database, "drop", "all"), "7 dropped\n")
    equal(rejects(daemon.database, "retry", "all"), "0 stored, 0 already there, 0 kept\n")
    check_tally(daemon.database)


@case
def killed_at_any_moment_nothing_is_lost_or_doubled():
    daemon = Daemon(max_event="1K")
    for part in range(4):
        daemon.post([event(NOW + n, payload='"%s"' % ("x" * 1100)) for n in range(500)])
    daemon.stop()
    whole = 2000
    for round in range(4):
        daemon = Daemon(database=daemon.database)
        before = len(listed(daemon.database)) + daemon.total()
        equal(before, whole)
        process = begin("rejects", "retry", "all", "--database", daemon.database, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
        poll(lambda: daemon.total() > 0, "the first of them")
        daemon.crash()
        assert process.wait(PATIENCE) in (0, 1)
        check_tally(daemon.database)
        equal(fact(daemon, "select count(*), count(distinct ts * 1000000 + %s) from events" % number("n")),
              [(whole - len(listed(daemon.database)),) * 2])
    rejects(daemon.database, "retry", "all")
    equal((fact(daemon, "select count(*) from events"), listed(daemon.database)), ([(whole,)], []))
    check_tally(daemon.database)


@case
def sigint_stops_between_two_transactions():
    daemon = Daemon(max_event="1K", max_rejects=20000)
    for part in range(6):
        daemon.post([event(NOW + n, payload='"%s"' % ("x" * 1100)) for n in range(1000)])
    daemon.stop()
    path = daemon.database
    for _ in range(20):
        process = begin("rejects", "retry", "all", "--database", path)
        poll(lambda: process.poll() is not None or fact(path, "select count(*) from events")[0][0], "the first of them")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode in (0, 130), (process.returncode, err)
        check_tally(path)
        stored = fact(path, "select count(*) from events")[0][0]
        equal(stored + len(listed(path)), 6000)
        assert out.startswith(b"%d stored" % stored), (stored, out)
        if process.returncode == 130:
            assert b"stopped" in err, err
            return
        shell(path, "insert into rejects(received, reason, event) select received, '', %s from events;"
                    "delete from events" % dialect("event", "convert_to(event, 'UTF8')"))
    raise AssertionError("never in time")


@case
def bad_arguments_and_databases_are_refused():
    daemon = with_rejects()
    daemon.stop()
    before = rejects(daemon.database)
    rows = Rows()
    for arguments, code in ((["frob"], 2), (["list", "1"], 2), (["retry"], 2), (["drop"], 2), (["drop", "x"], 2),
                            (["drop", "0"], 2), (["drop", "-1"], 2), (["drop", "1", "all"], 2), (["retry", ""], 2),
                            (["retry", "9" * 30], 2), (["drop", "1", "--json"], 2), (["--limit", "x"], 78),
                            (["retry", "99"], 1), (["drop", "99"], 1),
                            (["--database", os.path.join(directory(), "none.db")], 78),
                            (["drop", "all", "--database", os.path.join(directory(), "none.db")], 78)):
        with rows(repr(arguments)):
            done = run("rejects", "--database", daemon.database, *arguments)
            equal(done.returncode, code, repr(done.stderr))
            assert b"beacond: " in done.stderr, done.stderr
    rows.check()
    equal(rejects(daemon.database), before)


main()
