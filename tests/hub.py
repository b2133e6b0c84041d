"""A local model hub for huggingface_hub, which can cut off, damage and gate files."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c" * 40
MODEL = re.compile(r"/api/models/([^/]+/[^/]+?)(?:/revision/main)?")
FILE = re.compile(rf"/([^/]+/[^/]+)/resolve/(?:main|{COMMIT})/(.+)")
LARGE = 10_000
CUT_AFTER = 12_000_000


class Hub:
    """A hub: ``repositories`` maps repository and file name to content, ``files`` other paths, served without hub headers."""

    def __init__(self, repositories: dict[str, dict[str, bytes]] | None = None) -> None:
        self.repositories = repositories or {}
        self.files: dict[str, bytes] = {}
        self.gated: set[str] = set()
        self.members: set[str] = set()  # tokens with access to gated repositories
        self.damaged: set[str] = set()
        self.held: set[str] = set()  # files whose second half waits until they are removed from here
        self.cuts: dict[str, int] = {}  # file name → number of its responses to cut off
        self.ranges: list[tuple[str, str | None]] = []  # file name and Range header of every GET
        hub = self

        class Handler(Answering):
            owner = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Answering(BaseHTTPRequestHandler):
    owner: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Log nothing; tests look at ``ranges``."""

    def _answer(self) -> None:
        if model := MODEL.fullmatch(self.path):
            self._describe(model[1])
        elif file := FILE.fullmatch(self.path):
            self._serve(file[1], file[2])
        elif self.path in self.owner.files:
            self._send(self.path.rsplit("/", 1)[-1], self.owner.files[self.path], {})
        else:
            self._refuse(404, "EntryNotFound")

    def _describe(self, repo: str) -> None:
        if repo not in self.owner.repositories:
            return self._refuse(401, "RepoNotFound")  # the hub answers 401, not 404, for unknown repositories
        siblings = [{"rfilename": name} for name in self.owner.repositories[repo]]
        body = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
        self._send("", json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _serve(self, repo: str, name: str) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repo in self.owner.gated and token not in self.owner.members:
            return self._refuse(403 if token else 401, "GatedRepo")
        content = self.owner.repositories.get(repo, {}).get(name)
        if content is None:
            return self._refuse(404, "EntryNotFound")
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag(content)}"'}
        if name in self.owner.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self._send(name, content, headers)

    def _send(self, name: str, content: bytes, headers: dict[str, str]) -> None:
        start = 0
        if name and self.command == "GET":
            self.owner.ranges.append((name, self.headers.get("Range")))
            start = int(re.sub(r"\D", "", self.headers.get("Range", "0")))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for header, value in {**headers, "Content-Length": str(len(content) - start)}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if name and self.owner.cuts.get(name, 0) > 0:
            self.owner.cuts[name] -= 1
            self.wfile.write(content[start : start + CUT_AFTER])
            self.close_connection = True
            return
        middle = (start + len(content)) // 2
        self.wfile.write(content[start:middle])
        while name in self.owner.held:
            time.sleep(0.01)
        self.wfile.write(content[middle:])

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def etag(content: bytes) -> str:
    """The hub's ETag: SHA-256 of large files, git's SHA-1 of small ones."""
    if len(content) > LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
