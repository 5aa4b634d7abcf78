#!/usr/bin/env python3
"""The configuration file that is read without being named: beacond/beacond.conf below configure's
sysconfdir, which bwrap shows to the daemon and its commands in place of this machine's."""

import os
import pwd
import re
import shutil
import signal
import subprocess

from confinement import Confined
from harness import BINARY, PATIENCE, Daemon, Skip, case, directory, equal, event, main, run

NOBODY = 65534


def _place():
    """Where the program looks, as its help tells."""
    match = re.search(r"\n  --config FILE\n.*\(default (\S+)\)\n", run("--help").stdout.decode())
    if not match:
        raise Skip("built without configure: it has no such file")
    return match.group(1)


def _before(folder):
    """Command in front of others, for which `folder` is the folder of that file."""
    place = os.path.dirname(_place())
    if not shutil.which("bwrap"):
        raise Skip("no bwrap")
    command = ["bwrap", "--die-with-parent", "--bind", "/", "/"]
    at = place
    while not os.path.isdir(at):
        at = os.path.dirname(at)
    if at != place:
        # A folder for it can be made in a place of ours alone: one that has all that is beside.
        command += ["--perms", "0755", "--tmpfs", at]
        for path in (os.path.join(at, name) for name in os.listdir(at)):
            command += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--bind-try", path, path]
        while (missing := os.path.relpath(place, at)) != ".":
            at = os.path.join(at, missing.split("/")[0])
            command += ["--perms", "0755", "--dir", at]
    command += ["--bind", folder, place, "--dev", "/dev", "--proc", "/proc"]
    tried = subprocess.run([*command, "/bin/true"], capture_output=True, text=True)
    if tried.returncode:
        raise Skip("bwrap may not: " + tried.stderr.strip())
    return command


def _folder(text=None, mode=0o644):
    path = directory()
    os.chmod(path, 0o755)
    if text is not None:
        with open(os.path.join(path, "beacond.conf"), "w") as file:
            file.write(text)
        os.chmod(os.path.join(path, "beacond.conf"), mode)
    return path


def _run(folder, *arguments, env=None, before=(), cwd=None):
    env = dict({"PATH": os.environ["PATH"]}, **(env or {}))
    done = subprocess.run([*_before(folder), *before, BINARY, *arguments], env=env, cwd=cwd or directory(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout, done.stderr


def _as_nobody():
    if os.getuid() != 0:
        raise Skip("another user is needed")
    if not shutil.which("setpriv"):
        raise Skip("no setpriv")
    # It could not write down what it covers, and would say so.
    return ["env", "LLVM_PROFILE_FILE=/dev/null", "setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]


@case
def it_is_read_when_nothing_else_is_named():
    code, out, err = _run(_folder("app-id = file\nprefix = /file\n"), "check-config")
    equal((code, err), (0, ""))
    equal(out.splitlines()[0], "config " + _place())
    assert "prefix /file\n" in out, out


@case
def none_is_needed():
    code, out, err = _run(_folder(), "check-config")
    equal((code, err), (0, ""))
    assert "config " not in out, out


@case
def what_is_named_is_read_instead():
    other = os.path.join(directory(), "other.conf")
    with open(other, "w") as file:
        file.write("prefix = /other\n")
    for arguments, env in ((["--config", other], {}), ([], {"BEACOND_CONFIG": other})):
        code, out, err = _run(_folder("no such line\n"), "check-config", *arguments, env=env)
        equal((code, err), (0, ""))
        assert out.startswith("config %s\n" % other) and "prefix /other\n" in out, out


@case
def an_empty_name_means_none():
    for arguments, env in ((["--config", ""], {}), (["--config="], {}), ([], {"BEACOND_CONFIG": ""})):
        code, out, err = _run(_folder("no such line\n"), "check-config", *arguments, env=env)
        equal((code, err), (0, ""))
        assert "config " not in out, out


@case
def what_is_wrong_in_it_is_told():
    code, out, err = _run(_folder("max-body = x\n"), "stats")
    equal((code, out), (78, ""))
    equal(err, 'beacond: %s:1: max-body: expected a size such as 8M, got "x"\n' % _place())


@case
def one_that_cannot_be_read_is_an_error():
    code, out, err = _run(_folder("prefix = /file\n", 0o600), "check-config", before=_as_nobody())
    equal((code, out), (78, ""))
    equal(err, "beacond: config: %s: Permission denied; --config '' does without it\n"
               "beacond: %s belongs to root: sudo beacond check-config\n" % (_place(), _place()))
    folder = _folder()
    os.mkdir(os.path.join(folder, "beacond.conf"))
    code, out, err = _run(folder, "check-config")
    equal((code, out), (78, ""))
    equal(err, "beacond: config: %s: Is a directory\n" % _place())


@case
def a_command_finds_the_database_of_an_installed_daemon():
    state = directory()
    database = os.path.join(state, "beacond.db")
    folder = _folder("database = %s\nlisten = 127.0.0.1:0\n" % database)
    daemon = Daemon(database=database)
    daemon.save([event() for _ in range(3)])
    code, out, err = _run(folder, "stats", "--quick")
    equal((code, err), (0, ""))
    assert "3" in out and database in out, out
    # The folder is the daemon's alone.
    os.chmod(state, 0o700)
    for command in (["stats"], ["export"], ["prune", "--older-than", "1d"], ["check"], ["rejects"], ["forget", "--user", "x"],
                    ["backup", "/nowhere/copy.db"], ["serve"]):
        code, out, err = _run(folder, *command, before=_as_nobody(), cwd="/")
        assert code in (1, 78), (command, code)
        first, last = err.strip().rsplit("\n", 1)
        assert "Permission denied" in first, (command, err)
        equal(last, "beacond: %s belongs to root: sudo beacond %s" % (state, command[0]))


@case
def the_user_whose_it_is_is_named():
    state = directory()
    database = os.path.join(state, "beacond.db")
    Daemon(database=database).stop()
    before = _as_nobody()
    user = next((entry for entry in pwd.getpwall() if entry.pw_uid not in (0, NOBODY)), None)
    for path in (state, *(os.path.join(state, name) for name in os.listdir(state))):
        os.chown(path, user.pw_uid, user.pw_gid)
    os.chmod(state, 0o700)
    code, _, err = _run(_folder("database = %s\n" % database), "stats", before=before, cwd="/")
    equal(code, 78)
    equal(err.splitlines()[-1], "beacond: %s belongs to %s: sudo -u %s beacond stats" % (state, user.pw_name, user.pw_name))


@case
def the_daemon_logs_which_it_reads_and_reads_it_again():
    folder = _folder("app-id = one\n")
    daemon = Confined(before=[*_before(folder), "env", "--unset=BEACOND_CONFIG"])
    daemon.wait_log("options from %s$" % _place())
    path = os.path.join(folder, "beacond.conf")
    with open(path, "w") as file:
        file.write("app-id = two\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("reloaded: app-id$")
    os.rename(path, path + ".away")
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("config: %s was read before and is gone" % re.escape(_place()))
    equal(daemon.get("/_tracker/ping").json()["appId"], "two")


@case
def a_file_that_comes_later_is_read_at_a_reload():
    folder = _folder()
    daemon = Confined(before=[*_before(folder), "env", "--unset=BEACOND_CONFIG"])
    with open(os.path.join(folder, "beacond.conf"), "w") as file:
        file.write("app-id = late\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("reloaded: config, app-id$")
    equal(daemon.get("/_tracker/ping").json()["appId"], "late")


@case
def what_is_no_file_there_is_refused_and_nobody_waits_for_it():
    for make, words in ((os.mkfifo, "is no regular file"), (os.mkdir, "Is a directory")):
        folder = _folder()
        daemon = Confined(before=[*_before(folder), "env", "--unset=BEACOND_CONFIG"])
        make(os.path.join(folder, "beacond.conf"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("not reloaded, all stays as it was: config: %s: %s$" % (re.escape(_place()), words))
        code, out, err = _run(folder, "check-config")
        equal((code, out, err), (78, "", "beacond: config: %s: %s\n" % (_place(), words)))
        equal(_run(folder, "check-config", "--config", "")[0], 0)
        daemon.stop()
        # One that the environment names, with which it has begun.
        path = os.path.join(_folder("app-id = one\n"), "beacond.conf")
        daemon = Daemon(env={"BEACOND_CONFIG": path})
        os.unlink(path)
        make(path)
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("not reloaded, all stays as it was: config: ")
        equal(daemon.get("/_tracker/ping").json()["appId"], "one")


main()
