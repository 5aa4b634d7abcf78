"""A PostgreSQL server of the tests' own: whichever version the system has, on a temporary directory and
a Unix socket there, and nowhere else. Without one, Skip.

  database()      the URI of a new, empty database, on the server that the whole program shares
  Server          one of a case's own, for cases that stop it: stop, kill, start, restart, pause, go_on

Everybody who can reach the socket is trusted. Databases belong to the role USER, which is no superuser; Server.admin()
is the URI of one. psql.py looks into them.

    python3 tests/e2e/postgres.py COMMAND…    runs it with a server of its own: the URI of an empty database is in
                                              POSTGRES_URI, and psql needs to be told nothing

  BEACOND_TEST_FSYNC  0: the server does not wait for the disk. Only what no crash follows may be judged then
"""

import atexit
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import runner
from psql import Failed, Session, client, environment, program, psql, rows  # noqa: F401, for the tests

USER = "beacond"
FSYNC = os.environ.get("BEACOND_TEST_FSYNC", "") != "0"
SOCKET = ".s.PGSQL.5432"
LONGEST = 100  # of a socket's path, of which the kernel takes 107 bytes

# What a machine shared with other tests can afford. jit: its compiler is a library that may not be there.
SETTINGS = {"listen_addresses": "", "jit": "off", "max_connections": 200, "shared_buffers": "32MB",
            "max_wal_size": "256MB", "huge_pages": "off", "log_checkpoints": "off", "log_line_prefix": "%m [%p] %q%a ",
            "unix_socket_permissions": "0777"}


# --- its programs -------------------------------------------------------------------------------

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
    done = subprocess.run([path, *arguments], env=environment(path), cwd="/", stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=runner.PATIENCE,
                          preexec_fn=person and (lambda: become(person)))
    assert done.returncode == 0, "%s: %s" % (name, (done.stdout + done.stderr).decode("utf-8", "replace"))


def become(person):
    os.setgroups([])
    os.setgid(person[1])
    os.setuid(person[0])


# --- the server ---------------------------------------------------------------------------------

class Server:
    """A running server. settings are lines of its configuration: Server(max_connections=10).

    It belongs to the case that starts it, and ends behind its daemons; keep=True: it ends with the program."""

    port = "5432"

    def __init__(self, keep=False, **settings):
        self.person = _person()
        if not self._reaches(program("postgres")):
            raise runner.Skip("root runs this, and no other user gets to " + program("postgres"))
        self.directory = self._folder()
        self.data = os.path.join(self.directory, "data")
        self.port = settings.get("port", self.port)
        self.path = os.path.join(self.directory, ".s.PGSQL." + self.port)
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
                                                 preexec_fn=lambda: become(self.person)).returncode == 0

    def configure(self, **settings):
        """Counts from the next start on."""
        chosen = dict(SETTINGS, fsync="on" if FSYNC else "off", unix_socket_directories=self.directory)
        chosen.update(settings)
        with open(os.path.join(self.data, "postgresql.auto.conf"), "w") as file:
            file.writelines("%s = '%s'\n" % pair for pair in chosen.items())

    def uri(self, name, user=USER):
        port = "" if self.port == "5432" else "&port=" + self.port
        return "postgresql:///%s?host=%s&user=%s%s" % (name, self.directory, user, port)

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
                become(self.person)
            # Behind the change of the user, which takes it back. SIGQUIT: it takes its processes along.
            runner.libc.prctl(1, signal.SIGQUIT)

        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen([path, "-D", self.data], env=environment(path), cwd="/",
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


def _main(command):
    uri = database(keep=True)
    told = dict(os.environ, POSTGRES_URI=uri, PGHOST=server().directory, PGUSER=USER, PGDATABASE="beacond_1")
    sys.exit(subprocess.run(command, env=told).returncode)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    _main(sys.argv[1:])
