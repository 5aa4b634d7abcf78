"""beacond check: what is wrong is found and named, what is right is not complained about."""

import os
import shutil
import signal
import sqlite3
import threading

from harness import (NOW, Daemon, Rows, begin, case, directory, equal, event, finish, main, on_terminal, poll, run,
                     shell, sql)
from stores import dialect, of_files

EVENTS = 600


def made():
    """A database with some of everything, which nobody has open."""
    daemon = Daemon()
    for n in range(0, EVENTS, 50):
        daemon.save(event(NOW - n * 37000 - m * 400, payload='"%s"' % ("x" * 300)) for m in range(50))
    daemon.save([event(-1), event(-86400000), event(NOW + 10 ** 9, id="mine")])
    daemon.post([b"1", b"{}"])
    daemon.stop()
    return daemon.database


def check(database, *flags):
    done = run("check", "--database", database, *flags)
    lines = done.stdout.decode().splitlines()
    for line in lines:
        assert line.startswith(("ok    ", "wrong ", "fixed ")), line
    return done.returncode, lines, done.stderr.decode()


def wrong(lines):
    return [line[6:] for line in lines if line.startswith("wrong")]


def copy(database):
    file = os.path.join(directory(), "copy.db")
    shutil.copyfile(database, file)
    return file


@case
def a_whole_database_is_said_to_be_whole():
    daemon = Daemon()
    equal(check(daemon.database)[0], 0, "an empty one")
    daemon.save(event(NOW + n) for n in range(100))
    for flags in [], ["--quick"]:
        code, lines, err = check(daemon.database, *flags)
        equal((code, wrong(lines), err), (0, [], ""), "beside a daemon")
    daemon.stop()
    code, lines, err = check(made())
    equal((code, wrong(lines), err), (0, [], ""))
    names = [line[6:].split(":")[0] for line in lines]
    equal(names, dialect(["pages", "file", "schema", "meta"], ["schema", "meta", "commits, erasures"]) +
          ["receipts", "rejects", "tally"])
    assert lines[-1].endswith(" %d events" % (EVENTS + 3)), lines[-1]
    assert lines[-2].startswith("ok    rejects: 2 rows, 3 bytes"), lines[-2]


@case
def nothing_is_wrong_while_events_come_in():
    daemon, over, errors = Daemon(), [], []

    def post():
        connection = daemon.connection()
        try:
            while not over:
                daemon.save([event(NOW + n * 700) for n in range(20)], connection=connection)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        for n in range(5):
            poll(lambda: daemon.total() > 100 * n, "events")
            code, lines, err = check(daemon.database)
            equal((code, wrong(lines)), (0, []), err)
    finally:
        over.append(True)
        thread.join()
    equal(errors, [])


@case
@of_files
def what_is_wrong_with_rows_is_named():
    database, rows = made(), Rows()
    plant = [
        ("update tally_%s set events = events + 1 where at = (select min(at) from tally_%s)" % (step, step),
         "tally_%s: 1969-12-3" % step) for step in ("second", "minute", "hour", "day")]
    plant += [
        ("delete from tally_second where at = (select max(at) from tally_second)", "tally_second: 2026-12-"),
        ("insert into tally_minute values (60000 * 1000000, 7)", "tally_minute: 1971-"),
        ("insert into tally_day values (86400000 * 30000, 7)", "tally_day: 2052-"),
        ("delete from tally_hour", "tally_hour: "),
        ("delete from events where seq = 5", "tally_second: "),
        ("insert into receipts values (90001, 0, x'')", "receipts: row 90001"),
        ("insert into receipts values (90002, 0, x'63')", "receipts: row 90002"),
        ("insert into receipts values (90003, 0, x'0101')", "receipts: row 90003"),
        ("insert into receipts values (90004, 0, x'01020000000000000000000000110000000000')", "receipts: row 90004"),
        ("insert into receipts values (90005, 0, x'010000008000000000')", "receipts: row 90005"),
        ("insert into rejects(received, reason, event) values (1, '', x'00')", "rejects: row 3"),
        ("update meta set value = -1 where name = 'last_seq'", "meta: last_seq"),
        ("update meta set value = 'x' where name = 'last_seq'", "meta: last_seq"),
        ("delete from meta where name = 'last_seq'", "meta: last_seq"),
        ("update meta set value = 1.5 where name = 'erasures'", "meta: erasures"),
        ("update meta set value = x'00' where name = 'secret'", "meta: secret"),
        ("update events set seq = -seq where seq = 5", "events: seq -5"),
        ("update events set seq = 9223372036854775807 where seq = 5", "events: seq 9223372036854775807"),
        ("update events set ts = 1 << 60 where seq = 5", "events: ts 1152921504606846976"),
        ("create trigger mine after insert on events begin delete from rejects; end", "schema: trigger mine on events"),
        ("create unique index mine on events(received)", "schema: index mine on events"),
        ("drop index events_by_time", "schema: index events_by_time is missing"),
        ("drop view event_fields; create view event_fields as select 1", "schema: view event_fields was changed"),
        ("drop table rejects", "schema: table rejects is missing"),
        ("pragma user_version = 0", "schema: version 0"),
    ]
    for script, words in plant:
        with rows(script):
            file = copy(database)
            if script.startswith("create unique"):
                shell(file, "update events set received = received * 1000 + seq")
            shell(file, script)
            code, lines, err = check(file)
            equal(code, 1, "exit code: %s %s" % (lines, err))
            assert any(line.startswith(words) for line in wrong(lines)), wrong(lines)
            left = [line for line in wrong(lines) if not line.startswith(words.split(":")[0])]
            if not script.startswith(("delete from events", "update events", "drop")):
                equal(left, [], "complained about as well")
    rows.check()


@case
@of_files
def what_a_person_has_added_for_himself_is_fine():
    database = made()
    shell(database, "create view mine as select 1; create table notes(a); create index notes_a on notes(a);"
          "create index received on events(received); analyze; vacuum")
    code, lines, err = check(database)
    equal((code, wrong(lines)), (0, []), err)
    assert "ok    schema: view mine is not beacond's, and left alone" in lines, lines


@case
@of_files
def damaged_pages_are_found():
    database, rows = made(), Rows()
    size = 8192
    roots = dict(sqlite3.connect(database).execute("select name, rootpage from sqlite_schema"))
    with open(database, "rb") as file:
        whole = file.read()
    leaf = next(n for n in range(roots["events"], len(whole) // size)
                if whole[n * size] == 0x0d and n + 1 not in roots.values() and b'"appId":"shop"' in whole[n * size:][:size])
    number = whole.index(b"\x27", (roots["events_by_time"] - 1) * size + size // 2)
    flips = [("the kind of a page of events", leaf * size, []),
             ("its cells", leaf * size + 9, []),
             ("a root", (roots["tally_minute"] - 1) * size, []),
             ("an index entry", number, None)]
    for name, at, flags in flips:
        with rows(name):
            file = copy(database)
            with open(file, "r+b") as opened:
                opened.seek(at)
                opened.write(bytes([whole[at] ^ 0x55]))
            code, lines, err = check(file)
            equal(code, 1, "exit code: %s %s" % (lines, err))
            assert any(line.startswith("pages: ") for line in wrong(lines)), wrong(lines)
    with rows("cut short"):
        file = copy(database)
        os.truncate(file, len(whole) // 2 // size * size)
        code, lines, err = check(file)
        equal(code, 1, "exit code: %s %s" % (lines, err))
    rows.check()


@case
@of_files
def what_is_no_database_of_beacond_is_said_so():
    rows, here = Rows(), directory()

    def at(name):
        return os.path.join(here, name)

    shell(at("foreign"), "create table t(a)")
    shutil.copyfile(made(), at("newer"))
    shell(at("newer"), "pragma user_version = 99")
    with open(at("text"), "w") as file:
        file.write("no database" * 100)
    open(at("empty"), "w").close()
    for name in "foreign", "newer", "text", "empty", "missing", ".":
        with rows(name):
            code, lines, err = check(at(name))
            equal((code, lines), (78, []))
            assert err.startswith("beacond: "), err
    equal(run("check", "operand", "--database", at("foreign")).returncode, 2)
    rows.check()


@case
def a_tally_is_repaired_and_nothing_else_is_touched():
    database = made()
    events = sql(database, "select * from events")
    for served in dialect((False, True), (False,)):  # a daemon on a server would count anew by itself
        shell(database, "update tally_hour set events = events + 1; delete from tally_day")
        daemon = Daemon(database=database) if served else None
        code, lines, err = check(database)
        equal((code, {line.split(":")[0] for line in wrong(lines)}), (1, {"tally_hour", "tally_day"}), err)
        code, lines, err = check(database, "--repair-tally")
        equal(code, 0, "%s %s" % (lines, err))
        equal(lines[-2:], ["fixed tally: counted anew, %d events" % len(events),
                           "ok    tally: right, %d events" % len(events)])
        equal(check(database)[0], 0)
        code, lines, err = check(database, "--repair-tally")
        equal((code, [line for line in lines if line.startswith("fixed")]), (0, []), "nothing to repair")
        if daemon:
            equal(daemon.total(), len(events))
            daemon.stop()
    equal(sql(database, "select * from events"), events)
    shell(database, "delete from tally_day; insert into receipts values (90001, 0, %s)"
          % dialect("x''", "0, 0, false, 0, ''"))
    equal(check(database, "--repair-tally")[0], 1, "receipts are still wrong")


@case
def interrupted_it_changes_nothing():
    database = made()
    shell(database, "with recursive n(n) as (select 10000 union all select n + 1 from n where n < 160000)"
                    "insert into events(seq, ts, received, given, id, event) select base + n, ts, received, %s, 'e' || n, event "
                    "from events, n, (select %s as base) as numbers where seq = (select min(seq) from events)"
                    % dialect(("0", "0"), ("false", "beacond.take_blocks(40)")))
    check(database, "--repair-tally")
    before = sql(database, "select * from tally_second")
    equal(check(database)[0], 0)
    for _ in range(20):
        process = begin("check", "--database", database)
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        code, out, error = finish(process)
        equal(sql(database, "select * from tally_second"), before)
        if code == 130:
            assert " tally" not in out and "stopped" in error, (out, error)
            equal(check(database)[0], 0)
            return
        equal(code, 0, error)
    raise AssertionError("never in time")

@case
def a_terminal_sees_how_far_it_is():
    database = made()
    code, out, seen = on_terminal("check", "--database", database)
    equal(code, 0)
    assert dialect(b"checking pages [", b"counting events [") in seen and seen.endswith(b"\r\x1b[K"), seen
    assert b"\x1b" not in out


main()
