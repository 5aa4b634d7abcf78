"""The proxies of contrib in front of a daemon: the real nginx and Caddy, with the example as it is
shipped but for ports, paths and the certificate.

A Front talks as a Daemon does (request, post, save, read, wire, connection), over TLS.

The parts: behind (a daemon and its front) · Nginx, Caddy (Front) · FRONTS, through.
"""

import atexit
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import harness
from harness import PATIENCE, Daemon, Skip, Wire, case, directory, poll

CONTRIB = os.path.join(os.path.dirname(os.path.dirname(harness.DATA)), "contrib")
NAME = "events.example.org"
SITE, MINE = "site_4fb1c9", "mine_a07e35"  # what pages send with, what dashboards read with
SHIPPED_SOCKET = "/run/beacond/beacond.sock"
# Debian has nginx where only root's PATH leads.
PLACES = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


def needed(program):
    path = shutil.which(program, path=PLACES)
    if path is None:
        raise Skip("%s is not installed" % program)
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def replace(text, old, new):
    """Every occurrence; there must be one."""
    assert old in text, "the example no longer holds %r" % old
    return text.replace(old, new)


class TlsWire(Wire):
    """A peer that has hung up is told by TLS in words of its own."""

    def send(self, data):
        try:
            super().send(data)
        except ssl.SSLError:
            pass
        return self

    def _more(self):
        try:
            return super()._more()
        except ssl.SSLError:
            return False


_certificate = []


def certificate():
    """The paths of a certificate for NAME and of its key: one pair for all cases."""
    if not _certificate:
        folder = tempfile.mkdtemp(prefix="beacond-e2e-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        paths = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
        subprocess.run([needed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", paths[1], "-out", paths[0],
                        "-days", "2", "-subj", "/CN=" + NAME, "-addext", "subjectAltName=DNS:" + NAME],
                       check=True, stdin=subprocess.DEVNULL, capture_output=True)
        _certificate.extend(paths)
    return _certificate


class Front:
    """A proxy that runs, in front of the daemon at that address ("unix:PATH" or "HOST:PORT").

    Everything it writes is in `directory`. plain: the port of http, port: that of https."""

    def __init__(self, upstream):
        self.program = self.installed()
        self.directory = directory()
        self.certificate, self.key = certificate()
        self.tls = ssl.create_default_context(cafile=self.certificate)
        self.tls.set_alpn_protocols(["http/1.1"])
        with open(os.path.join(CONTRIB, self.example), encoding="utf-8") as file:
            text = file.read()
        # Of 1000 tries hardly one meets a port that somebody has taken meanwhile.
        self.port, self.plain = free_port(), free_port()
        self.address = "127.0.0.1:%d" % self.port
        with open(self.path("config"), "w", encoding="utf-8") as file:
            file.write(self.adapted(text, upstream))
        self._done = False
        self.process = subprocess.Popen(
            [self.program, *self.arguments()], env=self.environment(), cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=open(self.path("stdout"), "wb"),
            stderr=open(self.path("stderr"), "wb"),
            preexec_fn=lambda: harness.libc.prctl(1, signal.SIGKILL))
        self.pid = self.process.pid
        harness.daemons.insert(0, self)  # to be stopped before the daemon
        poll(self._answers, "%s to listen" % self.name)

    @classmethod
    def installed(cls):
        program = needed(cls.name)
        if subprocess.run([program, cls.version], stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
            raise Skip("%s does not run here" % program)
        return program

    def path(self, name):
        return os.path.join(self.directory, name)

    def environment(self):
        return dict(os.environ, HOME=self.directory, XDG_DATA_HOME=self.directory,
                    XDG_CONFIG_HOME=self.directory)

    def check(self):
        """By the proxy's own test, as an operator does."""
        done = subprocess.run([self.program, *self.test()], env=self.environment(), cwd=self.directory,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()

    def _answers(self):
        assert self.alive(), self.log_tail()
        try:
            for port in (self.port, self.plain):
                socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False

    # As the runner wants it.

    def alive(self):
        return self.process.poll() is None

    def finish(self):
        if not self._done:
            self._done = True
            assert self.alive(), "%s has ended by itself" % self.name
            self.process.send_signal(signal.SIGTERM)
            harness.equal(self.process.wait(PATIENCE), 0, "exit code of %s" % self.name)

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()

    def written(self):
        """All that it has logged, whatever the file (bytes)."""
        found = b""
        for name in sorted(os.listdir(self.directory)):
            if name not in ("config", "beacond.conf") and os.path.isfile(self.path(name)):
                with open(self.path(name), "rb") as file:
                    found += file.read()
        return found

    def log_tail(self):
        return self.written()[-4000:].decode("utf-8", "backslashreplace")

    # Talks.

    def connect(self, address=None, patience=None, source="127.0.0.1"):
        """A TLS connection, from that address of this machine."""
        sock = socket.create_connection(("127.0.0.1", self.port), patience or PATIENCE, (source, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(sock, server_hostname=NAME)

    def host(self, address=None):
        return NAME

    def wire(self, address=None, source="127.0.0.1"):
        return TlsWire(self.connect(source=source))

    request, connection, post, save = Daemon.request, Daemon.connection, Daemon.post, Daemon.save


class Nginx(Front):
    name, version, example = "nginx", "-v", "nginx/beacond.conf"

    def adapted(self, text, upstream):
        if upstream.startswith("unix:"):
            text = replace(text, SHIPPED_SOCKET, upstream[5:])
        else:
            text = replace(text, "    server unix:" + SHIPPED_SOCKET + ";\n", "")
            text = replace(text, "#server 127.0.0.1:4242", "server " + upstream)
        text = re.sub(r" *listen \[::\]:.*\n", "", text)  # not every machine has IPv6
        text = replace(text, "listen 80;", "listen 127.0.0.1:%d;" % self.plain)
        text = replace(text, "listen 443 ", "listen 127.0.0.1:%d " % self.port)
        text = replace(text, "/etc/letsencrypt/live/%s/fullchain.pem" % NAME, self.certificate)
        text = replace(text, "/etc/letsencrypt/live/%s/privkey.pem" % NAME, self.key)
        text = replace(text, "/var/log/nginx/", self.path(""))
        text = replace(text, "/var/www/html", self.path("html"))
        with open(self.path("beacond.conf"), "w", encoding="utf-8") as file:
            file.write(text)
        # In the foreground, in this directory, and with an operator who has everything compressed.
        places = "".join("%s_temp_path %s;\n" % (what, self.path(what))
                         for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return ("daemon off;\nmaster_process off;\npid %s;\nlock_file %s;\nerror_log %s;\n"
                "events { worker_connections 512; }\nhttp {\n%saccess_log off;\n"
                "gzip on;\ngzip_proxied any;\ngzip_types *;\ngzip_min_length 1;\ninclude %s;\n}\n"
                % (self.path("pid"), self.path("lock"), self.path("main.error.log"), places,
                   self.path("beacond.conf")))

    def arguments(self):
        return ["-p", self.directory, "-e", self.path("main.error.log"), "-c", self.path("config")]

    def test(self):
        return ["-t", *self.arguments()]


class Caddy(Front):
    name, version, example = "caddy", "version", "caddy/Caddyfile"

    def adapted(self, text, upstream):
        if upstream.startswith("unix:"):
            text = replace(text, SHIPPED_SOCKET, upstream[5:])
        else:
            text = replace(text, "to unix/" + SHIPPED_SOCKET + "\n", "to %s\n" % upstream)
            replace(text, "#to 127.0.0.1:4242", "")
        text = replace(text, "#tls /etc/ssl/certs/%s.pem /etc/ssl/private/%s.key" % (NAME, NAME),
                       "tls %s %s" % (self.certificate, self.key))
        text = replace(text, "/var/log/caddy/", self.path(""))
        return text.replace("\n{\n", "\n{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\thttp_port %d\n\thttps_port %d\n"
                            "\tgrace_period 100ms\n" % (self.plain, self.port), 1)

    def arguments(self):
        return ["run", "--config", self.path("config"), "--adapter", "caddyfile"]

    def test(self):
        return ["validate", "--config", self.path("config"), "--adapter", "caddyfile"]


# Slow is the daemon, and what it looks at with either is the same.
FRONTS = [Nginx] if harness.SLOW else [Nginx, Caddy]


def through(function):
    """A case for each proxy."""
    for kind in FRONTS:
        def one(kind=kind):
            function(kind)
        one.__name__ = "%s_%s" % (kind.name, function.__name__)
        case(one)
    return function


def settings(kind):
    """The lines of beacond.conf that the example names."""
    with open(os.path.join(CONTRIB, kind.example), encoding="utf-8") as file:
        found = re.findall(r"^#     (\S+ = .+)$", file.read(), re.M)
    assert len(found) == 4, found
    return found


def configured(kind, tcp=False):
    """A directory with beacond.conf as the example has it, and the address that it listens on."""
    place = directory()
    socket_path, keys = os.path.join(place, "beacond.sock"), os.path.join(place, "keys")
    with open(keys, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write("%s:ingest\n%s:query\n" % (SITE, MINE))
    text = "\n".join(settings(kind)) + "\n"
    text = replace(text, "/etc/beacond/keys", keys)
    text = replace(text, "unix:" + SHIPPED_SOCKET, "127.0.0.1:0" if tcp else "unix:" + socket_path)
    if tcp:
        text = replace(text, "trusted-proxy = unix", "trusted-proxy = 127.0.0.1")
    with open(os.path.join(place, "beacond.conf"), "w") as file:
        file.write(text)
    return os.path.join(place, "beacond.conf"), "unix:" + socket_path


def behind(kind, tcp=False, **options):
    """A daemon and the proxy in front of it. The daemon can be asked directly as well, by TCP."""
    kind.installed()
    config, path = configured(kind, tcp)
    options.setdefault("listen", "127.0.0.1:0" if tcp else ["127.0.0.1:0", path])
    daemon = Daemon(config=config, **options)
    daemon.config = config
    return daemon, kind(daemon.address if tcp else path)
