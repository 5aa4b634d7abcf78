"""A database that is no file, as options, daemon and commands take it: what they are given and what they show,
how they wait for its server, and what they do beside other daemons. What is stored and read is the other tests',
which run with either store."""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import confinement
import postgres
import psql
from harness import (Daemon, Skip, becomes, begin, case, directory, equal, event, finish, lasting_address, main, poll,
                     run)
from prometheus import Scraper

SECRET = "s3cr3t-w0rd"
COMMANDS = ["serve", "check-config", "import /dev/null", "export", "tail", "rejects", "rejects drop all", "prune",
            "forget --user me", "backup copy.db", "check", "stats", "query pages", "ready"]


def built():
    """Skips where the program knows no such databases."""
    if b"PostgreSQL: no" in run("--version").stdout:
        raise Skip("built without PostgreSQL")


def nobody():
    """host:port of this machine where nobody listens, held so that nobody will."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, "127.0.0.1:%d" % held.getsockname()[1]


def said(command, database, **more):
    """Exit code and all that it says."""
    env = {"BEACOND_DATABASE": database, "BEACOND_LISTEN": "127.0.0.1:0", "BEACOND_LOG_LEVEL": "debug"}
    done = run(*command.split(), env=dict(env, **more))
    return done.returncode, (done.stdout + done.stderr).decode()


@case
def no_command_shows_a_password_of_a_uri_that_can_not_be_read():
    built()
    for form in ("postgresql://me:{0}@[::1/x", "postgresql://me:%zz{0}@db/x", "postgresql://me:{0}@db/x?{0}",
                 "postgresql://me:x/{0}@db/x", "postgresql://me:x@{0}@db/x", "mysql://me:{0}@db/x"):
        uri = form.format(SECRET)
        for command in COMMANDS:
            code, words = said(command, uri)
            equal(code, 78, uri + " " + command)
            assert SECRET not in words, uri + " " + command + ": " + words


@case
def no_command_shows_the_password_of_a_server_that_is_not_there():
    built()
    held, place = nobody()
    with held:
        for form in ("postgresql://me:{0}@{1}/x", "postgres://me:a?{0}@{1}/x", "postgresql://me@{1}/x?password={0}"):
            uri = form.format(SECRET, place)
            for command in COMMANDS[1:]:
                code, words = said(command, uri)
                equal(code, 0 if command == "check-config" else 1, uri + " " + command)
                assert SECRET not in words and words != "", uri + " " + command + ": " + words
        assert not os.path.lexists(os.path.join(directory(), "copy.db"))


@case
def each_address_that_was_tried_is_named():
    built()
    (one, first), (other, second) = nobody(), nobody()
    with one, other:
        code, words = said("stats", "postgresql://me@%s,%s/x" % (first, second))
    equal(code, 1, words)
    for place in first, second:
        assert "port %s failed: Connection refused" % place.split(":")[1] in words, words
    equal(words.count("\n"), 1, words)


@case
def check_config_shows_the_database_and_says_what_does_nothing():
    built()
    code, words = said("check-config", "postgresql://me:%s@db/x?sslmode=require" % SECRET, BEACOND_MIN_FREE_DISK="1G")
    equal(code, 0, words)
    assert "\ndatabase postgresql://me@db/x?sslmode=require\n" in words, words
    assert "min-free-disk does nothing: the database is no file of this machine" in words, words
    code, words = said("check-config", "some.db", BEACOND_MIN_FREE_DISK="1G")
    assert code == 0 and "does nothing" not in words, words


@case
def a_daemon_waits_for_its_server_until_it_is_told_to_end():
    built()
    held, place = nobody()
    with held:
        daemon = Daemon(database="postgresql://me:%s@%s/x" % (SECRET, place), ready=False)
        daemon.wait_log(r"warn  postgresql://me@127.0.0.1:\d+/x: .*; trying again until it works$")
        daemon.signal()
        daemon.ended(0)
        log = "\n".join(daemon.log())
        assert log.endswith("stopped") and " ready" not in log and SECRET not in log, log
        equal(log.count("trying again"), 1, "said once")


@case
def the_log_names_database_and_node_but_no_password():
    built()
    uri = postgres.database()
    daemon = Daemon(database=uri + "&password=" + SECRET, node="shop-7")
    daemon.wait_log(r"info  database %s, node \"shop-7\"$" % re.escape(uri))
    assert SECRET not in "\n".join(daemon.log())


def done(*arguments, code=0, **more):
    """Standard output and standard error of a command that ends so."""
    got, out, err = finish(begin(*arguments, **more))
    equal(got, code, " ".join(arguments) + ": " + out + err)
    return out, err


@case
def commands_work_beside_the_daemons_of_their_database():
    built()
    uri = postgres.database()
    one, other = Daemon(database=uri), Daemon(database=uri)
    one.save([event(id="a-%d" % n) for n in range(20)])
    lines = os.path.join(directory(), "lines.jsonl")
    with open(lines, "wb") as file:
        file.writelines(event(id="b-%d" % n) + b"\n" for n in range(30))
    for stored in 30, 0:
        assert "%d stored, %d already there" % (stored, 30 - stored) in done("import", lines, "--database", uri)[0]
    becomes(lambda: (one.total(), other.total()), (50, 50), "both know")
    equal(done("export", "--database", uri)[0].count("\n"), 50)
    out, _ = done("stats", "--database", uri)
    assert re.search(r"(?m)^events +50$", out) and re.search(r"(?m)^size +[1-9][0-9]+ bytes$", out), out
    assert "wrong" not in done("check", "--database", uri)[0]
    assert "WAL" not in out and "pages" not in out and "database       " + uri in out, out
    facts = json.loads(done("stats", "--json", "--quick", "--database", uri)[0])
    equal((facts["events"], list(facts["file"])), (50, ["bytes"]))
    equal(done("rejects", "--database", uri), ("", ""))
    assert "50 events erased" in done("prune", "--older-than", "0s", "--database", uri)[0]
    becomes(lambda: (one.total(), other.total()), (0, 0), "both know that")


@case
def forget_names_what_is_out_of_its_reach():
    built()
    uri = postgres.database()
    daemon = Daemon(database=uri)
    daemon.save([event(), event()])
    out, _ = done("forget", "--user", "nobody", "--database", uri)
    assert "replicas" in out and "snapshots" not in out and "free space" not in out, out


@case
def a_backup_is_refused_and_says_what_to_use():
    built()
    uri = postgres.database()
    Daemon(database=uri)
    here = directory()
    _, err = done("backup", "copy.db", "--database", uri, code=1, cwd=here)
    assert "pg_dump" in err, err
    equal(os.listdir(here), [], "no file")


@case
def what_works_on_a_database_makes_none():
    built()
    uri = postgres.database()
    for command in COMMANDS[3:13]:
        code, words = said(command, uri)
        equal(code, 78, command + ": " + words)
    equal(psql.rows(uri, "select count(*) from pg_namespace where nspname = 'beacond'"), [(0,)])


@case
def ready_asks_the_daemon_of_that_address():
    built()
    uri, folder = postgres.database(), directory()
    env = {"RUNTIME_DIRECTORY": folder}
    places = [lasting_address(), lasting_address()]
    daemons = [Daemon(database=uri, listen=place, env=env) for place in places]
    equal(len(os.listdir(folder)), 2, "sockets")

    def ready(place, **more):
        got = run("ready", "--database", uri, "--listen", place, env=dict(env, **more))
        return got.returncode, (got.stdout + got.stderr).decode()

    for place in places:
        equal(ready(place), (0, "ready\n"))
    daemons[0].stop()
    equal([ready(place)[0] for place in places], [1, 0])
    assert "listens on " + places[0] in ready(places[0])[1]
    equal(ready(places[1], RUNTIME_DIRECTORY="", XDG_RUNTIME_DIR=""),
          (1, "beacond: not ready: control socket: there is no RUNTIME_DIRECTORY for it\n"))
    # Killed, it leaves a socket behind that is nobody's.
    daemons[1].crash()
    equal(ready(places[1])[0], 1)
    again = Daemon(database=uri, listen=places[1], env=env)
    equal(ready(places[1]), (0, "ready\n"))
    again.stop()
    equal(os.listdir(folder), [])
    without = Daemon(database=uri)
    without.wait_log(r"info .* RUNTIME_DIRECTORY .*; `beacond ready` can't ask this daemon$")


@case
def a_daemon_that_was_first_serves_when_its_server_has_come():
    built()
    server = postgres.Server()
    uri = server.database()
    server.stop()
    daemon = Daemon(database=uri, ready=False)
    daemon.wait_log(r"; trying again until it works$")
    server.start()
    daemon.wait_ready()
    daemon.save([event()])
    equal(daemon.total(), 1)
    daemon.stop()


@case
def a_password_comes_from_the_uri_or_from_a_file():
    built()
    server = postgres.Server()
    uri = server.database()
    postgres.psql(server.admin(), "alter role %s password '%s'" % (postgres.USER, SECRET))
    with open(os.path.join(server.data, "pg_hba.conf"), "w") as file:
        file.write("local all postgres trust\nlocal all all scram-sha-256\n")
    postgres.psql(server.admin(), "select pg_reload_conf()")
    name = re.match(r"postgresql:///(\w+)", uri).group(1)
    path = os.path.join(directory(), "pgpass")
    with open(path, "w") as file:
        file.write("*:*:%s:%s:%s\n" % (name, postgres.USER, SECRET))
    os.chmod(path, 0o600)
    empty = os.path.join(directory(), "lines")
    open(empty, "w").close()
    given = "postgresql://%s:%s@/%s?host=%s" % (postgres.USER, SECRET, name, server.directory)
    done("import", empty, "--database", given)
    done("import", empty, "--database", uri + "&passfile=" + path)
    done("import", empty, "--database", uri, env={"PGPASSFILE": path})
    for wrong in uri, given.replace(SECRET, SECRET + "x"), uri + "&passfile=/dev/null":
        out, err = done("import", empty, "--database", wrong, code=1)
        assert "password" in err and SECRET not in out + err, err
    daemon = Daemon(database=given)
    daemon.save([event()])
    everything = daemon.get("/_tracker/stats").body + daemon.get("/metrics").body + "\n".join(daemon.log()).encode()
    assert SECRET.encode() not in everything


@contextlib.contextmanager
def pooler(server, mode):
    """PgBouncer before the server, as the manual has it. The directory of its socket."""
    path = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
    if not path:
        raise Skip("no pgbouncer")
    folder = tempfile.mkdtemp(prefix=mode, dir=server.directory)
    os.chmod(folder, 0o777)
    with open(os.path.join(folder, "ini"), "w") as file:
        file.write("[databases]\n* = host=%s user=%s\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = %s\n"
                   "listen_port = 5432\nauth_type = any\npool_mode = %s\nignore_startup_parameters = options\n"
                   % (server.directory, postgres.USER, folder, mode))
    # Where it was only unpacked its libraries are beside it.
    libraries = glob.glob(os.path.join(os.path.dirname(path), "../lib/*-linux-*"))
    process = subprocess.Popen([path, "-q", os.path.join(folder, "ini")], stdin=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=dict(os.environ, LD_LIBRARY_PATH=":".join(libraries)),
                               preexec_fn=server.person and (lambda: postgres.become(server.person)))
    try:
        poll(lambda: os.path.exists(os.path.join(folder, postgres.SOCKET)), "the pooler to listen")
        yield folder
    finally:
        process.terminate()
        process.wait()


@case
def behind_a_pooler_what_is_stored_is_no_change_by_hand():
    built()
    for mode in "transaction", "session":
        server = postgres.server()
        uri = server.database()
        with pooler(server, mode) as folder:
            through = uri.replace(server.directory, folder)
            one, other = (Daemon(database=through, node=name) for name in ("one", "other"))
            one.wait_log(r"info .*pooler.* asked for news each")
            for daemon in one, other, one:
                daemon.save([event() for _ in range(10)])
                equal((one.total(), other.total()), (daemon.total(), daemon.total()))
            assert "30 events" in done("export", "--output", "all", "--database", through, cwd=directory())[1]
            equal(psql.rows(uri, "select count(*) from beacond.erasures"), [(0,)], mode)
            one.stop()
            other.stop()


@case
def a_pooler_whose_sessions_are_of_another_isolation_is_refused():
    built()
    server = postgres.server()
    uri = server.database()
    psql.psql(uri, "alter database %s set default_transaction_isolation = 'repeatable read'"
              % re.match(r"postgresql:///(\w+)\?", uri).group(1))
    # Where it can be asked for it is.
    Daemon(database=uri).stop()
    with pooler(server, "transaction") as folder:
        daemon = Daemon(database=uri.replace(server.directory, folder), node="one", ready=False)
        daemon.ended(78)
    assert 'its transactions are "repeatable read" by default' in "\n".join(daemon.log())


@case
def what_is_on_the_servers_disk_is_as_synchronous_says():
    built()
    uri = postgres.database()
    Daemon(database=uri).stop()
    postgres.psql(uri, """create table public.noted(value text);
        create function public.note() returns trigger language plpgsql as
        $$ begin insert into public.noted values (current_setting('synchronous_commit')); return null; end $$;
        create trigger note after insert on beacond.receipts execute function public.note()""")
    for mode, wanted in ("full", b"on"), ("normal", b"off"), ("off", b"off"):
        daemon = Daemon(database=uri, synchronous=mode)
        daemon.save([event()])
        daemon.stop()
        equal(psql.rows(uri, "select distinct value from public.noted"), [(wanted,)], mode)
        postgres.psql(uri, "delete from public.noted")


@case
def metrics_tell_what_can_be_known():
    built()
    daemon = Daemon(database=postgres.database(), retain="30d")
    daemon.save([event()])
    scrape = Scraper(daemon, daemon.address)
    becomes(lambda: scrape().get("beacond_database_bytes", 0) > 0, True, "its size, by its server")
    for name in scrape():
        assert not re.match(r"beacond_(wal|disk|checkpoint|last_checkpoint)", name), name
    size = daemon.get("/_tracker/stats").json()["database"]
    equal(list(size), ["bytes"])


@case
def it_reloads_and_says_again_what_does_nothing():
    built()
    path = os.path.join(directory(), "conf")
    with open(path, "w") as file:
        file.write("retain = 30d\n")
    daemon = Daemon(database=postgres.database(), config=path)
    assert "does nothing" not in "\n".join(daemon.log())
    with open(path, "a") as file:
        file.write("min-free-disk = 1G\nlimit-events = 5\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_log(r"warn  min-free-disk does nothing: ")
    daemon.wait_log(r"info  reloaded: limit-events, min-free-disk$")


@case
def it_works_under_the_units_restrictions():
    built()
    state, server = directory(), postgres.server()
    before = confinement.before(state)
    # What is hidden there: /run/postgresql is not, in an installation.
    at = before.index("--seccomp")
    before[at:at] = ["--bind", server.directory, server.directory]
    daemon = confinement.Confined(before=before, database=server.database(), hold="20s")
    daemon.save([event() for _ in range(100)])
    equal(daemon.total(), 100)
    daemon.stop()


main()
