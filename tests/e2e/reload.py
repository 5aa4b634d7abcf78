"""SIGHUP: all or nothing, what needs a restart, at any time, again and again."""

import os
import re
import signal

from harness import SLOW, Daemon, Rows, case, directory, equal, event, main, poll, run
from reloading import EVENTS, Configured, manual, sized, status


# --- what does not change ---------------------------------------------------------------------

@case
def what_needs_a_restart_is_named_and_stays_as_it_is():
    first = {"listen": "127.0.0.1:0"}
    daemon, rows = Configured(first, listen=[]), Rows()
    other = {"listen": "127.0.0.1:1", "admin-listen": "127.0.0.1:2", "prefix": "/elsewhere", "threads": 3,
             "readers": 5, "receipts-size": "1M", "cache-events": 5, "cache-bytes": "1M", "synchronous": "off",
             "log-format": "json", "node": "other"}
    for name, value in other.items():
        with rows(name):
            equal(daemon.reload(dict(first, **{name: value})), "reloaded: files read anew, no option has changed")
            daemon.wait_log(r" warn  needs a restart: %s$" % name)
            equal(daemon.reload(first), "reloaded: files read anew, no option has changed")
    rows.check()
    equal(daemon.reload(dict(other, **{"max-body": "2M"})), "reloaded: max-body")
    daemon.wait_log(r" needs a restart: listen, admin-listen, prefix, .*synchronous, log-format$")
    daemon.save([event()])  # where it was, under the prefix that it had
    equal(daemon.get("/elsewhere").status, 404)
    equal(set(manual()[1]) - set(other), {"database"})


@case
def flags_and_environment_stay_above_the_file():
    daemon = Configured({"max-body": "1M"}, max_events=7, env={"BEACOND_MAX_DEPTH": "9"})
    equal(daemon.reload({"max-body": "2M", "max-events": 3, "max-depth": 4}), "reloaded: max-body")


@case
def without_a_file_nothing_changes():
    daemon = Daemon()
    daemon.signal(signal.SIGHUP)
    daemon.wait_log(r" info  reloaded: files read anew, no option has changed$")


@case
def a_stricter_log_level_is_told_and_holds_afterwards():
    daemon = Configured({"log-level": "info"})
    equal(daemon.reload({"log-level": "error"}), "reloaded: log-level")
    daemon.write({"log-level": "error", "max-body": "2M"})
    daemon.signal(signal.SIGHUP)
    poll(lambda: daemon.post([sized(3000000)]).status == 413, "the limit")
    equal(daemon.reload({"log-level": "warn", "max-body": "no size"})[:12], "not reloaded")
    equal(daemon.reload({"log-level": "info"}), "reloaded: max-body, log-level")
    equal(len(daemon.verdicts()), 3)


# --- all or nothing ---------------------------------------------------------------------------

GOOD = {"app-id": "good", "log-level": "info"}
OTHER = {"app-id": "bad", "max-depth": 7, "log-level": "debug"}


def spoil(daemon, name):
    """Makes the files wrong; returns what the log must hold."""
    if name == "a bad value":
        daemon.write(dict(OTHER, **{"max-body": "8 apples"}), ["beta"])
        return r'beacond.conf:4: max-body: expected a size such as 8M, got "8 apples"'
    if name == "an unknown option":
        daemon.write(dict(OTHER, colour="red"), ["beta"])
        return r'beacond.conf:4: there is no option "colour"'
    if name == "a value out of range":
        daemon.write(dict(OTHER, timeout="1ms"), ["beta"])
        return r"beacond.conf:4: timeout: expected 100ms to 1d"
    if name == "a contradiction":
        daemon.write(dict(OTHER, **{"max-receiving": "1M"}), ["beta"])
        return r"max-receiving: expected max-body at least"
    if name == "one proxy option without the other":
        daemon.write(dict(OTHER, **{"trusted-proxy": "127.0.0.1"}), ["beta"])
        return r"trusted-proxy and proxy-header: expected both or neither"
    if name == "a key twice":
        daemon.write(OTHER, ["beta", "beta:query"])
        return r"the same key is given twice"
    if name == "a bad key":
        daemon.write(OTHER, ["beta:evrything"])
        return r"/keys:1: behind a key's ':' stands ingest, query or ingest,query"
    if name == "no key file":
        daemon.write(OTHER, ["beta"])
        os.unlink(daemon.key_file)
        return r"key-file: .*/keys: No such file"
    if name == "a directory as key file":
        daemon.write(dict(OTHER, **{"key-file": directory()}))
        return r"key-file: .*: Is a directory"
    if name == "a pipe as key file":
        pipe = os.path.join(directory(), "pipe")
        os.mkfifo(pipe)
        daemon.write(dict(OTHER, **{"key-file": pipe}))
        return r"key-file: .*/pipe: a pipe can be read once only"
    if name == "a key file that may not be read":
        daemon.write(OTHER, ["beta"])
        if os.geteuid() == 0:  # nothing is unreadable to root but what is no file
            os.unlink(daemon.key_file)
            os.symlink(daemon.key_file, daemon.key_file)
            return r"key-file: .*/keys: Too many levels of symbolic links"
        os.chmod(daemon.key_file, 0)
        return r"key-file: .*/keys: Permission denied"
    if name == "no config file":
        os.unlink(daemon.config)
        return r"config: .*/beacond.conf: No such file"
    if name == "a directory as config file":
        os.unlink(daemon.config)
        os.mkdir(daemon.config)
        return r"config: .*/beacond.conf: Is a directory"
    raise AssertionError(name)


BAD = ["a bad value", "an unknown option", "a value out of range", "a contradiction",
       "one proxy option without the other", "a key twice", "a bad key", "no key file",
       "a directory as key file", "a pipe as key file", "a key file that may not be read", "no config file",
       "a directory as config file"]


@case
def an_error_keeps_all_that_was_and_says_why():
    daemon, rows = Configured(GOOD, ["alpha"]), Rows()
    for name in BAD:
        with rows(name):
            expected = spoil(daemon, name)
            verdict = daemon.hang_up()
            assert verdict.startswith("not reloaded, all stays as it was: "), verdict
            assert re.search(expected, verdict), verdict
            equal(daemon.get("/health").json()["appId"], "good")
            equal([status(daemon, headers={"X-Tracker-Key": k}) for k in ("alpha", "beta")], [200, 401])
            daemon.post([event(payload="[" * 20 + "]" * 20)], headers={"X-Tracker-Key": "alpha"})
            if "pipe" not in name:  # check-config says the same, but for what a start may wait for
                done = run("check-config", "--config", daemon.config)
                equal(done.returncode, 78)
                equal("beacond: " + verdict.split(": ", 1)[1] + "\n", done.stderr.decode())
        if os.path.isdir(daemon.config):
            os.rmdir(daemon.config)
        if os.path.islink(daemon.key_file):
            os.unlink(daemon.key_file)
        daemon.write(GOOD, ["alpha"])
    rows.check()
    equal(daemon.sql("select count(*) from rejects"), [(0,)])
    assert not any(" debug " in line for line in daemon.log())
    equal(daemon.hang_up(), "reloaded: files read anew, no option has changed")
    equal(daemon.reload(OTHER, ["beta"]), "reloaded: app-id, key, max-depth, log-level")


@case
def keys_that_an_address_in_use_needs_do_not_go():
    """The file is in order by itself: without keys it listens on this machine alone. But the daemon
    still listens elsewhere."""
    wide = {"listen": "0.0.0.0:0"}
    daemon = Configured(wide, ["alpha"], listen=[])
    verdict = daemon.reload({"listen": "127.0.0.1:0"}, [])
    assert "listen: other machines can reach 0.0.0.0:0 and there is no key" in verdict, verdict
    assert verdict.endswith("what needs a restart counts as it is"), verdict
    equal(daemon.reload(dict(wide, **{"allow-keyless": "yes"}), []), "reloaded: key, allow-keyless")


# --- at any time ------------------------------------------------------------------------------

@case
def a_hangup_while_it_starts_or_ends_is_harmless():
    daemon = Daemon(ready=False)
    poll(lambda: int(re.search(r"SigBlk:\s*(\w+)", open("/proc/%d/status" % daemon.pid).read()).group(1), 16) & 1,
         "main() to be reached")
    for _ in range(20):
        daemon.signal(signal.SIGHUP)
    daemon.wait_log(r" ready$")
    daemon.wait_log(r" reloaded: files read anew, no option has changed$")
    daemon.address = re.search(r" listening on (\S+)$", daemon.wait_log(r" listening on ")).group(1)
    unfinished = daemon.wire()
    unfinished.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{" % EVENTS.encode())
    daemon.get("/health")
    daemon.signal(signal.SIGTERM)
    daemon.wait_log(r" signal 15: finishing$")
    daemon.signal(signal.SIGHUP)
    daemon.wait_log(r" finishing: nothing is reloaded any more$")
    unfinished.send(b"}")
    equal(unfinished.response().status, 400)
    daemon.ended(0)


@case
def two_hundred_reloads_take_no_memory():
    keys = ["key-%04d" % n for n in range(200)]
    daemon = Configured({}, keys + ["alpha"])
    headers = {"X-Tracker-Key": "alpha"}
    daemon.post([event()], headers=headers)

    def turn(n):
        daemon.reload({"allow-origin": ["https://%d-%d.example" % (n, m) for m in range(100)], "max-body": "%dM" % (1 + n % 7)},
                      [key for key in keys if int(key[-1]) != n % 10] + ["alpha"])
        equal(status(daemon, headers=headers), 200)

    for n in range(30):
        turn(n)
    before = daemon.rss()
    for n in range(200 if not SLOW else 30):
        turn(n)
    if not SLOW:
        grown = daemon.rss() - before
        assert grown < 1 << 20, "grown by %d bytes" % grown
    assert not any(re.search(r"key-\d{4}|alpha", line) for line in daemon.log()), "a key in the log"


main()
