"""Frames and messages: RFC 6455, 5 to 8, and RFC 7692, 6 to 8, over a raw socket.

What a text message says comes back in the reqId of an answer (echo), or its events are stored.
"""

import json
import random
import zlib

from harness import PATIENCE, Daemon, Rows, case, equal, event, main, scale
from sockets import (BINARY, CLOSE, MORE, PING, PONG, RSV1, TEXT, Cut, Ended, Socket, closing,
                     deflate, fragments, frame)


def question(text):
    """A message (bytes) whose answer brings the text back."""
    return json.dumps({"type": "events:query", "query": {"limit": 0}, "reqId": text}, ensure_ascii=False).encode()


def padded(length):
    """A message of that many bytes that is acknowledged with 0, or of which an error is told."""
    text = b'{"type":"ingest","events":[]}'
    return text + b" " * (length - len(text)) if length >= len(text) else b"x" * length


def check_padded(socket, length):
    if length >= 29:
        equal(socket.ack(), 0, "length %d" % length)
    else:
        socket.error()


def check_echo(socket, text="still there?"):
    socket.send(question(text)).response(text)
    return socket


# --- lengths ----------------------------------------------------------------------------------

@case
def messages_of_all_lengths_are_taken():
    daemon = Daemon()
    socket = Socket(daemon)
    for length in [*range(0, 300), 1000, 4095, 4096, 65534, 65535, 65536, 65537, 131072, 1 << 20]:
        socket.send(padded(length))
        check_padded(socket, length)
    for length in (0, 1, 124, 125):
        data = bytes(n & 255 for n in range(length))
        socket.raw(frame(data, PING)).sync()
        equal(socket.pongs.count(data), 1, "pong of %d" % length)


@case
def a_length_must_have_its_shortest_form():
    daemon, rows = Daemon(), Rows()
    for length, form in [(0, 16), (1, 16), (125, 16), (0, 64), (125, 64), (126, 64), (65535, 64)]:
        for opcode in (TEXT, MORE):
            with rows("%d in %d bits, opcode %d" % (length, form, opcode)):
                socket = Socket(daemon)
                if opcode == MORE:
                    socket.raw(frame(b"x", TEXT, False))
                socket.raw(frame(padded(length), opcode, form=form)).closed(1002)
    for length in (1 << 63, (1 << 64) - 1):
        with rows("length %d" % length):
            Socket(daemon).raw(frame(b"", form=64, length=length)).closed(1002, 1009)
    rows.check()


# --- control frames ---------------------------------------------------------------------------

@case
def fragments_and_control_frames_between_them_are_told_apart():
    daemon, text = Daemon(), question("f\u00fcnf")
    socket = Socket(daemon)
    ends = range(len(text) + 1)
    for cuts in [[n] for n in ends] + [[n, n] for n in ends] + [[n, len(text) - n] for n in range(len(text) // 2)]:
        socket.raw(fragments(text, cuts)).response("f\u00fcnf")
        socket.raw(fragments(text, cuts, between=frame(b"%d" % cuts[0], PING) + frame(b"unasked", PONG)))
        socket.response("f\u00fcnf")
        equal(set(socket.pongs[-len(cuts):]), {b"%d" % cuts[0]})
    equal(len(socket.pings), 0)
    socket.raw(fragments(text, range(1, len(text)), between=frame(b"", PING))).response("f\u00fcnf")
    # The answer to a ping does not wait for the message to be whole.
    socket.raw(frame(text[:10], fin=False)).sync().raw(frame(text[10:20], MORE, False)).sync()
    socket.raw(frame(text[20:], MORE)).response("f\u00fcnf")


@case
def one_octet_at_a_time_is_the_same():
    daemon = Daemon()
    for offer in (None, True):
        socket = Socket(daemon, offer=offer)
        data = fragments(question("octets \U0001f600"), [7, 30], between=frame(b"p", PING)) + frame(padded(126))
        data += frame(padded(65536), form=64)[:200]
        if offer:
            packed = deflate(question("packed \u20ac"))
            data = fragments(packed, [1, 2, 20], rsv=RSV1, between=frame(b"p", PING)) + data
        for n in range(len(data)):
            socket.raw(data[n:n + 1])
        socket.raw(frame(padded(65536), form=64)[200:])
        if offer:
            socket.response("packed \u20ac")
        socket.response("octets \U0001f600")
        equal((socket.ack(), socket.ack()), (0, 0))
        equal(socket.pongs, [b"p"] * (5 if offer else 2))


@case
def every_frame_of_a_client_is_masked():
    daemon, rows = Daemon(), Rows()
    for name, data in [("text", frame(padded(30), mask=None)), ("empty text", frame(b"", mask=None)),
                       ("ping", frame(b"x", PING, mask=None)), ("pong", frame(b"", PONG, mask=None)),
                       ("Close", closing(1000, mask=None)), ("binary", frame(b"x", BINARY, mask=None)),
                       ("second fragment", frame(b"x", fin=False) + frame(b"y", MORE, mask=None))]:
        with rows(name):
            Socket(daemon).raw(data).closed(1002)
    rows.check()
    socket = Socket(daemon)
    for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x80\0\0\0"):
        socket.send(question("mask"), mask=mask).response("mask")
    dice = random.Random(6455)
    for n in range(100):
        socket.send(question("m" * n), mask=bytes(dice.randrange(256) for _ in range(4))).response("m" * n)


@case
def reserved_bits_and_opcodes_are_errors():
    daemon, rows = Daemon(), Rows()
    for offer in (None, True):
        for rsv in range(1, 8):
            for opcode in (TEXT, MORE, PING, PONG, CLOSE):
                if offer and rsv == RSV1 and opcode == TEXT:
                    continue
                with rows("rsv %d, opcode %d, offer %s" % (rsv, opcode, offer)):
                    socket = Socket(daemon, offer=offer)
                    if opcode == MORE:
                        socket.raw(frame(b"{", fin=False))
                    socket.raw(frame(b"" if opcode > 2 else b"{}", opcode, rsv=rsv)).closed(1002)
    with rows("RSV1 on a second fragment"):
        packed = deflate(question("x"))
        Socket(daemon, offer=True).raw(frame(packed[:5], fin=False, rsv=RSV1) +
                                       frame(packed[5:], MORE, rsv=RSV1)).closed(1002)
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for fin in (True, False):
            for payload in (b"", b"x" * 200):
                with rows("opcode %d, fin %s, %d bytes" % (opcode, fin, len(payload))):
                    Socket(daemon).raw(frame(payload, opcode, fin)).closed(1002)
    rows.check()


@case
def frames_out_of_place_are_errors():
    daemon, rows = Daemon(), Rows()
    whole = frame(padded(40))
    for name, data, before in [
            ("a continuation of nothing", frame(b"{}", MORE), 0),
            ("an empty continuation of nothing", frame(b"", MORE), 0),
            ("an unfinished continuation of nothing", frame(b"", MORE, False), 0),
            ("a continuation behind a message", whole + frame(b"", MORE), 1),
            ("a text inside a text", frame(b"{", fin=False) + frame(b"}"), 0),
            ("a text inside a text, unfinished", frame(b"{", fin=False) + frame(b"}", fin=False), 0),
            ("a binary inside a text", frame(b"{", fin=False) + frame(b"}", BINARY), 0),
            ("a fragmented ping", frame(b"x", PING, False), 0),
            ("a fragmented pong", frame(b"x", PONG, False), 0),
            ("a fragmented Close", frame(b"", CLOSE, False), 0),
            ("a ping of 126", frame(b"x" * 126, PING), 0), ("a pong of 126", frame(b"x" * 126, PONG), 0),
            ("a Close of 126", closing(1000, b"x" * 124), 0),
            ("a ping of 65536", frame(b"x" * 65536, PING), 0),
            ("a ping of 5 in 16 bits", frame(b"x" * 5, PING, form=16), 0),
            ("a ping of 5 in 64 bits", frame(b"x" * 5, PING, form=64), 0)]:
        with rows(name):
            Socket(daemon).raw(data).closed(1002, before=before)
    for name, data in [("whole", frame(b"\1\2", BINARY)), ("empty", frame(b"", BINARY)),
                       ("in fragments", frame(b"\1", BINARY, False) + frame(b"\2", MORE)),
                       ("large", frame(b"\1" * 100000, BINARY))]:
        with rows("binary, " + name):
            Socket(daemon).raw(data).closed(1003)
    rows.check()


@case
def nothing_is_taken_behind_an_error_and_all_before_it():
    daemon = Daemon()
    one, two = event(), event()
    socket = Socket(daemon).ingest([one]).raw(frame(b"", 3)).ingest([two])
    equal(socket.ack(), 1)
    socket.closed(1002)
    equal(daemon.total(), 1)


# --- Close ------------------------------------------------------------------------------------

LEGAL = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
ILLEGAL = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32768, 65535]
REASONS = [b"", b"bye", "\u00fc\u20ac\U0001f600".encode(), b"x" * 123, b"\0"]


@case
def a_close_is_answered_with_its_code():
    daemon, rows = Daemon(), Rows()
    for code in LEGAL:
        for reason in REASONS if code == 1000 else REASONS[:2]:
            with rows("%d %r" % (code, reason)):
                Socket(daemon).raw(closing(code, reason)).closed(code)
    with rows("no code"):
        Socket(daemon).raw(closing()).closed(None, 1000)
    with rows("what comes behind it does not count"):
        socket = Socket(daemon).raw(closing(1000) + frame(padded(30)) + frame(b"", 3) + closing(1001))
        socket.closed(1000)
    with rows("inside a message"):
        Socket(daemon).raw(frame(b"{", fin=False) + closing(1001)).closed(1001)
    rows.check()


@case
def a_wrong_close_is_an_error():
    daemon, rows = Daemon(), Rows()
    for code in ILLEGAL:
        for reason in (b"", b"bye"):
            with rows("%d %r" % (code, reason)):
                Socket(daemon).raw(closing(code, reason)).closed(1002)
    with rows("one byte"):
        Socket(daemon).raw(frame(b"\x03", CLOSE)).closed(1002)
    for reason in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"x" * 120 + b"\xe2\x82"):
        with rows("reason %r" % reason[-4:]):
            Socket(daemon).raw(closing(1000, reason)).closed(1007, 1002)
    rows.check()


# --- UTF-8 ------------------------------------------------------------------------------------

VALID = ["\0".replace("\0", "\\u0000"), "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufeff",
         "\ufffe\uffff", "\U00010000", "\U0010ffff", "\u03ba\u1f79\u03c3\u03bc\u03b5", "a\u0300\u200d\U0001f600"]
INVALID = [b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\xc2", b"\xc2\x7f", b"\xe0\x80\x80", b"\xe0\x9f\xbf",
           b"\xe1\x80", b"\xe2\x28\xa1", b"\xe2\x82\x28", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80",
           b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80", b"\xf1\x80\x80\x28", b"\xf4\x90\x80\x80",
           b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff"]


@case
def valid_utf_8_is_taken_however_it_is_split():
    daemon = Daemon()
    plain, packing = Socket(daemon), Socket(daemon, offer=True)
    for text in VALID:
        message = question(text)
        at = message.index(b'"reqId"')
        for cut in range(at, len(message) + 1):
            plain.raw(fragments(message, [cut])).response(text)
        plain.raw(fragments(message, range(1, len(message)))).response(text)
        packed = deflate(message, level=0)
        packing.raw(fragments(packed, range(1, len(packed)), rsv=RSV1)).response(text)


@case
def invalid_utf_8_is_told_by_1007():
    daemon, rows = Daemon(), Rows()
    for bad in INVALID:
        message = b'{"type":"nothing","x":"' + bad + b'"}'
        sent = [("whole", frame(message)), ("at the end", frame(b"x" + bad)), ("alone", frame(bad))]
        sent += [("cut at %d" % n, fragments(message, [23 + n])) for n in range(1, len(bad))]
        sent += [("in octets", fragments(message, range(1, len(message))))]
        for name, data in sent:
            with rows("%r %s" % (bad, name)):
                Socket(daemon).raw(data).closed(1007)
        for name, data in [("whole", frame(deflate(message), rsv=RSV1)), ("at the end", frame(deflate(bad), rsv=RSV1)),
                           ("in octets", fragments(deflate(message), range(1, 12), rsv=RSV1))]:
            with rows("%r packed, %s" % (bad, name)):
                Socket(daemon, offer=True).raw(data).closed(1007)
    with rows("split between messages"):
        Socket(daemon).raw(frame(b'"\xe2\x82') + frame(b'\xac"')).closed(1007)
    # It is not waited for the end of a message that can't become right any more.
    for bad in (b"\xff", b"\xc3\x28", b"\xed\xa0", b"\xf4\x90", b"\xe0\x80"):
        with rows("%r in a message that never ends" % bad):
            Socket(daemon).raw(frame(b"{" + bad, fin=False)).closed(1007)
    rows.check()


# --- too much ---------------------------------------------------------------------------------

@case
def a_message_over_the_limit_is_told_by_1009():
    daemon, most = Daemon(max_message="64K"), 65536
    socket = Socket(daemon, offer=True)
    for send in (lambda data: frame(data), lambda data: frame(deflate(data), rsv=RSV1),
                 lambda data: fragments(data, range(1000, len(data), 1000))):
        for length in (most - 1, most):
            socket.raw(send(padded(length)))
            equal(socket.ack(), 0, "length %d" % length)
        Socket(daemon, offer=True).raw(send(padded(most + 1))).closed(1009)
    # Told before it comes.
    for length in (most + 1, 1 << 20, 1 << 31, 1 << 32, 1 << 40, (1 << 63) - 1):
        Socket(daemon).raw(frame(b"", length=length)).closed(1009)
    Socket(daemon).raw(frame(b"x" * 40000, fin=False) + frame(b"", MORE, length=30000)).closed(1009)
    check_echo(socket)


@case
def sixteen_mebibytes_are_taken_by_default():
    daemon, most = Daemon(), 16 << 20
    socket = Socket(daemon, offer=True)
    socket.send(padded(most))
    equal(socket.ack(), 0)
    socket.send(padded(most), packed=True)
    equal(socket.ack(), 0)
    Socket(daemon).raw(frame(b"", length=most + 1)).closed(1009)
    Socket(daemon, offer=True).send(padded(most + 1), packed=True).closed(1009)


@case
def a_bomb_takes_no_room():
    daemon = Daemon(max_message="1M")
    check_echo(Socket(daemon, offer=True))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(scale(256, 16))) + packer.flush()
    daemon.reset_peak()
    before = daemon.rss()
    for _ in range(4):
        Socket(daemon, offer=True).raw(frame(bomb, rsv=RSV1)).closed(1009)
        Socket(daemon, offer=True).raw(fragments(bomb, range(1, 2000), rsv=RSV1)).closed(1009)
    if scale(True, False):
        assert daemon.peak() - before < 24 << 20, "%d MiB" % (daemon.peak() - before >> 20)


@case
def a_flood_of_fragments_is_one_message():
    daemon = Daemon()
    socket, text = Socket(daemon, offer=True), question("flood")
    check_echo(socket)
    before, count = daemon.rss(), scale(200000, 20000)
    socket.raw(frame(text[:3], fin=False) + frame(b"", MORE, False) * count + frame(text[3:], MORE))
    socket.response("flood")
    packed = deflate(text)
    socket.raw(frame(packed[:3], fin=False, rsv=RSV1) + frame(b"", MORE, False) * count + frame(packed[3:], MORE))
    socket.response("flood")
    long = padded(scale(100000, 10000))
    socket.raw(frame(b"", fin=False) + b"".join(frame(long[n:n + 1], MORE, False) for n in range(len(long))) +
               frame(b"", MORE))
    equal(socket.ack(), 0)
    if scale(True, False):
        assert daemon.rss() - before < 16 << 20, "%d MiB" % (daemon.rss() - before >> 20)


@case
def a_flood_of_pings_is_answered_and_bounded():
    daemon = Daemon()
    socket = check_echo(Socket(daemon))
    before, count = daemon.rss(), scale(300000, 30000)
    sent, step = 0, 1000
    socket.wire.sock.settimeout(0.5)
    try:  # without reading: it stops to read, or leaves pongs out
        while sent < count:
            data = b"".join(frame(b"%08d" % n + b"x" * 117, PING) for n in range(sent, sent + step))
            socket.wire.sock.sendall(data)
            sent += step
        cut = b""
    except TimeoutError:
        cut = data
    if scale(True, False):
        assert daemon.rss() - before < 24 << 20, "%d MiB" % (daemon.rss() - before >> 20)
    socket.wire.sock.settimeout(PATIENCE)
    check_echo(Socket(daemon))
    if not cut:
        socket.sync()
        numbers = [int(p[:8]) for p in socket.pongs[:-1]]
        equal(numbers, sorted(set(numbers)), "pongs in order")
        equal(numbers[-1], sent - 1, "the last ping is answered")
        check_echo(socket)
    else:
        # What is in the pipe comes out again, in order.
        socket.next_thing()
    # As many as one reads are all answered.
    other = Socket(daemon)
    for n in range(20):
        other.raw(b"".join(frame(b"%d" % (50 * n + k), PING) for k in range(50))).sync()
    equal([p for p in other.pongs if p.isdigit()], [b"%d" % n for n in range(1000)])


# --- compressed messages ----------------------------------------------------------------------

@case
def a_compressed_message_may_be_made_in_many_ways():
    daemon, text = Daemon(), question("packed " * 50)
    socket, rows = Socket(daemon, offer=True), Rows()
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    blocks = b"".join(packer.compress(text[n:n + 40]) + packer.flush(zlib.Z_FULL_FLUSH if n % 80 else zlib.Z_SYNC_FLUSH)
                      for n in range(0, len(text), 40))[:-4]
    ways = [("level %d" % level, deflate(text, level)) for level in range(10)]
    ways += [("window %d" % bits, deflate(text, bits=-bits)) for bits in range(9, 16)]
    ways += [("a full flush", deflate(text, flush=zlib.Z_FULL_FLUSH)), ("many blocks", blocks),
             ("a final block", deflate(text, flush=zlib.Z_FINISH)),
             ("a final block and an empty one", deflate(text, flush=zlib.Z_FINISH) + b"\0"),
             ("empty blocks in front", b"\0\0\0\xff\xff" * 20 + deflate(text)),
             ("the tail not taken off", deflate(text) + b"\0\0\xff\xff\0")]
    for name, packed in ways:
        with rows(name):
            socket.raw(frame(packed, rsv=RSV1)).response("packed " * 50)
    for name, packed in ways[::4]:
        for cuts in ([1], [0, 3], range(1, len(packed))):
            with rows("%s in %d fragments" % (name, len(cuts) + 1)):
                socket.raw(fragments(packed, cuts, rsv=RSV1, between=frame(b"p", PING))).response("packed " * 50)
    with rows("nothing"):
        for empty in (b"\0", b"\x02\0", b""):
            socket.raw(frame(empty, rsv=RSV1)).error()
    with rows("plain ones between"):
        socket.send(text).response("packed " * 50)
        socket.send(text, packed=True).response("packed " * 50)
    rows.check()


@case
def what_can_not_be_inflated_ends_the_connection():
    daemon, rows, text = Daemon(), Rows(), question("x" * 300)
    packed = deflate(text)
    other = deflate(text, dictionary=text)  # refers to an earlier message
    for name, data in [("garbage", b"\xff" * 50), ("a reserved block type", b"\x07" + b"x" * 20),
                       ("a stored block with a wrong length", b"\0\5\0\0\0hello"),
                       ("a message that refers to the one before", other),
                       ("garbage behind a part", packed[:20] + b"\xff" * 40)]:
        with rows(name):
            socket = Socket(daemon, offer=True).send(text, packed=True)
            socket.response("x" * 300)
            socket.raw(frame(data, rsv=RSV1)).closed(1007, 1002)
    for name, data in [("gzip", zlib.compress(text)), ("cut short", packed[:len(packed) // 2])]:
        with rows(name):  # an end, or a message that is no JSON
            socket = Socket(daemon, offer=True).raw(frame(data, rsv=RSV1))
            try:
                socket.error()
            except Ended as end:
                assert end.code in (1007, 1002), end
    rows.check()


@case
def answers_are_compressed_when_that_was_agreed_on():
    daemon = Daemon()
    daemon.save([event() for _ in range(2000)])
    plain, packing = Socket(daemon), Socket(daemon, offer=True)
    expected = plain.response(plain.query())
    assert not plain.packed
    for _ in range(3):  # each message stands alone: Socket inflates it so
        equal(packing.response(packing.query()), expected)
        assert packing.packed, "a large answer is sent plain"
    check_echo(packing)


@case
def random_bytes_never_do_harm():
    daemon, dice = Daemon(), random.Random(7692)
    good = [frame(question("a")), frame(deflate(question("b")), rsv=RSV1), frame(b"x", PING), frame(b"y", PONG),
            fragments(question("c"), [4, 9]), frame(padded(200)), closing(1000)]
    for n in range(scale(600, 100)):
        socket = Socket(daemon, offer=n % 2)
        data = bytearray(b"".join(dice.choice(good) for _ in range(dice.randrange(1, 6))))
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        socket.raw(bytes(data)).wire.half_close()
        try:
            while True:
                socket.message()
        except (Ended, Cut):
            pass
        socket.wire.close()
    check_echo(Socket(daemon))


main()
