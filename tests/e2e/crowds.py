"""What tests of many and of slow clients share: requests as bytes, how many connections there may be, and a
reader of whole windows that keeps nothing."""

import re
import resource
import socket
import zlib

from harness import PATIENCE, batch
from sockets import upgrade

MARK = b'"timestamp"'  # once in each event
PING = b"GET /_tracker/ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
TAIL = b"GET /_tracker/tail HTTP/1.1\r\nHost: localhost\r\n\r\n"
SHAKE = upgrade("/_tracker/ws", "localhost", "MDEyMzQ1Njc4OWFiY2RlZg==", [])


def post(texts):
    body = batch(texts)
    return b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def allowed(count):
    """So many connections, or as many as the system lets this process and the daemon have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = min(count, hard - 300) if hard != resource.RLIM_INFINITY else count
    if most < count:
        print("# %d connections and no more: the process may open %d files" % (most, hard))
    return most


class Reader:
    """Reads one whole window and counts its events, keeping nothing."""

    def __init__(self, daemon, packed=False, small=False):
        self.sock = socket.socket()
        if small:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", int(daemon.address.rsplit(":", 1)[1])))
        # HTTP/1.0 has no chunks: what comes is the document.
        self.sock.sendall(b"GET /_tracker HTTP/1.0\r\nHost: localhost\r\n%s\r\n"
                          % (b"Accept-Encoding: gzip\r\n" if packed else b""))
        self.events, self.tail, self.unpacker, self.head = 0, b"", None, b""
        while b"\r\n\r\n" not in self.head:
            self.head += self.sock.recv(1)
        assert self.head.startswith(b"HTTP/1.") and b" 200 " in self.head.split(b"\r\n")[0], self.head
        assert b"chunked" not in self.head.lower()
        if b"content-encoding: gzip" in self.head.lower():
            self.unpacker = zlib.decompressobj(31)

    def take(self, size=1 << 18):
        """Reads a piece; false at the end."""
        data = self.sock.recv(size)
        if not data:
            return False
        if self.unpacker:
            data = self.unpacker.decompress(data)
        text = self.tail + data
        self.events += text.count(MARK)
        cut = text.rfind(MARK)
        self.tail = text[max(cut + 1, len(text) - len(MARK) - 200):] if cut >= 0 else text[-200:]
        return True

    def rest(self):
        while self.take():
            pass
        self.sock.close()
        if self.unpacker:
            assert self.unpacker.eof, "the gzip stream is cut short"
        assert self.tail.rstrip().endswith(b"}"), "cut short: %r" % self.tail
        return self.events

    def total(self):
        """What the document says at its end."""
        return int(re.search(rb'"total":(\d+)', self.tail).group(1))
