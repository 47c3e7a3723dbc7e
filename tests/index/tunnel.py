"""An HTTPS proxy that answers for every host itself, so that public servers can be played on a machine without them."""

from __future__ import annotations

import ssl
import subprocess
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

from index_server import Handler


class Tunnel:
    """Certifies each host it is asked for with its own authority, ``ca``, and serves ``indexes`` under them."""

    def __init__(self, folder: Path, choose):
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.hosts = set()
        self._lock = threading.Lock()
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem")
        handler = type("TunnelHandler", (_TunnelHandler,), {"tunnel": self, "choose": staticmethod(choose)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def context_for(self, host):
        with self._lock:
            self.hosts.add(host)
            if not (self.folder / f"{host}.pem").exists():
                self._certify(host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{host}.pem", self.folder / f"{host}.key")
        return context

    def _certify(self, host):
        (self.folder / f"{host}.ext").write_text(f"subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n")
        self._run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{host}.key", "-out", f"{host}.csr")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{host}.ext"]
        self._run("x509", "-req", "-in", f"{host}.csr", "-out", f"{host}.pem", *signing, subject=False)

    def _run(self, *arguments, subject=True):
        extra = ["-subj", "/CN=test"] if subject else []
        subprocess.run(["openssl", *arguments, *extra], cwd=self.folder, check=True, capture_output=True)


class _TunnelHandler(Handler):
    """Opens the tunnel, and then speaks for whoever is at its other end."""

    tunnel: Tunnel

    def do_CONNECT(self):  # noqa: N802 - http.server's name
        host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        try:
            self.connection = self.tunnel.context_for(host).wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, OSError):  # the client does not trust us: that is a test, too
            self.close_connection = True
            return
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.index = self.choose(host)
        self.close_connection = False

    def finish(self):
        super().finish()
        self.connection.close()
