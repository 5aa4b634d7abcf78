"""PostgreSQL's programs, wherever the system has them, and psql, by which tests look into a database.

  program(name)   its path; Skip where there is none
  psql(uri, sql)  runs statements
  rows(uri, sql)  the rows of one
  Session         a psql that stays connected, for transactions that stay open
"""

import contextlib
import glob
import os
import re
import shutil
import subprocess

import runner


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


def environment(path):
    """The environment of a program of PostgreSQL: that of nobody, and with the libraries beside it when it was only
    unpacked."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env["LC_ALL"] = "C"
    root = re.match(r"(.+)/usr/lib/postgresql/", path)
    if root:
        env["LD_LIBRARY_PATH"] = os.pathsep.join(glob.glob(root.group(1) + "/usr/lib/*-linux-*"))
    return env


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
        env = dict(environment(path), PGOPTIONS="-c search_path=beacond,public -c client_min_messages=warning",
                   # As bytes: with its own idea of UTF-8 it leaves U+10FFFF out.
                   PGCLIENTENCODING="SQL_ASCII", PGAPPNAME="tests", PGCONNECT_TIMEOUT=str(runner.PATIENCE))
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
        """Statements, each ended by a semicolon. With the first that fails the session ends."""
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
