"""SIGHUP and what is made of files beside the configuration: certificates, the dashboard; and where
they are served."""

import os
import shutil
import socket

import certs
from harness import PATIENCE, Rows, Skip, Wire, case, directory, equal, event, main, run
from reloading import Configured

FRAME = b"<!doctype html><title>%s</title>"


def site(title):
    folder = directory()
    put(folder, title)
    return folder


def put(folder, title):
    with open(os.path.join(folder, "index.html"), "wb") as file:
        file.write(FRAME % title)


def shown(daemon, target="/_dashboard/"):
    return daemon.get(target)


# --- the dashboard ----------------------------------------------------------------------------

@case
def the_dashboards_files_are_read_anew():
    folder, other = site(b"one"), site(b"other")
    options = {"dashboard": folder}
    daemon = Configured(options)
    equal(shown(daemon).body, FRAME % b"one")
    put(folder, b"two")
    equal(shown(daemon).body, FRAME % b"one", "before SIGHUP")
    # No option has changed.
    equal(daemon.hang_up(), "reloaded: files read anew, no option has changed")
    equal(shown(daemon).body, FRAME % b"two")
    equal(daemon.reload({"dashboard": other}), "reloaded: dashboard")
    equal(shown(daemon).body, FRAME % b"other")
    equal(daemon.reload({"dashboard": other, "dashboard-route": "/seen"}), "reloaded: dashboard-route")
    equal((shown(daemon).status, shown(daemon, "/seen/").body), (404, FRAME % b"other"))
    equal(daemon.reload({}), "reloaded: dashboard, dashboard-route")
    equal(shown(daemon, "/seen/").status, 404)


@case
def a_dashboard_that_cannot_be_read_changes_nothing():
    folder = site(b"one")
    daemon, rows = Configured({"dashboard": folder, "app-id": "before"}), Rows()
    for name, options in (("no such directory", {"dashboard": folder + ".not"}),
                          ("without index.html", {"dashboard": directory()}),
                          ("a route of the daemon's", {"dashboard": folder, "dashboard-route": "/metrics"})):
        with rows(name):
            verdict = daemon.reload(dict(options, **{"app-id": "after"}))
            assert verdict.startswith("not reloaded, all stays as it was: dashboard"), verdict
            equal(shown(daemon).body, FRAME % b"one")
            equal(daemon.get("/health").json()["appId"], "before")
    rows.check()


@case
def whether_the_dashboard_asks_for_a_password_changes():
    options = {"dashboard": site(b"one")}
    daemon = Configured(options, keys=["right:query"])
    equal(shown(daemon).status, 401)
    equal(daemon.reload(dict(options, **{"dashboard-auth": "none"}), ["right:query"]), "reloaded: dashboard-auth")
    equal(shown(daemon).status, 200)
    equal(daemon.reload(options, ["right:query"]), "reloaded: dashboard-auth")
    equal(shown(daemon).status, 401)


# --- admin-listen -----------------------------------------------------------------------------

@case
def the_names_of_admin_listen_change():
    options = {"admin-listen": "127.0.0.1:0"}
    daemon = Configured(options)
    address = [line for line in daemon.log() if line.endswith(" for admin")][0].split()[-3]

    def asked():
        sock = socket.create_connection(address.rsplit(":", 1), timeout=PATIENCE)
        with sock:
            return Wire(sock).send(b"GET /livez HTTP/1.1\r\nHost: collector.example\r\n\r\n").response().status

    equal(asked(), 403)
    equal(daemon.reload(dict(options, **{"admin-host": "collector.example"})), "reloaded: admin-host")
    equal(asked(), 200)
    equal(daemon.reload(options), "reloaded: admin-host")
    equal(asked(), 403)


# --- TLS --------------------------------------------------------------------------------------

def certified(folder):
    """Options of the certificate that stands in folder."""
    return {"tls-cert": os.path.join(folder, "cert.pem"), "tls-key": os.path.join(folder, "key.pem")}


def issued():
    folder = directory()
    certs.issue(folder, signer=certs.authority())
    return folder


def with_tls():
    if not certs.there():
        raise Skip("the openssl command is not installed")
    folder = issued()
    checked = run("check-config", "--tls-cert", certified(folder)["tls-cert"], "--tls-key", certified(folder)["tls-key"])
    if b"built without OpenSSL" in checked.stderr:
        raise Skip("beacond was built without OpenSSL")
    return folder, Configured(certified(folder))


def presented(daemon):
    """The certificate that a new connection gets."""
    with daemon.connect() as sock:
        return sock.getpeercert(binary_form=True)


@case
def new_connections_get_the_new_certificate_and_old_ones_go_on():
    folder, daemon = with_tls()
    before, open_before = presented(daemon), daemon.wire()
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    equal(open_before.send(request).response().status, 200)
    renewed = issued()
    for name in "cert.pem", "key.pem":
        shutil.copy(os.path.join(renewed, name), os.path.join(folder, name))
    equal(presented(daemon), before, "before SIGHUP")
    equal(daemon.hang_up(), "reloaded: files read anew, no option has changed")
    after = presented(daemon)
    assert after != before, "the old one"
    equal(open_before.send(request).response().status, 200)
    elsewhere = issued()
    equal(daemon.reload(certified(elsewhere)), "reloaded: tls-cert, tls-key")
    assert presented(daemon) not in (before, after), "the old one"


@case
def a_certificate_that_cannot_be_used_changes_nothing():
    folder, daemon = with_tls()
    before, other, rows = presented(daemon), issued(), Rows()
    cert, key = certified(folder)["tls-cert"], certified(folder)["tls-key"]
    pipe = os.path.join(directory(), "pipe")
    os.mkfifo(pipe)
    for name, options, word in (
            ("no such file", {"tls-cert": cert + ".not", "tls-key": key}, "No such file"),
            ("another's key", {"tls-cert": cert, "tls-key": os.path.join(other, "key.pem")}, "tls-key"),
            ("no certificate", {"tls-cert": key, "tls-key": key}, "tls-cert"),
            ("no key", {"tls-cert": cert}, "tls-key"),
            ("a certificate that nobody writes", {"tls-cert": pipe, "tls-key": key}, "a pipe can be read once"),
            ("a key that nobody writes", {"tls-cert": cert, "tls-key": pipe}, "a pipe can be read once"),
            ("none any more", {}, "turned on or off")):
        with rows(name):
            verdict = daemon.reload(options)
            assert verdict.startswith("not reloaded, ") and word in verdict, verdict
            equal(presented(daemon), before)
    rows.check()


@case
def feeds_through_tls_end_as_feeds_do_when_their_key_goes():
    folder, daemon = with_tls()
    asked = b"GET /_tracker/tail HTTP/1.1\r\nHost: localhost\r\nX-Tracker-Key: gone\r\n\r\n"
    for _ in range(4):
        daemon.reload(certified(folder), ["gone", "stays"])
        feeds = [daemon.wire().send(asked) for _ in range(10)]
        for feed in feeds:
            feed._until(b"id: ")
        # What is being written when the key goes, too.
        equal(daemon.post([event() for _ in range(200)], headers={"X-Tracker-Key": "stays"}).status, 200)
        daemon.reload(certified(folder), ["stays"])
        for feed in feeds:
            feed._until(b"\r\n0\r\n\r\n")
            equal(feed.send(asked).response().status, 401)


@case
def tls_is_not_turned_on_by_sighup():
    folder, _ = with_tls()
    daemon = Configured({})
    verdict = daemon.reload(certified(folder))
    assert "turned on or off" in verdict, verdict
    equal(daemon.get("/health").status, 200)


main()
