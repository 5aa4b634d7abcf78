"""A wall clock that is set forward and back, by seconds and by thousands of years, while everything is at
work: nothing is lost or doubled, windows are right, nothing ends or goes because of it."""

import json
import os
import re
import struct
import time
from datetime import datetime, timedelta

from harness import FAULTY, UUID7, Daemon, Skip, batch, case, directory, equal, event, main, poll, stamp
from reloading import Configured
from sockets import Socket

SECOND, HOUR, DAY = 1000, 3600000, 86400000
YEAR = 365 * DAY
FIRST, LAST = -62167219200000, 253402300799999  # of the years 0000 and 9999


class Clock:
    """The daemon's wall clock: ahead of ours by so many milliseconds."""

    def __init__(self):
        self.path = os.path.join(directory(), "clock")
        self.env = {"FAULTY_CLOCK": self.path}
        self.set(0)

    def set(self, ahead):
        self.ahead = ahead
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600), "wb", buffering=0) as file:
            file.write(struct.pack("=q", ahead))

    def now(self):
        return int(time.time() * 1000) + self.ahead

    def to(self, moment):
        self.set(moment - int(time.time() * 1000))


def begun(clock, kind=Daemon, *arguments, **options):
    if not os.access(FAULTY, os.X_OK):
        raise Skip("there is no beacond-faulty")
    return kind(*arguments, program=FAULTY, env=clock.env, **options)


def metric(daemon, name):
    text = daemon.get("/metrics").body.decode()
    return float(re.search(r"^%s (\S+)$" % re.escape(name), text, re.M).group(1))


# Where the clock is put, one after the other; what stands in years is ahead of now.
JUMPS = [("a little ahead", 5 * SECOND), ("back", 0), ("three hours ahead", 3 * HOUR), ("three hours behind", -3 * HOUR),
         ("a month ahead", 31 * DAY), ("now", 0), ("ten years ahead", 10 * YEAR), ("ten years behind", -10 * YEAR),
         ("1969", "1969-12-31T23:59:59.500"), ("before", "1931-05-06T07:08:09"), ("2038", "2038-01-19T03:14:09"),
         ("2106", "2106-02-07T06:28:20"), ("9999", "9999-12-31T23:59:59"), ("beyond", "10004"), ("now again", 0)]


def put(clock, where):
    if isinstance(where, int):
        clock.set(where)
    elif where == "10004":
        clock.to(LAST + 5 * YEAR)
    else:
        clock.to((datetime.fromisoformat(where) - datetime(1970, 1, 1)) // timedelta(milliseconds=1))


def dated(clock):
    """Moments that events may have: some time before the clock's now."""
    return min(max(clock.now(), FIRST + 10 * DAY), LAST)


class Model:
    """All that was sent: (ms, number), and who follows it."""

    def __init__(self, daemon):
        self.sent, self.daemon = [], daemon

    def texts(self, moments):
        first = len(self.sent)
        self.sent += [(ms, first + n) for n, ms in enumerate(moments)]
        return [event(ms, first + n) for n, ms in enumerate(moments)]

    def check(self, since=None, until=None):
        query = "&".join("%s=%s" % (name, stamp(ms)) for name, ms in (("since", since), ("until", until)) if ms is not None)
        answer = self.daemon.read(query)
        expected = [n for ms, n in sorted(self.sent, key=lambda row: (-row[0], -row[1]))
                    if (since is None or ms >= since) and (until is None or ms <= until)]
        equal([one["n"] for one in answer["events"]], expected, query or "everything")
        equal(answer["total"], len(expected), "total of " + query)


@case
def nothing_is_lost_or_doubled_wherever_the_clock_is_set():
    clock = Clock()
    daemon = begun(clock, threads=1)
    model, follower = Model(daemon), Socket(daemon).follow()
    sender, last = Socket(daemon), None
    for name, where in JUMPS:
        put(clock, where)
        now = dated(clock)
        texts = model.texts([now - 2 * HOUR, now - 1, now, now])
        daemon.save(texts)
        if last:  # the answer from before the jump was lost
            again = daemon.post(last).json()
            equal((again["saved"], again["duplicate"]), (len(last), len(last)), name)
        last = texts
        more = model.texts([now - DAY, now - 3 * SECOND])
        sender.save(more)
        sender.save(more)
        model.check()
        model.check(since=now - 5 * SECOND, until=now)
        model.check(until=now - HOUR)
        equal(len(follower.wait_pushes(len(model.sent))), len(model.sent), name)
    stored = daemon.sql("select id, event from events order by seq")
    ids = [id.decode() for id, _ in stored]
    assert all(UUID7.fullmatch(id) for id in ids), ids
    equal(ids, sorted(set(ids)), "ids in the order of commits")
    equal([json.loads(text)["n"] for _, text in stored], [n for _, n in model.sent])
    assert all(re.match(r"-?\d{4,5}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in daemon.log()), daemon.log()


@case
def a_retry_is_known_after_a_restart_with_another_clock():
    clock = Clock()
    daemon, last, count = begun(clock), None, 0
    for _, where in JUMPS:
        put(clock, where)
        if last:
            daemon = begun(clock, database=daemon.database)
            again = daemon.post(last).json()
            equal((again["saved"], again["duplicate"]), (3, 3), str(where))
        last = [event(dated(clock)) for _ in range(3)]
        daemon.save(last)
        count += 3
        equal(daemon.total(), count)
        daemon.crash()


@case
def windows_are_right_when_the_clock_reaches_what_was_ahead():
    clock = Clock()
    daemon = begun(clock)
    model, now = Model(daemon), clock.now()

    def from_cache():
        """Waits until the present is answered from memory again."""
        def hot():
            before = metric(daemon, 'beacond_reads_total{source="cache"}')
            at = clock.now()
            model.check(since=at - 10 * SECOND, until=at + 60 * SECOND)
            return metric(daemon, 'beacond_reads_total{source="cache"}') > before
        poll(hot, "the present to be answered from memory")

    daemon.save(model.texts([now + offset for offset in (-HOUR, 0, 4 * 60 * SECOND, 6 * 60 * SECOND, HOUR, 30 * DAY, YEAR)]))
    for ahead in (0, 6 * 60 * SECOND, HOUR, 0, 30 * DAY, YEAR, -YEAR, 59 * 60 * SECOND, -59 * 60 * SECOND, 0):
        clock.set(ahead)
        model.check()
        model.check(since=now - SECOND)
        daemon.save(model.texts([clock.now(), now, now + HOUR]))
        from_cache()
        model.check(until=now + HOUR)
        model.check()


# --- retention --------------------------------------------------------------------------------

def looked(daemon, options):
    """Retention has looked once more, with these options."""
    before = metric(daemon, "beacond_retention_runs_total")
    daemon.reload(options)
    poll(lambda: metric(daemon, "beacond_retention_runs_total") > before, "retention to look")


@case
def a_clock_that_jumps_ahead_erases_nothing():
    clock = Clock()
    daemon = begun(clock, Configured, {"retain": "30d"})
    model, now = Model(daemon), clock.now()
    daemon.save(model.texts([now - n * DAY for n in range(29)]))
    for n, ahead in enumerate((2 * DAY, YEAR, 10 * YEAR, 300 * YEAR, 0, YEAR, 0), 1):
        clock.set(ahead)
        looked(daemon, {"retain": "%ds" % (30 * 86400 + n)})
        model.check()
    warnings = [line for line in daemon.log() if "ahead of where it should be" in line]
    equal(len(warnings), 2, "once for each time that it went ahead: %r" % warnings)
    # What is really too old goes meanwhile, and the size is kept to.
    clock.set(10 * YEAR)
    daemon.save([event(now - 31 * DAY) for _ in range(5)])
    looked(daemon, {"retain": "30d"})
    poll(lambda: daemon.total() == len(model.sent), "what is too old to go")
    model.check()
    clock.set(-YEAR)
    looked(daemon, {"retain": "29d"})
    model.check()


@case
def a_start_with_a_clock_that_is_ahead_erases_nothing():
    clock = Clock()
    options = {"retain": "30d"}
    daemon = begun(clock, Configured, options)
    model, now = Model(daemon), clock.now()
    daemon.save(model.texts([now - n * DAY for n in range(29)]))
    for _ in range(2):  # the second time there are events of that clock, too
        daemon.stop()
        clock.set(10 * YEAR)
        model.daemon = daemon = begun(clock, Configured, options, database=daemon.database)
        poll(lambda: metric(daemon, "beacond_retention_runs_total") > 0, "retention to look")
        model.check()
        daemon.wait_log("ahead of where it should be")
        daemon.save(model.texts([now, clock.now()]))
    # A daemon that was off for some days erases at once.
    daemon.stop()
    clock.set(6 * DAY)
    daemon = begun(clock, Configured, options, database=daemon.database)
    poll(lambda: daemon.total() == len(model.sent) - 5, "what is too old to go")


@case
def retention_goes_on_at_its_pace_beside_a_clock_that_is_ahead():
    clock = Clock()
    daemon = begun(clock, retain="20s")
    daemon.save([event(clock.now() - 10 * SECOND)])
    clock.set(YEAR)
    daemon.wait_log("ahead of where it should be")
    daemon.save([event(clock.now() - YEAR + HOUR), event(clock.now())])
    poll(lambda: daemon.total() == 2, "the first to be too old")
    clock.set(0)
    daemon.wait_log("goes by this machine's clock again")
    equal(daemon.total(), 2)


# --- deadlines --------------------------------------------------------------------------------

@case
def deadlines_and_shares_do_not_go_by_it():
    clock = Clock()
    daemon = begun(clock, limit_events=1, timeout="1h", ping_interval="1h", head_timeout="1h", body_timeout="1h")
    idle, half, socket = daemon.wire(), daemon.wire(), Socket(daemon).sync()
    body = batch([event()])
    half.send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:9])
    poll(lambda: daemon.unread() == 0, "half a request to be read")
    daemon.save([event() for _ in range(2000)])
    equal(daemon.post([event()]).status, 429)
    for ahead in (10 * YEAR, -10 * YEAR, 0):
        clock.set(ahead)
        equal(daemon.post([event()]).status, 429)
        idle.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        equal(idle.response().status, 200)
        socket.sync()
        assert half.silent(), "a request under way was ended"
    half.send(body[9:])
    assert half.response().status in (200, 429)


main()
