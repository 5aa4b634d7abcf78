"""ETag and If-None-Match: an unchanged window costs no body (CONTRACT.md 4)."""

import gzip

from harness import NOW, Daemon, case, equal, event, main, shell, stamp
from stores import POSTGRES

WINDOW = "/_tracker?since=%s&until=%s" % (stamp(NOW), stamp(NOW + 1000))


def tag(answer):
    equal(answer.status, 200)
    return answer.header("ETag")


def same(daemon, known, target=WINDOW, **headers):
    """Whether a client that has the answer with that tag is told to keep it."""
    answer = daemon.get(target, **{"If-None-Match": known}, **headers)
    if answer.status == 304:
        equal((answer.body, answer.header("ETag")), (b"", known))
        equal((answer.all("Content-Type"), answer.all("Content-Encoding")), ([], []))
        equal(answer.header("Cache-Control"), "private, no-cache")
    else:
        equal(answer.status, 200)
        assert answer.header("ETag") != known, "a body with the tag that is known"
    return answer.status == 304


@case
def a_window_is_the_same_until_an_event_comes_into_it():
    daemon = Daemon()
    known = tag(daemon.get(WINDOW))
    assert same(daemon, known), "an empty window"
    daemon.save([event(NOW - 1, 1), event(NOW + 1001, 2)])
    assert same(daemon, known), "events beside it"
    for n, moment in enumerate((NOW, NOW + 1000, NOW + 500)):
        daemon.save([event(moment, n)])
        assert not same(daemon, known), "an event in it"
        known = tag(daemon.get(WINDOW))
        assert same(daemon, known)
    equal(daemon.post([event(NOW + 500, 2)]).json()["duplicate"], 1)
    assert same(daemon, known), "a duplicate"


@case
def all_forms_of_an_answer_share_a_tag():
    daemon = Daemon()
    daemon.save([event(NOW + n, n) for n in range(40)])
    plain = daemon.get(WINDOW, **{"Accept-Encoding": "identity"})
    packed = daemon.get(WINDOW, **{"Accept-Encoding": "gzip"})
    head = daemon.request("HEAD", WINDOW)
    equal(gzip.decompress(packed.body), plain.body)
    known = tag(plain)
    equal((tag(packed), tag(head)), (known, known))
    for coding in ("gzip", "identity"):
        assert same(daemon, known, **{"Accept-Encoding": coding})
    equal(daemon.request("HEAD", WINDOW, {"If-None-Match": known}).status, 304)


@case
def pages_of_a_chain_stay_the_same():
    daemon = Daemon()
    daemon.save([event(NOW + n, n) for n in range(30)])
    cursor = daemon.get(WINDOW + "&limit=7").json()["nextCursor"]
    target = "/_tracker?limit=7&cursor=" + cursor
    known = tag(daemon.get(target))
    daemon.save([event(NOW + 5, 99)])  # what comes later is no part of the chain
    assert same(daemon, known, target)


@case
def what_another_program_changes_is_noticed_with_the_next_batch():
    daemon = Daemon()
    daemon.save([event(NOW, 1), event(NOW, 2)])
    known = tag(daemon.get(WINDOW))
    shell(daemon.database, "UPDATE events SET event = replace(event, '\"n\":1', '\"n\":7');")
    daemon.save([event(NOW - 1, 3)])
    assert not same(daemon, known), "the total is the same, the events are not"


@case
def after_a_restart_tags_are_others_but_for_a_database_of_several_daemons():
    daemon = Daemon()
    daemon.save([event(NOW, 1)])
    known = tag(daemon.get(WINDOW))
    daemon.stop()
    # What was changed in a file meanwhile, nobody has counted; a server has.
    equal(same(Daemon(database=daemon.database), known), POSTGRES)


@case
def who_may_not_read_learns_nothing_from_a_tag():
    daemon = Daemon(key=["tk_all", "tk_in:ingest"], allow_origin=["https://shop.example"])
    page = {"X-Tracker-Key": "tk_all", "Origin": "https://shop.example"}
    known = tag(daemon.get(WINDOW, **page))
    for key, status in ((None, 401), ("wrong", 401), ("tk_in", 403), ("tk_all", 304)):
        headers = {"If-None-Match": known, "Origin": "https://shop.example"}
        answer = daemon.get(WINDOW, **headers, **({"X-Tracker-Key": key} if key else {}))
        equal(answer.status, status, key)
        equal(answer.header("Access-Control-Allow-Origin"), "https://shop.example")
    elsewhere = daemon.get(WINDOW, **{**page, "If-None-Match": known, "Origin": "https://other.example"})
    equal((elsewhere.status, elsewhere.all("ETag")), (403, []))


main()
