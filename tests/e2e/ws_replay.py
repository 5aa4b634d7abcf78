"""What the real client and dashboard sent over their WebSockets (tests/data/stock-client), sent again
as it was recorded."""

import json
import os

from harness import DATA, Daemon, case, equal, main, original, sliced
from sockets import Socket, closing, deflate, frame, RSV1

KEY = "tk_test"


def recorded():
    with open(os.path.join(DATA, "stock-client", "websocket.json"), encoding="utf-8") as file:
        return json.load(file)


def emitted():
    """The raw texts of the events, in the order in which they were sent."""
    texts = []
    for one in recorded():
        if one.get("to") == "server" and json.loads(one["message"])["type"] == "ingest":
            texts += sliced(b"{" + one["message"][one["message"].index('"events":['):].encode())
    return texts


def check_answer(got, was, total, what):
    """The recorder answered queries with nothing; here the events are there."""
    got, was = json.loads(got), json.loads(was)
    equal(list(got), list(was), what)
    if was["type"] != "events:response":
        equal(got, was, what)
        return
    equal(got["reqId"], was["reqId"], what)
    equal(list(got["response"]), list(was["response"]), what)
    equal(got["response"]["total"], total, what)
    equal(len(got["response"]["events"]), total, what)
    equal(got["response"]["page"], 1, what)


def handshake(daemon, one, packed):
    headers = [(k, v) for k, v in one["handshake"]["headers"].items()
               if not k.startswith("sec-websocket-") and k != "host"]
    if not packed:
        return Socket(daemon, target=one["handshake"]["path"], headers=headers)
    offer = one["handshake"]["headers"]["sec-websocket-extensions"]
    socket = Socket(daemon, target=one["handshake"]["path"], headers=headers, offer=offer)
    assert socket.deflated, "Chromium's offer is declined"
    return socket


def replay(daemon, packed=True, waiting=True):
    """waiting: each recorded answer is waited for before more is sent, as it was then; otherwise all
    messages of a connection are sent at once, its Close included."""
    sockets, later = {}, []
    texts = emitted()
    since = "2026-11-20T04:51:35.866Z"
    total = sum(since <= json.loads(t)["timestamp"] <= "2026-11-21T04:51:35.866Z" for t in texts)
    for number, one in enumerate(recorded()):
        what, which = "item %d" % number, one["connection"]
        if "handshake" in one:
            # The dashboard came when the visitor's batches had been answered.
            for number, socket, expected in later:
                check_answer(socket.message(), expected, total, "item %d" % number)
            later = []
            sockets[which] = handshake(daemon, one, packed)
        elif "closed" in one:
            for number, socket, expected in later:
                check_answer(socket.message(), expected, total, "item %d" % number)
            later = []
            sockets[which].raw(closing(one["closed"])).closed(one["closed"])
        elif one["to"] == "server":
            data = one["message"].encode()
            sockets[which].raw(frame(deflate(data), rsv=RSV1) if packed else frame(data))
        elif waiting:
            check_answer(sockets[which].message(), one["message"], total, what)
        else:
            later.append((number, sockets[which], one["message"]))
    return texts


def check_all(daemon, texts):
    answer = daemon.get("/_tracker", X_Tracker_Key=KEY)
    shown = answer.json()
    equal(shown["total"], len(texts), "total")
    order = sorted(range(len(texts)), key=lambda n: (json.loads(texts[n])["timestamp"], n), reverse=True)
    equal([original(t, b'""') for t in sliced(answer.body)], [texts[n] for n in order], "events")
    equal(len({e["id"] for e in shown["events"]}), len(texts), "ids")
    equal(daemon.sql("select count(*) from rejects"), [(0,)])


@case
def all_that_was_recorded_is_stored_once_and_answered_in_order():
    for packed in (True, False):
        for waiting in (True, False):
            daemon = Daemon(key=KEY)
            texts = replay(daemon, packed, waiting)
            equal(len(texts), 70, "events recorded")
            check_all(daemon, texts)


@case
def it_is_there_after_a_kill_and_sending_it_again_adds_nothing():
    first = Daemon(key=KEY)
    texts = replay(first)
    first.crash()
    daemon = Daemon(database=first.database, key=KEY)
    check_all(daemon, texts)
    replay(daemon, waiting=False)
    check_all(daemon, texts)
    for one in recorded():
        if one.get("to") == "server" and '"ingest"' in one["message"]:
            answer = daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": KEY}, one["message"].encode())
            equal((answer.status, answer.json()["saved"]), (200, answer.json()["duplicate"]), "over HTTP")
    check_all(daemon, texts)


@case
def an_outage_is_followed_by_one_message_of_all_that_waited():
    # As the stock client does: what it could not send while it was not connected goes as one.
    daemon = Daemon(key=KEY)
    texts = emitted()
    visitor = Socket(daemon, key=KEY, offer=True).save(texts[:21])
    visitor.reset()
    Socket(daemon, key=KEY, offer=True).save(texts[21:])
    check_all(daemon, texts)


main()
