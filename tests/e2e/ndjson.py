"""Bodies of lines, application/x-ndjson: as JSON bodies, but of any length, stored while they come."""

import gzip
import json
import os
import random
import resource
import signal
import subprocess
import threading

from harness import (NOW, PATIENCE, SLOW, Daemon, Rows, Skip, WriteLock, batch, case, equal, event, main, poll, scale)
from tally import check_tally

TYPE = "application/x-ndjson"
EVENTS = "/_tracker/events"
GOOD = event(n=1, id="good")


def lines(texts):
    return b"".join(text + b"\n" for text in texts)


def post(daemon, body, target=EVENTS, **headers):
    given = {"Content-Type": TYPE}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    return daemon.request("POST", target, given, body)


def saved(response, saved, rejected=0, duplicate=0):
    equal((response.status, response.json()),
          (200, {"ok": True, "saved": saved, "rejected": rejected, "duplicate": duplicate}))


def stored(daemon):
    return [text for text, in daemon.sql("select event from events order by seq")]


def large(size, prefix="L"):
    """Some pieces' worth: size events of about 1 KB."""
    return [event(NOW + n, n, "", '"%s %s"' % (prefix, "x" * 900)) for n in range(size)]


def without_ids(daemon):
    return [text.replace(b'"id":"%s"' % id, b'"id":""') for text, id in
            daemon.sql("select event, id from events order by seq")]


@case
def lines_are_taken_as_the_events_of_a_json_body_are():
    daemon, rows = Daemon(), Rows()
    for name, body, expected in (
            ("one", GOOD, (1, 0, 0)),
            ("the same again", GOOD + b"\n", (1, 0, 1)),
            ("white space and empty lines", b"\r\n \n" + event(id="w") + b" \r\n\n\t" + event(id="v"), (2, 0, 0)),
            ("byte order mark", b"\xef\xbb\xbf" + event(id="b") + b"\n", (1, 0, 0)),
            ("what browsers send", b'{"timestamp":"2026-11-21T04:00:00Z","a":"\\u0000\\ud800","a":1e999}\n', (1, 0, 0)),
            ("malformed neighbours", b'x\n' + event(id="m") + b'\n[1]\n{}\n{"timestamp":5}\n{"half', (1, 5, 0)),
            ("no UTF-8 alone", b'{"timestamp":"2026-11-21T04:00:00Z","a":"\xff"}\n', (0, 1, 0))):
        with rows(name):
            saved(post(daemon, body), *expected)
    rows.check()
    equal(sorted(reason for reason, in daemon.sql("select reason from rejects")),
          [b"no timestamp", b"no timestamp", b"not JSON", b"not JSON", b"not UTF-8", b"not an object"])
    equal(daemon.sql("select event from rejects where reason = 'not JSON' order by n"), [(b"x",), (b'{"half',)])
    check_tally(daemon.database)


@case
def a_body_without_any_object_is_400():
    daemon = Daemon()
    for body in b"", b"\n\n", b"x", b"[1]\n5\n", b'"text"', b"{\n", b"\0" * 5000:
        assert "JSON object" in post(daemon, body).error(), body[:20]
        equal(post(daemon, body).status, 400)
    equal(daemon.sql("select count(*) from rejects"), [(0,)])
    # On a connection that stays.
    connection = daemon.connection()
    for _ in range(3):
        equal(daemon.request("POST", EVENTS, {"Content-Type": TYPE}, b"x", connection=connection).status, 400)
        saved(daemon.request("POST", EVENTS, {"Content-Type": TYPE}, event(), connection=connection), 1)
    connection.close()


@case
def the_content_type_decides():
    daemon = Daemon()
    for kind in "application/x-ndjson", "Application/X-NDJSON", "application/x-ndjson; charset=utf-8", \
            "application/x-ndjson ;a=b":
        saved(post(daemon, lines([event(), event()]), Content_Type=kind), 2)
    for kind in "application/json", "application/x-ndjson2", "text/plain", None:
        equal(post(daemon, lines([event(), event()]), Content_Type=kind).status, 400, kind)
        saved(post(daemon, batch([event()]), Content_Type=kind), 1)
    for target in "/_tracker/ingest", EVENTS:
        saved(post(daemon, event(), target), 1)


@case
def keys_routes_and_codings_are_judged_as_for_other_bodies():
    daemon = Daemon(key=["in:ingest", "out:query"])
    body = lines(large(10000))  # more than another body may have
    for target, key, status in ((EVENTS, None, 401), (EVENTS, "wrong", 401), (EVENTS, "out", 403), (EVENTS, "in", 200),
                                ("/_tracker/k/in/events", None, 200), ("/_tracker/k/out/events", None, 403),
                                ("/nowhere", "in", 404), ("/_tracker/ping", "in", 405)):
        for content in body, event():
            equal(post(daemon, content, target, X_Tracker_Key=key).status, status, "%s %s" % (target, key))
    for content in body, event():
        equal(post(daemon, content, X_Tracker_Key="in", Content_Encoding="br").status, 415)
    response = post(daemon, event(), X_Tracker_Key="in", Origin="https://shop.example")
    equal(response.header("Access-Control-Allow-Origin"), "https://shop.example")


@case
def a_body_beyond_every_limit_is_stored_in_order_and_once():
    size = scale(12000, 4000)
    texts = large(size)
    body = lines(texts)
    for packed in False, True:
        for chunked in False, True:
            daemon = Daemon(max_body="256K", max_inflated="256K", max_receiving="8M")
            for duplicate in 0, size:  # its answer was lost: all of its pieces are recognised
                wire = daemon.wire()
                content = gzip.compress(body, 1) if packed else body
                head = "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n" % (EVENTS, TYPE)
                head += "Content-Encoding: gzip\r\n" if packed else ""
                if chunked:
                    parts = [content[at:at + 70001] for at in range(0, len(content), 70001)]
                    content = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
                    head += "Transfer-Encoding: chunked\r\n\r\n"
                else:
                    head += "Content-Length: %d\r\n\r\n" % len(content)
                # What stands behind it is the next request.
                wire.send(head.encode() + content + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                saved(wire.response(), size, 0, duplicate)
                equal(wire.response().status, 200)
                wire.close()
            equal(without_ids(daemon), texts)
            equal(daemon.sql("select count(*) from receipts")[0][0] > 0, True)
            check_tally(daemon.database)
            daemon.stop()


@case
def a_retry_with_more_behind_it_stores_what_is_more():
    daemon = Daemon()
    texts = large(scale(6000, 2500))
    half = texts[:len(texts) * 2 // 3]
    saved(post(daemon, lines(half)), len(half))
    daemon.crash()
    daemon = Daemon(database=daemon.database)
    saved(post(daemon, lines(texts)), len(texts), 0, len(half))
    saved(post(daemon, lines(half)), len(half), 0, len(half))
    # And when a JSON body had a beginning of it.
    few = [event(NOW, n, "", '"json"') for n in range(20)]
    daemon.save(few[:10])
    saved(post(daemon, lines(few)), 20, 0, 10)
    equal(without_ids(daemon), texts + few)


@case
def pieces_are_cut_by_content_however_it_comes():
    daemon = Daemon()
    texts = large(scale(3000, 1500)) + [b'{"timestamp":"2026-11-21T04:00:00Z","big":"%s"}' % (b"y" * 3000000)]
    texts = texts + large(100, "behind")
    body = lines(texts)
    saved(post(daemon, body), len(texts) - 1, 1)
    generator = random.Random(5)
    wire = daemon.wire()
    wire.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
              % (EVENTS.encode(), TYPE.encode()))
    at = 0
    while at < len(body):
        part = body[at:at + generator.choice([1, 100, 30000, 200000])]
        at += len(part)
        wire.send(b"%x\r\n%s\r\n" % (len(part), part))
    wire.send(b"0\r\n\r\n")
    saved(wire.response(), len(texts) - 1, 1 - 1 + 1, len(texts) - 1)
    equal(daemon.sql("select count(*), max(length(event)) from rejects"), [(1, (1 << 20) + 1)])
    equal(daemon.total(), len(texts) - 1)


@case
def pieces_are_committed_while_the_rest_is_still_to_come():
    daemon = Daemon()
    texts = large(4000)
    body = lines(texts)
    wire = daemon.wire()
    wire.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
              % (EVENTS.encode(), TYPE.encode(), len(body)))
    half = len(body) // 2
    wire.send(body[:half])
    poll(lambda: daemon.sql("select count(*) from events")[0][0] > 900, "the first piece")
    assert wire.silent()
    # Its client goes: what came in whole pieces is there, and is known when it comes again.
    wire.close()
    before = poll(lambda: daemon.sql("select count(*) from events")[0][0], "events")
    response = post(daemon, body)
    equal((response.status, response.json()["saved"]), (200, 4000))
    assert response.json()["duplicate"] >= before > 0, (response.json(), before)
    equal(without_ids(daemon), texts)


@case
def curl_sends_a_stream_whose_end_it_does_not_know():
    daemon = Daemon()
    texts = large(3000)
    process = subprocess.Popen(["curl", "-s", "-X", "POST", "-T", "-", "-H", "Content-Type: " + TYPE,
                                "http://%s%s" % (daemon.address, EVENTS)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    out, _ = process.communicate(lines(texts), timeout=PATIENCE)
    equal(json.loads(out), {"ok": True, "saved": 3000, "rejected": 0, "duplicate": 0})
    # Who asks first is told to go on, and who may not is not.
    wire = daemon.wire()
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    wire.send(head % (EVENTS.encode(), TYPE.encode(), len(GOOD)))
    equal(wire.response().status, 100)
    saved(wire.send(GOOD).response(), 1)
    wire = daemon.wire().send(head % (b"/nowhere", TYPE.encode(), 1 << 40))
    assert wire.response().status in (404, 413)
    assert wire.at_end()


@case
def what_breaks_in_the_middle_is_told_and_what_came_before_is_kept():
    daemon, rows = Daemon(max_body="1M"), Rows()
    texts = large(3000)
    packed = gzip.compress(lines(texts), 1)
    noise = random.Random(2).randbytes(200000)
    for name, content, coding, status in (("cut gzip", packed[:-9], "gzip", 400),
                                          ("damaged gzip", packed[:-8] + bytes(8), "gzip", 400),
                                          ("no gzip", noise, "gzip", 400),
                                          ("something behind", packed + b"xx", "gzip", 400),
                                          ("all of it", packed, "gzip", 200)):
        with rows(name):
            response = post(daemon, content, Content_Encoding=coding)
            equal(response.status, status, response.body)
    with rows("bad chunk"):
        wire = daemon.wire().send(
            b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxxxx"
            % (EVENTS.encode(), TYPE.encode()))
        equal(wire.response().status, 400)
        assert wire.at_end()
    rows.check()
    equal(daemon.total(), 3000)
    check_tally(daemon.database)


@case
def a_piece_that_comes_too_slowly_is_408():
    daemon = Daemon(body_timeout="300ms")
    wire = daemon.wire().send(
        b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n%s\n"
        % (EVENTS.encode(), TYPE.encode(), GOOD))
    equal(wire.response().status, 408)
    assert wire.at_end()
    equal(daemon.total(), 0)


@case
def empty_lines_are_no_piece_however_many():
    daemon = Daemon(body_timeout="300ms")
    wire = daemon.wire().send(
        b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s\n"
        % (EVENTS.encode(), TYPE.encode(), 1 << 50, GOOD))
    answered, blank = threading.Event(), b" \n" * (1 << 17)

    def send():
        try:
            while not answered.is_set():
                wire.send(blank)
        except OSError:
            pass # it is closed behind the answer

    sender = threading.Thread(target=send)
    sender.start()
    try:
        equal(wire.response().status, 408)
    finally:
        answered.set()
        sender.join()
    equal(daemon.total(), 0)


@case
def a_database_that_cannot_be_written_stops_the_reading_and_the_rest_comes_behind():
    daemon = Daemon(hold="100ms")
    texts = large(scale(30000, 8000))
    answers = []
    with WriteLock(daemon.database) as lock:
        sender = threading.Thread(target=lambda: answers.append(post(daemon, lines(texts))))
        sender.start()
        daemon.wait_log("can't commit")
        before = daemon.rss() if hasattr(daemon, "rss") else 0
        equal(daemon.get("/health").status, 200)
        lock.release()
    sender.join(PATIENCE)
    saved(answers[0], len(texts))
    if before and not SLOW:
        assert before < 100 << 20, "%d bytes held while it waited" % before
    equal(daemon.total(), len(texts))


def of_60_kb(count, first=0):
    return lines(event(NOW + n, n, payload='"%s"' % ("y" * 60000)) for n in range(first, first + count))


@case
def a_body_of_any_size_takes_little_memory():
    if SLOW:
        raise Skip("resident memory is not judged here")
    daemon = Daemon(cache_events=0)
    saved(post(daemon, of_60_kb(1500)), 1500)  # SQLite has its 64 MB of pages from here on
    for first, packed in (2000, False), (4000, True):
        body = of_60_kb(1500, first)  # 90 MB
        headers = {"Content_Encoding": "gzip"} if packed else {}
        daemon.reset_peak()
        before = daemon.rss()
        saved(post(daemon, gzip.compress(body, 1) if packed else body, **headers), 1500)
        grown = daemon.peak() - before
        assert grown < 16 << 20, "%d bytes, %r" % (grown, headers)
    check_tally(daemon.database)


@case
def what_waits_for_the_database_waits_in_the_network():
    if SLOW:
        raise Skip("resident memory is not judged here")
    daemon, answers = Daemon(cache_events=0, hold="100ms"), []
    body = of_60_kb(1500)
    saved(post(daemon, of_60_kb(100, 2000)), 100)
    daemon.reset_peak()
    before = daemon.rss()
    with WriteLock(daemon.database) as lock:
        sender = threading.Thread(target=lambda: answers.append(post(daemon, body)))
        sender.start()
        daemon.wait_log("can't commit")
        unread = [-1, 0]
        poll(lambda: unread.append(daemon.unread()) or unread[-1] == unread[-2] > 0, "nothing more to be read")
        grown = daemon.peak() - before
        lock.release()
    sender.join(PATIENCE)
    saved(answers[0], 1500)
    assert grown < 16 << 20, "%d bytes" % grown


@case
def a_shutdown_with_bodies_half_sent_ends_in_time():
    for locked in False, True:
        daemon = Daemon(drain="300ms")
        wires = []
        for n in range(3):
            wire = daemon.wire()
            wire.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 9999999\r\n\r\n"
                      % (EVENTS.encode(), TYPE.encode()))
            wires.append(wire)
        if locked:
            with WriteLock(daemon.database):
                for wire in wires:
                    wire.send(lines(large(1500)))
                daemon.wait_log("can't commit")
                daemon.stop()
        else:
            for wire in wires:
                wire.send(lines(large(1500)))
            poll(lambda: daemon.sql("select count(*) from events")[0][0] > 0, "a piece")
            daemon.stop()
        check_tally(daemon.database)


@case
def a_client_over_its_limit_waits():
    daemon = Daemon(limit_events=100)
    saved(post(daemon, lines(large(2000))), 2000)
    response = post(daemon, lines(large(2000, "more")))
    equal(response.status, 429)
    assert int(response.header("Retry-After")) > 0
    equal(daemon.total(), 2000)


def head(*more):
    return ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%s\r\n"
            % (EVENTS, TYPE, "".join(line + "\r\n" for line in more))).encode()


@case
def behind_a_malformed_chunk_nothing_is_a_request():
    daemon = Daemon()
    good = lines(large(1500))
    for front in b"", b"%x\r\n%s\r\n" % (len(good), good):  # with nothing in the engine's hands, and with a piece
        wire = daemon.wire().send(head("Transfer-Encoding: chunked") + front +
                                  b"z0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        equal(wire.response().status, 400)
        assert wire.at_end()


@case
def a_refused_client_that_asks_before_it_sends_is_answered_at_once():
    daemon = Daemon()
    wire = daemon.wire().send(head("Content-Encoding: br", "Content-Length: 100", "Expect: 100-continue"))
    equal(wire.response().status, 415)
    assert wire.at_end()


@case
def a_refused_body_is_not_waited_for_without_end():
    daemon = Daemon(body_timeout="300ms")
    wire = daemon.wire().send(head("Content-Encoding: br", "Content-Length: 100") + b"x")
    equal(wire.response().status, 415)
    assert wire.at_end()


@case
def what_was_stored_of_a_body_that_was_answered_with_an_error_is_known_when_it_comes_again():
    daemon = Daemon()
    burst = lines([event(NOW, 1, "", '"%s"' % ("x" * 900))] * 1500)  # as a retry it is ambiguous but for the error
    wire = daemon.wire().send(head("Transfer-Encoding: chunked") + b"%x\r\n%s\r\nz" % (len(burst), burst))
    equal(wire.response().status, 400)
    stored = daemon.sql("select count(*) from events")[0][0]
    assert stored > 0
    saved(post(daemon, burst), 1500, 0, stored)
    equal(daemon.total(), 1500)


@case
def white_space_around_an_event_is_no_part_of_it():
    daemon, rows = Daemon(max_event="1K"), Rows()
    space = b" " * 5000
    for name, line, expected in (("in front", space + event(id="a"), (1, 0)), ("behind", event(id="b") + space, (1, 0)),
                                 ("something behind that", event(id="c") + space + event(id="d"), (0, 1))):
        with rows(name):
            saved(post(daemon, lines([line, event()])), expected[0] + 1, expected[1])
    rows.check()


@case
def a_body_without_an_end_does_not_get_around_a_limit():
    daemon = Daemon(limit_bytes="1K")
    body = lines(large(4000))
    wire = daemon.wire().send(head("Content-Length: %d" % (len(body) + 1)) + body[:1500000])
    poll(lambda: daemon.sql("select count(*) from events")[0][0] > 900, "the first piece")
    before = daemon.sql("select count(*) from events")[0][0]
    wire.send(body[1500000:3500000])
    wire.close()
    equal(post(daemon, GOOD).status, 429)
    equal(daemon.sql("select count(*) from events")[0][0], before)


@case
def bodies_that_are_too_much_together_are_bounded_and_not_all_refused():
    daemon = Daemon(max_receiving="4M", max_body="1M", hold="50ms")
    before = daemon.rss()
    body = lines(large(1300))
    answers, sent = [], threading.Barrier(41)

    def send():
        wire = daemon.wire().send(head("Content-Length: %d" % len(body)) + body[:900000])
        sent.wait(PATIENCE)
        answers.append(wire.send(body[900000:]).response().status)
    threads = [threading.Thread(target=send) for _ in range(40)]
    for thread in threads:
        thread.start()
    sent.wait(PATIENCE)
    grown = daemon.peak() - before
    for thread in threads:
        thread.join(PATIENCE)
    if not SLOW:
        assert grown < 20 << 20, "%d bytes" % grown
    equal(set(answers) - {200, 503}, set())
    assert len(answers) == 40 and 200 in answers, answers


main()
