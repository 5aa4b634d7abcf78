"""A daemon whose address space is limited (RLIMIT_AS), and one whose threads can't be made.

Bodies and answers larger than what is left: 503 or the end of that connection, and the daemon goes on;
nothing acknowledged is lost.
"""

import collections
import gzip
import http.client
import json
import os
import resource
import threading

from allocations import FOREVER, THREADS, Memory
from harness import (BRIEF, BROKEN, FAULTY, NOW, SANITIZED, Daemon, Skip, batch, case, equal, event, main, poll, run)

MIB = 1 << 20


def limited(size, **options):
    """A daemon that may have so many bytes of address space more than it has when it is ready."""
    daemon = Daemon(hold="200ms", cache_bytes="512M", max_body="32M", max_inflated="256M", **options)
    with open("/proc/%d/statm" % daemon.pid) as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.prlimit(daemon.pid, resource.RLIMIT_AS, (used + size, resource.RLIM_INFINITY))
    return daemon


class Client(threading.Thread):
    """Sends large bodies and reads large windows, on connections of its own."""

    def __init__(self, daemon, number):
        super().__init__()
        self.daemon, self.number = daemon, number
        self.acked, self.answers, self.trouble = [], collections.Counter(), None

    def run_rounds(self):
        for turn in range(12):
            numbers = [self.number * 10**7 + turn * 1000 + n for n in range(300)]
            texts = [event(NOW + n, n, payload='"%s"' % ("x" * 4000)) for n in numbers]
            body = batch(texts)
            packed = turn % 2 == 1
            answer = self.ask("POST", "/_tracker/events", {"Content-Encoding": "gzip"} if packed else {},
                              gzip.compress(body, 1) if packed else body)
            if answer is not None and answer.status == 200:
                equal(answer.json()["saved"], 300)
                self.acked += numbers
            answer = self.ask("GET", "/_tracker?limit=2000", {"Accept-Encoding": "gzip"} if packed else {}, None)
            if answer is not None and answer.status == 200:
                equal(len(json.loads(answer.plain())["events"]) <= 2000, True)

    def ask(self, method, target, headers, body):
        try:
            answer = self.daemon.request(method, target, headers, body)
        except (http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionRefusedError, *BROKEN) as error:
            self.answers[type(error).__name__] += 1
            return None
        assert answer.status in (200, 503), answer
        self.answers[answer.status] += 1
        return answer

    def run(self):
        try:
            self.run_rounds()
        except Exception as error:
            self.trouble = error


@case
def with_little_address_space_it_refuses_and_goes_on():
    if SANITIZED:
        raise Skip("a sanitizer takes terabytes of address space")
    for size in (2,) if BRIEF else (2, 4, 8, 16, 32, 64):
        daemon = limited(size * MIB)
        clients = [Client(daemon, n) for n in range(1, 6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        equal([c.trouble for c in clients if c.trouble], [], "%d MiB" % size)
        assert daemon.alive(), daemon.log_tail()
        answers = sum((c.answers for c in clients), collections.Counter())
        print("# %d MiB more: %s" % (size, dict(answers)), flush=True)
        resource.prlimit(daemon.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        poll(lambda: daemon.post([event(NOW)]).status == 200, "ingest, with memory again")
        stored = collections.Counter(n for n, in daemon.sql("select json_extract(event, '$.n') from events"))
        for client in clients:
            equal([n for n in client.acked if stored[n] != 1][:5], [], "acknowledged")
        equal([n for n, count in stored.items() if count > 1][:5], [], "stored twice")
        equal(daemon.total(), sum(stored.values()))
        daemon.stop()


@case
def threads_that_can_t_be_made_end_a_start_and_refuse_a_command():
    memory = Memory()
    started = 0
    for first in range(1, 40):
        memory.arm(THREADS, first)
        daemon = Daemon(program=FAULTY, env=memory.env, ready=False)
        try:
            daemon.wait_log(r" ready$")
        except AssertionError:
            equal(memory.clear(), 1)
            equal(daemon.ended(), 1, "exit code, after %r" % daemon.log())
            assert "thread" in daemon.log()[-1], daemon.log()
            continue
        if memory.clear() == 0:
            break
        started += 1
        daemon.stop()
    assert first > 4, "threads of a start: %d" % first
    print("# %d threads, %d of them dispensable" % (first - 1, started))
    # Later, each session of the control socket wants one.
    daemon.wait_ready()
    daemon.save([event(NOW - 10**11)])
    prune = ("prune", "--before", "2026-01-01", "--database", daemon.database)
    with memory.failing(THREADS, 1, FOREVER):
        done = run(*prune)
        equal((done.returncode, bool(done.stderr)), (1, True), "with no thread: %r" % done.stderr)
        equal(daemon.get("/health").status, 200)
    equal(run(*prune).returncode, 0)
    daemon.stop()


if __name__ == "__main__":
    main()
