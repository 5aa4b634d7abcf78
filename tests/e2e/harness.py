"""What the end-to-end tests share: a runner, a real daemon, HTTP down to the byte.

Each tests/e2e/x.py stands alone: `python3 tests/e2e/x.py` from the build tree runs it, with words
behind it only the cases whose names hold one of them. Python's standard library is all it needs.

  BEACOND       the binary, default ./src/beacond
  BEACOND_FAULTY  the one with faults (tests/faults/faulty.h), default ./tests/faults/beacond-faulty
  BEACOND_SLOW  1: the daemon runs under valgrind or something like it. Sizes go down (scale()),
                deadlines up, and resident memory is not judged. Sanitizers are noticed by themselves
  BEACOND_TEST_BRIEF  1: the first case of each program alone: whether everything it needs is there
  BEACOND_TEST_STORE  postgresql: what the tests store is in PostgreSQL, where they are not about files (stores.py)
  BEACOND_TEST_TLS  1: every daemon gets a certificate, and TCP is spoken to through TLS

Output is TAP. A case is a function under @case; its name, underscores as spaces, is the sentence.
It fails by an exception, and can't run by raising Skip. What a case has started is stopped behind
it by SIGTERM, and the case fails if that does not end with exit code 0, if the daemon had died by
itself, or if a sanitizer reported anything. Whatever happens, no process outlives the tests.

Nothing here sleeps to synchronise: wait for a line of the log (Daemon.wait_log), or poll a fact
with a deadline (poll(), becomes()): the very fact that is asserted, for another may come true before it.

The parts: case/case_of_time/main, Skip, Rows (runner.py) · sql, shell, WriteLock (stores.py) · Daemon · Response, Wire (exact bytes over a socket) · event(),
batch(), sliced() (the raw texts of the events of an answer), original() · poll, becomes, scale.
"""

import contextlib
import gzip
import http.client
import itertools
import json
import os
import random
import re
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
import zlib

import certs
import runner
import stores
from runner import (BINARY, BRIEF, PATIENCE, SANITIZED, SLOW, Grave, Rows, Skip, becomes, case,  # noqa: F401
                    case_of_time, daemons, directory, equal, libc, poll, scale, short)
from stores import WriteLock, shell, sql  # noqa: F401

FAULTY = os.path.abspath(os.environ.get("BEACOND_FAULTY", "./tests/faults/beacond-faulty"))
TLS = os.environ.get("BEACOND_TEST_TLS", "") not in ("", "0")
DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")

# What sending fails with when the peer has closed already.
BROKEN = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


@contextlib.contextmanager
def repeated(daemon, send):
    """Beside what stands in the block, a client of its own calls send(connection, n) for n = 0, 1, …
    What goes wrong there fails the block."""
    done, trouble = threading.Event(), []

    def run_on():
        connection = daemon.connection()
        try:
            for n in itertools.count():
                if done.is_set():
                    break
                send(connection, n)
        except Exception as error:
            trouble.append(error)
        connection.close()

    thread = threading.Thread(target=run_on)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    equal(trouble, [])


def main(of_files=False):
    """Runs the cases. of_files: all of them are about SQLite's files."""
    runner.main(lambda chosen: stores.prepare(of_files or all(hasattr(function, "of_sqlite") for function in chosen)))


# --- the daemon -------------------------------------------------------------------------------

SANITIZERS = re.compile(rb"AddressSanitizer|LeakSanitizer|ThreadSanitizer|MemorySanitizer|"
                        rb"UndefinedBehaviorSanitizer|runtime error:|==\d+==ERROR")


def _environment(extra):
    env = {k: v for k, v in os.environ.items() if not k.startswith("BEACOND")}
    env["BEACOND_CONFIG"] = ""  # not the one that this machine may have
    env.update(extra or {})
    return env


def run(*arguments, env=None, cwd=None, patience=None, program=BINARY):
    """Runs the binary to its end. Returns an object with returncode, stdout, stderr (bytes)."""
    return subprocess.run([program, *arguments], env=_environment(env), cwd=cwd or directory(),
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=patience or PATIENCE)


def begin(*arguments, env=None, cwd=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
          stderr=subprocess.PIPE, program=BINARY, **more):
    """Starts the binary, its environment without the tests' own variables. A subprocess.Popen."""
    return subprocess.Popen([program, *arguments], env=_environment(env), cwd=cwd or directory(), stdin=stdin,
                            stdout=stdout, stderr=stderr, **more)


def finish(process):
    """Waits for its end. Returns exit code, standard output and standard error (str)."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out.decode(), err.decode()


def drained(terminal):
    """What is still to be read of a terminal (bytes), which is closed behind it."""
    seen = b""
    try:
        while True:
            seen += os.read(terminal, 65536)
    except OSError:  # how a terminal says that nobody writes to it any more
        os.close(terminal)
    return seen


def on_terminal(*arguments):
    """Runs the binary with a terminal as its standard error. Returns exit code, standard output and
    what the terminal got (bytes)."""
    ours, theirs = os.openpty()
    process = begin(*arguments, stderr=theirs)
    out = process.communicate(timeout=PATIENCE)[0]
    os.close(theirs)
    return process.returncode, out, drained(ours)


def lasting_address():
    """An address for a daemon that is started again there: outside of the range from which the system
    takes ports for whoever connects, or one of those could have it meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = int(file.read().split()[0])
    for _ in range(100 if first > 12000 else 0):
        port = random.randrange(first - 10000, first)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind(("127.0.0.1", port))
                return "127.0.0.1:%d" % port
    return "127.0.0.1:0"


class Daemon:
    """A running beacond. Its database is `database`, in a directory of its own unless given.

    listen: what --listen gets (a list for several). keyed tests pass key=[…]. options become flags:
    max_body="64K" is --max-body 64K, a list repeats the flag. ready=False: don't wait for it. before: a
    command that becomes the daemon, which inherits pass_fds. program=FAULTY, with what is to fail in env."""

    def __init__(self, *arguments, listen="127.0.0.1:0", database=None, env=None, ready=True,
                 preexec=None, before=(), pass_fds=(), program=BINARY, **options):
        self.directory = directory()
        self.database = database or stores.fresh(self.directory)
        options = dict(options, database=self.database, listen=listen)
        if "config" not in options and not arguments and not (env or {}).keys() & {"BEACOND_HOLD", "BEACOND_CONFIG"}:
            options.setdefault("hold", "20s")  # two seconds may pass on a busy machine before it commits
        if stores.POSTGRES and not arguments and not any(d.alive() and d.database == self.database for d in daemons
                                                         if isinstance(d, Daemon)):
            options.setdefault("node", "tests")  # so that one that comes behind a killed one takes its place
        if TLS and "tls_cert" not in options:
            options.update(tls_cert=os.path.join(certs.authority(), "cert.pem"),
                           tls_key=os.path.join(certs.authority(), "key.pem"))
        flags = []
        for name, value in options.items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                flags += ["--" + name.replace("_", "-")] + ([] if one is True else [str(one)])

        def prepare():
            libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not even a killed test leaves one
            if preexec:
                preexec()

        self.lines = []
        self.secure = []  # addresses that speak TLS, once ready
        self._changed = threading.Condition()
        self._ended = False
        self.expected_exit = 0
        self._done = False
        self.process = subprocess.Popen([*before, program, *arguments, *flags], env=_environment(env),
                                        cwd=self.directory, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        preexec_fn=prepare, pass_fds=pass_fds)
        self.pid = self.process.pid
        daemons.append(self)
        threading.Thread(target=self._follow, daemon=True).start()
        if ready:
            self.wait_ready()

    def wait_ready(self):
        self.wait_log(r" ready$")
        found = [m for m in (re.search(r" listening on (\S+)( with TLS)?$", line)
                             for line in self.log()) if m]
        self.addresses = [m.group(1) for m in found]
        self.secure = [m.group(1) for m in found if m.group(2)]
        assert self.addresses, "ready without listening"
        self.address = self.addresses[0]

    def _follow(self):
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.rstrip(b"\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def log(self):
        with self._changed:
            return [line.decode("utf-8", "backslashreplace") for line in self.lines]

    def log_tail(self):
        return "\n".join(self.log()[-40:])

    def wait_log(self, pattern, patience=None):
        """Waits for a line that the pattern matches; returns it."""
        compiled, deadline, seen = re.compile(pattern), time.monotonic() + (patience or PATIENCE), 0
        while True:
            lines = self.log()
            for line in lines[seen:]:
                if compiled.search(line):
                    return line
            seen = len(lines)
            with self._changed:
                if len(self.lines) == seen:
                    if self._ended or not self._changed.wait(deadline - time.monotonic()):
                        raise AssertionError("no line %r in the log:\n%s" % (pattern, "\n".join(lines)))

    # Ends.

    def alive(self):
        return self.process.poll() is None

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, patience=None):
        """Waits for the end; returns the exit code with the log complete."""
        code = self.process.wait(patience or PATIENCE)
        with self._changed:
            self._changed.wait_for(lambda: self._ended, PATIENCE)
        return code

    def stop(self):
        """SIGTERM, and everything about the end must be right."""
        if not self._done:
            self._done = True
            if not self.alive():
                code = self.wait()
                self._check_sanitizers()
                raise Grave("the daemon ended by itself, exit code %d" % code)
            self.signal()
            code = self.wait()
            self._check_sanitizers()
            equal(code, 0, "exit code after SIGTERM")

    def ended(self, code=None):
        """For a daemon that ends by the test's own doing: waits, and returns the exit code."""
        self._done = True
        got = self.wait()
        self._check_sanitizers()
        if code is not None:
            equal(got, code, "exit code")
        return got

    def crash(self):
        """kill -9."""
        self._done = True
        self.signal(signal.SIGKILL)
        self.wait()
        self._check_sanitizers()

    def finish(self):
        self.stop()

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()

    def doom(self):
        """It may end at any moment, by the test's own doing: nobody complains. Whoever says so calls ended()."""
        self._done = True

    def over(self, patience=0):
        """Waits so long for its end; whether it has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, patience)

    def retire(self):
        """Takes one that has ended away before its case has: for cases that start thousands."""
        daemons.remove(self)
        runner.forget(self.directory)

    def _check_sanitizers(self):
        with self._changed:
            for line in self.lines:
                if SANITIZERS.search(line):
                    raise Grave("sanitizer: " + line.decode("utf-8", "replace"))

    # Talks.

    def connect(self, address=None, patience=None, bare=False):
        """A connected socket. bare: TCP alone, whatever is to be spoken through it."""
        kind, place = parse_address(address or self.address)
        sock = socket.socket(kind, socket.SOCK_STREAM)
        sock.settimeout(patience or PATIENCE)
        sock.connect(place)
        if kind != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock if bare else self.secured(sock, address)

    def secured(self, sock, address=None):
        """The connected socket, through TLS where the daemon speaks that."""
        if (address or self.address) not in self.secure:
            return sock
        return certs.context().wrap_socket(sock, server_hostname="localhost")

    def wire(self, address=None):
        return Wire(self.connect(address))

    def host(self, address=None):
        """What a browser would put into Host."""
        kind, place = parse_address(address or self.address)
        if kind == socket.AF_UNIX:
            return "localhost"
        return "[%s]:%d" % place[:2] if kind == socket.AF_INET6 else "%s:%d" % place

    def request(self, method, target, headers=None, body=None, address=None, connection=None):
        """One request by http.client. headers: a dict or list of pairs; Host is put in unless it
        is there ("Host": None sends none). Returns a Response."""
        own = connection is None
        connection = connection or Connection(self, address)
        try:
            return connection.request(method, target, headers, body)
        finally:
            if own:
                connection.close()

    def connection(self, address=None):
        """An object whose request() keeps the connection alive."""
        return Connection(self, address)

    def get(self, target, **headers):
        return self.request("GET", target, {k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, texts, target="/_tracker/events", headers=None, connection=None, packed=False):
        """Sends events (their raw texts); returns the Response."""
        body, headers = batch(texts), dict(headers or {})
        headers.setdefault("Content-Type", "application/json")
        if packed:
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        return self.request("POST", target, headers, body, connection=connection)

    def save(self, texts, **more):
        """As post, and all of them must be saved."""
        texts = list(texts)
        response = self.post(texts, **more)
        equal(response.status, 200, "ingest: %r" % response.body[:300])
        equal(response.json(), {"ok": True, "saved": len(texts), "rejected": 0, "duplicate": 0})
        return response

    def read(self, query="", **headers):
        """The parsed answer of a read that must succeed."""
        response = self.get("/_tracker" + ("?" + query if query else ""), **headers)
        equal(response.status, 200, "read %s: %r" % (query, response.body[:300]))
        return response.json()

    def total(self):
        return self.read("limit=0")["total"]

    # Looks.

    def sql(self, statement, *values):
        """Rows of a query by a read-only connection of our own. Texts come as bytes."""
        return stores.sql(self.database, statement, *values)

    def rss(self):
        """Resident bytes now."""
        return self._status("VmRSS")

    def peak(self):
        """Resident bytes at the highest since reset_peak."""
        return self._status("VmHWM")

    def reset_peak(self):
        with open("/proc/%d/clear_refs" % self.pid, "w") as file:
            file.write("5")

    def _status(self, name):
        with open("/proc/%d/status" % self.pid) as file:
            return int(re.search(name + r":\s*(\d+) kB", file.read()).group(1)) * 1024

    def cpu_ns(self):
        """Processor time that all its threads have used."""
        total = 0
        for task in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/schedstat" % (self.pid, task)) as file:
                total += int(file.read().split()[0])
        return total

    def sockets(self):
        """How many of its descriptors are sockets."""
        count = 0
        folder = "/proc/%d/fd" % self.pid
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                count += os.readlink(folder + "/" + name).startswith("socket:")
        return count

    def unread(self):
        """Bytes that wait in its TCP sockets for it to read them, unaccepted ones included."""
        port = "%04X" % parse_address(self.address)[1][1]
        waiting = 0
        with open("/proc/net/tcp") as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[1].endswith(":" + port):
                    waiting += int(fields[4].split(":")[1], 16)
        return waiting


def parse_address(text):
    """("127.0.0.1:80") → family and what connect() wants."""
    if text.startswith("unix:"):
        return socket.AF_UNIX, text[5:]
    host, port = text.rsplit(":", 1)
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, (host, int(port))


# --- HTTP -------------------------------------------------------------------------------------

class Response:
    """status, headers (pairs as they came), body (chunks joined, nothing unzipped)."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, "%s more than once: %r" % (name, values)
        return values[0] if values else None

    def vary(self):
        return {part.strip().lower() for v in self.all("Vary") for part in v.split(",")}

    def plain(self):
        """The body, unzipped if it says so; a gzip body must be one single member."""
        if self.header("Content-Encoding") != "gzip":
            return self.body
        unpacker = zlib.decompressobj(31)
        text = unpacker.decompress(self.body)
        assert unpacker.eof and not unpacker.unused_data, "not one whole gzip member"
        return text

    def json(self):
        kind = self.header("Content-Type") or ""
        assert kind.split(";")[0] == "application/json", "Content-Type: %r" % kind
        return json.loads(self.plain())

    def error(self):
        """The text of an error answer, which must have its form."""
        assert self.status >= 400, "no error: %d %r" % (self.status, self.body[:200])
        parsed = self.json()
        assert list(parsed) == ["error"] and isinstance(parsed["error"], str) and parsed["error"], \
            "not {\"error\":\"…\"}: %r" % self.body[:300]
        return parsed["error"]

    def __repr__(self):
        return "%d %r %s" % (self.status, self.headers, short(self.body))


class Connection:
    """A kept-alive http.client connection."""

    def __init__(self, daemon, address=None):
        self.daemon, self.address, self.client = daemon, address, None
        self.open()

    def open(self):
        self.client = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        self.client.sock = self.daemon.connect(self.address)

    def request(self, method, target, headers=None, body=None):
        if self.client.sock is None:
            self.open()
        pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
        names = {k.lower() for k, v in pairs}
        if "host" not in names:
            pairs.insert(0, ("Host", self.daemon.host(self.address)))
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            pairs.append(("Content-Length", str(len(body))))
        self.client.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in pairs:
            if value is not None:
                self.client.putheader(name, value)
        self.client.endheaders()
        if body:
            try:
                self.client.send(body)
            except BROKEN:
                pass  # refused before all of it was sent: the answer tells
        answer = self.client.getresponse()
        return Response(answer.status, answer.getheaders(), answer.read())

    def close(self):
        self.client.close()


class Closed(Exception):
    """The peer closed where a response should have begun."""


class Wire:
    """A socket for exact bytes, and a reader of responses that trusts nothing."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def send(self, data):
        """Sends; a peer that has closed already is no error here, reading will tell."""
        try:
            self.sock.sendall(data)
        except BROKEN:
            pass
        return self

    def half_close(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return self

    def close(self):
        self.sock.close()

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        self.buffer += data
        return bool(data)

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                if not self.buffer:
                    raise Closed()
                raise AssertionError("cut short: %r" % self.buffer[:300])
        line, self.buffer = self.buffer.split(mark, 1)
        return line

    def _exactly(self, count):
        while len(self.buffer) < count:
            if not self._more():
                raise AssertionError("body cut short, %d of %d" % (len(self.buffer), count))
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def response(self, method="GET"):
        """The next response; Closed when there is none."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.[01] (\d{3}) [^\r\n]*", head[0])
        assert match, "status line %r" % head[0]
        status = int(match.group(1))
        headers = []
        for line in head[1:]:
            name, colon, value = line.partition(":")
            assert colon and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name), "header %r" % line
            headers.append((name, value.strip()))
        found = Response(status, headers, b"")
        length, coding = found.header("Content-Length"), found.header("Transfer-Encoding")
        assert not (length and coding), "both Content-Length and Transfer-Encoding"
        if method == "HEAD" or status in (204, 304) or status < 200:
            pass
        elif coding:
            equal(coding.lower(), "chunked")
            found.body = self._chunks()
        elif length is not None:
            found.body = self._exactly(int(length))
        else:
            while self._more():
                pass
            found.body, self.buffer = self.buffer, b""
        return found

    def _chunks(self):
        parts = []
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                equal(self._until(b"\r\n"), b"", "trailer")
                return b"".join(parts)
            parts.append(self._exactly(size))
            equal(self._exactly(2), b"\r\n", "end of chunk")

    def at_end(self):
        """Waits until the peer closes; true when nothing came before that."""
        while self._more():
            pass
        return not self.buffer

    def silent(self):
        """True when at this moment nothing has come and nobody closed."""
        if isinstance(self.sock, certs.Secure) and not self.buffer:
            came = self.sock.waits()
            self.buffer = came or b""
            return came is None
        waiting = select.poll()  # select() knows no descriptors beyond 1023
        waiting.register(self.sock, select.POLLIN)
        return not self.buffer and not waiting.poll(0)


# --- events -----------------------------------------------------------------------------------

def stamp(ms):
    """Milliseconds since 1970 as the stock client writes them; any year from 0000 to 9999."""
    days, rest = divmod(ms, 86400000)
    z = days + 719468
    era, doe = divmod(z, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    day, month = doy - (153 * mp + 2) // 5 + 1, mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (month <= 2)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
        year, month, day, rest // 3600000, rest // 60000 % 60, rest // 1000 % 60, rest % 1000)


NOW = 1795233600000  # 2026-11-21T04:00:00Z, an arbitrary moment for tests


_numbers = itertools.count(1000000)


def event(ms=NOW, n=None, id="", payload="{}"):
    """The raw text of an event (bytes) like the stock client's; payload is raw text too. Without n
    no two are equal: equal bodies are retries."""
    n = next(_numbers) if n is None else n
    text = ('{"id":%s,"timestamp":"%s","level":"info","type":"custom","appId":"shop","n":%d,'
            '"payload":%s}' % (json.dumps(id), stamp(ms), n, payload))
    return text.encode()


def batch(texts):
    return b'{"type":"ingest","events":[' + b",".join(texts) + b"]}"


_decoder = json.JSONDecoder()


def sliced(body):
    """The raw texts (bytes) of the events of a read's answer, in its order."""
    text = body.decode("utf-8")
    match = re.match(r'\{"events":\[', text)
    assert match, "an answer begins with its events: %r" % text[:80]
    at, out = match.end(), []
    if text[at] == "]":
        return out
    while True:
        _, end = _decoder.raw_decode(text, at)
        out.append(text[at:end].encode())
        if text[end] == "]":
            return out
        equal(text[end], ",", "between events")
        at = end + 1


UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def original(stored, was):
    """A stored text with the assigned id taken back: `was` is the raw text that stood in its place
    (b'""', b"null", …), or None when there was no id member."""
    given = json.loads(stored)["id"]
    assert UUID7.fullmatch(given), "no UUIDv7: %r" % given
    mark = b'"' + given.encode() + b'"'
    if was is None:
        mark, was = b'"id":' + mark + b",", b""
    equal(stored.count(mark), 1, "places of the assigned id in %r" % stored)
    return stored.replace(mark, was)
