"""What strangers write must stay text: no header, no line of the log, no sequence of a terminal is made of
it; and what the daemon and its commands write to the disk is its user's alone, whatever stands in the way.

Paths of the dashboard are tried in dashboard.py, requests that hide in others in smuggling.py, what may be
asked in SQL in query.py, places of backups in backup.py, the page in tests/browser.
"""

import itertools
import json
import os
import pty
import re
import sqlite3
import stat

from harness import (PATIENCE, Daemon, Rows, begin, case, directory, drained, equal, event, finish, main,
                     poll, run, scale)
from sockets import upgrade
from stores import of_files

LONG = os.environ.get("BEACOND_TEST_LONG") == "1"
INJECTED = "X-Injected"
# As they are put between "GET /path" or "Name: " and the end of the line, latin-1.
VALUES = ["x\r\nX-Injected: y", "x\nX-Injected: y", "x\rX-Injected: y", "x\r\n X-Injected: y", "x\r\n\tX-Injected: y", "x\0X-Injected: y",
          "x\x0bX-Injected: y", "x\x85X-Injected: y", "x%0d%0aX-Injected:%20y", "x%0aX-Injected:%20y", "x%250d%250aX-Injected:%20y",
          "x%E5%98%8D%E5%98%8AX-Injected:%20y", "x%u000d%u000aX-Injected:y", "x\xe5\x98\x8d\xe5\x98\x8aX-Injected:y", "%00x",
          "x\x1b[2J\x1b]0;gone\x07", "x%1b[2J", "x\x9b2J", "x\xc2\x9b2J", "x\x7f", "x\xe2\x80\xae2026-11-22T00:00:00.000Z error gone",
          "x%E2%80%AE", "\xff\xfe", "%ff%fe", "%c0%8a", "\"}\n{\"time\":\"", "x\\r\\nX-Injected: y", "%s%n%1000000d", "x" * 8000,
          "x," * 3000, "\t", "", " "]
TARGETS = ["/_tracker?since=%s", "/_tracker?until=%s", "/_tracker?cursor=%s", "/_tracker?limit=%s", "/_tracker?page=%s",
           "/_tracker?after=%s", "/_tracker?key=%s", "/_tracker/stats?step=%s", "/_tracker/stats?values=%s", "/_tracker/tail?%s",
           "/_tracker/rejects?limit=%s", "/_tracker/rejects?cursor=%s", "/_dashboard?%s", "/_dashboard/%s", "/_dashboard/?%s", "/%s",
           "/_tracker/k/%s/events"]
HEADERS = ["Origin", "X-Tracker-Key", "User-Agent", "Referer", "X-Request-Id", "X-Forwarded-For", "Forwarded", "If-None-Match",
           "Last-Event-ID", "Accept", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Method", "Connection",
           "Access-Control-Request-Headers", "Authorization", "Cookie", "Range", "X-Original-URL", "Content-Type",
           "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Version"]
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn |info |debug) [ -~]+")


def judged(wire, what):
    """The one answer, with nothing in it that its sender has made."""
    answer = wire.response("HEAD" if what == "HEAD" else "GET")  # its head is well-formed, or it fails
    for name, value in answer.headers:
        assert name.lower() != INJECTED.lower(), answer
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f]", value), answer
    equal(len({name.lower() for name, _ in answer.headers}), len(answer.headers), "headers, each once")
    if answer.status >= 400 and what != "HEAD":
        answer.error()
    return answer


def requests():
    for value, target in itertools.product(VALUES, TARGETS):
        for method in ("HEAD" if "tail" in target else "GET", "POST"):
            lines = ["%s %s HTTP/1.1" % (method, target % value if "%s" in target else target), "Host: localhost", "Connection: close"]
            yield lines + (["Content-Length: 2"] if method == "POST" else []), method
    for value, name in itertools.product(VALUES, HEADERS):
        for first, more in (("GET /_tracker", []), ("OPTIONS /_tracker/events", []), ("POST /_tracker/events", ["Content-Length: 2"]),
                            ("GET /_dashboard/", []), ("GET /_tracker/ws", ["Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="])):
            yield [first + " HTTP/1.1", "Host: localhost", "%s: %s" % (name, value), *more], first.split()[0]


@case
def no_value_of_a_request_becomes_a_header_or_a_line_of_the_log():
    top = directory()
    with open(os.path.join(top, "index.html"), "w") as file:
        file.write("<p>")
    for number, form in enumerate(("text", "json")):
        daemon = Daemon(dashboard=top, log_level="debug", log_format=form, ready=form == "text", max_header="64K",
                        listen="unix:" + os.path.join(top, "s"), trusted_proxy="unix", proxy_header="x-forwarded-for", limit_events=100000)
        address = "unix:" + os.path.join(top, "s")
        if form == "json":
            daemon.wait_log('"message":"ready"')
        rows = Rows()
        for n, (lines, method) in enumerate(requests()):
            if not LONG and n % scale(3, 30) != number:
                continue
            data = "\r\n".join(lines + ["", ""]).encode("latin-1") + (b"{}" if method == "POST" else b"")
            with rows("%r" % data[:120]):
                wire = daemon.wire(address).send(data)
                if not judged(wire, method).status == 101:
                    assert b"HTTP/1." not in wire.buffer, "a second answer: %r" % wire.buffer
                wire.close()
        rows.check()
        equal(daemon.request("GET", "/livez", address=address).status, 200)
        for line in daemon.log():
            if form == "text":
                assert LINE.fullmatch(line), "%r" % line
            else:
                equal(sorted(json.loads(line)), ["level", "message", "time"])
            assert len(line) < 4096, len(line)
        daemon.stop()


@case
def no_subprotocol_or_extension_is_echoed():
    daemon = Daemon()
    for value in VALUES:
        if not re.search("[\x00-\x08\x0a-\x1f\x7f]", value) and not value.startswith("\t"):
            wire = daemon.wire().send(upgrade(headers={"Sec-WebSocket-Protocol": value, "Sec-WebSocket-Extensions": "x-" + value}))
            answer = judged(wire, "GET")
            equal((answer.status in (101, 400), answer.header("Sec-WebSocket-Protocol"), answer.header("Sec-WebSocket-Extensions")),
                  (True, None, None), value[:40])
            wire.close()


@case
def what_is_configured_makes_no_line_of_the_log_either():
    bad = "x\x1b[2J\n2026-11-22T00:00:00.000Z error gone \u202e\x9b"
    for flag in ("--prefix", "--listen", "--database", "--key", "--allow-origin", "--beacon-origin", "--dashboard", "--admin-host",
                 "--trusted-proxy", "--max-body", "--timeout", "--log-level", "--config", "--key-file", "--tls-cert", "--app-id"):
        ended = run("check-config", flag, bad, "--log-format", "text")
        if ended.returncode == 0:
            continue
        said = ended.stderr.decode()
        equal((said.count("\n"), "gone" not in said.split("\n", 1)[1]), (1, True), flag)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said), "%s: %r" % (flag, said)


# --- a terminal -----------------------------------------------------------------------------------

HOSTILE = "x\x1b[2J\x1b]0;gone\x07\x9b2J\u202e\x85"
ACTS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def shown(*arguments):
    """What a terminal gets, both streams."""
    ours, theirs = pty.openpty()
    process = begin(*arguments, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = drained(ours)
    process.wait(PATIENCE)
    return seen.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "").replace("\x1b[K", "")


@case
def no_command_sends_a_terminal_what_is_stored():
    daemon, rows = Daemon(max_event="1K"), Rows()
    text = json.dumps(HOSTILE, ensure_ascii=False).replace("\\u001b", "\\u001B").encode()
    bad = (b'{"timestamp":"2026-11-21T04:00:00Z","level":%b,"type":%b,"appId":%b,"sessionId":%b,"userId":%b,"groupId":%b,'
           b'"payload":{"message":%b,"error":%b,"name":%b,"url":%b,"key\x7f":1}}' % ((text,) * 10))
    daemon.save([bad])
    daemon.post([b'{"\x7f\xc2\x9b":"' + b"x" * 2000 + b'"}', b'{"\xe2\x80\xae\xff":1}'])
    place = ["--database", daemon.database]
    asked = [["stats", *place], ["check", *place], ["rejects", *place], ["rejects", "--json", *place], ["export", *place],
             ["export", "--format", "csv", *place], ["tail", "--last", "1", *place]]
    names = [line.split()[0] for line in run("query").stdout.decode().split("\n\n")[0].splitlines()]
    asked += [["query", name, "--since", "2026-11-01", "--format", form, *place] for name in names
              for form in ("table", "lines", "csv", "json")]
    for one in asked:
        if one[0] == "tail":
            continue  # does not end: tail.py
        with rows(" ".join(one[:5])):
            seen = shown(*one)
            found = ACTS.search(seen)
            assert not found, "%r in %r" % (found.group(0), seen[max(0, found.start() - 40):found.start() + 20])
    rows.check()


@case
@of_files
def a_file_that_somebody_else_has_made_sends_a_terminal_nothing_either():
    daemon, rows = Daemon(), Rows()
    daemon.save([event()])
    daemon.stop()
    base = sqlite3.connect(daemon.database)
    base.execute('create table "%s" (a)' % HOSTILE)
    base.execute("insert into rejects (n, received, reason, event) values (99, 0, ?, ?)", (HOSTILE, HOSTILE.encode()))
    base.execute("update events set id = ?, event = ?", (HOSTILE, HOSTILE))
    base.commit()
    base.close()
    for command in ("check", "stats", "rejects", "export"):
        with rows(command):
            seen = shown(command, "--database", daemon.database)
            assert seen and not ACTS.search(seen), "%r" % seen[:400]
    rows.check()


# --- files ----------------------------------------------------------------------------------------

def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


@case
@of_files
def each_file_is_its_users_alone_whatever_the_umask():
    for umask in (0, 0o022, 0o077):
        folder = directory()

        def at(name, folder=folder):
            return os.path.join(folder, name)

        daemon = Daemon(database=at("x.db"), listen=["127.0.0.1:0", "unix:" + at("listen")], preexec=lambda u=umask: os.umask(u))
        daemon.save([event() for _ in range(10)])
        for n, command in enumerate((["backup", at("copy.db")], ["export", "--output", at("all.ndjson")])):
            code, _, err = finish(begin(*command, "--database", at("x.db"), preexec_fn=lambda u=umask: os.umask(u)))
            equal(code, 0, err)
        with open(at("log"), "wb") as file:
            file.write(event() + b"\n")
        os.chmod(at("log"), 0o644)
        code, _, err = finish(begin("import", at("log"), "--database", at("x.db"), preexec_fn=lambda u=umask: os.umask(u)))
        equal(code, 0, err)
        modes = {name: mode(at(name)) & 0o7077 for name in os.listdir(folder) if name != "log"}
        equal(modes.pop("listen"), 0o066, "the directory decides who reaches it")
        equal({name: bits for name, bits in modes.items() if bits}, {}, "open to others")
        equal(set(modes), {"x.db", "x.db-wal", "x.db-shm", "x.db.lock", "x.db.control", "copy.db", "all.ndjson"})
        daemon.stop()
        # And by commands alone, where they make them.
        os.mkdir(at("offline"))
        code, _, err = finish(begin("import", at("log"), "--database", at("offline/y.db"), preexec_fn=lambda u=umask: os.umask(u)))
        equal(code, 0, err)
        equal({name: mode(at("offline/" + name)) & 0o077 for name in os.listdir(at("offline"))
               if mode(at("offline/" + name)) & 0o077}, {})


@case
@of_files
def what_stands_in_the_way_is_neither_followed_nor_changed():
    folder = directory()
    victim, text = os.path.join(folder, "victim"), b"of somebody else\n"

    def at(name):
        return os.path.join(folder, name)

    def untouched(what):
        with open(victim, "rb") as file:
            equal(file.read(), text, what)
        equal(mode(victim), 0o640, what)

    with open(victim, "wb") as file:
        file.write(text)
    os.chmod(victim, 0o640)
    os.symlink(victim, at("a.db.lock"))
    ended = run("serve", "--listen", "127.0.0.1:0", "--database", at("a.db"))
    equal(ended.returncode, 78)
    untouched("a symbolic link as lock")
    # The lock holds, but another file by a second name gets no number written into it.
    os.link(victim, at("b.db.lock"))
    daemon = Daemon(database=at("b.db"))
    daemon.save([event()])
    untouched("a hard link as lock")
    daemon.stop()
    untouched("a hard link as lock")
    os.unlink(at("b.db.lock"))
    for name in ("c.db.control", "listen"):
        os.symlink(victim, at(name))
    ended = run("serve", "--listen", "unix:" + at("listen"), "--database", at("c.db"))
    equal(ended.returncode, 1, ended.stderr)
    untouched("a symbolic link as socket")
    daemon = Daemon(database=at("c.db"))
    poll(lambda: stat.S_ISSOCK(os.lstat(at("c.db.control")).st_mode), "the control socket")
    untouched("a symbolic link as control socket")
    for command in (["backup", at("copy")], ["export", "--output", at("copy")]):
        os.symlink(victim, at("copy"))
        ended = run(*command, "--database", at("c.db"))
        equal(ended.returncode, 1, command)
        untouched(command[0])
        os.unlink(at("copy"))


main()
