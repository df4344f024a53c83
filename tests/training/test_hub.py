"""Giving a checkpoint away, to a hub of the test's own: the real client, a small server that speaks its protocol."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgevoice.errors import UsageError
from training import hub


class Hub(ThreadingHTTPServer):
    """Takes what is pushed to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files: dict[str, bytes] = {}
        self.tokens: set[str] = set()
        self.refuses = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    """The few calls that a push makes."""

    server: Hub

    def do_GET(self) -> None:
        self._answer({"id": "me/intents", "sha": "0" * 40, "siblings": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.tokens.add(self.headers.get("Authorization", ""))
        if self.server.refuses:
            self._answer({"error": "no more room"}, 403)
        elif self.path == "/api/repos/create":
            name = f"{json.loads(body).get('organization') or 'me'}/{json.loads(body)['name']}"
            self._answer({"url": f"{self.server.address}/{name}", "name": name, "id": "1"})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            self._answer(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]}
            )
        elif "/commit/" in self.path:
            for line in body.splitlines():
                value = json.loads(line)
                if value["key"] == "file":
                    self.server.files[value["value"]["path"]] = base64.b64decode(value["value"]["content"])
            self._answer({"commitUrl": f"{self.server.address}/me/x/commit/1", "commitOid": "1" * 40})
        else:
            self._answer({"errors": [], "warnings": []})

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Where the client believes the hub is."""
    with Hub() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", made.address)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", made.address)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        yield made
        made.shutdown()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with what belongs to a checkpoint and what does not."""
    for name in ("README.md", "model.safetensors", "config.json", "training_args.bin", "checkpoint-5/optimizer.pt"):
        file = tmp_path / "run" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"what {name} holds", encoding="utf-8")
    return tmp_path / "run"


def test_the_checkpoint_is_pushed_and_nothing_else(server: Hub, run: Path) -> None:
    """No pickles, no optimiser, with the token that the library keeps."""
    address = hub.push(run, "me/intents")
    assert address == f"{server.address}/me/intents"
    assert set(server.files) == {"README.md", "model.safetensors", "config.json"}
    assert server.files["config.json"] == b"what config.json holds"
    assert server.tokens == {"Bearer hf_secret"}


def test_a_hub_that_refuses_is_one_sentence(server: Hub, run: Path) -> None:
    """It names where the run is, and not the token."""
    server.refuses = True
    with pytest.raises(hub.HubError, match="could not be pushed") as caught:
        hub.push(run, "me/intents")
    assert str(run) in str(caught.value)
    assert "the same command pushes it" in str(caught.value)
    assert "hf_secret" not in str(caught.value)


def test_without_a_token_it_is_said_before_the_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.utils._auth.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="Nobody is logged in"):
        hub.check_login("me/intents")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.check_login("me/intents")
    for name in ("a/b/c", "me/a b c", "/", "", "me/" + "x" * 200):
        with pytest.raises(UsageError, match="is no name of a repository"):
            hub.check_login(name)


def test_without_a_network_it_is_said_before_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="The hub cannot be reached"):
        hub.check_login("me/intents")
