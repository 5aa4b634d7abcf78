"""The plugin's dashboard, served from a directory: dashboard, dashboard-route, dashboard-auth."""

import base64
import gzip
import itertools
import os
import socket
import threading

from harness import (DATA, NOW, Daemon, Rows, Skip, case, directory, equal, event, finish, begin, main, run, scale)

LONG = os.environ.get("BEACOND_TEST_LONG") == "1"
SECRET = b"next to the directory and none of your business"
BUILD = os.path.join(DATA, "dashboard")
PAGE = b"<!doctype html><title>dashboard</title>" + b"<p>of the plugin</p>" * 50
TEXT = b"export const answer = 42;\n" * 400
BINARY = bytes(range(256)) * 40

# Name, content, Content-Type, whether it is compressed, Cache-Control.
KEPT, LASTING = "private, no-cache", "private, max-age=31536000, immutable"
FILES = [
    ("index.html", PAGE, "text/html; charset=utf-8", True, KEPT),
    ("favicon.ico", BINARY, "image/vnd.microsoft.icon", True, KEPT),
    ("robots.txt", b"User-agent: *\nDisallow: /\n", "text/plain; charset=utf-8", False, KEPT),
    ("site.webmanifest", b"{}", "application/manifest+json", False, KEPT),
    ("assets/index.js", TEXT, "text/javascript; charset=utf-8", True, KEPT),
    ("assets/index.css", b"p { color: red }\n" * 90, "text/css; charset=utf-8", True, KEPT),
    ("assets/chart-B7kQz_3x.js", TEXT + b"//", "text/javascript; charset=utf-8", True, LASTING),
    ("assets/chart-B7kQz_3x.js.map", b'{"version":3}' * 80, "application/json", True, LASTING),
    ("assets/old-4a5b6c7d.css", b"a{}", "text/css; charset=utf-8", False, LASTING),
    ("assets/page-settings.mjs", b"1", "text/javascript; charset=utf-8", False, KEPT),
    ("assets/a.wasm", b"\0asm" * 200, "application/wasm", True, KEPT),
    ("img/logo.svg", b"<svg/>" * 200, "image/svg+xml", True, KEPT),
    ("img/photo.png", BINARY, "image/png", False, KEPT),
    ("img/PHOTO.JPG", BINARY, "image/jpeg", False, KEPT),
    ("img/a.webp", BINARY, "image/webp", False, KEPT),
    ("fonts/a.woff2", BINARY, "font/woff2", False, KEPT),
    ("fonts/a.woff", BINARY, "font/woff", False, KEPT),
    ("fonts/a.ttf", BINARY, "font/ttf", True, KEPT),
    ("data.json", b'{"a":1}', "application/json", False, KEPT),
    ("empty.txt", b"", "text/plain; charset=utf-8", False, KEPT),
    ("LICENSE", b"none", "application/octet-stream", False, KEPT),
    ("what.unknown", b"?" * 4000, "application/octet-stream", True, KEPT),
    ("odd name+\u00fc%41.txt", b"odd", "text/plain; charset=utf-8", False, KEPT),
    ("sub/index.html", b"<p>sub</p>", "text/html; charset=utf-8", False, KEPT),
]
HIDDEN = [".env", ".git/config", "assets/.DS_Store", "..hidden", ".well-known/x.txt"]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def site(files=FILES):
    """A directory site, with secrets beside and hidden in it."""
    top = directory()
    path = os.path.join(top, "site")
    for name, content, *_ in files:
        write(os.path.join(path, name), content)
    for name in HIDDEN:
        write(os.path.join(path, name), SECRET)
    for name in ("secret", "index.html", "secret.html", "site-other/index.html", "etc/passwd"):
        write(os.path.join(top, name), SECRET)
    return path


def quoted(name):
    return "".join(chr(b) if b < 128 and (chr(b).isalnum() or chr(b) in "/._-") else "%%%02x" % b for b in name.encode())


def basic(key, user="anyone"):
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, key)).encode()).decode()}


GUARDS = {
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'self'; object-src 'none'",
    "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def guarded(answer):
    """What every answer of the route says."""
    for name, value in GUARDS.items():
        equal(answer.all(name), [value], name)
    for name, _ in answer.headers:
        assert not name.lower().startswith("access-control-"), name


@case
def each_file_comes_with_its_type_its_tag_and_how_long_it_may_be_kept():
    daemon, rows = Daemon(dashboard=site()), Rows()
    daemon.wait_log(r"info  dashboard: %d files, %d bytes, from \S+/site at /_dashboard/$"
                    % (len(FILES), sum(len(content) for _, content, *_ in FILES)))
    connection = daemon.connection()
    for name, content, kind, packs, cache in FILES:
        with rows(name):
            target = "/_dashboard/" + quoted(name)
            tags = set()
            for coding in (None, "gzip", "identity", "br", "br, gzip;q=0.5", "gzip;q=0", "*"):
                headers = {"Accept-Encoding": coding} if coding else {}
                answer = connection.request("GET", target, headers)
                equal(answer.status, 200)
                guarded(answer)
                packed = packs and coding in ("gzip", "br, gzip;q=0.5", "*")
                equal(answer.header("Content-Encoding"), "gzip" if packed else None, str(coding))
                equal(gzip.decompress(answer.body) if packed else answer.body, content, "content")
                equal(answer.header("Content-Length"), str(len(answer.body)), "length")
                assert not packed or len(answer.body) < len(content)
                equal(answer.header("Content-Type"), kind)
                equal(answer.header("Cache-Control"), cache)
                assert "accept-encoding" in answer.vary(), answer.vary()
                tag = answer.header("ETag")
                assert tag.startswith('"') and tag.endswith('"'), tag
                tags.add((tag, packed))

                head = connection.request("HEAD", target, headers)
                equal((head.status, head.body), (200, b""))
                for told in ("Content-Length", "Content-Type", "ETag", "Content-Encoding", "Cache-Control", "Vary"):
                    equal(head.all(told), answer.all(told), "HEAD, " + told)

                for method, known in itertools.product(("GET", "HEAD"), (tag, '"x", W/' + tag, "*")):
                    same = connection.request(method, target, dict(headers, **{"If-None-Match": known}))
                    equal((same.status, same.body, same.header("ETag")), (304, b"", tag), known)
                    equal((same.all("Content-Type"), same.all("Content-Encoding")), ([], []))
                    equal((same.header("Cache-Control"), same.vary()), (cache, answer.vary()))
                    guarded(same)
                equal(connection.request("GET", target, dict(headers, **{"If-None-Match": '"x"'})).status, 200)
            equal(len(tags), 2 if packs else 1, "a tag for each form")
            equal(len({tag for tag, _ in tags}), len(tags), "a tag for each form")
    rows.check()


@case
def a_tag_is_of_the_content_alone():
    path = site()
    tags = [Daemon(dashboard=path).get("/_dashboard/assets/index.js").header("ETag") for _ in range(2)]
    equal(tags[0], tags[1])
    write(os.path.join(path, "assets/index.js"), TEXT + b" ")
    assert Daemon(dashboard=path).get("/_dashboard/assets/index.js").header("ETag") != tags[0]


@case
def a_daemon_serves_what_it_has_read_at_its_start():
    path = site()
    daemon = Daemon(dashboard=path)
    write(os.path.join(path, "index.html"), SECRET)
    write(os.path.join(path, "new.txt"), SECRET)
    os.unlink(os.path.join(path, "assets/index.js"))
    equal(daemon.get("/_dashboard/").body, PAGE)
    equal(daemon.get("/_dashboard/assets/index.js").body, TEXT)
    equal(daemon.get("/_dashboard/new.txt").status, 404)


# Path below the route, Accept, and what is found: a file's name, or None for 404.
PATHS = [
    ("/", None, "index.html"), ("/", BROWSER, "index.html"), ("/", "application/json", "index.html"),
    ("/?x=y", None, "index.html"), ("/index.html", None, "index.html"), ("/index.html?v=1", None, "index.html"),
    ("/events", BROWSER, "index.html"), ("/events/7", BROWSER, "index.html"), ("/a/b/c", BROWSER, "index.html"),
    ("/events?tab=a.b", BROWSER, "index.html"), ("/assets", BROWSER, "index.html"), ("/sub", BROWSER, "index.html"),
    ("/caf%C3%A9", BROWSER, "index.html"), ("/a.b/c", BROWSER, "index.html"), ("/events/", BROWSER, "index.html"),
    ("/events", "text/html", "index.html"), ("/events", "text/html;q=0, */*", None), ("/events", "*/*", None),
    ("/events", None, None), ("/events", "application/json", None), ("/events/", None, None), ("/assets", "*/*", None),
    ("/missing.js", BROWSER, None), ("/assets/missing-B7kQz_3x.js", BROWSER, None), ("/a.b", BROWSER, None),
    ("/assets/index.js.map", BROWSER, None), ("/favicon.png", "image/avif,*/*", None),
    ("/sub/", None, "sub/index.html"), ("/sub/", BROWSER, "sub/index.html"), ("/sub/index.html", None, "sub/index.html"),
    ("/assets/", None, None), ("/assets/", BROWSER, "index.html"), ("/LICENSE", BROWSER, "LICENSE"),
    ("/license", BROWSER, "index.html"), ("/INDEX.HTML", BROWSER, None), ("/Assets/index.js", BROWSER, None),
    ("/%69ndex.html", None, "index.html"), ("/assets/%69ndex.js", None, "assets/index.js"),
    ("/index.html/", BROWSER, "index.html"), ("/index.html/x", "*/*", None), ("/assets/index.js/", None, None),
]


@case
def a_path_of_the_pages_own_gets_the_page_and_a_missing_file_does_not():
    daemon, rows = Daemon(dashboard=site()), Rows()
    contents = {name: content for name, content, *_ in FILES}
    for path, accept, name in PATHS:
        for method in ("GET", "HEAD"):
            with rows("%s %s, Accept %s" % (method, path, accept)):
                answer = daemon.request(method, "/_dashboard" + path, {"Accept": accept} if accept else {})
                equal(answer.status, 200 if name else 404)
                guarded(answer)
                if name is None:
                    equal(answer.header("Cache-Control"), "no-store")
                if method == "HEAD":
                    equal(answer.body, b"")
                elif name:
                    equal(answer.body, contents[name])
                    equal(answer.header("Cache-Control"), KEPT)
                    assert name != "index.html" or "accept" in answer.vary()
                else:
                    answer.error()
    rows.check()


@case
def the_route_itself_leads_to_where_relative_urls_begin():
    for route in ("/_dashboard", "/a/b:c", "/_tracker/watch"):
        daemon = Daemon(dashboard=site(), dashboard_route=route, key=["tk:query"])
        for query in ("", "?a=b&c"):
            for method in ("GET", "HEAD"):
                # Without a password: to ask here would spread it over all that stands beside.
                answer = daemon.request(method, route + query)
                equal((answer.status, answer.body), (301, b""))
                equal(answer.header("Location"), "./%s/%s" % (route.rsplit("/", 1)[1], query))
                equal(answer.header("WWW-Authenticate"), None)
                guarded(answer)
        equal(daemon.request("GET", route + "/", basic("tk")).body, PAGE)
        equal(daemon.request("GET", route + "s/", basic("tk")).status, 404)
        equal(daemon.request("GET", route + "/assets/index.js", basic("tk")).body, TEXT)
        if route != "/_dashboard":
            equal(daemon.request("GET", "/_dashboard/", basic("tk")).status, 404)
        equal(daemon.get("/health").status, 200)


@case
def without_the_option_there_is_no_dashboard():
    daemon = Daemon()
    for path in ("/_dashboard", "/_dashboard/", "/_dashboard/index.html"):
        equal(daemon.get(path, Accept=BROWSER).status, 404)


@case
def other_methods_are_refused():
    daemon = Daemon(dashboard=site(), key="tk")
    for path in ("/_dashboard", "/_dashboard/", "/_dashboard/nowhere.js"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = daemon.request(method, path, basic("tk"), b"" if method[0] == "P" else None)
            equal((answer.status, answer.header("Allow")), (405, "GET, HEAD, OPTIONS"), method)


# --- no way out ---------------------------------------------------------------------------------

UP = ["..", "%2e%2e", "%2E%2e", ".%2e", "%2e.", "%252e%252e", "..%00", "..;", "...", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae",
      "%f0%80%80%ae.", "..%01", "%uff0e%uff0e", "\xc0\xae\xc0\xae", "%2e%2e%20", "..%09", "assets/..", "assets/%2e%2e/..", "."]
SLASHES = ["/", "%2f", "%2F", "\\", "%5c", "%5C", "//", "/./", "%252f", "%c0%af", "%e0%80%af", "\xc0\xaf", ";/", "%00/", "/%00"]
GOALS = ["secret", "secret.html", "secret.html%00.js", "index.html", "etc/passwd", "site-other/index.html", ".env",
         ".git/config", "site/.env"]


def tricks():
    for up, slash in itertools.product(UP, SLASHES):
        for depth in (1, 2):
            for goal in GOALS:
                yield "/_dashboard/" + (up + slash) * depth + goal
                yield "/_dashboard" + slash + (up + slash) * depth + goal
    for name in HIDDEN:
        for spelled in (name, name.replace(".", "%2e"), name.replace("/", "%2f"), "assets/../" + name, "./" + name,
                        name + "%00", name + "%00.html", name.upper(), "/" + name, name + "/"):
            yield "/_dashboard/" + spelled
    for path in ("/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "~/secret", "C:\\secret", "%5c%5chost%5csecret",
                 "..%2f" * 12 + "etc/passwd", "../" * 12 + "etc/passwd", "index.html/../../secret", "sub/../../secret",
                 "/" * 900 + "secret", "a/" * 400 + "../" * 401 + "secret", "%", "%2", "%zz", "%00"):
        yield "/_dashboard/" + path
        yield "/_dashboard" + path
        yield path


@case
def no_spelling_of_a_path_leads_out_of_the_directory():
    top = site()
    daemon, count, page = Daemon(dashboard=top), 0, 0
    wire = daemon.wire()
    for target in itertools.islice(tricks(), 0, None, 1 if LONG else scale(7, 61)):
        for accept in ("*/*", BROWSER) if count % 5 == 0 else ("*/*",):
            count += 1
            wire.send(("GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\n\r\n" % (target, accept)).encode("latin-1"))
            answer = wire.response()
            assert SECRET not in answer.body, "the secret, by %r" % target
            assert b"root:" not in answer.body, "a file of the system, by %r" % target
            # Some of these name the page itself, spelled as a browser never would.
            assert answer.status in (400, 404) or (answer.status == 200 and answer.body == PAGE), \
                "%r: %r" % (target, answer)
            page += answer.status == 200
            if answer.header("Connection") == "close":
                wire.close()
                wire = daemon.wire()
    wire.close()
    assert page * 10 < count, "%d of %d got the page" % (page, count)
    # It is there, and can be read by who runs the daemon.
    with open(os.path.join(top, "../secret"), "rb") as file:
        equal(file.read(), SECRET)


@case
def links_within_are_followed_and_those_that_lead_out_are_refused():
    path = site()
    os.symlink("assets", os.path.join(path, "static"))
    os.symlink("../LICENSE", os.path.join(path, "img/terms.txt"))
    os.symlink(path, os.path.join(path, "../current"))
    daemon = Daemon(dashboard=os.path.join(path, "../current"))
    equal(daemon.get("/_dashboard/static/index.js").body, TEXT)
    equal(daemon.get("/_dashboard/img/terms.txt").body, b"none")
    for name, target in (("out.txt", "../secret"), ("out", ".."), ("out.css", "/etc/passwd"), ("other", "../site-other")):
        link = os.path.join(path, name)
        os.symlink(target, link)
        refused(path, "dashboard: %s: is a symbolic link that leads out of the directory" % link)
        os.unlink(link)


# --- what can't be served -----------------------------------------------------------------------

def refused(path, words, *more):
    """serve and check-config both end with 78 and say it."""
    for command in (["serve", "--listen", "127.0.0.1:0"], ["check-config"]):
        ended = run(*command, "--dashboard", path, *more)
        equal(ended.returncode, 78, "%s: %r" % (command[0], ended.stderr))
        assert words.encode() in ended.stderr, ended.stderr
        equal(ended.stderr.count(b"\n"), 1, "lines")


@case
def a_directory_that_is_no_dashboard_is_refused_with_the_reason():
    top = directory()
    refused(top + "/none", "dashboard: %s/none: No such file or directory" % top)
    os.mkdir(top + "/empty")
    refused(top + "/empty", "dashboard: %s/empty/index.html: is missing" % top)
    write(top + "/file", b"x")
    refused(top + "/file", "dashboard: %s/file: Not a directory" % top)
    os.mkdir(top + "/empty/index.html")
    refused(top + "/empty", "dashboard: %s/empty/index.html: is missing" % top)
    path = site()
    os.mkfifo(path + "/pipe")
    refused(path, "dashboard: %s/pipe: is neither a file nor a directory" % path)
    os.unlink(path + "/pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path + "/socket")
        refused(path, "/socket: ")
    os.unlink(path + "/socket")
    with open(path + "/large.bin", "wb") as file:
        file.truncate(65 << 20)
    refused(path, "dashboard: %s/large.bin: with it the files take more than 64 MiB" % path)
    os.unlink(path + "/large.bin")
    equal(run("check-config", "--dashboard", path).returncode, 0)


@case
def a_file_that_cant_be_read_is_refused_by_name():
    path = site()
    os.chmod(path + "/assets/index.css", 0)
    for name in ("", "/assets", "/img", "/fonts", "/sub"):
        os.chmod(path + name, 0o755)
    try:
        with open(path + "/assets/index.css", "rb"):
            user = 65534  # we are root, who may read all: nobody may not
    except PermissionError:
        user = None
    os.chmod(os.path.dirname(path), 0o755)

    def leave():
        if user:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)

    place = directory()
    os.chmod(place, 0o777)
    process = begin("check-config", "--dashboard", path, cwd=place, preexec_fn=leave)
    code, _, told = finish(process)
    if b"Permission denied" in told.encode() and "index.css" not in told:
        raise Skip("the user nobody can't reach the temporary directory")
    equal(code, 78, told)
    assert "dashboard: %s/assets/index.css: Permission denied" % path in told, told


@case
def a_route_that_is_taken_is_refused():
    path = site()
    for route in ("/_tracker", "/_tracker/events", "/_tracker/k", "/_tracker/k/x", "/_tracker/ws/x", "/health", "/metrics",
                  "/livez", "/readyz"):
        refused(path, "dashboard-route: %s is a path of the daemon's own" % route, "--dashboard-route", route)
    refused(path, "dashboard-route: /a is a path", "--dashboard-route", "/a", "--prefix", "/a/b")
    for route in ("", "/", "_dashboard", "/a/", "/a//b", "/a/../b", "/a%20b", "/a?b", "/a b"):
        ended = run("check-config", "--dashboard", path, "--dashboard-route", route)
        assert ended.returncode in (64, 78), ended
        assert b"dashboard-route: expected a path such as" in ended.stderr or not route, ended.stderr
    assert b"dashboard-auth: expected" in run("check-config", "--dashboard-auth", "maybe").stderr


# --- who may ------------------------------------------------------------------------------------

KEYS = ["site:ingest", "dash:query", "both", "all:query,ingest", "!#$%&'()*+,-./;<=>?@[]^_`{|}~:query"]

# Authorization, and whether it lets in.
BROUGHT = [
    (None, False), (basic("dash"), True), (basic("both"), True), (basic("all"), True), (basic("dash", ""), True),
    (basic("dash", "caf\u00e9"), True), (basic("!#$%&'()*+,-./;<=>?@[]^_`{|}~"), True), (basic("site"), False),
    (basic("wrong"), False), (basic(""), False), (basic("dash\0"), False), (basic("dash "), False), (basic("DASH"), False),
    (basic("das"), False), (basic("dash:query"), False), (basic("x" * 700), False), (basic("x" * 9000), False),
    ({"Authorization": "basic " + basic("dash")["Authorization"][6:]}, True),
    ({"Authorization": basic("dash")["Authorization"] + "="}, False),
    ({"Authorization": "Bearer dash"}, False), ({"Authorization": "Basic dash"}, False), ({"Authorization": "Basic"}, False),
    ({"Authorization": ""}, False), ({"X-Tracker-Key": "dash"}, False), ({"X-Tracker-Key": "both"}, False),
    ({"Proxy-Authorization": basic("dash")["Authorization"]}, False),
    ([("Authorization", basic("wrong")["Authorization"]), ("Authorization", basic("dash")["Authorization"])], False),
    ([("Authorization", basic("dash")["Authorization"]), ("Authorization", basic("dash")["Authorization"])], False),
    ({"Authorization": basic("dash")["Authorization"], "X-Tracker-Key": "wrong"}, True),
    ({"Authorization": basic("dash")["Authorization"], "Origin": "https://evil.example"}, True),
]


@case
def a_key_with_the_query_scope_is_the_password():
    daemon, rows = Daemon(dashboard=site(), key=KEYS), Rows()
    for brought, may in BROUGHT:
        for method, path in itertools.product(("GET", "HEAD"), ("/", "/assets/index.js", "/events", "/missing.js", "/../x")):
            with rows("%s %s, %s" % (method, path, brought)):
                headers = list(brought.items() if isinstance(brought, dict) else brought or [])
                answer = daemon.request(method, "/_dashboard" + path, headers + [("Accept", BROWSER)])
                guarded(answer)
                there = path in ("/", "/assets/index.js", "/events")
                equal(answer.status, 401 if not may else 200 if there else 404)
                equal(answer.all("WWW-Authenticate"), [] if may else ['Basic realm="beacond", charset="UTF-8"'])
                if not may and method == "GET":
                    assert "key" in answer.error() and b"dash" not in answer.body
                if not may:
                    equal(answer.header("Cache-Control"), "no-store")
    rows.check()
    for target in ("/_dashboard/?key=dash", "/_dashboard/k/dash/events", "/_dashboard/?key=both"):
        equal(daemon.get(target).status, 401)


@case
def the_password_opens_nothing_but_the_files():
    daemon = Daemon(dashboard=site(), key=KEYS)
    daemon.save([event(NOW)], headers={"X-Tracker-Key": "both"})
    for key in ("both", "dash", "all"):
        for method, path in (("GET", "/_tracker"), ("HEAD", "/_tracker/events"), ("GET", "/_tracker/tail"),
                             ("GET", "/_tracker/stats"), ("GET", "/_tracker/rejects"), ("GET", "/metrics"),
                             ("POST", "/_tracker/events")):
            answer = daemon.request(method, path, basic(key), b'{"events":[]}' if method == "POST" else None)
            assert answer.status in (401, 404), "%s %s: %r" % (method, path, answer)  # 404: not built in
            equal(answer.header("WWW-Authenticate"), None, "a browser must not ask for a password there")
    equal(daemon.request("GET", "/_tracker", dict(basic("both"))).status, 401)
    equal(daemon.request("GET", "/_tracker", dict(basic("wrong"), **{"X-Tracker-Key": "dash"})).status, 200)


@case
def without_keys_or_with_auth_none_nobody_is_asked():
    for options in ({}, {"key": KEYS, "dashboard_auth": "none"}, {"allow_keyless": True}):
        daemon = Daemon(dashboard=site(), **options)
        for headers in ({}, basic("wrong"), basic("dash")):
            answer = daemon.request("GET", "/_dashboard/", headers)
            equal((answer.status, answer.body), (200, PAGE))
            guarded(answer)
    daemon = Daemon(dashboard=site(), key=KEYS, dashboard_auth="none")
    equal(daemon.get("/_tracker").status, 401)


@case
def without_keys_a_foreign_host_gets_nothing():
    daemon = Daemon(dashboard=site())
    for path in ("/_dashboard", "/_dashboard/", "/_dashboard/assets/index.js"):
        for host, status in (("evil.example", 403), ("localhost", 200), ("127.0.0.1:4242", 200)):
            status = 301 if status == 200 and path == "/_dashboard" else status
            equal(daemon.request("GET", path, {"Host": host}).status, status, host)


@case
def pages_of_other_origins_are_told_nothing():
    for options in ({}, {"key": KEYS}, {"key": KEYS, "allow_origin": "https://shop.example"},
                    {"key": KEYS, "dashboard_auth": "none"}):
        daemon = Daemon(dashboard=site(), **options)
        for origin in ("https://shop.example", "http://localhost:5173", "null", "http://" + daemon.host()):
            for path in ("/_dashboard", "/_dashboard/", "/_dashboard/assets/index.js", "/_dashboard/x.js"):
                for method in ("GET", "HEAD"):
                    guarded(daemon.request(method, path, dict(basic("dash"), Origin=origin)))
                answer = daemon.request("OPTIONS", path, {
                    "Origin": origin, "Access-Control-Request-Method": "GET",
                    "Access-Control-Request-Headers": "authorization,x-tracker-key"})
                equal((answer.status, answer.body), (204, b""))
                for name, _ in answer.headers:
                    assert not name.lower().startswith("access-control-"), name


@case
def admin_listen_has_no_dashboard():
    daemon = Daemon(dashboard=site(), admin_listen="127.0.0.1:0")
    admin = daemon.wait_log(r" listening on \S+ for admin$").split()[-3]
    equal(daemon.request("GET", "/_dashboard/", address=admin).status, 404)
    equal(daemon.get("/_dashboard/").status, 200)


# --- large ones ---------------------------------------------------------------------------------

@case
def large_files_arrive_whole_whoever_reads_slowly_or_leaves():
    path, size = site(), scale(8 << 20, 2 << 20)
    large = os.urandom(1 << 20) * (size >> 20)
    write(path + "/large.png", large)
    write(path + "/assets/large.js", b"/* 42 */\n" * (size >> 3))
    daemon = Daemon(dashboard=path, threads=2)
    daemon.get("/_dashboard/")
    daemon.reset_peak()
    before, failed = daemon.rss(), []

    def read(number):
        wire = daemon.wire()
        wire.send(b"GET /_dashboard/large.png HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if number % 3 == 0:
            wire.sock.recv(1000)
            wire.close()  # in the middle
        elif wire.response().body != large:
            failed.append(number)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failed, [])
    script = daemon.get("/_dashboard/assets/large.js", Accept_Encoding="gzip")
    equal(len(gzip.decompress(script.body)), 9 * (size >> 3))
    if not scale(0, 1):
        grown = daemon.peak() - before
        assert grown < size, "%d bytes more for answers of %d that lie in memory" % (grown, size)
    # Several on a connection, the next asked for before the last is out.
    wire = daemon.wire()
    ask = b"GET /_dashboard/%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
    wire.send(ask % b"large.png" + ask % b"" + ask % b"large.png")
    equal([wire.response().body == body for body in (large, PAGE, large)], [True] * 3)


@case
def a_build_of_vite_is_served_as_it_is():
    daemon = Daemon(dashboard=BUILD, key=["mine_a07e35:query"])
    for top, _, names in os.walk(BUILD):
        for name in names:
            full = os.path.join(top, name)
            answer = daemon.request("GET", "/_dashboard/" + os.path.relpath(full, BUILD), basic("mine_a07e35"))
            with open(full, "rb") as file:
                equal((answer.status, answer.body), (200, file.read()), name)


main()
