"""The database is the operator's: readable while it runs, guarded against the wrong file, against a
second daemon and against changes behind the daemon's back (DESIGN.md 1, 4)."""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess

from harness import (NOW, Daemon, Rows, Skip, case, directory, equal, event, main, poll, run, scale, shell)
from stores import POSTGRES, dialect, of_files
from tally import check_tally


def digest(path):
    """The bytes of a database and of what lies beside it. An empty WAL and the lock don't count."""
    out = {}
    for suffix in ("", "-wal", "-journal"):
        if os.path.exists(path + suffix) and (suffix == "" or os.path.getsize(path + suffix) > 0):
            with open(path + suffix, "rb") as file:
                out[suffix] = hashlib.sha256(file.read()).hexdigest()
    return out


def made(count=200):
    """A database with some events, closed. Returns its path."""
    daemon = Daemon()
    daemon.save([event(NOW + n * 7919, n, payload='"%s"' % ("d" * 300)) for n in range(count)])
    daemon.stop()
    return daemon.database


@case
@of_files
def the_query_of_the_manual_works_while_it_runs():
    if not shutil.which("sqlite3"):
        raise Skip("no sqlite3 shell")
    daemon = Daemon()
    daemon.save([event(NOW + n, n) for n in range(10)])
    daemon.save([b'{"timestamp":"2030-01-01T00:00:00Z","type":"click","level":"warn","appId":"a","userId":"u"}'])
    done = subprocess.run(["sqlite3", "-readonly", daemon.database,
                           "select timestamp, type, level, appId, userId from event_fields "
                           "order by ts desc limit 5"], capture_output=True, timeout=60)
    equal(done.stderr, b"")
    lines = done.stdout.decode().splitlines()
    equal(len(lines), 5)
    equal(lines[0], "2030-01-01T00:00:00Z|click|warn|a|u")
    equal(lines[1], "2026-11-21T04:00:00.009Z|custom|info|shop|")
    daemon.save([event()])


@case
def the_view_shows_every_field_and_stumbles_over_nothing():
    daemon = Daemon()
    daemon.save([json.dumps({"id": "x", "timestamp": "2026-11-21T04:00:00Z", "level": "info", "type": "http",
                             "appId": "shop", "sessionId": "s", "userId": "u", "groupId": "g",
                             "context": {"c": 1}, "payload": {"p": [1]}, "meta": {"m": "n"}}).encode()])
    names = [b.decode() for b, in daemon.sql(dialect(
        "select name from pragma_table_info('event_fields')",
        "select column_name::text from information_schema.columns where table_name = 'event_fields'"))]
    for name in ("timestamp", "type", "level", "appId", "sessionId", "userId", "groupId", "context",
                 "payload", "meta", "ts", "seq"):
        assert name in names, "no column %s in %r" % (name, names)
    row = daemon.sql('select "timestamp", level, type, "appId", "sessionId", "userId", "groupId", context, payload, meta '
                     "from event_fields")[0]
    equal(row[:7], (b"2026-11-21T04:00:00Z", b"info", b"http", b"shop", b"s", b"u", b"g"))
    equal([json.loads(text) for text in row[7:]], [{"c": 1}, {"p": [1]}, {"m": "n"}])
    daemon.save([b'{"timestamp":"2026-11-21T04:00:00Z","type":5,"level":null,"payload":"\\u0000\\ud800"}',
                 b'{"timestamp":"2026-11-21T04:00:00Z","payload":1e999,"type":"a","type":"b"}',
                 b'{"timestamp":"2026-11-21T04:00:00Z","payload":' + b"[" * 510 + b"]" * 510 + b"}"])
    equal(len(daemon.sql("select * from event_fields")), 4)


@case
@of_files
def the_file_says_what_it_is():
    daemon = Daemon()
    daemon.save([event()])
    assert daemon.sql("pragma application_id")[0][0] != 0
    assert daemon.sql("pragma user_version")[0][0] >= 1
    equal(daemon.sql("pragma journal_mode"), [(b"wal",)])
    equal(daemon.sql("pragma page_size"), [(8192,)])
    equal(daemon.sql("pragma auto_vacuum"), [(2,)])
    columns = [(n.decode(), t.decode()) for n, t in daemon.sql("select name, type from pragma_table_info('events')")]
    equal(columns, [("seq", "INTEGER"), ("ts", "INTEGER"), ("received", "INTEGER"), ("given", "INTEGER"),
                    ("id", "TEXT"), ("event", "TEXT")])
    with open(daemon.database, "rb") as file:
        equal(os.stat(daemon.database).st_mode & 0o007, 0, "readable by everybody")
        equal(file.read(16), b"SQLite format 3\0")


@case
def the_tally_equals_a_recount():
    generator = random.Random(11)
    daemon = Daemon()
    for _ in range(scale(20, 5)):
        texts = [event(generator.choice([NOW, 0, -1, -86400000, NOW + 1]) +
                       generator.randrange(-3, 4) * generator.choice([1, 1000, 60000, 3600000, 86400000]),
                       n, generator.choice(["", "e%d" % generator.randrange(40)])) for n in range(100)]
        equal(daemon.post(texts).status, 200)
    check_tally(daemon.database)
    equal(daemon.total(), daemon.sql("select count(*) from events")[0][0])


def by_hand(ts):
    """A statement that inserts an event. In SQLite its number comes by itself."""
    return ("insert into events(%s ts, received, given, id, event) select %s %d, 0, true, 'mine', "
            "'{\"id\":\"mine\",\"timestamp\":\"1970-01-01T00:00:05Z\"}'"
            % (*dialect(("", ""), ("seq,", "beacond.take_blocks(1),")), ts))


@case
def rows_changed_in_the_shell_are_noticed():
    daemon = Daemon()
    daemon.save([event(NOW + n, n, "e%d" % n) for n in range(100)])
    equal(daemon.total(), 100)
    for number, (change, total) in enumerate([
            ("delete from events where ts < %d" % (NOW + 30), 70),
            (by_hand(5000), 71),
            ("update events set ts = ts - 86400000 where ts between %d and %d" % (NOW + 49, NOW + 58), 71),
            ("delete from tally_hour; delete from tally_day", 71)]):
        shell(daemon.database, change)
        daemon.save([event(NOW, 0, "look %d" % number)])  # the daemon looks at each commit
        # Of a server's database it is told, and counts anew when nothing else is to be done.
        poll(lambda: not POSTGRES or daemon.total() == total + 1, change)
        equal(daemon.total(), total + 1, change)
        # And again: what was changed once is watched as before.
        shell(daemon.database, "delete from events where id like 'look %'")
    daemon.save([event(NOW, 1, "last")])
    poll(lambda: not POSTGRES or daemon.total() == 72, "the last change to be counted")
    equal(daemon.total(), 72)
    check_tally(daemon.database)
    # Of a server's database it is not alone.
    assert POSTGRES or any(" warn " in line for line in daemon.log()), "nothing logged about the change"


@case
def rows_inserted_in_the_shell_are_noticed_while_the_cache_is_filled():
    daemon, count = Daemon(), scale(60000, 20000)
    for _ in range(count // 5000):
        daemon.save([event() for _ in range(5000)])
    daemon.stop()
    daemon = Daemon(database=daemon.database)
    for n in range(20):
        shell(daemon.database, by_hand(5000 + n))
    poll(lambda: daemon.total() == count + 20, "a new count")


@case
@of_files
def what_was_changed_while_no_daemon_ran_is_counted_anew_when_told():
    path = made()
    shell(path, "delete from events where seq % 2")
    daemon = Daemon(database=path, cache_events=0)
    count = len(daemon.read()["events"])
    assert daemon.total() != count, "counted at the start: the manual says otherwise"
    shell(daemon.database, "update meta set value = value + 1 where name = 'erasures'")
    poll(lambda: daemon.total() == count, "a new count")
    check_tally(daemon.database)


@case
def a_number_of_order_is_never_used_twice():
    daemon = Daemon()
    daemon.save([event(NOW, n, "e%d" % n) for n in range(10)])
    top = daemon.sql("select max(seq) from events")[0][0]
    daemon.stop()
    again = Daemon(database=daemon.database)
    again.save([event(NOW, 1, "later")])
    assert again.sql("select seq from events where id = 'later'")[0][0] > top
    # Nor when the newest rows are deleted in the shell, while it runs and afterwards.
    shell(again.database, "delete from events where id in ('later', 'e5', 'e6', 'e7', 'e8', 'e9')")
    again.save([event(NOW, 2, "behind")])
    seq = again.sql("select seq from events where id = 'behind'")[0][0]
    assert seq > top + 1, seq
    shell(again.database, "delete from events")
    again.save([event(NOW, 3, "alone")])
    shell(again.database, "delete from events")
    if not POSTGRES:  # which takes them from a sequence
        poll(lambda: again.sql("select value from meta where name = 'last_seq'") == [(seq + 1,)],
             "it to be noticed while nothing comes in")
    again.stop()
    last = Daemon(database=daemon.database)
    last.save([event(NOW, 4, "last")])
    assert last.sql("select seq from events where id = 'last'")[0][0] > seq + 1


# --- files that must not be touched -----------------------------------------------------------

def refused(path, *words):
    """beacond must not start on it: exit 78, a message that names the file, and no byte changed."""
    before = digest(path)
    done = run("--listen", "127.0.0.1:0", "--database", path)
    text = done.stderr.decode("utf-8", "replace")
    equal(done.returncode, 78, text)
    equal(digest(path), before, "the file was touched")
    assert os.path.basename(path) in text, "which file? " + text
    for word in words:
        assert word in text.lower(), "%r in: %s" % (word, text)
    assert " ready" not in text


@case
@of_files
def a_database_of_a_newer_version_is_refused_untouched():
    path = made()
    shell(path, "pragma user_version = 9999")
    refused(path, "newer")


@case
@of_files
def a_foreign_file_is_refused_untouched():
    rows, home = Rows(), directory()

    def sqlite(script):
        path = os.path.join(home, "foreign.db")
        if os.path.exists(path):
            os.unlink(path)
        shell(path, script)
        return path

    def plain(data):
        path = os.path.join(home, "plain.txt")
        with open(path, "wb") as file:
            file.write(data)
        return path

    for name, path in [
            ("another program's", lambda: sqlite("create table notes(t); insert into notes values(1); "
                                                 "pragma application_id = 12345; pragma user_version = 1")),
            ("nobody's", lambda: sqlite("create table events(a, b); insert into events values(1, 2)")),
            ("nobody's with a version", lambda: sqlite("create table t(a); pragma user_version = 1")),
            ("another program's in WAL mode", lambda: sqlite("pragma journal_mode = wal; create table t(a)")),
            ("a text", lambda: plain(b"dear diary\n" * 1000)),
            ("a short text", lambda: plain(b"x")),
            ("noise", lambda: plain(random.Random(1).randbytes(100000))),
            ("its magic alone", lambda: plain(b"SQLite format 3\0")),
            ("its magic and noise", lambda: plain(b"SQLite format 3\0" + random.Random(2).randbytes(100000)))]:
        with rows(name):
            refused(path())
    rows.check()


def damaged(path, change):
    """A copy with its bytes changed."""
    copy = os.path.join(directory(), "damaged.db")
    with open(path, "rb") as file:
        data = bytearray(file.read())
    change(data)
    with open(copy, "wb") as file:
        file.write(data)
    return copy


@case
@of_files
def a_damaged_or_truncated_file_is_refused_untouched():
    path, rows = made(2000), Rows()

    def cut(size):
        def change(data):
            del data[int(len(data) * size) if size < 1 else size:]
        return change

    def scribble(at, length):
        def change(data):
            data[at:at + length] = random.Random(at).randbytes(length)
        return change

    for name, change in [("the header", scribble(16, 84)), ("the schema", scribble(100, 8000)),
                         ("the first pages", scribble(100, 40000)), ("cut to half", cut(0.5)),
                         ("cut to a page", cut(8192)), ("cut within a page", cut(12000)),
                         ("cut to 100 bytes", cut(100)), ("cut by the last page", lambda d: d.__delitem__(slice(-8192, None)))]:
        with rows(name):
            refused(damaged(path, change))
    rows.check()


@case
@of_files
def missing_directories_and_odd_paths_are_refused():
    home = directory()
    for path in (os.path.join(home, "no", "such", "x.db"), home, "/dev/null", "/proc/version"):
        done = run("--listen", "127.0.0.1:0", "--database", path)
        assert done.returncode in (1, 78), "%s: %d" % (path, done.returncode)
        assert os.path.basename(path).encode() in done.stderr, done.stderr
        assert b" ready" not in done.stderr


@case
@of_files
def an_empty_file_becomes_a_database():
    path = os.path.join(directory(), "empty.db")
    open(path, "w").close()
    daemon = Daemon(database=path)
    daemon.save([event()])


@case
@of_files
def a_second_daemon_on_the_same_database_is_refused_naming_the_first():
    daemon = Daemon()
    daemon.save([event(NOW, 1)])
    link = os.path.join(directory(), "link.db")
    os.symlink(daemon.database, link)
    for path in (daemon.database, os.path.join(os.path.dirname(daemon.database), ".", "beacond.db"), link):
        done = run("--listen", "127.0.0.1:0", "--database", path)
        assert done.returncode in (1, 78), done.returncode
        assert str(daemon.pid).encode() in done.stderr, "who holds it? %r" % done.stderr
        assert b" ready" not in done.stderr
    daemon.save([event(NOW, 2)])
    equal(daemon.total(), 2)
    # Its end, of whatever kind, frees the database.
    daemon.crash()
    again = Daemon(database=daemon.database)
    equal(again.total(), 2)
    again.stop()
    equal(Daemon(database=daemon.database).total(), 2)


@case
@of_files
def several_daemons_with_databases_of_their_own_live_in_one_directory():
    home = directory()
    daemons = [Daemon(database=os.path.join(home, name)) for name in ("a.db", "b.db")]
    for n, daemon in enumerate(daemons):
        daemon.save([event()] * (n + 1))
    equal([d.total() for d in daemons], [1, 2])


@case
@of_files
def a_leftover_wal_of_a_killed_daemon_is_taken_in():
    daemon = Daemon()
    daemon.save([event(NOW, n) for n in range(100)])
    daemon.crash()
    assert os.path.getsize(daemon.database + "-wal") > 0
    again = Daemon(database=daemon.database)
    equal(again.total(), 100)
    equal(again.sql("pragma integrity_check"), [(b"ok",)])


@case
@of_files
def the_schema_file_makes_the_same_database_by_hand():
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "sql")
    path = os.path.join(directory(), "hand.db")
    connection = sqlite3.connect(path, isolation_level=None)
    for name in sorted(n for n in os.listdir(source) if n[:4].isdigit()):
        with open(os.path.join(source, name), encoding="utf-8") as file:
            connection.executescript(file.read())
        connection.execute("pragma user_version = %d" % int(name[:4]))
    by_hand = connection.execute("select type, name, sql from sqlite_schema order by 1, 2").fetchall()
    connection.close()
    daemon = Daemon()
    daemon.save([event()])
    made_by_it = [tuple(v.decode() if v is not None else None for v in row)
                  for row in daemon.sql("select type, name, sql from sqlite_schema order by 1, 2")]
    equal(made_by_it, by_hand)
    second = Daemon(database=path)
    second.save([event()])
    equal(second.total(), 1)


main()
