"""A PostgreSQL server of the tests' own: whichever version the system has, on a temporary directory and
a Unix socket there, and nowhere else. Without one, Skip.

  database()      the URI of a new, empty database, on the server that the whole program shares
  psql(uri, sql)  runs statements
  rows(uri, sql)  the rows of one (numbers as int, texts as bytes, None)
  Session         a psql that stays connected, for transactions that stay open
  Server          one of a case's own, for cases that stop it: stop, kill, start, restart, pause, go_on

Everybody who can reach the socket is trusted. Databases belong to the role USER, which is no superuser; Server.admin()
is the URI of one. psql is the only client: no driver is needed.

  BEACOND_TEST_FSYNC  0: the server does not wait for the disk. Only what no crash follows may be judged then
"""

import atexit
import contextlib
import glob
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import runner

USER = "beacond"
FSYNC = os.environ.get("BEACOND_TEST_FSYNC", "") != "0"
SOCKET = ".s.PGSQL.5432"
LONGEST = 100  # of a socket's path, of which the kernel takes 107 bytes

# What a machine shared with other tests can afford. jit: its compiler is a library that may not be there.
SETTINGS = {"listen_addresses": "", "jit": "off", "max_connections": 200, "shared_buffers": "32MB",
            "max_wal_size": "256MB", "huge_pages": "off", "log_line_prefix": "%m [%p] %q%a ",
            "unix_socket_permissions": "0777"}


# --- what the system has ------------------------------------------------------------------------

def _version(folder):
    return [int(part) for part in re.findall(r"\d+", folder)]


def places():
    """Where a server's programs may be: in PATH, where Debian has them, or unpacked beside a bin in PATH."""
    found = []
    for one in os.environ.get("PATH", os.defpath).split(os.pathsep) + ["/usr/bin"]:
        found += [one] + sorted(glob.glob(os.path.join(os.path.dirname(one), "lib/postgresql/*/bin")),
                                key=_version, reverse=True)
    return found


def program(name):
    path = shutil.which(name, path=os.pathsep.join(places()))
    if path is None:
        raise runner.Skip("PostgreSQL is not installed: no " + name)
    return os.path.realpath(path)


def client():
    """Not Debian's psql in PATH, which is a script that chooses one."""
    folders = [one for one in places() if "/postgresql/" in one]
    return shutil.which("psql", path=os.pathsep.join(folders)) or program("psql")


def _environment(path):
    """The environment of a program of PostgreSQL: that of nobody, and with the libraries beside it when it was only
    unpacked."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env["LC_ALL"] = "C"
    root = re.match(r"(.+)/usr/lib/postgresql/", path)
    if root:
        env["LD_LIBRARY_PATH"] = os.pathsep.join(glob.glob(root.group(1) + "/usr/lib/*-linux-*"))
    return env


def _person():
    """Whom the server runs as: (uid, gid); None for whoever runs the tests. PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in "postgres", "nobody":
        try:
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
        except KeyError:
            pass
    return 65534, 65534


def _run(name, *arguments, person=None):
    path = program(name)
    done = subprocess.run([path, *arguments], env=_environment(path), cwd="/", stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=runner.PATIENCE,
                          preexec_fn=person and (lambda: _become(person)))
    assert done.returncode == 0, "%s: %s" % (name, (done.stdout + done.stderr).decode("utf-8", "replace"))


def _become(person):
    os.setgroups([])
    os.setgid(person[1])
    os.setuid(person[0])


# --- the server ---------------------------------------------------------------------------------

class Server:
    """A running server. settings are lines of its configuration: Server(max_connections=10).

    It belongs to the case that starts it, and ends behind its daemons; keep=True: it ends with the program."""

    def __init__(self, keep=False, **settings):
        self.person = _person()
        if not self._reaches(program("postgres")):
            raise runner.Skip("root runs this, and no other user gets to " + program("postgres"))
        self.directory = self._folder()
        self.data = os.path.join(self.directory, "data")
        self.path = os.path.join(self.directory, SOCKET)
        self.process = None
        self.stopped = []  # by pause()
        self._numbers = itertools.count(1)
        atexit.register(self.remove)
        if not keep:
            runner.behind(self.remove)
        _run("initdb", "--pgdata", self.data, "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale",
             "--no-sync", person=self.person)
        self.configure(**settings)
        self.start()
        psql(self.admin(), "create role %s login" % USER)

    def _folder(self):
        """Where the server's user gets to, and whose name leaves room for the socket's."""
        for place in tempfile.gettempdir(), "/tmp", "/var/tmp":
            folder = tempfile.mkdtemp(prefix="beacond-pg-", dir=place)
            os.chmod(folder, 0o755)
            if self.person:
                os.chown(folder, *self.person)
            if len(folder) + len(SOCKET) < LONGEST and self._reaches(folder + "/."):
                return folder
            os.rmdir(folder)
        raise runner.Skip("no folder short enough for PostgreSQL's socket")

    def _reaches(self, path):
        return not self.person or subprocess.run(["test", "-x", path],
                                                 preexec_fn=lambda: _become(self.person)).returncode == 0

    def configure(self, **settings):
        """Counts from the next start on."""
        chosen = dict(SETTINGS, fsync="on" if FSYNC else "off", unix_socket_directories=self.directory)
        chosen.update(settings)
        with open(os.path.join(self.data, "postgresql.auto.conf"), "w") as file:
            file.writelines("%s = '%s'\n" % pair for pair in chosen.items())

    def uri(self, name, user=USER):
        return "postgresql:///%s?host=%s&user=%s" % (name, self.directory, user)

    def admin(self, name="postgres"):
        return self.uri(name, "postgres")

    def database(self, keep=False):
        """The URI of a new one; it goes with the case, unless it is to be kept."""
        name = "beacond_%d" % next(self._numbers)
        psql(self.admin(), "create database %s owner %s" % (name, USER))
        if not keep:
            runner.behind(lambda: self._drop(name))
        return self.uri(name)

    def copy(self, uri):
        """A database with the same in it; nobody is connected to that one."""
        name = "beacond_%d" % next(self._numbers)
        original = re.match(r"postgresql:///(\w+)\?", uri).group(1)
        psql(self.admin(), "create database %s owner %s template %s" % (name, USER, original))
        runner.behind(lambda: self._drop(name))
        return self.uri(name)

    def _drop(self, name):
        """They would fill a small disk. A server that the case has left stopped or killed may keep its own."""
        if self.alive() and not self.stopped:
            psql(self.admin(), "drop database if exists %s with (force)" % name)

    # Starts and ends.

    def start(self, ready=True):
        # The kernel ends it with the thread that started it, not only with the process.
        assert threading.current_thread() is threading.main_thread(), "a server is started by the main thread"
        path = program("postgres")

        def prepare():
            if self.person:
                _become(self.person)
            # Behind the change of the user, which takes it back. SIGQUIT: it takes its processes along.
            runner.libc.prctl(1, signal.SIGQUIT)

        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen([path, "-D", self.data], env=_environment(path), cwd="/",
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                            preexec_fn=prepare)
        self.pid = self.process.pid
        if ready:
            self.wait_ready()

    def wait_ready(self):
        """Until it takes connections, which it does not as soon as it listens."""
        runner.poll(self._answers, "PostgreSQL to answer")

    def _answers(self):
        assert self.alive(), "PostgreSQL has ended by itself:\n" + self.log_tail()
        try:
            psql(self.admin(), "select 1")
            return True
        except Failed:
            return False

    def stop(self, mode=signal.SIGINT):
        """SIGINT ends the sessions, SIGTERM waits for them to end, SIGQUIT is a crash with the last words said."""
        self.go_on()
        self.process.send_signal(mode)
        return self.process.wait(runner.PATIENCE)

    def kill(self):
        """kill -9 for all of its processes at once."""
        if self.alive():
            pids = self.pause()
            for pid in pids:
                _signal(pid, signal.SIGKILL)
            self.process.wait()
            self.stopped = []
            _gone(pids[1:])

    def restart(self):
        self.stop()
        self.start()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def pids(self):
        """The server's own, then its children's."""
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as file:
            return [self.pid] + [int(pid) for pid in file.read().split()]

    def pause(self):
        """SIGSTOP for all of its processes: connections stay, and nobody answers. Returns who has been stopped."""
        _signal(self.pid, signal.SIGSTOP)  # from then on there are no new ones
        runner.poll(lambda: _state(self.pid) in "TZX", "the server to stop")
        pids = self.pids()
        for pid in pids[1:]:
            _signal(pid, signal.SIGSTOP)
        runner.poll(lambda: all(_state(pid) in "TZX" for pid in pids), "the server's processes to stop")
        self.stopped = pids
        return pids

    def go_on(self):
        for pid in reversed(self.stopped):
            _signal(pid, signal.SIGCONT)
        self.stopped = []

    def log_tail(self):
        with open(os.path.join(self.directory, "log"), "rb") as file:
            return file.read()[-4000:].decode("utf-8", "backslashreplace")

    def remove(self):
        atexit.unregister(self.remove)
        if self.alive():
            self.stop(signal.SIGQUIT)
        self._free()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _free(self):
        """What a killed server leaves in memory, and would find at its next start."""
        try:
            with open(os.path.join(self.data, "postmaster.pid")) as file:
                segment = int(file.read().split("\n")[6].split()[1])
        except (OSError, IndexError, ValueError):
            return
        runner.libc.shmctl(segment, 0, None)  # IPC_RMID


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _state(pid):
    """One letter, as in ps; X: it is no more."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def _gone(pids):
    """Whoever inherits them may be slow to collect them: one that is dead is gone."""
    runner.poll(lambda: all(_state(pid) in "ZX" for pid in pids), "the server's processes to end")


_shared = []


def server():
    """The server that all cases of the program share; starts it."""
    if not _shared:
        _shared.append(Server(keep=True))
    return _shared[0]


def database(keep=False):
    return server().database(keep)


# --- psql ---------------------------------------------------------------------------------------

NULL = "<null of no text>"
KINDS = {"smallint": int, "integer": int, "bigint": int, "oid": int, "double precision": float, "real": float,
         "boolean": lambda text: int(text == b"t"), "bytea": lambda text: bytes.fromhex(text[2:].decode()),
         "numeric": lambda text: float(text) if b"." in text else int(text)}


class Failed(Exception):
    """What PostgreSQL, or psql, has said."""


class Session:
    """psql, connected until it is closed, also by `with`. One thread at a time."""

    MARK = b"beacond: over "

    def __init__(self, uri):
        path = client()
        env = dict(_environment(path), PGOPTIONS="-c search_path=beacond,public -c client_min_messages=warning",
                   PGAPPNAME="tests", PGCONNECT_TIMEOUT=str(runner.PATIENCE))
        # Fields and rows end in zeros, which no text of PostgreSQL holds.
        self.process = subprocess.Popen([path, "-XqAtz0", "-P", "null=" + NULL, "-v", "VERBOSITY=verbose", "-d", uri],
                                        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, text):
        """Without waiting for what comes of it, as behind a lock that somebody has; answer() does."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text.encode() + b"\n\\echo " + self.MARK + b":ERROR\n")
            self.process.stdin.flush()

    def answer(self):
        """What came of the text sent (bytes). Failed when the last statement of it has."""
        out = b""
        while not re.search(self.MARK + rb"(true|false)\n$", out):
            some = os.read(self.process.stdout.fileno(), 65536)
            if not some:
                raise Failed(out.decode("utf-8", "replace"))
            out += some
        out, failed = out.rsplit(self.MARK, 1)
        if failed != b"false\n":
            raise Failed(out.decode("utf-8", "replace"))
        return out

    def run(self, script):
        """Statements, each ended by a semicolon, up to the first that fails."""
        self.send("\\set ON_ERROR_STOP 1\n" + script + "\n\\set ON_ERROR_STOP 0")
        return self.answer()

    def rows(self, statement, *values):
        """The rows of one statement, as tuples of int, float, bytes for texts and blobs, and None. Each ? stands for a
        value."""
        statement = filled(statement.strip().rstrip(";"), values)
        self.send(statement + " \\gdesc")
        told = self.answer().split(b"\0")
        self.send(statement + "\n;")
        fields = self.answer().split(b"\0")[:-1]
        kinds = [KINDS.get(re.sub(r"\(.*", "", kind.decode()), bytes) for kind in told[1::2]]
        cells = [None if field == NULL.encode() else kinds[n % len(kinds)](field) for n, field in enumerate(fields)]
        return [tuple(cells[at:at + len(kinds)]) for at in range(0, len(cells), len(kinds) or 1)]

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def literal(value):
    if value is None or isinstance(value, (int, float)):
        return "null" if value is None else repr(value)
    text = value.decode() if isinstance(value, bytes) else value
    return "'" + text.replace("'", "''") + "'"


def filled(statement, values):
    """The statement with its values in it. No ? may stand in its texts."""
    parts = statement.split("?")
    assert not values or len(parts) == len(values) + 1, statement
    return statement if not values else "".join(a + b for a, b in zip(parts, [*map(literal, values), ""]))


def rows(uri, statement, *values):
    with Session(uri) as session:
        return session.rows(statement, *values)


def psql(uri, script):
    """Runs statements in a session of their own; in autocommit, as by hand."""
    with Session(uri) as session:
        session.run(script.rstrip().rstrip(";") + ";")
