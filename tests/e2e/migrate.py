"""beacond migrate: a SQLite database goes into PostgreSQL, while its daemon goes on."""

import os
import random
import re
import signal
import subprocess
import threading

import postgres
from harness import (NOW, Daemon, Skip, begin, case, directory, equal, event, finish, main, on_terminal, poll,
                     run, scale, shell, sql, stamp)

DAY = 86400000
COLUMNS = {"events": "seq, ts, received, given, id, event", "rejects": "n, received, reason, event"}
TALLIES = ("second", "minute", "hour", "day")


def target():
    if b"PostgreSQL: no" in run("--version").stdout:
        raise Skip("built without PostgreSQL")
    return postgres.database()


def old_daemon(**options):
    return Daemon(database=os.path.join(directory(), "old.db"), **options)


def migrate(source, to, *more):
    """Exit code and what was said."""
    done = run("migrate", "--database", source, "--to", to, *more)
    return done.returncode, (done.stdout + done.stderr).decode()


def finished(source, to, *more):
    code, said = migrate(source, to, *more)
    equal(code, 0, said)
    assert "\nfinished " in said and "not finished" not in said, said
    return said


def table(database, name):
    rows = sql(database, "select %s from %s order by 1" % (COLUMNS[name], name))
    return [tuple(bytes(x) if isinstance(x, memoryview) else x for x in row) for row in rows]


def tally(database, step):
    return sql(database, "select at, sum(events) from tally_%s group by at having sum(events) <> 0 order by at" % step)


def equals(source, to):
    """Both hold the same, byte for byte, and the copy's tally is that of its events."""
    for name in COLUMNS:
        equal(table(to, name), table(source, name), name)
    for step in TALLIES:
        equal(tally(to, step), tally(source, step), step)
    equal(sql(to, "select value from meta where name = 'secret'"),
          sql(source, "select value from meta where name = 'secret'"), "secret")


class Ingest:
    """Posts without a pause: events with ids of their own and without, of several days, and some rejects."""

    def __init__(self, daemon):
        self.daemon, self.count, self.over, self.error = daemon, 0, False, None
        self.last = []  # the batch that was acknowledged last
        self.thread = threading.Thread(target=self.post)
        self.thread.start()

    def post(self):
        connection = self.daemon.connection()
        try:
            while not self.over:
                n, texts = self.count, []
                for i in range(20):
                    id = "" if i % 3 else "own-%d-%d" % (n, i)
                    texts.append(event(NOW - (n % 4) * DAY + n * 40 + i, id=id, payload='"%s"' % ("x" * 40)))
                self.daemon.save(texts, connection=connection)
                self.last = texts
                if n % 50 == 0:
                    self.daemon.post([b'{"no":"timestamp %d"}' % n], connection=connection)
                self.count += 1
        except Exception as error:
            self.error = error

    def end(self):
        self.over = True
        self.thread.join()
        equal(self.error, None)


def fill(daemon, megabytes):
    """Large events of two days, so that copying them takes a while."""
    payload = '"%s"' % ("y" * 30000)
    for n in range(megabytes):
        daemon.save([event(NOW - 5 * DAY * (n % 2) + n * 100 + i, payload=payload) for i in range(32)])


def killed(source, to, longest):
    """A run that is killed within so many seconds, or has come to its end before."""
    process = begin("migrate", "--database", source, "--to", to)
    try:
        process.wait(random.uniform(0, longest))
    except subprocess.TimeoutExpired:
        process.kill()
    finish(process)


@case
def killed_at_any_time_beside_a_daemon_that_takes_events_and_erases_it_ends_equal():
    to, daemon = target(), old_daemon()
    fill(daemon, scale(20, 4))
    user = '{"timestamp":"%s","userId":"gone-%d","n":%d}'
    for n in range(3):
        daemon.save([(user % (stamp(NOW + m), n, m)).encode() for m in range(50)])
    ingest = Ingest(daemon)
    for n in range(3):
        for _ in range(scale(3, 2)):
            killed(daemon.database, to, 0.6)
        code, said = migrate(daemon.database, to)  # so that what is erased has been copied
        equal(code, 0, said)
        assert "not finished, for" in said, said
        erase = ["prune", "--before", stamp(NOW - 4 * DAY)] if n == 1 else ["forget", "--user", "gone-%d" % n]
        done = run(*erase, "--database", daemon.database)
        equal(done.returncode, 0, done.stderr)
        killed(daemon.database, to, 0.3)
    ingest.end()
    daemon.stop()
    finished(daemon.database, to)
    equals(daemon.database, to)
    assert sql(daemon.database, "select count(*) from events")[0][0] > 100
    equal(sql(to, "select count(*) > 0 from rejects"), [(1,)])
    equal(sql(to, "select count(*) from receipts"), [(sql(to, "select count(distinct key) from receipts")[0][0],)])
    last, reject = sql(to, "select max(seq), (select max(n) from rejects) from events")[0]
    assert last > 8192, "numbers reach into the first blocks"
    node = Daemon(database=to)
    node.save([event(NOW + n) for n in range(3)])
    equal(node.post([b"{}"]).json()["rejected"], 1)
    equal(node.sql("select count(*) from events where seq > ?", last), [(3,)], "numbers go on above")
    equal(node.sql("select max(n) from rejects"), [(reject + 1,)], "of rejects, too")
    equal(node.total(), sql(daemon.database, "select count(*) from events")[0][0] + 3)


@case
def what_was_copied_is_not_copied_again():
    to, daemon = target(), old_daemon()
    daemon.save([event(NOW + n) for n in range(50)])
    code, said = migrate(daemon.database, to)
    equal(code, 0, said)
    assert said.startswith("copied   50 new events"), said
    assert "compared 50 events of 1 days: equal" in said, said
    daemon.save([event(NOW + n) for n in range(7)])
    code, said = migrate(daemon.database, to)
    assert said.startswith("copied   7 new events") and "compared 7 events" in said, said
    daemon.stop()
    said = finished(daemon.database, to)
    assert said.startswith("copied   0 new events") and "compared 0 events" in said, said
    assert "compared 57 events" in finished(daemon.database, to, "--whole")
    equals(daemon.database, to)


@case
def ids_that_are_no_text_to_postgresql_and_days_far_away_come_along():
    to, daemon = target(), old_daemon()
    texts = [event(NOW, id=id) for id in ("a\0b", "half \ud800", "\u0001x61", "plain", "\U0001f600", "l" * 5000)]
    far = ['{"timestamp":"%s","far":1}' % when for when in ("1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z",
                                                             "9999-12-31T23:59:59.999Z")]
    daemon.save(texts + [text.encode() for text in far])
    daemon.stop()
    finished(daemon.database, to)
    for step in TALLIES:
        equal(tally(to, step), tally(daemon.database, step), step)
    same = "select seq, ts, received, given, event from events order by seq"
    equal(sql(to, same), sql(daemon.database, same))
    plain = "select seq, id from events where event like '%plain%' or event like '%far%' order by seq"
    equal(sql(to, plain), sql(daemon.database, plain))
    equal(sql(to, "select count(distinct id) from events"), [(9,)])


@case
def a_day_that_is_not_equal_is_copied_anew_and_told_if_that_is_no_use():
    to, daemon = target(), old_daemon()
    daemon.save([event(NOW - DAY * (n % 3) + n, id="e%d" % n) for n in range(30)])
    equal(migrate(daemon.database, to)[0], 0)
    shell(to, "set beacond.own = 'on'; update beacond.events set event = event || ' ' where id = 'e4';"
              "delete from beacond.events where id = 'e8'; update beacond.events set received = 1 where id = 'e6'")
    code, said = migrate(daemon.database, to, "--whole")
    equal(code, 0, said)
    assert "anew     3 days that were not the same any more, 30 events\n" in said, said
    shell(to, """create function beacond.spoil() returns trigger language plpgsql as
                 $$ begin new.event := new.event || ' '; return new; end $$;
                 create trigger spoil before insert on beacond.events for each row
                 when (new.id = 'e5') execute function beacond.spoil();""")
    daemon.save([event(NOW - DAY * 2 + 50, id="e50")])
    shell(to, "set beacond.own = 'on'; delete from beacond.events where id = 'e5'")
    code, said = migrate(daemon.database, to, "--whole")
    equal(code, 1, said)
    day = stamp(NOW - DAY * 2)[:10]
    assert "differs: %s has 11 events in the file, 11 in the copy, and not the same ones\n" % day in said, said
    assert "compared 31 events of 3 days: not equal\nnot finished: run this again\n" in said, said
    shell(to, "drop trigger spoil on beacond.events")
    daemon.stop()
    finished(daemon.database, to)
    equals(daemon.database, to)


@case
def no_node_starts_before_it_is_finished():
    to, daemon = target(), old_daemon()
    daemon.save([event(NOW + n) for n in range(20)])
    equal(migrate(daemon.database, to)[0], 0)
    early = Daemon(database=to, ready=False)
    early.ended(78)
    assert "a database is being moved into it" in early.log_tail(), early.log_tail()
    for command in ("stats", "check", "export"):
        got = run(command, "--database", to)
        equal((command, got.returncode), (command, 78))
        assert b"a database is being moved into it" in got.stderr, got.stderr


@case
def the_target_is_empty_or_of_the_same_source():
    to, daemon, other = target(), old_daemon(), old_daemon()
    daemon.save([event()])
    other.save([event()])
    shown = to.split("?")[0]
    equal(migrate(daemon.database, to)[0], 0)
    code, said = migrate(other.database, to)
    equal(code, 78)
    assert said.startswith("beacond: " + shown) and "another database is being moved into it" in said, said
    for source, goal, words in ((to, to, "is not a file"), (daemon.database, other.database, "is a file"),
                                (daemon.database + ".none", to, "there is no such database")):
        code, said = migrate(source, goal)
        equal(code, 78, said)
        assert words in said, said
    equal(run("migrate", "--database", daemon.database).returncode, 2)
    assert not os.path.exists(daemon.database + ".none")
    code, said = migrate(daemon.database, "postgresql://me:secret@127.0.0.1:1/x")
    equal(code, 1, said)
    assert "secret" not in said, said
    full = postgres.database()
    equal(migrate(daemon.database, full)[0], 0)
    shell(full, "delete from beacond.moved")
    code, said = migrate(daemon.database, full)
    equal(code, 78, said)
    assert "it is not empty. To begin anew: " in said, said
    foreign = postgres.database()
    shell(foreign, "create schema beacond; create table beacond.mine (n int)")
    code, said = migrate(daemon.database, foreign)
    equal(code, 78, said)
    assert "not beacond's" in said, said


@case
def an_event_that_is_no_text_is_told_and_does_not_stay_half_copied():
    to, daemon = target(), old_daemon()
    daemon.save([event(NOW + n) for n in range(3)])
    daemon.stop()
    shell(daemon.database, "insert into events values (9, %d, %d, 0, 'x', cast(x'7bff7d' as text))" % (NOW, NOW))
    code, said = migrate(daemon.database, to)
    equal(code, 1, said)
    assert "one of the events from number 1 to 9 can't be stored: invalid byte sequence" in said, said
    equal(sql(to, "select (select count(*) from events), (select seq from moved), finished is null from moved"),
          [(0, 0, 1)])
    shell(daemon.database, "delete from events where seq = 9")
    finished(daemon.database, to)
    equals(daemon.database, to)


@case
def a_later_run_ends_an_earlier_one():
    to, daemon = target(), old_daemon()
    daemon.save([event(NOW + n) for n in range(50)])
    equal(migrate(daemon.database, to)[0], 0)

    def waiting():
        return sql(to, "select count(*) from pg_locks where not granted")[0][0]

    with postgres.Session(to) as session:
        session.run("begin; lock table beacond.events in access exclusive mode;")
        earlier = begin("migrate", "--whole", "--database", daemon.database, "--to", to)
        poll(lambda: waiting() == 1, "it to compare")
        shell(to, "update beacond.moved set run = run + 1")  # what a later one begins with
        session.run("commit;")
    code, _, said = finish(earlier)
    equal(code, 78, said)
    assert "another `beacond migrate` goes on with it" in said, said
    daemon.stop()
    finished(daemon.database, to)
    equals(daemon.database, to)


@case
def a_node_goes_on_where_the_old_daemon_was_and_then_nothing_is_moved_any_more():
    to, daemon = target(), old_daemon()
    first, second = [event(NOW + n) for n in range(20)], [event(NOW + 100 + n) for n in range(20)]
    burst = [event(NOW + 500, 7)] * 20
    for texts in first, burst, second:
        daemon.save(texts)
    cursor = daemon.read("limit=30")["nextCursor"]
    behind = daemon.read("limit=30&cursor=" + cursor)["events"]
    daemon.stop()
    finished(daemon.database, to)
    new = Daemon(database=to)
    equal(new.total(), 60)
    for texts in first, burst, second + [event(NOW + 900)]:
        answer = new.post(texts).json()
        equal((answer["saved"], answer["duplicate"]), (len(texts), 20), "a retry right behind the move")
    equal(new.total(), 61)
    new.save([event(NOW + 1000)])
    equal(new.read("limit=30&cursor=" + cursor)["events"], behind, "the old daemon's cursor")
    equal(new.sql("select count(*) from events where seq < 8192"), [(60,)])
    new.stop()
    code, said = migrate(daemon.database, to)
    equal(code, 78, said)
    assert "beacond has been started on it" in said, said


@case
def interrupted_it_says_so_and_goes_on_behind_what_it_had_committed():
    to, daemon = target(), old_daemon()
    daemon.save([event()])
    equal(migrate(daemon.database, to)[0], 0)  # the tables
    fill(daemon, 18)  # more than a portion
    daemon.save([event(id="stop")])
    fill(daemon, 18)
    daemon.stop()
    shell(to, """create function beacond.stop() returns trigger language plpgsql as
                 $$ begin perform pg_advisory_xact_lock(7); return new; end $$;
                 create trigger stop before insert on beacond.events for each row
                 when (new.id = 'stop') execute function beacond.stop();""")

    def stopped():
        waits = sql(to, "select count(*) from pg_locks where locktype = 'advisory' and not granted")[0][0]
        return waits or process.poll() is not None

    with postgres.Session(to) as session:
        session.run("select pg_advisory_lock(7);")
        process = begin("migrate", "--database", daemon.database, "--to", to)
        poll(stopped, "it to come to the event")
        before = sql(to, "select seq from moved")[0][0]  # events may be locked
        process.send_signal(signal.SIGINT)
    code, _, said = finish(process)
    assert before > 1, "nothing was committed before the portion of the event"
    equal(code, 130, said)
    seq, there = sql(to, "select seq, (select count(*) from events) from moved")[0]
    equal(sql(daemon.database, "select count(*) from events where seq <= ?", seq), [(there,)])
    assert "stopped after %d new events; run it again, it goes on there" % (there - 1) in said, said
    left = sql(daemon.database, "select count(*) from events where seq > ?", seq)[0][0]
    assert left > 0, "it was not stopped"
    said = finished(daemon.database, to)
    assert said.startswith("copied   %d new events" % left), said
    equals(daemon.database, to)


@case
def a_terminal_sees_how_far_it_is():
    to, daemon = target(), old_daemon()
    daemon.save([event(NOW + n) for n in range(50)])
    daemon.stop()
    code, out, shown = on_terminal("migrate", "--database", daemon.database, "--to", to)
    equal(code, 0, shown)
    assert re.search(rb"\rcopying events \[#+\] 100 % 50 events, \d+/s\x1b\[K", shown), shown
    assert re.search(rb"\rcomparing[a-z ]* ", shown), shown
    assert shown.endswith(b"\r\x1b[K"), shown  # and it is taken away
    assert out.startswith(b"copied   50 new events"), out
    code, _, said = finish(begin("migrate", "--database", daemon.database, "--to", target()))
    equal((code, said), (0, ""), "no terminal")


main()
