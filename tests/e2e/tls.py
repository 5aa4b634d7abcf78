"""TLS: tls-cert and tls-key. Who gets in, what is the same through it, and what is wrong about files.

The other end-to-end tests run through TLS with BEACOND_TEST_TLS=1; what is here is about TLS itself,
and some of the others' cases where TLS makes a difference."""

import fcntl
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import termios
import warnings

import certs
from harness import (NOW, PATIENCE, SLOW, TLS, Daemon, Rows, Skip, Wire, WriteLock, batch, case, case_of_time,
                     directory, equal, event, main, poll, run, scale, sliced)
from sockets import Socket, frame, narrow

POST = b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n%s\r\n"
GET = b"GET /_tracker%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"


LONG = os.environ.get("BEACOND_TEST_LONG", "0") == "1"  # more of everything

# A part of them a few words choose, all of them when it may take long.
OTHERS = {"http_shapes": ["in_one_segment", "closed_its_half"], "ws_frames": ["fragments_and"],
          "ws_ends": ["behind_the_acks", "before_a_reset"], "feed": ["goes_on_behind"],
          "retries": ["connection_broke", "answer_was_lost"], "ws_bursts": ["without_having_read"],
          "ndjson": ["behind_a_malformed"], "lingering": ["always_arrive", "413_read"]}


def pair():
    """Flags of a daemon with a certificate."""
    if not certs.there():
        raise Skip("there is no openssl command")
    folder = certs.authority()
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    done = run("check-config", "--tls-cert", cert, "--tls-key", key)
    if b"built without OpenSSL" in done.stderr:
        equal(done.returncode, 78)
        raise Skip("beacond was built without OpenSSL")
    return {"tls_cert": cert, "tls_key": key}


def begun(**options):
    return Daemon(**pair(), **options)


class Peer:
    """TLS over memory: what goes over the network, and when, is the test's to say."""

    def __init__(self, daemon, context=None):
        self.sock = daemon.connect(bare=True)
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.cut = False  # the end came without a goodbye
        self.tls = (context or certs.context()).wrap_bio(self.coming, self.going, server_hostname="localhost")

    def pump(self, step):
        """A step of TLS, with all the network that it needs."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                self.coming.write(data) if data else self.coming.write_eof()
            finally:
                self.flush()

    def flush(self):
        if self.going.pending:
            self.sock.sendall(self.going.read())

    def shake(self):
        self.pump(self.tls.do_handshake)
        return self

    def records(self, data):
        """The bytes that carry the data, not sent yet."""
        self.tls.write(data)
        return self.going.read()

    def goodbye(self):
        """A close_notify, not sent yet."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        return self.going.read()

    def sendall(self, data):
        self.sock.sendall(self.records(data))

    def recv(self, size):
        try:
            return self.pump(lambda: self.tls.read(size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as end:
            self.cut = isinstance(end, ssl.SSLEOFError)
            return b""

    def unsent(self):
        """Bytes that have not come to the daemon's system yet."""
        return struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, b"\0" * 4))[0]

    def wire(self):
        return Wire(self)

    def close(self):
        self.sock.close()


# --- who gets in ------------------------------------------------------------------------------

@case
def versions_below_1_2_are_refused():
    daemon, rows = begun(), Rows()
    table = {ssl.TLSVersion.TLSv1: False, ssl.TLSVersion.TLSv1_1: False, ssl.TLSVersion.TLSv1_2: True,
             ssl.TLSVersion.TLSv1_3: True}
    for version, fine in table.items():
        with rows(version.name):
            context = certs.context()
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # old versions are not the client's to refuse
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
            peer = Peer(daemon, context)
            try:
                peer.shake()
                equal(peer.tls.version(), version.name.replace("_", "."))
                assert fine, "let in"
            except (ssl.SSLError, ConnectionResetError) as error:
                assert not fine, error
            peer.close()
    rows.check()
    equal(daemon.get("/health").status, 200)


@case
def http_1_1_is_what_is_agreed_on():
    daemon, rows = begun(), Rows()
    table = {"both": (["h2", "http/1.1"], "http/1.1"), "that alone": (["http/1.1"], "http/1.1"),
             "nothing": ([], None), "h2 alone": (["h2"], ssl.SSLError)}
    for name, (offer, expected) in table.items():
        with rows(name):
            context = certs.context()
            if offer:
                context.set_alpn_protocols(offer)
            try:
                equal(Peer(daemon, context).shake().tls.selected_alpn_protocol(), expected)
            except ssl.SSLError:
                equal(expected, ssl.SSLError, "refused")
    rows.check()


@case
def sessions_are_resumed_and_nothing_is_renegotiated():
    daemon = begun()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = certs.context()
        context.maximum_version = version
        first = context.wrap_socket(daemon.connect(bare=True), server_hostname="localhost")
        equal(Wire(first).send(GET % (b"/ping", b"")).response().status, 200)
        again = context.wrap_socket(daemon.connect(bare=True), server_hostname="localhost",
                                    session=first.session)
        equal(Wire(again).send(GET % (b"/ping", b"")).response().status, 200)
        assert again.session_reused, version.name
    # s_client asks for it with a line "R"; the daemon does not take part.
    client = subprocess.Popen(["openssl", "s_client", "-connect", daemon.address, "-tls1_2"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = client.communicate(b"R\n", timeout=PATIENCE)[0].decode("utf-8", "replace")
    assert "RENEGOTIATING" in out and "Cipher is" in out, out[-600:]
    assert out.count("Verify return code") == 1, "renegotiated: " + out[-600:]


@case
def unix_and_admin_sockets_stay_plain():
    path = os.path.join(directory(), "s")
    daemon = begun(listen=["127.0.0.1:0", "unix:" + path], admin_listen="127.0.0.1:0", log_level="debug")
    equal(daemon.secure, daemon.addresses[:1], "with TLS")
    admin = daemon.wait_log(r"listening on \S+ for admin$").split()[-3]
    for address in (daemon.addresses[1], admin):
        wire = Wire(daemon.connect(address))
        assert wire.send(GET % (b"/ping", b"")).response().status in (200, 404), address


@case
def what_is_no_tls_ends_and_is_told_at_debug_alone():
    for level in ("info", "debug"):
        daemon = begun(log_level=level)
        for what in (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", os.urandom(64), b"\x16\x03\x01\xff\xff" * 40,
                     b"\x16\x03\x03\x00\x04\x01\x00\x00\x00"):
            wire = Wire(daemon.connect(bare=True))
            wire.send(what + bytes(200))
            wire.half_close()
            while wire._more():
                pass
            assert not wire.buffer.startswith(b"HTTP"), wire.buffer
        if level == "debug":
            daemon.wait_log(r"debug a TLS handshake failed: http request$")
        equal(daemon.get("/health").status, 200)
        daemon.stop()
        if level == "info":
            assert not [x for x in daemon.log() if " debug " in x or " warn " in x or "handshake" in x], daemon.log()


# --- time and space ---------------------------------------------------------------------------

@case_of_time
def handshakes_and_records_that_stall_are_ended():
    daemon, rows = begun(head_timeout=scale("300ms", "2s"), timeout="1h"), Rows()
    hello = Peer(daemon)
    try:
        hello.tls.do_handshake()
    except ssl.SSLWantReadError:
        hello.greeting = hello.going.read()

    def nothing():
        return daemon.connect(bare=True)

    def half():
        hello.sock.sendall(hello.greeting[:100])
        return hello.sock

    def no_finished():
        peer = Peer(daemon)
        try:
            peer.tls.do_handshake()
        except ssl.SSLWantReadError:
            peer.flush()
        return peer.sock

    def first_record():
        peer = Peer(daemon).shake()
        peer.sock.sendall(peer.records(GET % (b"/ping", b""))[:-1])
        return peer.sock

    def later_record():
        peer = Peer(daemon).shake()
        peer.sendall(GET % (b"/ping", b""))
        equal(peer.wire().response().status, 200)
        peer.sock.sendall(peer.records(GET % (b"/ping", b""))[:3])
        return peer.sock

    for what in (nothing, half, no_finished, first_record, later_record):
        with rows(what.__name__):
            sock = what()
            while True:  # a timeout of the socket fails the row
                try:
                    if not sock.recv(65536):
                        break
                except ConnectionResetError:
                    break
    # Who is there, done with its handshake and silent, may stay.
    quiet = Peer(daemon).shake()
    for _ in range(3):
        slow = Peer(daemon).shake()
        slow.sock.sendall(slow.records(GET % (b"/pi", b""))[:9])
        poll(lambda: slow.sock.recv(65536) == b"", "the end of another")
    quiet.sendall(GET % (b"/ping", b""))
    equal(quiet.wire().response().status, 200)
    rows.check()


@case_of_time
def idle_connections_are_closed_with_a_goodbye():
    daemon = begun(timeout=scale("300ms", "2s"))
    peer = Peer(daemon).shake()
    peer.sendall(GET % (b"/ping", b""))
    wire = peer.wire()
    equal(wire.response().status, 200)
    equal((wire.at_end(), peer.cut), (True, False))


# --- the same through it ----------------------------------------------------------------------

def seeded(daemon, count, size=400):
    """So many events, none of which compresses well."""
    for at in range(0, count, 2000):
        daemon.save([event(NOW + n, n, payload='"%s"' % os.urandom(size // 2).hex())
                     for n in range(at, min(count, at + 2000))])


@case
def large_answers_are_the_same_bytes_however_slowly_they_are_read():
    path = os.path.join(directory(), "s")
    daemon, count = begun(listen=["127.0.0.1:0", "unix:" + path]), 40000 if LONG else 6000
    seeded(daemon, count)
    plain = daemon.addresses[1]
    for coding in (b"", b"Accept-Encoding: gzip\r\n"):
        ask = GET % (b"?limit=100000", coding)
        expected = Wire(daemon.connect(plain)).send(ask).response()
        equal(len(sliced(expected.plain())), count)
        equal(daemon.wire().send(ask).response().plain(), expected.plain(), "read at once")
        # Little room, and reads of odd sizes: the daemon's writes are cut wherever they can be.
        wire = Wire(narrow(daemon, 4096)).send(ask)
        parts, size, got = [], 1, 0
        while got < len(expected.body) // 3:
            part = wire.sock.recv(size % 20011 + 1)
            parts.append(part)
            got += len(part)
            size = size * 5 + 1
        wire.buffer = b"".join(parts)
        equal(wire.response().plain(), expected.plain(), "read slowly")


@case
def a_reader_that_stands_still_costs_no_memory():
    daemon, count = begun(timeout="1h", drain="0s"), 60000 if LONG else scale(16000, 2000)
    seeded(daemon, count, 600)
    ask = GET % (b"?limit=100000", b"")
    for _ in range(2):
        equal(daemon.wire().send(ask).response().status, 200)
    before = daemon.rss()
    standing = []
    for _ in range(8):
        standing.append(Wire(narrow(daemon, 4096)).send(ask))
    for wire in standing:
        wire._until(b"\r\n\r\n")
    daemon.save([event()])
    grown = daemon.rss() - before
    assert SLOW or grown < (24 if LONG else 12) << 20, "grown by %d KiB" % (grown >> 10)
    # And each still gets all of its answer.
    equal(len(sliced(standing[0]._chunks())), count)


@case
def bodies_come_in_records_of_any_size():
    daemon = begun()
    sizes = [1, 2, 975, 976, 977, 1953, 4095, 4096, 4097, 8192, 16383, 16384]
    texts = [event(NOW, n, payload='"%s"' % ("x" * 300)) for n in range(200)]
    for size in sizes:
        peer = Peer(daemon).shake()
        for form in ("plain", "chunked", "pipelined"):
            body = batch([event()] + texts[:3 if size < 3 else None])
            data = POST % (len(body), b"") + body
            if form == "chunked":
                chunks = [body[at:at + 700] for at in range(0, len(body), 700)]
                data = (b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
                        b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n")
            if form == "pipelined":
                data += GET % (b"/ping", b"") * 3
            cut = b"".join(peer.records(data[at:at + size]) for at in range(0, len(data), size))
            peer.sock.sendall(cut)
            wire = peer.wire()
            equal(wire.response().json()["ok"], True, "%s in records of %d" % (form, size))
            for _ in range(3 if form == "pipelined" else 0):
                equal(wire.response().status, 200)
        peer.close()
    peer = Peer(daemon).shake()  # and one record that comes byte by byte
    body = batch([event()])
    for byte in peer.records(POST % (len(body), b"") + body):
        peer.sock.sendall(bytes([byte]))
    equal(peer.wire().response().json()["saved"], 1)


@case
def who_waits_for_100_continue_hears_it():
    daemon = begun()
    body = batch([event()])
    lines = b"\n".join([event(), event()])
    for expected, text, head in ((1, body, b""), (2, lines, b"Content-Type: application/x-ndjson\r\n")):
        wire = daemon.wire().send(POST % (len(text), head + b"Expect: 100-continue\r\n"))
        equal(wire.response().status, 100)
        equal(wire.send(text).response().json()["saved"], expected)


@case
def clients_that_have_closed_their_half_get_their_answers():
    daemon, rows = begun(), Rows()
    for goodbye in (False, True):
        for fin in (False, True):
            for size in (100, 6000, 40000):
                with rows("goodbye %d, FIN %d, %d bytes" % (goodbye, fin, size)):
                    peer = Peer(daemon).shake()
                    body = batch([event(payload='"%s"' % ("y" * size))])
                    data = peer.records(POST % (len(body), b"") + body + GET % (b"/ping", b""))
                    peer.sock.sendall(data + (peer.goodbye() if goodbye else b""))
                    if fin:
                        peer.sock.shutdown(socket.SHUT_WR)
                    wire = peer.wire()
                    # After its own goodbye python's TLS reads no more: the records' bytes must do.
                    if goodbye:
                        poll(lambda: daemon.sql("select count(*) from events")[0][0] > 0, "the commit")
                        got = 0
                        while fin and got < 600:
                            more = peer.sock.recv(65536)
                            if not more:
                                break
                            got += len(more)
                        assert not fin or got > 500, "no answers: %d bytes" % got
                    else:
                        equal(wire.response().json()["saved"], 1)
                        equal(wire.response().status, 200)
                    peer.close()
    rows.check()


@case
def answers_without_a_length_end_with_a_goodbye():
    daemon = begun()
    daemon.save([event(NOW + n, n) for n in range(500)])
    peer = Peer(daemon).shake()
    peer.sendall(b"GET /_tracker?limit=1000 HTTP/1.0\r\nHost: localhost\r\n\r\n")
    equal(len(sliced(peer.wire().response().body)), 500)
    equal(peer.cut, False)


@case
def feeds_and_websockets_work_through_it():
    daemon = begun(ping_interval="200ms")
    wire = daemon.wire().send(GET % (b"/tail", b""))
    wire._until(b"\r\n\r\n")
    ws = Socket(daemon, offer=True).follow()
    ws.save([event(NOW, n) for n in range(3)])
    equal(len(ws.wait_pushes(3)), 3)
    while wire.buffer.count(b"data:") < 3:
        assert wire._more(), wire.buffer
    while not ws.pings:  # and it lives on, answering pings
        ws.control(*ws.next_thing())
    ws.sync()
    equal(ws.close(), 1000)
    drained = Socket(daemon)
    drained.ingest([event()])
    daemon.signal()
    equal(drained.ack(), 1)
    drained.closed(1012)
    while wire._more():
        pass
    assert wire.buffer.endswith(b"0\r\n\r\n"), wire.buffer[-100:]
    daemon.ended(0)


@case
def large_websocket_messages_pass_in_both_ways():
    daemon = begun()
    ws = Socket(daemon)
    texts = [event(NOW + n, n, payload='"%s"' % os.urandom(2000).hex()) for n in range(scale(1500, 300))]
    ws.save(texts)
    answer = ws.ask(limit=5000)
    equal(len(answer["events"]), len(texts))
    equal([e["payload"] for e in answer["events"]], [json.loads(t)["payload"] for t in reversed(texts)])
    equal(ws.close(), 1000)


@case
def what_a_websocket_said_last_is_stored():
    """Sent right in front of the end, whether that is a goodbye, a FIN or a reset."""
    daemon, sent = begun(), 0
    for end in ("goodbye", "fin", "reset"):
        peer = Peer(daemon).shake()
        Socket(daemon, wire=peer.wire())
        data = peer.records(frame(batch([event(payload='"%s"' % ("z" * 3000)) for _ in range(10)])))
        sent += 1
        if end == "reset":
            peer.sock.sendall(data)
            poll(lambda: peer.unsent() == 0, "all of it to be there")
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            peer.sock.sendall(data + (peer.goodbye() if end == "goodbye" else b""))
        peer.close()
        poll(lambda: daemon.total() == sent * 10, "the last words before a " + end)


@case
def a_batch_whose_answer_was_lost_is_stored_once():
    """A burst, which is told from a repetition by nothing but the fate of the first answer."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for end in ("goodbye", "goodbye, no FIN", "fin", "reset", "answered")[
                :5 if LONG or version == ssl.TLSVersion.TLSv1_3 else 2]:
            daemon = begun()
            context = certs.context()
            context.maximum_version = version
            texts = [event(NOW, 7)] * 5
            body = batch(texts)
            peer = Peer(daemon, context).shake()
            with WriteLock(daemon.database):
                peer.sendall(POST % (len(body), b"") + body)
                poll(lambda: daemon.unread() == 0, "the daemon to read it")
                if end.startswith("goodbye"):
                    peer.sock.sendall(peer.goodbye())
                    poll(lambda: peer.unsent() == 0, "it to arrive")
                if end == "reset":
                    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if end not in ("answered", "goodbye, no FIN"):
                    peer.close()
            if end == "answered":
                equal(peer.wire().response().json()["saved"], 5)
                peer.close()
            poll(lambda: daemon.sql("select count(*) from events")[0][0] == 5, "the commit")
            again = daemon.post(texts).json()
            fresh = 0 if end != "answered" else 5
            equal((again["saved"], again["duplicate"]), (5, 5 - fresh), "%s, %s" % (version.name, end))
            daemon.stop()


# --- files ------------------------------------------------------------------------------------

def refused(cert, key, *words):
    """serve and check-config both refuse it, with those words."""
    flags = ["--tls-cert", cert, "--tls-key", key, "--listen", "127.0.0.1:0"]
    for command in ([], ["check-config"]):
        done = run(*command, *flags)
        equal(done.returncode, 78, "%s: %r" % (command, done.stderr))
        for word in words:
            assert word.encode() in done.stderr, "%s not in %r" % (word, done.stderr)


@case
def files_that_will_not_do_are_configuration_errors():
    flags = pair()
    cert, key = flags["tls_cert"], flags["tls_key"]
    folder = directory()
    other_cert, other_key = certs.issue(folder, "other", "other-key")
    empty, locked = os.path.join(folder, "empty"), os.path.join(folder, "locked.pem")
    open(empty, "w").close()
    certs.openssl("pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out", locked)
    gone = os.path.join(folder, "gone")
    table = [(gone, key, "tls-cert: " + gone, "No such file"), (cert, gone, "tls-key: " + gone, "No such file"),
             (folder, key, "tls-cert: " + folder, "Is a directory"),
             (empty, key, "tls-cert: " + empty, "PEM"), (cert, empty, "tls-key: " + empty, "PEM"),
             (key, key, "tls-cert: " + key, "PEM"), (cert, cert, "tls-key: " + cert, "PEM"),
             (cert, other_key, "tls-key: %s is not the key of the certificate in %s" % (other_key, cert)),
             (other_cert, key, "is not the key"), (cert, locked, "encrypted")]
    rows = Rows()
    for row in table:
        with rows(str(row[2:])):
            refused(*row)
    for one in (["--tls-cert", cert], ["--tls-key", key]):
        with rows(one[0]):
            done = run("check-config", *one)
            equal(done.returncode, 78)
            assert b"tls-cert and tls-key: expected both or neither" in done.stderr, done.stderr
    rows.check()
    done = run("check-config", "--tls-cert", cert, "--tls-key", key)
    equal(done.returncode, 0, done.stderr)


@case
def dates_and_modes_are_warned_of():
    pair()
    folder, rows = directory(), Rows()
    day = {"past": ("-days", "-1"), "fine": ("-days", "10")}
    for name, days in day.items():
        cert, key = certs.issue(folder, name, name + "-key", days=days)
        done = run("check-config", "--tls-cert", cert, "--tls-key", key)
        with rows(name):
            equal(done.returncode, 0, done.stderr)
            equal(b"has expired at 20" in done.stderr, name == "past", done.stderr)
    os.chmod(key, 0o644)
    done = run("check-config", "--tls-cert", cert, "--tls-key", key)
    with rows("mode"):
        assert b"warn  tls-key: " in done.stderr and b"open to every user" in done.stderr, done.stderr
    rows.check()


# --- the others -------------------------------------------------------------------------------

@case
def some_of_the_other_tests_pass_through_it():
    """A few seconds' worth; all of them by hand, BEACOND_TEST_TLS=1."""
    if TLS:
        raise Skip("it is on already")
    pair()
    here = os.path.dirname(os.path.abspath(__file__))
    for name, words in ((name, [] if LONG else words) for name, words in OTHERS.items()):
        done = subprocess.run([sys.executable, os.path.join(here, name + ".py"), *words], capture_output=True,
                              env=dict(os.environ, BEACOND_TEST_TLS="1"), timeout=300)
        equal(done.returncode, 0, "%s: %s" % (name, done.stdout.decode()[-1500:]))
        assert b"\nok 1" in done.stdout, "%s has no case of %s" % (name, words)


main()
