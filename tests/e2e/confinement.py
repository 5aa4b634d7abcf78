"""The restrictions of contrib/systemd/beacond.service without systemd: bubblewrap makes the file
system, the user and the namespaces, and the seccomp filter is made of the unit's own lines. A call
that the unit forbids kills the daemon here (under systemd it fails), so a test can't overlook it.

before(directory) gives what Confined takes as its before=.
"""

import os
import re
import shutil
import signal
import subprocess

from harness import BINARY, SANITIZED, Daemon, Skip, directory

UNIT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                    "contrib", "systemd", "beacond.service.in")

# Reads names of system calls and of address families; writes the program. Debian's python3-seccomp
# is a module of Debian's own python3.
_FILTER = r"""
import sys, socket
from seccomp import *
calls, families = sys.stdin.readline().split(), sys.stdin.readline().split()
f = SyscallFilter(defaction=KILL_PROCESS)
SPACES = 0x7e020080  # CLONE_NEW…, RestrictNamespaces=
special = {"socket", "mmap", "mprotect", "pkey_mprotect", "clone", "clone3", "unshare", "setns",
           "chmod", "fchmod", "fchmodat", "personality"}
for call in calls:
    if call not in special:
        try:
            f.add_rule(ALLOW, call)
        except RuntimeError:
            pass  # not of this machine
for family in families:
    f.add_rule(ALLOW, "socket", Arg(0, EQ, getattr(socket, family)))
# MemoryDenyWriteExecute=: what can be written is not run.
for protection in (0, 2, 4):
    f.add_rule(ALLOW, "mmap", Arg(2, MASKED_EQ, 6, protection))
f.add_rule(ALLOW, "mprotect", Arg(2, MASKED_EQ, 4, 0))
f.add_rule(ALLOW, "clone", Arg(0, MASKED_EQ, SPACES, 0))
f.add_rule(ERRNO(38), "clone3")  # as systemd does: its flags can't be seen
# RestrictSUIDSGID=
f.add_rule(ALLOW, "chmod", Arg(1, MASKED_EQ, 0o6000, 0))
f.add_rule(ALLOW, "fchmod", Arg(1, MASKED_EQ, 0o6000, 0))
f.add_rule(ALLOW, "fchmodat", Arg(2, MASKED_EQ, 0o6000, 0))
f.export_bpf(sys.stdout)
"""

# What the filter above stands for: a unit that loses one of these must not pass unseen.
_NEEDED = {"MemoryDenyWriteExecute": "yes", "RestrictNamespaces": "yes", "RestrictSUIDSGID": "yes",
           "LockPersonality": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
           "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
           "CapabilityBoundingSet": "", "User": "_beacond"}


def unit():
    """The unit's settings: name → values in order."""
    settings = {}
    with open(UNIT, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"([A-Za-z]+)=(.*)", line.rstrip("\n"))
            if match:
                settings.setdefault(match.group(1), []).append(match.group(2))
    return settings


def _run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more)


def _expand(name, seen):
    """The system calls of a set."""
    if not name.startswith("@"):
        return {name}
    if name in seen:
        return set()
    seen.add(name)
    names = set()
    for line in _run("systemd-analyze", "syscall-filter", name, text=True).stdout.splitlines():
        line = line.strip()
        if re.match(r"[@a-z_]", line) and line != name:
            names |= _expand(line, seen)
    return names


def allowed(settings):
    """As systemd reads SystemCallFilter=: the first line says that it is a list of what is allowed,
    to which @default belongs always."""
    lines = settings["SystemCallFilter"]
    assert lines and not lines[0].startswith("~"), lines
    calls = _expand("@default", set())
    for line in lines:
        for name in line.lstrip("~").split():
            calls = calls - _expand(name, set()) if line[0] == "~" else calls | _expand(name, set())
    return calls


def _program(path):
    settings = unit()
    for name, value in _NEEDED.items():
        assert settings.get(name) == [value], "%s=%s is not in the unit" % (name, value)
    text = "%s\n%s\n" % (" ".join(sorted(allowed(settings))),
                         " ".join(settings["RestrictAddressFamilies"][0].split()))
    with open(path, "wb") as file:
        file.write(_run("/usr/bin/python3", "-c", _FILTER, input=text.encode()).stdout)
    return os.path.getsize(path)


def _children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(child) for child in file.read().split()]


class Confined(Daemon):
    """bwrap is the process that was started; the daemon is the one at the end of its children."""

    def inner(self):
        pid = self.pid
        while children := _children(pid):
            pid = children[0]
        return pid

    def signal(self, number=signal.SIGTERM):
        os.kill(self.inner(), number)


def before(state):
    """Skips with the reason where that can't be had. state: the one directory that is written to."""
    if SANITIZED:
        raise Skip("a sanitizer makes calls of its own")
    for program in ("bwrap", "systemd-analyze"):
        if not shutil.which(program):
            raise Skip("no " + program)
    if subprocess.run(["/usr/bin/python3", "-c", "import seccomp"], capture_output=True).returncode:
        raise Skip("no python3-seccomp")
    program = os.path.join(directory(), "filter")
    assert _program(program) > 0
    # ProtectSystem, PrivateDevices, ProtectProc, ProtectHome, PrivateTmp; User, PrivateUsers,
    # CapabilityBoundingSet. The binary may be below what is hidden.
    command = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
               "--tmpfs", "/home", "--tmpfs", "/root", "--tmpfs", "/tmp", "--ro-bind", BINARY, BINARY,
               "--bind", state, state, "--chdir", state,
               "--unshare-user", "--uid", "65534", "--gid", "65534", "--unshare-pid", "--unshare-ipc",
               "--unshare-uts", "--cap-drop", "ALL", "--die-with-parent"]
    tried = subprocess.run([*command, "--", "/bin/true"], capture_output=True, text=True)
    if tried.returncode:
        raise Skip("bwrap may not: " + tried.stderr.strip())
    # A descriptor is passed by a shell, so that the harness need not know of it.
    return ["/bin/sh", "-c", 'program=$1; shift; exec "$@" 9<"$program"', "sh", program,
            *command, "--seccomp", "9", "--"]
