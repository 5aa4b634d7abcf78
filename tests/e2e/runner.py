"""Runs the cases of a test program, as harness.py says, which is what tests import.

  BEACOND       the binary, default ./src/beacond
  BEACOND_SLOW  1: the daemon runs under valgrind or something like it
  BEACOND_TEST_BRIEF  1: the first case of each program alone

What a case starts goes into `daemons`: it has alive, finish, kill, log_tail, pid, and _done once its end is no failure.
What those need, and ends behind them, says so by behind().
"""

import atexit
import contextlib
import ctypes
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

BINARY = os.path.abspath(os.environ.get("BEACOND", "./src/beacond"))
libc = ctypes.CDLL(None, use_errno=True)


def _sanitized():
    try:
        with open(BINARY, "rb") as file:
            return re.search(rb"__(asan|tsan|msan)_init", file.read()) is not None
    except OSError:
        return False


SANITIZED = _sanitized()
SLOW = os.environ.get("BEACOND_SLOW", "") not in ("", "0") or SANITIZED
BRIEF = os.environ.get("BEACOND_TEST_BRIEF", "") == "1"
PATIENCE = 300 if SLOW else 60  # seconds until something that must happen has not happened. Only a failure takes them

sys.setrecursionlimit(20000)
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)


class Skip(Exception):
    """Raised by a case that can't run here; the text says why."""


def scale(normal, slow):
    return slow if SLOW else normal


def poll(fact, what, patience=None):
    """Calls fact() until it returns something true, which is returned. The death of a daemon that
    nobody has ordered ends the wait."""
    deadline = time.monotonic() + (patience or PATIENCE)
    while True:
        value = fact()
        if value:
            return value
        for daemon in daemons:
            if not daemon._done and not daemon.alive():
                raise Grave("waiting for: %s; the daemon has died" % what)
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain for: " + what)
        time.sleep(0.005)


def becomes(look, expected, what=""):
    """Waits until look() gives what is expected: for facts that come true one after the other, such as the
    figures of one event. What it gave last is told in vain."""
    got = []
    try:
        poll(lambda: got.append(look()) or got[-1] == expected, what)
    except AssertionError:
        equal(got[-1], expected, what or "waited in vain")
        raise


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError("%s: got %s, expected %s" % (what, short(got), short(expected)))


class Rows:
    """Goes through a table to its end and fails once, with every row that failed:
    `with rows(name): …` around each."""

    def __init__(self):
        self.failed = []

    @contextlib.contextmanager
    def __call__(self, name):
        try:
            yield
        except Skip:
            raise
        except Exception as error:
            self.failed.append("%s: %s" % (name, error or type(error).__name__))

    def check(self):
        if self.failed:
            shown = self.failed[:40]
            raise AssertionError("%d rows:\n%s" % (len(self.failed), "\n".join(shown)))


def short(value):
    text = repr(value)
    return text if len(text) <= 600 else text[:400] + " … " + text[-150:]


# --- the runner -------------------------------------------------------------------------------

_cases = []
_tries = {}        # of a case, where they are more than one
daemons = []       # started in the current case
_behind = []       # what is to be ended behind them
_directories = []
_logs = []         # what is shown besides when a case fails


def shows(log):
    """Has log() shown when a case fails."""
    _logs.append(log)


def behind(end):
    """Has end() called when the daemons of the current case have ended."""
    _behind.append(end)


def case(function):
    _cases.append(function)
    return function


def case_of_time(function):
    """A case that can only be played in time: something must be sent, or answered, before a short deadline
    of the daemon's, and a machine that is busy with other things may take longer. It may be played three
    times; what is broken fails in each. A sanitizer's report or a daemon's death are never passed over."""
    _tries[function] = 3
    return case(function)


_grave = []  # of the present try


class Grave(Exception):
    """What no further try makes good, whoever catches it."""

    def __init__(self, what):
        super().__init__(what)
        _grave.append(what)


def main(prepare):
    """Runs the cases, prepare(those chosen) before. Exits 0 when none failed, 1 otherwise."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    if not os.access(BINARY, os.X_OK):
        print("Bail out! no binary at %s (set BEACOND)" % BINARY, flush=True)
        sys.exit(1)
    words = sys.argv[1:]
    chosen = [f for f in _cases if not words or any(w in f.__name__ for w in words)]
    if BRIEF and not words:
        chosen = chosen[:1]
    try:
        prepare(chosen)
    except Skip as reason:
        print("1..0 # SKIP %s" % reason, flush=True)
        sys.exit(0)
    print("1..%d" % len(chosen), flush=True)
    failed = 0
    for number, function in enumerate(chosen, 1):
        verdict, why = _run(function)
        failed += verdict == "not ok"
        name = function.__name__.replace("_", " ")
        print("%s %d - %s%s" % (verdict, number, name, " # SKIP " + why if why else ""), flush=True)
    sys.exit(1 if failed else 0)


def _run(function):
    for left in reversed(range(_tries.get(function, 1))):
        trouble, skip = _play(function)
        if left == 0 or not trouble or _grave:
            break
        print("# not in time, once more: " + trouble[0].splitlines()[-1].encode("ascii", "replace").decode(), flush=True)
    if trouble:
        for line in "\n".join(trouble).splitlines():
            print("# " + line.encode("ascii", "backslashreplace").decode())
        return "not ok", ""
    return "ok", skip


def _play(function):
    """What went wrong (nothing: an empty list), and why it was skipped."""
    trouble, skip = [], ""
    del _grave[:]
    try:
        function()
    except Skip as reason:
        skip = str(reason)
    except Exception:
        trouble.append(traceback.format_exc())
    for daemon in list(daemons):
        try:
            daemon.finish()
        except Exception as error:
            trouble.append("at the end: %s" % error)
        if trouble:
            trouble.append("log of %s:\n%s" % (daemon.pid, daemon.log_tail()))
    if trouble:
        trouble += [log() for log in _logs]
    _clean()
    return trouble, skip


@atexit.register
def _clean():
    for daemon in daemons:
        daemon.kill()
    del daemons[:]
    while _behind:
        _behind.pop()()
    for directory in _directories:
        shutil.rmtree(directory, ignore_errors=True)
    del _directories[:]


def directory():
    """A directory of this case's own."""
    path = tempfile.mkdtemp(prefix="beacond-e2e-")
    _directories.append(path)
    return path


def forget(path):
    """Takes a directory away before its case has ended."""
    _directories.remove(path)
    shutil.rmtree(path, ignore_errors=True)
