"""The control socket: commands reach the daemon that has the database open, and nobody else does."""

import fcntl
import json
import os
import socket
import stat
import subprocess

from harness import (BROKEN, NOW, PATIENCE, Daemon, Rows, Skip, WriteLock, begin, case, directory, equal, event,
                     finish, main, poll, run, shell)

SESSIONS = 16  # that the daemon has at a time


def connect(daemon, path=None):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    sock.connect(path or daemon.database + ".control")
    return sock


def rest(sock):
    """What comes until the daemon closes."""
    got = b""
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            return got
        if not data:
            return got
        got += data


def ask(daemon, request):
    sock = connect(daemon)
    try:
        sock.sendall(json.dumps(request).encode() + b"\n")
    except BROKEN:
        pass  # refused before it was sent: what was said then waits to be read
    lines = rest(sock).splitlines()
    sock.close()
    return json.loads(lines[-1]) if lines else None


def works(daemon):
    equal(ask(daemon, {"job": "recount"}), {"result": {"events": daemon.total()}})


@case
def it_is_for_the_daemon_s_user_and_goes_with_the_daemon():
    daemon = Daemon(preexec=lambda: os.umask(0))
    path = daemon.database + ".control"
    info = os.lstat(path)
    assert stat.S_ISSOCK(info.st_mode)
    equal((info.st_mode & 0o077, info.st_uid), (0, os.geteuid()))
    daemon.save([event()])
    works(daemon)
    daemon.stop()
    assert not os.path.lexists(path)


@case
def one_that_a_killed_daemon_left_is_replaced():
    daemon = Daemon()
    daemon.save([event()])
    daemon.crash()
    assert os.path.lexists(daemon.database + ".control")
    done = run("backup", "copy.db", "--database", daemon.database)
    equal(done.returncode, 0, "without a daemon: %r" % done.stderr)
    again = Daemon(database=daemon.database)
    works(again)
    again.crash()
    os.unlink(again.database + ".control")
    with open(again.database + ".control", "w") as file:
        file.write("what is this?")
    equal(run("backup", "copy.db", "--database", daemon.database).returncode, 0, "a file in its place")
    works(Daemon(database=daemon.database))


@case
def one_that_was_left_is_removed_by_nobody_without_the_lock():
    daemon = Daemon()
    path, served = daemon.database + ".control", ("--listen", "127.0.0.1:0", "--database", daemon.database)
    # That of a daemon that runs.

    def there():  # who looks at it may move its last access
        info = os.lstat(path)
        return info.st_ino, info.st_mode, info.st_mtime_ns, info.st_ctime_ns

    before = there()
    assert run(*served).returncode in (1, 78)
    equal(there(), before)
    works(daemon)
    # One that is stale, while somebody else has the lock.
    daemon.crash()
    with open(daemon.database + ".lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for arguments in served, ("prune", "--before", "2000-01-01", "--database", daemon.database):
            assert run(*arguments).returncode in (1, 78)
            equal(there(), before, arguments[0])
    works(Daemon(database=daemon.database))
    assert there() != before


@case
def a_path_too_long_for_a_socket_is_no_matter():
    deep, runtime = os.path.join(directory(), "d" * 120), directory()
    os.mkdir(deep)
    database = os.path.join(deep, "x.db")
    for name in "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR":
        other = {"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": "", name: runtime}
        daemon = Daemon(database=database, env=other)
        target = os.readlink(database + ".control")
        equal(os.path.dirname(target), runtime)
        equal(os.stat(target).st_mode & 0o077, 0)
        daemon.post([event()])
        # The command need not know where that is, and may name the database in another way.
        link = os.path.join(directory(), "link.db")
        os.symlink(database, link)
        equal(run("backup", "copy.db", "--database", link, env={"RUNTIME_DIRECTORY": ""}).returncode, 0)
        daemon.crash()
        assert os.path.lexists(target), "left behind"
        daemon = Daemon(database=database, env=other)
        equal(run("backup", "copy.db", "--database", database).returncode, 0)
        daemon.stop()
        equal((os.path.lexists(target), os.path.lexists(database + ".control")), (False, False))
    daemon = Daemon(database=database, env={"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": ""})
    daemon.wait_log("too long a path for a socket.*commands that write will find the database in use")
    code, out, err = finish(begin("backup", "copy.db", "--database", database))
    equal((code, out), (78, ""))
    assert "in use by process %d" % daemon.pid in err and "takes no commands" in err, err
    equal(daemon.get("/health").status, 200)


@case
def the_command_that_comes_second_says_who_holds_the_database():
    daemon = Daemon()
    daemon.save([event()])
    daemon.stop()
    with open(daemon.database + ".lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4194305\n")
        lock.flush()
        code, out, err = finish(begin("backup", "copy.db", "--database", daemon.database))
        equal((code, out), (78, ""))
        assert "in use by process 4194305" in err, err
        waiting = begin("backup", "copy.db", "--database", daemon.database)

        def waits():
            with open("/proc/%d/wchan" % waiting.pid) as file:
                where = file.read()
            return where == "0" or "poll" in where  # "0": not told here

        poll(waits, "the command waits for the lock")
    code, out, err = finish(waiting)
    equal(code, 0, "once the lock is free: " + err)


@case
def what_is_no_request_is_no_matter():
    daemon, rows = Daemon(), Rows()
    daemon.save([event()])
    for text in [b"", b"\n", b"x\n", b"{", b'{"job":"recount"', b"[]\n", b"\0\xff\n", b'{"job":"recount","bytes":5}\n',
                 b"GET / HTTP/1.1\r\n\r\n"]:
        with rows(repr(text)):
            sock = connect(daemon)
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            equal(rest(sock), b"")
            sock.close()
    with rows("a line without end"):
        sock = connect(daemon)
        try:
            while True:
                sock.sendall(b" " * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        sock.close()
    for request in [{}, {"job": "nothing"}, {"job": 5}, {"job": None}, {"job": "backup"}, {"job": "backup", "file": 5},
                    {"job": "backup", "file": "relative"}, {"job": "backup", "file": ""}]:
        with rows(str(request)):
            answer = ask(daemon, request)
            assert answer["error"] and answer["status"] < 0, answer
    sock = connect(daemon)
    sock.sendall(b'{"job":"recount"}\n')
    sock.close()  # does not wait for the answer
    works(daemon)
    rows.check()


@case
def too_many_at_once_are_told_so():
    daemon = Daemon()
    daemon.save([event()])
    silent = [connect(daemon) for n in range(SESSIONS)]
    answer = poll(lambda: ask(daemon, {"job": "recount"}), "an answer")
    assert "too many commands" in answer["error"], answer
    done = run("check", "--database", daemon.database)
    equal(done.returncode, 0, "who only reads does not need it")
    shell(daemon.database, "update tally_day set events = 9")
    daemon.save([event()])
    for sock in silent:
        sock.close()
    poll(lambda: "result" in (ask(daemon, {"job": "recount"}) or ()), "room again")
    silent = [connect(daemon) for n in range(SESSIONS)]
    daemon.stop()  # with all of them open
    # The place of one that has just gone may not have been free again.
    told = [rest(sock) for sock in silent]
    assert b"" in told and all(text == b"" or b"too many commands" in text for text in told), told
    for sock in silent:
        sock.close()


@case
def who_does_not_listen_holds_nobody_up():
    daemon, here = Daemon(), directory()
    daemon.save([event(NOW + n) for n in range(100)])
    deaf = []
    for n in range(5):
        sock = connect(daemon)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.sendall(json.dumps({"job": "backup", "file": os.path.join(here, "copy%d.db" % n)}).encode() + b"\n")
        deaf.append(sock)
    for n in range(5):
        poll(lambda: os.path.exists(os.path.join(here, "copy%d.db" % n)), "a backup")
    works(daemon)
    daemon.stop()


@case
def another_user_is_turned_away():
    if os.geteuid() != 0:
        raise Skip("only root can become somebody else")
    daemon = Daemon()
    path = daemon.database + ".control"
    os.chmod(daemon.directory, 0o755)
    script = ("import socket,sys\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(%d)\ns.connect(sys.argv[1])\n"
              "try:\n    s.sendall(b'{\"job\":\"recount\"}\\n')\n    print(s.recv(100))\n"
              "except OSError:\n    print(b'')\n" % PATIENCE)

    def somebody():
        return subprocess.run(["python3", "-c", script, path], capture_output=True,
                              preexec_fn=lambda: os.setuid(65534))

    assert b"PermissionError" in somebody().stderr, "by the mode of the socket"
    os.chmod(path, 0o777)
    equal(somebody().stdout, b"b''\n", "and by who it is")
    daemon.wait_log("control socket: user 65534 was turned away")
    works(daemon)


@case
def a_lock_that_root_makes_is_the_owner_of_the_databases():
    if os.geteuid() != 0:
        raise Skip("only root has databases of others")
    daemon = Daemon()
    daemon.save([event()])
    daemon.stop()
    lock = daemon.database + ".lock"
    os.unlink(lock)
    os.chown(daemon.database, 65534, 65534)
    done = run("prune", "--database", daemon.database, "--before", "2000-01-01")
    equal((done.returncode, os.stat(lock).st_uid), (0, 65534), done.stderr)


@case
def what_can_not_be_written_now_is_said():
    daemon = Daemon()
    daemon.save([event()])
    daemon.stop()
    shell(daemon.database, "update tally_day set events = 9")
    daemon = Daemon(database=daemon.database)
    with WriteLock(daemon.database):
        done = run("check", "--repair-tally", "--database", daemon.database)
        equal(done.returncode, 1)
        assert b"can't be written now" in done.stderr, done.stderr
    done = run("check", "--repair-tally", "--database", daemon.database)
    equal(done.returncode, 0, done.stdout)


@case
def what_was_changed_in_the_shell_just_before_a_job_is_noticed():
    daemon = Daemon()
    for n in range(3):
        daemon.save([event(NOW + n, n)])
        daemon.post([b'{"no":"timestamp %d"}' % n])
        equal(len(daemon.get("/_tracker").json()["events"]), 1)
        shell(daemon.database, "delete from events")
        equal(ask(daemon, {"job": "drop-rejects", "numbers": [n + 1]})["result"]["dropped"], 1)
        equal(daemon.get("/_tracker").json()["events"], [], "round %d" % n)
        equal(daemon.total(), 0)


@case
def a_sentence_that_is_cut_within_a_character_is_said():
    daemon = Daemon()
    for front in "/", "//":
        answer = ask(daemon, {"job": "backup", "file": front + "/".join(["\u00e9" * 120] * 4)})
        assert answer is not None and answer["status"] < 0 and answer["error"], answer
    works(daemon)


main(of_files=True)
