"""What is erased on one node of a PostgreSQL database is gone on the others; whole days; changes by hand."""

import threading
import time

import postgres
from harness import NOW, Daemon, Skip, case, equal, event, main, poll, run, stamp
from tally import check_tally

DAY = 86400000
MARK = b"planted-mark-7319"


def built():
    """Skips where the program knows no such databases."""
    if b"PostgreSQL: no" in run("--version").stdout:
        raise Skip("built without PostgreSQL")


def nodes(count=2, **options):
    """Daemons on one database, each with its cache filled."""
    built()
    database = postgres.database()
    found = [Daemon(database=database, **options)]
    found += [Daemon(database=database, **options) for _ in range(count - 1)]
    return found


def today():
    return int(time.time() * 1000) // DAY * DAY


def of(n, user):
    return event(NOW + n, n, payload='"%s"' % MARK.decode())[:-1] + b',"userId":"%s"}' % user


def done(*arguments):
    ran = run(*arguments)
    equal(ran.returncode, 0, (ran.stdout, ran.stderr))
    return ran.stdout.decode()


@case
def who_is_forgotten_is_shown_by_no_node():
    first, second = nodes()
    for start, daemon in (0, first), (100, second):
        daemon.post([of(n, b"a" if n % 2 else b"b") for n in range(start, start + 100)] +
                    [b'{"userId":"a","%s":1}' % MARK])
        equal(daemon.total(), start + 100)
    tags = [daemon.get("/_tracker").header("ETag") for daemon in (first, second)]
    told = done("forget", "--database", first.database, "--user", "a")
    assert "  events                  100\n" in told and "  rejects                 2\n" in told, told
    for daemon, tag in zip((second, first), tags):
        answer = daemon.get("/_tracker", If_None_Match=tag)
        equal(answer.status, 200)
        shown = answer.json()
        equal((shown["total"], {one["userId"] for one in shown["events"]}), (100, {"b"}))
        assert MARK not in daemon.get("/_tracker/rejects").body
    # What the server kept of them has been vacuumed: the tables and the partitions that held some.
    vacuumed = {name for name, in first.sql("select relname::text from pg_stat_user_tables where vacuum_count > 0")}
    equal(vacuumed, {b"rejects", b"receipts", b"events_" + stamp(NOW)[:10].replace("-", "_").encode()})
    check_tally(first.database)


@case
def forget_waits_for_who_may_still_see_it_and_says_who_that_is():
    daemon, = nodes(1)
    daemon.save([of(0, b"a"), of(1, b"b")])
    with postgres.Session(daemon.database) as session:
        session.run("begin isolation level repeatable read; select count(*) from events;")
        ran = run("forget", "--database", daemon.database, "--user", "a")
        equal(ran.returncode, 1, ran.stdout)
        assert b"all of it is erased" in ran.stderr and b"(tests)" in ran.stderr, ran.stderr
        equal(daemon.total(), 1)
    done("forget", "--database", daemon.database, "--user", "a")


@case
def a_pruned_day_is_gone_on_all_nodes_and_its_table_with_it():
    first, second = nodes()
    base = today() - 5 * DAY
    times = [base + n * DAY // 10 for n in range(50)]
    first.save([event(ms, n) for n, ms in enumerate(times)])
    second.save([event(ms, n, "x%d" % n) for n, ms in enumerate(times)])
    equal((first.total(), second.total()), (100, 100))
    days = first.sql("select count(*) from days()")[0][0]
    told = done("prune", "--database", first.database, "--before", stamp(base + 2 * DAY + DAY // 2))
    assert told.startswith("50 events erased, "), told
    equal((second.total(), first.total()), (50, 50))
    equal(first.sql("select count(*) from days()")[0][0], days - 2)
    equal(first.sql("select count(*) from events_other")[0][0], 0)
    check_tally(first.database)


@case
def the_size_is_kept_by_whole_days_and_never_todays():
    built()
    database = postgres.database()
    daemon = Daemon(database=database)
    noise = "".join("%08x" % (n * 2654435761 % (1 << 32)) for n in range(300))
    for day in range(4):
        for part in range(2):
            daemon.save([event(today() - (3 - day) * DAY + part * 1000 + n, n, payload='"%d%s"' % (n, noise))
                         for n in range(1000)])
    daemon.stop()
    size = "select sum(pg_total_relation_size(oid))::bigint from pg_class where relnamespace = 'beacond'::regnamespace " \
           "and relkind = 'r'"
    whole = daemon.sql(size)[0][0]
    # Room for two and a half of four.
    small = {"max_rejects_size": "1K", "receipts_size": "64K"}
    daemon = Daemon(database=database, retain_size=str(whole * 5 // 8), **small)
    daemon.wait_log(r"retention: erased \d+ events")
    poll(lambda: daemon.total() == 4000, "the two oldest days to go")
    check_tally(database)
    daemon.stop()
    daemon = Daemon(database=database, retain_size="1M", **small)
    daemon.wait_log(r"retention: erased 2000 events")
    equal(daemon.total(), 2000)
    equal(daemon.sql("select min(ts) from events")[0][0], today())
    check_tally(database)


def kept_by_size(old):
    """Much at a time that is far, and a little on each recent day: what is far goes for the size, on all nodes."""
    built()
    small = {"max_rejects_size": "1K", "receipts_size": "64K"}
    database = postgres.database()
    daemon = Daemon(database=database, **small)
    noise = "".join("%08x" % (n * 2654435761 % (1 << 32)) for n in range(80))
    for part in range(8):
        daemon.save([event(old + part * 1000 + n, n, payload='"%d%s"' % (n, noise)) for n in range(1000)])
    for day in range(4):
        daemon.save([event(today() - day * DAY + n, n) for n in range(100)])
    daemon.stop()
    daemon = Daemon(database=database, retain_size="4M", **small)
    other = Daemon(database=database, **small)
    daemon.wait_log(r"retention: erased \d+ events")
    equal(daemon.sql("select count(*) from events where ts >= %d" % (today() - 3 * DAY))[0][0], 400)
    poll(lambda: daemon.total() == other.total(), "both nodes to know")
    check_tally(database)
    return daemon


@case
def what_is_older_than_the_tables_goes_for_the_size_before_newer_days():
    daemon = kept_by_size(today() - 2400 * DAY)
    equal(daemon.total(), 400)
    equal(daemon.sql("select pg_total_relation_size('events_old') < 100000")[0][0], True)


@case
def what_stands_among_other_days_goes_for_the_size_before_newer_days():
    daemon = kept_by_size(today() - 450 * DAY)
    left = daemon.total() - 400
    assert 1000 < left < 7000, left  # no more than for the size
    equal(daemon.sql("select min(ts) from events")[0][0], today() - 450 * DAY + 8000 - left)


@case
def what_is_changed_by_hand_is_seen_on_all_nodes():
    first, second = nodes()
    first.save([event(NOW + n, n) for n in range(100)])
    equal((first.total(), second.total()), (100, 100))
    first.sql("delete from events where ts < %d" % (NOW + 30))
    poll(lambda: (first.total(), second.total()) == (70, 70), "the change to be counted")
    postgres.psql(first.database, "begin; drop table beacond.events_%s; select beacond.doubt(); commit"
                  % stamp(NOW)[:10].replace("-", "_"))
    poll(lambda: (first.total(), second.total()) == (0, 0), "the change to be counted")
    second.save([event(NOW, 1)])
    equal((first.total(), second.total()), (1, 1))
    check_tally(first.database)


@case
def a_change_by_hand_that_lasts_holds_up_nobody_who_stores():
    daemon, = nodes(1)
    daemon.save([event(NOW + n, n) for n in range(100)])
    with postgres.Session(daemon.database) as session:
        session.run("begin; delete from events where ts < %d;" % (NOW + 30))
        for n in range(20):
            daemon.save([event(NOW + 1000 + n, n)])
        equal(daemon.total(), 120)
        ran = run("prune", "--database", daemon.database, "--before", stamp(NOW + 50))
        equal(ran.returncode, 1, ran.stdout)
        assert b"lock timeout" in ran.stderr, ran.stderr
        daemon.save([event(NOW + 2000, 0)])
        session.run("commit;")
    poll(lambda: daemon.total() == 91, "the change to be counted")
    equal(done("prune", "--database", daemon.database, "--before", stamp(NOW + 50)).split()[0], "20")
    check_tally(daemon.database)


@case
def rejects_that_are_retried_are_shown_by_all_nodes():
    first, second = nodes()
    first.save([event()])
    postgres.psql(first.database, "insert into beacond.rejects(received, reason, event) values (5, 'odd', '\\x%s')"
                  % event(NOW + 1, 7).hex())
    equal((first.total(), second.total()), (1, 1))
    equal(done("rejects", "retry", "all", "--database", first.database), "1 stored, 0 already there, 0 kept\n")
    equal((second.total(), first.total()), (2, 2))
    check_tally(first.database)


@case
def all_nodes_retain_at_once_and_each_event_goes_once():
    first, second = nodes(2, retain="2d")
    over = threading.Event()

    def feed(daemon):
        n = 0
        while not over.is_set():
            n += 1
            daemon.post([event(today() - day * DAY + n, n) for day in range(1, 6)])

    feeders = [threading.Thread(target=feed, args=(daemon,)) for daemon in (first, second)]
    for feeder in feeders:
        feeder.start()
    try:
        # Behind what is old while it comes in, by command.
        for _ in range(5):
            equal(run("prune", "--database", first.database, "--older-than", "2d").returncode, 0)
    finally:
        over.set()
        for feeder in feeders:
            feeder.join()
    before = int(time.time() * 1000)
    equal(run("prune", "--database", first.database, "--older-than", "2d").returncode, 0)
    equal(first.sql("select count(*) from events where ts < %d" % (before - 2 * DAY))[0][0], 0)
    equal(first.total(), first.sql("select count(*) from events")[0][0])
    equal(second.total(), first.total())
    check_tally(first.database)


main()
