"""A container registry on the loopback, just enough for one pull: engines take 127.0.0.0/8 without TLS."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        info = tarfile.TarInfo("hello")
        info.size = 5
        out.addfile(info, io.BytesIO(b"hello"))
    return buffer.getvalue()


class Registry(ThreadingHTTPServer):
    """Serves one image under every name; with `stall` set, its layer never arrives."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stall = False
        self.ended = threading.Event()
        plain = layer()
        self.layer = gzip.compress(plain)
        rootfs = {"type": "layers", "diff_ids": [digest(plain)]}
        self.config = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
        ).encode()
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self._entry(CONFIG, self.config),
                "layers": [self._entry(LAYER, self.layer)],
            }
        ).encode()

    @staticmethod
    def _entry(kind: str, content: bytes) -> dict[str, object]:
        return {"mediaType": kind, "size": len(content), "digest": digest(content)}

    @property
    def image(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}/lab/kafka:1"

    def answer(self, path: str) -> tuple[str, bytes] | None:
        if path == "/v2/":
            return "application/json", b"{}"
        if "/manifests/" in path:
            return MANIFEST, self.manifest
        blobs = {digest(content): content for content in (self.config, self.layer)}
        content = blobs.get(path.rpartition("/")[2])
        return ("application/octet-stream", content) if content else None


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        found = self.server.answer(self.path)
        if found is None:
            self.send_error(404)
            return
        kind, content = found
        if content is self.server.layer and self.server.stall:
            self.server.ended.wait(60)
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", digest(content))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815 -- the base class looks for this name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class named it
        """Stay quiet."""


@contextmanager
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
