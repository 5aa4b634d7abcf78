"""beacond ready: what /readyz tells, asked through the control socket, however the daemon is listened to."""

import json
import os
import socket

from harness import PATIENCE, Daemon, batch, begin, case, directory, equal, event, finish, main, poll, run, shell
from stores import of_files

AWAY, BACK = "alter table events rename to away", "alter table away rename to events"


def ready(database, *arguments, **more):
    """Its exit code and all that it says."""
    done = run("ready", "--database", database, *arguments, **more)
    assert not (done.stdout and done.stderr), done
    return done.returncode, (done.stdout + done.stderr).decode()


@case
def it_says_ready_of_a_daemon_behind_a_unix_socket():
    daemon = Daemon(listen="unix:beacond.sock")
    equal(ready(daemon.database), (0, "ready\n"))
    equal(run("ready", env={"BEACOND_DATABASE": daemon.database}).returncode, 0, "from the environment")
    here = directory()
    with open(os.path.join(here, "some.conf"), "w", encoding="utf-8") as file:
        file.write("database = %s\n" % daemon.database)
    equal(run("ready", "--config", "some.conf", cwd=here).returncode, 0, "from a file")


@case
def without_a_daemon_it_says_so():
    daemon = Daemon()
    none = os.path.join(directory(), "none.db")
    equal(ready(none), (1, "beacond: not ready: no daemon has %s open\n" % none))
    assert not os.path.lexists(none), "a question has made a database"
    daemon.stop()
    equal(ready(daemon.database)[0], 1, "stopped")
    killed = Daemon(database=daemon.database)
    killed.crash()
    equal(ready(killed.database), (1, "beacond: not ready: no daemon has %s open\n" % killed.database))


@case
def it_fails_while_events_can_not_be_stored():
    daemon = Daemon(hold="200ms")
    shell(daemon.database, AWAY)
    equal(daemon.post([event()]).status, 503)
    equal(ready(daemon.database), (1, "beacond: not ready: commits fail, see the log\n"))
    shell(daemon.database, BACK)
    poll(lambda: ready(daemon.database) == (0, "ready\n"), "it to be ready again")


@case
def it_fails_while_the_daemon_drains():
    daemon = Daemon(drain="1h")
    body = batch([event()])
    slow = daemon.wire().send(b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                              % len(body))
    poll(lambda: daemon.unread() == 0, "the head to be read")
    daemon.signal()
    draining = (1, "beacond: not ready: draining\n")
    poll(lambda: ready(daemon.database) == draining, "it to say so")
    equal(slow.send(body).response().json()["saved"], 1)
    daemon.ended(0)


@case
@of_files
def another_program_behind_the_socket_is_not_ready():
    # The daemon of another version, say, that knows no such question.
    database = os.path.join(directory(), "x.db")
    open(database, "wb").close()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(database + ".control")
        listening.settimeout(PATIENCE)
        listening.listen(1)
        for answer, told in ((b'{"error":"no such job","status":-2}\n', "no such job"),
                             (b'{"result":{}}\n', "the daemon's answer can't be read"),
                             (b"", "the daemon has ended before the job had")):
            asking = begin("ready", "--database", database)
            sock, _ = listening.accept()
            with sock, sock.makefile("rb") as asked:
                equal(json.loads(asked.readline()), {"job": "ready"})
                sock.sendall(answer)
            equal(finish(asking), (1, "", "beacond: not ready: %s\n" % told))


main(of_files=True)
