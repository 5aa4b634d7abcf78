"""Windows, pages and cursors against a plain sort (CONTRACT.md 4)."""

import json
import random
import re
import urllib.parse

from harness import (NOW, Daemon, batch, case, equal, event, main, repeated, scale, sliced, stamp)

DAY = 86400000


def quote(text):
    return urllib.parse.quote(text, safe="")


class Model:
    """What the daemon holds, as a plain list: (ts, order of storing, id)."""

    def __init__(self):
        self.rows = []

    def add(self, moments):
        """Events for those moments; returns their texts."""
        texts = []
        for ms in moments:
            id = "e%d" % len(self.rows)
            self.rows.append((ms, len(self.rows), id))
            texts.append(event(ms, len(self.rows), id))
        return texts

    def window(self, since=None, until=None, after=None):
        """Ids, newest first."""
        inside = [r for r in self.rows if (since is None or r[0] >= since) and
                  (until is None or r[0] <= until) and (after is None or r[0] > after)]
        return [id for _, _, id in sorted(inside, key=lambda r: (-r[0], -r[1]))]


def query(**parameters):
    parts = []
    for name, value in parameters.items():
        if value is not None:
            text = stamp(value) if name in ("since", "until", "after") else str(value)
            parts.append(name + "=" + quote(text))
    return "&".join(parts)


def ids(answer):
    return [e["id"] for e in answer["events"]]


def chain(daemon, first, limit, most, between=None, connection=None):
    """Follows cursors from the query `first`; returns all ids and the pages' answers."""
    got, pages = [], []
    answer = daemon.read(first)
    while True:
        pages.append(answer)
        got += ids(answer)
        equal(answer["page"], len(pages), "page")
        equal(answer["total"], pages[0]["total"], "total of page %d" % len(pages))
        equal(answer["limit"], limit, "limit")
        if "nextCursor" not in answer:
            return got, pages
        assert len(answer["events"]) == limit, "a page in the middle of a chain is full"
        assert len(pages) <= most, "an endless chain"
        if between:
            between(len(pages))
        answer = daemon.read("cursor=%s&limit=%d" % (quote(answer["nextCursor"]), limit))


def mixed(generator, count):
    """Moments as they come: mostly ascending, some late, some equal, some long ago or far ahead."""
    now, out = NOW, []
    for _ in range(count):
        kind = generator.random()
        if kind < 0.5:
            now += generator.randrange(0, 2000)
            out.append(now)
        elif kind < 0.7:
            out.append(generator.choice(out or [now]))
        elif kind < 0.85:
            out.append(now - generator.randrange(0, 3 * DAY))
        elif kind < 0.92:
            out.append(generator.randrange(-40 * DAY, 40 * DAY))
        elif kind < 0.95:
            out.append(generator.choice([-62167219200000, 253402300799999, -1, 0, 1]))
        else:
            out.append(now // DAY * DAY - generator.choice([0, 1, 1000, 60000, 3600000]))
    return out


@case
def random_windows_hold_what_a_plain_sort_says():
    generator = random.Random(20261121)
    daemon, model = Daemon(), Model()
    for _ in range(scale(12, 4)):
        daemon.save(model.add(mixed(generator, 250)))
        moments = [ms for ms, _, _ in model.rows]
        for _ in range(scale(40, 8)):
            window = {}
            for name in ("since", "until", "after"):
                if generator.random() < 0.55:
                    window[name] = generator.choice(moments) + generator.choice([0, 0, -1, 1, 500])
                    window[name] = max(-62167219200000, min(253402300799999, window[name]))
            expected = model.window(**window)
            what = repr(window)
            answer = daemon.read(query(**window))
            equal(ids(answer), expected, what)
            equal((answer["total"], answer["page"], answer["limit"]), (len(expected), 1, 500000), what)
            limit = generator.choice([1, 2, 7, 100, 1000])
            page = generator.randrange(1, 6)
            answer = daemon.read(query(limit=limit, page=page, **window))
            equal(ids(answer), expected[(page - 1) * limit:page * limit], "%s %d %d" % (what, limit, page))
            equal((answer["total"], answer["page"], answer["limit"]), (len(expected), page, limit), what)
            limit = max(7, len(expected) // generator.choice([1, 2, 3, 9]))
            got, _ = chain(daemon, query(limit=limit, **window), limit, 400)
            equal(got, expected, "chain of %d over %s" % (limit, what))


@case
def totals_over_whole_and_ragged_steps_are_exact():
    generator = random.Random(7)
    daemon, model = Daemon(), Model()
    step_edges = [0, DAY, -DAY, 3600000, -3600000, 60000, -60000, 1000, -1000]
    moments = [base + edge + jitter for base in (0, NOW, -400 * DAY)
               for edge in step_edges for jitter in (-1, 0, 1)]
    daemon.save(model.add(moments * 2))
    for _ in range(scale(600, 60)):
        since, until = sorted((generator.choice(moments), generator.choice(moments)))
        since, until = since + generator.choice([-1, 0, 1]), until + generator.choice([-1, 0, 1])
        answer = daemon.read(query(since=since, until=until, limit=0))
        equal(answer["total"], len(model.window(since, until)), "%s %s" % (stamp(since), stamp(until)))


@case
def a_chain_of_cursors_neither_skips_nor_repeats_while_events_come_in():
    generator = random.Random(3)
    base = [NOW + generator.randrange(0, 50) for _ in range(600)]
    for limit in (1, 7, 50, 599, 600, 601):
        fresh = Daemon()
        model = Model()
        fresh.save(model.add(base))
        expected = model.window()

        def meanwhile(number, fresh=fresh, model=model):
            if number < 40:
                fresh.save(model.add([NOW - 5, NOW, NOW + 25, NOW + 49, NOW + 60] * 3))

        got, pages = chain(fresh, query(limit=limit), limit, 700, meanwhile)
        equal(got, expected, "limit %d" % limit)
        equal(pages[0]["total"], 600)
        if "nextCursor" not in pages[0]:
            equal(ids(fresh.read()), model.window())
        fresh.stop()


@case
def a_chain_over_one_window_ignores_other_parameters_beside_its_cursor():
    daemon, model = Daemon(), Model()
    daemon.save(model.add([NOW + n // 3 for n in range(90)]))
    window = dict(since=NOW + 5, until=NOW + 20)
    first = daemon.read(query(limit=10, **window))
    beside = "since=2030-01-01&until=1999-01-01&after=nonsense&page=7&limit=5&cursor="
    second = daemon.read(beside + quote(first["nextCursor"]))
    equal(ids(first) + ids(second), model.window(**window)[:15])
    equal((second["total"], second["page"], second["limit"]), (first["total"], 2, 5))
    # The same cursor twice gives the same page.
    equal(daemon.read(beside + quote(first["nextCursor"])), second)
    # Without a limit the rest comes.
    rest = daemon.read("cursor=" + quote(first["nextCursor"]))
    equal(ids(first) + ids(rest), model.window(**window))
    assert "nextCursor" not in rest


@case
def a_chain_may_begin_on_any_page():
    daemon, model = Daemon(), Model()
    daemon.save(model.add([NOW] * 50))
    third = daemon.read("limit=10&page=3")
    fourth = daemon.read("limit=10&cursor=" + quote(third["nextCursor"]))
    equal(ids(third) + ids(fourth), model.window()[20:40])
    equal(fourth["page"], 4)


@case
def a_chain_survives_a_restart():
    first, model = Daemon(), Model()
    first.save(model.add([NOW] * 50))
    answer = first.read("limit=20")
    first.stop()
    second = Daemon(database=first.database)
    second.save(model.add([NOW] * 5))
    rest = second.read("cursor=" + quote(answer["nextCursor"]))
    equal(ids(answer) + ids(rest), ["e%d" % n for n in range(49, -1, -1)])
    equal(rest["total"], 50)


@case
def forged_and_foreign_cursors_are_refused():
    daemon, other = Daemon(), Daemon()
    for one in (daemon, other):
        one.save([event(NOW + n, n) for n in range(20)])
    cursor = daemon.read("limit=5")["nextCursor"]
    assert re.fullmatch(r"[A-Za-z0-9_.~-]+", cursor), "needs no escaping: %r" % cursor
    equal(daemon.get("/_tracker?cursor=" + cursor).status, 200)
    forged = [cursor[:n] + ("A" if cursor[n] != "A" else "B") + cursor[n + 1:] for n in range(len(cursor))]
    forged += [cursor[:n] for n in range(0, len(cursor), 5)] + [cursor + "A", cursor * 2, "x" * 4000,
              "-1", "0", "%00", "%", "%zz", cursor.swapcase(), "\u00e9".encode().hex(), "%ff%fe",
              other.read("limit=5")["nextCursor"]]
    for one in forged:
        answer = daemon.get("/_tracker?limit=5&cursor=" + one)
        equal(answer.status, 400, "cursor %r" % one)
        assert "cursor" in answer.error()
    equal(other.get("/_tracker?cursor=" + cursor).status, 400, "a cursor of another database")


# Query, status and, for 200, number of events, total, page and limit. 30 events are there.
PARAMETERS = [
    ("", 200, 30, 30, 1, 25000), ("limit=10", 200, 10, 30, 1, 10), ("limit=30", 200, 30, 30, 1, 30),
    ("limit=0", 200, 0, 30, 1, 0), ("limit=010", 200, 10, 30, 1, 10), ("limit=31", 200, 30, 30, 1, 31),
    ("limit=25001", 200, 30, 30, 1, 25000), ("limit=99999999999999999999", 200, 30, 30, 1, 25000),
    ("limit=9223372036854775807", 200, 30, 30, 1, 25000), ("page=1", 200, 30, 30, 1, 25000),
    ("page=2", 200, 0, 30, 2, 25000), ("limit=10&page=3", 200, 10, 30, 3, 10),
    ("limit=10&page=4", 200, 0, 30, 4, 10), ("limit=7&page=5", 200, 2, 30, 5, 7),
    ("limit=10&page=4000000", 200, 0, 30, 4000000, 10),
    ("limit=-1", 400), ("limit=-0", 400), ("limit=ten", 400), ("limit=1.5", 400), ("limit=1e3", 400),
    ("limit=0x10", 400), ("limit=10%20", 400), ("limit=%2010", 400), ("limit=+10", 400),
    ("limit=%2B10", 400), ("limit=10%00", 400), ("limit=1,0", 400), ("limit=%D9%A1", 400),
    ("page=0", 400), ("page=-1", 400), ("page=x", 400), ("page=1.0", 400), ("page=-9223372036854775808", 400),
    ("unknown=1", 200, 30, 30, 1, 25000), ("type=click&level=error&q=", 200, 30, 30, 1, 25000),
    ("LIMIT=5", 200, 30, 30, 1, 25000), ("xlimit=5", 200, 30, 30, 1, 25000),
    ("limit=5&limit=7", 200, 5, 30, 1, 5), ("&&limit=5&", 200, 5, 30, 1, 5), ("=&=x&limit=5", 200, 5, 30, 1, 5),
    ("%6Cimit=5", 200, 5, 30, 1, 5), ("&".join("p%d=%d" % (n, n) for n in range(500)), 200, 30, 30, 1, 25000),
    ("since=2030-01-01&until=2020-01-01", 200, 0, 0, 1, 25000),
    ("since=9999-12-31&until=0000-01-01", 200, 0, 0, 1, 25000),
    ("after=9999-12-31T23:59:59.999Z", 200, 0, 0, 1, 25000), ("until=0000-01-01", 200, 0, 0, 1, 25000),
]


@case
def parameters_are_read_strictly_and_unknown_ones_ignored():
    daemon = Daemon(max_events=25000)
    daemon.save([event(NOW + n, n) for n in range(30)])
    for text, status, *shown in PARAMETERS:
        answer = daemon.get("/_tracker?" + text)
        equal(answer.status, status, text)
        if status == 400:
            assert text.split("=")[0] in answer.error(), "%s: %s" % (text, answer.error())
            continue
        parsed = answer.json()
        equal([len(parsed["events"]), parsed["total"], parsed["page"], parsed["limit"]], shown, text)
    for text in ("page=9223372036854775807&limit=10", "page=99999999999999999999&limit=25000",
                 "page=4611686018427387904&limit=4"):
        answer = daemon.get("/_tracker?" + text)
        assert answer.status == 400 or answer.json()["events"] == [], "%s: %r" % (text, answer)


@case
def an_answer_past_the_cap_holds_the_newest_and_the_whole_total():
    daemon, model = Daemon(max_events=100), Model()
    daemon.save(model.add([NOW + n % 7 for n in range(250)]))
    answer = daemon.read()
    equal(ids(answer), model.window()[:100])
    equal((answer["total"], answer["limit"]), (250, 100))
    got, _ = chain(daemon, "", 100, 3)
    equal(got, model.window())


@case
def the_total_alone_costs_no_events():
    daemon = Daemon()
    daemon.save([event(NOW + n) for n in range(10)])
    answer = daemon.get("/_tracker?limit=0")
    equal(answer.json(), {"events": [], "total": 10, "page": 1, "limit": 0})


@case
def an_empty_database_answers_an_empty_window():
    daemon = Daemon(max_events=10)
    equal(daemon.get("/_tracker").json(), {"events": [], "total": 0, "page": 1, "limit": 10})


@case
def a_gzip_answer_is_the_plain_one_packed():
    daemon = Daemon()
    daemon.save([event(NOW + n, n, payload='"\u00e9\\u0000%d"' % n) for n in range(scale(20000, 2000))])
    for target in ("/_tracker", "/_tracker?limit=1", "/_tracker?limit=0", "/_tracker?until=1999-01-01",
                   "/_tracker?limit=1000&page=2"):
        plain = daemon.get(target)
        equal(plain.header("Content-Encoding"), None)
        packed = daemon.get(target, Accept_Encoding="gzip")
        equal(packed.header("Content-Encoding"), "gzip", target)
        equal(json.loads(packed.plain()), json.loads(plain.body), target)
        equal(packed.plain(), plain.body, target)
        assert "accept-encoding" in packed.vary() and "accept-encoding" in plain.vary(), "Vary"


@case
def gzip_is_sent_only_to_who_takes_it():
    daemon = Daemon()
    daemon.save([event(NOW + n, n) for n in range(100)])
    for accepts, packed in [("gzip", True), ("gzip, deflate, br, zstd", True), ("br;q=1.0, gzip;q=0.8", True),
                            ("GZIP", True), ("deflate,gzip;q=0.001", True), ("gzip;q=0", False),
                            ("gzip;q=0.0", False), ("gzip; q=0.000", False), ("identity", False),
                            ("br", False), ("", False), ("gzipped", False), ("x-gzip2", False),
                            ("deflate, gzip;q=0, br", False)]:
        answer = daemon.get("/_tracker", Accept_Encoding=accepts)
        equal(answer.header("Content-Encoding"), "gzip" if packed else None, accepts)
        equal(len(json.loads(answer.plain())["events"]), 100, accepts)


@case
def head_tells_the_status_and_sends_no_body():
    daemon = Daemon()
    daemon.save([event(NOW + n, n) for n in range(1000)])
    for target, status in [("/_tracker", 200), ("/_tracker?limit=1", 200), ("/_tracker?limit=x", 400),
                           ("/_tracker/ping", 200), ("/nowhere", 404)]:
        wire = daemon.wire()
        wire.send(b"HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\n"
                  b"Host: localhost\r\n\r\n" % target.encode())
        answer = wire.response("HEAD")
        equal(answer.status, status, target)
        equal(answer.header("Content-Type").split(";")[0], "application/json", target)
        if answer.header("Content-Length") and status != 200:
            got = daemon.get(target)
            equal(answer.header("Content-Length"), str(len(got.body)), target)
        equal(wire.response().json()["ok"], True, "behind HEAD " + target)


@case
def reads_are_not_cached_by_anybody_else():
    daemon = Daemon()
    answer = daemon.get("/_tracker")
    equal(answer.header("Cache-Control"), "private, no-cache")


@case
def three_hundred_thousand_events_on_one_millisecond_are_paged_in_linear_work():
    daemon = Daemon()
    count, limit = scale(300000, 30000), scale(3000, 1000)
    slice_of = 50000
    for start in range(0, count, slice_of):
        daemon.save((b'{"id":"%d","timestamp":"2026-11-21T04:00:00Z"}' % n
                     for n in range(start, min(count, start + slice_of))), packed=True)
    equal(daemon.total(), count)
    connection, cursor, expected, work = daemon.connection(), None, count - 1, []
    while True:
        before = daemon.cpu_ns()
        target = "/_tracker?limit=%d" % limit + ("&cursor=" + quote(cursor) if cursor else "")
        answer = connection.request("GET", target)
        equal(answer.status, 200, target)
        parsed = answer.json()
        equal(parsed["total"], count)
        for one in parsed["events"]:
            equal(one["id"], str(expected))
            expected -= 1
        work.append(daemon.cpu_ns() - before)
        cursor = parsed.get("nextCursor")
        if not cursor:
            break
    equal(expected, -1, "events left over")
    assert len(work) <= count // limit + 1, "%d pages" % len(work)
    # Seeking by the timestamp alone would make each page dearer than the one before, the second
    # half three times the first.
    half = len(work) // 2
    first, second = sum(work[:half]), sum(work[half:2 * half])
    assert second < 2 * first + 50e6, "first half %d ms, second %d ms" % (first // 1000000,
                                                                          second // 1000000)


@case
def reads_see_every_batch_that_was_answered_before():
    daemon = Daemon()
    connection = daemon.connection()
    for n in range(scale(300, 50)):
        daemon.save([event(NOW + n, n)], connection=connection)
        answer = connection.request("GET", "/_tracker?limit=1").json()
        equal((answer["total"], answer["events"][0]["n"]), (n + 1, n))


@case
def total_equals_the_events_sent_also_while_others_are_stored():
    daemon = Daemon()

    def send(connection, n):
        daemon.request("POST", "/_tracker/events", {}, batch([event(NOW + n % 50, n)] * 20),
                       connection=connection)

    with repeated(daemon, send):
        seen = 0
        for _ in range(scale(60, 15)):
            answer = daemon.get("/_tracker")
            parsed = answer.json()
            equal(parsed["total"], len(parsed["events"]))
            equal(len(sliced(answer.body)), parsed["total"])
            equal(len({e["id"] for e in parsed["events"]}), parsed["total"], "repeated events")
            assert parsed["total"] >= seen
            seen = parsed["total"]


main()
