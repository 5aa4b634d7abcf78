"""The program around it: flags, environment, config file, logs, addresses, exit codes."""

import json
import os
import re
import signal
import socket

from harness import NOW, Daemon, Rows, Skip, batch, case, directory, equal, event, lasting_address, main, poll, run


def file_of(text, name="beacond.conf"):
    path = os.path.join(directory(), name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def check_config(*arguments, **more):
    return run("check-config", *arguments, **more)


# --- words ------------------------------------------------------------------------------------

OPTIONS = ["config", "listen", "database", "prefix", "key", "key-file", "app-id", "allow-origin", "allow-keyless",
           "max-header", "max-body", "max-inflated", "max-event", "max-depth", "max-events", "threads",
           "queue-size", "synchronous", "log-level", "log-format", "hold", "drain", "timeout"]


@case
def help_names_every_command_and_option():
    done = run("--help")
    equal((done.returncode, done.stderr), (0, b""))
    text = done.stdout.decode()
    for name in OPTIONS + ["help", "version"]:
        assert re.search(r"--%s\b" % name, text), "--%s in --help" % name
    for word in ("serve", "check-config", "beacond"):
        assert word in text, word
    equal(run("-h").returncode, 0)


@case
def version_is_a_line_and_what_is_built_in_another():
    done = run("--version")
    equal((done.returncode, done.stderr), (0, b""))
    about = r"beacond \d+\.\d+\S*\nTLS: (yes|no), systemd: (yes|no), PostgreSQL: (yes|no)\n"
    assert re.fullmatch(about, done.stdout.decode()), done.stdout
    equal(Daemon().get("/health").json()["version"], done.stdout.decode().split()[1])


@case
def usage_errors_exit_2_and_say_how_to_go_on():
    for arguments in (["--nonsense"], ["frobnicate"], ["serve", "more"], ["--listen"], ["check-config", "x"],
                      ["--max-body"], ["-Z"], ["serve", "--nonsense=5"], ["check-config", "--nonsense"],
                      ["--help=x"]):
        done = run(*arguments)
        equal(done.returncode, 2, "%r: %r" % (arguments, done.stderr))
        equal(done.stdout, b"", repr(arguments))
        assert b"beacond" in done.stderr, done.stderr
    assert b"--help" in run("--nonsense").stderr


# Options that make no sense, and words of the message (besides the option's name).
BAD_VALUES = [
    ("listen", "nowhere"), ("listen", "127.0.0.1"), ("listen", "127.0.0.1:"), ("listen", "127.0.0.1:65536"),
    ("listen", "127.0.0.1:-1"), ("listen", "127.0.0.1:http"), ("listen", "unix:"), ("listen", "[::1"),
    ("listen", "::1:80"), ("listen", ""),
    ("prefix", "tracker"), ("prefix", "/tracker/"), ("prefix", "/a b"), ("prefix", "/a?b"), ("prefix", "/a\nb"),
    ("key", "tk:write"), ("key", ":query"), ("key", ""), ("key", "tk:"), ("key", "a b"), ("key", "k" * 300),
    ("key", "tk:ingest,ingest,x"),
    ("allow-origin", "shop.example"), ("allow-origin", "https://shop.example/"), ("allow-origin", "*"),
    ("allow-origin", "https://"), ("max-body", "8X"), ("max-body", "-1"), ("max-body", "0"), ("max-body", ""),
    ("max-body", "99999999999999999999"), ("max-body", "8 M"), ("max-events", "many"), ("max-events", "-5"),
    ("max-events", "1.5"), ("max-depth", "1001"), ("max-depth", "0"), ("threads", "-1"), ("threads", "1000"),
    ("synchronous", "maybe"), ("log-level", "loud"), ("log-format", "xml"), ("hold", "2"), ("hold", "soon"),
    ("hold", "-1s"), ("timeout", "0s"), ("key-file", "/no/such/file"), ("config", "/no/such/file"),
]


@case
def bad_values_exit_78_wherever_they_stand():
    rows = Rows()
    for name, value in BAD_VALUES:
        with rows("--%s %r" % (name, value)):
            done = check_config("--" + name, value)
            equal(done.returncode, 78, repr(done.stderr))
            assert name.encode() in done.stderr, done.stderr
            if name == "key" and len(value) > 3:
                assert value.encode() not in done.stderr, "quotes a key"
        if name == "config":
            continue
        if value and "\n" not in value:
            with rows("%s = %s in a file" % (name, value)):
                path = file_of("# a comment\n\n%s = %s\n" % (name, value))
                done = check_config("--config", path)
                equal(done.returncode, 78, repr(done.stderr))
                where = b"beacond.conf:3" if name != "key-file" else name.encode()
                assert where in done.stderr and name.encode() in done.stderr, done.stderr
                if name == "key" and len(value) > 3:
                    assert value.encode() not in done.stderr, "quotes a key"
        if value and name not in ("listen", "prefix", "key", "allow-origin") or value and " " not in value \
                and "\n" not in value:
            with rows("BEACOND_%s=%r" % (name, value)):
                done = check_config(env={"BEACOND_" + name.upper().replace("-", "_"): value})
                equal(done.returncode, 78, repr(done.stderr))
                assert b"BEACOND_" in done.stderr or name.encode() in done.stderr, done.stderr
    rows.check()


@case
def lines_of_a_config_file_that_make_no_sense_are_named():
    rows = Rows()
    for text, line in [("nonsense", 1), ("max-body 8M", 1), ("= 8M", 1), ("\n\nmax-boddy = 8M", 3),
                       ("max-body = 8M\nmax-body = 9M", 2), ("config = other.conf", 1), ("max-body =", 1),
                       ("listen = 127.0.0.1:1\n[section]", 2), ("app-id = a\x01b", 1), ("help = yes", 1),
                       ("key tk_test_4711", 1), ("kye = tk_test_4711", 1)]:
        with rows(repr(text)):
            done = check_config("--config", file_of(text + "\n"))
            equal(done.returncode, 78, repr(done.stderr))
            assert b"beacond.conf:%d" % line in done.stderr, done.stderr
            assert b"tk_test_4711" not in done.stderr, "quotes a key"
    rows.check()


@case
def contradictions_are_refused():
    rows = Rows()
    for arguments in (["--listen", "0.0.0.0:0"], ["--listen", "[::]:0"], ["--listen", "192.0.2.1:0"],
                      ["--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0"],
                      ["--key", "a", "--key", "a:query"], ["--key", "same:ingest", "--key", "same:ingest"]):
        with rows(repr(arguments)):
            done = check_config(*arguments)
            equal(done.returncode, 78, repr(done.stderr))
            done = run("serve", "--database", os.path.join(directory(), "x.db"), *arguments)
            equal(done.returncode, 78, repr(done.stderr))
    rows.check()
    equal(check_config("--listen", "0.0.0.0:0", "--allow-keyless").returncode, 0)
    equal(check_config("--listen", "0.0.0.0:0", "--key", "tk_test").returncode, 0)


GOOD = """# everything at once
listen = 127.0.0.1:0
  listen=[::1]:0
prefix = /a
prefix =    /b/c
database = some where.db
app-id = my shop # not a comment? either way fine

key-file = %s
allow-origin = https://shop.example
max-header = 16K
max-body = 8M
max-inflated = 32M
max-event = 1M
max-depth = 512
max-events = 500000
threads = 2
queue-size = 64M
hold = 2s
drain = 500ms
timeout = 1m
synchronous = full
log-level = info
log-format = text
"""


@case
def check_config_accepts_what_serve_would_and_touches_nothing():
    keys = file_of("# keys\ntk_one\n\ntk_two:ingest\n  tk_three:query,ingest  \n", "keys")
    home = directory()
    done = run("check-config", "--config", file_of(GOOD % keys), cwd=home)
    equal((done.returncode, os.listdir(home)), (0, []), repr(done.stderr))
    for key in (b"tk_one", b"tk_two", b"tk_three"):
        assert key not in done.stdout + done.stderr, "tells a key"
    equal(run("check-config", cwd=home).returncode, 0)
    equal(os.listdir(home), [])


@case
def flags_beat_the_environment_and_that_beats_the_file():
    path = file_of("max-events = 10\napp-id = file\nprefix = /file\n")

    def shown(daemon, prefix):
        return (daemon.get(prefix).json()["limit"], daemon.get("/health").json()["appId"])

    equal(shown(Daemon(config=path), "/file"), (10, "file"))
    env = {"BEACOND_MAX_EVENTS": "20", "BEACOND_APP_ID": "env", "BEACOND_PREFIX": "/env /more"}
    both = Daemon(config=path, env=env)
    equal(shown(both, "/env"), (20, "env"))
    equal(shown(both, "/more"), (20, "env"))
    equal(both.get("/file").status, 404)
    all_three = Daemon(config=path, env=env, max_events=30, prefix="/flag")
    equal(shown(all_three, "/flag"), (30, "env"))
    equal((all_three.get("/env").status, all_three.get("/file").status), (404, 404))
    equal(shown(Daemon(env={"BEACOND_CONFIG": path}), "/file"), (10, "file"))
    equal(shown(Daemon("serve", max_events=40), "/_tracker"), (40, ""))


@case
def keys_come_from_a_file():
    path = file_of("# ours\n\ntk_all\ntk_in:ingest\n tk_out:query \n", "keys")
    daemon = Daemon(key_file=path, key="tk_flag")
    for key, status in [("tk_all", 200), ("tk_out", 200), ("tk_flag", 200), ("tk_in", 403), ("# ours", 401),
                        ("tk_in:ingest", 401)]:
        equal(daemon.get("/_tracker", X_Tracker_Key=key).status, status, key)
    equal(daemon.get("/_tracker").status, 401)
    bad = file_of("tk_secret_one\ntk_secret_two:nonsense\n", "keys")
    done = check_config("--key-file", bad)
    equal(done.returncode, 78)
    assert b"keys:2" in done.stderr and b"tk_secret" not in done.stderr, done.stderr
    equal(check_config("--key-file", file_of("# nobody\n", "keys"), "--listen", "0.0.0.0:0").returncode, 78)


# --- addresses --------------------------------------------------------------------------------

def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


@case
def it_serves_on_ipv6():
    if not has_ipv6():
        raise Skip("no IPv6 here")
    daemon = Daemon(listen="[::1]:0")
    assert re.fullmatch(r"\[::1\]:[1-9]\d*", daemon.address), daemon.address
    daemon.save([event()])
    equal(daemon.total(), 1)


@case
def it_serves_on_a_unix_socket():
    path = os.path.join(directory(), "beacond.sock")
    daemon = Daemon(listen="unix:" + path)
    equal(daemon.address, "unix:" + path)
    daemon.save([event()])
    equal(daemon.total(), 1)
    daemon.stop()
    assert not os.path.exists(path), "the socket is left behind"


@case
def a_stale_socket_is_replaced_and_anything_else_is_not():
    path = os.path.join(directory(), "beacond.sock")
    Daemon(listen="unix:" + path).crash()
    assert os.path.exists(path)
    daemon = Daemon(listen="unix:" + path)
    daemon.save([event()])
    # One that is alive is not taken away.
    done = run("--listen", "unix:" + path, "--database", os.path.join(directory(), "other.db"))
    assert done.returncode in (1, 78), done
    assert path.encode() in done.stderr, done.stderr
    equal(daemon.total(), 1)
    plain = file_of("precious", "file")
    done = run("--listen", "unix:" + plain, "--database", os.path.join(directory(), "other.db"))
    assert done.returncode in (1, 78), done
    with open(plain, encoding="utf-8") as file:
        equal(file.read(), "precious")


@case
def it_serves_on_several_addresses_at_once():
    path = os.path.join(directory(), "s")
    listen = ["127.0.0.1:0", "127.0.0.1:0", "unix:" + path] + (["[::1]:0"] if has_ipv6() else [])
    daemon = Daemon(listen=listen)
    equal(len(daemon.addresses), len(listen))
    equal(len(set(daemon.addresses)), len(listen))
    for n, address in enumerate(daemon.addresses):
        answer = daemon.request("POST", "/_tracker/events", {}, batch([event(NOW, n)]), address=address)
        equal(answer.json()["saved"], 1, address)
    for address in daemon.addresses:
        equal(daemon.request("GET", "/_tracker?limit=0", address=address).json()["total"], len(listen), address)


@case
def an_address_in_use_is_an_error_that_names_it():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        address = "127.0.0.1:%d" % sock.getsockname()[1]
        done = run("--listen", address, "--database", os.path.join(directory(), "x.db"))
    assert done.returncode in (1, 78), done
    assert address.encode() in done.stderr, done.stderr
    assert b" ready" not in done.stderr
    daemon = Daemon()
    done = run("--listen", daemon.address, "--database", os.path.join(directory(), "x.db"))
    assert done.returncode in (1, 78), done
    equal(daemon.get("/health").status, 200)


@case
def a_restart_takes_its_address_again_at_once():
    daemon = Daemon(listen=lasting_address())
    kept = daemon.wire().send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    equal(kept.response().status, 200)
    address = daemon.address
    daemon.stop()
    again = Daemon(listen=address, database=daemon.database)
    equal(again.address, address)


# --- logs -------------------------------------------------------------------------------------

SECRETS = ["tk_secret_good", "tk_secret_wrong", "tk_secret_path", "tk_secret_asked", "tk_secret_enc"]
TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn |info |debug) [\x20-\x7e]*")


def provoke(daemon):
    """Requests with keys and poison for terminals in every place."""
    evil = b"\x1b[31mred\x07\x9b"
    for key in SECRETS:
        for method in ("GET", "POST", "PUT"):
            for target in ("/_tracker", "/_tracker/events?key=" + key, "/_tracker/k/%s/events" % key, "/k/" + key,
                           "/_tracker/events?key=tk%5Fsecret%5Fenc", "/_tracker/k/%s/nowhere" % key,
                           "/_tracker?limit=x&key=" + key, "/_tracker/events?x&k%65y=" + key + "&z",
                           "/_tracker/events?a=b?key=" + key, "http://localhost/_tracker/k/%s/events" % key,
                           "/_tracker/k/%s" % key, "/_tracker/k/%s/" % key,
                           "//_tracker/k/%s/events" % key, "/_tracker/k/%s/events?x=y" % key):
                body = b"{" if method == "POST" else None
                daemon.request(method, target, {"X-Tracker-Key": key}, body)
    for data in (b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % evil,
                 b"GET /%1b%5b31m%0a%0d2026-11-21T10:23:45.123Z%20info%20%20forged HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"GET /_tracker HTTP/1.1\r\nHost: localhost\r\nUser-Agent: %s\r\nOrigin: %s\r\n\r\n" % (evil, evil),
                 b"%s / HTTP/1.1\r\nHost: localhost\r\n\r\n" % evil, evil * 100 + b"\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % evil,
                 b"POST /_tracker/events HTTP/1.1\r\nHost: localhost\r\nX-Tracker-Key: tk_secret_good\r\n"
                 b"Content-Encoding: %s\r\nContent-Length: 2\r\n\r\n{}" % evil,
                 b"POST /_tracker/events HTTP/1.1\r\nX-Tracker-Key: tk_secret_good\r\nContent-Length: +1\r\n\r\n{"):
        wire = daemon.wire().send(data).half_close()
        while wire._more():
            pass
        for secret in SECRETS:
            assert secret.encode() not in wire.buffer, "a key in an answer"
        wire.close()
    daemon.request("POST", "/_tracker/events", {"X-Tracker-Key": "tk_secret_good"},
                   b'{"events":[{"timestamp":"\xc2\x9b31m\\n"},"\\u001b[31m"]}')


@case
def keys_are_never_logged_and_client_bytes_are_escaped():
    daemon = Daemon(key=["tk_secret_good", "tk_secret_path:ingest"], log_level="debug")
    provoke(daemon)
    daemon.stop()
    for line in daemon.lines:
        text = line.decode("latin-1")
        assert "tk_secret" not in text and "tk%5Fsecret" not in text, "a key is logged: " + text
        assert TEXT_LINE.fullmatch(text), "a line of the log: %r" % line
    assert not any(line.endswith(b"Z info  forged") for line in daemon.lines)


@case
def the_log_names_the_database():
    daemon = Daemon()
    daemon.wait_log("info  database %s$" % re.escape(daemon.database))


@case
def the_json_log_is_json_in_every_line():
    daemon = Daemon(key=["tk_secret_good", "tk_secret_path:ingest"], log_level="debug", log_format="json", ready=False)
    daemon.wait_log(r'"ready"')
    address = [json.loads(line)["message"] for line in daemon.log() if "listening on" in line][0]
    daemon.address = address.split()[-1]
    provoke(daemon)
    daemon.stop()
    for line in daemon.lines:
        assert all(32 <= byte < 127 for byte in line), line
        parsed = json.loads(line)
        equal(list(parsed)[:3], ["time", "level", "message"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", parsed["time"]), parsed
        assert parsed["level"] in ("error", "warn", "info", "debug"), parsed
        assert "tk_secret" not in line.decode(), "a key is logged"


@case
def the_log_level_is_obeyed():
    quiet = Daemon(log_level="error", ready=False, listen="unix:s")
    poll(lambda: os.path.exists(os.path.join(quiet.directory, "s")), "the socket")
    quiet.address = "unix:" + os.path.join(quiet.directory, "s")
    poll(lambda: _answers(quiet), "an answer")
    quiet.stop()
    equal(quiet.lines, [])
    usual = Daemon()
    for n in range(50):
        usual.save([event(NOW, n)])
        usual.get("/nowhere")
    usual.stop()
    assert len(usual.lines) < 15, "a line for every request: %d" % len(usual.lines)


def _answers(daemon):
    try:
        return daemon.get("/health").status == 200
    except OSError:
        return False


@case
def a_log_that_nobody_reads_any_more_does_not_stop_it():
    daemon = Daemon(log_level="debug")
    read_end = daemon.process.stderr.fileno()
    # From here on each write to stderr fails with EPIPE.
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, read_end)
    os.close(null)
    for n in range(20):
        daemon.save([event(NOW, n)])
        daemon.get("/nowhere")
    equal(daemon.total(), 20)


@case
def signals_that_mean_nothing_are_survived():
    daemon = Daemon()
    daemon.signal(signal.SIGPIPE)
    daemon.save([event()])
    equal(daemon.total(), 1)


main()
