"""systemd: notifications, the watchdog, socket activation, the journal."""

import os
import re
import socket
import tempfile
import threading
import uuid

import stores
from harness import (PATIENCE, Closed, Daemon, Rows, Skip, Wire, WriteLock, batch, case, directory, equal,
                     event, lasting_address, main, parse_address, poll, run, scale)
from manager import Manager, activated, journaled
from reloading import Configured


def has_libsystemd():
    return b"systemd: yes" in run("--version").stdout


def linked():
    if not has_libsystemd():
        raise Skip("built without libsystemd")


def tcp(address="127.0.0.1"):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.bind((address, 0))
    sock.listen(4096)
    return sock


def unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(4096)
    return sock


def address_of(sock):
    return "127.0.0.1:%d" % sock.getsockname()[1]


def switches(pid):
    """How often the main thread has gone to sleep."""
    with open("/proc/%d/task/%d/status" % (pid, pid)) as file:
        return int(re.search(r"\nvoluntary_ctxt_switches:\s*(\d+)", file.read()).group(1))


def looks(daemon, count):
    """Waits until the main thread has slept so often again."""
    begun = switches(daemon.pid)
    poll(lambda: switches(daemon.pid) >= begun + count, "the main thread looks again")


def unfed(daemon, manager):
    """Waits until the main thread has looked eight times in a row and not fed the watchdog. Returns how
    many messages there were then."""
    def found():
        place = len(manager.messages)
        looks(daemon, 8)
        return manager.count_from(place, "WATCHDOG") == 0
    poll(found, "the watchdog is not fed any more")
    return len(manager.messages)


class Pipe:
    """Standard error that nobody reads, filled to the brim: who writes to it is stuck."""

    def __init__(self):
        self.out, self.end = os.pipe()
        self.fill = os.open("/proc/self/fd/%d" % self.end, os.O_WRONLY | os.O_NONBLOCK)

    def redirect(self):
        os.dup2(self.end, 2)

    def stuff(self):
        for size in (4096, 1):
            try:
                while True:
                    os.write(self.fill, b"x" * size)
            except BlockingIOError:
                pass

    def read(self):
        """From now on everything."""
        def drain():
            while os.read(self.out, 65536):
                pass
        threading.Thread(target=drain, daemon=True).start()


def piped_daemon(manager, **more):
    """A daemon whose standard error is a Pipe. Returns it, the pipe and its address."""
    linked()
    pipe, sock = Pipe(), tcp()
    given = activated([sock])
    daemon = manager.daemon(preexec=pipe.redirect, ready=False, watchdog_ms=scale(400, 4000), **given,
                            **more)
    manager.wait("READY", "1")
    daemon.address = address_of(sock)
    return daemon, pipe, sock


# --- notifications -----------------------------------------------------------------------------

@case
def it_says_when_it_is_ready_and_when_it_stops():
    linked()
    manager = Manager()
    daemon = manager.daemon(drain="7s")
    ready = manager.wait("READY", "1")
    equal(manager.messages[0], ("STATUS", "opening the database"))
    status = manager.wait("STATUS", "events/s", since=ready)
    equal(manager.messages[status][1], "0 events/s, 0 since the start; 0 connections")
    equal(daemon.get("/health").status, 200)
    equal(manager.all("STOPPING") + manager.all("WATCHDOG"), [])
    daemon.stop()
    stopping = manager.wait("STOPPING", "1", since=ready)
    grant = manager.wait("EXTEND_TIMEOUT_USEC", since=stopping)
    equal(int(manager.messages[grant][1]), 37000000, "drain and thirty seconds")
    finishing = manager.wait("STATUS", "finishing", since=stopping)
    manager.wait("STATUS", "closing the database", since=finishing)
    equal(len(manager.all("READY")), 1)


@case
def a_daemon_that_does_not_start_says_no_ready():
    linked()
    manager = Manager()
    with open(os.path.join(directory(), "beacond.db"), "w") as file:
        file.write("this is no database")
    got = run("--database", file.name, "--listen", "127.0.0.1:0", env={"NOTIFY_SOCKET": manager.path})
    equal(got.returncode, 78)
    manager.wait("STATUS", "opening")
    equal(manager.all("READY"), [])


@case
def a_service_manager_that_is_gone_is_no_trouble():
    daemon = Daemon(env={"NOTIFY_SOCKET": os.path.join(directory(), "nobody"), "WATCHDOG_USEC": "400000"})
    daemon.save([event()])


@case
def without_a_service_manager_the_main_thread_only_sleeps():
    if os.uname().machine != "x86_64":
        raise Skip("knows the system calls of x86-64 only")
    daemon = Daemon()
    # In rt_sigtimedwait, without a time.
    def sleeps():
        with open("/proc/%d/syscall" % daemon.pid) as file:
            fields = file.read().split()
        return fields[0] == "128" and fields[3] == "0x0"
    try:
        sleeps()
    except OSError as error:
        raise Skip("no look into a process: %s" % error)
    poll(sleeps, "it sleeps until a signal comes")


# --- the watchdog ------------------------------------------------------------------------------

@case
def the_watchdog_is_fed_while_nothing_happens():
    linked()
    manager = Manager()
    manager.daemon(watchdog_ms=scale(400, 4000), threads=3)
    poll(lambda: len(manager.all("WATCHDOG")) >= 6, "six times")


@case
def the_watchdog_of_another_process_is_not_fed():
    linked()
    manager = Manager()
    daemon = manager.daemon(watchdog_ms=400, env={"WATCHDOG_PID": "1"})
    manager.wait("STATUS", "events/s")
    daemon.save([event()])
    daemon.stop()
    manager.wait("STATUS", "closing")
    equal(manager.all("WATCHDOG"), [])


@case
def a_writer_that_waits_for_a_lock_is_alive():
    linked()
    manager = Manager()
    # Each try takes a third of a second: SQLite waits for the lock, and the writer until the next.
    daemon = manager.daemon(watchdog_ms=scale(2400, 9600), hold="60s")
    with WriteLock(daemon.database) as lock:
        wire = daemon.wire()
        body = batch([event()])
        wire.send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
                  + body)
        daemon.wait_log("can't commit")
        before = len(manager.all("WATCHDOG"))
        poll(lambda: len(manager.all("WATCHDOG")) >= before + 4, "fed all the same")
        lock.release()
        equal(wire.response("POST").status, 200)


@case
def a_loop_that_is_stuck_ends_the_feeding():
    manager = Manager()
    daemon, pipe, sock = piped_daemon(manager, threads=2, log_level="debug")
    pipe.stuff()
    # Each answer is logged by the loop that gave it, once it has gone.
    client = daemon.connect()
    client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    manager.wait("STATUS", "stuck: a network thread")
    stuck = unfed(daemon, manager)
    pipe.read()
    manager.wait("STATUS", "events/s", since=stuck)
    poll(lambda: manager.count_from(stuck, "WATCHDOG") >= 3, "fed again")
    client.close()
    sock.close()


@case
def a_writer_that_is_stuck_ends_the_feeding():
    manager = Manager()
    daemon, pipe, sock = piped_daemon(manager, threads=2, hold="60s", log_level="error")
    with WriteLock(daemon.database) as lock:
        pipe.stuff()
        wire, body = daemon.wire(), batch([event()])
        wire.send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
                  + body)
        # It wants to log that it can't commit.
        manager.wait("STATUS", "stuck: the writer")
        equal(daemon.get("/health").status, 200, "loops go on")
        stuck = unfed(daemon, manager)
        lock.release()
    pipe.read()
    equal(wire.response("POST").status, 200)
    poll(lambda: manager.count_from(stuck, "WATCHDOG") >= 3, "fed again")
    sock.close()


# --- socket activation -------------------------------------------------------------------------

@case
def passed_sockets_take_the_place_of_listen():
    linked()
    path = os.path.join(directory(), "http.sock")
    main_socket, admin, local = tcp(), tcp(), unix(path)
    asked_for = lasting_address()
    daemon = Daemon(listen=asked_for, key="tk_secret_key_1",
                    **activated([main_socket, admin, local], "web:admin:beacond.socket"))
    equal(daemon.addresses, [address_of(main_socket), "unix:" + path])
    daemon.wait_log(r" listening on %s for admin$" % re.escape(address_of(admin)))
    for address in daemon.addresses:
        answer = daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": "tk_secret_key_1"},
                                batch([event()]), address=address)
        equal(answer.status, 200, address)
    # The admin socket is one: ingest is not to be had there.
    equal(daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": "tk_secret_key_1"}, batch([event()]),
                         address=address_of(admin)).status, 404)
    refused = socket.socket()
    assert refused.connect_ex(parse_address(asked_for)[1]) != 0, "listen is not replaced"
    daemon.stop()
    assert os.path.exists(path), "the service manager's socket was removed"
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)  # it waits for the next process


@case
def the_admin_socket_alone_leaves_listen_alone():
    linked()
    admin = tcp()
    daemon = Daemon(**activated([admin], "admin"))
    equal(len(daemon.addresses), 1)
    equal(daemon.get("/health").status, 200)
    daemon.wait_log(r" listening on %s for admin$" % re.escape(address_of(admin)))


@case
def answers_on_passed_sockets_leave_at_once():
    linked()
    sock = tcp()
    daemon = Daemon(**activated([sock]))
    equal(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0, True, "TCP_NODELAY")
    equal(daemon.get("/health").status, 200)


@case
def sockets_of_another_process_are_left_alone():
    linked()
    sock = tcp()
    daemon = Daemon(env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}, pass_fds=[sock.fileno()])
    assert daemon.address != address_of(sock)


@case
def without_libsystemd_passed_sockets_are_no_surprise():
    if has_libsystemd():
        raise Skip("built with libsystemd")
    sock = tcp()
    daemon = Daemon(ready=False, **activated([sock]))
    daemon.ended(78)
    assert "built without libsystemd" in daemon.log_tail(), daemon.log_tail()


@case
def what_is_no_listening_stream_is_refused():
    linked()
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagram.bind(("127.0.0.1", 0))
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    pair, _other = socket.socketpair()
    fine, v4, v6 = tcp(), tcp("0.0.0.0"), tcp("::")
    table = [
        ("datagram", datagram, (), 'passed socket 4, "two", of no use: it is no stream socket'),
        ("not listening", silent, (), 'passed socket 4, "two", of no use: it does not listen'),
        ("connected", pair, (), "of no use: it does not listen"),
        ("a file", tempfile.TemporaryFile(), (), "of no use: it is no socket"),
        ("reachable", v4, (), "other machines can reach socket 4"),
        ("reachable, IPv6", v6, (), "other machines can reach socket 4"),
    ]
    rows = Rows()
    for name, second, flags, says in table:
        with rows(name):
            daemon = Daemon(*flags, ready=False, **activated([fine, second], "one:two"))
            daemon.ended(78)
            assert says in daemon.log_tail(), daemon.log_tail()
            assert not os.path.exists(daemon.database), "the database was touched"
    rows.check()


@case
def with_a_key_or_leave_others_may_reach_a_passed_socket():
    linked()
    for options in ({"key": "tk_secret_key_1"}, {"allow_keyless": True}):
        sock = tcp("0.0.0.0")
        daemon = Daemon(**options, **activated([sock]))
        equal(daemon.get("/health", Host="localhost").status, 200)


@case
def a_reload_does_not_open_a_passed_socket_to_everyone():
    linked()
    sock = tcp("0.0.0.0")
    # listen, which the socket has taken the place of, is this machine's alone.
    daemon = Configured({"listen": "127.0.0.1:0"}, ["right"], **activated([sock]))
    verdict = daemon.reload({"listen": "127.0.0.1:0"})
    assert verdict.startswith("not reloaded, all stays as it was: other machines can reach socket 3"), verdict
    equal(daemon.get("/_tracker?limit=0", Host="localhost").status, 401)
    equal(daemon.reload({"listen": "127.0.0.1:0", "allow-keyless": "yes"}), "reloaded: key, key-file, allow-keyless")
    equal(daemon.get("/_tracker?limit=0", Host="localhost").status, 200)


class Visitor(threading.Thread):
    """Sends one event after the other, as often as it takes, on a connection kept alive or each on one
    of its own. A kept one may be closed while a request is on its way to it: that is sent again."""

    def __init__(self, address, keep):
        super().__init__(daemon=True)
        self.place, self.keep, self.sock = parse_address(address)[1], keep, None
        self.acknowledged, self.again, self.trouble = [], 0, None
        self.go_on = True

    def run(self):
        try:
            while self.go_on:
                self._send(str(uuid.uuid4()))
        except Exception as error:
            self.trouble = repr(error)

    def _send(self, mark):
        body = batch([event(payload='{"mark":"%s"}' % mark)])
        head = (b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n"
                b"Content-Length: %d\r\n\r\n" % (b"keep-alive" if self.keep else b"close", len(body)))
        while True:
            fresh = self.sock is None
            if fresh:  # This is what must never fail.
                self.sock = Wire(socket.create_connection(self.place, timeout=PATIENCE))
            try:
                answer = self.sock.send(head + body).response("POST")
            except Closed:
                answer = None
            if answer is None or answer.header("Connection") == "close":
                self.sock.close()
                self.sock = None
            if answer is not None:
                equal(answer.status, 200)
                self.acknowledged.append(mark)
                return
            assert not fresh, "a request on a connection of its own was not answered"
            self.again += 1


@case
def a_restart_under_load_fails_no_connection_and_loses_nothing():
    linked()
    sock = tcp()
    database = stores.fresh()
    visitors = [Visitor(address_of(sock), n % 2 == 0) for n in range(6)]
    total = lambda: sum(len(v.acknowledged) for v in visitors)
    for number in range(4):
        daemon = Daemon(database=database, **activated([sock]))
        if number == 0:
            for visitor in visitors:
                visitor.start()
        before = total()
        poll(lambda: total() >= before + 100 or any(v.trouble for v in visitors), "events come in")
        if number < 3:
            daemon.stop()
    for visitor in visitors:
        visitor.go_on = False
    for visitor in visitors:
        visitor.join(PATIENCE)
    equal([v.trouble for v in visitors if v.trouble], [], "connection attempts or answers")
    stored = [row[0].decode() for row in daemon.sql("select %s from events" % stores.member("payload.mark"))]
    equal(len(set(stored)), len(stored), "stored once")
    equal(set(stored), {mark for v in visitors for mark in v.acknowledged})


# --- the journal -------------------------------------------------------------------------------

@case
def the_journal_gets_priorities():
    daemon = Daemon(ready=False, **journaled())
    daemon.wait_log(r"^<6>ready$")
    equal([line for line in daemon.log() if not re.match(r"<[3467]>", line)], [])
    daemon.stop()
    equal(daemon.log()[-1], "<6>stopped")


@case
def another_stream_gets_none_and_a_flag_decides():
    Daemon(ready=False, **journaled(1)).wait_log(r"^[0-9T:.Z-]+ info  ready$")
    Daemon(ready=False, log_format="text", **journaled()).wait_log(r"^[0-9T:.Z-]+ info  ready$")
    Daemon(ready=False, log_format="json", **journaled()).wait_log(r'^\{"time":.*"message":"ready"\}$')
    Daemon(ready=False, log_format="journal").wait_log(r"^<6>ready$")


main()
