"""A hub of the tests' own, from which the real client downloads: repositories are folders."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "1" * 40


class HubServer(ThreadingHTTPServer):
    """Serves `root/OWNER/NAME/FILE`."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.root = root
        self.fetched: list[str] = []
        """Paths below the root of the files that were downloaded."""
        self.breaks_off = ""
        """Name of a file of which only the first half is sent."""

    @property
    def address(self) -> str:
        """For HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(root: Path) -> Iterator[HubServer]:
    """A hub that runs meanwhile."""
    with HubServer(root) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Answers(BaseHTTPRequestHandler):
    """The few calls that a download makes."""

    server: HubServer

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        asked = unquote(urlsplit(self.path).path).removeprefix("/api/models").strip("/")
        owner, name, action, _, file = [*asked.split("/", 4), "", "", "", ""][:5]
        repository = self.server.root / owner / name
        if action == "resolve" and (repository / file).is_file():
            self._send(repository / file)
        elif repository.is_dir():
            self._refuse(404, "EntryNotFound")
        else:
            self._refuse(401, "RepoNotFound")

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _send(self, file: Path) -> None:
        size = file.stat().st_size
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(file.read_bytes()).hexdigest()}"')
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command != "GET":
            return
        self.server.fetched.append(str(file.relative_to(self.server.root)))
        if file.name == self.server.breaks_off:
            self.wfile.write(file.read_bytes()[: size // 2])
            self.close_connection = True
            return
        with file.open("rb") as stream:
            shutil.copyfileobj(stream, self.wfile)

    def _refuse(self, status: int, code: str) -> None:
        body = json.dumps({"error": code}).encode()
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
