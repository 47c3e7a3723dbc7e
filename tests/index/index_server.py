"""A package index of one's own on 127.0.0.1, with every bad habit of a real one."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def make_wheel(name, version, *, tag="py3-none-any", requires=(), python="", extra=b""):
    """Return the file name and the bytes of a wheel that holds next to nothing."""
    distribution = name.replace("-", "_")
    info = f"{distribution}-{version}.dist-info"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    lines += [f"Requires-Dist: {item}\n" for item in requires]
    lines += [f"Requires-Python: {python}\n"] if python else []
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in {
            f"{distribution}.py": b"value = 1\n" + extra,
            f"{info}/METADATA": "".join(lines).encode(),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
            f"{info}/RECORD": b"",
        }.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), data)
    return f"{distribution}-{version}-{tag}.whl", buffer.getvalue()


@dataclass
class Habits:
    """How the server behaves; the defaults are those of a good one."""

    json: bool = False
    hashes: bool = True
    ranges: bool = True
    login: tuple[str, str] | None = None
    fail: dict[str, list[int]] = field(default_factory=dict)
    """Path's ending -> statuses to answer with first."""
    truncate: dict[str, list[int]] = field(default_factory=dict)
    """Path's ending -> how many bytes to send before hanging up, each once."""
    replace: dict[str, bytes] = field(default_factory=dict)
    """Path's ending -> other bytes than the ones promised."""
    delay: float = 0.0
    """Seconds between two pieces of a file."""
    head: bool = True


class IndexServer:
    """Serves wheels as ``/simple/<name>/``, as one page ``/links.html`` and as ``/files/<filename>``."""

    def __init__(self):
        self.files = {}
        self.habits = Habits()
        self.requests = []
        handler = type("Handler", (Handler,), {"index": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def root(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def simple(self):
        return f"{self.root}/simple"

    @property
    def host(self):
        return self.root.removeprefix("http://")

    def url(self, filename):
        return f"{self.root}/files/{filename}"

    def add(self, name, version, **rest):
        filename, data = make_wheel(name, version, **rest)
        self.files[filename] = data
        return filename

    def sha256(self, filename):
        return hashlib.sha256(self.files[filename]).hexdigest()

    def asked_for(self, ending):
        """Return the requests for a path, each as (method, range header)."""
        return [(method, ranges) for method, path, ranges in self.requests if path.endswith(ending)]

    def close(self):
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    index: IndexServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        if not self.index.habits.head:
            self._send(405, b"", "text/plain")
        else:
            self.do_GET()

    def do_GET(self):
        index, path = self.index, self.path.partition("?")[0]
        index.requests.append((self.command, path, self.headers.get("Range")))
        for ending, statuses in index.habits.fail.items():
            if path.endswith(ending) and statuses:
                return self._send(statuses.pop(0), b"no", "text/plain")
        if index.habits.login and self.headers.get("Authorization") != _basic(*index.habits.login):
            return self._send(401, b"who are you?", "text/plain", {"WWW-Authenticate": 'Basic realm="x"'})
        if path == "/links.html":
            return self._send(200, self._make_page(sorted(index.files)), "text/html")
        if path.endswith("/"):  # /simple/<name>/, or below any other root
            return self._send_project(path.split("/")[-2])
        if path.startswith("/files/") and path[7:] in index.files:
            return self._send_file(path[7:])
        return self._send(404, b"nothing here", "text/plain")

    def _send_project(self, name):
        mine = sorted(f for f in self.index.files if f.split("-")[0] == name.replace("-", "_"))
        if not mine:
            return self._send(404, b"no such project", "text/plain")
        if self.index.habits.json:
            return self._send(200, self._make_json(name, mine), "application/vnd.pypi.simple.v1+json")
        return self._send(200, self._make_page(mine), "text/html")

    def _make_page(self, names):
        links = (f'<a href="/files/{name}{self._fragment(name)}">{name}</a><br>' for name in names)
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()

    def _fragment(self, name):
        return f"#sha256={self.index.sha256(name)}" if self.index.habits.hashes else ""

    def _make_json(self, project, names):
        files = [
            {
                "filename": name,
                "url": f"/files/{name}",
                "hashes": {"sha256": self.index.sha256(name)} if self.index.habits.hashes else {},
                "size": len(self.index.files[name]),
            }
            for name in names
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": files}).encode()

    def _send_file(self, name):
        habits, data = self.index.habits, self.index.files[name]
        data = next((other for ending, other in habits.replace.items() if name.endswith(ending)), data)
        start, headers, status = 0, {}, 200
        asked = self.headers.get("Range", "")
        if habits.ranges and asked.startswith("bytes="):
            first, _, last = asked[6:].partition("-")
            start = int(first) if first else max(0, len(data) - int(last))
            end = int(last) + 1 if first and last else len(data)
            if start >= len(data):
                return self._send(416, b"", "text/plain", {"Content-Range": f"bytes */{len(data)}"})
            status, headers = 206, {"Content-Range": f"bytes {start}-{min(end, len(data)) - 1}/{len(data)}"}
            data = data[:end]
        cut = next((cuts.pop(0) for ending, cuts in habits.truncate.items() if name.endswith(ending) and cuts), None)
        return self._send(status, data[start:], "application/octet-stream", headers, cut)

    def _send(self, status, body, kind, headers=None, cut=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.index.habits.ranges:
            self.send_header("Accept-Ranges", "bytes")
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        body = body if cut is None else body[:cut]
        try:
            for start in range(0, len(body), 1 << 16):
                self.wfile.write(body[start : start + (1 << 16)])
                self.wfile.flush()
                time.sleep(self.index.habits.delay)
        except OSError:
            self.close_connection = True
        if cut is not None:
            self.close_connection = True

    def log_message(self, *args):
        pass


def _basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
