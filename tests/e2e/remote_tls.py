"""A server that is reached over TLS, with a password: what of it is verified, and that all of it is encrypted."""

import os
import shutil

import certs
import postgres
from harness import Daemon, Skip, case, directory, equal, event, lasting_address, main, run
from psql import psql, rows

SECRET = "s3cr3t w0rd/+&"


class Guarded:
    """A server that takes no connection over TCP but with TLS and a password."""

    def __init__(self):
        if b"PostgreSQL: no" in run("--version").stdout:
            raise Skip("built without PostgreSQL")
        if not certs.there():
            raise Skip("openssl is not installed")
        self.port = lasting_address().split(":")[1]
        self.server = postgres.Server(port=self.port)
        self.database = self.server.database().split("?")[0].split("/")[-1]
        psql(self.admin(), "alter role %s password '%s'" % (postgres.USER, SECRET))
        for name in "cert.pem", "key.pem":
            path = os.path.join(self.server.data, name)
            shutil.copy(os.path.join(certs.authority(), name), path)
            os.chmod(path, 0o600)
            if self.server.person:
                os.chown(path, *self.server.person)
        with open(os.path.join(self.server.data, "pg_hba.conf"), "w") as file:
            file.write("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        self.server.configure(port=self.port, listen_addresses="127.0.0.1", ssl="on", ssl_cert_file="cert.pem",
                              ssl_key_file="key.pem")
        self.server.restart()

    def admin(self):
        return self.server.admin(self.database)

    def uri(self, mode="verify-full", authority=None, secret=SECRET, host="localhost"):
        """With the password in a file, as the manual has it."""
        folder = directory()
        with open(os.path.join(folder, "pgpass"), "w") as file:
            file.write("%s:%s:%s:%s:%s\n" % (host, self.port, self.database, postgres.USER, secret))
        os.chmod(file.name, 0o600)
        return "postgresql://%s@%s:%s/%s?sslmode=%s&sslrootcert=%s&passfile=%s" % (
            postgres.USER, host, self.port, self.database, mode,
            authority or os.path.join(certs.authority(), "ca.pem"), file.name)


@case
def a_server_over_tls_takes_events_and_every_session_is_encrypted():
    guarded = Guarded()
    uri = guarded.uri()
    daemon = Daemon(database=uri)
    daemon.save([event(id="a-%d" % n) for n in range(20)])
    equal(daemon.total(), 20)
    equal(rows(guarded.admin(), "select count(*) > 2, bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid)"
               " where client_addr is not null"), [(True, True)])
    done = run("check", "--database", uri)
    equal(done.returncode, 0, (done.stdout + done.stderr).decode())
    assert SECRET not in "\n".join(daemon.log())


@case
def another_servers_certificate_is_refused():
    guarded = Guarded()
    other = directory()
    certs.issue(other, "ca", "ca-key")
    for uri, why in ((guarded.uri(authority=os.path.join(other, "ca.pem")), "certificate verify failed"),
                     (guarded.uri(authority=os.path.join(other, "none.pem")), "none.pem"),
                     (guarded.uri(host="db.example.org") + "&hostaddr=127.0.0.1", "does not match host name"),
                     (guarded.uri(mode="disable"), "no encryption"),
                     (guarded.uri(secret="wrong"), "password authentication failed")):
        done = run("stats", "--database", uri)
        words = (done.stdout + done.stderr).decode()
        equal(done.returncode, 1, words)
        assert why in words, words
        assert SECRET not in words, words


main()
