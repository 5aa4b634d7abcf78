"""Reads of what the cache holds, hot and cold, and what the cache itself takes."""

import os
import time

from measure import (CACHED, COLD, ROUNDS, SECONDS, WHOLE, Daemon, Figure, Row, directory, fill, finish, load, plain,
                     plain_bytes, port, program, read, room, settled, start, wait_hot)

PAGE = "/_tracker?limit=10000"

_made = {}


def database():
    """As many events as the cache holds, made once."""
    if "database" not in _made:
        _made["events"] = room(CACHED)
        _made["database"] = fill(os.path.join(directory(), "cached.db"), _made["events"])
    return _made["database"]


def whole(coding, side, **options):
    """Plain bytes a second that one client receives of the whole window, and that zlib deals with on
    the same document."""
    hot = "cache_events" not in options
    daemon = Daemon(database=database(), **options)
    fault = "" if not hot or wait_hot(daemon, WHOLE) is not None else COLD
    text = plain(daemon, WHOLE, coding, _made["events"])
    path = os.path.join(directory(), "document")
    with open(path, "wb") as file:
        file.write(text)
    size = len(text)
    del text
    answers, alone = [], []
    for _ in range(ROUNDS):
        alone.append(program("zlib_bench", path, SECONDS / 2))
        answers.append(read(daemon, WHOLE, coding))
        if hot and coding == "gzip" and answers[-1]["with_length"] < answers[-1]["count"]:
            fault = COLD
    daemon.stop()
    os.remove(path)
    best = min(answers, key=lambda answer: answer["p50"])
    took = min(one[side] for one in alone)
    note = "%d events, %.1f MB, sent as %.1f MB in %.1f ms; zlib makes %.1f MB of them, %.0f ms" % (
        _made["events"], size / 1e6, best["bytes"] / 1e6, best["p50"], alone[0]["packed"] / 1e6, took * 1e3)
    return Figure(size / 1e6 / (best["p50"] / 1e3), size / 1e6 / took, note, fault)


def beside_ingest():
    """The p99 of hot reads while ingest runs at half its full load, and alone."""
    daemon = Daemon(database=fill(os.path.join(directory(), "beside.db"), room(CACHED)))
    fault = "" if wait_hot(daemon, PAGE) is not None else COLD
    half = load(daemon, 32)["answers"] / 2
    beside, alone, posts = [], [], []
    for _ in range(ROUNDS):
        fault = fault or ("" if wait_hot(daemon, PAGE) is not None else COLD)
        alone.append(read(daemon, PAGE))
        loading = start("load", port(daemon), 32, SECONDS + 0.5, "rate=%.3f" % half)
        time.sleep(0.25)  # until it is under way
        beside.append(read(daemon, PAGE))
        posts.append(finish(loading))
        assert posts[-1]["refused"] == 0, posts[-1]
    events = plain(daemon, PAGE, "gzip", 10000).count(b'"sessionId"')
    daemon.stop()
    best, calm = min(beside, key=lambda one: one["p99"]), min(alone, key=lambda one: one["p99"])
    note = "%.0f events/s come in meanwhile, p99 %.1f ms; %d events an answer; medians %.2f and %.2f ms" % (
        max(one["events"] for one in posts), min(one["p99"] for one in posts), events, best["p50"], calm["p50"])
    if max(one["answers"] for one in posts) < 0.9 * half:
        fault = fault or "half of the full load (%.0f events/s) was not reached" % (half * 25)
    return Figure(best["p99"], calm["p99"], note, fault)


def memory():
    """Resident bytes that the cache adds, behind ingest, and the plain bytes of what it holds."""
    events = room(CACHED)
    sizes, again, fault = {}, {}, ""
    for name, options in ("with", {}), ("without", {"cache_events": 0}):
        daemon = Daemon(**options)
        load(daemon, 8, "count=%d" % (events // 25), seconds=600)
        sizes[name] = settled(daemon)
        if not options and wait_hot(daemon, WHOLE) is None:
            fault = COLD
        path = daemon.database
        daemon.stop()
        daemon = Daemon(database=path, **options)
        if not options and wait_hot(daemon, WHOLE) is None:
            fault = COLD
        again[name] = settled(daemon)
        daemon.stop()
    held = plain_bytes(path)
    note = "%.0f MiB resident, %.0f without the cache; after a restart %.0f and %.0f: %.2f" % (
        *(one[name] / 2**20 for one in (sizes, again) for name in ("with", "without")),
        (again["with"] - again["without"]) / held)
    return Figure((sizes["with"] - sizes["without"]) / 2**20, held / 2**20, note, fault)


NAME = "%d events" % CACHED
ROWS = [
    Row("hot read of %s, gzip : zlib level 1" % NAME, lambda: whole("gzip", "deflate"), "MB/s", 0, ("at least", 25)),
    Row("hot read of %s, identity : inflating it" % NAME, lambda: whole("identity", "inflate"), "MB/s", 0,
        ("at least", 0.8)),
    Row("cold read of %s, gzip : zlib level 1" % NAME, lambda: whole("gzip", "deflate", cache_events=0), "MB/s", 0,
        ("at least", 0.9)),
    Row("p99 of hot reads of 10000, beside ingest : alone", beside_ingest, "ms", 2, ("at most", 5)),
    Row("memory of %s in the cache : plain" % NAME, memory, "MiB", 0, ("at most", 0.35)),
]
