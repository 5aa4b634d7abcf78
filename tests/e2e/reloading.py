"""A daemon with a config file and a key file, told by SIGHUP to read them anew."""

import os
import re
import signal

from harness import Daemon, directory, event, poll

MANUAL = os.path.join(os.environ.get("srcdir", "."), "man", "beacond.conf.5")
EVENTS = "/_tracker/events"
VERDICT = re.compile(r" (reloaded: |not reloaded, )")


class Configured(Daemon):
    """options and keys are written to files of its own; flags go to the command line. A list in
    options is a repeated line."""

    def __init__(self, options=None, keys=None, **flags):
        folder = directory()
        self.config, self.key_file = os.path.join(folder, "beacond.conf"), os.path.join(folder, "keys")
        self.write(options or {}, keys)
        super().__init__(config=self.config, **flags)

    def write(self, options, keys=None):
        """keys: those of the key file, which the config file names when there are any."""
        lines = ["%s = %s" % (name.replace("_", "-"), one) for name, value in options.items()
                 for one in (value if isinstance(value, (list, tuple)) else [value])]
        if keys is not None:
            with open(os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write("".join(key + "\n" for key in keys))
            lines.append("key-file = " + self.key_file)
        with open(self.config, "w") as file:
            file.write("".join(line + "\n" for line in lines))

    def verdicts(self):
        return [line.split(" ", 2)[2].strip() for line in self.log() if VERDICT.search(line)]

    def hang_up(self):
        """SIGHUP as things are on the disk; what the log says to it."""
        before = len(self.verdicts())
        self.signal(signal.SIGHUP)
        return poll(lambda: self.verdicts()[before:], "a verdict on SIGHUP")[0]

    def reload(self, options=None, keys=None):
        self.write(options or {}, keys)
        return self.hang_up()


def manual():
    """The options that the manual says SIGHUP changes, and those that need a restart."""
    reloads, restart = set(), set()
    with open(MANUAL) as file:
        for entry in re.split(r"\n(?=\.It Ic )|\n\.S[hs] ", file.read()):
            name = re.match(r"\.It Ic ([a-z-]+) No =", entry)
            if name:
                (restart if "\nNeeds a restart.\n" in entry + "\n" else reloads).add(name.group(1))
    return reloads, restart


def status(daemon, method="GET", target="/_tracker?limit=0", headers=None, body=None, connection=None):
    return daemon.request(method, target, headers, body, connection=connection).status


def sized(bytes, **more):
    return event(payload='"%s"' % ("x" * bytes), **more)
