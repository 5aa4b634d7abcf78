"""What an operator does to a daemon that is killed (crash.py): prunes, forgets, backs up, has rejects read
anew, changes rows behind its back, ends it. Each chore knows exactly what may be gone behind it.

A chore is one in the list of kinds of tests/faults/points.c: it brings about what a point of that kind
takes. It sends what it needs with the logic of the stock queue: until it is acknowledged, in one life of
the daemon or another. Commands run while the daemon lives, and have ended before it is started again.
"""

import os

from harness import UUID7, Closed, Wire, batch, begin, directory, equal, finish, shell, sql, stamp
from world import STORED, UNKNOWN, Emitted, compare, ledger

HEAD = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
CUT = "2000-01-01T00:00:00Z"  # what is pruned is older than that, and nothing else
FORGOTTEN = 1262304000000     # 2010: what is forgotten is dated from there on
TRIGGER = """create trigger poison before insert on events when new.event like '%POISON%'
             begin select raise(abort, 'poisoned'); end"""


class Gone(Exception):
    """The daemon has ended."""


class Chores:
    """retained: the daemon prunes by itself, whenever it likes."""

    def __init__(self, world, visitors, dice, retained=False):
        self.world, self.visitors, self.dice, self.retained = world, visitors, dice, retained
        self.emitted, self.rejects = [], []
        self.old = []      # of emitted, those that prunes erase, in their order
        self.leaving = []  # of emitted, those that a forget which was cut short erases, in their order
        self.pending, self.user, self.users, self.clock = [], None, 0, 0
        self.folder = directory()

    # What is sent.

    def _emit(self, ts, user="", id="", size=10, payload=None):
        payload = payload or "%d%s" % (len(self.emitted), "x" * size)
        text = '{"id":"%s","timestamp":"%s","type":"custom","userId":"%s","payload":"%s"}' % (
            id, stamp(ts), user, payload)
        return Emitted(text.encode())

    def _queue(self, items, rejects=()):
        self.pending.append((items, list(rejects)))
        self.emitted += items
        self.rejects += rejects

    def _send(self):
        """All that is pending. Gone when the daemon has ended before it is acknowledged."""
        while self.pending:
            items, rejects = self.pending[0]
            body = batch(item.text for item in items + rejects)
            try:
                wire = Wire(self.world.dead.connect())
                wire.sock.sendall(HEAD % len(body) + body)
                answer = wire.response()
                wire.close()
            except (Closed, OSError, AssertionError) as error:
                for item in items + rejects:
                    item.note(UNKNOWN)
                raise Gone from error
            equal(answer.status, 200)
            told = answer.json()
            # Sent again, what the database refused counts among what is known.
            equal(told["saved"] + told["rejected"], len(items + rejects), "what the answer tells: %r" % told)
            for item in items + rejects:
                item.note(STORED)
                if self.retained and item in self.old:
                    item.going()
            self.pending.pop(0)

    def _more_old(self, count, size):
        items = []
        for _ in range(count):
            self.clock += 1000
            items.append(self._emit(self.clock, size=size))
        self.old += items
        return items

    def _old(self, count, size):
        self._queue(self._more_old(count, size))

    # Commands.

    def _command(self, *words):
        code, out, err = finish(begin(words[0], "--database", self.world.database, *words[1:]))
        return code, out + err

    def prune(self):
        self._old(40, 1200)
        self._send()
        for item in self.old:
            item.going()
        if self._command("prune", "--before", CUT)[0] == 0:
            for item in self.old:
                item.went()
            self.old = []

    def bulk(self):
        """So much that parts of the WAL are put back between commits, and the cache packed."""
        for _ in range(3):
            self._old(280, 3000)
            self._send()
        self._old(1, 10)
        self._send()
        try:
            wire = Wire(self.world.dead.connect())
            wire.send(b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
            equal(wire.response().status, 200)
            wire.close()
        except (Closed, OSError, AssertionError) as error:
            raise Gone from error

    def forget(self):
        if not self.user:
            self.users += 1
            self.user = "the-user-who-wants-to-be-forgotten-%d" % self.users
            self.bad = self._emit(FORGOTTEN, self.user, payload="POISON-%d" % self.users)
            self.leaving = []
            for part in range(2):
                items = []
                for n in range(30):
                    at = self.users * 100 + part * 30 + n
                    id = "given-by-%s-%d-%d" % (self.user, part, n) if n % 3 == 0 else ""
                    items.append(self._emit(FORGOTTEN + at, self.user, id, size=n * 40))
                self.leaving += items
                # Others between them, so that pages are left half empty, and merged.
                others = self._more_old(10, 700)
                for n, other in enumerate(others):
                    items.insert(n * 4 + self.dice.randrange(4), other)
                self._queue(items, [self.bad] if part else [])
        self._send()
        for item in self.leaving + [self.bad]:
            item.going()
        if self._command("forget", "--user", self.user)[0] == 0:
            for item in self.leaving + [self.bad]:
                item.went()
            for end in "", "-wal":
                try:
                    with open(self.world.database + end, "rb") as file:
                        assert self.user.encode() not in file.read(), "%s is left in %s" % (self.user, file.name)
                except FileNotFoundError:
                    pass
            self.user, self.leaving = None, []

    def poison(self):
        """What the database refuses is put aside, read anew and put aside again."""
        self._queue([self._emit(FORGOTTEN - 1)],
                    [self._emit(FORGOTTEN - 1, payload="POISON %d" % len(self.rejects))])
        self._send()
        self._command("rejects", "retry", "all")

    def backup(self):
        """One that has the name is whole, whether the command lived to say so or not."""
        file = os.path.join(self.folder, "backup.db")
        least, _ = ledger(self.visitors + [self])
        code, said = self._command("backup", file)
        assert code != 0 or os.path.exists(file), said
        if os.path.exists(file):
            now, most = ledger(self.visitors + [self], emitted=True)
            compare(file, least & now, most)
        for name in os.listdir(self.folder):  # what a kill has left
            os.unlink(os.path.join(self.folder, name))

    def stranger(self):
        """Another program changes a row."""
        shell(self.world.database, "update events set received = received where seq = (select max(seq) from events)")

    def end(self):
        self.world.dead.signal()

    def again(self):
        """Receipts do what they are for: what was acknowledged is known when it is sent again."""
        acked = [v.acked_body for v in self.visitors if getattr(v, "acked_body", None)]
        for body, count in acked[:2]:
            wire = Wire(self.world.dead.connect())
            wire.sock.sendall(HEAD % len(body) + body)
            told = wire.response().json()
            wire.close()
            equal((told["saved"], told["duplicate"]), (count, count), "sent again: %r" % body[:300])

    def do(self, kind):
        """The chore of that kind; nothing for those that come by themselves."""
        try:
            if kind in ("prune", "bulk", "forget", "poison", "backup", "stranger", "end"):
                getattr(self, kind)()
        except Gone:
            if not self.world.dead.over(10):
                raise

    # What must be.

    def check(self, database):
        """What goes, goes in its order: behind one that is there are all the others. Rejects are what was
        refused, once. Nobody writes meanwhile."""
        stored = {text.replace(b'"id":"%s"' % id, b'"id":""', 1) if not given else text
                  for text, id, given in sql(database, "select event, id, given from events where ts < ?",
                                             FORGOTTEN + 1000000000)}
        for going in self.old, self.leaving:
            there = [item.text in stored for item in going if item.most and not item.least and not self._waits(item)]
            assert there == sorted(there), "erased out of order: %r" % there
        # The id was in it already when the database refused it.
        texts = [UUID7.sub("", text.decode()).encode() for text, in sql(database, "select event from rejects")]
        for item in self.rejects:
            count = texts.count(item.text)
            assert item.least <= count <= item.most or (count <= 1 and self._waits(item)), (
                "%d times among the rejects: %r" % (count, item.text))
        assert set(texts) <= {item.text for item in self.rejects}, "rejects that nobody has sent: %r" % texts
        if self.user and any(self.bad.text == text for text in texts):
            assert all(item.text in stored for item in self.leaving if item.most and not self._waits(item)), (
                "events have been forgotten before rejects")

    def _waits(self, item):
        return any(item in items or item in rejects for items, rejects in self.pending)
