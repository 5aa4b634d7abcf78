"""The page at /: its headers, its forms, and that its policy names what it holds and nothing else.

What it does in a browser is tested by tests/browser/page_ui.js and page_live.js.
"""

import base64
import gzip
import hashlib
import re

from harness import NOW, Daemon, Rows, case, equal, event, main



def policy(answer):
    """Content-Security-Policy as {directive: [value…]}."""
    equal(len(answer.all("Content-Security-Policy")), 1, "policies")
    parts = [part.split() for part in answer.header("Content-Security-Policy").split(";")]
    equal(len({part[0] for part in parts}), len(parts), "a directive twice")
    return {part[0]: part[1:] for part in parts}


def digest(text):
    return "'sha256-%s'" % base64.b64encode(hashlib.sha256(text).digest()).decode()


@case
def it_is_html_that_holds_no_data():
    daemon = Daemon(app_id="a-secret-name")
    before = daemon.get("/")
    equal((before.status, before.header("Content-Type")), (200, "text/html; charset=utf-8"))
    assert before.body.startswith(b"<!doctype html>\n<html lang=\"en\" data-prefix=\"/_tracker\">")
    assert before.body.endswith(b"</html>\n")
    daemon.save([event(NOW, 1)])
    equal(daemon.get("/").body, before.body)
    assert b"a-secret-name" not in before.body


@case
def its_policy_names_its_style_and_its_script():
    answer = Daemon().get("/")
    styles = re.findall(rb"<style>(.*?)</style>", answer.body, re.S)
    scripts = re.findall(rb"<script[^>]*>(.*?)</script>", answer.body, re.S)
    equal((len(styles), len(scripts)), (1, 1))
    assert len(styles[0]) > 1000 and len(scripts[0]) > 1000
    equal(policy(answer), {
        "default-src": ["'none'"],
        "script-src": [digest(scripts[0])],
        "style-src": [digest(styles[0])],
        "img-src": ["data:"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    })
    equal(answer.header("Referrer-Policy"), "no-referrer")
    equal(answer.header("X-Content-Type-Options"), "nosniff")
    equal(answer.header("Cross-Origin-Resource-Policy"), "same-origin")


@case
def it_names_nothing_outside_of_itself():
    body = Daemon().get("/").body.decode()
    for found in re.findall(r"""(?:src|href|action|srcset)\s*=\s*["']?([^"'\s>]*)""", body):
        assert found.startswith(("data:", "#")), found
    urls = set(re.findall(r"\b(?:https?|wss?)://[^\s'\"`)]+", body))
    equal(urls, {"http://www.w3.org/2000/svg"}, "a name space, which nobody asks for")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert word not in body, word
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", body), "an inline handler"
    assert " style=" not in body, "an inline style"


@case
def it_is_compressed_for_those_who_take_it():
    daemon, rows = Daemon(), Rows()
    plain = daemon.get("/")
    equal(plain.all("Content-Encoding"), [])
    for accepts, packed in (("gzip", True), ("gzip, deflate, br", True), ("*", True), ("identity", False),
                            ("gzip;q=0", False), ("br", False)):
        for method in ("GET", "HEAD"):
            with rows("%s, Accept-Encoding: %s" % (method, accepts)):
                answer = daemon.request(method, "/", {"Accept-Encoding": accepts})
                equal(answer.status, 200)
                equal(answer.header("Content-Encoding"), "gzip" if packed else None)
                assert {"origin", "accept-encoding"} <= set(answer.vary()), answer.vary()
                body = daemon.request("GET", "/", {"Accept-Encoding": accepts}).body
                equal(int(answer.header("Content-Length")), len(body))
                equal(answer.body, body if method == "GET" else b"")
                equal(gzip.decompress(body) if packed else body, plain.body)
    rows.check()


@case
def it_is_asked_for_again_each_time_and_sent_once():
    daemon = Daemon()
    answer = daemon.get("/")
    tag = answer.header("ETag")
    equal(answer.header("Cache-Control"), "private, no-cache")
    for method in ("GET", "HEAD"):
        for accepts in ("gzip", "identity"):
            for known in (tag, '"other", %s' % tag, "*"):
                again = daemon.request(method, "/", {"If-None-Match": known, "Accept-Encoding": accepts})
                equal((again.status, again.body, again.header("ETag")), (304, b"", tag))
                equal(again.all("Content-Encoding"), [])
                equal(again.header("Content-Security-Policy"), answer.header("Content-Security-Policy"))
            other = daemon.request(method, "/", {"If-None-Match": '"other"', "Accept-Encoding": accepts})
            equal(other.status, 200)
    equal(Daemon().get("/").header("ETag"), tag)
    assert Daemon(prefix="/b").get("/").header("ETag") != tag


@case
def it_asks_below_the_first_prefix():
    daemon = Daemon(prefix=["/b/c", "/a"])
    assert b'data-prefix="/b/c"' in daemon.get("/").body
    daemon = Daemon(prefix="/a&b'c")
    assert b'data-prefix="/a&#38;b&#39;c"' in daemon.get("/").body


@case
def it_is_there_for_get_and_head_alone_and_nowhere_else():
    daemon = Daemon(key="tk_test")
    for method, status in (("GET", 200), ("HEAD", 200), ("POST", 405), ("PUT", 405), ("DELETE", 405),
                           ("OPTIONS", 204)):
        answer = daemon.request(method, "/", {}, b"" if method in ("POST", "PUT") else None)
        equal(answer.status, status, method)
        if status == 405:
            equal(answer.header("Allow"), "GET, HEAD, OPTIONS")
    equal(daemon.get("/?x=y").status, 200)
    for path in ("/index.html", "/favicon.ico", "/page.js"):
        equal(daemon.get(path).status, 404, path)


@case
def without_keys_it_is_this_machines_page():
    daemon = Daemon()
    equal(daemon.get("/", Host="localhost").status, 200)
    refused = daemon.get("/", Host="evil.example")
    equal(refused.status, 403)
    assert b"<html" not in refused.body


main()
