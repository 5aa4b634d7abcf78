"""What the manual shows works: every literal block of every page is run, or compared with what comes.

Commands are run by bash as they stand there, against a real daemon with the configuration and the keys of
beacond.conf(5); only ports, and paths that an installation has, are put in their place. In front of what
would go on for ever stands a word of the same name that ends it when it has begun well (SHIMS)."""

import json
import os
import re
import shutil
import subprocess
import time

import certs
import postgres
from harness import BINARY, DATA, PATIENCE, TLS, Daemon, Skip, case, directory, equal, event, main, run
from mdoc import PAGES, TOP, Page, source
from sockets import Socket

SITE = "site_4fb1c9"  # the key of beacond.conf(5) that may send
ELSEWHERE = "postgresql://beacond@db.example.org/beacond"

# What the first line of commands begins with.
COMMANDS = r"(curl|beacond|sqlite3|psql|umask|rm|sudo|echo|cat|cp|mkdir|install|source|for) |url="

# Run with SCRATCH, BINARY and CURL in the environment.
SHIMS = {
    # serve: until it is ready, on a database of its own; tail: one line of it.
    "beacond": """
end() { kill "$pid"; wait "$pid"; }
case $1 in
--help | --version) exec "$BINARY" "$@" ;;
'' | serve | -*)
    export BEACOND_LISTEN=127.0.0.1:0 BEACOND_ADMIN_LISTEN=127.0.0.1:0 BEACOND_DATABASE=$SCRATCH/served.db
    exec 3< <(exec "$BINARY" "$@" 2>&1 <&-)
    pid=$!
    while IFS= read -r line <&3; do
        echo "$line" >&2
        case $line in *' ready') end; exit ;; esac
    done
    exit 1 ;;
tail)
    exec 3< <(exec "$BINARY" "$@")
    pid=$!
    IFS= read -r line <&3 && echo "$line"
    end 2>/dev/null
    exit 0 ;;
*) exec "$BINARY" "$@" ;;
esac
""",
    # A stream: up to its first event.
    "curl": """
case $1 in
-N) exec 3< <(exec "$CURL" -s "$@")
    pid=$!
    while IFS= read -r line <&3; do
        echo "$line"
        case $line in data:*) kill "$pid"; exit 0 ;; esac
    done
    exit 1 ;;
*) exec "$CURL" -s "$@" ;;
esac
""",
    # An error in a file is its end, and told.
    "psql": 'exec "$PSQL" -X -v ON_ERROR_STOP=1 "$@"\n',
    "sudo": 'shift 2; exec "$@"\n',  # -u _beacond
    "chown": 'test "$1" = root:_beacond && test -e "$2"\n',
    # It is not here: at least it is given a copy that nobody has open.
    "litestream": 'test "$1" = replicate && test -s backup.db && test ! -e backup.db-wal\n',
}


def blocks(name):
    """(section, block) of a page, in its order."""
    return [(section.part or section.name, block) for section in Page(name).sections for block in section.blocks()]


def kind(section, block):
    first = block.split("\n")[0]
    if re.match(COMMANDS, first):
        return "shell"
    if first.startswith("# systemctl edit") or first == "[Socket]":
        return "unit"
    if first.startswith('eval "$(beacond completion '):
        return "completion"
    if first.startswith("create role "):
        return "role"
    if first.startswith("select "):
        return "sql"
    if re.match(r"[a-z-]+ = (?!value)|# ", first):
        return "file"
    if re.match(r"\w+:(ingest|query)$", first):
        return "keys"
    if first.startswith("> {"):
        return "dialog"
    if first.startswith("{") and section == "EXAMPLES":
        return "answer"
    if section == "EVENTS":
        return "event"
    if first == "scrape_configs:":
        return "prometheus"
    return "shape"


# What only shows the form of something, and what other tests compare.
SHAPES = {
    "beacond.8": ["FILE: N lines", "copied   41877 new events", "client_max_body_size", "reverse_proxy {",
                  "2026-11-21T10:23:45.123Z info"],
    "beacond.conf.5": ["name = value"],
    "beacond-schema.5": [],
    "beacond-protocol.7": ['{"ok":true,"saved":N', '{"events":[...]', "retry: 2000", '{"total":N',
                           '{"ok":true,"appId"'],
}


class Place:
    """A directory like an installation's, the daemon in it, and the examples of a page."""

    def __init__(self, page):
        if TLS:
            raise Skip("the examples speak plain HTTP")
        for tool in "curl", "sqlite3", "openssl":
            if not shutil.which(tool):
                raise Skip(tool + " is not installed")
        self.scratch, self.page = directory(), page
        self.elsewhere = postgres.database  # what gives the database ELSEWHERE
        self.blocks = blocks(page)
        for folder in "etc/beacond", "run", "backups", "shims", "logs/shop":
            os.makedirs(os.path.join(self.scratch, folder))
        os.symlink(os.path.join(TOP, "sql"), os.path.join(self.scratch, "sql"))
        for name, text in SHIMS.items():
            self.write("shims/" + name, "#!/bin/bash\n" + text)
            os.chmod(os.path.join(self.scratch, "shims", name), 0o755)
        whole = [block for section, block in blocks("beacond.conf.5") if kind(section, block) in ("file", "keys")]
        self.address = self.admin = ""
        self.write("etc/beacond/beacond.conf", self.here(whole[0]))
        self.write("etc/beacond/keys", next(block for block in whole if kind("", block) == "keys"))
        os.chmod(os.path.join(self.scratch, "etc/beacond/keys"), 0o600)
        for mine, theirs in (("cert.pem", "fullchain.pem"), ("key.pem", "privkey.pem")):
            shutil.copy(os.path.join(certs.authority(), mine), os.path.join(self.scratch, "etc/beacond", theirs))
        shutil.copytree(os.path.join(DATA, "dashboard"), os.path.join(self.scratch, "dashboard"))
        log = os.path.join(DATA, "stock-client", "shop-2026_11_20.log")
        shutil.copy(log, os.path.join(self.scratch, "logs", "shop"))
        subprocess.run("gzip -c %s > old.log.gz; cp %s events.ndjson" % (log, log), shell=True, check=True,
                       cwd=self.scratch)

    def start(self):
        self.daemon = Daemon(database=os.path.join(self.scratch, "beacond.db"), admin_listen="127.0.0.1:0",
                             config=os.path.join(self.scratch, "etc/beacond/beacond.conf"))
        self.address = self.daemon.address
        self.admin = re.search(r"listening on (\S+) for admin", "\n".join(self.daemon.log())).group(1)
        return self.daemon

    def write(self, name, text):
        with open(os.path.join(self.scratch, name), "w") as file:
            file.write(text)

    def here(self, text):
        """The text of an example with the paths and ports that there are."""
        there = {"/etc/beacond": "/etc/beacond", "/var/lib/beacond": "", "/run/beacond": "/run", "/tmp": "",
                 "/usr/share/beacond": "", "/var/backups": "/backups", "/var/log/shop": "/logs/shop"}
        text = re.sub("|".join(there), lambda found: self.scratch + there[found.group(0)], text)
        for theirs, ours in ("127.0.0.1:4242", self.address), ("127.0.0.1:9142", self.admin):
            text = text.replace(theirs, ours or theirs)
        return text

    def run(self, command):
        """Runs it by bash, every line must succeed. Returns standard output."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("BEACOND")}
        env["BEACOND_CONFIG"] = ""  # not this machine's, but where --config says otherwise
        env.update(PATH=os.path.join(self.scratch, "shims") + ":" + env["PATH"], SCRATCH=self.scratch, BINARY=BINARY,
                   CURL=shutil.which("curl"), HOME=self.scratch)
        text = self.here(command)
        if ELSEWHERE in text:
            text = text.replace(ELSEWHERE, "'%s'" % self.elsewhere())
            with_server = postgres.environment(postgres.client())
            env = {**env, **{k: v for k, v in with_server.items() if not k.startswith("BEACOND")},
                   "PATH": env["PATH"], "PSQL": postgres.client()}
        done = subprocess.run(["bash", "-c", "set -e -o pipefail\n" + text], cwd=self.scratch, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        print("# " + (command + done.stdout[:2000] + done.stderr[:2000]).rstrip().replace("\n", "\n# ").encode(
            "ascii", "backslashreplace").decode())
        equal(done.returncode, 0, command)
        return done.stdout

    def those(self, *kinds):
        """(kind, block) of these kinds; every block of the page must be of some."""
        found = [(kind(section, block), block) for section, block in self.blocks]
        shapes = [block.split("\n")[0] for what, block in found if what == "shape"]
        known = SHAPES[self.page]
        assert len(shapes) == len(known) and all(s.startswith(k) for s, k in zip(shapes, known)), shapes
        others = {what for what, _ in found} - set(kinds) - {"shape"}
        equal(others, set(), "of a kind that is not tried")
        return [one for one in found if one[0] in kinds]

    def checked(self, text, name):
        self.write(name, self.here(text))
        assert "configuration ok" in self.run("beacond check-config --config " + name + " 2>&1")


def events_of_a_site():
    """Some of everything the examples ask for."""
    now = int(time.time() * 1000)
    made = [event(now - 60000, payload='{"message":"no such item","stack":"at cart.js"}').replace(
        b'"custom"', b'"error"'), event(now + 600000), event(now, payload="{}").replace(b'"custom"', b'"click"')]
    for n, kind_of in enumerate(("session", "navigation", "click")):
        made.append(json.dumps({"timestamp": "2026-11-20T12:00:0%dZ" % n, "type": kind_of, "level": "info",
                                "appId": "shop", "sessionId": "sess_1", "userId": "user_42",
                                "payload": {}}).encode())
    return made + [b'{"type":"click"}']


def has_server():
    try:
        postgres.server()
    except Skip:
        return False
    return True


@case
def the_examples_of_the_daemons_page_work():
    place, said = Place("beacond.8"), []
    daemon = place.start()
    answer = daemon.post(events_of_a_site(), headers={"X-Tracker-Key": SITE}).json()
    equal((answer["saved"], answer["rejected"]), (6, 1))
    reloaded = 0
    remote = b"PostgreSQL: no" not in run("--version").stdout
    server = remote and has_server()
    for what, block in place.those("shell", "file", "unit", "prometheus", "completion", "role"):
        if "postgresql://" in block and not (server if what == "shell" else remote):
            continue
        if what == "file":
            place.checked(block, "proxy.conf")
        elif what == "shell":
            said.append(place.run(block))
            if "kill -HUP" in block:
                daemon.wait_log(r" reloaded: ")
                reloaded += 1
        elif what == "completion":
            place.run(block.replace("fish | source", "fish | grep -c '^complete '"))  # fish is another shell
        elif what == "prometheus" and shutil.which("promtool"):
            place.write("prometheus.yml", block)
            place.run("promtool check config prometheus.yml")
    said = "\n".join(said)
    equal(reloaded, 1)
    equal("compared 6 events of 2 days: equal" in said, server)
    for words in ("120 stored, 0 already there", "events erased", 'erased: user "user_42"', "no timestamp",
                  "complete and looked through", "tally: right", '{"ready":true}', "beacond_events_stored ",
                  "schema: version 1"):
        assert words in said, words
    assert os.path.getsize(os.path.join(place.scratch, "november.ndjson")) > 1000
    with open(os.path.join(place.scratch, "november.csv"), "rb") as file:
        assert file.readline().startswith(b"seq,received,timestamp,")
    equal(daemon.sql("select count(*) from rejects"), [(0,)])
    equal(daemon.sql("select count(*) from event_fields where userId = 'user_42'"), [(0,)])


@case
def a_database_of_postgresql_is_made_as_the_daemons_page_says():
    """README says the same."""
    (block,) = [block for section, block in blocks("beacond.8") if kind(section, block) == "role"]
    assert block.replace("\n", "\n    ").rstrip() in source("README"), block
    files = [block for section, block in blocks("beacond.8") if "database = postgresql://" in block]
    assert len(files) == 2 and files[1].rstrip() in source("README"), files
    server = postgres.Server()
    postgres.psql(server.admin(), "drop role " + postgres.USER)
    postgres.psql(server.admin(), block)
    if b"PostgreSQL: no" in run("--version").stdout:
        return
    daemon = Daemon(database=server.uri("beacond", "beacond"))
    daemon.save([event()])
    equal(daemon.total(), 1)
    daemon.stop()


@case
def the_units_of_the_daemons_page_are_right():
    place = Place("beacond.8")
    if not shutil.which("systemd-analyze"):
        raise Skip("no systemd-analyze")
    version = int(subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True).stdout.split()[1])
    if version < 250:
        raise Skip("systemd before 250")
    units = [block for section, block in place.blocks if kind(section, block) == "unit"]
    equal(len(units), 3)
    for number, block in enumerate(units):
        name = "beacond.socket" if block.startswith("[Socket]") else "beacond.service"
        folder = os.path.join(place.scratch, "units%d" % number)
        os.makedirs(os.path.join(folder, name + ".d"))
        for unit in "beacond.service.in", "beacond.socket":
            text = source("contrib", "systemd", unit).replace("@bindir@/beacond", BINARY)
            place.write(os.path.join(folder, unit.replace(".in", "")), text.replace("@sysconfdir@", "/etc"))
        part, _, rest = block.replace("# systemctl edit beacond\n", "").partition("\n\n")
        place.write(os.path.join(folder, name + ".d", "override.conf"), part + "\n")
        commands = [line[2:] for line in rest.split("\n") if line.startswith("# ")]
        equal(len(commands), rest.count("\n"))
        for command in commands:
            place.run(command)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                               os.path.join(folder, name)], capture_output=True, text=True, timeout=PATIENCE)
        equal((done.returncode, done.stderr), (0, ""), block)
        # What systemd does not know it names and goes on; what it knows is listed in the unit's own words.
        known = source("contrib", "systemd", "beacond.service.in") + source("contrib", "systemd", "beacond.socket")
        for line in part.split("\n")[1:]:
            assert line.split("=")[0] + "=" in known or line.startswith(("SocketGroup=", "SocketMode=")), line


@case
def the_files_of_the_configurations_page_are_right_and_a_daemon_starts_with_each():
    place, count = Place("beacond.conf.5"), 0
    for what, block in place.those("shell", "file", "keys"):
        if what == "file":
            count += 1
            name = "example%d.conf" % count
            place.checked(block, name)
            place.run("beacond serve --config " + name)
        elif what == "shell":
            place.run(block)
    assert count >= 4, "files found"


@case
def the_queries_of_the_schemas_page_work():
    place, said = Place("beacond-schema.5"), ""
    daemon = place.start()
    answer = daemon.post(events_of_a_site(), headers={"X-Tracker-Key": SITE}).json()
    equal((answer["saved"], answer["rejected"]), (6, 1))
    server = b"PostgreSQL: no" not in run("--version").stdout and has_server()
    if server:
        node = Daemon(database=postgres.database())
        node.save(events_of_a_site()[:-1])
        place.elsewhere = lambda: node.database
    for what, block in place.those("shell", "sql"):
        if ELSEWHERE in block and server:
            said += place.run(block)
            assert re.search(r"\n +1 \| .* no such item +\|", said), "no row: " + said
        elif ELSEWHERE in block:
            continue
        elif what == "sql":
            place.write("query.sql", block)
            out = place.run("sqlite3 -readonly -box beacond.db < query.sql")
            assert out.count("\n") >= 5, "no row: " + block
            said += out
        else:
            said += place.run(block)
    for words in ("no such item", "2026-11-20", "navigation", "no timestamp", "click"):
        assert words in said, words
    equal(place.run("sqlite3 mine.db 'select count(*) from clicks'"), "2\n")
    equal(daemon.sql("select value > 0 from meta where name = 'erasures'"), [(1,)])


def wanted(text):
    """A pattern for a message with N for any number."""
    return re.escape(text).replace("N", r"\d+")


@case
def the_examples_of_the_protocols_page_work():
    place, out = Place("beacond-protocol.7"), ""
    daemon, sends, dialogs, said = place.start(), {"X-Tracker-Key": SITE}, 0, ""
    for what, block in place.those("shell", "answer", "event", "dialog"):
        if what == "event":
            equal(daemon.post([block.replace("\n", "").encode()], headers=sends).json()["saved"], 1)
        elif what == "shell":
            last, out = block, place.run(block)
            said += out + "\n"
        elif what == "answer":
            equal(out.strip(), block.strip())
            equal(json.loads(place.run(last))["duplicate"], 1, "the same again")
        else:
            dialogs += 1
            link = Socket(daemon)
            for line in re.sub(r"\n +", "", block).strip().split("\n"):
                if line.startswith("> "):
                    link.send(line[2:].encode())
                else:
                    got = json.dumps(link.json(), separators=(",", ":"))
                    assert re.fullmatch(wanted(line[2:]), got), "%s, not %s" % (got, line[2:])
            link.close()
    equal(dialogs, 1)
    answers = [json.loads(line) for line in said.split("\n") if line.startswith("{")]
    pages = [answer for answer in answers if "page" in answer]
    equal([(a["page"], len(a["events"]), a["limit"]) for a in pages[:1]], [(2, 2, 2)])
    equal(pages[1]["events"], [])
    for member in "duplicate", "steps", "reasons":
        assert any(member in answer for answer in answers), member
    equal([a for a in answers if "reasons" in a][0]["reasons"], [["no timestamp", 1]])
    assert "\ndata: {" in said and said.count("retry: ") == 1
    assert any(b'"n":19.90' in text for text, in daemon.sql("select event from events"))


@case
def every_page_has_examples():
    equal(sorted(os.listdir(os.path.join(TOP, "man"))), sorted(PAGES))
    for name in PAGES:
        found = [block for section, block in blocks(name) if section == "EXAMPLES"]
        assert len(found) >= 4, name


main(of_files=True)
