"""A service manager's part, for systemd.py: NOTIFY_SOCKET, LISTEN_FDS, JOURNAL_STREAM.

Manager listens for what the daemon notifies. activated() and journaled() give what the harness'
Daemon takes as its before= and pass_fds=.
"""

import os
import socket
import sys
import threading

from harness import Daemon, directory, poll

# Becomes the daemon: argv is descriptors, names, --, command. LISTEN_PID must be the daemon's own.
_ACTIVATE = """
import fcntl, os, sys
at = sys.argv.index("--")
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[2:at]]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)))
if sys.argv[1]:
    os.environ["LISTEN_FDNAMES"] = sys.argv[1]
os.execv(sys.argv[at + 1], sys.argv[at + 1:])
"""

_JOURNAL = """
import os, sys
info = os.fstat(2)
os.environ["JOURNAL_STREAM"] = "%d:%d" % (info.st_dev, info.st_ino + int(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
"""


def activated(sockets, names=""):
    """sockets: anything with a fileno()."""
    fds = [s.fileno() for s in sockets]
    return {"before": [sys.executable, "-c", _ACTIVATE, names, *map(str, fds), "--"], "pass_fds": fds}


def journaled(off=0):
    return {"before": [sys.executable, "-c", _JOURNAL, str(off)]}


class Manager:
    """Receives notifications. messages: (name, value), in order."""

    def __init__(self):
        self.path = os.path.join(directory(), "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while True:
            for line in self.socket.recv(65536).decode().split("\n"):
                name, _, value = line.partition("=")
                self.messages.append((name, value))

    def daemon(self, watchdog_ms=0, **more):
        env = {"NOTIFY_SOCKET": self.path}
        if watchdog_ms:
            env["WATCHDOG_USEC"] = str(watchdog_ms * 1000)
        env.update(more.pop("env", {}))
        return Daemon(env=env, **more)

    def all(self, name):
        return [value for key, value in list(self.messages) if key == name]

    def wait(self, name, value="", since=0):
        """The place of the first such message, whose value holds value, from place since on."""
        def found():
            for i, (key, got) in enumerate(self.messages[since:], since):
                if key == name and value in got:
                    return i + 1
            return None
        return poll(found, "%s=%s; there was %r" % (name, value, self.messages[-5:])) - 1

    def count_from(self, place, name):
        return sum(key == name for key, _ in self.messages[place:])
