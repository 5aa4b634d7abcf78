"""Which timestamps are taken and as what moment, in events and in since/until (CONTRACT.md 2, 4)."""

import json
import urllib.parse

from harness import Daemon, case, equal, main, sliced, stamp

DAY = 86400000

# Text, and milliseconds since 1970.
LEGAL = [
    ("2024-03-15T10:23:45.123Z", 1710498225123),
    ("2024-03-15T10:23:45Z", 1710498225000),
    ("2024-03-15T10:23:45.1Z", 1710498225100),
    ("2024-03-15T10:23:45.12Z", 1710498225120),
    ("2024-03-15T10:23:45.1239Z", 1710498225123),
    ("2024-03-15T10:23:45.1234567891234567890123456789Z", 1710498225123),
    ("2024-03-15T10:23:45.000000000000000000000000000001Z", 1710498225000),
    ("2024-03-15T10:23:45,5Z", 1710498225500),
    ("2024-03-15t10:23:45.123z", 1710498225123),
    ("2024-03-15 10:23:45.123Z", 1710498225123),
    ("2024-03-15T10:23:45.123+00:00", 1710498225123),
    ("2024-03-15T10:23:45.123-00:00", 1710498225123),
    ("2024-03-15T10:23:45.123+01:30", 1710498225123 - 5400000),
    ("2024-03-15T10:23:45.123-08:00", 1710498225123 + 28800000),
    ("2024-03-15T10:23:45.123+0130", 1710498225123 - 5400000),
    ("2024-03-15T10:23:45.123-08", 1710498225123 + 28800000),
    ("2024-03-15T10:23:45.123+14:00", 1710498225123 - 50400000),
    ("2024-03-15T10:23:45.123+23:59", 1710498225123 - 86340000),
    ("2024-03-15T10:23:45.123", 1710498225123),
    ("2024-03-15T10:23Z", 1710498180000),
    ("2024-03-15T10:23", 1710498180000),
    ("2024-03-15T10:23+02:00", 1710498180000 - 7200000),
    ("2024-03-15", 1710460800000),
    ("2024-03-15T24:00:00Z", 1710460800000 + DAY),
    ("2024-03-15T24:00Z", 1710460800000 + DAY),
    ("2024-02-29T00:00:00Z", 1709164800000),
    ("2000-02-29T00:00:00Z", 951782400000),
    ("2016-12-31T23:59:60Z", 1483228800000),
    ("2016-12-31T23:59:60.999Z", 1483228800999),
    ("2017-01-01T00:59:60+01:00", 1483228800000),
    ("2016-12-31T15:59:60-08:00", 1483228800000),
    ("1970-01-01T00:00:00.000Z", 0),
    ("1969-12-31T23:59:59.999Z", -1),
    ("1969-12-31T23:59:59.9999Z", -1),
    ("1969-12-31T23:59:59.0001Z", -1000),
    ("1969-07-20T20:17:40Z", -14182940000),
    ("1900-02-28T23:59:59Z", -2203891201000),
    ("1582-10-10T00:00:00Z", -12219724800000),
    ("0001-01-01T00:00:00Z", -62135596800000),
    ("0000-01-01T00:00:00Z", -62167219200000),
    ("0000-02-29T00:00:00Z", -62162121600000),
    ("0000-01-01T00:00:00+14:00", -62167219200000 - 50400000),
    ("9999-12-31T23:59:59.999Z", 253402300799999),
    ("9999-12-31T23:59:59.999999Z", 253402300799999),
    ("9999-12-31T23:59:59.999-14:00", 253402300799999 + 50400000),
    ("9999-12-31T24:00:00Z", 253402300800000),
]

ILLEGAL = [
    "", " ", "Z", "now", "yesterday", "1710498225123", "2024", "2024-03", "20240315", "2024-075",
    "2024-W11-5", "2024-3-15", "2024-03-15T", "2024-03-15Z", "2024-03-15T10", "2024-03-15T10Z",
    "2024-03-15T10:23:45.Z", "2024-03-15T10:23:45.12x3Z", "2024-03-15T10:23:Z", "2024-03-15T1:2:3Z",
    "2024-03-15T102345Z", "2024-03-15T10:23:45ZZ", "2024-03-15T10:23:45Z ", " 2024-03-15T10:23:45Z",
    "2024-03-15T10:23:45Z\n", "2024-03-15T10:23:45+1:00", "2024-03-15T10:23:45+01:0",
    "2024-03-15T10:23:45+01:00:00", "2024-03-15T10:23:45+24:00", "2024-03-15T10:23:45+01:60",
    "2024-03-15T10:23:45+", "2024-03-15T10:23:45 01:00x", "2024-03-15T10:23:45 UTC",
    "2024-03-15T10:23:45\u00b1", "2024-03-15_10:23:45Z", "2024-03-15  10:23:45Z", "2024/03/15",
    "2024-00-15T00:00:00Z", "2024-13-15T00:00:00Z", "2024-03-00T00:00:00Z", "2024-03-32T00:00:00Z",
    "2024-04-31T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
    "2024-03-15T25:00:00Z", "2024-03-15T24:00:01Z", "2024-03-15T24:00:00.001Z", "2024-03-15T24:01Z",
    "2024-03-15T10:60:00Z", "2024-03-15T10:23:60Z", "2024-03-15T23:59:61Z", "2016-12-31T23:59:60+01:00",
    "-2024-03-15T10:23:45Z", "+2024-03-15T10:23:45Z", "+002024-03-15T10:23:45Z", "-000001-01-01",
    "10000-01-01T00:00:00Z", "12024-03-15T10:23:45Z", "\uff12\uff10\uff12\uff14-03-15",
    "2024-03-15T-1:00:00Z", "2024-03-15T10:-3:00Z", "2024-03-1 T10:00:00Z", "2024-03-15T10:23:45.-1Z",
    "Fri, 15 Mar 2024 10:23:45 GMT", "Fri Mar 15 2024", "2024-03-15T10:23:45Z\u0000",
    "2024-03-15\u0000T10:23:45Z", "Invalid Date", "NaN", "9" * 5000,
]


def text_of(when, id):
    return json.dumps({"id": id, "timestamp": when}).encode()


@case
def every_legal_timestamp_is_taken_as_its_moment():
    daemon = Daemon()
    daemon.save([text_of(when, "e%d" % n) for n, (when, _) in enumerate(LEGAL)])
    rows = daemon.sql("select event, ts from events order by seq")
    equal(len(rows), len(LEGAL))
    for (when, ms), (raw, ts) in zip(LEGAL, rows):
        equal(json.loads(raw)["timestamp"], when)
        equal(ts, ms, when)


@case
def every_illegal_timestamp_puts_its_event_aside():
    daemon = Daemon()
    answer = daemon.post([text_of(when, "e%d" % n) for n, when in enumerate(ILLEGAL)])
    taken = [json.loads(raw)["timestamp"] for raw, in daemon.sql("select event from events")]
    equal(taken, [], "taken though illegal")
    equal((answer.status, answer.json()["rejected"]), (200, len(ILLEGAL)))
    equal(daemon.sql("select distinct reason from rejects"), [(b"unreadable timestamp",)])


@case
def a_timestamp_written_with_escapes_counts_unescaped():
    daemon = Daemon()
    daemon.save([b'{"id":"a","timestamp":"2024\\u002d03-15T10:23:45.123\\u005A"}',
                 b'{"id":"b","\\u0074imestamp":"2024-03-15T10:23:45.124Z"}',
                 b'{"id":"c","timestamp":"nonsense","timestamp":"2024-03-15T10:23:45.125Z"}'])
    equal(daemon.sql("select ts from events order by seq"),
          [(1710498225123,), (1710498225124,), (1710498225125,)])


@case
def since_and_until_read_what_events_may_carry():
    daemon = Daemon()
    daemon.save([text_of(when, "e%d" % n) for n, (when, _) in enumerate(LEGAL)])
    there = [ms for _, ms in LEGAL]
    for when, ms in LEGAL:
        quoted = urllib.parse.quote(when)
        answer = daemon.get("/_tracker?since=%s&until=%s" % (quoted, quoted))
        equal(answer.status, 200, when)
        ids = {json.loads(t)["id"] for t in sliced(answer.body)}
        equal(ids, {"e%d" % n for n, other in enumerate(there) if other == ms}, when)
        equal(answer.json()["total"], there.count(ms), when)
        equal(daemon.read("limit=0&until=" + quoted)["total"], sum(m <= ms for m in there), when)
        equal(daemon.read("limit=0&since=" + quoted)["total"], sum(m >= ms for m in there), when)
        equal(daemon.read("limit=0&after=" + quoted)["total"], sum(m > ms for m in there), when)
    equal(daemon.read("limit=0")["total"], len(LEGAL))
    equal(daemon.read("since=0000-01-01&limit=1")["total"],
          sum(m >= -62167219200000 for m in there))


@case
def a_window_that_cannot_be_read_is_refused_naming_the_parameter():
    daemon = Daemon()
    for name in ("since", "until", "after"):
        for when in ILLEGAL:
            if len(when) > 200:
                continue
            answer = daemon.get("/_tracker?%s=%s" % (name, urllib.parse.quote(when, safe="")))
            equal(answer.status, 400, "%s=%r" % (name, when))
            assert name in answer.error(), answer.error()


@case
def a_plus_in_an_offset_may_arrive_as_a_space():
    daemon = Daemon()
    daemon.save([text_of("2024-03-15T10:23:45.123Z", "x")])
    for when in ("2024-03-15T11:23:45.123+01:00", "2024-03-15T11:23:45.123%2B01:00",
                 "2024-03-15T11:23:45.123%2b01%3a00", "2024-03-15T11:23:45.123%2001:00",
                 "2024-03-15T11:23:45.123+0100", "2024-03-15T11:23:45.123+01",
                 "2024-03-15+10:23:45.123Z", "2024-03-15%2010:23:45.123"):
        equal(daemon.read("since=%s&until=%s" % (when, when))["total"], 1, when)


@case
def events_are_ordered_by_moment_not_by_text():
    daemon = Daemon()
    texts = ["2024-03-15T12:00:00+02:00", "2024-03-15T09:59:59.999Z", "2024-03-15T05:00:01-05:00",
             "2024-03-15T10:00:00.5", "1969-12-31", "9999-12-31T23:59:59Z", "0000-01-01"]
    daemon.save([text_of(when, when) for when in texts])
    equal([e["id"] for e in daemon.read()["events"]],
          [texts[n] for n in (5, 2, 3, 0, 1, 4, 6)])


@case
def the_harness_writes_stamps_that_mean_what_it_says():
    for ms in (0, -1, 1710498225123, -62167219200000, 253402300799999, 951782400000, -14182940000):
        assert [m for w, m in LEGAL if w == stamp(ms)] in ([ms], []), stamp(ms)
    equal(stamp(-62167219200000), "0000-01-01T00:00:00.000Z")
    equal(stamp(253402300799999), "9999-12-31T23:59:59.999Z")


main()
