"""What the soak knows and judges: a ledger of events by their numbers, and figures of the daemon
over time.

What a machine that is busy does to single figures must not decide. So memory is looked at when nobody
asks for anything (a leak raises that, a burst does not), and its growth is the median of the slopes
between all of these rests, by requests and not by time. Other figures are sampled each second, and the
lowest of a stretch of time counts.
"""

import array
import os
import re
import statistics
import threading

import stores
from harness import poll

# What may have become of an event.
UNSENT, DOUBT, ACKED = 0, 1, 2

STRETCHES = 6
NOISE = 8 << 20         # bytes by which memory may differ from one rest to the next without a leak, for
                       # what malloc keeps in pieces; 1 to 4 MiB were seen in 120 s
SLOPE = 4              # bytes a request beside that


class Ledger:
    """Any thread. Of each number: what became of it, when it happened by its own timestamp, whose it is."""

    def __init__(self):
        self.lock = threading.Lock()
        self.states, self.at, self.users, self.seen = bytearray(), array.array("q"), array.array("l"), {}
        self.fading = bytearray()  # these may be erased at any time, before a follower has seen them as well

    def take(self, count, at, user, old):
        """The first of so many new numbers."""
        with self.lock:
            first = len(self.states)
            self.states += bytes(count)
            self.fading += bytes([old]) * count
            self.at.extend([at] * count)
            self.users.extend([user] * count)
            return first

    def note(self, first, count, state):
        with self.lock:
            for n in range(first, first + count):
                self.states[n] = max(self.states[n], state)

    def forget(self, user):
        with self.lock:
            for n, whose in enumerate(self.users):
                if whose == user:
                    self.fading[n] = 1

    def follower(self, name):
        self.seen[name] = bytearray()
        return name

    def saw(self, name, n):
        with self.lock:
            seen = self.seen[name]
            if len(seen) <= n:
                seen += bytes(max(len(self.states), n + 1) - len(seen))
            seen[n] += 1

    def missed(self, times, since=0):
        """Acknowledged events that stand there no time and happened after since. Under the lock."""
        return [n for n, state in enumerate(self.states)
                if state == ACKED and not times[n] and not self.fading[n] and self.at[n] > since]

    def unseen(self, name):
        """How many acknowledged events a follower has not seen yet."""
        with self.lock:
            return len(self.missed(self.seen[name].ljust(len(self.states), b"\0")))

    def check(self, name, times, since):
        """times: how often each number was found. Nothing twice, nothing that was never sent, and nothing
        missed that happened after since."""
        with self.lock:
            times = times.ljust(len(self.states), b"\0")
            twice = [n for n, count in enumerate(times) if count > 1]
            never = [n for n, count in enumerate(times) if count and self.states[n] == UNSENT]
            missed = self.missed(times, since)
        assert not (twice or never or missed), "%s: %d of %d; twice %r, never sent %r, missed %d, such as %r" % (
            name, sum(times), len(times), twice[:5], never[:5], len(missed), missed[:5])

    def acked(self):
        with self.lock:
            return self.states.count(ACKED)


# --- figures ----------------------------------------------------------------------------------

def anonymous(pid):
    """Bytes of memory that no file backs."""
    with open("/proc/%d/smaps_rollup" % pid) as file:
        return int(re.search(r"Anonymous:\s*(\d+) kB", file.read()).group(1)) << 10


class Figures:
    """requests, and of the daemon rss, anonymous, descriptors, threads, wal, database, lines: samples of all."""

    def __init__(self, daemon):
        self.daemon, self.samples, self.rests = daemon, [], {"rss": [], "anonymous": []}

    def sample(self, requests):
        daemon = self.daemon
        self.samples.append({
            "requests": requests, "rss": daemon.rss(), "anonymous": anonymous(daemon.pid),
            "descriptors": len(os.listdir("/proc/%d/fd" % daemon.pid)),
            "threads": len(os.listdir("/proc/%d/task" % daemon.pid)),
            "wal": stores.wal_bytes(daemon.database), "database": 0 if stores.POSTGRES else os.path.getsize(daemon.database),
            "lines": len(daemon.lines)})

    def rest(self, requests, receipts):
        """While nobody asks for anything: what is given back with a delay is given back within some looks.
        receipts: their bytes, which grow to a bound of their own and are no leak."""
        looks = []

        def settled():
            looks.append((self.daemon.rss(), anonymous(self.daemon.pid)))
            return len(looks) >= 200 and min(looks[-100:]) >= min(looks[:-100])

        poll(settled, "memory to be given back")
        for name, sizes in zip(("rss", "anonymous"), zip(*looks)):
            self.rests[name].append((requests, min(sizes) - receipts))

    def most(self, name):
        return max(sample[name] for sample in self.samples)

    def stretches(self, name):
        """(requests, lowest) of each stretch behind the warm-up, which is a third of it all."""
        rest = self.samples[len(self.samples) // 3:]
        size = len(rest) / STRETCHES
        parts = [rest[int(n * size):int((n + 1) * size)] for n in range(STRETCHES)]
        return [(statistics.median(s["requests"] for s in part), min(s[name] for s in part)) for part in parts if part]


def growth(points):
    """The median of the slopes between all of them, and what it comes to from first to last."""
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1:] if b[0] > a[0]]
    slope = statistics.median(slopes) if slopes else 0
    return slope, slope * (points[-1][0] - points[0][0])


def leaks(points):
    slope, grown = growth(points)
    return grown > NOISE + SLOPE * (points[-1][0] - points[0][0])
