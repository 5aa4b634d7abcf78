"""A WebSocket client down to the bit, for the tests in ws_*.py.

What it sends may be as wrong as a test likes: frame() has a knob for every field. What it reads is
checked without mercy: whatever the daemon sends must be right, in every test.

The parts: frame, closing, deflate · upgrade · Socket (frames, messages, the talk of CONTRACT.md 6),
Ended, Cut, Refused.
"""

import base64
import fcntl
import hashlib
import itertools
import json
import os
import re
import select
import socket
import struct
import termios
import zlib

from harness import PATIENCE, Daemon, Wire, batch, equal, parse_address, short, sliced

MORE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1, RSV2, RSV3 = 4, 2, 1
AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
BROWSER_OFFER = "permessage-deflate; client_max_window_bits"  # as Chromium and Firefox write it
MASK = b"\x37\xfa\x21\x3d"


class Refused(Exception):
    """The handshake was answered with something else than 101: answer."""

    def __init__(self, answer):
        super().__init__(repr(answer))
        self.answer = answer


class Ended(Exception):
    """The daemon's Close, where a message should have come. code is None when it had none."""

    def __init__(self, code, reason):
        super().__init__("Close %s %r" % (code, reason))
        self.code, self.reason = code, reason


class Cut(Exception):
    """The end of the connection without a Close."""


# --- what is sent -----------------------------------------------------------------------------

def masked(data, mask):
    count = len(data)
    stream = (mask * (count // 4 + 1))[:count]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(count, "big")


def frame(payload=b"", opcode=TEXT, fin=True, rsv=0, mask=MASK, form=None, length=None):
    """The bytes of a frame. mask: four bytes, or None for an unmasked one. form: 7, 16 or 64 bits
    of length, otherwise the shortest; length: what it tells, when that is not the truth."""
    told = len(payload) if length is None else length
    if form is None:
        form = 7 if told < 126 else 16 if told < 65536 else 64
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if form == 7:
        head += bytes([bit | told])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", told)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", told)
    return head + mask + masked(payload, mask) if mask else head + payload


def fragments(payload, cuts, opcode=TEXT, rsv=0, between=b""):
    """A message cut at those places; between: bytes (control frames) sent between the fragments."""
    ends = [0, *cuts, len(payload)]
    parts = [payload[a:b] for a, b in zip(ends, ends[1:])]
    return between.join(frame(part, MORE if n else opcode, n == len(parts) - 1, 0 if n else rsv)
                        for n, part in enumerate(parts))


def closing(code=None, reason=b"", **knobs):
    """The bytes of a Close."""
    return frame((b"" if code is None else struct.pack(">H", code)) + reason, CLOSE, **knobs)


def deflate(data, level=6, flush=zlib.Z_SYNC_FLUSH, bits=-15, dictionary=None):
    """As permessage-deflate wants a message (RFC 7692, 7.2.1)."""
    packer = zlib.compressobj(level, zlib.DEFLATED, bits, 8, zlib.Z_DEFAULT_STRATEGY,
                              *([dictionary] if dictionary else []))
    packed = packer.compress(data) + packer.flush(flush)
    return packed[:-4] if flush in (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH) else packed


def accept_of(key):
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest).decode()


SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3


def upgrade(target="/_tracker/ws", host="localhost", key=SAMPLE_KEY, headers=None, method="GET",
            version="1.1"):
    """The bytes of a handshake. headers: pairs or a dict of further ones; those of the handshake's
    own that are named there are replaced, or left out where the value is None."""
    own = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
           "Sec-WebSocket-Version": "13"}
    more = list(headers.items() if isinstance(headers, dict) else headers or [])
    named = {name.lower() for name, _ in more}
    pairs = [(name, value) for name, value in own.items() if name.lower() not in named] + more
    lines = ["%s %s HTTP/%s" % (method, target, version)]
    lines += ["%s: %s" % pair for pair in pairs if pair[1] is not None]
    return "\r\n".join(lines + ["", ""]).encode("latin-1")


# --- the connection ---------------------------------------------------------------------------

class Socket:
    """An open WebSocket; Refused when the handshake fails.

    offer: a Sec-WebSocket-Extensions header (True: a browser's). key: what auth brings, answered by
    auth_ok. behind: bytes sent together with the handshake. room: the receive buffer, small for a
    client that is to stall early. wire: a connection that is open already.

    pongs: payloads of the pongs that have come. pushes: raw texts of the events pushed, in order;
    lost: how often push:lost came. Pings are answered while `lively`."""

    def __init__(self, daemon, key=None, target="/_tracker/ws", offer=None, headers=None,
                 address=None, behind=b"", room=None, wire=None):
        self.pongs, self.pings, self.pushes, self.push_sizes, self.lost = [], [], [], [], 0
        self.lively, self.deflated = True, False
        self.window_told = False  # whether the answer held server_max_window_bits
        self.frames, self.packed = 0, False  # of the last message: its frames, whether compressed
        self._parts, self._numbers = None, itertools.count()
        headers = list(headers.items() if isinstance(headers, dict) else headers or [])
        if offer:
            headers.append(("Sec-WebSocket-Extensions", offer if isinstance(offer, str) else BROWSER_OFFER))
        self.wire = wire or (Wire(narrow(daemon, room)) if room else daemon.wire(address))
        nonce = base64.b64encode(os.urandom(16)).decode()
        self.wire.send(upgrade(target, daemon.host(address), nonce, headers) + behind)
        self.answer = self.wire.response()
        if self.answer.status != 101:
            self.wire.close()
            raise Refused(self.answer)
        check_upgraded(self.answer, nonce)
        agreed = self.answer.header("Sec-WebSocket-Extensions")
        if agreed is not None:
            assert offer, "an extension that nobody offered: " + agreed
            # A limit that was offered is told back (RFC 7692, 7.1.2.1); 15 bits are none.
            expected = AGREED + ("; server_max_window_bits=15" if "server_max_window_bits" in agreed else "")
            equal(agreed, expected, "Sec-WebSocket-Extensions")
            self.window_told = expected != AGREED
            self.deflated = True
        if key is not None:
            equal(self.auth(key), {"type": "auth_ok"}, "auth")

    # Sends.

    def raw(self, data):
        self.wire.send(data)
        return self

    def send(self, message, packed=False, **knobs):
        """A message: bytes, text, or an object that becomes JSON. packed: compressed."""
        if not isinstance(message, (bytes, str)):
            message = json.dumps(message)
        data = message.encode() if isinstance(message, str) else message
        if packed:
            data, knobs["rsv"] = deflate(data), RSV1
        return self.raw(frame(data, **knobs))

    # Reads.

    def next_frame(self):
        """opcode, fin, rsv, payload; whatever a server must not send fails. Cut at the end."""
        first, second = self._exactly(2, True)
        opcode, fin, rsv, length = first & 15, first >> 7, first >> 4 & 7, second & 127
        assert not second & 128, "a masked frame from a server"
        assert opcode in (MORE, TEXT, CLOSE, PING, PONG), "opcode %d" % opcode
        if length == 126:
            length = struct.unpack(">H", self._exactly(2))[0]
            assert length > 125, "length not in its shortest form"
        elif length == 127:
            length = struct.unpack(">Q", self._exactly(8))[0]
            assert length > 65535, "length not in its shortest form"
        if opcode >= CLOSE:
            assert fin and not rsv and length <= 125, "control frame: fin %d, rsv %d, length %d" % (
                fin, rsv, length)
        else:
            assert (opcode == MORE) == (self._parts is not None), "continuation out of place"
            assert not rsv or (rsv == RSV1 and opcode == TEXT and self.deflated), "rsv %d" % rsv
        return opcode, fin, rsv, self._exactly(length)

    def _exactly(self, count, may_end=False):
        if may_end and not self.wire.buffer and not self.wire._more():
            raise Cut()
        while len(self.wire.buffer) < count:
            if not self.wire._more():
                raise Cut()
        return self.wire._exactly(count)

    def next_thing(self):
        """(TEXT, message), (PING, payload), (PONG, payload) or (CLOSE, (code, reason))."""
        while True:
            opcode, fin, rsv, payload = self.next_frame()
            if opcode == CLOSE:
                assert len(payload) != 1, "Close with one byte"
                code = struct.unpack(">H", payload[:2])[0] if payload else None
                assert code not in (1005, 1006, 1015), "a code that is never sent"
                return CLOSE, (code, payload[2:].decode("utf-8"))
            if opcode >= CLOSE:
                return opcode, payload
            if opcode == TEXT:
                self._parts, self.packed = [], bool(rsv)
            self._parts.append(payload)
            if fin:
                text, self.frames, self._parts = b"".join(self._parts), len(self._parts), None
                if self.packed:
                    unpacker = zlib.decompressobj(-15)
                    text = unpacker.decompress(text + b"\0\0\xff\xff") + unpacker.flush()
                    assert not unpacker.unused_data, "bytes behind the compressed message"
                text.decode("utf-8")
                return TEXT, text

    def message(self):
        """The next message (bytes). Raises Ended at a Close, Cut at an end without one."""
        while True:
            kind, what = self.next_thing()
            if kind == TEXT:
                return what
            self.control(kind, what)

    def control(self, kind, what):
        if kind == CLOSE:
            raise Ended(*what)
        if kind == PONG:
            self.pongs.append(what)
        else:
            self.pings.append(what)
            if self.lively:
                self.raw(frame(what, PONG))

    def json(self):
        """The next message but pushes, which are kept."""
        while True:
            text = self.message()
            if not self._keep(text):
                return json.loads(text)

    def _keep(self, text):
        if text == b'{"type":"push:lost"}':
            self.lost += 1
            return True
        if not text.startswith(b'{"type":"push"'):
            return False
        assert text.startswith(b'{"type":"push","events":['), short(text)
        found = sliced(b"{" + text[len(b'{"type":"push",'):])
        assert found, "a push of nothing"
        self.pushes += found
        self.push_sizes.append(len(found))
        return True

    def wait_pushes(self, count):
        """Until so many events have been pushed; other messages must not come."""
        while len(self.pushes) < count:
            text = self.message()
            assert self._keep(text), "instead of a push: " + short(text)
        return self.pushes

    def wait_lost(self, times=1):
        while self.lost < times:
            text = self.message()
            assert self._keep(text), "instead of push:lost: " + short(text)

    def sync(self):
        """A ping and its pong: what came before it is read, messages but pushes fail."""
        mark = b"sync %d" % next(self._numbers)
        self.raw(frame(mark, PING))
        while mark not in self.pongs:
            kind, what = self.next_thing()
            if kind == TEXT:
                assert self._keep(what), "not expected: " + short(what)
            else:
                self.control(kind, what)
        return self

    def silent(self):
        return self.wire.silent()

    # The talk.

    def auth(self, key):
        return self.send({"type": "auth", "key": key}).json()

    def ingest(self, texts, **knobs):
        return self.send(batch(texts), **knobs)

    def ack(self):
        """What the next answer, an ack, tells."""
        answer = self.json()
        equal(list(answer), ["type", "saved"], "an ack: %s" % short(answer))
        equal(answer["type"], "ack")
        return answer["saved"]

    def save(self, texts, **knobs):
        texts = list(texts)
        equal(self.ingest(texts, **knobs).ack(), len(texts), "saved")
        return self

    def query(self, req_id=None, **query):
        """Sends one. Returns the reqId."""
        req_id = req_id or "q%d" % next(self._numbers)
        self.send({"type": "events:query", "reqId": req_id, "query": query})
        return req_id

    def response(self, req_id=None):
        """The next answer, which must be a response: the document's raw text."""
        while True:
            text = self.message()
            if not self._keep(text):
                break
        match = re.match(rb'\{"type":"events:response","reqId":("(?:[^"\\]|\\.)*"|[^,]*),"response":', text)
        assert match and text.endswith(b"}}"), "no response: " + short(text)
        if req_id is not None:
            equal(json.loads(match.group(1)), req_id, "reqId")
        return text[match.end():-1]

    def ask(self, **query):
        """A query and its answer, parsed."""
        return json.loads(self.response(self.query(**query)))

    def follow(self):
        """From here on everything is pushed."""
        self.ask(limit=0)
        return self

    def error(self, req_id=None):
        """The text of the next answer, which must be an error."""
        answer = self.json()
        expected = {"type", "error"} | ({"reqId"} if req_id is not None else set())
        equal(set(answer), expected, "an error: %s" % short(answer))
        equal((answer["type"], answer.get("reqId")), ("error", req_id))
        assert isinstance(answer["error"], str) and answer["error"]
        return answer["error"]

    # Ends.

    def closed(self, *codes, before=0):
        """The daemon ends it: exactly `before` messages, its Close with one of those codes, and once
        that is answered the end of the connection. Returns the reason."""
        texts = []
        try:
            while True:
                texts.append(self.message())
        except Ended as end:
            equal(len(texts), before, "messages before the Close: %s" % short(texts))
            assert end.code in codes, "Close %r, expected %r" % (end, codes)
            self.raw(frame(b"" if end.code is None else struct.pack(">H", end.code), CLOSE))
            self.finish()
            return end.reason

    def finish(self):
        """Behind the Close: the end, and nothing before it."""
        assert self.wire.at_end(), "behind the Close: %s" % short(self.wire.buffer)
        self.wire.close()

    def close(self, code=1000):
        """Our Close, the daemon's, the end. Returns the code that the daemon sent."""
        self.raw(closing(code))
        try:
            while True:
                text = self.message()
                assert self._keep(text), "not expected: " + short(text)
        except Ended as end:
            self.finish()
            return end.code

    def unsent(self):
        """Bytes that have not come to the daemon's system yet."""
        return struct.unpack("i", fcntl.ioctl(self.wire.sock, termios.TIOCOUTQ, b"\0" * 4))[0]

    def reset(self):
        """The end as of a machine that has lost the connection."""
        self.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.wire.close()

    def gone(self):
        """Whether the daemon has closed, seen without reading."""
        sock = self.wire.sock
        if not select.select([sock], [], [], 0)[0]:
            return False
        try:
            return sock.recv(1, socket.MSG_PEEK) == b""
        except ConnectionResetError:
            return True


def unpinged(**options):
    """A daemon that pings nobody: where machines are busy, who is not read for a while would seem dead."""
    return Daemon(ping_interval="0s", **options)


def narrow(daemon, room):
    """A connection that takes so many bytes before its client reads."""
    kind, place = parse_address(daemon.address)
    sock = socket.socket(kind, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.settimeout(PATIENCE)
    sock.connect(place)
    return daemon.secured(sock)


def check_upgraded(answer, key):
    """The 101 that answers that key."""
    equal((answer.header("Upgrade") or "").lower(), "websocket", "Upgrade")
    assert "upgrade" in [t.strip().lower() for t in (answer.header("Connection") or "").split(",")], answer
    equal(answer.header("Sec-WebSocket-Accept"), accept_of(key), "Sec-WebSocket-Accept")
    for name in ("Content-Length", "Transfer-Encoding", "Content-Type", "Sec-WebSocket-Protocol"):
        equal(answer.header(name), None, name)
