"""<prefix>/rejects: what could not be stored, page by page, as text that can do no harm."""

import json
import os
import random

from harness import NOW, Daemon, Rows, case, equal, event, main, poll, repeated, run, scale, shell, stamp
from stores import blob, dialect, of_files


def ask(daemon, text="", connection=None):
    answer = (connection or daemon).request("GET", "/_tracker/rejects" + ("?" + text if text else ""), {})
    equal(answer.status, 200, "%s: %r" % (text, answer.body[:300]))
    return answer.json()


def shown(raw):
    """What of a reject stands in the answer; a character that the cut splits is left out."""
    head, cut = raw[:2000], len(raw) > 2000
    size = next((size for size in (1, 2, 3) if cut and incomplete(head[-size:])), 0)
    return head[:len(head) - size].decode("utf-8", "replace")


def incomplete(tail):
    """Whether bytes are the beginning of a character, and no more."""
    try:
        tail.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start == 0
    return False


def put(daemon, texts):
    """Rejects with these bytes, put there by hand: the daemon's own are JSON of a kind."""
    rows = ",".join("(%d,'by hand',%s)" % (NOW, blob(text)) for text in texts)
    shell(daemon.database, "insert into rejects(received, reason, event) values " + rows)


STRANGE = [
    b"", b"\0", b"\x00\x01\x1b[2J\x7f", b"\xff", b"\xc3\xa9", b"\xe2\x82", b"\xe2\x82\xac", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xf0\x9f\x98\x80", b"a\xf0\x9f\x98b", b"<script>alert(1)</script>", b"\"\\/\b\f\n\r\t", b"\xef\xbb\xbfbom", b"\xc0\x80",
    "\u2028\u2029\u202e".encode(), b"x" * 1999, b"x" * 2000, b"x" * 2001, b"x" * 1999 + b"\xc3\xa9",
    b"x" * 1998 + b"\xc3\xa9", b"x" * 1998 + b"\xe2\x82\xac", b"x" * 1997 + b"\xf0\x9f\x98\x80", b"x" * 1999 + b"\xff\xff",
    b"x" * 1998 + b"\xe2\x82", b"x" * 1999 + b"\xe2", b"x" * 1996 + b"\xf0\x9f\x98\x80yz", b"\0" * 5000,
]


@case
def whatever_bytes_were_sent_come_as_text():
    dice, daemon, rows = random.Random(1), Daemon(), Rows()
    texts = list(STRANGE)
    alphabet = [0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc3, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0xf4, 0xff]
    for _ in range(scale(300, 50)):
        texts.append(bytes(dice.choice(alphabet) for _ in range(dice.choice([3, 20, 2003]))))
    put(daemon, texts)
    got = ask(daemon, "limit=500")
    equal((got["total"], got["next"], got["reasons"]), (len(texts), None, [["by hand", len(texts)]]))
    for n, (raw, one) in enumerate(zip(texts, reversed(got["rejects"])), 1):
        with rows(raw[-20:]):
            equal(one, {"number": n, "received": stamp(NOW), "reason": "by hand", "bytes": len(raw), "event": shown(raw)})
    rows.check()


@case
def what_a_batch_could_not_store_is_there_with_its_reason():
    daemon = Daemon(max_event="1K", max_depth=10)
    bad = [b"17", b'{"no":"time"}', b'{"timestamp":"never"}', event(payload='"%s"' % ("x" * 3000)),
           b'{"timestamp":"%s","p":"\xff"}' % stamp(NOW).encode(), b'{"timestamp":"x","p":%s}' % (b"[" * 20 + b"]" * 20)]
    equal(ask(daemon), {"total": 0, "reasons": [], "rejects": [], "next": None})
    equal(daemon.post([bad[0], event(NOW)] + bad[1:] + [b"18", b"19"]).json()["rejected"], 8)
    got = ask(daemon)
    kept = daemon.sql("select n, received, reason, event from rejects order by n desc")
    equal(got["rejects"], [{"number": n, "received": stamp(received), "reason": reason.decode(), "bytes": len(raw),
                            "event": shown(raw)} for n, received, reason, raw in kept])
    equal([one["event"] for one in got["rejects"][-2:]], ['{"no":"time"}', "17"])
    equal(got["reasons"][0], ["not an object", 3])
    equal(sum(count for _, count in got["reasons"]), 8)
    answer = daemon.get("/_tracker/stats").json()
    equal((answer["rejects"], answer["events"]), (8, 1))
    # What is dropped, or read anew, is gone from here.
    equal(run("rejects", "drop", "8", "--database", daemon.database).returncode, 0)
    got = ask(daemon)
    equal((got["total"], got["rejects"][0]["number"]), (7, 7))


@case
def pages_go_on_behind_their_last_number_whatever_comes_or_goes():
    daemon, rows = Daemon(), Rows()
    put(daemon, [b"%d" % n for n in range(1, 121)])
    for limit in (1, 7, 50, 60, 119, 120, 500):
        with rows(limit):
            numbers, text, pages = [], "limit=%d" % limit, 0
            while True:
                page = ask(daemon, text)
                equal(page["total"], 120)
                numbers += [one["number"] for one in page["rejects"]]
                pages += 1
                if page["next"] is None:
                    break
                equal((len(page["rejects"]), page["next"]), (limit, numbers[-1]))
                text = "limit=%d&before=%d" % (limit, page["next"])
            equal((numbers, pages), (list(range(120, 0, -1)), -(-120 // limit)))
    rows.check()
    first = ask(daemon)
    equal((len(first["rejects"]), first["next"]), (50, 71), "without a limit")
    put(daemon, [b"new"])
    shell(daemon.database, "delete from rejects where n in (70, 71)")
    equal(ask(daemon, "before=%d" % first["next"])["rejects"][0]["number"], 69)
    for text, numbers, following in [("limit=0", [], None), ("before=1", [], None), ("before=2", [1], None),
                                     ("limit=1&before=3", [2], 2), ("limit=1&before=99999999999999999999", [121], 121)]:
        page = ask(daemon, text)
        equal(([one["number"] for one in page["rejects"]], page["next"]), (numbers, following), text)


@case
def a_page_has_five_hundred_at_most_and_fifty_reasons():
    daemon = Daemon()
    shell(daemon.database, "with recursive n(n) as (select 1 union all select n + 1 from n where n < 600)"
                           "insert into rejects(received, reason, event) select 0, 'r' || (n %% 60), %s from n" % blob(b"x"))
    # A text of SQLite may be any bytes.
    shell(daemon.database, "insert into rejects(received, reason, event) values (0, %s, %s)"
                           % (dialect("cast(x'ff3c' as text)", "'\ufffd<'"), blob(b"")))
    got = ask(daemon, "limit=1000")
    equal((got["total"], len(got["rejects"]), got["next"]), (601, 500, 102))
    equal(got["rejects"][0]["reason"], "\ufffd<")
    equal((len(got["reasons"]), {count for _, count in got["reasons"]}), (50, {10}))


@case
@of_files
def of_a_large_one_no_more_is_read_than_is_shown():
    daemon, size = Daemon(), 2000000
    shell(daemon.database, "insert into rejects(received, reason, event) select 0, 'large', zeroblob(%d)"
                           " from (values (1), (2), (3), (4), (5), (6), (7), (8), (9), (10))" % size)
    # It looks through the file then, and puts the log back.
    daemon.wait_log("by another program")
    poll(lambda: os.path.getsize(daemon.database + "-wal") == 0, "the log to be put back")
    ask(daemon)
    with open("/proc/%d/io" % daemon.pid) as file:
        before = int(file.readline().split()[1])
    got = ask(daemon)
    equal([one["bytes"] for one in got["rejects"]], [size] * 10)
    equal(got["rejects"][0]["event"], "\0" * 2000)
    with open("/proc/%d/io" % daemon.pid) as file:
        assert int(file.readline().split()[1]) - before < size, "all of it was read"


REFUSED = [("limit=", "limit: "), ("limit=-1", "limit: "), ("limit=x", "limit: "), ("limit=1.5", "limit: "),
           ("limit=%", "limit: "), ("before=", "before: "), ("before=0", "before: "), ("before=-3", "before: "),
           ("before=x", "before: "), ("before=%00", "before: "), ("limit=%31&before=+1", "before: ")]


@case
def what_can_not_be_read_is_named():
    daemon, rows = Daemon(), Rows()
    for text, parameter in REFUSED:
        with rows(text):
            answer = daemon.get("/_tracker/rejects?" + text)
            equal(answer.status, 400)
            assert answer.error().startswith(parameter), answer.error()
    rows.check()
    equal(daemon.get("/_tracker/rejects?limit=%31&since=x&page=x&limit=x").status, 200)


@case
def while_they_come_in_a_page_is_of_one_moment():
    daemon = Daemon(max_rejects=200)

    def send(connection, n):
        daemon.post([json.dumps(n).encode(), b'{"timestamp":"%d"}' % n], connection=connection)

    with repeated(daemon, send):
        connection = daemon.connection()
        for _ in range(scale(200, 30)):
            got = ask(daemon, "limit=500", connection)
            numbers = [one["number"] for one in got["rejects"]]
            equal((len(numbers), sum(count for _, count in got["reasons"])), (got["total"], got["total"]))
            assert got["total"] <= 200
            equal(numbers, list(range(numbers[0], numbers[0] - len(numbers), -1)) if numbers else [])


main()
