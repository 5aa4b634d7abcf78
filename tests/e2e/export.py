"""`beacond export`: what comes out, in which order, and a file that is whole or not there."""

import csv
import io
import json
import os
import re
import resource
import select
import signal
import subprocess

import stores
from harness import (NOW, PATIENCE, Daemon, Rows, begin, case, directory, equal, event, finish, main, on_terminal, poll,
                     run, shell, sql, stamp)
from stores import of_files

AWKWARD = [
    b'{"timestamp":"%s","n":19.90,"n":1e21,"t":"\\u0000\\ud800\xc2\x9b,\\"\\n"}' % stamp(NOW).encode(),
    b'{ "timestamp"\n:\r\n"%s" ,\t"userId" : "a,\\"b\\"\\r\\nc" }' % stamp(NOW).encode(),
    b'{"userId":"first","timestamp":"%s","user\\u0049d":"last","level":7}' % stamp(NOW).encode(),
]


def export(database, *arguments, **more):
    done = run("export", "--database", database, *arguments, **more)
    equal(done.returncode, 0, "%r" % done.stderr)
    return done.stdout


def lines(database, *arguments):
    text = export(database, *arguments)
    assert text == b"" or text.endswith(b"\n"), text[-50:]
    return text.split(b"\n")[:-1]


def stored(database, order="ts, seq"):
    return [row[0] for row in sql(database, "select event from events order by " + order)]


def filled(*groups):
    """A stopped daemon's database with these events."""
    daemon = Daemon()
    for group in groups:
        daemon.save(group)
    daemon.stop()
    return daemon.database


@case
def events_come_out_oldest_first_byte_for_byte_with_and_without_a_daemon():
    daemon = Daemon()
    daemon.save([event(NOW + i % 7 - 3) for i in range(300)])
    daemon.save(AWKWARD)
    texts = [text.replace(b"\n", b" ").replace(b"\r", b" ") for text in stored(daemon.database)]
    equal(len(texts), 303)
    equal(lines(daemon.database), texts, "beside a daemon")
    equal(lines(daemon.database, "--order", "newest"), texts[::-1], "newest first")
    daemon.stop()
    equal(lines(daemon.database), texts, "without one")
    assert any(b"19.90" in text and b'"n":1e21' in text and b"\xc2\x9b" in text for text in texts)


@case
def bounds_are_inclusive_on_both_sides():
    database = filled([event(NOW + i) for i in range(10)])
    for since, until, wanted in ((3, 6, range(3, 7)), (None, 0, [0]), (9, None, [9]), (6, 3, []), (None, None, range(10)),
                                 (5, 5, [5])):
        bounds = []
        for name, value in (("--since", since), ("--until", until)):
            if value is not None:
                bounds += [name, stamp(NOW + value)]
        equal([json.loads(text)["timestamp"] for text in lines(database, *bounds)],
              [stamp(NOW + i) for i in wanted], repr(bounds))
        equal([json.loads(text)["timestamp"] for text in lines(database, "--order", "newest", *bounds)],
              [stamp(NOW + i) for i in reversed(wanted)], "newest first, %r" % bounds)
    equal(len(lines(database, "--since", "2026-11-21", "--until", "2026-11-21T05:00:00+01:00")), 1)


@case
def csv_holds_the_members_and_the_whole_event():
    daemon = Daemon()
    daemon.save(AWKWARD + [event(NOW + 1, n=5, id="given", payload='{"a":"ü,\\"x\\""}')])
    text = export(daemon.database, "--format", "csv")
    assert b"\0" not in text
    rows = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
    equal(len(rows), 4)
    for row, (seq, received, raw) in zip(rows, daemon.sql("select seq, received, event from events order by ts, seq")):
        equal((row["seq"], row["received"]), (str(seq), stamp(received)))
        equal(row["event"], raw.decode().replace("\n", " ").replace("\r", " "))
        equal(row["id"], json.loads(raw)["id"])
    equal(rows[1]["userId"], 'a,"b"\r\nc')
    equal((rows[2]["userId"], rows[2]["level"], rows[2]["type"]), ("last", "7", ""))
    equal([rows[3][name] for name in ("timestamp", "level", "type", "appId", "id")],
          [stamp(NOW + 1), "info", "custom", "shop", "given"])
    equal(text.split(b"\r\n")[0], b"seq,received,timestamp,level,type,appId,sessionId,userId,groupId,id,event")


@case
def what_comes_in_meanwhile_is_not_exported_and_the_wal_is_not_held():
    daemon = Daemon()
    body = '{"pad":"%s"}' % ("x" * 1000)
    for _ in range(8):
        daemon.save([event(NOW + i, payload=body) for i in range(500)])
    reading, writing = os.pipe()
    process = begin("export", "--database", daemon.database, stdout=writing)
    os.close(writing)
    select.select([reading], [], [], PATIENCE)  # it has begun, and waits for the pipe
    daemon.save([event(NOW) for _ in range(10)])
    # An open read transaction would keep the WAL from being emptied.
    poll(lambda: not stores.wal_bytes(daemon.database), "the WAL to be emptied")
    with os.fdopen(reading, "rb") as pipe:
        equal(len(pipe.read().splitlines()), 4000)
    equal(process.wait(PATIENCE), 0)
    assert b"standard output: 4000 events, " in process.stderr.read()
    process.stderr.close()


@case
def a_file_appears_whole_and_only_replaces_another_by_force():
    database = filled([event(NOW + i) for i in range(5)])
    folder = directory()
    path = os.path.join(folder, "out.ndjson")
    export(database, "--output", path)
    equal(os.listdir(folder), ["out.ndjson"])
    equal(os.stat(path).st_mode & 0o777, 0o600)
    whole = open(path, "rb").read()
    equal(whole, export(database))
    done = run("export", "--database", database, "--output", path, "--since", stamp(NOW + 4))
    equal((done.returncode, open(path, "rb").read()), (1, whole), "refused")
    assert b"--force" in done.stderr
    link = os.path.join(folder, "link")
    os.symlink(path, link)
    export(database, "--output", link, "--since", stamp(NOW + 4), "--force")
    equal((os.path.islink(link), len(open(path, "rb").read().splitlines())), (True, 1), "through a link")
    equal(sorted(os.listdir(folder)), ["link", "out.ndjson"])


@case
def bad_targets_bounds_and_databases_are_refused_and_nothing_is_left():
    database = filled([event()])
    folder = directory()
    os.mkfifo(os.path.join(folder, "fifo"))
    rows = Rows()
    for name, arguments, code in (
            ("folder", ["--output", folder, "--force"], 1),
            ("fifo", ["--output", os.path.join(folder, "fifo"), "--force"], 1),
            ("device", ["--output", "/dev/null", "--force"], 1),
            ("no folder", ["--output", os.path.join(folder, "no", "x")], 1),
            ("no name", ["--output", ""], 1),
            ("since", ["--since", "yesterday"], 78),
            ("until", ["--until", ""], 78),
            ("format", ["--format", "xml"], 78),
            ("order", ["--order", "random"], 78),
            ("operand", ["x"], 2),
            ("flag", ["--frobnicate"], 2),
            ("missing", ["--database", os.path.join(folder, "none.db")], 78),
            ("text", ["--database", __file__], 78)):
        with rows(name):
            done = run("export", "--database", database, *arguments)
            equal((done.returncode, done.stdout), (code, b""), "%r" % done.stderr)
            assert done.stderr.startswith(b"beacond: "), done.stderr
    rows.check()
    equal(os.listdir(folder), ["fifo"])


@case
@of_files
def the_database_is_no_target():
    database = filled([event()])
    before = open(database, "rb").read()
    link, other = database + ".link", database + ".other"
    os.symlink(database, link)
    os.link(database, other)
    rows = Rows()
    for target in (database, database + "-wal", database + ".lock", link, other,
                   database.replace("/beacond.db", "/./beacond.db")):
        with rows(os.path.basename(target)):
            done = run("export", "--database", database, "--output", target, "--force")
            equal(done.returncode, 1, "%r" % done.stderr)
            assert b"is the database itself" in done.stderr, done.stderr
            equal(open(database, "rb").read(), before, "the database")
    rows.check()


@case
def a_full_disk_leaves_no_half_file():
    database = filled([event(payload='"%s"' % ("x" * 500)) for _ in range(400)])
    folder = directory()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    code, _, error = finish(begin("export", "--database", database, "--output", os.path.join(folder, "out"),
                                  preexec_fn=limit))
    equal((code, os.listdir(folder)), (1, []), error)
    assert "out: File too large" in error, error
    with open("/dev/full", "wb") as full:
        process = begin("export", "--database", database, stdout=full)
        error = process.communicate(timeout=PATIENCE)[1]
    equal(process.returncode, 1, "%r" % error)
    assert b"standard output: No space left" in error, error


@case
def a_reader_that_goes_away_ends_it_quietly():
    database = filled([event(payload='"%s"' % ("x" * 2000)) for _ in range(1000)])
    reading, writing = os.pipe()
    process = begin("export", "--database", database, stdout=writing)
    os.close(writing)
    os.read(reading, 100)
    os.close(reading)
    equal((process.wait(PATIENCE), process.stderr.read()), (0, b""))
    process.stderr.close()


@case
def sigint_ends_it_with_130_and_no_half_file():
    database = filled(*[[event(payload='"%s"' % ("x" * 2000)) for _ in range(1000)] for _ in range(5)])
    # Blocked by a pipe.
    reading, writing = os.pipe()
    process = begin("export", "--database", database, stdout=writing)
    os.close(writing)
    select.select([reading], [], [], PATIENCE)
    process.send_signal(signal.SIGINT)
    equal(process.wait(PATIENCE), 130)
    assert b"stopped" in process.stderr.read()
    process.stderr.close()
    os.close(reading)
    # Into a file: the signal may come too late, but then the file is whole.
    folder = directory()
    for number in range(20):
        path = os.path.join(folder, "out%d" % number)
        process = begin("export", "--database", database, "--output", path, stderr=subprocess.DEVNULL)
        poll(lambda: os.listdir(folder), "a file under way")
        process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE)
        if code == 130:
            equal(os.listdir(folder), [])
            return
        equal((code, os.listdir(folder)), (0, [os.path.basename(path)]))
        equal(os.path.getsize(path), len(export(database)))
        os.remove(path)
    raise AssertionError("never in time")


@case
def rows_that_someone_has_spoilt_do_not_end_it():
    database = filled([event(NOW + i, n=i) for i in range(3)])
    first, second = [seq for seq, in sql(database, "select seq from events order by seq limit 2")]
    shell(database, "update events set event = 'no json, ' || %s(10) where seq = %d;"
                    "update events set event = '' where seq = %d" % (stores.dialect("char", "chr"), first, second))
    out = lines(database)
    equal(out[:2], [b"no json,  ", b""])
    equal(len(list(csv.reader(io.StringIO(export(database, "--format", "csv").decode(), newline="")))), 4)


@case
def on_a_terminal_a_table_moves_no_cursor():
    daemon = Daemon()
    daemon.save([b'{"timestamp":"%s","appId":"\\u001b[2J\\u009b\\nx"}' % stamp(NOW).encode()])
    ours, theirs = os.openpty()
    process = begin("export", "--format", "csv", "--database", daemon.database, stdout=theirs,
                    stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    while shown.count(b"\n") < 2:
        shown += os.read(ours, 4096)
    equal(process.wait(PATIENCE), 0)
    os.close(ours)
    rest = re.sub("\r*\n", "", shown.decode())
    assert "\\u001b[2J\\u009b" in rest and not re.search("[\x00-\x1f\x7f-\x9f]", rest), shown


@case
def a_terminal_sees_how_far_it_is():
    database = filled([event(NOW + i) for i in range(100)])
    whole = export(database)
    for arguments in [], ["--order", "newest", "--since", stamp(NOW + 50)]:
        code, out, shown = on_terminal("export", "--database", database, *arguments)
        equal((code, len(out.splitlines())), (0, 50 if arguments else 100))
        assert arguments or out == whole
        assert re.search(rb"\[[#.]+\] +\d+ % ", shown), shown
        # The bar is taken away, and a line says what there was.
        assert re.search(rb"\r\x1b\[Kstandard output: %d events, [^\x1b]*\n$" % len(out.splitlines()), shown), shown


main()
