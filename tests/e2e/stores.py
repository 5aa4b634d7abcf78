"""The store that the tests run against, and how they look into it and change it behind the daemon's back.

  BEACOND_TEST_STORE  postgresql: every daemon that is given no database of its own gets one of the program's
                      PostgreSQL server (postgres.py). sqlite, or nothing: a file

A database is what --database takes: a path or a URI; the functions here know which it is. Tables and columns have
the same names in both stores, and so one SQL text does for most; dialect() is for what does not.

The parts: POSTGRES, fresh, copied · of_files (cases about SQLite's files), wal_bytes, sound · sql, count, shell,
WriteLock, Snapshot, held, refuse, ignore, accept ·
dialect, member, number, blob, octets (parts of SQL texts).
"""

import contextlib
import functools
import os
import shutil
import sqlite3
import subprocess
import sys

import postgres
import runner

NAME = os.environ.get("BEACOND_TEST_STORE") or "sqlite"
POSTGRES = NAME == "postgresql"
FILES = "about SQLite's files"
WORDS = "in SQLite's SQL"
OWN = "a command on a server's database does it by itself, whatever becomes of the daemon"


def prepare(of_files):
    """Before the first case, in the main thread. of_files: there is none that is about anything else."""
    if NAME not in ("sqlite", "postgresql"):
        print("Bail out! BEACOND_TEST_STORE is %s" % NAME, flush=True)
        sys.exit(1)
    if POSTGRES and of_files:
        raise runner.Skip(FILES)
    if POSTGRES:
        told = subprocess.run([runner.BINARY, "--version"], stdin=subprocess.DEVNULL, capture_output=True).stdout
        if b"PostgreSQL: yes" not in told:
            raise runner.Skip("built without libpq")
        server = postgres.server()
        runner.shows(lambda: "log of PostgreSQL:\n" + server.log_tail())


def fresh(folder=None, keep=False):
    """A database for a daemon, or an import, to begin with: a path where nothing is yet, or an empty database.
    It is no more behind the case, unless it is to be kept (then the folder is the caller's)."""
    if POSTGRES:
        return postgres.server().database(keep)
    return os.path.join(folder or runner.directory(), "beacond.db")


def _of_sqlite(function, why):
    @functools.wraps(function)
    def run():
        if POSTGRES:
            raise runner.Skip(why)
        function()
    run.of_sqlite = True
    return run


def of_files(function):
    """A case about SQLite's files or their locks: with another store there is nothing to run."""
    return _of_sqlite(function, FILES)


def of_dialect(function):
    """A case that asks in SQLite's SQL."""
    return _of_sqlite(function, WORDS)


def by_daemon(function):
    """A case about a command for which the daemon does the work, as it must where the database is a file."""
    return _of_sqlite(function, OWN)


def _remote(database):
    return database.startswith("postgresql://")


# --- looks and changes --------------------------------------------------------------------------

def sql(database, statement, *values):
    """The rows of a statement that only reads, by a connection of our own. Texts come as bytes."""
    if _remote(database):
        return postgres.rows(database, statement, *values)
    connection = sqlite3.connect("file:%s?mode=ro" % database, uri=True, timeout=runner.PATIENCE)
    connection.text_factory = bytes
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def shell(database, script):
    """Changes a database behind the daemon's back. In autocommit, as the sqlite3 shell and psql do."""
    if _remote(database):
        postgres.psql(database, script)
        return
    connection = sqlite3.connect(database, timeout=runner.PATIENCE, isolation_level=None)
    try:
        connection.executescript(script)
    finally:
        connection.close()


class WriteLock:
    """Nobody writes to the database while in it, as when a person in the shell has begun something. Who reads is
    not kept waiting."""

    def __init__(self, database):
        self.lock = _TableLock(database) if _remote(database) else _FileLock(database)

    def __enter__(self):
        self.lock.take()
        return self

    def change(self, statement):
        """Changes something, for all to see, and holds the lock again."""
        self.lock.commit(statement)
        self.lock.take()

    def release(self, statement=None):
        """Lets go, with a change or without."""
        if statement:
            self.lock.commit(statement)
        self.lock.release()

    def __exit__(self, *_):
        self.lock.release()
        self.lock.close()


class Snapshot:
    """A reader that stays in its transaction, and at the moment of its making, until it is closed."""

    def __init__(self, database):
        if _remote(database):
            self.session = postgres.Session(database)
            self.session.run("begin isolation level repeatable read;")
            self.rows, self.close = self.session.rows, self.session.close
        else:
            self.connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
            self.connection.execute("begin")
            self.rows, self.close = self._rows, self.connection.close
        self.rows("select count(*) from events")

    def _rows(self, statement):
        return self.connection.execute(statement).fetchall()


class _FileLock:
    def __init__(self, database):
        self.connection = sqlite3.connect(database, timeout=runner.PATIENCE, isolation_level=None,
                                          check_same_thread=False)

    def take(self):
        self.connection.execute("begin immediate")

    def commit(self, statement):
        self.connection.execute(statement)
        self.connection.execute("commit")

    def release(self):
        if self.connection.in_transaction:
            self.connection.execute("rollback")

    def close(self):
        self.connection.close()


class _TableLock:
    # All that is written with events. Not the nodes, or the others would take this one for dead.
    TABLES = """select string_agg(format('%I.%I', nspname, relname), ', ')
                  from pg_class join pg_namespace on pg_namespace.oid = relnamespace
                 where nspname = 'beacond' and relkind in ('r', 'p') and not relispartition and relname <> 'nodes'"""

    def __init__(self, database):
        self.database, self.session, self.held = database, postgres.Session(database), False

    def take(self):
        tables = (self.session.rows(self.TABLES)[0][0] or b"pg_temp").decode()
        runner.poll(lambda: self._taken(tables), "the tables to be free")

    def _taken(self, tables):
        """All at once or none: who waits for one with others in hand may be waited for itself."""
        try:
            self.session.run("begin; lock table %s in exclusive mode nowait;" % tables)
            self.held = True
        except postgres.Failed as failed:
            self.session.close()
            self.session = postgres.Session(self.database)
            if "55P03" not in str(failed):  # lock_not_available
                raise
        return self.held

    def commit(self, statement):
        self.session.run(statement + "; commit;")
        self.held = False

    def release(self):
        if self.held:
            self.held = False
            self.session.run("rollback;")

    def close(self):
        self.session.close()


@contextlib.contextmanager
def held(database, condition):
    """Who would erase one of the events of which the condition is true, in their middle, waits for that meanwhile, so
    that a command can be caught. With a file nothing of the kind can be had."""
    if not _remote(database):
        yield
        return
    with postgres.Session(database) as session:
        day, seq = session.rows("select tableoid::regclass::text, seq from events where %s order by ts desc, seq desc "
                                "offset (select count(*) * 3 / 8 from events where %s) limit 1"
                                % (condition, condition))[0]
        session.run("begin; select from %s where seq = %d for update;" % (day.decode(), seq))
        yield


def refuse(database, condition):
    """From now on the store refuses events of which the condition is true, a text of SQL over {0}ts, {0}id and
    {0}event; until accept()."""
    if _remote(database):
        shell(database, "alter table events add constraint poison check (not (%s))" % condition.format(""))
    else:
        shell(database, "create trigger poison before insert on events when %s begin "
                        "select raise(abort, 'no such event here'); end" % condition.format("new."))


def ignore(database, condition):
    """It goes on as if it had taken them, and does not."""
    if _remote(database):
        shell(database, "create function shy() returns trigger language plpgsql as 'begin return null; end'; "
                        "create trigger shy before insert on events for each row when (%s) execute function shy()"
                        % condition.format("new."))
    else:
        shell(database, "create trigger shy before insert on events when %s begin select raise(ignore); end"
                        % condition.format("new."))


def accept(database):
    shell(database, dialect("drop trigger poison", "alter table events drop constraint poison"))


def copied(database):
    """Another database with the same in it. Nobody has this one open."""
    if _remote(database):
        return postgres.server().copy(database)
    path = os.path.join(runner.directory(), "copy.db")
    assert not wal_bytes(database)
    shutil.copy(database, path)
    return path


def wal_bytes(database):
    """Of the file beside SQLite's: what has not been put back yet. A server's is its own business."""
    path = database + "-wal"
    return 0 if _remote(database) or not os.path.exists(path) else os.path.getsize(path)


def count(database):
    """The events in it; 0 as long as it is only being made."""
    try:
        return sql(database, "select count(*) from events")[0][0]
    except (sqlite3.Error, postgres.Failed):
        return 0


def sound(database):
    """SQLite finds nothing wrong with its file. A server answers for its own."""
    if not _remote(database):
        runner.equal(sql(database, "pragma integrity_check"), [(b"ok",)])


# --- parts of SQL texts -------------------------------------------------------------------------

def dialect(of_sqlite, of_postgres):
    return of_postgres if POSTGRES else of_sqlite


def member(path):
    """The member of an event ("payload.mark") as a text; a number of it in SQLite, where text and number are one."""
    return dialect("json_extract(event, '$.%s')" % path, "(event::json #>> '{%s}')" % path.replace(".", ","))


def number(path):
    return dialect(member(path), "%s::bigint" % member(path))


def blob(data):
    return dialect("x'%s'", "'\\x%s'::bytea") % data.hex()


def octets(column):
    return dialect("length(cast(%s as blob))", "octet_length(%s)") % column
