"""The real client's requests (tests/data/stock-client), sent again as they were recorded."""

import gzip
import json
import os

from harness import DATA, Daemon, batch, case, equal, main, original, sliced

KEY = "tk_test"
ORIGIN = "http://127.0.0.1:5180"


def recorded():
    with open(os.path.join(DATA, "stock-client", "requests.json"), encoding="utf-8") as file:
        return json.load(file)


def raw_events(body):
    """The raw texts of a recorded ingest body."""
    start = body.index('"events":[')
    return sliced(('{' + body[start:]).encode())


def known(bodies, texts):
    """How many of the texts, from the first, were in an earlier body that the longer of the two
    begins with: what a client sends again when no answer came (request 2 got a 503 and request 4 no
    answer when they were recorded; here they are stored)."""
    return max([min(len(b), len(texts)) for b in bodies
                if b[:len(texts)] == texts[:len(b)]], default=0)


def replay(daemon):
    """Sends everything in order on one connection. Returns the raw events that were emitted."""
    taken, bodies, connection = [], [], daemon.connection()
    for number, one in enumerate(recorded()):
        headers = {k: v for k, v in one["headers"].items() if k != "content-length"}
        body, target = one["body"].encode(), one["path"]
        what = "request %d, %s %s" % (number, one["method"], target)
        if one["method"] == "POST" and "x-tracker-key" not in headers:
            # The unload beacon carries no key. Refused here; it arrives once the write endpoint
            # has the key in its path, as the manual tells.
            refused = connection.request("POST", target, headers, body)
            equal(refused.status, 401, what)
            refused.error()
            check_cors(refused, True, what)
            target = "/_tracker/k/%s/events" % KEY
        answer = connection.request(one["method"], target, headers, body or None)
        check_cors(answer, target.endswith("/events"), what)
        if one["method"] == "OPTIONS":
            check_preflight(answer, one, what)
            continue
        equal(answer.status, 200, what)
        if one["method"] == "POST":
            texts = raw_events(one["body"])
            again = known(bodies, texts)
            equal(answer.json(), {"ok": True, "saved": len(texts), "rejected": 0, "duplicate": again}, what)
            bodies.append(texts)
            taken += texts[again:]
        elif one["path"].endswith("/ping"):
            equal(answer.json()["ok"], True, what)
        else:
            # since is a day before until, which is the moment of the first read
            shown = answer.json()
            equal(shown["total"], len(shown["events"]), what)
            equal(answer.header("Content-Encoding"), "gzip", what)
    connection.close()
    equal(sum(map(len, bodies)) - len(taken), 17 + 16, "events sent again")
    equal(len(set(taken)), len(taken), "distinct events")
    return taken


def check_cors(answer, ingest, what):
    equal(answer.header("Access-Control-Allow-Origin"), ORIGIN, what)
    equal(answer.header("Access-Control-Allow-Credentials"), "true" if ingest else None, what)
    assert "origin" in answer.vary(), what


def check_preflight(answer, one, what):
    equal(answer.status, one["answered"], what)
    equal(answer.body, b"", what)
    equal(answer.header("Access-Control-Max-Age"), "7200", what)
    methods = {m.strip() for m in answer.header("Access-Control-Allow-Methods").split(",")}
    assert one["headers"]["access-control-request-method"] in methods, what
    names = {h.strip().lower() for h in answer.header("Access-Control-Allow-Headers").split(",")}
    asked = set(one["headers"]["access-control-request-headers"].split(","))
    assert asked <= names and "content-encoding" in names, "%s: %r" % (what, names)


def newest_first(texts):
    """The order of the contract: by timestamp, of equal ones the last stored first."""
    return [t for _, _, t in sorted(((json.loads(t)["timestamp"], n, t) for n, t in enumerate(texts)),
                                    key=lambda item: item[:2], reverse=True)]


def check_all(daemon, texts):
    answer = daemon.get("/_tracker", X_Tracker_Key=KEY)
    equal(answer.status, 200)
    shown = answer.json()
    equal(shown["total"], len(texts), "total")
    equal(shown["page"], 1, "page")
    equal([original(stored, b'""') for stored in sliced(answer.body)], newest_first(texts), "events")
    assert len({e["id"] for e in shown["events"]}) == len(texts), "ids are not unique"


@case
def everything_the_real_client_sent_comes_back_byte_for_byte():
    daemon = Daemon(key=KEY)
    taken = replay(daemon)
    assert len(taken) > 100, "the recording has more events than %d" % len(taken)
    check_all(daemon, taken)


@case
def what_the_real_client_sent_is_there_after_a_restart():
    first = Daemon(key=KEY)
    taken = replay(first)
    first.stop()
    check_all(Daemon(database=first.database, key=KEY), taken)


@case
def all_of_it_sent_once_more_after_a_kill_adds_nothing():
    first = Daemon(key=KEY)
    taken = replay(first)
    first.crash()
    daemon = Daemon(database=first.database, key=KEY)
    for one in recorded():
        if one["method"] == "POST":
            count = len(raw_events(one["body"]))
            answer = daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": KEY}, one["body"].encode())
            equal(answer.json(), {"ok": True, "saved": count, "rejected": 0, "duplicate": count})
    check_all(daemon, taken)


@case
def the_dashboards_window_holds_what_lies_in_it_and_no_more():
    daemon = Daemon(key=KEY)
    taken = replay(daemon)
    target = [r["path"] for r in recorded() if r["method"] == "GET" and "since" in r["path"]][0]
    since, until = "2026-11-20T04:50:47.190Z", "2026-11-21T04:50:47.190Z"
    inside = [t for t in newest_first(taken) if since <= json.loads(t)["timestamp"] <= until]
    answer = daemon.get(target, X_Tracker_Key=KEY)
    equal([original(t, b'""') for t in sliced(answer.body)], inside)
    equal(answer.json()["total"], len(inside))


@case
def an_earlier_visit_of_all_seven_types_comes_back_from_a_gzip_body():
    with open(os.path.join(DATA, "stock-client", "events.ndjson"), "rb") as file:
        texts = file.read().splitlines()
    equal({json.loads(t)["type"] for t in texts},
          {"click", "http", "error", "navigation", "console", "custom", "session"})
    daemon = Daemon(key=KEY)
    answer = daemon.request("POST", "/_tracker/ingest",
                            {"X-Tracker-Key": KEY, "Content-Encoding": "gzip"},
                            gzip.compress(batch(texts)))
    equal(answer.status, 200, repr(answer.body))
    equal(answer.json()["saved"], 270)
    check_all(daemon, texts)


main()
