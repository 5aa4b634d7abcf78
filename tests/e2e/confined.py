"""The daemon under the restrictions of its systemd unit: all it does works, and it does nothing that
the unit forbids."""

import os
import signal
import subprocess

import confinement
from harness import begin, case, directory, equal, event, finish, main, poll
from sockets import Socket


def confined(**options):
    state = directory()
    return confinement.Confined(before=confinement.before(state), database=os.path.join(state, "beacond.db"), **options)


def command(daemon, *arguments, **more):
    """A command from outside, which the confined daemon does."""
    code, out, err = finish(begin(arguments[0], "--database", daemon.database, *arguments[1:], **more))
    equal(code, 0, "%s: %s" % (arguments[0], err))
    return out


@case
def everything_works_under_the_units_restrictions():
    daemon = confined(key_file=os.devnull, threads=2, hold="20s")
    with open("/proc/%d/status" % daemon.inner()) as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    equal((status["Seccomp"], status["NoNewPrivs"], status["CapBnd"].strip("0")), ("2", "1", ""))
    # Ingest, plain and gzip; reads, plain, gzip, cached and not; a page.
    daemon.save([event() for _ in range(2000)])
    daemon.save([event() for _ in range(500)], packed=True)
    equal(daemon.read()["total"], 2500)
    equal(len(daemon.get("/_tracker", Accept_Encoding="gzip").plain()) > 100000, True)
    equal(daemon.read("limit=3&since=2020-01-01T00:00:00Z")["limit"], 3)
    # A body of lines, a WebSocket with pushes.
    equal(daemon.request("POST", "/_tracker/events", {"Content-Type": "application/x-ndjson"},
                         b"\n".join(event() for _ in range(100))).status, 200)
    client = Socket(daemon, offer=True)
    equal(client.ask()["total"], 2600)
    client.save([event()]).wait_pushes(1)
    client.close()
    # What commands have it do through the control socket.
    command(daemon, "backup", os.path.join(os.path.dirname(daemon.database), "copy.db"))
    lines = os.path.join(daemon.directory, "lines.jsonl")
    with open(lines, "wb") as file:
        file.write(b"".join(event(id="line-%d" % n) + b"\n" for n in range(300)))
    command(daemon, "import", lines)
    equal(daemon.total(), 2901)
    command(daemon, "forget", "--session", "nobody")
    command(daemon, "prune", "--before", "2020-01-01T00:00:00Z")
    command(daemon, "check")
    command(daemon, "stats")
    # The WAL is put back when nothing comes, and at the end.
    poll(lambda: os.path.getsize(daemon.database + "-wal") == 0, "a checkpoint")
    daemon.stop()
    equal(daemon.log()[-1].split()[-1], "stopped")


@case
def it_starts_again_and_listens_on_a_unix_socket():
    state = directory()
    before = confinement.before(state)
    path = os.path.join(state, "http.sock")
    for number in range(2):
        daemon = confinement.Confined(before=before, database=os.path.join(state, "beacond.db"), listen="unix:" + path)
        daemon.save([event()])
        equal(daemon.total(), number + 1)
        daemon.stop()


@case
def what_the_unit_forbids_ends_the_process_here():
    """The confinement itself: otherwise the cases above prove nothing."""
    state = directory()
    before = confinement.before(state)
    def outcome(*program):
        return subprocess.run([*before, *program], capture_output=True).returncode
    equal(outcome("/bin/true"), 0)
    touch = [outcome("/bin/touch", path) == 0 for path in (os.path.join(state, "x"), "/etc/x", "/usr/x")]
    equal(touch, [True, False, False])
    python = "/usr/bin/python3"
    killed = 128 + signal.SIGSYS
    equal(outcome(python, "-c", "import os; os.sched_setaffinity(0, {0})"), killed, "@resources")
    equal(outcome(python, "-c", "import socket; socket.socket(socket.AF_NETLINK)"), killed)
    equal(outcome(python, "-c", "import os; os.chmod('.', 0o4700)"), killed)
    equal(outcome(python, "-c", "import mmap; mmap.mmap(-1, 4096, prot=7)"), killed)
    equal(outcome(python, "-c", "import os; os.chroot('.')"), killed, "@privileged")


main(of_files=True)
