"""What the rows of the bench share: settings, the programs beside it, how a daemon is looked at.

A row is a Row: its name; a function that measures and returns a Figure, or None when it has printed
a table of its own; unit and digits of the two sides; and the bound of their ratio.
"""

import collections
import http.client
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from harness import BINARY, Daemon, directory, parse_address, sql, stamp  # noqa: E402, F401: rows take them from here

PROGRAMS = os.path.join(os.getcwd(), "tests", "bench")
_numbers = list(itertools.takewhile(re.compile(r"[0-9.]+$").match, sys.argv[1:3]))
WORDS = sys.argv[1 + len(_numbers):]
SECONDS = float(_numbers[0]) if _numbers else 5
ROUNDS = int(_numbers[1]) if len(_numbers) > 1 else 3
EVENTS = int(os.environ.get("BENCH_EVENTS", 10000000))  # of the great database
CACHED = min(500000, EVENTS)                            # what the cache holds by default
WARM = float(os.environ.get("BENCH_WARM", 60))          # seconds the cache may take to be filled
EVENT_BYTES = 700                                       # what one takes on disk, index and all
WHOLE = "/_tracker"

# bound: ("at most" or "at least", number); none: it is only told.
Row = collections.namedtuple("Row", "name measure unit digits bound", defaults=(None,))

# this to that is the ratio; note: more to be said; fault: why it does not count, whatever the ratio.
Figure = collections.namedtuple("Figure", "this that note fault", defaults=("", ""))


def start(name, *arguments, **more):
    return subprocess.Popen([os.path.join(PROGRAMS, name), *map(str, arguments)], stdout=subprocess.PIPE, **more)


def finish(process, text=None):
    """What a program wrote, as {name: number}."""
    try:
        output = process.communicate(text)[0]
    except BaseException:
        process.kill()
        raise
    assert process.returncode == 0, "%s failed" % process.args[0]
    return {key: float(value) for key, value in re.findall(r"(\w+)=(\S+)", output.decode())}


def program(name, *arguments):
    return finish(start(name, *arguments))


def port(daemon):
    return daemon.address.rsplit(":", 1)[1]


def load(daemon, connections, *how, seconds=None):
    """Posts 25 events after the other; see load.c."""
    measured = program("load", port(daemon), connections, seconds or SECONDS, *how)
    assert measured["refused"] == 0, measured
    return measured


def read(daemon, targets, coding="gzip", connections=1, seconds=None):
    """Asks for one target, or for each of a list in turn; see read.c."""
    lines = [targets] if isinstance(targets, str) else targets
    process = start("read", port(daemon), connections, seconds or SECONDS, coding, stdin=subprocess.PIPE)
    measured = finish(process, "".join(line + "\n" for line in lines).encode())
    assert measured["refused"] == 0, measured
    return measured


def room(events):
    """So many events of those, at most, as half of the free disk under TMPDIR holds."""
    fit = shutil.disk_usage(tempfile.gettempdir()).free // 2 // EVENT_BYTES // 1000 * 1000
    if fit < events:
        print("NO ROOM under %s for %d events: %d instead" % (tempfile.gettempdir(), events, fit), flush=True)
    return min(fit, events)


def fill(path, events):
    """Adds what is missing to so many events."""
    made = program("fill_db", path, events)
    print("  (%d events, filled at %.0f a second)" % (made["events"], made["rate"]), file=sys.stderr)
    return path


def settled(daemon, quiet=10):
    """Resident bytes, once they have not become less for so many seconds: what is compressed behind
    the ingest, and given back, takes its time."""
    least, since = daemon.rss(), time.monotonic()
    end = since + 120
    while time.monotonic() < min(since + quiet, end):
        time.sleep(0.25)
        now = daemon.rss()
        if now < least - 65536:
            least, since = now, time.monotonic()
    return daemon.rss()


def is_hot(daemon, target):
    """Whether an answer comes from memory alone: then its length is known at its head. Its body is
    not waited for."""
    client = http.client.HTTPConnection(daemon.address, timeout=60)
    try:
        client.request("GET", target, headers={"Accept-Encoding": "gzip"})
        answer = client.getresponse()
        assert answer.status == 200, answer.status
        return answer.getheader("Content-Length") is not None
    finally:
        client.close()


def wait_hot(daemon, target):
    """Seconds until the answer came from memory; None when it never did."""
    began = time.monotonic()
    while not is_hot(daemon, target):
        if time.monotonic() - began > WARM:
            return None
        time.sleep(0.1)
    return time.monotonic() - began


COLD = "it was not served from memory"


def plain(daemon, target, coding, events):
    """The document at target, which must hold so many events, each once, and say so."""
    response = daemon.get(target, Accept_Encoding=coding)
    assert response.status == 200, response.status
    text = response.body
    if coding == "gzip":
        unpacker = zlib.decompressobj(31)
        text = unpacker.decompress(text)
        assert unpacker.eof and not unpacker.unused_data, "not one whole gzip member"
    total = int(re.search(rb'"total":(\d+)', text[-400:]).group(1))
    ids = re.findall(rb'\{"id":"([0-9a-f-]{36})"', text)
    assert len(ids) == len(set(ids)) == events and total >= events, (len(ids), len(set(ids)), total, events)
    return text


def plain_bytes(database):
    """Of the texts of all events."""
    return sql(database, "select sum(length(event)) from events")[0][0]


def drop_file(path):
    """Has the system forget what it holds of a file in memory."""
    for name in (path, path + "-wal"):
        if os.path.exists(name):
            descriptor = os.open(name, os.O_RDWR)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def random_event():
    """One that no other is equal to, of this moment."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03dZ" % (now % 1 * 1000)
    return b'{"id":"","timestamp":"%s","n":"%s"}' % (stamp.encode(), os.urandom(8).hex().encode())
