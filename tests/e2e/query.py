"""beacond query, and the views and queries of sql/ in the sqlite3 shell: known answers both ways.

What is expected is counted here, in Python, from the same raw events.
"""

import csv
import glob
import io
import json
import math
import os
import pty
import re
import shutil
import signal
import subprocess
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone

from harness import (DATA, PATIENCE, Daemon, Rows, Skip, begin, case, directory, drained, equal, event, main, poll, run,
                     shell, sql)
from mdoc import Page
from stores import POSTGRES, of_dialect, of_files

SQL = os.path.join(os.path.dirname(os.path.dirname(DATA)), "sql")
VIEWS = os.path.join(SQL, *["postgresql"] * POSTGRES, "views.sql")
FILES = {os.path.basename(path)[:-4]: path
         for path in glob.glob(os.path.join(SQL, *["postgresql"] * POSTGRES, "queries", "*.sql"))}
SINCE, DAY = "2026-11-20", "2026-11-21"


def text_of(name):
    with open(FILES[name], encoding="utf-8") as file:
        return file.read()


def bare(text):
    """Without comments."""
    return re.sub(r"--.*", "", text)


def parameters(name):
    return set(re.findall(r":([a-z][a-z0-9]*)", re.sub(r"'[^']*'", "", bare(text_of(name)))))


# --- both ways of asking ------------------------------------------------------------------------

def asked(database, name, code=0, stdin=None, flags=(), **values):
    """The rows of beacond query."""
    flags = ["--database", database, *flags]
    for flag in ("since", "until", "limit"):
        if flag in values:
            flags += ["--" + flag, str(values.pop(flag))]
    flags += ["%s=%s" % pair for pair in values.items()]
    process = begin("query", name, "--format", "json", *flags, stdin=subprocess.PIPE)
    out, err = process.communicate(stdin.encode() if stdin is not None else b"", timeout=PATIENCE)
    equal((process.returncode, code or err), (code, code or b""), "query %s %r: %r" % (name, flags, err))
    return [json.loads(line) for line in out.splitlines()]


def typed(database, name, **values):
    """The rows of the same in the sqlite3 shell, opened read-only."""
    if not shutil.which("sqlite3"):
        raise Skip("the sqlite3 shell is not installed")
    settings = [".param set :%s \"%s\"" % (key, value if isinstance(value, int) else
                                           "'%s'" % value.replace("'", "''"))
                for key, value in values.items()]
    done = subprocess.run(["sqlite3", "-batch", "-bail", "-readonly", "-json", database, ".read " + VIEWS, *settings,
                           ".read " + FILES[name]], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    equal((done.returncode, done.stderr), (0, b""), "shell: " + name)
    return json.loads(done.stdout) if done.stdout.strip() else []


# psql knows no parameters that are not given: with PostgreSQL there is one way.
WAYS = (asked,) if POSTGRES else (asked, typed)


# --- what there is to be found ------------------------------------------------------------------

def recorded():
    """The raw texts of what the real client has sent, by all ways, each once."""
    folder, out = os.path.join(DATA, "stock-client"), []
    with open(os.path.join(folder, "events.ndjson"), encoding="utf-8") as file:
        out += file.read().split("\n")[:-1]
    with open(os.path.join(folder, "requests.json"), encoding="utf-8") as file:
        bodies = [one["body"] for one in json.load(file) if one["method"] == "POST"]
    with open(os.path.join(folder, "websocket.json"), encoding="utf-8") as file:
        bodies += [one["message"] for one in json.load(file) if one.get("to") == "server"]
    for body in bodies:
        out += [json.dumps(one, ensure_ascii=False) for one in json.loads(body).get("events", [])]
    return list(dict.fromkeys(out))


def made(n, kind, payload, session="sess_b", user="visitor 7", app="blog", level="info", ms=0, route="/blog?a=1",
         agent="Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0"):
    at = datetime(2026, 11, 20, 23, 59, 0, tzinfo=timezone.utc) + timedelta(seconds=n, milliseconds=ms)
    return json.dumps({"id": "", "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                       "level": level, "type": kind, "appId": app, "sessionId": session, "userId": user,
                       "payload": payload, "meta": {"userAgent": agent, "route": route}})


def others():
    """What the recordings lack: other applications, browsers, days, failures, durations, funnels."""
    out = [made(n, "http", {"method": "GET", "url": "https://api.example.com/v2/items?id=%d" % n, "duration": n * 3 % 101,
                            "status": 500 if n % 10 == 0 else 200}) for n in range(100)]
    out.append(made(100, "http", {"method": "GET", "url": "/gone", "status": 0, "duration": 30000.5}))
    out.append(made(101, "http", {"method": "GET", "url": "/gone"}, level="error"))
    out += [made(102 + n, "error", {"message": "no item %d of %d" % (n, 10 ** n), "lineno": 3,
                                    "stack": "get@https://example.com/a.js:1:%d\nrun@https://example.com/a.js:9:9" % (n % 2)},
                 level="error", user="visitor %d" % (n % 3)) for n in range(9)]
    out.append(made(111, "error", {"message": "no stack"}, level="error", session="sess_c"))
    out += [made(112, "console", {"method": "error", "message": "oops"}, level="error"),
            made(112, "console", {"method": "error", "message": "oops"}, level="error", ms=1),
            made(113, "custom", {"name": "paint", "duration": 12.5}), made(114, "custom", {"name": "paint", "duration": 20})]
    # Funnels: all three, two, the right ones in the wrong order, one event that is two steps, and other sessions.
    for session, steps in (("f1", "abc"), ("f2", "axb"), ("f3", "cba"), ("f4", "aacbbc"), ("f5", "bc"), ("f6", "ab")):
        for place, letter in enumerate(steps):
            out.append(made(200 + place, "custom", {"name": "step " + letter}, session=session, user=session,
                            app="funnels", agent="unheard of"))
    return out


class World:
    """A database, and the same events as Python reads them, with the numbers that they got."""

    def __init__(self, texts):
        self.folder = directory()
        self.database, path = os.path.join(self.folder, "new.db"), os.path.join(self.folder, "all.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(text + "\n" for text in texts))
        done = run("import", "--database", self.database, path)
        equal(done.returncode, 0, repr(done.stderr))
        self.events = [json.loads(text) for text in texts]
        numbers = {}  # import chooses them
        for seq, stored in sql(self.database, "select seq, event from events"):
            numbers[json.dumps({**json.loads(stored), "id": ""})] = seq
        for text, one in zip(texts, self.events):
            one["seq"] = numbers[json.dumps({**one, "id": ""})]
            one["at"] = datetime.fromisoformat(one["timestamp"].replace("Z", "+00:00"))
            one["bytes"] = len(text.encode()) + (36 if one["id"] == "" else 0)
            one["page"] = one["meta"]["route"].split("?")[0]
        equal(sql(self.database, "select count(*), max(seq) from events")[0], (len(texts), len(texts)))

    def of(self, kind):
        return [one for one in self.events if one["type"] == kind]


def at(one):
    return one["at"].strftime("%Y-%m-%d %H:%M:%S")


def first(some):
    return at(min(some, key=lambda one: one["at"]))


def last(some):
    return at(max(some, key=lambda one: one["at"]))


def distinct(some, member):
    return len({one[member] for one in some})


def groups(some, key):
    out = defaultdict(list)
    for one in some:
        out[key(one)].append(one)
    return out


def count(some, kind):
    return sum(one["type"] == kind for one in some)


def rounded(value, digits=1):
    return None if value is None else math.floor(value * 10 ** digits + 0.5) / 10 ** digits


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None


def nearest(values, percent):
    values = sorted(value for value in values if value is not None)
    return values[math.ceil(len(values) * percent / 100) - 1] if values else None


def path(one):
    return one["payload"]["url"].split("?")[0]


def failed(one):
    return not 1 <= one["payload"].get("status", 0) < 400


def place(one):
    payload = one["payload"]
    if "filename" in payload:
        return "%s:%d:%d" % (payload["filename"], payload["lineno"], payload["colno"])
    lines = payload.get("stack", "").split("\n")
    frames = [line.strip()[3:] for line in lines[1:2] if line.strip().startswith("at ")]
    return (frames or lines)[0] or None


def top_errors(world):
    for (alike, where), some in groups(world.of("error"), lambda one: (
            re.sub(r"[0-9]+", "#", one["payload"]["message"]), place(one))).items():
        newest = max(some, key=lambda one: one["seq"])
        yield {"count": len(some), "sessions": distinct(some, "sessionId"), "users": distinct(some, "userId"),
               "first": first(some), "last": last(some), "seq": newest["seq"], "place": where,
               "message": newest["payload"]["message"], "stack": newest["payload"].get("stack")}


def slowest_requests(world):
    some = [one for one in world.of("http") if "duration" in one["payload"]]
    for one in sorted(some, key=lambda one: (-one["payload"]["duration"], -one["seq"]))[:20]:
        yield {"ms": one["payload"]["duration"], "status": one["payload"]["status"], "method": one["payload"]["method"],
               "url": one["payload"]["url"], "time": one["timestamp"], "session": one["sessionId"],
               "route": one["meta"]["route"], "seq": one["seq"]}


def routes(world):
    for (method, where), some in groups(world.of("http"), lambda one: (one["payload"]["method"], path(one))).items():
        took, bad = [one["payload"].get("duration") for one in some], sum(map(failed, some))
        yield {"method": method, "path": where, "calls": len(some), "failed": bad,
               "failed_percent": rounded(100 * bad / len(some)), "mean": rounded(mean(took)), "p50": nearest(took, 50),
               "p95": nearest(took, 95), "longest": nearest(took, 100)}


def failed_requests(world):
    for (method, where, status), some in groups(filter(failed, world.of("http")), lambda one: (
            one["payload"]["method"], path(one), one["payload"].get("status"))).items():
        yield {"method": method, "path": where, "status": status, "count": len(some),
               "sessions": distinct(some, "sessionId"), "last": last(some), "seq": max(one["seq"] for one in some)}


def pages(world, cut=lambda text: text.split("?")[0]):
    moves = world.of("navigation")
    errors = Counter(cut(one["meta"]["route"]) for one in world.of("error"))
    for where, some in groups(moves, lambda one: cut(one["payload"]["to"])).items():
        stays = mean([one["payload"]["duration"] for one in moves
                      if one["payload"]["trigger"] != "load" and cut(one["payload"]["from"]) == where])
        yield {"page": where, "views": len(some), "entries": sum(one["payload"]["trigger"] == "load" for one in some),
               "sessions": distinct(some, "sessionId"), "users": distinct(some, "userId"),
               "seconds": rounded(stays / 1000 if stays is not None else None), "errors": errors[where]}


def sessions(world):
    for name, some in groups(world.events, lambda one: one["sessionId"]).items():
        yield {"session": name, "start": first(some),
               "seconds": rounded((max(one["at"] for one in some) - min(one["at"] for one in some)).total_seconds()),
               "events": len(some), "pages": count(some, "navigation"), "clicks": count(some, "click"),
               "requests": count(some, "http"), "errors": count(some, "error"),
               "users": ",".join(sorted({one["userId"] for one in some}))}


def what(one):
    payload = one["payload"]
    return {"navigation": lambda: payload["to"], "http": lambda: payload["method"] + " " + payload["url"],
            "click": lambda: payload["text"], "error": lambda: payload["message"], "console": lambda: payload["message"],
            "custom": lambda: payload["name"], "session": lambda: payload["action"]}[one["type"]]()


def ordered(some):
    return sorted(some, key=lambda one: (one["at"], one["seq"]))


def session(world):
    newest = ordered(world.events)[-1]["sessionId"]
    for one in ordered(one for one in world.events if one["sessionId"] == newest)[:200]:
        yield {"time": one["timestamp"], "type": one["type"], "level": one["level"], "what": what(one),
               "route": one["meta"]["route"], "user": one["userId"], "seq": one["seq"]}


def around_error(world, chosen=None, about=30):
    chosen = chosen or ordered(world.of("error"))[-1]
    for one in ordered(one for one in world.events if one["sessionId"] == chosen["sessionId"]
                       and abs((one["at"] - chosen["at"]).total_seconds()) <= about)[:200]:
        yield {"seconds": (one["at"] - chosen["at"]) / timedelta(seconds=1), "type": one["type"], "level": one["level"],
               "what": what(one), "route": one["meta"]["route"], "time": one["timestamp"], "seq": one["seq"]}


def users_of_day(world):
    some = [one for one in world.events if one["timestamp"].startswith(DAY)]
    for name, some in groups(some, lambda one: one["userId"]).items():
        yield {"user": name, "sessions": distinct(some, "sessionId"), "events": len(some),
               "pages": count(some, "navigation"), "clicks": count(some, "click"), "errors": count(some, "error"),
               "first": first(some), "last": last(some)}


def apps(world):
    for name, some in groups(world.events, lambda one: one["appId"]).items():
        yield {"app": name, "events": len(some), "sessions": distinct(some, "sessionId"), "users": distinct(some, "userId"),
               "errors": count(some, "error"), "first": first(some), "last": last(some)}


def browsers(world):
    known = {"Headl": ("Chrome, headless", 156, "Linux"), "Firef": ("Firefox", 140, "macOS"), None: (None, None, None)}
    for agent, some in groups(world.events, lambda one: one["meta"]["userAgent"]).items():
        match = re.search("Headl|Firef", agent)
        browser, version, system = known[match.group() if match else None]
        yield {"browser": browser, "version": version, "system": system, "sessions": distinct(some, "sessionId"),
               "users": distinct(some, "userId"), "events": len(some), "errors": count(some, "error")}


def clicks(world):
    for (text, element, page), some in groups(world.of("click"), lambda one: (
            one["payload"]["text"], one["payload"]["id"], one["page"])).items():
        yield {"text": text, "element": element, "page": page, "clicks": len(some),
               "sessions": distinct(some, "sessionId"), "users": distinct(some, "userId")}


def console(world):
    for (level, method, message), some in groups(world.of("console"), lambda one: (
            one["level"], one["payload"]["method"], one["payload"]["message"])).items():
        yield {"level": level, "method": method, "message": message, "count": len(some),
               "sessions": distinct(some, "sessionId"), "last": last(some), "seq": max(one["seq"] for one in some)}


def customs(world):
    for name, some in groups(world.of("custom"), lambda one: one["payload"]["name"]).items():
        yield {"name": name, "count": len(some), "sessions": distinct(some, "sessionId"), "users": distinct(some, "userId"),
               "mean_ms": rounded(mean([one["payload"].get("duration") for one in some])), "last": last(some)}


def events_per_hour(world):
    for hour, some in groups(world.events, lambda one: one["timestamp"][:13]).items():
        yield {"hour": hour + ":00Z", "events": len(some), "sessions": distinct(some, "sessionId"),
               "users": distinct(some, "userId"), "pages": count(some, "navigation"), "clicks": count(some, "click"),
               "requests": count(some, "http"), "errors": count(some, "error")}


def events_per_day(world):
    for day, some in groups(world.events, lambda one: one["timestamp"][:10]).items():
        yield {"day": day, "events": len(some)}


def sizes(world):
    for (app, kind), some in groups(world.events, lambda one: (one["appId"], one["type"])).items():
        lengths = [one["bytes"] for one in some]
        yield {"app": app, "type": kind, "events": len(some), "bytes": sum(lengths),
               "mean": math.floor(sum(lengths) / len(lengths) + 0.5), "largest": max(lengths)}


def funnel(world, steps=(("navigation", ""), ("click", "")), patterns=("navigation *", "click *")):
    """A plain walk: each session goes as far as it comes."""
    reached = Counter()
    for some in groups(world.events, lambda one: one["sessionId"]).values():
        step = 0
        for one in ordered(some):
            if step < len(steps) and one["type"] == steps[step][0] and what(one).startswith(steps[step][1]):
                step += 1
        reached.update(range(step))
    for n, pattern in enumerate(patterns):
        yield {"step": n + 1, "pattern": pattern, "sessions": reached[n],
               "of_first_percent": rounded(100 * reached[n] / reached[0]) if reached[0] else None,
               "of_previous_percent": rounded(100 * reached[n] / reached[n - 1]) if n and reached[n - 1] else None}


def rejects(world):
    return []


# The query, what is given to it, and by what its rows are in order (of equal ones any may come first).
KNOWN = [
    (top_errors, {}, lambda row: -row["count"]),
    (slowest_requests, {}, lambda row: (-row["ms"], -row["seq"])),
    (routes, {}, lambda row: (-row["calls"], row["path"], row["method"])),
    (failed_requests, {}, lambda row: -row["count"]),
    (pages, {}, lambda row: (-row["views"], row["page"])),
    (sessions, {}, lambda row: (row["start"], row["session"])),
    (session, {}, lambda row: (row["time"], row["seq"])),
    (around_error, {}, lambda row: (row["time"], row["seq"])),
    (users_of_day, {"day": DAY}, lambda row: (-row["events"], row["user"])),
    (apps, {}, lambda row: -row["events"]),
    (browsers, {}, lambda row: (-row["sessions"], -row["events"])),
    (clicks, {}, lambda row: (-row["clicks"], row["text"])),
    (console, {}, lambda row: (-row["count"], row["level"])),
    (customs, {}, lambda row: (-row["count"], row["name"])),
    (events_per_hour, {}, lambda row: row["hour"]),
    (events_per_day, {}, lambda row: row["day"]),
    (sizes, {}, lambda row: -row["bytes"]),
    (funnel, {}, lambda row: row["step"]),
    (rejects, {}, lambda row: row["reason"]),
]
NEWEST_FIRST = (sessions, events_per_hour, events_per_day)


def same(got, expected, key, newest):
    got = [dict(row) for row in got]
    for row in got:
        if "users" in row and isinstance(row["users"], str):
            row["users"] = ",".join(sorted(row["users"].split(",")))
    text = [json.dumps(row, sort_keys=True) for row in got]
    # One number is 14 there and 14.0 here.
    want = [json.dumps(row, sort_keys=True) for row in expected]
    plain = sorted(re.sub(r"(\d)\.0\b", r"\1", one) for one in text)
    equal(plain, sorted(re.sub(r"(\d)\.0\b", r"\1", one) for one in want), "rows")
    if key == KNOWN[5][2]:
        return  # by start alone, to the millisecond, which is not shown
    keys = [key(row) for row in got]
    equal(keys, sorted(keys, reverse=newest), "order")


def compare(world):
    rows = Rows()
    for function, values, key in KNOWN:
        name = function.__name__.replace("_", "-")
        values = dict(values)
        if "since" in parameters(name):
            values["since"] = SINCE
        expected = list(function(world))
        for way in WAYS:
            with rows("%s, %s" % (name, way.__name__)):
                same(way(world.database, name, **values), expected, key, function in NEWEST_FIRST)
    rows.check()


@case
def each_query_has_a_known_answer():
    equal({function.__name__.replace("_", "-") for function, _, _ in KNOWN}, set(FILES))


@case
def answers_on_what_the_real_client_sent():
    compare(World(recorded() + others()))


@case
def answers_on_the_log_of_the_plugin():
    with open(os.path.join(DATA, "stock-client", "shop-2026_11_20.log"), encoding="utf-8") as file:
        compare(World([line.rstrip("\n") for line in file if not line.startswith("[")]))


def both(world, name, expected, **values):
    values.setdefault("since", SINCE)
    for way in WAYS:
        got = way(world.database, name, **values)
        equal([{key: row[key] for key in expected[0]} for row in got] if expected else got, expected,
              "%s %r, %s" % (name, values, way.__name__))


@case
def parameters_choose():
    world = World(recorded() + others())
    letters = [{"step1": "custom step a", "step2": "custom step b", "step3": "custom step c"},
               [("custom", "step " + letter) for letter in "abc"]]
    both(world, "funnel", list(funnel(world, letters[1], list(letters[0].values()))), **letters[0])
    equal([row["sessions"] for row in asked(world.database, "funnel", since=SINCE, **letters[0])], [5, 4, 2])
    both(world, "funnel", [{"sessions": 5}, {"sessions": 1}], step1="custom step a", step2="custom step a", since=SINCE)
    both(world, "funnel", [{"sessions": 0, "of_first_percent": None}], step1="custom nobody")
    both(world, "funnel", [{"sessions": 0}, {"sessions": 0}], app="none")
    both(world, "apps", [{"app": "blog", "events": 60}], until="2026-11-20T23:59:59.000Z", since="2026-11-20T23:59:00Z")
    both(world, "apps", [{"app": "blog", "events": 1}], until="2026-11-20T23:59:07.000Z", since="2026-11-20T23:59:06.001Z")
    both(world, "apps", [], until="2026-11-20T23:59:06.999Z", since="2026-11-20T23:59:06.001Z")
    both(world, "apps", [{"events": 1}], until="2026-11-21T00:59:07+01:00", since="2026-11-20T23:59:06.001Z")
    # Without since: a day before until.
    for way in WAYS:
        equal([row["events"] for row in way(world.database, "events-per-hour", until="2026-11-21T23:59:10.000Z", app="blog")],
              [len([one for one in world.events if one["appId"] == "blog"]) - 60, 50])
    both(world, "top-errors", [{"count": 5}, {"count": 4}], message="no item")
    both(world, "top-errors", [{"count": 1}], message="stack", app="blog")
    both(world, "slowest-requests", [{"ms": 30000.5}], least=101)
    both(world, "slowest-requests", [{"ms": 100}, {"ms": 99}], path="https://api*", limit=2)
    both(world, "routes", [{"path": "/gone", "p95": 30000.5, "failed_percent": 100.0}], path="/gone")
    both(world, "sessions", [{"session": "f4", "events": 6}], user="f4")
    both(world, "session", [{"what": "step " + letter} for letter in "abc"], id="f1")
    both(world, "console", [{"count": 2, "message": "oops"}], level="error")
    equal(len(asked(world.database, "slowest-requests", since=SINCE, limit=0)),
          len([one for one in world.of("http") if "duration" in one["payload"]]))
    same(asked(world.database, "pages", since=SINCE, whole=1), list(pages(world, lambda text: text)),
         KNOWN[4][2], False)
    chosen = world.of("error")[3]
    for about in (0, 0.2, 5):
        same(asked(world.database, "around-error", seq=chosen["seq"], about=about),
             list(around_error(world, chosen, about)), KNOWN[7][2], False)
    ids = {seq: id.decode() for seq, id in sql(world.database, "select seq, id from events")}
    both(world, "around-error", [{"seq": row["seq"]} for row in around_error(world, chosen)], id=ids[chosen["seq"]])
    both(world, "around-error", [], id="none")
    equal(asked(world.database, "users-of-day", day="2026-11-20")[0]["user"], "visitor 7")
    equal(asked(world.database, "events-per-day", since="2026-11-21")[0]["day"], "2026-11-21")
    equal(asked(world.database, "events-per-day", until="2026-11-20"), [{"day": "2026-11-20", "events": 60}])
    equal(asked(world.database, "events-per-day", since=SINCE, limit=1)[0]["day"], "2026-11-21")


@case
def rejects_are_counted_by_reason():
    daemon = Daemon()
    daemon.post([b"1", b"{}", b"{}", event()])
    for way in WAYS:
        got = {row["reason"]: (row["count"], row["bytes"]) for row in way(daemon.database, "rejects")}
        equal(sorted(got.values()), [(1, 1), (2, 4)], way.__name__)


# --- whatever clients send ----------------------------------------------------------------------

ODD = ["null", "[]", "[1,[2]]", "17", "-0.0", "1e999", "-1e999", "9223372036854775807", "99999999999999999999999", "true",
       '"text"', '""', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\u001b[2J\\u009b"', '{"a":{"b":[{}]}}', '"%s"' % ("x" * 3000),
       '"' + "\\u0301" * 300 + '"', '"%d"' % 10 ** 60, '"%_*[?#"', '"?"', '"\\n\\n"', '"at "', "[" * 300 + "]" * 300]
MEMBERS = ("message stack filename lineno colno errorType method url status duration requestHeaders requestBody requestSize "
           "responseBody responseSize from to trigger tag text id classes xpath coordinates args groupDepth name data action "
           "previousUserId newUserId").split()


def odd():
    """Events of every type, each of whose members is each of these."""
    out, n = [], 0
    for kind in ("click", "http", "error", "navigation", "console", "custom", "session", "unheard of"):
        for value in ODD:
            n += 1
            members = ",".join('"%s":%s' % (member, value) for member in MEMBERS)
            for payload in (value, "{%s}" % members):
                out.append('{"timestamp":"%s.%03dZ","type":"%s","sessionId":"s","payload":%s,"meta":{"userAgent":%s,"route":%s}}'
                           % ("2026-11-21T04:00:00", n % 1000, kind, payload, value, value))
    for value in ODD:
        for member in ("type", "level", "appId", "sessionId", "userId", "groupId", "meta", "payload", "id"):
            out.append('{"timestamp":"2026-11-21T04:00:01Z","%s":%s}' % (member, value))
    out += ['{"timestamp":"0000-01-01T00:00:00+14:00"}', '{"timestamp":"9999-12-31T23:59:59-12:00","type":"error"}',
            '{"type":"error","type":"click","timestamp":"2026-11-21T04:00:01Z"}',
            '{"t\\u0079pe":"error","timestamp":"2026-11-21T04:00:01Z"}']
    return [text.encode() for text in out]


@case
def odd_payloads_never_fail():
    daemon = Daemon()
    daemon.save(odd())
    daemon.post([b"1", b'{"timestamp":"2026-11-21T04:00:01Z","a":"\xff"}'])
    daemon.stop()
    # What a person has changed by hand.
    shell(daemon.database, "update events set event = 'no JSON' where seq = 3;"
                           "update events set event = '{\"type\":' where seq = 4")
    rows = Rows()
    for name in FILES:
        values = {"since": "0000-01-01"} if "since" in parameters(name) else {"day": DAY} if name == "users-of-day" else {}
        if "limit" in parameters(name):
            values["limit"] = 0
        with rows(name):
            for form in ("table", "lines", "csv"):
                flags = ["--%s=%s" % pair for pair in values.items() if pair[0] != "day"]
                flags += ["day=" + DAY] if "day" in values else []
                done = run("query", name, "--database", daemon.database, "--format", form, *flags)
                equal((done.returncode, done.stderr), (0, b""), form)
                assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]", done.stdout) or form == "csv"
                done.stdout.decode()
            got = asked(daemon.database, name, **values)
            assert got, "no rows"
            if not POSTGRES:
                equal(len(typed_raw(daemon.database, name, **values)) > 0, True, "shell")
    rows.check()


def typed_raw(database, name, **values):
    """As typed, but what the shell makes of strangers' text is its own affair."""
    if not shutil.which("sqlite3"):
        raise Skip("the sqlite3 shell is not installed")
    settings = [".param set :%s \"%s\"" % (key, value if isinstance(value, int) else "'%s'" % value)
                for key, value in values.items()]
    done = subprocess.run(["sqlite3", "-batch", "-bail", "-readonly", database, ".read " + VIEWS, *settings,
                           ".read " + FILES[name]], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    equal((done.returncode, done.stderr), (0, b""), "shell: " + name)
    return done.stdout


@case
def views_can_be_read_whole():
    daemon = Daemon()
    daemon.save(odd() + [text.encode() for text in recorded() + others()])
    with open(VIEWS, encoding="utf-8") as file:
        views = re.findall(r"^CREATE (?:TEMP VIEW IF NOT EXISTS |OR REPLACE VIEW beacond\.)(\w+)", file.read(), re.M)
    equal(len(views), 9)
    for view in views:
        rows = asked(daemon.database, "-", stdin="select * from %s order by seq" % view)
        kind = {"clicks": "click", "requests": "http", "errors": "error", "navigations": "navigation", "console": "console",
                "customs": "custom", "sessions": "session"}.get(view)
        # Every member that the real client sends has a column.
        if kind:
            sent = set().union(*(json.loads(text)["payload"] for text in recorded() if json.loads(text)["type"] == kind))
            sent = {{"id": "elementId", "coordinates": "x"}.get(member, member) for member in sent}
            if POSTGRES:
                sent = {member.lower() for member in sent}
            assert sent <= set(rows[0]), (view, sent - set(rows[0]))
            texts = [event for (event,) in sql(daemon.database, "select event from events")]
            if POSTGRES:  # the last of duplicate members counts, and names with escapes are found
                read = [json.loads(text) for text in texts]
            else:
                read = [dict(reversed(json.loads(text, object_pairs_hook=list))) for text in texts if b"\\u0079" not in text]
            equal(len(rows), len([1 for one in read if one.get("type") == kind]), view)


# --- how it is shown ----------------------------------------------------------------------------

def on_screen(*arguments, stdin=b"", columns=80):
    """What a terminal of that width gets."""
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", "24"], stdin=theirs, check=True)
    reading, writing = os.pipe()
    process = begin("query", *arguments, stdin=reading, stdout=theirs)
    os.close(reading)
    os.close(theirs)
    os.write(writing, stdin)
    os.close(writing)
    seen = drained(ours)
    err = process.communicate(timeout=PATIENCE)[1]
    equal((process.returncode, err), (0, b""))
    return seen.replace(b"\r\n", b"\n")


@case
@of_dialect
def a_terminal_gets_what_fits_and_nothing_that_acts():
    daemon = Daemon()
    bad = "\\u001b]0;gone\\u0007\\u009b2J\\u007f\\u202e\\n" + "\u4e2d" * 100
    daemon.save([event(payload='{"name":"%s"}' % bad)[:-1] + b',"type":"custom","sessionId":"%s"}' % (b"\xc3\xa4" * 200)])
    for form in ("table", "lines", "csv", "json"):
        for name in ("customs", "session", "sessions"):
            seen = on_screen(name, "--since", "2026-11-01", "--database", daemon.database, "--format", form)
            text = seen.decode()
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), seen
            if form == "table":
                widths = {sum(2 if c == "\u4e2d" else 1 for c in line) for line in text.splitlines()}
                assert max(widths) <= 80, widths
                assert "..." in text
    whole = run("query", "customs", "--since", "2026-11-01", "--database", daemon.database, "--format", "csv").stdout.decode()
    equal(list(csv.reader(io.StringIO(whole, newline="")))[1][0], json.loads('"%s"' % bad))
    seen = on_screen("-", "--database", daemon.database, stdin=b"select 1 as '\x1b[2J\xff', 'a' || char(27)", columns=40)
    assert b"\x1b" not in seen, seen


@case
@of_dialect
def parameters_are_found_however_they_are_marked():
    database = Daemon().database

    def asked(text, *given):
        process = begin("query", "-", "--database", database, "--format", "csv", *given, stdin=subprocess.PIPE)
        out, err = process.communicate(text.encode(), timeout=PATIENCE)
        return process.returncode, out.decode().replace("\r\n", "|"), err.decode()

    for mark in ":@$":
        equal(asked("select %sa as x" % mark, "a=7"), (0, "x|7|", ""), mark)
        equal(asked("select %sa as x" % mark, "b=7")[2], "beacond: there is no parameter b here; there are a\n", mark)
    equal(asked("select :a || @a || $a || $b as x", "a=7", "b=8"), (0, "x|7778|", ""))
    equal(asked("select ?1 || ?2 as x", "1=7", "2=8"), (0, "x|78|", ""))
    equal(asked("select 1", "a=7")[2], "beacond: there is no parameter a here; there is none\n")


@case
@of_dialect
def formats():
    daemon = Daemon()

    def out(text, *flags, env=None):
        process = begin("query", "-", "--database", daemon.database, *flags, stdin=subprocess.PIPE, env=env)
        got, err = process.communicate(text.encode(), timeout=PATIENCE)
        equal((process.returncode, err), (0, b""))
        return got.decode()

    odd_row = "select 1 as n, 'a,\"b' as text, null as none, 2.5 as r, x'00ff' as b, 'two' || char(10) || 'lines' as l"
    equal(out(odd_row, "--format", "csv"), 'n,text,none,r,b,l\r\n1,"a,""b",,2.5,00ff,"two\nlines"\r\n')
    equal(json.loads(out(odd_row, "--format", "json")),
          {"n": 1, "text": 'a,"b', "none": None, "r": 2.5, "b": "00ff", "l": "two\nlines"})
    equal(out(odd_row, "--format", "lines"),
          '   n  1\ntext  a,"b\nnone  \n   r  2.5\n   b  \\x00\\xff\n   l  two\n      lines\n')
    equal(out("select 5 as n, 'x' as t union all select 123, 'yy'"), "n    t\n---  --\n  5  x\n123  yy\n".replace("n    t", "  n  t"))
    equal(out("select '%s' as a" % ("x" * 300)).splitlines()[-1], "x" * 117 + "...")
    equal(out("select '%s' as a" % ("x" * 300), env={"COLUMNS": "40"}).splitlines()[-1], "x" * 37 + "...")
    equal(out("select '%s' as a" % ("x" * 300), "--width", "0").splitlines()[-1], "x" * 300)
    equal(out("select :a as a", "--format=csv"), "a\r\n\r\n")
    # More rows than the widths are learned from.
    lines = out("with recursive n(n) as (select 1 union all select n + 1 from n where n < 2500) select n, 'x' as t from n")
    equal([line.split() for line in lines.splitlines()[2:]], [[str(n), "x"] for n in range(1, 2501)])
    # Nobody reads it any more.
    process = begin("query", "-", "--database", daemon.database, "--format", "csv", stdin=subprocess.PIPE)
    process.stdin.write(b"with recursive n(n) as (select 1 union all select n + 1 from n) select n from n")
    process.stdin.close()
    process.stdout.read(10)
    process.stdout.close()
    equal((process.wait(PATIENCE), process.stderr.read()), (0, b""))
    process.stderr.close()


# --- nothing is changed, nothing goes on for ever -----------------------------------------------

@case
@of_files
def nothing_can_be_written():
    world = World(recorded())
    with open(world.database, "rb") as file:
        before = file.read()
    for name in FILES:
        asked(world.database, name)
        typed(world.database, name)
    for text in ("delete from events", "insert into meta values ('a', 1)", "update events set ts = 1", "drop view event_fields",
                 "create table t(a)", "create temp table t(a)", "create temp view v as select 1", "pragma user_version = 7", "pragma user_version", "pragma integrity_check",
                 "pragma journal_mode = delete", "pragma wal_checkpoint(truncate)", "pragma query_only = 0", "vacuum",
                 "vacuum into 'copy.db'", "attach 'other.db' as other", "begin immediate", "reindex", "analyze", "savepoint a",
                 "with a as (select 1) delete from events", "select 1; delete from events", "select 1; select 2", "", "-- none",
                 "insert into events(seq) values (1) returning seq", "select", "select * from nowhere"):
        asked(world.database, "-", code=2, stdin=text)
    asked(world.database, "-", code=1, stdin="select load_extension('x')")
    with open(world.database, "rb") as file:
        assert file.read() == before, "the database has changed"
    equal(sorted(set(os.listdir(world.folder)) - {"new.db-shm", "new.db-wal", "new.db.lock"}), ["all.jsonl", "new.db"])
    wal = world.database + "-wal"
    equal(os.path.getsize(wal) if os.path.exists(wal) else 0, 0)


@case
def beside_a_daemon():
    daemon = Daemon()
    for n in range(3):
        daemon.save([made(n, "error", {}).encode()])
        equal(asked(daemon.database, "apps", since=SINCE)[0]["errors"], n + 1)
    asked(daemon.database, "-", code=2, stdin="delete from events")
    equal(daemon.total(), 3)


@case
def ctrl_c_ends_it():
    daemon = Daemon()
    for text, form in (("select max(n) from n", "table"), ("select n from n", "csv"), ("select n from n", "table")):
        with open(os.devnull, "wb") as null:
            process = begin("query", "-", "--database", daemon.database, "--format", form, stdin=subprocess.PIPE, stdout=null)
        process.stdin.write(b"with recursive n(n) as (select 1 union all select n + 1 from n) " + text.encode())
        process.stdin.close()
        process.stdin = None

        def busy():
            if POSTGRES:
                return sql(daemon.database, "select count(*) from pg_stat_activity"
                                            " where state = 'active' and query like 'with recursive%'")[0][0] > 0
            with open("/proc/%d/stat" % process.pid) as file:
                return int(file.read().rsplit(")", 1)[1].split()[11]) > 5  # it works, and waits for nothing

        poll(busy, "the query is running")
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=PATIENCE)[1]
        equal((process.returncode, err), (130, b"beacond: stopped\n"), text)
    # While it reads the question.
    process = begin("query", "-", "--database", daemon.database, stdin=subprocess.PIPE)

    def watches():
        with open("/proc/%d/status" % process.pid) as file:
            return int(re.search(r"SigCgt:\s*(\w+)", file.read()).group(1), 16) >> (signal.SIGINT - 1) & 1

    poll(watches, "it takes the signal")
    process.send_signal(signal.SIGINT)
    equal(process.wait(PATIENCE), 130)
    process.communicate()


@case
def exit_codes():
    world = World(others())
    rows = Rows()
    for arguments, code, words in (
            (("nope",), 2, "there is no query nope"), (("apps", "x=1"), 2, "no parameter x here; there are since, until, limit"),
            (("apps", "x"), 2, "expected PARAMETER=VALUE"), (("apps", "=1"), 2, "expected PARAMETER=VALUE"),
            (("funnel", "--limit", "3"), 2, "no parameter limit"), (("apps", "--limit", "x"), 78, "limit: expected a whole number"),
            (("apps", "limit=-1"), 78, "limit: expected"), (("apps", "--since", "x"), 78, "since: expected a time"),
            (("apps", "until=2026-13-01"), 78, "until: expected a time"), (("apps", "--format", "xml"), 78, "--format: expected"),
            (("apps", "--width", "x"), 78, "--width: expected"), (("apps", "--nope"), 2, "no option --nope"),
            (("--show", "nope"), 2, "there is no query nope"),
            (("rejects", "since=1d"), 2, "no parameter since here; there are limit"),
            (("apps", "--database", os.path.join(directory(), "none.db")), 78, "there is no such database")):
        with rows(repr(arguments)):
            done = run("query", *(arguments if "--database" in arguments else (*arguments, "--database", world.database)))
            equal((done.returncode, done.stdout), (code, b""))
            assert words in done.stderr.decode(), done.stderr
    foreign = os.path.join(directory(), "foreign.db")
    shell(foreign, "create table t(a)")
    with rows("foreign"):
        equal(run("query", "apps", "--database", foreign).returncode, 78)
    with rows("no rows"):
        done = run("query", "apps", "--database", world.database, "until=2020-01-01")
        equal(done.returncode, 0)
        equal(done.stdout.splitlines()[0].split(), b"app events sessions users errors first last".split())
        equal(done.stderr, b"beacond: no rows; without --since most queries look at the last day alone\n")
    with rows("so long ago"):
        age = datetime.now(timezone.utc) - datetime(2026, 11, 20, tzinfo=timezone.utc)
        days = max(age.days + 2, 1)
        equal(len(asked(world.database, "apps", since="%dd" % days)), 2)
        equal(asked(world.database, "apps", since="2026-11-22", until="%dd" % (365 * 50)), [])
    rows.check()


# --- what is told of them -----------------------------------------------------------------------

@case
def each_says_what_it_answers_and_takes():
    kind = ["--database", "postgresql:///beacond"] if POSTGRES else []
    listed = run("query", *kind).stdout.decode().splitlines()
    rows = Rows()
    for name in sorted(FILES):
        with rows(name):
            text = text_of(name)
            told = dict(re.findall(r"^--   ([a-z0-9]+)=([A-Z]+|1)\b.*default", text.replace("--                 ", ""), re.M))
            told.update(re.findall(r"^--   ([a-z0-9]+)=([A-Z]+|1) ", text, re.M))
            equal(set(told), parameters(name), "parameters")
            equal(len(re.findall(r"^--   .*\bdefault\b", text, re.M)), len(told), "defaults")
            line = re.match(r"-- (.*[.])\n", text).group(1)
            assert "%-16s  %s" % (name, line) in listed, listed
            assert max(map(len, text.splitlines())) <= 104
            equal(run("query", "--show", name, *kind).stdout.decode(), text)
    with open(VIEWS, encoding="utf-8") as file:
        equal(run("query", "--show", "views", *kind).stdout.decode(), file.read())
    equal(len(listed), len(FILES) + 2)
    rows.check()


@case
@of_files
def each_uses_the_index_on_the_time():
    world = World(recorded())
    for name in FILES:
        plan = [row["detail"] for row in asked(world.database, "-", stdin="explain query plan " + text_of(name))]
        assert not [line for line in plan if re.search(r"SCAN (main\.)?events\b", line)], (name, plan)


@case
def the_manual_names_each_and_what_it_takes():
    views, common, queries = Page("beacond-schema.5").section("READY QUERIES").lists()
    with open(VIEWS, encoding="utf-8") as file:
        made_here = re.findall(r"^CREATE (?:TEMP VIEW IF NOT EXISTS |OR REPLACE VIEW beacond\.)(\w+)", file.read(), re.M)
    equal([item.head for item in views], ["Va " + view for view in made_here])
    lacking = {}
    for item in common:
        for name in re.findall(r"\w+", item.head)[1:]:
            lacking[name] = set(re.findall(r"^\.Cm ([a-z-]+)", item.body, re.M))
    equal(set(lacking), {"since", "until", "app", "limit"})
    for name, without in lacking.items():
        equal(without, {query for query in FILES if name not in parameters(query)}, name)
    equal([item.head for item in queries], ["Cm " + name for name in sorted(FILES)])
    rows = Rows()
    for item in queries:
        with rows(item.head):
            told = set(re.findall(r"\b(?!what|type|activity)[a-z0-9]+", " ".join(
                re.findall(r"^\.(?:Pq )?Va (.*)$", item.body, re.M)))) - {"1", "Ns"}
            equal(told, parameters(item.head[3:]) - set(lacking))
    rows.check()


main()
