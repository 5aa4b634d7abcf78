"""A schema goes on: databases of each version that there was are opened by this one, and migrations (of
tests, tests/faults/later.h) are killed, starved of room and of power, and end as one version or the
other, whole. What is newer is refused, untouched."""

import os
import shutil
import sqlite3

from harness import (FAULTY, NOW, Daemon, Rows, begin, case, directory, equal, event, finish, main, run,
                     shell, sql)
from platter import Platter, disks_of, generator, need_records, read_record
from schemas import check_contents, date_receipts, known, later, unpack, versions
from world import LONG, SEED

LATER = os.path.join(os.path.dirname(FAULTY), os.path.basename(FAULTY).replace("faulty", "later"))
STEP = 1 if LONG else 2  # of the calls of a migration, every so manieth is tried
NOTHING = "/dev/null"


def migrate(path, *numbers, **faults):
    """Opens it for writing, with these migrations, and ends."""
    env = dict(later(*numbers), **{"FAULTY_RECORD_" + name.upper(): str(value) for name, value in faults.items()})
    return run("import", "--database", path, NOTHING, program=LATER, env=env)


def check_state(path, version=1, killed=False):
    """By SQLite alone: whole, and of one version. Returns which."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma synchronous = off")
    try:
        equal(connection.execute("pragma integrity_check").fetchall(), [("ok",)])
        was = known(version)
        texts = sorted(row[0] for row in connection.execute("select event from events"))
        equal(texts, sorted(was["events"] + (was["behind"] if killed else [])), "events")
        now = connection.execute("pragma user_version").fetchone()[0]
        names = {name for name, in connection.execute("select name from sqlite_schema")}
        columns = [row[1] for row in connection.execute("pragma table_info(events)")]
        equal(("lengths" in names, "origin" in columns), (now >= 2, now >= 2), "what schema 2 brings")
        equal(("events_by_origin" in names, "receipts_new" in names), (now >= 3, False), "what schema 3 brings")
        if now >= 2:
            equal(connection.execute("select count(*) from lengths").fetchone()[0], len(texts))
        assert connection.execute("select count(*) from receipts").fetchone()[0] >= 1
        return now
    finally:
        connection.close()


def copied(path):
    """A copy of a database as it lies there, to be looked at."""
    folder = directory()
    for name in os.listdir(os.path.dirname(path)):
        if not name.endswith(("-shm", ".lock", ".control")):
            shutil.copy(os.path.join(os.path.dirname(path), name), folder)
    return os.path.join(folder, os.path.basename(path))


def calls(version, killed, *numbers):
    """How many calls a migration takes that change a file."""
    need_records()
    count = os.path.join(directory(), "count")
    equal(migrate(unpack(version, directory(), killed), *numbers, count=count).returncode, 0)
    with open(count) as file:
        return int(file.read())


def opened(**how):
    """Each database that there was, gone on with by such a daemon and looked through."""
    for version in versions():
        for killed in (False, True):
            path = unpack(version, directory(), killed)
            if not killed:
                date_receipts(path)
            check_contents(path, version, killed, dated=not killed, **how)
            checked = run("check", "--database", path, **how)
            equal(checked.returncode, 0, checked.stdout)
            yield path


@case
def each_schema_that_there_was_is_opened_and_gone_on_with():
    assert list(opened())


@case
def each_is_migrated_with_all_that_is_in_it():
    for path in opened(program=LATER, env=later(2, 3)):
        equal(sql(path, "pragma user_version"), [(3,)])


@case
def killed_at_any_moment_a_migration_is_done_or_undone_and_goes_on():
    for version in versions():
        for killed in (False, True) if LONG else (True,):
            count, seen, home = calls(version, killed, 2, 3), set(), directory()
            for n in range(1 + SEED % STEP, count + 1, STEP):
                path = unpack(version, home, killed)
                equal(migrate(path, 2, 3, kill=n).returncode, -9, "kill at call %d" % n)
                seen.add(check_state(copied(path), version, killed))
                done = migrate(path, 2, 3)
                equal(done.returncode, 0, "behind the kill at call %d: %r" % (n, done.stderr))
                equal(check_state(path, version, killed), 3)
            equal(seen, {1, 2, 3}, "versions that were seen")
            print("# schema %d: killed at %d of %d calls" % (version, len(range(1 + SEED % STEP, count + 1, STEP)), count))


@case
def killed_at_any_moment_of_its_making_a_database_is_made_by_the_next_start():
    need_records()
    home, n, code = directory(), 0, -9
    path = os.path.join(home, "beacond.db")
    while code == -9:
        n += 1
        for name in os.listdir(home):
            os.unlink(os.path.join(home, name))
        code = run("import", "--database", path, NOTHING, program=FAULTY, env={"FAULTY_RECORD_KILL": str(n)}).returncode
        if code == -9:
            done = run("import", "--database", path, NOTHING)
            equal(done.returncode, 0, "behind the kill at call %d: %r" % (n, done.stderr))
            equal(run("check", "--database", path).returncode, 0)
    equal(code, 0)
    print("# killed at %d calls" % (n - 1))


@case
def without_room_a_migration_is_undone_and_goes_on_once_there_is_some():
    for version in versions():
        count, seen, failed, home = calls(version, True, 2, 3), set(), 0, directory()
        for n in range(1, count + 1, STEP):
            path = unpack(version, home, True)
            done = migrate(path, 2, 3, full=n)
            failed += done.returncode != 0
            if done.returncode != 0:
                assert b"beacond.db" in done.stderr and b"full" in done.stderr, done.stderr
            seen.add(check_state(copied(path), version, True))
            equal(migrate(path, 2, 3).returncode, 0)
            equal(check_state(path, version, True), 3)
        assert failed and 1 in seen and 3 in seen, (failed, seen)
        print("# schema %d: no room from %d of %d calls on, %d failed" % (version, -(-count // STEP), count, failed))


@case
def a_loss_of_power_in_a_migration_leaves_one_version_or_the_other():
    need_records()
    for version in versions():
        record, dice, count = os.path.join(directory(), "record"), generator(SEED, "migration"), 0
        path = unpack(version, directory(), True)
        disk, look = Platter(os.path.dirname(path)), directory()
        env = dict(later(2, 3), FAULTY_RECORD=record)
        equal(run("import", "--database", path, NOTHING, program=LATER, env=env).returncode, 0)
        for now, left in disks_of(disk, read_record(record), dice, 200 if LONG else 4):
            left.lay(look)
            there = os.path.join(look, "beacond.db")
            if count % 10 == 0:
                equal(migrate(there, 2, 3).returncode, 0, left.what)
                equal(check_state(there, version, True), 3)
            else:
                check_state(there, version, True)
            count += 1
        print("# schema %d: %d disks at %d flushes" % (version, count, disk.flushes))


@case
def a_migration_that_fails_leaves_the_database_as_it_was():
    broken = os.path.join(directory(), "broken.sql")
    with open(broken, "w", encoding="utf-8") as file:
        file.write("DELETE FROM events; DROP TABLE receipts; INSERT INTO nowhere VALUES (1);")
    path = unpack(1, directory())
    with open(path, "rb") as file:
        before = file.read()
    done = run("import", "--database", path, NOTHING, program=LATER, env={"FAULTY_LATER": broken})
    assert done.returncode != 0 and b"beacond.db" in done.stderr and b"nowhere" in done.stderr, done
    with open(path, "rb") as file:
        equal(file.read() == before, True, "the file is as it was")
    equal(check_state(copied(path)), 1)
    check_contents(path, 1, dated=False)
    # In the second step: the first is kept.
    path = unpack(1, directory())
    env = {"FAULTY_LATER": later(2)["FAULTY_LATER"] + ":" + broken}
    assert run("import", "--database", path, NOTHING, program=LATER, env=env).returncode != 0
    equal(check_state(copied(path)), 2)
    check_contents(path, 1, dated=False, program=LATER, env=later(2))


@case
def of_two_that_would_migrate_one_does():
    for _ in range(20 if LONG else 3):
        path = unpack(1, directory(), True)
        both = [begin("import", "--database", path, NOTHING, program=LATER, env=later(2, 3)) for _ in range(2)]
        done = [finish(process) for process in both]
        codes = sorted(code for code, _, _ in done)
        assert codes[0] == 0, done
        if codes[1]:
            assert any("in use by process" in err for code, _, err in done if code), done
        equal(check_state(path, 1, True), 3)


# --- newer, and lacking -----------------------------------------------------------------------

def touched(path):
    """Whatever shows that a database was touched: of each file its bytes, its inode, when it was changed."""
    out, folder = {}, os.path.dirname(path)
    for name in sorted(os.listdir(folder)):
        if not name.endswith(("-shm", ".lock", ".control")):
            info = os.stat(os.path.join(folder, name))
            with open(os.path.join(folder, name), "rb") as file:
                out[name] = (file.read(), info.st_ino, info.st_mtime_ns, info.st_size)
    if not out.get("beacond.db-wal", " ")[0]:
        del out["beacond.db-wal"]  # SQLite's, and empty
    return out


COMMANDS = [["serve", "--listen", "127.0.0.1:0"], ["import", NOTHING], ["export"], ["rejects"],
            ["prune", "--before", "2020-01-01T00:00:00Z"], ["forget", "--user", "u1"], ["check"], ["stats"], ["backup"], ["tail"], ["query", "apps"]]


def refused(path, *words, commands=COMMANDS):
    before, rows = touched(path), Rows()
    for command in commands:
        more = [os.path.join(directory(), "copy.db")] if command[0] == "backup" else []
        with rows(command[0]):
            done = run(*command, "--database", path, *more)
            text = done.stderr.decode() + done.stdout.decode()
            equal(done.returncode, 78, text)
            for word in ("beacond.db",) + words:
                assert word in text, "%r in: %s" % (word, text)
            after = touched(path)
            equal({name: value[1:] for name, value in after.items()}, {name: value[1:] for name, value in before.items()})
            equal(after == before, True, "its bytes")
    rows.check()


@case
def what_is_newer_is_refused_by_every_command_untouched():
    path = unpack(1, directory())
    equal(migrate(path, 2, 3).returncode, 0)
    refused(path, "newer", "schema 3", "knows 1")
    # Known from the log alone: the one that has migrated it was killed.
    path = unpack(1, directory())
    daemon = Daemon(database=path, program=LATER, env=later(2, 3))
    daemon.save([event(NOW, 1)])
    daemon.crash()
    with open(path, "rb") as file:
        equal(file.read(64)[60:64], b"\0\0\0\1", "the version in the file itself")
    refused(path, "newer", "schema 3", "knows 1")
    equal(migrate(path, 2, 3).returncode, 0)


@case
def a_database_that_lacks_something_is_refused_untouched():
    for what in ("table receipts", "table rejects", "table tally_hour", "table meta", "index events_given"):
        path = unpack(1, directory())
        shell(path, "drop " + what)
        refused(path, "damaged", commands=COMMANDS[:2])


main(of_files=True)
