"""The other end of memory.c: which allocations of a beacond-faulty fail, and how many there were.

    memory = Memory(); daemon = Daemon(program=FAULTY, env=memory.env)
    with memory.failing(OURS, 3): …     the third allocation of our own code fails, once

TRACE=1 in the environment prints where each one failed to the daemon's log.
"""

import contextlib
import mmap
import os
import struct

from harness import directory

OURS, SQLITE, JANSSON, LIBEVENT, ZLIB, OPENSSL, THREADS = (1 << n for n in range(7))
NAMES = {OURS: "our own", SQLITE: "SQLite", JANSSON: "jansson", LIBEVENT: "libevent", ZLIB: "zlib",
         OPENSSL: "OpenSSL", THREADS: "threads"}
FOREVER = 0
TRACE = int(os.environ.get("TRACE", "0"))


class Memory:
    """One file, for one process at a time."""

    def __init__(self):
        self.path = os.path.join(directory(), "memory")
        with open(self.path, "w+b") as file:
            file.truncate(mmap.PAGESIZE)
            self.map = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.env = {"FAULTY_MEMORY": self.path}
        self.failed_before = 0

    def _put(self, place, value):
        struct.pack_into("<Q", self.map, place * 8, value)

    def _get(self, place):
        return struct.unpack_from("<Q", self.map, place * 8)[0]

    def arm(self, sides, first, run=1):
        """From now on allocations of these sides are counted, and the first-th and what follows it fail,
        `run` of them or FOREVER. first=0 counts alone."""
        self._put(1, 0)
        self._put(2, run)
        self._put(3, TRACE)
        self._put(4, 0)
        self._put(5, 0)
        self._put(0, sides)
        self._put(1, first)

    def clear(self):
        """All succeed again. Returns how many failed."""
        self._put(1, 0)
        self._put(0, 0)
        return self.failed()

    @contextlib.contextmanager
    def failing(self, sides, first, run=1):
        self.arm(sides, first, run)
        try:
            yield self
        finally:
            self.clear()

    @contextlib.contextmanager
    def quiet(self):
        """Nothing fails or is counted meanwhile."""
        sides = self._get(0)
        self._put(0, 0)
        try:
            yield
        finally:
            self._put(0, sides)

    def seen(self):
        return self._get(4)

    def failed(self):
        return self._get(5)
