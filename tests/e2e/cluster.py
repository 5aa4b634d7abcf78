"""What the tests of several beaconds on one PostgreSQL server share (tests/crash/nodes.py, postgres_outages.py): the
nodes, a balancer that gives each connection to one of them at random, and who looks: whether a read behind an
answer holds what was answered for, on whichever node, and whether each event is pushed to whoever watches on
another node, once.

The parts: Cluster · Prober, Listener · check.
"""

import collections
import random
import signal
import threading
import time

import postgres
import psql
from harness import Closed, Daemon, Wire, batch, becomes, equal, lasting_address, run, short, sliced, sql, stamp
from sockets import Cut, Ended, Refused, Socket
from world import NEVER, SEED, STORED, UNKNOWN, Coming, Emitted, World, compare, ledger

HEAD = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
GET = b"GET /_tracker?%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAST_MS = 400 * 86400000  # where visitors are: in no partition of a day, and out of the way of who looks


class Cluster(World):
    """count nodes. Everything that starts or ends one is the main thread's. The server ends with the case."""

    def __init__(self, count, server=None, database=None, **options):
        self.server = server or postgres.server()
        # Pings would keep who waits in vain for a push waiting for ever.
        super().__init__(start=False, **dict(options, threads=2, ping_interval="0s"))
        self.database = database or self.server.database()
        self.dice = random.Random("%d-nodes" % SEED)
        self.addresses = [lasting_address() for _ in range(count)]
        self.nodes = [None] * count  # None: nobody is sent there
        self.outages = True
        self.high = 0                # the highest total that anybody was shown
        for n in range(count):
            self.start_node(n)

    # What clients see.

    def connect(self, other_than=None):
        """To a node at random; another than that one if there is one."""
        wire, _ = self.connect_node(other_than)
        return wire

    def connect_node(self, other_than=None):
        with self.up:
            if not self.up.wait_for(lambda: any(self.nodes) or self.failure, 300) or self.failure:
                raise AssertionError("no node")
            living = [n for n, node in enumerate(self.nodes) if node]
            n = self.dice.choice([n for n in living if n != other_than] or living)
            node = self.nodes[n]
        try:
            return Wire(node.connect()), n
        except OSError:
            with self.up:
                if self.nodes[n] is node and node.over():
                    self.nodes[n] = None
            raise

    # What becomes of the nodes.

    def start_node(self, n, ready=True):
        # A listener's port may be another case's by now: see lasting_address.
        node = Daemon(database=self.database, listen=self.addresses[n], node="node %d" % n, ready=False, **self.options)
        if ready:
            self.await_node(n, node)
        return node

    def await_node(self, n, node):
        node.wait_ready()
        with self.up:
            self.nodes[n], self.addresses[n] = node, node.address
            self.up.notify_all()

    def take_node(self, n):
        with self.up:
            node, self.nodes[n] = self.nodes[n], None
        return node

    def kill_node(self, n, start=True):
        """kill -9, while clients may still be sent there."""
        node = self.nodes[n]
        node.doom()
        node.crash()
        self.take_node(n)
        node.retire()
        self.kills += 1
        if start:
            self.start_node(n)

    def restart_node(self, n):
        """By SIGTERM: everything about the end must be right."""
        node = self.take_node(n)
        node.stop()
        node.retire()
        self.start_node(n)

    def pause_node(self, n, seconds):
        node = self.nodes[n]
        node.signal(signal.SIGSTOP)
        time.sleep(seconds)  # it is late, which is what the others are to bear
        node.signal(signal.SIGCONT)

    def terminate_backends(self):
        """Ends some of the nodes' sessions."""
        self._sessions("pg_terminate_backend(pid)", "and random() < 0.5")

    def backends(self):
        """Process numbers of the nodes' sessions."""
        return [pid for pid, in self._sessions("pid")]

    def _sessions(self, what, which=""):
        name = self.database.split("///")[1].split("?")[0]
        self.server.wait_ready()  # it may be recovering
        return psql.rows(self.server.admin(name), "select %s from pg_stat_activity where datname = ? and "
                         "application_name like 'beacond%%' %s" % (what, which), name)


# --- who looks ----------------------------------------------------------------------------------

class Looker(Coming):
    """Sends events dated within the last day, each second of which is one visit's own."""

    def __init__(self, cluster, number, visits):
        super().__init__(cluster, number, visits)
        self.dice, self.step = random.Random("%d-look-%d" % (SEED, number)), 0
        self.clock = int(time.time()) // 1000 * 1000000 - 80000000 + number * 4000000

    def _leave(self):
        pass

    def _emit(self, session, count):
        self.step += 1
        ms = self.clock + self.step * 1000
        items = [Emitted(('{"id":"","timestamp":"%s","type":"console","sessionId":"%s","payload":{"n":%d}}' % (
            stamp(ms + n), session, n)).encode()) for n in range(count)]
        self.emitted += items
        return ms, items

    def _exchange(self, request, other_than):
        """Sends it to a node, another than that one if there is another. Returns its answer, 200 or 503 (None: none
        came, or not all of it), and which node that was (None: nothing was sent)."""
        n = None
        try:
            wire, n = self.world.connect_node(other_than)
            wire.sock.sendall(request)
            answer = wire.response()
            wire.close()
        except (Closed, OSError):
            return None, n
        except AssertionError as error:
            if "cut short" not in str(error):
                raise
            return None, n
        if answer.status != 200:
            equal(answer.status, 503, repr(answer))
        return answer, n

    def _post(self, items):
        """Sends them, each time to another node, until they are acknowledged. Returns by which node."""
        body, last = batch(item.text for item in items), None
        while not self.world.failure:
            answer, n = self._exchange(HEAD % len(body) + body, last)
            if answer is None:
                verdict = NEVER if n is None else UNKNOWN
            else:
                verdict = STORED if answer.status == 200 else NEVER
            if verdict == STORED:
                equal((answer.json()["saved"], answer.json()["rejected"]), (len(items), 0))
            for item in items:
                item.note(verdict)
            if verdict == STORED:
                self.world.acknowledged()
                return n
            last = last if n is None else n
        return None

    def _read(self, query, other_than=None):
        """The answer of some node, which is there; None: it is over."""
        while not self.world.failure:
            answer, n = self._exchange(GET % query.encode(), other_than)
            if answer is not None and answer.status == 200:
                return answer
            other_than = other_than if n is None else n
        return None


class Prober(Looker):
    """What was acknowledged by one node is read from another; and no total is ever lower than what was
    acknowledged, or shown to anybody, before it was asked for. senders: all who send."""

    def __init__(self, cluster, number, visits, senders=()):
        super().__init__(cluster, number, visits)
        self.senders = senders

    def _visit(self, session):
        ms, items = self._emit(session, self.dice.randrange(1, 6))
        node = self._post(items)
        self._look_at_window(ms, items, node)
        self._look_at_total()

    def _look_at_window(self, ms, items, node):
        answer = self._read("since=%s&until=%s" % (stamp(ms), stamp(ms + 999)), node)
        if answer is None:
            return
        shown = collections.Counter(anonymous(text) for text in sliced(answer.body))
        equal(shown, collections.Counter(item.text for item in items), "read behind the answer")
        equal(answer.json()["total"], len(items), "its total")

    def _look_at_total(self):
        with self.world.up:
            least = self.world.high
        least = max(least, sum(item.least for sender in self.senders for item in list(sender.emitted)))
        answer = self._read("limit=%d" % self.dice.choice([0, 0, 100]))
        if answer is None:
            return
        told = answer.json()
        assert told["total"] >= least, "a total of %d where %d had been acknowledged or shown" % (told["total"], least)
        shown = collections.Counter(anonymous(text) for text in sliced(answer.body))
        with self.world.up:
            self.world.high = max(self.world.high, told["total"])
            for text, count in shown.items():
                self.world.seen[text] = max(self.world.seen[text], count)


class Listener(Looker):
    """Watches on one node and sends to another: each event comes, once, as long as the connection stands."""

    def _visit(self, session):
        try:
            wire, node = self.world.connect_node()
            self._watch(session, Socket(self, wire=wire), node)
        except TimeoutError:
            raise AssertionError("nothing was pushed")
        except (Cut, Ended, Closed, OSError):
            pass
        except Refused as refused:
            equal(refused.answer.status, 503, "at an end")
        except AssertionError as error:
            if "cut short" not in str(error):
                raise

    def host(self, address=None):
        return "localhost"

    def _watch(self, session, one, node):
        try:
            one.query(limit=0)
            if one.json()["type"] == "error":
                return  # the database is away: nothing is followed
            for _ in range(self.dice.randrange(1, 6)):
                _, items = self._emit(session, self.dice.randrange(1, 6))
                if self._post_beside(items, node) is None:
                    return
                wanted = {item.text for item in items}
                while not wanted <= {anonymous(text) for text in one.pushes} and not one.lost:
                    text = one.message()
                    assert one._keep(text), "instead of a push: " + short(text)
                one.sync()
                if one.lost:
                    return  # too slow for all that came, and told so
                twice = [text for text, n in collections.Counter(one.pushes).items() if n > 1]
                equal(twice, [], "pushed twice")
        finally:
            one.wire.close()

    def _post_beside(self, items, node):
        return self._post(items)


def anonymous(text):
    """An event's text with the id taken back."""
    head, rest = text.split(b'"id":"', 1)
    return head + b'"id":""' + rest.split(b'"', 1)[1]


# --- the end ------------------------------------------------------------------------------------

def check(cluster, senders, rejects=0):
    """The ledger, when every client has got its answers; that each node tells the same, and `beacond check`."""
    least, most = ledger(senders)
    for text, count in cluster.seen.items():
        if most[text]:
            least[text] = max(least[text], count)
    for node in cluster.nodes:
        becomes(lambda: node.total() - sql(cluster.database, "select count(*) from events")[0][0], 0, "total by a node")
    for node in cluster.nodes:
        node.stop()
    total = compare(cluster.database, least, most)
    equal(sql(cluster.database, "select count(*) from rejects"), [(rejects,)])
    equal(sql(cluster.database, "select count(*) from nodes where ended is null"), [(0,)], "nodes that have not ended")
    doubtful = sum(most.values()) - sum(least.values())
    print("# %d events stored of %d emitted, %d of them in doubt; %d batches acknowledged, %d kills"
          % (total, sum(len(s.emitted) for s in senders), doubtful, cluster.acks, cluster.kills), flush=True)
    done = run("check", "--database", cluster.database)
    wrong = [line for line in done.stdout.decode().splitlines() if not line.startswith("ok ")]
    assert not wrong and not done.stderr and done.returncode == 0, "beacond check: %r" % (done.stdout + done.stderr)
