"""A scripted run of which everything is recorded that the disk is asked for, and the ledger of it: what was
sent, when it was answered for, when it was erased. Times are lengths of the record.

The parts: Script (sends, commands, ends) · Ledger (what must and what may be stored at a time)."""

import collections
import copy
import http.client
import os
import re

from harness import FAULTY, NOW, Daemon, directory, equal, event, poll, run, shell
from sockets import Socket

from platter import Platter, need_records, read_record

ID = re.compile(rb'"id":"[^"]*"')


class Item:
    """An event, by its text without the id. Never answered for, or erased: at the end of all time."""

    __slots__ = ("text", "sent", "acked", "leaving", "gone")

    def __init__(self, text, sent):
        self.text, self.sent, self.acked, self.leaving, self.gone = text, sent, FOREVER, FOREVER, FOREVER


FOREVER = 1 << 62


def plain(text):
    """The text of an event with whatever id it has taken out."""
    return ID.sub(b'"id":""', text, 1)


class Ledger:
    def __init__(self):
        self.items, self.rejects = [], []
        self.bodies = []    # (raw texts, when it was answered for): to be sent again
        self.files = []     # (name, when begun, when done, what must be in it)
        self.banned = []    # (bytes, from when on no file beside the database may hold them)

    @staticmethod
    def bounds(items, now):
        """What must be stored, and what may be, each with how often."""
        least, most = collections.Counter(), collections.Counter()
        for item in items:
            if item.acked <= now < item.leaving:
                least[item.text] += 1
            if item.sent < now < item.gone:
                most[item.text] += 1
        return least, most


class Script:
    """Plays it. The daemon is beacond-faulty, in a folder of which everything is recorded."""

    def __init__(self, **options):
        need_records()
        self.folder, self.options = directory(), options
        self.database = os.path.join(self.folder, "beacond.db")
        self.aside = directory()
        self.record, self.halt = os.path.join(self.aside, "record"), os.path.join(self.aside, "halt")
        self.env = {"FAULTY_RECORD": self.record, "FAULTY_RECORD_HALT": self.halt}
        self.ledger, self.daemon, self.waiting = Ledger(), None, []
        self.n, self.disk = 0, Platter(self.folder)

    def made_by_hand(self):
        """The database as sql/0001-schema.sql says one is made by hand; flushed."""
        with open(os.path.join(os.environ.get("srcdir", "."), "sql", "0001-schema.sql"), encoding="utf-8") as file:
            shell(self.database, file.read() + "pragma user_version = 1;")
        self.disk = Platter(self.folder)

    def now(self):
        return os.stat(self.record).st_size if os.path.exists(self.record) else 0

    def platter(self):
        """The disk as it was before all of it."""
        return copy.deepcopy(self.disk)

    def start(self):
        self.daemon = Daemon(program=FAULTY, env=self.env, database=self.database, threads=1, **self.options)

    def stop(self):
        self.daemon.stop()

    def events(self, count, id="", user=None, ms=NOW, mark="x"):
        """New ones."""
        out = []
        for _ in range(count):
            self.n += 1
            text = event(ms + self.n * 617, self.n, id and "%s-%d" % (id, self.n), '"%s"' % (mark * (self.n % 70 + 1)))
            out.append(text if user is None else text[:-1] + b',"userId":"%s"}' % user.encode())
        return out

    # What is sent. When it was answered for is looked up at the end, by the port it was answered at.

    def note(self, texts, bad=()):
        sent, items = self.now(), {item.text: item for item in self.ledger.items}
        found = []
        for text in texts:
            item = items.get(plain(text))
            if item is None:
                item = Item(plain(text), sent)
                self.ledger.items.append(item)
            found.append(item)
        rejects = [Item(text, sent) for text in bad]
        self.ledger.rejects += rejects
        return sent, found, rejects

    def answered(self, noted, port, texts):
        self.waiting.append((noted, port, list(texts)))

    def post(self, texts, bad=(), duplicate=0):
        """One batch over HTTP. bad: texts of it that become rejects."""
        noted = self.note(texts, bad)
        connection = self.daemon.connection()
        port = connection.client.sock.getsockname()[1]
        answer = self.daemon.post(list(texts) + list(bad), connection=connection)
        connection.close()
        equal((answer.status, answer.json()), (200, {"ok": True, "saved": len(texts), "rejected": len(bad),
                                                     "duplicate": duplicate}))
        self.answered(noted, port, texts)

    def together(self, batches):
        """Several batches that wait together."""
        wires = []
        for texts in batches:
            noted = self.note(texts)
            wire = Socket(self.daemon)
            wire.ingest(texts)
            wires.append((wire, noted, texts))
        for wire, noted, texts in wires:
            equal(wire.ack(), len(texts))
            self.answered(noted, wire.wire.sock.getsockname()[1], texts)
            wire.close()

    def cut_off(self, texts):
        """A batch, and kill -9 once it is written but not flushed. Never answered."""
        self.note(texts)
        with open(self.halt, "w"):
            try:
                answer = self.daemon.post(texts)
            except OSError:
                answer = None
        self.daemon.ended()
        os.unlink(self.halt)
        equal(answer, None)

    def risky(self, kill, rounds, pending):
        """The daemon is killed at the kill-th call that changes a file, if it comes to that, while batches are
        sent; pending is what was not answered for last time. Returns what was not, this time."""
        daemon = self.daemon = Daemon(program=FAULTY, env=dict(self.env, FAULTY_RECORD_KILL=str(kill)),
                                      database=self.database, threads=1, ready=False)
        try:
            daemon.wait_log(r" ready$")
            daemon.address = re.search(r"listening on (\S+)$", "\n".join(daemon.log()), re.M).group(1)
            for n in range(rounds):
                texts, pending = pending or self.events(n % 4 + 1, id="own" if n % 3 == 2 else ""), None
                noted, pending = self.note(texts), texts
                connection = daemon.connection()
                port = connection.client.sock.getsockname()[1]
                answer = daemon.post(texts, connection=connection)
                connection.close()
                equal((answer.status, answer.json()["saved"]), (200, len(texts)))
                self.answered(noted, port, texts)
                pending = None
        except (OSError, http.client.HTTPException):
            pass  # killed
        except AssertionError:
            if daemon.alive():
                raise
        if daemon.alive():
            daemon.signal()
        assert daemon.ended() in (0, -9)
        return pending

    def settle(self):
        """Until the write-ahead log is put back and empty."""
        poll(lambda: os.path.getsize(self.database + "-wal") == 0, "an empty write-ahead log")

    # Commands.

    def command(self, *arguments):
        done = run(*arguments, "--database", self.database, program=FAULTY, env=self.env)
        assert done.returncode == 0, (arguments, done.returncode, done.stderr)
        return done

    def erase(self, which, *arguments, mark=None):
        """A command that erases the items for which `which` is true, and their every trace if they have a
        mark."""
        began = self.now()
        self.command(*arguments)
        ended = self.now()
        for item in self.ledger.items:
            if which(item.text) and item.leaving == FOREVER:
                item.leaving, item.gone = began, ended
        if mark:
            self.ledger.banned.append((mark, ended))

    def written(self, name, *arguments):
        """A command that writes a file beside the database with all that is stored now."""
        began = self.now()
        self.command(*arguments)
        self.ledger.files.append((name, began, self.now()))

    def log(self, texts):
        """A file of lines, to be imported."""
        path = os.path.join(directory(), "events.log")
        with open(path, "wb") as file:
            file.write(b"\n".join(texts) + b"\n")
        noted = self.note(texts)
        self.command("import", path)
        for item in noted[1]:
            item.acked = min(item.acked, self.now())

    def finish(self):
        """The entries of the record, with the ledger complete."""
        entries = read_record(self.record)
        for (sent, items, rejects), port, texts in self.waiting:
            acked = next((e.end for e in entries if e.kind == "a" and e.end > sent and e.offset == port and
                          (e.data.startswith(b"HTTP/1.1 200") or b'"ack"' in e.data)), None)
            assert acked is not None, "an answer that is not in the record"
            for item in items + rejects:
                item.acked = min(item.acked, acked)
            self.ledger.bodies.append((texts, acked))
        del self.waiting[:]
        return entries
