"""What may stand between a daemon and PostgreSQL: a proxy on a socket of its own that knows where a COMMIT of
events is, and can lose the answer to it; or that looks like a pooler.

  Proxy(server, uri)      a running one, ends with the case; uri is the daemon's way through it
  arm(fate)               what becomes of the next COMMIT of a transaction that has stored events:
    "before"    the connection breaks on the way there: nothing is committed
    "answer"    it breaks on the way back, once the server has answered: it is committed
    "sent"      it breaks when the COMMIT has gone out: who knows
  met                     how many have met their fate
  pooler=True             sessions seem to be others' than those that the server has told of
"""

import os
import re
import select
import socket
import struct
import tempfile
import threading

import runner

COMMITS = re.compile(rb"\bCOMMIT\b")
STORES = re.compile(rb"INSERT INTO beacond\.events\b")
ENDS = b"Z"  # ReadyForQuery


class Proxy:
    def __init__(self, server, uri, pooler=False):
        self.path, self.pooler = server.path, pooler
        self.directory = tempfile.mkdtemp(prefix="beacond-px-", dir="/tmp")
        self.uri = uri.replace(server.directory, self.directory)
        self.fate, self.met, self.over = None, 0, False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.directory, os.path.basename(self.path)))
        self.listener.listen(64)
        self.lock = threading.Lock()
        runner.behind(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fate):
        with self.lock:
            self.fate = fate

    def close(self):
        self.over = True
        self.listener.close()
        os.unlink(os.path.join(self.directory, os.path.basename(self.path)))
        os.rmdir(self.directory)

    def _accept(self):
        while not self.over:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def _pass(self, near):
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self.path)
            _Talk(self, near, far).run()
        except OSError:
            pass
        near.close()
        far.close()

    def take(self):
        """The fate of a COMMIT that is on its way."""
        with self.lock:
            fate, self.fate = self.fate, None
            self.met += fate is not None
            return fate


class _Talk:
    """One connection. What comes is passed on message by message, but for the very first one, which has no
    letter in front."""

    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.asked, self.told, self.begun = b"", b"", False
        self.stores = False  # the open transaction has stored events
        self.kept = set()    # names of statements that do, which the session keeps
        self.deaf = False    # what the server says is passed on no more

    def run(self):
        while True:
            for one in select.select([self.near, self.far], [], [])[0]:
                data = one.recv(65536)
                if not data:
                    return
                if not (self._ask(data) if one is self.near else self._tell(data)):
                    return

    def _ask(self, data):
        self.asked += data
        if not self.begun:
            if len(self.asked) < 4 or len(self.asked) < struct.unpack(">I", self.asked[:4])[0]:
                return True
            length = struct.unpack(">I", self.asked[:4])[0]
            self.begun = length != 8  # an SSLRequest or the like is followed by another
            self.far.sendall(self.asked[:length])
            self.asked = self.asked[length:]
        while message := _message(self.asked):
            self.asked = self.asked[len(message):]
            fate = self._fate(message)
            if fate == "before":
                return False
            self.far.sendall(message)
            if fate == "sent":
                self.far.sendall(self.asked)
                return False
            if fate == "answer":
                self.deaf = True
        return True

    def _fate(self, message):
        if message[:1] == b"B":  # a portal's name, a statement's
            self.stores = self.stores or message[5:].split(b"\0")[1] in self.kept
        if message[:1] not in b"PQ":
            return None
        stores = STORES.search(message) is not None
        if message[:1] == b"P" and message[5:6] != b"\0":
            if stores:
                self.kept.add(message[5:].split(b"\0")[0])
            return None
        self.stores = self.stores or stores
        if COMMITS.search(message) is None:
            return None
        stored, self.stores = self.stores, False
        return self.proxy.take() if stored else None

    def _tell(self, data):
        self.told += data
        while message := _message(self.told):
            self.told = self.told[len(message):]
            if self.deaf:
                if message[:1] == ENDS:
                    return False
                continue
            if message[:1] == b"K" and self.proxy.pooler:  # BackendKeyData
                message = message[:5] + struct.pack(">I", 1) + message[9:]
            self.near.sendall(message)
        return True


def _message(data):
    """The first one, if it is whole."""
    if len(data) < 5:
        return b""
    length = struct.unpack(">I", data[1:5])[0] + 1
    return data[:length] if len(data) >= length else b""
