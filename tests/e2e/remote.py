"""A database that is no file, as options, daemon and commands take it: what they are given and what they show,
how they wait for its server, and what they do beside other daemons. What is stored and read is the other tests',
which run with either store."""

import os
import socket

from harness import Daemon, Skip, case, directory, equal, main, run

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


main()
