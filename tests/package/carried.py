"""A database is carried between machines: what one program has written another one goes on with, receipts
included, and the first one again. BEACOND is the one program, BEACOND_OTHER the other, built for another
processor; tests/package/cross.sh runs this."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

import harness  # noqa: E402
from harness import NOW, Daemon, Rows, case, directory, equal, event, main, run  # noqa: E402

HERE, OTHER = harness.BINARY, os.path.abspath(os.environ["BEACOND_OTHER"])


def sent(daemon, texts, saved, duplicate):
    answer = daemon.post(texts)
    equal((answer.status, answer.json()), (200, {"ok": True, "saved": saved, "rejected": 0, "duplicate": duplicate}))


def journey(first, second, crash):
    visit = [event(NOW + n // 3, n) for n in range(200)]
    burst = [event(NOW, 7)] * 50
    home = directory()
    path, log = os.path.join(home, "beacond.db"), os.path.join(home, "shop.log")
    with open(log, "wb") as file:
        file.write(b"\n".join(event(NOW + 5000 + n, n) for n in range(100)) + b"\n")

    def imported(total):
        done = run("import", "--database", path, log)
        equal(done.returncode, 0, repr(done.stderr))
        daemon = Daemon(database=path)
        equal(daemon.total(), total, "imported")
        return daemon

    def left(daemon):
        (daemon.crash if crash else daemon.stop)()

    harness.BINARY = first
    daemon = Daemon(database=path)
    sent(daemon, visit[:100], 100, 0)
    sent(daemon, burst, 50, 0)
    sent(daemon, [event(NOW, 1, "own id")], 1, 0)
    left(daemon)
    daemon = imported(251)
    before = daemon.get("/_tracker").json()["events"]
    left(daemon)

    harness.BINARY = second
    daemon = Daemon(database=path)
    equal(daemon.get("/_tracker").json()["events"], before, "what is read")
    sent(daemon, visit[:100], 100, 100)  # a retry, by what the other one has noted
    sent(daemon, visit, 200, 100)        # and one with newer events behind it
    sent(daemon, [event(NOW, 1, "own id")], 1, 1)
    equal(daemon.total(), 351)
    left(daemon)
    daemon = imported(351)  # the same file again
    left(daemon)
    checked = run("check", "--database", path)
    equal(checked.returncode, 0, repr(checked.stdout + checked.stderr))

    harness.BINARY = first
    daemon = Daemon(database=path)
    sent(daemon, visit, 200, 200)        # what the other one has noted
    equal(daemon.total(), 351)
    daemon.stop()
    checked = run("check", "--database", path)
    equal(checked.returncode, 0, repr(checked.stdout + checked.stderr))


@case
def one_goes_on_where_the_other_has_stopped():
    rows = Rows()
    for name, first, second in (("from here and back", HERE, OTHER), ("from there and back", OTHER, HERE)):
        with rows(name):
            journey(first, second, crash=False)
    rows.check()


@case
def one_goes_on_where_the_other_was_killed():
    rows = Rows()
    for name, first, second in (("from here and back", HERE, OTHER), ("from there and back", OTHER, HERE)):
        with rows(name):
            journey(first, second, crash=True)
    rows.check()


main()
