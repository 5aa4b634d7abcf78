"""The manual says what is there, all of it and nothing else: schema, routes, statuses, close codes,
reasons, members of answers, commands, flags, exit codes, and where one page refers to another.

Options are compared by tests/scripts/manual-options.sh, metrics by metrics.py; manual_examples.py runs
what the pages show."""

import errno
import glob
import http.client
import json
import os
import re
import signal
import socket

import postgres
from harness import (DATA, Daemon, Rows, Skip, begin, case, directory, equal, event, finish, main, poll, run,
                     sql)
from mdoc import PAGES, TOP, Page, literal, routes, source
from sockets import Socket

SCHEMA, PROTOCOL, DAEMON = Page("beacond-schema.5"), Page("beacond-protocol.7"), Page("beacond.8")


def names(items):
    """Every name that the heads of these items list: `Li events , bytes` has two."""
    return [word for item in items for word in item.words().replace(" , ", " ").split()]


# --- the schema ---------------------------------------------------------------------------------

def made():
    """A new database in which something was rejected; its path."""
    daemon = Daemon()
    daemon.save([event()])
    daemon.post([b"{}"])
    daemon.stop()
    return daemon.database


def rows_of(path, statement):
    return [tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in sql(path, statement)]


@case
def the_schema_page_has_every_table_column_index_and_view_and_no_other():
    path, rows = made(), Rows()
    objects = rows_of(path, "select type, name from sqlite_master where name not like 'sqlite_autoindex%'")
    tables, views = SCHEMA.parts("TABLES"), SCHEMA.parts("THE VIEW")
    equal({part.part for part in tables}, {name for kind, name in objects if kind == "table"}, "tables")
    equal({part.part for part in views}, {name for kind, name in objects if kind == "view"}, "views")
    for part in tables + views:
        with rows(part.part):
            there = rows_of(path, "select name, type from pragma_table_info('%s')" % part.part)
            if part in views or part.part.startswith("sqlite_"):
                there = [(name, "") for name, _ in there]
            told = [tuple(item.words().split()) for item in part.lists()[0]]
            equal([one + ("",) * (2 - len(one)) for one in told], there, "columns")
    rows.check()
    equal({kind for kind, _ in objects}, {"table", "index", "view"})
    told = {}
    for part in tables:
        for item in [item for items in part.lists()[1:] for item in items if "(" in item.head]:
            name, inside = re.match(r"(\w+) \((.*)$", item.words()).groups()
            told[name] = (part.part, inside)
    there = {}
    for name, table in rows_of(path, "select name, tbl_name from sqlite_master where type = 'index' and "
                                     "name not like 'sqlite_autoindex%'"):
        columns = ", ".join(c for c, in rows_of(path, "select name from pragma_index_info('%s')" % name))
        unique, partial = rows_of(path, "select \"unique\", partial from pragma_index_list('%s') where name = '%s'" %
                                  (table, name))[0]
        there[name] = (table, columns + ")" + (", unique" if unique else "") + (", where given" if partial else ""))
    equal(told, there, "indexes")


@case
def the_schema_page_has_every_value_of_meta_and_the_pragmas_as_they_are():
    path = made()
    values = SCHEMA.section("meta").lists()[1]
    equal(set(names(values)), {name for name, in rows_of(path, "select name from meta")})
    pragmas = SCHEMA.section("The file").lists()[0]
    for item in pragmas:
        (value,), = rows_of(path, "pragma " + item.words())
        value = "0x%08x" % value if item.words() == "application_id" else str(value)
        assert value in re.split(r"[\s,.:]+", item.body), "%s is %s, not %r" % (item.words(), value, item.body)
    equal(len(pragmas), 6)
    (version,), = rows_of(path, "pragma user_version")
    assert "This is schema %d," % version in SCHEMA.text
    equal(len(glob.glob(os.path.join(TOP, "sql", "[0-9]*.sql"))), version)


@case
def the_receipts_are_of_the_version_that_is_told():
    (version,), = rows_of(made(), "select distinct hex(substr(receipts, 1, 1)) from receipts")
    assert "version of what follows, %d " % int(version, 16) in SCHEMA.section("receipts").text


@case
def psql_explains_every_table_column_and_view_of_postgresql():
    """Views of activity explain what they add to it."""
    if b"PostgreSQL: no" in run("--version").stdout:
        raise Skip("built without PostgreSQL")
    daemon = Daemon(database=postgres.database())
    mute = rows_of(daemon.database, """
        select relname || '.' || attname from pg_class join pg_attribute on attrelid = pg_class.oid
         where relnamespace = 'beacond'::regnamespace and attnum > 0 and not attisdropped and not relispartition
           and (relkind in ('r', 'p') or relname in ('event_fields', 'activity'))
           and col_description(pg_class.oid, attnum) is null
        union all select relname from pg_class
         where relnamespace = 'beacond'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
           and obj_description(oid, 'pg_class') is null""")
    equal(mute, [])
    equal(daemon.sql("select count(*) from pg_description where objoid = 'beacond.requests'::regclass"), [(4,)])


# --- routes -------------------------------------------------------------------------------------

@case
def the_routes_of_the_manual_are_those_of_the_source():
    text = source("src", "server", "route.c")
    tables = dict(re.findall(r"struct route_path (\w+)\[\] = \{(.*?)\n\};", text, re.S))
    there = {"/_tracker" + path for path in re.findall(r'\{"(.*?)", ROUTE', tables["route_under_prefix"])}
    there |= set(re.findall(r'\{"(.*?)", ROUTE', tables["route_fixed"]))
    there |= {"/_tracker/k/KEY/events", "/_dashboard", "/_dashboard/"}  # what the tables don't hold
    equal({path for path, _, _ in routes()}, there)


@case
def a_daemon_answers_each_route_as_the_manual_says():
    daemon = Daemon(key=["KEY:ingest", "mine_1:query"], admin_listen="127.0.0.1:0",
                    dashboard=os.path.join(DATA, "dashboard"))
    admin = re.search(r"listening on (\S+) for admin", daemon.wait_log(" for admin$")).group(1)
    rows, methods = Rows(), {}
    for path, some, _ in routes():
        methods.setdefault(path, set()).update(some)
    open_there = PROTOCOL.section("ROUTES").text.split(".Fl -admin-listen\nthere are", 1)[1].split(".Pp")[0]
    for path, some, entry in routes():
        with rows(path):
            allow = set(daemon.request("OPTIONS", path).header("Allow").split(", "))
            equal(allow, methods[path] | {"OPTIONS"}, "Allow")
            needs = "Needs a key" in entry or "key in the path" in entry
            assert needs or "eeds no key" in entry or "eed no key" in entry or "Keys come" in entry, "a key?"
            for method in some:
                body = b'{"events":[]}' if method == "POST" else None
                status = daemon.request(method, path.replace("KEY", "wrong"), body=body).status
                assert status in (405, 404) or (status == 401) == needs, "%s: %d" % (method, status)
                if "query scope" in entry and "password" not in entry:
                    equal(daemon.request("HEAD", path, {"X-Tracker-Key": "mine_1"}).status, 200)
            if "POST" not in some and "dashboard" not in path:
                kept = daemon.request("OPTIONS", path, address=admin).status == 204
                listed = path in re.findall(r"[^\s,]+", open_there) or (path.endswith(("ping", "health")) and
                                                                     "the pings" in open_there)
                equal(kept, listed, "on admin-listen")
    rows.check()
    equal(daemon.request("GET", "/_tracker/nowhere").status, 404)


# --- statuses, codes, words -----------------------------------------------------------------------

def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


@case
def the_statuses_of_the_manual_are_those_that_the_source_sends():
    sent = set()
    for path in glob.glob(os.path.join(TOP, "src", "server", "*.c")):
        if os.path.basename(path) == "counters.c":
            continue  # names of statuses, sent or not
        for line in without_comments(source(path)).split("\n"):
            if not line.startswith("#"):
                line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
                sent |= {int(n) for n in re.findall(r"(?<![\w.])[1-5]\d\d(?!\w)", line)} & set(http.client.responses)
    told = [int(item.words()) for item in PROTOCOL.section("STATUSES").lists()[0]]
    equal(told, sorted(set(told)), "in order, and once")
    equal(set(told), sent)


@case
def the_close_codes_of_the_manual_are_those_that_the_source_sends():
    codes = dict(re.findall(r"(FRAMES_\w+) = (1\d\d\d)", source("src", "contract", "frames.h")))
    used = set()
    for path in glob.glob(os.path.join(TOP, "src", "[cs]*", "*.c")):
        used |= set(re.findall(r"\bFRAMES_[A-Z_]+\b", without_comments(source(path))))
    used -= {"FRAMES_NO_CODE"}  # that none came
    told = [item.words() for item in PROTOCOL.section("Frames").lists()[0]]
    equal(told, sorted(set(told)))
    equal(set(told), {codes[name] for name in used if name in codes})


@case
def the_reasons_of_rejects_are_those_of_the_source():
    body = re.search(r"\nconst char \*batch_reason_text\(.*?\n\}", source("src", "contract", "batch.c"), re.S).group(0)
    reasons = set(re.findall(r'"(.*?)"', body)) - {"unknown"}
    equal({item.words() for item in PROTOCOL.section("Rejects").lists()[0]}, reasons)


# --- what is answered -----------------------------------------------------------------------------

@case
def the_members_of_the_figures_are_those_that_are_sent():
    daemon = Daemon()
    daemon.save([event(n=n) for n in range(3)])
    daemon.post([b"{}"])
    answer = daemon.get("/_tracker/stats?values=3").json()
    parameters, members = PROTOCOL.section("The events of a window").lists()
    equal(set(names(members)), set(answer))
    equal(set(names(parameters)), {"since", "until", "step", "values"})
    text = "".join(item.body for item in members)
    for name in ("database", "cache", "values"):
        for inner in answer[name]:
            assert re.search(r"^\.Li .*\b%s\b" % inner, text, re.M), "%s of %s" % (inner, name)
    rejects = daemon.get("/_tracker/rejects").json()
    shape = re.sub(r"\bN\b", "1", PROTOCOL.section("What could not be stored").blocks()[0]).replace(",...", "")
    shape = json.loads(shape)
    equal(set(shape), set(rejects))
    equal(set(shape["rejects"][0]), set(rejects["rejects"][0]))
    shape = json.loads(re.sub(r"\b[NPL]\b", "1", PROTOCOL.section("READING EVENTS").blocks()[0]).replace("...", "", 1))
    equal(set(shape), set(daemon.read("limit=1")))
    equal(set(json.loads(re.sub(r"\b[NRD]\b", "1", PROTOCOL.section("SENDING EVENTS").blocks()[0]))),
          set(daemon.post([event()]).json()))
    equal(set(json.loads(PROTOCOL.section("PING AND PROBES").blocks()[0])), set(daemon.get("/health").json()))
    done = run("stats", "--json", "--database", daemon.database)
    equal(set(names(DAEMON.section("stats").lists()[0])), set(json.loads(done.stdout)))


@case
def every_header_of_an_answer_is_in_the_manual():
    daemon, seen = Daemon(key=["k:ingest,query"], dashboard=os.path.join(DATA, "dashboard")), set()
    key = {"X-Tracker-Key": "k", "Origin": "http://localhost:1"}
    gzip = dict(key, **{"Accept-Encoding": "gzip"})
    daemon.save([event()], headers=key)
    for method, path, headers, body in (
            ("GET", "/_tracker", gzip, None), ("POST", "/_tracker/events", key, b"{}"), ("GET", "/", gzip, None),
            ("HEAD", "/_tracker/tail", key, None), ("GET", "/metrics", key, None), ("GET", "/_tracker/ws", key, None),
            ("PUT", "/_tracker", key, b""), ("GET", "/_dashboard", {}, None), ("GET", "/_dashboard/", {}, None),
            ("OPTIONS", "/_tracker", dict(key, **{"Access-Control-Request-Method": "GET"}), None)):
        seen |= {name for name, _ in daemon.request(method, path, headers, body).headers}
    text = PROTOCOL.text + DAEMON.section("What is sent").text + DAEMON.section("Who may").text
    usual = {"date", "content-length", "transfer-encoding", "connection"}  # of HTTP itself
    missing = {name for name in seen if name.lower() not in usual and name.lower() not in text.lower()}
    equal(missing, set())


@case
def the_messages_of_the_manual_are_those_of_the_source():
    told = set(re.findall(r'"type":"([a-z_:]+)"', PROTOCOL.section("WEBSOCKET").text + PROTOCOL.section("Pushes").text))
    there = set(re.findall(r'scan_field_is\(m->text, type, "([a-z:]+)"\)', source("src", "contract", "dialog.c")))
    for path in glob.glob(os.path.join(TOP, "src", "*", "*.[ch]")):
        there |= set(re.findall(r'\\"type\\":\\"([a-z_:]+)\\"', source(path)))
        there |= set(re.findall(r'message_open\(\w+, "([a-z_:]+)"', source(path)))
    equal(told, there)


# --- options (the rest is manual-options.sh's) -----------------------------------------------------

@case
def each_option_has_the_range_or_the_words_that_are_told():
    absurd, rows, seen = {"number": "9999999999999", "size": "99999999G", "duration": "99999d"}, Rows(), 0
    for section in Page("beacond.conf.5").sections:
        for item in [item for items in section.lists() for item in items if item.head.startswith("Ic ")]:
            name, kind = re.match(r"(\S+) = (.*)", item.words()).groups()
            if kind not in absurd and " | " not in kind or kind == "yes | no":
                continue
            seen += 1
            said = run("check-config", "--%s=%s" % (name, absurd.get(kind, "absurd"))).stderr.decode()
            expected = re.search(r"expected (.*), got", said)
            with rows(name):
                assert expected, said
                if kind in absurd:
                    least, most, small = re.search(r"(?:([0-9]+\w*)|\bup) to ([0-9]+\w*)(?: \((\w+) on a 32-bit)?",
                                                   item.body.replace("\n", " ")).groups()
                    least = {None: "0", "0s": "0ms"}.get(least, least)
                    assert expected.group(1) in ("%s to %s" % (least, end) for end in (most, small)), expected.group(1)
                else:
                    equal(expected.group(1).replace(" or ", ", ").split(", "), kind.split(" | "))
    rows.check()
    assert seen > 30, "options looked at"


@case
def each_flag_takes_what_is_told():
    takes = re.findall(r"^  --([a-z-]+)(?: (\w+))?", run("--help").stdout.decode(), re.M)
    told = dict(re.match(r"-([a-z-]+)(?: .*?([a-z]+))?", item.words()).groups() for item in
                DAEMON.section("Options").lists()[0])
    equal({name: word.lower() for name, word in takes}, {name: word or "" for name, word in told.items()})


@case
def the_table_of_sizes_has_the_defaults():
    text = run("--help").stdout.decode()
    rows = [item.head.split(" Ta ") for item in PROTOCOL.section("Sizes").lists()[0][1:]]
    assert len(rows) >= 7
    for name, _, default in rows:
        there = re.search(r"^  -%s .*\n.*\(default (.*)\)$" % name.replace("Fl ", ""), text, re.M).group(1)
        equal(re.sub("([KM])$", r" \1iB", there), default, name)


# --- commands -------------------------------------------------------------------------------------

def flags_of(text):
    return set(re.findall(r"^  --([a-z-]+)", text, re.M))


@case
def every_command_is_in_the_manual_and_every_flag_of_each():
    text, rows = run("--help").stdout.decode(), Rows()
    commands = re.findall(r"^  ([a-z-]+) ", text.split("\nCommands:\n")[1].split("\n\n")[0], re.M)
    equal([part.part for part in DAEMON.parts("COMMANDS")], commands, "sections, in the order of --help")
    equal(names(DAEMON.section("DESCRIPTION").lists()[0]), commands, "in DESCRIPTION")
    options = flags_of(text)
    for command in commands[1:]:
        with rows(command):
            taken = flags_of(run(command, "--help").stdout.decode())
            told = set()
            for line in DAEMON.section(command).text.split("\n"):
                if line.startswith((".It Fl", ".Op", ".Fl", ".Cm")):
                    told |= set(re.findall(r"(?:Fl |, )-([a-z][a-z-]*)", line))
            equal(taken - options - told, set(), "not in the manual")
            equal(told - options - taken, set(), "not there")
    rows.check()


@case
def every_exit_status_is_in_the_manual_and_commands_end_with_it():
    text = source("src", "commands", "commands.h")
    codes = {int(n) for n in re.findall(r"COMMAND_\w+ = (\d+)", text)}
    equal([int(item.words()) for item in DAEMON.section("EXIT STATUS").lists()[0]], sorted(codes))
    place, seen = directory(), {}
    taken = socket.create_server(("127.0.0.1", 0))
    seen[0] = run("check-config").returncode
    seen[1] = run("serve", "--listen", "127.0.0.1:%d" % taken.getsockname()[1], cwd=place).returncode
    taken.close()
    seen[2] = run("serve", "--no-such-flag").returncode
    seen[78] = run("serve", "--max-body", "much").returncode
    process = begin("tail", "--last", "1", "--database", made())
    equal(json.loads(process.stdout.readline())["type"], "custom")
    process.send_signal(signal.SIGINT)
    seen[130] = finish(process)[0]
    equal(seen, {code: code for code in codes})


@case
def the_lines_that_ask_for_attention_are_those_that_are_logged():
    text = "".join(without_comments(source(path)) for path in glob.glob(os.path.join(TOP, "src", "**", "*.c"),
                                                                       recursive=True))
    text, rows, seen = re.sub(r'"\s*(?:PRI\w+\s*)?"', "", text), Rows(), 0
    for item in [item for items in DAEMON.section("DIAGNOSTICS").lists() for item in items]:
        # Between what stands for a value.
        for words in re.split(r"\.\.\.| Ar \S+|\bNo\b|: *$", literal(item.head)):
            words = words.strip(" :();,.")
            if len(words) > 8:
                seen += 1
                with rows(item.head):
                    assert words in text or words == os.strerror(errno.EACCES), words
    rows.check()
    assert seen > 20, seen


# --- the pages themselves --------------------------------------------------------------------------

@case
def what_a_page_refers_to_is_there():
    pages, rows = {name: Page(name) for name in PAGES}, Rows()
    for name, page in pages.items():
        # As it happens when a merge brings back what has moved to another page.
        with rows(name + ": a section twice"):
            equal(sorted(set(page.titles())), sorted(page.titles()))
        for title in re.findall(r"\bSx (.+?)(?: [,.;:)]+)*$", page.text, re.M):
            with rows("%s: Sx %s" % (name, title)):
                assert title in page.titles()
        flat = re.sub(r"\n\.?", " ", page.text)
        for words, to, chapter in re.findall(r"(.{0,60}) in Xr (beacond\S*) (\d)", flat):
            with rows("%s: …%s in %s(%s)" % (name, words, to, chapter)):
                there = any(words.endswith(" " + title) for title in pages["%s.%s" % (to, chapter)].titles())
                assert there or not re.search(r"\b[sS]ee\b[^.]*$|[A-Z]{3}$", words)
        for to, chapter in re.findall(r"\bXr (beacond\S*) (\d)", page.text):
            with rows("%s: %s(%s)" % (name, to, chapter)):
                assert "%s.%s" % (to, chapter) in pages
        others = {"%s.%s" % found for found in re.findall(r"^\.Xr (beacond\S*) (\d)",
                                                         page.section("SEE ALSO").text, re.M)}
        with rows("%s: SEE ALSO" % name):
            equal(others, set(PAGES) - {name})
    rows.check()


@case
def what_else_refers_to_a_section_of_a_page_is_right():
    rows, count, pages = Rows(), 0, {name: Page(name) for name in PAGES}
    files = [os.path.join(folder, name) for top in ("src", "contrib", "sql") for folder, _, found in
             os.walk(os.path.join(TOP, top)) for name in found if not name.endswith(".png")]
    for path in files + [os.path.join(TOP, name) for name in ("README", "NEWS", "HACKING")]:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = re.sub(r"\s*\n\W*", " ", file.read())
        for page, chapter, title in re.findall(r"\b(beacond[a-z.-]*)\((\d)\)(?:, ([A-Z]{2}[A-Z -]*[A-Z]))?", text):
            count += 1
            with rows("%s: %s(%s), %s" % (os.path.relpath(path, TOP), page, chapter, title)):
                assert not title or title in pages["%s.%s" % (page, chapter)].titles()
    rows.check()
    assert count > 10, "nothing looked at"


main()
