"""beacond stats: what a database holds."""

import json
import os
import signal

import stores
from harness import NOW, Daemon, Skip, begin, case, directory, drained, equal, event, main, on_terminal, run, shell, sql, stamp
from stores import POSTGRES, dialect


def stats(database, *flags):
    done = run("stats", "--database", database, *flags)
    equal((done.returncode, done.stderr), (0, b""))
    return done.stdout


def told(database, *flags):
    return json.loads(stats(database, "--json", *flags))


def typed(kind, ms=NOW, app="shop", level="info"):
    return json.dumps({"id": "", "timestamp": stamp(ms), "type": kind, "appId": app, "level": level}).encode()


def values(member):
    return [(one["value"], one["events"]) for one in member["values"]]


@case
def everything_is_counted():
    daemon = Daemon()
    equal(told(daemon.database)["events"], 0, "an empty one")
    equal(told(daemon.database)["oldest"], None)
    stats(daemon.database)
    daemon.save([typed("click") for n in range(7)])
    daemon.save([typed("error", NOW + 1, level="error") for n in range(3)])
    daemon.save([typed("click", NOW - 86400000, app="blog") for n in range(2)])
    daemon.save([typed("click", NOW + 2)])
    daemon.save([event(-1)[:-1] + b',"type":"\\u0063lick"}'])
    daemon.save([b'{"timestamp":"2026-11-21T04:00:00Z"}', b'{"timestamp":"2026-11-21T04:00:00Z","type":7,"level":null}'])
    daemon.post([b"1"])
    got = told(daemon.database)
    equal(got["events"], 16)
    equal(got["bytes"], sql(daemon.database, "select sum(%s) from events" % stores.octets("event"))[0][0])
    equal((got["oldest"], got["newest"]), ("1969-12-31T23:59:59.999Z", "2026-11-21T04:00:00.002Z"))
    equal(values(got["type"]), [("click", 11), ("error", 3)])
    equal((got["type"]["none"], got["type"]["others"]), (2, 0))
    equal(values(got["appId"]), [("shop", 12), ("blog", 2)])
    equal(values(got["level"]), [("info", 11), ("error", 3)])
    equal(got["days"], [{"day": "1969-12-31", "events": 1}, {"day": "2026-11-20", "events": 2},
                        {"day": "2026-11-21", "events": 13}])
    equal(got["schema"], 1)
    equal(got["rejects"], {"rows": 1, "bytes": 1})
    equal(got["receipts"]["rows"], 7)
    if not POSTGRES:
        equal(got["file"]["pageBytes"], 8192)
        assert got["file"]["pages"] > 10 and got["file"]["walBytes"] > 0, got["file"]
    daemon.stop()
    after = told(daemon.database)
    if not POSTGRES:
        equal(after["file"]["bytes"], os.path.getsize(daemon.database))
        equal(after["file"]["bytes"], 8192 * after["file"]["pages"])
        equal(after["file"]["walBytes"], 0)
    del got["file"], after["file"]
    equal(after, got, "without a daemon")


@case
def quick_skips_the_events():
    daemon = Daemon()
    daemon.save([typed("click") for n in range(7)])
    whole, quick = told(daemon.database), told(daemon.database, "--quick")
    equal(set(whole) - set(quick), {"bytes", "appId", "type", "level"})
    equal({name: whole[name] for name in quick}, quick)
    assert b"click" in stats(daemon.database) and b"click" not in stats(daemon.database, "--quick")


@case
def what_strangers_send_does_nothing_to_a_terminal():
    daemon = Daemon()
    daemon.save([typed("\x1b]0;gone\x07\n\x7f\u009b2J\u00e9\\", app="\u202ex"),
                 event()[:-1] + b',"type":"\\ud800\\u0000"}', event()[:-1] + b',"type":"' + b"x" * 300 + b'"}'])
    text = stats(daemon.database)
    assert rb"\x1b]0;gone\x07\x0a\x7f\xc2\x9b2J\xc3\xa9\x5c" in text, text
    assert all(32 <= c < 127 or c == 10 for c in text), text
    got = told(daemon.database)
    equal(values(got["type"]), [("\x1b]0;gone\x07\n\x7f\u009b2J\u00e9\\", 1), ("???\0", 1)])
    equal(got["type"]["others"], 1)
    equal(values(got["appId"]), [("shop", 2), ("\u202ex", 1)])


@case
def many_values_are_counted_in_bounded_memory():
    daemon = Daemon()
    for n in range(0, 3000, 500):
        daemon.save([typed("t%d" % (n + m), NOW + n + m) for m in range(500)])
    daemon.save([typed("t1") for n in range(5)])
    got = told(daemon.database)["type"]
    equal((len(got["values"]), got["others"], got["none"]), (1000, 2000, 0))
    equal(got["values"][0], {"value": "t1", "events": 6})
    lines = stats(daemon.database).decode().splitlines()
    at = lines.index("events by type")
    equal(lines[at + 1].split(), ["6", "t1"])
    equal(lines[at + 21].split(), ["2980", "(others)"])


@case
def what_it_can_not_read_is_said():
    equal(run("stats", "--database", os.path.join(directory(), "none.db")).returncode, 78)
    foreign = os.path.join(directory(), "foreign.db")
    shell(foreign, "create table t(a)")
    done = run("stats", "--database", foreign)
    equal((done.returncode, done.stdout), (78, b""))
    equal(run("stats", "--json=yes").returncode, 2)


@case
def a_terminal_sees_how_far_it_is():
    daemon = Daemon()
    daemon.save([typed("click")])
    code, out, seen = on_terminal("stats", "--database", daemon.database)
    equal(code, 0)
    assert b"reading events [" in seen and seen.endswith(b"\r\x1b[K"), seen
    assert b"\x1b" not in out


@case
def interrupted_it_says_nothing_and_changes_nothing():
    daemon = Daemon()
    daemon.save([typed("click")])
    daemon.stop()
    shell(daemon.database, "with recursive n(n) as (select 2 union all select n + 1 from n where n < 150000)"
                           "insert into events(seq, ts, received, given, id, event) "
                           "select base + n, ts, received, %s, 'e' || n, event from events, n, (select %s as base) as numbers"
                           % dialect(("0", "0"), ("false", "beacond.take_blocks(37)")))
    if POSTGRES:  # where what was done by hand is not known before somebody has counted
        equal(run("check", "--repair-tally", "--database", daemon.database).returncode, 0)
    before = sql(daemon.database, "select count(*), sum(seq) from events")
    for _ in range(20):
        ours, theirs = os.openpty()
        process = begin("stats", "--json", "--database", daemon.database, stderr=theirs)
        os.close(theirs)
        seen = os.read(ours, 65536)  # it has begun to read
        process.send_signal(signal.SIGINT)
        out = process.communicate()[0]
        seen += drained(ours)
        equal(sql(daemon.database, "select count(*), sum(seq) from events"), before)
        if process.returncode == 130:
            equal(out, b"")
            assert b"reading events [" in seen and seen.endswith(b"\r\x1b[Kbeacond: stopped\r\n"), seen
            return
        equal((process.returncode, json.loads(out)["events"]), (0, before[0][0]))
    if POSTGRES:
        raise Skip("it was through before each of 20 signals")
    raise AssertionError("never in time")


main()
