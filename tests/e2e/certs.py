"""Certificates for tests, made by the openssl command where and when they are needed.

authority(): a directory with ca.pem, cert.pem (localhost, 127.0.0.1, ::1; signed by it) and key.pem,
made once for all cases. issue(): more of them. context(): a client that trusts the authority.

Secure is the socket of such a client: what the tests do with sockets works on it, too."""

import atexit
import os
import shutil
import socket
import ssl
import subprocess
import tempfile

_made = None


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def there():
    return shutil.which("openssl") is not None


def issue(folder, name="cert", key="key", days=("-days", "30"), signer=None):
    """Makes folder/name.pem and folder/key.pem, signed by the authority in signer, else by itself."""
    paths = {what: os.path.join(folder, what) for what in ("request.pem", name + ".pem", key + ".pem")}
    extra = os.path.join(folder, "extra.cnf")
    with open(extra, "w") as file:
        file.write("basicConstraints=CA:%s\n" % ("FALSE" if signer else "TRUE"))
        file.write("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=beacond test %s" % name, "-keyout", paths[key + ".pem"], "-out", paths["request.pem"])
    own = (["-CA", os.path.join(signer, "ca.pem"), "-CAkey", os.path.join(signer, "ca-key.pem")]
           if signer else ["-signkey", paths[key + ".pem"]])
    openssl("x509", "-req", "-in", paths["request.pem"], "-extfile", extra, "-CAcreateserial",
            "-out", paths[name + ".pem"], *own, *days)
    return paths[name + ".pem"], paths[key + ".pem"]


def authority():
    global _made
    if _made is None:
        _made = tempfile.mkdtemp(prefix="beacond-e2e-certs-")
        atexit.register(shutil.rmtree, _made, ignore_errors=True)
        issue(_made, "ca", "ca-key")
        issue(_made, signer=_made)
    return _made


class Secure(ssl.SSLSocket):
    def shutdown(self, how):
        """Of the connection below: TLS knows no more of it than of a lost client."""
        socket.socket.shutdown(self, how)

    def recv(self, size=1024, flags=0):
        """A peek sees what has been encrypted: whether there is anything."""
        return socket.socket.recv(self, size, flags) if flags else super().recv(size)

    def waits(self):
        """What has come, without waiting for it: bytes, or None for nothing."""
        patience = self.gettimeout()
        self.settimeout(0)
        try:
            return self.recv(65536)
        except ssl.SSLWantReadError:
            return None
        finally:
            self.settimeout(patience)


def context():
    found = ssl.create_default_context(cafile=os.path.join(authority(), "ca.pem"))
    found.sslsocket_class = Secure
    return found
