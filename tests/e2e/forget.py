"""beacond forget: all of one user or session goes, from every place, and nothing of anyone else."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import threading

import stores
from harness import (NOW, Daemon, begin, case, equal, event, main, poll, run, scale, sql)
from stores import by_daemon, of_files
from tally import check_tally

LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"
MARK = b"planted-mark-7319"
USER = "visitor-of-the-cellar"


def with_members(text, **members):
    """An event's text with raw members behind."""
    return text[:-1] + "".join(',"%s":%s' % pair for pair in members.items()).encode() + b"}"


def of(n, user=USER, mark=MARK):
    """An event of a user, with the mark in its payload."""
    return with_members(event(NOW + n, n, payload='{"mark":"%s-%d"}' % (mark.decode(), n)), userId='"%s"' % user)


def other(n):
    return with_members(event(NOW + n, n, payload='"%s"' % ("x" * (n % 90))), userId='"someone-%d"' % (n % 7))


def forget(daemon, *flags):
    done = run("forget", "--database", daemon if isinstance(daemon, str) else daemon.database, *flags)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    lines = done.stdout.decode().splitlines()
    return {line.split("  ")[1].strip(): int(line.split()[-1]) for line in lines if line.split()[-1].isdigit()}


def check_gone(database, *marks):
    """No row has a mark, and no byte of it is in any file beside the database."""
    for mark in marks:
        equal(marked(database, mark), 0, "events with %r" % mark)
    if stores.POSTGRES:
        return  # what is left in a server's files is its own, until it has cleaned up
    folder = os.path.dirname(database)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            text = file.read()
        for mark in marks:
            assert mark not in text, "%r is left in %s" % (mark, name)


def answers(daemon):
    """The whole window in every coding."""
    plain = daemon.get("/_tracker").body
    return [plain, daemon.get("/_tracker", Accept_Encoding="gzip").plain()]


def texts(database):
    return [row[0] for row in sql(database, "select event from events order by seq")]


def marked(database, mark=MARK):
    holds = stores.dialect("instr(event, ?)", "strpos(event, ?) > 0")
    return sql(database, "select count(*) from events where " + holds, mark.decode())[0][0]


@case
def a_user_goes_from_events_rejects_cache_wal_and_file():
    daemon = Daemon()
    kept = 0
    for start in range(0, 3000, 100):
        daemon.save([of(n) if n % 5 == 0 else other(n) for n in range(start, start + 100)])
        kept += 80
    # However it is spelled, and whichever of duplicate members says so.
    spelled = [of(4000, user="visitor\\u002dof-the-cell\\u0061r"),
               with_members(of(4001), userId='"another"'),
               with_members(of(4002, user="another"), **{"user\\u0049d": '"%s"' % USER})]
    nested = with_members(event(NOW + 4003, 4003, payload='{"userId":"%s"}' % USER), userId='"%s!"' % USER)
    daemon.save(spelled)
    bad = [b'{"userId":"%s","note":"%s"}' % (USER.encode(), MARK), b'"%s %s"' % (USER.encode(), MARK),
           b'{"userId":"another","note":"about %s"}' % USER.encode()]
    equal(daemon.post(bad).json()["rejected"], 3)
    for text in answers(daemon):
        assert MARK in text
    equal(forget(daemon, "--user", USER), {"events": 603, "rejects": 2, "receipts of bodies": 32})
    for text in answers(daemon):
        assert MARK not in text
        equal(len(json.loads(text)["events"]), kept)
    equal(daemon.total(), kept)
    check_gone(daemon.database, MARK, b'"userId":"%s"' % USER.encode())
    check_tally(daemon.database)
    # What is not theirs is left alone.
    equal(sql(daemon.database, "select event from rejects"), [(bad[2],)])
    daemon.save([nested])
    equal(forget(daemon, "--user", USER)["events"], 0)
    equal(daemon.total(), kept + 1)


@case
def a_session_goes_without_a_daemon():
    daemon = Daemon()
    daemon.save([with_members(event(NOW + n, n), sessionId='"s%d"' % (n % 3),
                              mark='"%s-%d"' % (MARK.decode(), n % 3)) for n in range(300)])
    daemon.stop()
    before = [text for text in texts(daemon.database) if b'"s1"' not in text]
    equal(forget(daemon.database, "--session", "s1")["events"], 100)
    equal(texts(daemon.database), before)
    check_gone(daemon.database, MARK + b"-1")
    check_tally(daemon.database)
    again = Daemon(database=daemon.database)
    equal(again.total(), 200)


@case
def receipts_of_others_are_kept_and_a_retry_of_what_is_erased_is_new():
    daemon = Daemon()
    theirs, mixed = [other(n) for n in range(10)], [other(20), of(21), other(22)]
    ids = [of(30), of(31).replace(b'"id":"",', b""), of(32).replace(b'"id":""', b'"id":null')]
    for body in (theirs, mixed, ids):
        daemon.save(body)
    equal(daemon.post(theirs).json()["duplicate"], 10)
    equal(forget(daemon, "--user", USER), {"events": 4, "rejects": 0, "receipts of bodies": 2})
    equal(daemon.post(mixed).json()["duplicate"], 0)
    for _ in range(2):
        equal(daemon.post(theirs).json()["duplicate"], 10)
        daemon.stop()
        daemon = Daemon(database=daemon.database)
    equal(daemon.post(ids).json()["duplicate"], 0)
    equal(daemon.post(mixed).json()["duplicate"], 3)
    check_tally(daemon.database)


@case
def what_was_stored_before_goes_while_more_of_the_same_comes():
    daemon = Daemon()
    first = scale(20000, 3000)
    for start in range(0, first, 500):
        daemon.save([of(n) if n % 2 else other(n) for n in range(start, start + 500)])
    stop, sent = threading.Event(), []

    def feed():
        n = first
        while not stop.is_set():
            sent.append(daemon.post([of(n, mark=b"later"), other(n + 1)]).status)
            n += 2

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        poll(lambda: len(sent) > 5, "events to come in")
        forget(daemon, "--user", USER)
    finally:
        stop.set()
        feeder.join()
    equal(set(sent), {200})
    left = texts(daemon.database)
    assert not any(MARK in text for text in left)
    # Those of the moment of the start may be on either side.
    assert 0 < sum(b"later" in text for text in left) <= len(sent)
    equal(sum(b"someone-" in text for text in left), first // 2 + len(sent))
    equal(daemon.total(), len(left))
    check_gone(daemon.database, MARK)
    check_tally(daemon.database)


@case
@by_daemon
def killed_in_the_middle_and_run_again_it_completes():
    path, left = None, 4000
    for _ in range(3):
        daemon = Daemon() if path is None else Daemon(database=path)
        if path is None:
            path = daemon.database
            for start in range(0, 8000, 500):
                daemon.save([of(n) if n % 2 else other(n) for n in range(start, start + 500)])
        over = threading.Event()

        def feed(daemon=daemon, over=over):
            while not over.is_set():
                try:
                    daemon.post([other(10000)])
                except Exception:
                    return

        # While events come in it takes its time.
        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            poll(lambda daemon=daemon: daemon.total() > 8000 - (4000 - left), "the first of the others")
            command = begin("forget", "--database", path, "--user", USER, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)
            poll(lambda before=left: command.poll() is not None or marked(path) < before, "the first to go")
            assert command.poll() is None, command.stderr.read()
            daemon.crash()
        finally:
            over.set()
            feeder.join()
        assert command.wait() != 0
        left = marked(path)
        assert left > 0, "it was never caught"
        check_tally(path)
    forget(path, "--user", USER)
    equal(sum(MARK in text for text in texts(path)), 0)
    equal(sum(b'"n":10000,' not in text for text in texts(path)), 4000)
    check_gone(path, MARK)
    check_tally(path)


@case
def interrupted_it_says_so_and_run_again_it_completes():
    daemon, over = Daemon(), threading.Event()
    path = daemon.database
    for start in range(0, 8000, 500):
        daemon.save([of(n) if n % 2 else other(n) for n in range(start, start + 500)])

    def feed():
        while not over.is_set():
            daemon.post([other(10000)])

    def interrupted():
        """How many are left; None when it had ended before, or was through and looked for traces."""
        before = marked(path)
        with stores.held(path, "event like '%%\"userId\":\"%s\"%%'" % USER):
            command = begin("forget", "--database", path, "--user", USER, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            poll(lambda: command.poll() is not None or marked(path) < before, "the first to go")
            command.send_signal(signal.SIGINT)
        out, err = command.communicate()
        if command.returncode == 0:
            return None
        left = marked(path)
        equal(command.returncode, 130, err)
        assert out.startswith(b"stopped early, only a part is erased: ") and b"nothing left" not in out, out
        assert b"  events                  %d\n" % (before - left) in out, out
        return left or None  # 0: all events had gone, and not yet all traces of them

    feeder = threading.Thread(target=feed)  # while events come in it takes its time
    feeder.start()
    try:
        left = interrupted()
    finally:
        over.set()
        feeder.join()
    assert left, "it was not interrupted"
    check_tally(path)
    equal(forget(daemon, "--user", USER)["events"], left)
    check_gone(path, MARK)
    daemon.stop()

    def without_a_daemon():  # nothing holds it up here: it may be faster
        daemon = Daemon(database=path)
        for start in range(0, 8000, 500):
            daemon.save([of(n) for n in range(start, start + 500)])
        daemon.stop()
        left = interrupted()
        check_tally(path)
        return left

    left = poll(without_a_daemon, "one that was interrupted")
    equal(forget(path, "--user", USER)["events"], left)
    check_gone(path, MARK)
    check_tally(path)


@case
@of_files
def nothing_of_many_who_go_one_by_one_is_left_in_unused_space():
    """SQLite moves rows when pages are merged, and leaves copies behind."""
    daemon = Daemon()
    users, count = 40, scale(12000, 6000)
    marks = [b"<mark-%d>" % user for user in range(users)]
    rng = random.Random(5)
    for start in range(0, count, 500):
        daemon.save([with_members(event(NOW + n * 7, n, id="%032x%d" % (rng.getrandbits(128), n) if n % 3 == 0 else "",
                                        payload='"%s"' % (marks[user].decode() * rng.randrange(5, 90))),
                                  userId='"%d"' % user)
                     for n in range(start, start + 500) for user in [rng.randrange(users)]])
    for user in range(users - 4):
        forget(daemon, "--user", str(user))
        check_gone(daemon.database, marks[user])
    # Nor was all written anew, for a digit that stands in some index.
    assert not any("writing the whole database" in line for line in daemon.log()), daemon.log_tail()
    left = texts(daemon.database)
    assert left and not any(mark in text for text in left for mark in marks[:users - 4])
    check_tally(daemon.database)
    daemon.stop()
    stores.sound(daemon.database)


@case
@of_files
def a_reader_that_goes_in_time_is_waited_for():
    daemon = Daemon()
    daemon.save([of(n) for n in range(50)])
    reader = sqlite3.connect(daemon.database, isolation_level=None, check_same_thread=False)
    reader.execute("begin")
    reader.execute("select count(*) from events").fetchall()

    def let_go():
        poll(lambda: daemon.sql("select count(*) from events") == [(0,)], "the events to be gone")
        reader.execute("rollback")

    waiter = threading.Thread(target=let_go)
    waiter.start()
    forget(daemon, "--user", USER)
    waiter.join()
    check_gone(daemon.database, MARK)
    if LONG:  # one that does not go is told
        daemon.save([of(n) for n in range(50)])
        reader.execute("begin")
        reader.execute("select count(*) from events").fetchall()
        done = run("forget", "--database", daemon.database, "--user", USER)
        equal(done.returncode, 1)
        assert b"WAL" in done.stderr, done.stderr
        reader.execute("rollback")
        equal(forget(daemon, "--user", USER)["events"], 0)
        check_gone(daemon.database, MARK)
    reader.close()


@case
def an_id_is_asked_for_as_it_must_be():
    daemon = Daemon()
    daemon.save([of(n) for n in range(5)])
    for flags, code in (([], 2), (["--user", ""], 78), (["--user", "a", "--session", "b"], 2),
                        (["--user", "a", "stray"], 2)):
        done = run("forget", "--database", daemon.database, *flags)
        equal(done.returncode, code, flags)
        assert done.stderr, flags
    for user in ("null", "true", "{}"):
        daemon.save([with_members(event(), userId=user)])
        equal(forget(daemon, "--user", user)["events"], 0)
    daemon.save([with_members(event(), userId="42")])
    equal(forget(daemon, "--user", "42")["events"], 1)
    equal(run("forget", "--database", "nowhere.db", "--user", "a").returncode, 78)


main()
