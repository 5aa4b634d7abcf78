"""A full disk, failing writes, locks of others, a full queue (DESIGN.md 7).

Whatever fails: held for a moment, then 503 with Retry-After; reads go on; what was acknowledged
stays; and it works again by itself.
"""

import json
import os
import resource
import signal
import threading
import time

import stores
from disks import gone, tiny_disk
from harness import NOW, PATIENCE, Daemon, WriteLock, batch, case, equal, event, main, poll
from stores import of_files

ORIGIN = {"Origin": "http://localhost:5173"}


def pad(size):
    return '"%s"' % ("x" * size)


def check_503(answer):
    equal(answer.status, 503, repr(answer))
    answer.error()
    after = answer.header("Retry-After")
    assert after and after.isdigit() and 1 <= int(after) <= 3600, "Retry-After: %r" % after
    equal(answer.header("Access-Control-Allow-Origin"), ORIGIN["Origin"])
    equal(answer.header("Access-Control-Allow-Credentials"), "true")


def check_kept(daemon, acked):
    """All acknowledged ids are there, once; reads work."""
    shown = daemon.read()
    ids = [e["id"] for e in shown["events"]]
    equal(len(ids), len(set(ids)), "stored twice")
    missing = set(acked) - set(ids)
    assert not missing, "lost: %s" % sorted(missing)[:5]
    equal(shown["total"], len(ids))


class Ledger:
    """Sends batches of ten events and knows which were acknowledged."""

    def __init__(self, daemon, size):
        self.daemon, self.size, self.acked, self.number = daemon, size, [], 0

    def send(self):
        ids = ["b%d-%d" % (self.number, n) for n in range(10)]
        answer = self.daemon.post([event(NOW + self.number, n, id, pad(self.size)) for n, id in enumerate(ids)],
                                  headers=ORIGIN)
        self.number += 1
        if answer.status == 200:
            equal(answer.json()["saved"], 10)
            self.acked += ids
        return answer

    def until_503(self, most):
        for _ in range(most):
            answer = self.send()
            if answer.status != 200:
                return answer
        raise AssertionError("never refused")

    def until_200(self):
        poll(lambda: self.send().status == 200, "ingest to work again by itself")
        for _ in range(3):
            equal(self.send().status, 200)


@case
@of_files
def a_full_disk_is_answered_503_and_got_over():
    disk, resize = tiny_disk(4 << 20)
    try:
        daemon = Daemon(database=os.path.join(disk, "beacond.db"), hold="300ms")
        ledger = Ledger(daemon, 5000)
        for _ in range(2):
            began = time.monotonic()
            answer = ledger.until_503(400)
            check_503(answer)
            assert time.monotonic() - began >= 0.29, "refused without holding"
            check_kept(daemon, ledger.acked)
            check_503(ledger.send())
            equal(daemon.get("/health").status, 200)
            equal(daemon.get("/_tracker?limit=1", Accept_Encoding="gzip").status, 200)
            equal(daemon.alive(), True)
            size = os.statvfs(disk).f_blocks * os.statvfs(disk).f_frsize
            resize(size + (8 << 20))
            ledger.until_200()
            check_kept(daemon, ledger.acked)
        daemon.stop()
        again = Daemon(database=daemon.database)
        check_kept(again, ledger.acked)
        stores.sound(again.database)
        again.stop()
    finally:
        gone(disk)


@case
@of_files
def a_full_disk_within_the_hold_is_not_noticed():
    disk, resize = tiny_disk(4 << 20)
    try:
        daemon = Daemon(database=os.path.join(disk, "beacond.db"), hold="1h")
        ledger, answers = Ledger(daemon, 5000), []
        sender = threading.Thread(target=lambda: [answers.append(ledger.send().status) for _ in range(120)])
        sender.start()
        # Full: the next one waits. Whether it does is seen from the log line that tells of it.
        daemon.wait_log(r" (warn|error) ")
        resize(64 << 20)
        sender.join(PATIENCE)
        equal(answers, [200] * 120)
        check_kept(daemon, ledger.acked)
        daemon.stop()
    finally:
        gone(disk)


@case
@of_files
def failing_writes_are_answered_503_and_got_over():
    # A limit of its file size makes each write of the daemon fail, and can be lifted.
    daemon = Daemon(hold="300ms", preexec=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    ledger = Ledger(daemon, 500)
    for _ in range(3):
        equal(ledger.send().status, 200)
    for limit in (0, 65536):
        most = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (limit, most))
        check_503(ledger.until_503(400))
        check_503(ledger.send())
        check_kept(daemon, ledger.acked)
        equal(daemon.get("/health").status, 200)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (most, most))
        ledger.until_200()
        check_kept(daemon, ledger.acked)
    daemon.crash()
    again = Daemon(database=daemon.database)
    check_kept(again, ledger.acked)
    stores.sound(again.database)


@case
def a_lock_of_another_process_is_waited_out():
    daemon = Daemon(hold="1h")
    ledger = Ledger(daemon, 10)
    equal(ledger.send().status, 200)
    wires = [daemon.wire() for _ in range(5)]
    with WriteLock(daemon.database):
        for n, wire in enumerate(wires):
            body = batch([event(NOW, n, "w%d" % n)])
            wire.send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                      % (len(body), body))
        poll(lambda: daemon.unread() == 0, "the daemon to read what was sent")
        for _ in range(20):  # reads and pings go on meanwhile
            equal(daemon.total(), 10)
            equal(daemon.get("/health").status, 200)
        assert all(wire.silent() for wire in wires), "answered without a commit"
    for wire in wires:
        equal(wire.response().json()["saved"], 1)
    equal(daemon.total(), 15)


@case
def a_lock_held_past_the_hold_is_answered_503_and_got_over():
    daemon = Daemon(hold="300ms")
    ledger = Ledger(daemon, 10)
    equal(ledger.send().status, 200)
    with WriteLock(daemon.database):
        began = time.monotonic()
        check_503(ledger.send())
        assert time.monotonic() - began >= 0.29, "refused without holding"
        check_503(ledger.send())
        check_kept(daemon, ledger.acked)
    ledger.until_200()
    check_kept(daemon, ledger.acked)


@case
def what_was_refused_with_503_can_be_sent_again():
    daemon = Daemon(hold="100ms")
    texts = [event(NOW, n, "e%d" % n) for n in range(10)]
    with WriteLock(daemon.database):
        for _ in range(3):
            equal(daemon.post(texts).status, 503)
    poll(lambda: daemon.post(texts).status == 200, "ingest to work again")
    equal(daemon.total(), 10, "each once")


@case
def a_full_queue_holds_requests_and_then_takes_them():
    daemon = Daemon(hold="1h", queue_size="64K")
    count, answers = 12, []

    def send(number):
        answers.append(daemon.post([event(NOW, n, "q%d-%d" % (number, n), pad(2000)) for n in range(20)]))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(count)]
    with WriteLock(daemon.database):
        for thread in threads:
            thread.start()
        for _ in range(50):
            equal(daemon.get("/health").status, 200, "others, with a full queue")
            equal(daemon.total(), 0)
        equal(answers, [], "answered without a commit")
    for thread in threads:
        thread.join()
    equal([a.status for a in answers], [200] * count)
    equal(daemon.total(), 20 * count)


@case
def a_full_queue_is_answered_503_after_the_hold():
    daemon = Daemon(hold="300ms", queue_size="64K")
    count, answers = 12, []

    def send(number):
        began = time.monotonic()
        answer = daemon.post([event(NOW, n, "q%d-%d" % (number, n), pad(2000)) for n in range(20)],
                             headers=ORIGIN)
        answers.append((answer, time.monotonic() - began))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(count)]
    with WriteLock(daemon.database):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for answer, took in answers:
        check_503(answer)
        assert took >= 0.29, "refused without holding, after %.3f s" % took
    poll(lambda: daemon.post([event(NOW, 1, "later")]).status == 200, "ingest to work again")


@case
def a_batch_larger_than_the_whole_queue_is_still_taken():
    daemon = Daemon(queue_size="1K")
    daemon.save([event(payload=pad(1000)) for _ in range(200)])
    daemon.save([event(payload=pad(1000)) for _ in range(200)])
    equal(daemon.total(), 400)


@case
def an_event_that_the_database_refuses_takes_nobody_down():
    daemon = Daemon(hold="1h")
    daemon.save([event(NOW, 0, "first")])
    stores.refuse(daemon.database, "{0}event like '%POISON%'")
    bodies = []
    for n in range(10):
        texts = [event(NOW, k, "b%d-%d" % (n, k)) for k in range(4)]
        if n in (3, 7):
            texts[2] = event(NOW, 2, "b%d-2" % n, '"POISON"')
        bodies.append(texts)
    wires = [daemon.wire() for _ in bodies]
    with WriteLock(daemon.database):  # so that they become one group
        for texts, wire in zip(bodies, wires):
            body = batch(texts)
            wire.send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                      % (len(body), body))
        poll(lambda: daemon.unread() == 0, "the daemon to read what was sent")
    for n, wire in enumerate(wires):
        bad = 1 if n in (3, 7) else 0
        equal(wire.response().json(), {"ok": True, "saved": 4 - bad, "rejected": bad, "duplicate": 0},
              "batch %d" % n)
    good = {json.loads(t)["id"] for texts in bodies for t in texts if b"POISON" not in t} | {"first"}
    equal({e["id"] for e in daemon.read()["events"]}, good)
    equal(daemon.total(), len(good))
    put_aside = sorted(row[0] for row in daemon.sql("select event from rejects"))
    equal(put_aside, [bodies[3][2], bodies[7][2]])
    # What is left of a body comes once, also where its last one is refused.
    answer = daemon.post([event(NOW, 2, "q%d" % n, '"POISON"' if n % 2 else "{}") for n in range(4)])
    equal((answer.status, answer.json()["saved"]), (200, 2))
    equal(sorted(e["id"] for e in daemon.read()["events"]), sorted(good | {"q0", "q2"}))
    equal(daemon.total(), len(good) + 2)
    # Also when nothing but poison comes, and when the trigger is gone.
    answer = daemon.post([event(NOW, 1, "p%d" % n, '"POISON"') for n in range(20)])
    equal((answer.status, answer.json()["rejected"]), (200, 20))
    stores.accept(daemon.database)
    daemon.save([event(NOW, 1, "p1", '"POISON"')])


@case
def a_trigger_that_ignores_or_changes_rows_does_not_falsify_the_totals():
    daemon = Daemon()
    stores.ignore(daemon.database, "{0}event like '%SHY%'")
    for names in ("abc", ["", "", ""]):
        a, b, c = names
        answer = daemon.post([event(NOW, 1, a), event(NOW, 2, b, '"SHY"'), event(NOW, 3, c)])
        equal(answer.status, 200)
        equal(daemon.total(), daemon.sql("select count(*) from events")[0][0])
        equal(len(daemon.read()["events"]), daemon.total())


main()
