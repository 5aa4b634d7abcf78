"""<prefix>/stats: a window by steps against a recount, and what stands beside it.

  BEACOND_SEED       the seed of the dice; 1 by default
  BEACOND_TEST_LONG  1: a tally of a million rows
"""

import contextlib
import json
import random
import resource
import signal
import urllib.parse

import stores
from harness import (NOW, Daemon, Rows, Skip, batch, becomes, case, equal, event, main, poll, repeated, run, scale,
                     shell, stamp)
from stores import of_files
from tally import STEPS
from world import LONG, SEED

DAY, CYCLE = 86400000, 146097 * 86400000  # 400 years
SIZES = dict(STEPS)
FIRST, LAST = -62167219200000, 253402300799999  # years 0000 to 9999


def label(ms):
    """Milliseconds as the answer writes them: outside of four digits as browsers do."""
    if FIRST <= ms <= LAST:
        return stamp(ms)
    inner = stamp(ms + CYCLE if ms < FIRST else ms - CYCLE)
    year = int(inner[:4]) + (-400 if ms < FIRST else 400)
    return "%s%06d%s" % ("-" if year < 0 else "+", abs(year), inner[4:])


def query(**parameters):
    return "&".join(name + "=" + urllib.parse.quote(label(value) if name in ("since", "until") else str(value))
                    for name, value in parameters.items() if value is not None)


def ask(daemon, connection=None, **parameters):
    text = query(**parameters)
    answer = (connection or daemon).request("GET", "/_tracker/stats" + ("?" + text if text else ""), {})
    equal(answer.status, 200, "%s: %r" % (text, answer.body[:300]))
    return answer.json()


def refusal(daemon, text):
    answer = daemon.get("/_tracker/stats?" + text)
    equal(answer.status, 400, text)
    return answer.error()


def counted(moments, step, since, until):
    """The steps, by going through all events."""
    size, found = SIZES[step], {}
    for ms in moments:
        if since <= ms <= until:
            found[ms // size * size] = found.get(ms // size * size, 0) + 1
    return [[label(at), found[at]] for at in sorted(found)]


def touched(step, since, until):
    return 0 if since > until else until // SIZES[step] - since // SIZES[step] + 1


def check(daemon, connection, moments, since, until, step=None):
    """One window, against the recount and against the total of a read."""
    lowest, highest = min(moments), max(moments)
    first = since if since is not None else min(lowest, until if until is not None else lowest)
    last = until if until is not None else max(highest, since if since is not None else highest)
    named = step is not None
    if named and touched(step, first, last) > 10000:
        assert refusal(daemon, query(since=since, until=until, step=step)).startswith("step: ")
        return
    got = ask(daemon, connection, since=since, until=until, step=step)
    if not named:
        step = next((name for name, _ in STEPS if touched(name, first, last) <= 1000), "day")
    equal(got["step"], step, "step")
    equal((got["since"], got["until"]), (label(first), label(last)), "window")
    equal(got["steps"], counted(moments, step, first, last), "steps")
    equal(got["total"], sum(events for _, events in got["steps"]), "their sum")
    equal((got["events"], got["oldest"], got["newest"]), (len(moments), label(lowest), label(highest)))
    if all(end is None or FIRST <= end <= LAST for end in (since, until)):
        total = daemon.read("limit=0&" + query(since=since, until=until))["total"]
        equal(got["total"], total, "total of a read")


def moment(dice):
    """Around the edges of steps, mostly within some days of 1970 and of now, before and after."""
    size = dice.choice([1000, 60000, 3600000, DAY])
    at = dice.choice([0, NOW // size * size, NOW // size * size, -DAY * 40000]) + dice.randrange(-15, 15) * size
    return at + dice.choice([0, -1, 1, 999, dice.randrange(size)])


@case
def any_window_has_the_steps_that_a_recount_gives():
    dice, daemon = random.Random(SEED), Daemon()
    moments = [moment(dice) for _ in range(scale(3000, 500))] + [FIRST, LAST, FIRST + 999, LAST - 1000]
    moments += [moments[0]] * 100
    for n in range(0, len(moments), 700):
        daemon.save([event(ms, n + k, "e%d" % (n + k)) for k, ms in enumerate(moments[n:n + 700])])
    # An offset may take an event out of the years that a timestamp can name.
    far = ['{"timestamp":"0000-01-01T00:00:00+23:59"}', '{"timestamp":"9999-12-31T23:59:59-12:00"}']
    daemon.save([text.encode() for text in far])
    moments += [FIRST - 1439 * 60000, LAST - 999 + 12 * 3600000]
    rows, connection = Rows(), daemon.connection()
    for n in range(scale(100, 20)):
        since = moment(dice)
        until = since + dice.choice([0, 1, 999, 1000, 59999, 60001, 7 * 3600000, 9 * DAY, -1, dice.randrange(DAY * 30)])
        if dice.random() < 0.3:
            until = moment(dice)
        for step in (None, "second", "minute", "hour", "day"):
            with rows("since %s until %s step %s" % (label(since), label(until), step)):
                check(daemon, connection, moments, since, until, step)
    ends = (FIRST, LAST, 0, -1, NOW, None)
    for since in ends:
        for until in ends:
            for step in (None, "second", "minute", "hour", "day"):
                with rows("since %s until %s step %s" % (since, until, step)):
                    check(daemon, connection, moments, since, until, step)
    rows.check()


# How long a window is, and the step that is taken when nobody names one.
SPANS = [(0, "second"), (999999, "second"), (1000000, "minute"), (60000 * 1000 - 1, "minute"),
         (60000 * 1000, "hour"), (3600000 * 1000 - 1, "hour"), (3600000 * 1000, "day"), (DAY * 5000, "day"),
         (DAY * 500000, "day")]


@case
def the_finest_step_that_gives_a_thousand_is_taken():
    daemon, rows, begin = Daemon(), Rows(), NOW // DAY * DAY
    daemon.save([event(begin)])
    for span, step in SPANS:
        with rows(span):
            equal(ask(daemon, since=begin, until=begin + span)["step"], step)
    rows.check()
    # An open end is where the events end, but never on the wrong side of the other one.
    for given, ends in [({}, (begin, begin)), ({"until": begin - 5}, (begin - 5, begin - 5)),
                        ({"since": begin + 5}, (begin + 5, begin + 5)), ({"until": begin + 5}, (begin, begin + 5)),
                        ({"since": begin - 5}, (begin - 5, begin)), ({"since": begin + 5, "until": begin}, (begin + 5, begin))]:
        got = ask(daemon, **given)
        equal((got["since"], got["until"]), (label(ends[0]), label(ends[1])), given)
        equal(got["total"], 1 if ends[0] <= begin <= ends[1] else 0, given)
    # Named, as many as 10000 are told; more are refused, however few have events.
    for step, size in STEPS:
        equal(ask(daemon, since=begin, until=begin + 10000 * size - 1, step=step)["total"], 1)
        assert "more than 10000" in refusal(daemon, query(since=begin, until=begin + 10000 * size, step=step)), step
        assert "more than 10000" in refusal(daemon, query(since=begin - 1, until=begin + 10000 * size - 1, step=step))


@case
def an_empty_database_has_figures_too():
    daemon = Daemon()
    got = ask(daemon, values=5)
    size = got.pop("database")
    equal(set(size), stores.dialect({"bytes", "free", "wal"}, {"bytes"}))
    assert got.pop("uptime") >= 0 and got.pop("version")
    equal(got, {"state": "ready", "events": 0, "oldest": None, "newest": None, "rejects": 0,
                "cache": {"events": 0, "bytes": got["cache"]["bytes"], "floor": None},
                "since": None, "until": None, "step": "second", "total": 0, "steps": [],
                "values": {"counted": 0, "since": None, "appId": [], "type": [], "level": []}})
    got = ask(daemon, since=5)
    equal((got["since"], got["until"], got["total"], got["steps"]), (label(5), label(5), 0, []))
    assert "values" not in got
    equal(ask(Daemon(cache_events=0), values=5)["cache"], None)


REFUSED = [
    ("since=", "since: "), ("since=yesterday", "since: "), ("until=2026-02-30", "until: "),
    ("until=%zz", "until: "), ("since=" + "1" * 300, "since: "), ("step=", "step: "), ("step=week", "step: "),
    ("step=HOUR", "step: "), ("step=%", "step: "), ("values=", "values: "), ("values=0", "values: "),
    ("values=101", "values: "), ("values=-5", "values: "), ("values=1.0", "values: "), ("values=x", "values: "),
    ("values=99999999999999999999999", "values: "),
    ("since=2000-01-01&until=2001-01-01&step=second", "step: "), ("step=minute", "step: "),
]


@case
def what_can_not_be_read_is_named():
    daemon, rows = Daemon(), Rows()
    daemon.save([event(NOW), event(NOW - 100 * DAY)])
    for text, parameter in REFUSED:
        with rows(text):
            assert refusal(daemon, text).startswith(parameter), refusal(daemon, text)
    rows.check()
    plain = ask(daemon)
    # What reads know and figures don't is ignored, and of two the first counts.
    for text in ("limit=x", "after=x&page=x&cursor=x", "step=day&step=x", "unknown", "until=9999-12-31&until=x"):
        answer = daemon.get("/_tracker/stats?" + text)
        equal((answer.status, answer.json()["total"]), (200, plain["total"]), text)


@case
def head_and_headers_are_those_of_a_document_that_nobody_keeps():
    daemon = Daemon()
    daemon.post([b"1"])
    for path in ("/_tracker/stats", "/_tracker/rejects"):
        answers = {method: daemon.request(method, path, {}) for method in ("GET", "HEAD")}
        for method, answer in answers.items():
            equal((answer.status, answer.header("Content-Type"), answer.header("X-Content-Type-Options"),
                   answer.header("Cache-Control"), answer.header("ETag")),
                  (200, "application/json", "nosniff", "no-store", None), method)
        equal(answers["HEAD"].body, b"")
        length = int(answers["HEAD"].header("Content-Length"))
        assert abs(length - len(answers["GET"].body)) <= 2, "the uptime alone may have changed"
        equal(daemon.request("HEAD", path + "?since=x&limit=x", {}).status, 400)


# --- values ---------------------------------------------------------------------------------------

def typed(ms, n, **members):
    return json.dumps({"id": "e%d" % n, "timestamp": stamp(ms), **members}).encode()


def most(values, number):
    """The most frequent: by their number, then as their bytes stand."""
    found = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    known = sorted(((v, k) for v, k in found.items() if v is not None), key=lambda p: (-p[1], p[0].encode()))[:number]
    left = len(values) - sum(k for _, k in known)
    return [list(pair) for pair in known] + ([[None, left]] if left else [])


def wait_cached(daemon, count):
    """Until the cache, which begins somewhere above what is stored, has all of it."""
    becomes(lambda: ask(daemon)["cache"]["events"], count, "events of the cache")


@case
def values_are_counted_over_what_the_cache_has_of_the_window():
    dice, daemon, rows = random.Random(SEED), Daemon(), Rows()
    names = {"appId": ["shop", "blog", "\u00e9\u20ac\U0001f600", "<b>\"\\\0\x1b"], "type": ["t%d" % n for n in range(30)],
             "level": ["info", "warn", None]}
    held = []
    for n in range(scale(3000, 400)):
        members = {name: dice.choice(values) for name, values in names.items()}
        held.append((NOW - dice.randrange(100000), {name: value for name, value in members.items() if value}))
    for n in range(0, len(held), 500):
        daemon.save([typed(ms, n + k, **members) for k, (ms, members) in enumerate(held[n:n + 500])])
    wait_cached(daemon, len(held))
    for since, until, number in [(None, None, 5), (None, None, 100), (None, NOW - 50000, 3), (NOW - 70001, NOW - 70001, 1),
                                 (NOW - 60000, NOW - 20000, 20), (NOW + 1, None, 9)]:
        with rows((since, until, number)):
            got = ask(daemon, since=since, until=until, values=number)
            inside = [(ms, members) for ms, members in held
                      if (since is None or ms >= since) and (until is None or ms <= until)]
            equal(got["total"], len(inside))
            expected = {"counted": len(inside), "since": label(min(ms for ms, _ in inside)) if inside else None}
            for name in names:
                expected[name] = most([members.get(name) for _, members in inside], number)
            equal(got["values"], expected)
    rows.check()
    # What is no string, or too long to be shown, or no Unicode.
    other = Daemon()
    other.save([typed(NOW, 1, type=7, level="x" * 201, appId="x" * 200),
                b'{"timestamp":"%s","type":"\\ud800","level":"in\\u0066o"}' % stamp(NOW).encode(),
                b'{"timestamp":"%s","type":"lost","type":"click"}' % stamp(NOW - 1).encode()])
    wait_cached(other, 3)
    got = ask(other, values=9)["values"]
    equal((got["counted"], got["since"]), (3, label(NOW - 1)))
    equal(got["appId"], [["x" * 200, 1], [None, 2]])
    equal(sorted(got["type"][:-1]), [["click", 1], ["\ufffd" * 3, 1]])
    equal(got["type"][-1], [None, 1])
    equal(got["level"], [["info", 1], [None, 2]])


@case
def values_of_more_than_the_cache_has_say_since_when():
    daemon, step = Daemon(cache_events=500), 1000
    for n in range(0, 5000, step):
        daemon.save([typed(NOW + k, k, type="old" if k < 3000 else "new") for k in range(n, n + step)])
    poll(lambda: 500 <= ask(daemon)["cache"]["events"] <= 1524, "the cache to be full")
    got = ask(daemon, values=3)
    equal((got["events"], got["total"]), (5000, 5000))
    values, cache = got["values"], got["cache"]
    equal(values["counted"], cache["events"])
    assert 500 <= values["counted"] <= 1524, values
    equal(values["since"], label(NOW + 5000 - values["counted"]))
    equal(values["type"], [["new", values["counted"]]])
    assert NOW < milliseconds(cache["floor"]) <= milliseconds(values["since"]), cache
    got = ask(daemon, until=NOW + 100, values=3)
    equal((got["total"], got["values"]["counted"], got["values"]["since"]), (101, 0, None))
    none = Daemon(cache_events=0, database=daemon_database(daemon))
    got = ask(none, values=3)
    equal((got["total"], got["values"]["counted"], got["cache"]), (5000, 0, None))


def daemon_database(daemon):
    daemon.stop()
    return daemon.database


def milliseconds(text):
    """What label() writes within four digits."""
    low, high = FIRST, LAST
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if label(middle) < text else (low, middle)
    return low


@case
def values_are_those_of_the_newest_fifty_thousand_at_most():
    if scale(0, 1):
        raise Skip("50,000 events take too long here")
    daemon, number = Daemon(), 50600
    texts = [b'{"id":"e%d","timestamp":"%s","type":"%s"}' % (n, stamp(NOW + n).encode(), b"old" if n < 600 else b"new")
             for n in range(number)]
    for n in range(0, number, 5000):
        daemon.save(texts[n:n + 5000])
    got = ask(daemon, values=2)
    equal(got["total"], number)
    equal(got["values"], {"counted": 50000, "since": label(NOW + 600), "appId": [[None, 50000]],
                          "type": [["new", 50000]], "level": [[None, 50000]]})


# --- states ---------------------------------------------------------------------------------------

@contextlib.contextmanager
def nothing_written(daemon):
    """Each commit fails, and reads go on: a file must not grow, or the receipts are not there."""
    if stores.POSTGRES:
        shell(daemon.database, "alter table receipts rename to away")
        yield
        shell(daemon.database, "alter table away rename to receipts")
        return
    largest = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, largest))
    yield
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (largest, largest))


@case
def it_says_failing_while_commits_fail():
    daemon = Daemon(hold="100ms", preexec=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    daemon.save([event(NOW, n) for n in range(10)])
    equal(ask(daemon)["state"], "ready")
    with nothing_written(daemon):
        equal(daemon.post([event(NOW)]).status, 503)
        got = ask(daemon)
        equal((got["state"], got["events"]), ("failing", 10))
    poll(lambda: daemon.post([event(NOW + 1, 1, "again")]).status == 200, "ingest to work again")
    equal(ask(daemon)["state"], "ready")


@case
def it_says_draining_at_shutdown():
    daemon = Daemon(drain="1h")
    daemon.save([event(NOW, n) for n in range(10)])
    wire = daemon.wire().send(b"GET /_tracker/stats HTTP/1.1\r\n")
    poll(lambda: daemon.unread() == 0, "the daemon to read the beginning")
    equal(daemon.get("/health").status, 200)
    daemon.signal()

    def refused():
        try:
            daemon.connect().close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            return False  # it was still in the listener's queue

    poll(refused, "listeners to be closed")
    answer = wire.send(b"Host: localhost\r\n\r\n").response()
    equal((answer.status, answer.header("Connection")), (200, "close"))
    equal((answer.json()["state"], answer.json()["total"]), ("draining", 10))
    daemon.ended(0)


@case
def a_database_that_can_not_be_read_is_answered_503():
    daemon = Daemon()
    daemon.save([event(NOW, n) for n in range(10)])
    daemon.post([b"1"])
    for path, table in (("/_tracker/stats", "tally_minute"), ("/_tracker/rejects", "rejects")):
        target = path + "?since=2026-11-20&until=2026-11-22T00:00:30Z&step=minute"
        equal(daemon.get(target).status, 200)
        shell(daemon.database, "alter table %s rename to other" % table)
        answer = daemon.get(target, Origin="http://localhost:5173")
        equal(answer.status, 503, path)
        answer.error()
        assert int(answer.header("Retry-After")) >= 1
        equal(answer.header("Access-Control-Allow-Origin"), "http://localhost:5173")
        shell(daemon.database, "alter table other rename to %s" % table)
        poll(lambda: daemon.get(target).status == 200, "it to be read again")
    equal(ask(daemon)["total"], 10)


@case
def answers_under_way_are_bounded_and_clients_that_go_leave_nothing():
    daemon = Daemon(max_reads=1, readers=1)
    daemon.save([event(NOW + n, n, "e%d" % n, '"%s"' % ("x" * 2000)) for n in range(scale(3000, 300))], packed=True)
    for n in range(scale(300, 40)):
        wire = daemon.wire()
        path = (b"stats?values=100", b"rejects", b"stats")[n % 3]
        wire.send(b"GET /_tracker/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path * (1 + n % 2))
        wire.close()
    seen = set()
    poll(lambda: seen.add(daemon.get("/_tracker/stats").status) or 200 in seen, "room for an answer")
    assert seen <= {200, 503}, seen

    def rests():  # what those who went had asked for may still come to its turn
        shown = daemon.get("/metrics").body
        return b"\nbeacond_connections 1\n" in shown and b"\nbeacond_reads_under_way 0\n" in shown

    poll(rests, "nobody else to be there")
    equal(ask(daemon)["state"], "ready")


# --- while things happen --------------------------------------------------------------------------

@case
def during_ingest_steps_total_and_events_agree():
    # Enough that its values take many turns, between which there are commits.
    daemon = Daemon()
    for n in range(0, scale(8000, 800), 400):
        daemon.save([event(NOW + k * 6, k, "e%d" % k, '"%s"' % ("x" * 1000)) for k in range(n, n + 400)])

    def send(connection, n):
        daemon.request("POST", "/_tracker/events", {}, batch([event(NOW + n * 700 % 50000, n)] * 20),
                       connection=connection)

    with repeated(daemon, send):
        connection, before = daemon.connection(), 0
        for n in range(scale(15, 5)):
            got = ask(daemon, connection, step=("second", "minute")[n % 2], values=3)
            equal(got["total"], sum(events for _, events in got["steps"]))
            equal(got["total"], got["events"])
            assert got["values"]["counted"] <= got["total"], got
            assert got["total"] >= before, "fewer than before"
            before = got["total"]
    equal(ask(daemon)["total"], daemon.total())


@case
def what_is_erased_is_out_of_the_steps():
    daemon = Daemon()
    held = [(NOW - n * 3600000, "user%d" % (n % 3)) for n in range(240)]
    daemon.save([json.dumps({"id": "", "timestamp": stamp(ms), "userId": user, "type": user}).encode()
                 for ms, user in held])
    check(daemon, daemon.connection(), [ms for ms, _ in held], None, None, "day")
    equal(run("forget", "--user", "user1", "--database", daemon.database).returncode, 0)
    held = [(ms, user) for ms, user in held if user != "user1"]
    check(daemon, daemon.connection(), [ms for ms, _ in held], None, None, "day")
    wait_cached(daemon, 160)
    values = ask(daemon, values=9)["values"]
    equal((values["counted"], values["type"]), (160, [["user0", 80], ["user2", 80]]))
    old = 1000000000000  # 2001
    daemon.save([event(old + n * 7000000, n, "old%d" % n) for n in range(100)])
    check(daemon, daemon.connection(), [ms for ms, _ in held] + [old + n * 7000000 for n in range(100)], None, None, "day")
    done = run("prune", "--older-than", "3650d", "--database", daemon.database)
    equal(done.returncode, 0, done.stderr)
    check(daemon, daemon.connection(), [ms for ms, _ in held], None, None, "hour")
    wait_cached(daemon, 160)
    equal(ask(daemon, values=9)["values"]["counted"], 160)


# --- cost -----------------------------------------------------------------------------------------

TALLY = "".join("insert into tally_%s select ts - (ts %% %d), count(*) from events group by 1;" % step for step in STEPS)


def built(statement):
    """A database whose events an SQL statement makes, with its tally."""
    daemon = Daemon()
    daemon.stop()
    shell(daemon.database, "begin; %s; %s commit" % (statement, TALLY))
    return daemon.database


def bytes_read(daemon):
    with open("/proc/%d/io" % daemon.pid) as file:
        return int(file.readline().split()[1])


@case
@of_files
def the_cost_is_that_of_the_steps_and_not_of_the_events():
    number, begin = scale(60000, 20000), NOW // DAY * DAY
    # In an hour of all the seconds, and in the next one as many events as seconds.
    database = built("with recursive n(n) as (select 1 union all select n + 1 from n where n < %d)"
                     "insert into events select n, case when n > 3600 then %d + n %% 3600 * 1000 else %d + n * 1000 end,"
                     "0, 0, 'e' || n, '{}' from n" % (number, begin + 1, begin + 3600001))
    costs = {}
    for name, since in (("crowded", begin), ("empty", begin + 3600000)):
        daemon = Daemon(database=database, cache_events=0, readers=1)
        before = bytes_read(daemon)
        got = ask(daemon, since=since, until=since + 3599999, step="second")
        costs[name] = bytes_read(daemon) - before
        equal(got["total"], number - 3600 if name == "crowded" else 3599)
        daemon.stop()
    assert costs["crowded"] <= costs["empty"] + 200000, costs


@case
@of_files
def a_tally_of_a_million_seconds_is_told_by_minutes():
    if not LONG:
        raise Skip("takes a minute; BEACOND_TEST_LONG=1 runs it")
    database = built("with recursive n(n) as (select 1 union all select n + 1 from n where n < 1000000)"
                     "insert into events select n, %d + n * 1000, 0, 0, 'e' || n, '{}' from n" % NOW)
    daemon = Daemon(database=database)
    got = ask(daemon)
    equal((got["events"], got["total"], got["step"]), (1000000, 1000000, "hour"))
    assert "more than 10000" in refusal(daemon, "step=minute")
    for n in range(200):
        since = NOW + n * 4000123
        check_total = daemon.read("limit=0&" + query(since=since, until=since + 500 * 60000 + n))["total"]
        equal(ask(daemon, since=since, until=since + 500 * 60000 + n)["total"], check_total)


main()
