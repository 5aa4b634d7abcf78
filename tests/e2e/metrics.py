"""/metrics, /livez and /readyz: the format, what moves each figure, who may ask."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import threading
import time

import stores
from disks import gone, tiny_disk
from harness import (NOW, Daemon, Rows, Skip, WriteLock, batch, becomes, begin, case, directory, equal, event,
                     finish, main, poll, run, scale, shell)
from prometheus import Bad, Scraper, flat, parse
from sockets import Socket
from stores import of_files

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AWAY, BACK = "alter table events rename to events_away", "alter table events_away rename to events"

seen = set()   # names of counters and histograms that some case has seen move
known = {}     # names of all that was ever exported, and of what type


def watched(**options):
    """A daemon and a scraper of its admin-listen."""
    daemon = Daemon(admin_listen="127.0.0.1:0", **options)
    daemon.admin = admin_of(daemon)
    return daemon, Scraper(daemon, daemon.admin)


def admin_of(daemon):
    return re.search(r"listening on (\S+) for admin", "\n".join(daemon.log())).group(1)


# Moves by itself, or says how long something took.
ALWAYS = re.compile(r"process_cpu_seconds_total|beacond_checkpoints_total|beacond_\w+_seconds_sum")
OWN = 'beacond_http_requests_total{route="metrics",status="200"}'


def note(scraper, moved):
    for name, family in scraper.last.items():
        known[name] = family.kind
    for name in moved:
        seen.add(re.sub(r"_(sum|count)$", "", re.match(r"\w+", name).group()))


def expect(scraper, before, expected, what=""):
    """Exactly these series have moved, by so much, since."""
    moved = {}

    def right():
        moved.clear()
        moved.update({k: v for k, v in scraper.moved(before).items() if not ALWAYS.match(k) and k != OWN})
        return moved == expected
    try:
        poll(right, "figures")
    except AssertionError:
        equal(moved, expected, what)
    note(scraper, moved)


def moves(scraper, before, *names):
    """These have moved by one since, whatever else has."""
    becomes(lambda: {name: scraper.moved(before).get(name) for name in names}, dict.fromkeys(names, 1), "figures")
    note(scraper, scraper.moved(before))


def requests(route, status, count=1):
    return {'beacond_http_requests_total{route="%s",status="%d"}' % (route, status): count}


def timed(route, count=1):
    return {'beacond_http_request_duration_seconds_count{route="%s"}' % route: count}


def read_in(way, batches, events, size):
    shown = {"batches": batches, "events": events, "bytes": size}
    return {'beacond_ingest_%s_total{way="%s"}' % (k, way): v for k, v in shown.items() if v}


def committed(events, batches=1, saved=0, duplicate=0, **rejected):
    shown = {"beacond_commit_duration_seconds_count": 1, "beacond_commit_events_count": 1,
             "beacond_commit_batches_count": 1, "beacond_commit_events_sum": events,
             "beacond_commit_batches_sum": batches, "beacond_events_saved_total": saved,
             "beacond_events_duplicate_total": duplicate}
    shown.update({'beacond_events_rejected_total{reason="%s"}' % k.replace("_", " "): v for k, v in rejected.items()})
    return {k: v for k, v in shown.items() if v}


def merged(*parts):
    return {k: v for part in parts for k, v in part.items()}


# --- the format -------------------------------------------------------------------------------

# What the parser above must not let pass.
WRONG = [
    b"", b"a 1", b"# HELP a A.\n# TYPE a gauge\na 1", b"# TYPE a gauge\na 1\n", b"# HELP a A.\na 1\n",
    b"# HELP a A.\n# TYPE a gauge\na 1\n# HELP a A.\n# TYPE a gauge\n", b"# HELP a A.\n# TYPE a gauge\na 1\na 2\n",
    b"# HELP a A.\n# TYPE a gauge\nb 1\n", b"# HELP a A.\n# TYPE a counter\na 1\n",
    b"# HELP a_total A.\n# TYPE a_total counter\na_total -1\n", b"# HELP a A.\n# TYPE a gauge\na{b=\"c} 1\n",
    b"# HELP a A.\n# TYPE a gauge\na{b=\"\\x\"} 1\n", b"# HELP a A.\n# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n",
    b"# HELP a A.\n# TYPE a gauge\na{b=\"1\",} 1\n", b"# HELP a A.\n# TYPE a gauge\na 0x1\n",
    b"# HELP a A.\n# TYPE a gauge\na inf\n", b"# HELP a A.\n# TYPE a gauge\n\na 1\n",
    b"# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
    b"# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
    b"# HELP a A.\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 1\n",
    b"# HELP a A.\n# TYPE a histogram\na_bucket{le=\"2\"} 0\na_bucket{le=\"1\"} 0\na_bucket{le=\"+Inf\"} 0\na_sum 0\na_count 0\n",
]


@case
def the_parser_of_these_tests_refuses_what_is_wrong():
    rows = Rows()
    for text in WRONG:
        with rows(repr(text)):
            try:
                parse(text)
            except Bad:
                continue
            raise AssertionError("taken")
    rows.check()


def busy():
    """A daemon that has done a bit of everything that has labels."""
    daemon, scrape = watched(retain="1h")
    daemon.save([event()])
    daemon.post([b"1"])
    daemon.read()
    return daemon, scrape


@case
def what_is_exported_is_well_formed_on_both_listeners():
    daemon, scrape = busy()
    families = scrape.families()
    note(scrape, [])
    equal(set(parse(daemon.get("/metrics").body)), set(families), "the main port has the same")
    equal(flat(families)['beacond_build_info{version="%s"}' % daemon.get("/health").json()["version"]], 1)
    head = daemon.request("HEAD", "/metrics")
    equal((head.status, head.body, head.header("Content-Type")),
          (200, b"", "text/plain; version=0.0.4; charset=utf-8"))
    assert len(families) > 50, len(families)


@case
def promtool_finds_nothing_to_complain_about():
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    daemon, _ = busy()
    done = subprocess.run(["promtool", "check", "metrics"], input=daemon.get("/metrics").body, capture_output=True)
    equal((done.returncode, done.stdout, done.stderr), (0, b"", b""))


# --- what moves what --------------------------------------------------------------------------

@case
def ingest_moves_what_it_should_and_nothing_else():
    daemon, scrape = watched(max_depth=5, max_event=2000, max_body="1M")
    own = daemon.connection()
    own.request("GET", "/livez")

    def post(texts, **more):
        return daemon.post(texts, connection=own, **more)
    rows = Rows()
    three = [event() for _ in range(3)]
    first = merged(requests("ingest", 200), timed("ingest"))
    stamped = b'{"timestamp":"2026-11-21T04:00:00Z","x":'
    bad = [("not_an_object", b"[1]"), ("nested_too_deep", stamped + b"[" * 9 + b"]" * 9 + b"}"),
           ("not_UTF-8", stamped + b'"\xff"}'), ("over_the_event_limit", stamped + b'"%s"}' % (b"x" * 3000)),
           ("no_timestamp", b"{}"), ("unreadable_timestamp", b'{"timestamp":"x"}')]
    table = [("three events", three, committed(3, saved=3)), ("the same again", three, committed(3, duplicate=3)),
             ("with more", three + [event()], committed(4, saved=1, duplicate=3)),
             ("an empty batch", [], {}),
             ("ids of the client, one twice", [event(id="a", n=1), event(id="a", n=1), event(id="b", n=1)],
              committed(3, saved=2, duplicate=1))]
    table += [(name, [text, event()], committed(1, saved=1, **{name: 1})) for name, text in bad]
    table.append(("more rejects than are kept", [b"7"] * 1005,
                  committed(0, not_an_object=1000, not_kept=5)))
    for name, texts, expected in table:
        with rows(name):
            before = scrape()
            equal(post(texts).status, 200)
            count = len(texts)
            expect(scrape, before, merged(first, expected, read_in("http", min(count, 1), count, len(batch(texts)))))
    packed = [event()]
    before = scrape()
    post(packed, packed=True)
    expect(scrape, before, merged(first, committed(1, saved=1), read_in("http", 1, 1, len(batch(packed)))), "gzip")
    lines = event() + b"\nno json\n" + event() + b"\n"
    before = scrape()
    equal(own.request("POST", "/_tracker/events", {"Content-Type": "application/x-ndjson"}, lines).status, 200)
    expect(scrape, before, merged(requests("ingest", 200), committed(2, saved=2, not_JSON=1),
                                  read_in("lines", 1, 3, len(lines))), "lines")
    rows.check()
    shown = scrape()
    equal(shown["beacond_events_stored"], daemon.total())
    if not stores.POSTGRES:  # whose receipts stay in the database
        equal(shown["beacond_receipts_bytes"] > 0, True)
        assert 0 < shown["beacond_receipts_oldest_age_seconds"] < 1000
    assert abs(shown["beacond_last_commit_timestamp_seconds"] - shown["process_start_time_seconds"]) < 1000


@case
def an_event_that_the_database_refuses_is_counted():
    daemon, scrape = watched()
    stores.refuse(daemon.database, "{0}event like '%POISON%'")
    poll(lambda: stores.POSTGRES or [line for line in daemon.log() if "by another program" in line], "it to be noticed")
    before = scrape()
    daemon.post([event(payload='"POISON"'), event()])
    moves(scrape, before, 'beacond_events_rejected_total{reason="refused by the database"}',
          "beacond_events_saved_total", 'beacond_log_lines_total{level="warn"}')


@case
def answers_are_counted_by_route_and_status():
    daemon, scrape = watched(key=["w:ingest", "q:query"], max_body="64K", max_inflated="64K")
    daemon.save([event()], headers={"X-Tracker-Key": "w"})
    q, w = {"X-Tracker-Key": "q"}, {"X-Tracker-Key": "w"}
    own, rows = daemon.connection(), Rows()
    own.request("GET", "/livez")
    poll(lambda: scrape()["beacond_cache_floor_age_seconds"] == float("inf"), "the cache to hold all")
    tag = own.request("GET", "/_tracker", q).header("ETag")
    hot = {'beacond_reads_total{source="cache"}': 1}
    table = [
        ("GET", "/_tracker", q, None, "read", 200, hot), ("HEAD", "/_tracker", q, None, "read", 200, hot),
        ("GET", "/_tracker", {**q, "If-None-Match": tag}, None, "read", 304, hot),
        ("GET", "/_tracker", {}, None, "read", 401, {}), ("GET", "/_tracker", w, None, "read", 403, {}),
        ("GET", "/_tracker?since=x", q, None, "read", 400, {}),
        ("POST", "/_tracker/events", w, b"x", "ingest", 400, {}), ("POST", "/_tracker/events", q, b"x", "ingest", 403, {}),
        ("POST", "/_tracker/events", {**w, "Content-Encoding": "br"}, b"x", "ingest", 415, {}),
        ("GET", "/_tracker/ping", {}, None, "ping", 200, {}), ("GET", "/health", {}, None, "ping", 200, {}),
        ("GET", "/_tracker/ws", {}, None, "websocket", 426, {}),
        ("GET", "/livez", {}, None, "livez", 200, {}), ("GET", "/readyz", {}, None, "readyz", 200, {}),
        ("GET", "/metrics", {}, None, "metrics", 401, {}), ("GET", "/metrics", w, None, "metrics", 403, {}),
        ("HEAD", "/_tracker/tail", q, None, "tail", 200, {}), ("GET", "/_tracker/tail?lastEventId=x", q, None, "tail", 400, {}),
        ("OPTIONS", "/_tracker", {}, None, "options", 204, {}), ("GET", "/nowhere", {}, None, "none", 404, {}),
        ("GET", "/x\"\\{}", {}, None, "none", 404, {}), ("DELETE", "/_tracker", {}, None, "none", 405, {}),
    ]
    for method, target, headers, body, route, status, more in table:
        with rows("%s %s %d" % (method, target, status)):
            before = scrape()
            equal(own.request(method, target, headers, body).status, status)
            time = timed(route) if route in ("read", "ingest") else {}
            expect(scrape, before, merged(requests(route, status), time, more))
    rows.check()
    before = scrape()
    equal(daemon.post([event(payload='"%s"' % ("x" * 100000))], headers=w).status, 413)
    expect(scrape, before, merged(requests("ingest", 413), timed("ingest"), {"beacond_connections_accepted_total": 1}))
    # Of what strangers send nothing becomes a label.
    for family in scrape.last.values():
        for _, pairs in family.samples:
            for _, value in pairs:
                assert re.fullmatch(r"[A-Za-z0-9 .+-]{1,40}", value), value


@case
def reads_are_counted_by_where_their_events_came_from():
    daemon, scrape = watched(cache_events=100)
    for n in range(40):
        daemon.save([event(NOW + n * 1000 + m) for m in range(50)])
    poll(lambda: 0 < scrape()["beacond_cache_events"] < 1500, "the cache to drop the oldest")
    shown = scrape()
    assert shown["beacond_cache_bytes"] > 0 and shown["beacond_cache_limit_bytes"] == 256 << 20
    assert 0 <= shown["beacond_cache_floor_age_seconds"] < float("inf"), "some is in the database alone"
    for query, source in ("limit=5", "cache"), ("", "both"), ("until=" + "2026-11-21T04:00:01Z", "database"):
        before = scrape()
        daemon.read(query)
        expect(scrape, before, merged(requests("read", 200), timed("read"), {
            'beacond_reads_total{source="%s"}' % source: 1, "beacond_connections_accepted_total": 1}), source)
    daemon.stop()
    daemon, scrape = watched(cache_events=0)
    daemon.save([event()])
    before = scrape()
    daemon.read()
    moves(scrape, before, 'beacond_reads_total{source="database"}')
    equal([name for name in scrape() if "cache_" in name], [], "no cache, no figures of it")


@case
def websockets_and_feeds_are_counted():
    daemon, scrape = watched()
    before = scrape()
    one = Socket(daemon)
    expect(scrape, before, merged(requests("websocket", 101), {"beacond_websockets_opened_total": 1,
                                                               "beacond_connections_accepted_total": 1}))
    becomes(lambda: (scrape()["beacond_websockets"], scrape()["beacond_connections"]), (1, 2))
    before, texts = scrape(), [event(), event()]
    one.save(texts)
    expected = merged(committed(2, saved=2), read_in("websocket", 1, 2, 0), {"beacond_websocket_messages_total": 1})
    becomes(lambda: {name: count for name, count in scrape.moved(before).items() if name in expected}, expected)
    moved = scrape.moved(before)
    assert moved['beacond_ingest_bytes_total{way="websocket"}'] >= len(batch(texts)) - 20, moved
    note(scrape, moved)
    poll(lambda: scrape()["beacond_cache_floor_age_seconds"] == float("inf"), "the cache to hold all")
    before = scrape()
    one.follow()
    expect(scrape, before, {"beacond_websocket_messages_total": 1, 'beacond_reads_total{source="cache"}': 1})
    before = scrape()
    one.save([event()])
    one.wait_pushes(1)
    moves(scrape, before, "beacond_pushes_total")
    one.close()
    poll(lambda: scrape()["beacond_websockets"] == 0, "it to be gone")
    feed = daemon.wire().send(b"GET /_tracker/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
    poll(lambda: scrape()["beacond_feeds"] == 1, "the feed to be counted")
    becomes(lambda: scrape()['beacond_http_requests_total{route="tail",status="200"}'], 1)
    feed.close()
    poll(lambda: scrape()["beacond_feeds"] == 0 and scrape()["beacond_connections"] == 1, "it to be gone")


@case
def a_push_that_is_lost_is_counted():
    daemon, scrape = watched(max_push="4K")
    slow = Socket(daemon).follow()
    before = scrape()
    daemon.save([event(payload='"%s"' % ("x" * 9000)) for _ in range(20)])
    slow.wait_lost()
    moves(scrape, before, "beacond_pushes_lost_total")


@case
def what_waits_is_counted_and_so_is_what_fails():
    daemon, scrape = watched(hold="300ms", queue_size="1K")
    before = scrape()
    with WriteLock(daemon.database):
        wires = []
        for _ in range(2):
            body = batch([event(payload='"%s"' % ("x" * 5000))])
            wires.append(daemon.wire().send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\n"
                                            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)))
            poll(lambda: scrape()["beacond_queue_bytes"] > 5000, "the queue to be full")
        one = Socket(daemon)
        one.ingest([event()])
        poll(lambda: scrape.moved(before).get('beacond_ingest_held_total{way="websocket"}') == 1, "a message to wait")
        poll(lambda: scrape.moved(before).get('beacond_ingest_held_total{way="http"}') == 1, "a request to wait")
        poll(lambda: scrape()["beacond_commit_failures_total"] > 0, "a commit to fail")
        note(scrape, scrape.moved(before))
        becomes(lambda: (scrape()["beacond_ready"], scrape()['beacond_log_lines_total{level="error"}']), (0, 1))
        shown = poll(lambda: (lambda s: s["beacond_commit_failing_since_timestamp_seconds"] and s)(scrape()), "since when")
        equal(shown["beacond_queue_limit_bytes"], 1024)
        since = shown["beacond_commit_failing_since_timestamp_seconds"]
        assert shown["process_start_time_seconds"] - 2 <= since <= time.time() + 2, since
        for wire in wires:
            equal(wire.response().status, 503)
    equal(one.ack(), 1)
    becomes(lambda: [scrape()[name] for name in (
        "beacond_ready", "beacond_commit_failing_since_timestamp_seconds",
        'beacond_http_requests_total{route="ingest",status="503"}')], [1, 0, 2])


@case
def the_limit_of_an_address_is_counted():
    daemon, scrape = watched(limit_events=10)
    poll(lambda: daemon.post([event() for _ in range(50)]).status == 429, "the limit")
    becomes(lambda: scrape()['beacond_http_requests_total{route="ingest",status="429"}'], 1)


@case
def erasing_is_counted_and_retention_too():
    daemon, scrape = watched(retain="1h")
    poll(lambda: scrape()["beacond_retention_runs_total"] > 0 and
         scrape()["beacond_retention_last_success_timestamp_seconds"] > 0, "retention to look")
    shown = scrape()
    equal((shown["beacond_retention_failures_total"], shown["beacond_retention_disk_short"]), (0, 0))
    assert shown["beacond_retention_last_success_timestamp_seconds"] >= int(shown["process_start_time_seconds"])
    note(scrape, ["beacond_retention_runs_total"])
    daemon.save([event(2 * 10**12 + n) for n in range(5)])
    before = scrape()
    code, out, err = finish(begin("prune", "--database", daemon.database, "--before", "2100-01-01"))
    equal(code, 0, err)
    expect(scrape, before, {"beacond_events_erased_total": 5})
    becomes(lambda: scrape()["beacond_events_stored"], 0)


@case
def retention_that_can_not_erase_is_counted():
    daemon, scrape = watched(retain="2s")
    shell(daemon.database, AWAY)
    poll(lambda: scrape()["beacond_retention_failures_total"] > 0, "a look of retention")
    shell(daemon.database, BACK)
    failures = scrape()["beacond_retention_failures_total"]
    poll(lambda: scrape()["beacond_retention_runs_total"] >= failures + 3, "it to go on")
    note(scrape, ["beacond_retention_failures_total"])


@case
@of_files
def checkpoints_are_counted():
    daemon, scrape = watched(preexec=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    daemon.save([event(payload='"%s"' % ("x" * 50000)) for _ in range(10)])
    # What is asked of the file system is ahead of what the writer tells of it.
    poll(lambda: scrape()["beacond_wal_bytes"] == 0 and scrape()["beacond_checkpoints_total"] >= 1,
         "the log to be put back when idle")
    poll(lambda: scrape()["beacond_last_checkpoint_timestamp_seconds"] >= int(scrape()["process_start_time_seconds"]),
         "the time of it")
    becomes(lambda: scrape()["beacond_database_bytes"] == os.path.getsize(daemon.database), True, "the file's size")
    shown = scrape()
    equal(shown["beacond_checkpoint_failures_total"], 0)
    assert shown["beacond_disk_free_bytes"] > 0
    # The log may still be written, but not what lies further behind in the database.
    most = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (300000, most))
    daemon.save([event()])
    poll(lambda: scrape()["beacond_checkpoint_failures_total"] > 0, "a checkpoint to fail")
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (most, most))
    poll(lambda: scrape()["beacond_wal_bytes"] == 0, "the next one to work")
    note(scrape, ["beacond_checkpoints_total", "beacond_checkpoint_failures_total"])
    becomes(lambda: scrape()["beacond_checkpoint_stopped"], 0)


@case
def connections_that_can_not_be_accepted_are_counted():
    daemon, scrape = watched(threads=1)
    scrape()
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, hard))
    wire = daemon.wire()
    daemon.wait_log(r"can't accept a connection")
    poll(lambda: scrape()["beacond_accept_failures_total"] > 0, "it to be counted")
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
    wire.close()
    note(scrape, ["beacond_accept_failures_total"])


@case
def under_load_no_figure_goes_down_and_in_the_end_all_agree():
    daemon, scrape = watched(threads=4)
    rounds, each, threads = scale(60, 10), 7, []

    def send():
        own = daemon.connection()
        for n in range(rounds):
            equal(daemon.post([event() for _ in range(each)], connection=own).status, 200)
            own.request("GET", "/_tracker?limit=3")
        own.close()
    for _ in range(6):
        threads.append(threading.Thread(target=send))
        threads[-1].start()
    scrapes = 0
    while any(thread.is_alive() for thread in threads) or scrapes == 0:
        scrape()
        scrapes += 1
    all_of = 6 * rounds
    reads = [name for name in scrape() if name.startswith("beacond_reads_total")]
    # An answer arrives before it is counted.
    becomes(lambda: (lambda s: [s['beacond_http_requests_total{route="ingest",status="200"}'],
                                s['beacond_http_request_duration_seconds_count{route="read"}'],
                                sum(s[name] for name in reads), s["beacond_queue_bytes"],
                                s["beacond_reads_under_way"]])(scrape()), [all_of, all_of, all_of, 0, 0])
    becomes(lambda: scrape()["beacond_events_saved_total"], all_of * each)
    shown = scrape()
    equal(shown["beacond_events_stored"], all_of * each)
    equal(shown['beacond_ingest_events_total{way="http"}'], all_of * each)
    equal(shown["beacond_commit_events_sum"], all_of * each)
    equal(shown["beacond_commit_batches_sum"], all_of)
    assert shown[OWN] >= scrapes, shown[OWN]


@case
def every_counter_has_been_seen_to_move():
    if not known or len(seen) < 10:
        raise Skip("only with all other cases")
    still = {name for name, kind in known.items() if kind != "gauge"} - seen
    equal(still - {"process_cpu_seconds_total", "beacond_http_requests_total"}, set())


# --- probes -----------------------------------------------------------------------------------

def ready(daemon):
    answer = daemon.get("/readyz")
    if answer.status == 200:
        equal(answer.json(), {"ready": True})
        return True
    equal(answer.status, 503)
    assert answer.error().startswith("not ready: "), answer
    return answer.error()


@case
def it_is_not_ready_while_events_can_not_be_stored_and_is_again_by_itself():
    daemon, scrape = watched(hold="200ms")
    equal(ready(daemon), True)
    shell(daemon.database, AWAY)
    equal(daemon.post([event()]).status, 503)
    equal(ready(daemon), "not ready: commits fail, see the log")
    equal(daemon.get("/livez").json(), {"live": True})
    failures = scrape()["beacond_commit_failures_total"]
    # Nobody sends to who is not ready: it finds out by itself, and does not say so too soon.
    poll(lambda: scrape()["beacond_commit_failures_total"] >= failures + 2, "two tries of its own")
    equal(ready(daemon), "not ready: commits fail, see the log")
    shell(daemon.database, BACK)
    poll(lambda: ready(daemon) is True, "it to be ready again")
    equal(daemon.total(), 0, "its tries leave nothing behind")
    daemon.save([event()])
    equal(daemon.sql("select count(*) from events"), [(1,)])


@case
@of_files
def it_is_not_ready_on_a_full_disk():
    disk, resize = tiny_disk(4 << 20)
    try:
        daemon, scrape = watched(database=os.path.join(disk, "beacond.db"), hold="200ms")
        text = '"%s"' % ("x" * 50000)
        # What it tries by itself is small, and may still find room in the log; a batch does not.
        poll(lambda: daemon.post([event(payload=text) for _ in range(4)]).status == 503 and ready(daemon) is not True,
             "it not to be ready")
        assert scrape()["beacond_commit_failures_total"] > 0
        assert [line for line in daemon.log() if "can't commit" in line]
        equal(daemon.get("/livez").status, 200)
        resize(32 << 20)
        poll(lambda: ready(daemon) is True, "it to be ready again")
        daemon.stop()
    finally:
        gone(disk)


@case
def it_says_so_while_it_drains():
    daemon, scrape = watched(drain="1h")
    body = batch([event()])
    slow = daemon.wire().send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                              % len(body))
    poll(lambda: daemon.unread() == 0, "the head to be read")
    late = daemon.wire().send(b"GET /readyz HTTP/1.1\r\n")
    poll(lambda: daemon.unread() == 0 and scrape()["beacond_connections"] == 3, "part of a head to be read")
    daemon.signal()
    daemon.wait_log("finishing")
    # On the main port for who has begun to ask; on admin-listen for all.
    poll(lambda: daemon.request("GET", "/readyz", address=daemon.admin).status == 503, "readyz to fail")
    answer = daemon.request("GET", "/readyz", address=daemon.admin)
    equal((answer.status, answer.error()), (503, "not ready: draining"))
    equal(late.send(b"Host: localhost\r\n\r\n").response().error(), "not ready: draining")
    equal(daemon.request("GET", "/livez", address=daemon.admin).status, 200)
    shown = flat(parse(daemon.request("GET", "/metrics", address=daemon.admin).body))
    equal((shown["beacond_draining"], shown["beacond_ready"]), (1, 0))
    equal(slow.send(body).response().json()["saved"], 1)
    daemon.ended(0)


# --- admin-listen -----------------------------------------------------------------------------

ADMIN = [("/metrics", 200), ("/livez", 200), ("/readyz", 200), ("/health", 200), ("/", 404), ("/_tracker", 404),
         ("/_tracker/", 404), ("/_tracker/events", 404), ("/_tracker/ping", 200), ("/_tracker/tail", 404),
         ("/_tracker/ws", 404), ("/_tracker/stats", 404), ("/_tracker/rejects", 404), ("/_dashboard", 404), ("/x", 404)]


@case
def admin_listen_serves_its_own_to_everyone_and_nothing_else():
    for options in {}, {"key": ["w:ingest", "q:query"]}, {"key": "both", "allow_origin": "https://shop.example"}:
        daemon, _ = watched(**options)
        own = daemon.connection(daemon.admin)
        for path, status in ADMIN:
            for key in None, "both", "wrong":
                answer = own.request("GET", path, {"X-Tracker-Key": key} if key else {})
                equal(answer.status, status, path)
        for method in "POST", "DELETE":
            for path, status in ADMIN:
                body = b'{"events":[]}' if method == "POST" else None
                answer = own.request(method, path, {}, body)
                equal(answer.status, 405 if status == 200 else 404, "%s %s" % (method, path))
        daemon.stop()


# Host on admin-listen with admin-host metrics.example, and whether it is taken.
HOSTS = [("localhost:9100", True), ("127.0.0.1", True), ("10.0.0.1:9100", True), ("192.0.2.7", True), ("[::1]", True),
         ("[2001:db8::1]:9100", True), ("metrics.example", True), ("Metrics.example:9100", True),
         ("evil.example", False), ("evil.example:9100", False), ("metrics.example.evil", False), ("127.0.0.1.evil", False),
         ("", False), ("beacond", False), ("2130706433", False)]


@case
def no_page_can_read_admin_listen_whatever_name_it_gives_it():
    for key in {}, {"key": "k"}, {"allow_keyless": True}:
        daemon, _ = watched(admin_host="metrics.example", **key)
        own = daemon.connection(daemon.admin)
        for path in "/metrics", "/livez", "/readyz", "/health", "/x":
            for host, taken in HOSTS:
                answer = own.request("GET", path, {"Host": host})
                if not taken and answer.status == 400:
                    continue  # malformed is as good a reason
                equal(answer.status, (404 if path == "/x" else 200) if taken else 403, "%s, Host %s" % (path, host))
            for origin in "https://evil.example", "null", "http://localhost:5173":
                for method in "GET", "HEAD", "OPTIONS":
                    answer = own.request(method, path, {"Origin": origin, "Access-Control-Request-Method": "GET"})
                    shown = [name for name, _ in answer.headers if name.lower().startswith("access-control-")]
                    equal(shown, [], "%s %s from %s" % (method, path, origin))
        # Whoever sends no Host is no browser: a load balancer asks so.
        equal(daemon.wire(daemon.admin).send(b"GET /readyz HTTP/1.0\r\n\r\n").response().status, 200)
        daemon.stop()


@case
def who_fills_the_main_port_blinds_nobody_who_watches():
    daemon = Daemon(admin_listen="127.0.0.1:0", max_connections=4, threads=1)
    address, wires = admin_of(daemon), [daemon.wire() for _ in range(4)]
    for wire in wires:
        equal(wire.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").response().status, 200)
    waiting = daemon.wire().send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for path in "/livez", "/readyz", "/metrics":
        equal(daemon.request("GET", path, address=address).status, 200)
    wires.pop().close()
    equal(waiting.response().status, 200)


@case
def admin_listen_takes_a_unix_socket():
    daemon = Daemon(admin_listen="unix:admin.sock", key="k")
    address = "unix:" + os.path.join(daemon.directory, "admin.sock")
    for path in "/metrics", "/livez", "/readyz":
        equal(daemon.request("GET", path, address=address).status, 200)
        equal(daemon.request("GET", path).status, 401 if path == "/metrics" else 200)
    daemon.stop()
    assert not os.path.exists(address[5:]), "it is removed at the end"


@case
def an_address_is_one_or_the_other():
    for flags in (["--admin-listen", "127.0.0.1:4242"], ["--listen", "unix:a", "--admin-listen", "unix:a"],
                  ["--admin-host", "metrics.example"], ["--admin-listen", "127.0.0.1:1", "--admin-host", "a:1"],
                  ["--admin-listen", "metrics.example:1"], ["--prefix", "/metrics"], ["--prefix", "/livez"]):
        assert run("check-config", *flags).returncode in (2, 78), " ".join(flags)
    for flags in (["--admin-listen", "0.0.0.0:9100"], ["--admin-listen", "127.0.0.1:9100", "--admin-host", "beacond"],
                  ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]):
        equal(run("check-config", *flags).returncode, 0, " ".join(flags))


# --- what is written about it -----------------------------------------------------------------

def section(name):
    with open(os.path.join(TOP, "man", "beacond.8")) as file:
        text = file.read()
    return re.search(r"^\.Sh %s\n(.*?)(?=^\.Sh |\Z)" % name, text, re.M | re.S).group(1)


def exported():
    daemon, scrape = busy()
    families = scrape.families()
    daemon.stop()
    return families


@case
@of_files
def the_manual_lists_every_metric_and_no_other():
    described = re.findall(r"^\.It Li (\w+)(?: No \{(.*)\})?$", section("METRICS"), re.M)
    equal(len(described), len({name for name, _ in described}), "one twice")
    families = exported()
    equal({name for name, _ in described}, set(families))
    for name, inside in described:
        labels = {label for _, pairs in families[name].samples for label, _ in pairs} - {"le"}
        equal({label for label in inside.split(", ") if label}, labels, name)


def check_expressions(expressions, families):
    """Each names metrics that there are, with labels and values of labels that there are."""
    names = {name for family in families.values() for name in family.names()}
    for text in expressions:
        used = re.findall(r"\b((?:beacond|process)_\w+)(?:\{([^}]*)\})?", text)
        assert used or "up" in text, "no metric in " + text
        for name, inside in used:
            assert name in names, "%s in %s" % (name, text)
            family = families[re.sub(r"_(bucket|sum|count)$", "", name) if name not in families else name]
            for label, value in re.findall(r'(\w+)=~?"([^"]*)"', inside):
                if label in ("job", "instance"):
                    continue
                have = {v for _, pairs in family.samples for k, v in pairs if k == label}
                assert have, "label %s of %s" % (label, text)
                for one in value.split("|"):
                    assert label == "status" or one in have or "$" in one, "%s=%s in %s" % (label, one, text)


def dashboard():
    """Its panels, and the expressions in them."""
    with open(os.path.join(TOP, "contrib", "grafana", "beacond.json")) as file:
        panels = json.load(file)["panels"]
    ids = [panel["id"] for panel in panels]
    equal(len(ids), len(set(ids)), "a panel's id twice")
    panels = [panel for panel in panels if panel["type"] != "row"]
    return panels, [target["expr"] for panel in panels for target in panel["targets"]]


@case
@of_files
def the_dashboard_shows_what_is_there():
    panels, expressions = dashboard()
    assert len(panels) >= 15 and all(panel["title"] and panel["targets"] for panel in panels)
    check_expressions(expressions, exported())


@case
def promtool_can_read_what_the_dashboard_asks_for():
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    path = os.path.join(directory(), "rules.yml")
    with open(path, "w") as file:
        file.write("groups:\n- name: dashboard\n  rules:\n")
        for n, text in enumerate(dashboard()[1]):
            text = text.replace("$__rate_interval", "1m")
            file.write("  - record: a:b%d\n    expr: %s\n" % (n, json.dumps(text)))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True)
    equal(done.returncode, 0, done.stderr + done.stdout)


@case
@of_files
def the_alerts_are_of_what_is_there_and_say_what_to_do():
    path = os.path.join(TOP, "contrib", "prometheus", "alerts.yml")
    with open(path) as file:
        text = file.read()
    expressions = re.findall(r"^ +expr: (.*)$", text, re.M)
    alerts = re.findall(r"^ +- alert: (\w+)$", text, re.M)
    equal(len(alerts), len(set(alerts)), "an alert twice")
    for key in "expr", "summary", "runbook", "severity":
        equal(len(re.findall(r"^ +%s: \S.*$" % key, text, re.M)), len(alerts), key)
    assert len(alerts) >= 10, alerts
    check_expressions(expressions, exported())


@case
def promtool_takes_the_alerts_and_they_fire_when_they_should():
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    folder = os.path.join(TOP, "contrib", "prometheus")
    done = subprocess.run(["promtool", "check", "rules", "alerts.yml"], cwd=folder, capture_output=True)
    equal(done.returncode, 0, done.stderr + done.stdout)
    done = subprocess.run(["promtool", "test", "rules", os.path.join(TOP, "tests", "data", "alerts.test.yml")],
                          capture_output=True)
    equal(done.returncode, 0, done.stderr + done.stdout)


main()
