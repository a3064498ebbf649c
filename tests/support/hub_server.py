"""A hub of models on this machine, as far as the client of Hugging Face asks one: look-ups, downloads, ranges."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote

COMMIT = "c0ffee" + "0" * 34


@dataclass
class HubServer:
    """What is published, how it misbehaves, and what was asked of it."""

    folder: Path
    breaks: set[str] = field(default_factory=set)
    """Files whose first transfer ends in the middle."""
    ranges: list[tuple[str, str]] = field(default_factory=list)
    """File and Range header of every request that had one."""
    url: str = ""


@contextmanager
def hub_server(folder: Path) -> Iterator[HubServer]:
    """Serve the files below ``folder`` as any repository's."""
    hub = HubServer(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self._file(body=False)

        def do_GET(self) -> None:
            if self.path.startswith("/api/models/"):
                self._json({"id": "somebody/models", "modelId": "somebody/models", "sha": COMMIT, "siblings": []})
            else:
                self._file(body=True)

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
            paths = parse_qs(asked)["paths"]
            self._json([_described(folder, name) for name in paths if (folder / name).is_file()])

        def _json(self, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _file(self, *, body: bool) -> None:
            name = unquote(self.path.partition(f"/resolve/{COMMIT}/")[2]).partition("?")[0]
            path = folder / name
            if not name or not path.is_file():
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.send_header("X-Error-Code", "EntryNotFound")
                self.end_headers()
                return
            data = path.read_bytes()
            wanted = self.headers.get("Range", "")
            start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted and body else 0
            if wanted:
                hub.ranges.append((name, wanted))
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if not body:
                return
            if name in hub.breaks:
                hub.breaks.remove(name)
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(data[start:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _described(folder: Path, name: str) -> dict[str, object]:
    data = (folder / name).read_bytes()
    described: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
    if not name.endswith(".json"):  # the hub knows the sha256 of large files only
        described["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return described
