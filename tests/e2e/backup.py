"""beacond backup: a copy that is whole, or none."""

import glob
import os
import resource
import signal
import sqlite3
import stat
import threading

from disks import gone, tiny_disk
from harness import (NOW, PATIENCE, Daemon, Rows, begin, case, directory, equal, event, finish, main, poll, run,
                     shell, sql)

BIG = 16  # MB: at 32 MB a second, while commits are made, long enough to be interrupted


def backed_up(database, file, *more, **how):
    done = run("backup", file, "--database", database, *more, **how)
    equal(done.returncode, 0, "backup: %r" % done.stderr)
    return done


def sound(database):
    """`beacond check` finds nothing wrong, and the tally is that of the events."""
    done = run("check", "--database", database)
    equal(done.returncode, 0, "check: %r %r" % (done.stdout, done.stderr))
    events = sql(database, "select count(*) from events")
    for step in "second", "minute", "hour", "day":
        equal(sql(database, "select coalesce(sum(events), 0) from tally_" + step), events, step)


def alone(file):
    """One file, for its owner, that needs no other beside it."""
    equal(stat.S_IMODE(os.stat(file).st_mode), 0o600, "mode")
    equal(glob.glob(file + "?*"), [], "beside it")
    with open(file, "rb") as opened:
        equal(opened.read(20)[18:], b"\1\1", "the header's versions: no WAL")


def partials(folder):
    return glob.glob(os.path.join(folder, "*.partial-*"))


class Ingest:
    """Posts without a pause, and notes what was acknowledged."""

    def __init__(self, daemon):
        self.daemon, self.acknowledged, self.over, self.error = daemon, [], False, None
        self.thread = threading.Thread(target=self.post)
        self.thread.start()

    def post(self):
        connection = self.daemon.connection()
        try:
            while not self.over:
                texts = [event(NOW + n, id="e%d-%d" % (len(self.acknowledged), n)) for n in range(20)]
                self.daemon.save(texts, connection=connection)
                self.acknowledged.append(["e%d-%d" % (len(self.acknowledged), n) for n in range(20)])
        except Exception as error:
            self.error = error

    def ids(self):
        return [one for some in list(self.acknowledged) for one in some]

    def end(self):
        self.over = True
        self.thread.join()


def fill(daemon, megabytes):
    """Large events, so that it is quick."""
    payload = '"%s"' % ("x" * 900000)
    for n in range(0, megabytes, 4):
        daemon.save(event(NOW - n * 10 - m, payload=payload) for m in range(4))


@case
def all_that_was_acknowledged_before_is_in_it():
    daemon = Daemon()
    fill(daemon, 8)
    ingest = Ingest(daemon)
    poll(lambda: len(ingest.acknowledged) > 5, "ingest")
    before = ingest.ids()
    file = os.path.join(directory(), "copy.db")
    done = backed_up(daemon.database, file)
    after = ingest.ids()
    ingest.end()
    equal(ingest.error, None)
    alone(file)
    sound(file)
    there = {row[0].decode() for row in sql(file, "select id from events where given")}
    equal(set(before) - there, set(), "acknowledged before, and missing")
    assert there - set(before), "nothing was committed meanwhile"
    equal(there - set(ingest.ids()), set(), "of nowhere")
    assert len(after) > len(before)
    told = int(done.stdout.split(b": ")[1].split()[0])
    equal(sql(file, "select count(*) from events"), [(told,)], "what the command says")


@case
def it_opens_as_a_database_and_knows_retries():
    daemon = Daemon()
    texts = [event(NOW + n) for n in range(30)]
    daemon.save(texts)
    daemon.post([b"1"])
    file = os.path.join(directory(), "copy.db")
    backed_up(daemon.database, file)
    daemon.save([event(NOW + 100)])  # not in it any more
    copy = Daemon(database=file)
    equal(copy.total(), 30)
    equal(copy.read()["events"], daemon.read()["events"][1:])
    response = copy.post(texts)
    equal(response.json()["duplicate"], 30, "a retry, of the copy")
    equal(sql(file, "select count(*) from rejects"), [(1,)])
    copy.stop()
    sound(file)


@case
def without_a_daemon_it_is_the_same():
    daemon = Daemon()
    daemon.save([event(NOW + n) for n in range(30)])
    daemon.stop()
    file = os.path.join(directory(), "copy.db")
    backed_up(daemon.database, file)
    alone(file)
    sound(file)
    equal(glob.glob(daemon.database + "-*"), [], "left beside the database")
    equal(sql(file, "select * from events"), sql(daemon.database, "select * from events"))


@case
def a_file_is_where_the_command_runs_and_not_where_the_daemon_does():
    daemon, here = Daemon(), directory()
    daemon.save([event()])
    done = backed_up(daemon.database, "copy.db", cwd=here)
    assert done.stdout.startswith(b"copy.db: 1 events, "), done.stdout
    daemon.wait_log(r"backup %s: 1 events, \d+ bytes$" % os.path.join(os.path.realpath(here), "copy.db"))
    sound(os.path.join(here, "copy.db"))
    os.mkdir(os.path.join(here, "sub"))
    backed_up(daemon.database, "sub/../copy2.db", cwd=here)
    sound(os.path.join(here, "copy2.db"))


@case
def what_is_there_is_not_replaced_unless_that_is_asked_for():
    daemon, here, rows = Daemon(), directory(), Rows()
    daemon.save([event()])

    def at(name):
        return os.path.join(here, name)

    with open(at("file"), "w") as file:
        file.write("mine")
    os.symlink("nowhere", at("dangling"))
    os.mkdir(at("folder"))
    os.mkfifo(at("fifo"))
    os.link(daemon.database, at("hard"))
    os.symlink(daemon.database, at("soft"))
    with open(at("logged-wal"), "w") as file:
        file.write("of another one")
    served = Daemon(database=at("served"))
    own, base = os.path.realpath(daemon.database), os.path.basename(daemon.database)
    both = [("folder", "folder"), ("fifo", "regular"), ("hard", "itself"), ("soft", "itself"), ("logged", "-wal"),
            ("served", "open"), (own, "itself"), (own + "-wal", "itself"), (own + "-shm", "itself"),
            (own + ".lock", "itself"), (own + ".control", "itself"),
            (os.path.join(daemon.directory, "..", os.path.basename(daemon.directory), base), "itself"),
            ("missing/copy", "No such file"), ("file/copy", "Not a directory"), ("folder/", "names no file"),
            (".", "names no file"), ("x" * 300, "")]
    cases = [("file", "--force replaces it", []), ("dangling", "--force replaces it", [])]
    cases += [(name, "" if words in ("folder", "regular", "open") else words, []) for name, words in both]
    cases += [(name, "regular" if words == "folder" else words, ["--force"]) for name, words in both]
    for name, words, flags in cases:
        with rows("%s %s" % (name, flags)):
            done = run("backup", name, "--database", daemon.database, *flags, cwd=here)
            equal(done.returncode, 1, "exit code")
            assert words in done.stderr.decode(), done.stderr
            equal(done.stdout, b"")
    equal(partials(here) + partials(daemon.directory), [], "left behind")
    equal(open(at("file")).read(), "mine")
    with rows("replaced"):
        backed_up(daemon.database, "file", "--force", cwd=here)
        sound(at("file"))
        backed_up(daemon.database, "dangling", "--force", cwd=here)
        assert not os.path.islink(at("dangling"))
    equal(served.total(), 0)
    equal(daemon.total(), 1)
    rows.check()


@case
def interrupted_it_leaves_nothing_behind():
    daemon, here, rows = Daemon(), directory(), Rows()
    fill(daemon, BIG)
    ingest = Ingest(daemon)
    poll(lambda: len(ingest.acknowledged) > 5, "ingest")
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGKILL:
        with rows(number.name):
            command = begin("backup", "copy.db", "--database", daemon.database, cwd=here)
            poll(lambda: partials(here), "a partial file")
            command.send_signal(number)
            code, out, err = finish(command)
            equal(code, -9 if number == signal.SIGKILL else 130, "exit code: " + err)
            equal(out, "")
            poll(lambda: not os.listdir(here), "nothing left")
    with rows("the name is taken meanwhile"):
        command = begin("backup", "copy.db", "--database", daemon.database, cwd=here)
        poll(lambda: partials(here), "a partial file")
        with open(os.path.join(here, "copy.db"), "w") as file:
            file.write("mine")
        code, out, err = finish(command)
        equal((code, os.listdir(here)), (1, ["copy.db"]), err)
        assert "exists by now" in err, err
        equal(open(os.path.join(here, "copy.db")).read(), "mine")
        os.unlink(os.path.join(here, "copy.db"))
    ingest.end()
    equal(ingest.error, None)
    daemon.stop()

    def without_a_daemon():
        command = begin("backup", "--force", "copy.db", "--database", daemon.database, cwd=here)
        poll(lambda: partials(here), "a partial file")
        command.send_signal(signal.SIGINT)
        code, out, err = finish(command)
        equal(partials(here), [])
        assert code in (0, 130), err  # nothing holds it up here: it may be faster
        return code == 130

    poll(without_a_daemon, "one that was interrupted")
    rows.check()
    sound(daemon.database)


def under_way():
    """A backup in the middle of its copying, beside ingest."""
    daemon, here = Daemon(), directory()
    fill(daemon, BIG)
    ingest = Ingest(daemon)
    poll(lambda: len(ingest.acknowledged) > 5, "ingest")
    command = begin("backup", "copy.db", "--database", daemon.database, cwd=here)
    poll(lambda: partials(here), "a partial file")
    return daemon, here, ingest, command


@case
def a_daemon_that_ends_meanwhile_ends_it():
    daemon, here, ingest, command = under_way()
    ingest.end()
    daemon.stop()
    code, out, err = finish(command)
    if code != 0:  # it may have been done before the end
        equal((code, os.listdir(here)), (1, []), err)
        assert "stopped" in err or "ended" in err, err
    sound(daemon.database)


@case
def a_daemon_that_is_killed_meanwhile_loses_nothing():
    daemon, here, ingest, command = under_way()
    before = ingest.ids()
    daemon.crash()
    ingest.end()
    code, out, err = finish(command)
    equal(code, 1)
    assert "ended" in err, err
    assert not os.path.exists(os.path.join(here, "copy.db"))
    again = Daemon(database=daemon.database)
    there = {row[0].decode() for row in again.sql("select id from events where given")}
    equal(set(before) - there, set(), "acknowledged and lost")
    again.stop()
    sound(daemon.database)


@case
def a_full_disk_is_said_and_nothing_is_left_on_it():
    small, _ = tiny_disk(2 << 20)
    daemon = Daemon()
    fill(daemon, 8)
    done = run("backup", os.path.join(small, "copy.db"), "--database", daemon.database)
    equal(done.returncode, 1)
    assert b"no space" in done.stderr, done.stderr
    equal(os.listdir(small), [])
    gone(small)
    daemon.save([event()])
    daemon.stop()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    here = directory()
    code, out, err = finish(begin("backup", "copy.db", "--database", daemon.database, cwd=here, preexec_fn=limit))
    equal((code, os.listdir(here)), (1, []), err)
    sound(daemon.database)


@case
def what_was_changed_in_the_shell_is_copied_and_counted():
    daemon = Daemon()
    fill(daemon, 8)
    daemon.save([event(NOW + n, id="gone%d" % n) for n in range(10)])
    file = os.path.join(directory(), "copy.db")
    shell(daemon.database, "delete from events where id = 'gone5'")
    backed_up(daemon.database, file)
    sound(file)
    equal(sql(file, "select count(*) from events where id like 'gone%'"), [(9,)])
    file = os.path.join(directory(), "copy.db")
    command = begin("backup", file, "--database", daemon.database)
    poll(lambda: glob.glob(file + "*"), "the file")
    connection = sqlite3.connect(daemon.database, isolation_level=None, timeout=PATIENCE)
    connection.execute("delete from events where id like 'gone%'")
    connection.close()
    code, out, err = finish(command)
    if code == 0:
        sound(file)
    else:
        assert "not right" in err and not os.path.exists(file), err


@case
def what_a_person_has_added_is_copied_and_what_is_wrong_is_not():
    daemon, here = Daemon(), directory()
    daemon.save([event(NOW + n) for n in range(30)])
    daemon.stop()
    shell(daemon.database, "create trigger mine after insert on events begin select 1; end; create table notes(a)")
    backed_up(daemon.database, "added.db", cwd=here)
    names = sql(os.path.join(here, "added.db"), "select count(*) from sqlite_schema where name in ('mine', 'notes')")
    equal(names, [(2,)])
    shell(daemon.database, "update tally_day set events = events + 1")
    done = run("backup", "wrong.db", "--database", daemon.database, cwd=here)
    equal((done.returncode, os.path.exists(os.path.join(here, "wrong.db"))), (1, False))
    assert b"tally_day" in done.stderr and b"check --repair-tally" in done.stderr, done.stderr
    shell(daemon.database, "drop trigger mine")
    equal(run("check", "--repair-tally", "--database", daemon.database).returncode, 0)
    backed_up(daemon.database, "wrong.db", cwd=here)
    sound(os.path.join(here, "wrong.db"))
    equal(partials(here), [])


@case
def two_at_once_and_erasing_meanwhile_are_no_matter():
    daemon, here = Daemon(), directory()
    fill(daemon, BIG)
    daemon.save(event(NOW + n)[:-1] + b',"sessionId":"gone"}' for n in range(200))
    ingest = Ingest(daemon)
    poll(lambda: len(ingest.acknowledged) > 5, "ingest")
    commands = [begin("backup", "%d.db" % n, "--database", daemon.database, cwd=here) for n in range(2)]
    poll(lambda: len(partials(here)) == 2, "both")
    done = run("forget", "--session", "gone", "--database", daemon.database)
    equal(done.returncode, 0, done.stderr)
    for n, command in enumerate(commands):
        code, out, err = finish(command)
        equal(code, 0, err)
        sound(os.path.join(here, "%d.db" % n))
    ingest.end()
    equal(ingest.error, None)


@case
def what_a_request_may_not_be_is_refused():
    daemon, rows = Daemon(), Rows()
    for flags in [], ["a", "b"], ["a", "--listen", "127.0.0.1:1"], ["a", "--forc"]:
        with rows(str(flags)):
            equal(run("backup", "--database", daemon.database, *flags).returncode, 2)
    equal(run("backup", "a", "--database", os.path.join(directory(), "none.db")).returncode, 78)
    rows.check()


main(of_files=True)
