"""What is asked of the network, and when."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.small import TINY_WAV2VEC2, small_corpus, tiny_recipe
from training import network
from training.config import save_config
from training.run import train


@pytest.mark.parametrize(
    ("name", "of_the_hub"),
    [
        ("facebook/wav2vec2-base", True),
        ("PolyAI/minds14:en-US,de-DE", True),
        ("banking-en", False),
        ("models/banking-en", False),
        ("runs/not/there", False),
        ("./there", False),
        ("/there", False),
        ("clips.csv", False),
        ("", False),
    ],
)
def test_what_can_only_be_of_the_hub(name: str, of_the_hub: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    assert network.is_hub_name(name) == of_the_hub


def offline_after(
    names: list[str], monkeypatch: pytest.MonkeyPatch, *, needed: bool = False, **environment: str
) -> bool:
    for variable in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "")  # so that it is put back
        del os.environ[variable]
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    network.allow(names, needed=needed)
    return network.off()


def test_the_network_is_for_names_of_the_hub_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only where the hub answers, a proxy stands in between, or the user has said so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        hub = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not offline_after(["me/model"], monkeypatch, HF_ENDPOINT=hub)
        assert offline_after(["banking-en", "clips.csv"], monkeypatch, HF_ENDPOINT=hub)
        assert not offline_after(["clips.csv"], monkeypatch, needed=True, HF_ENDPOINT=hub)
        for variable in ("TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
            assert offline_after(["me/model"], monkeypatch, HF_ENDPOINT=hub, **{variable: "1"})
            monkeypatch.delenv(variable)
    assert offline_after(["me/model"], monkeypatch, HF_ENDPOINT=hub)
    assert not offline_after(["me/model"], monkeypatch, HF_ENDPOINT=hub, HTTPS_PROXY="http://proxy:1")
    assert not offline_after(["me/model"], monkeypatch, HF_ENDPOINT=hub, HF_HUB_OFFLINE="0")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "ctc", "--data", "{clips}", "--output", "run", "--model", "me/model"], "hf download me/model"),
        (["train", "ctc", "--data", "me/data", "--output", "run"], "The data set 'me/data' is not in the cache"),
        (["train", "predict", "me/model", "a.wav"], "(config.json) of 'me/model' is not in the cache"),
        (["export", "me/model", "--output", "bundle"], "(config.json) of 'me/model' is not in the cache"),
    ],
    ids=["model", "data", "predict", "export"],
)
def test_without_a_network_one_sentence_says_what_is_missing(tmp_path: Path, arguments: list[str], said: str) -> None:
    """No line for every try, no minute of waiting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    environment = {**os.environ, "HF_ENDPOINT": closed, "HF_HOME": str(tmp_path / "hub")}
    environment.pop("HF_HUB_OFFLINE", None)
    clips = str(small_corpus(tmp_path))
    command = [sys.executable, "-m", "edgevoice", *(each.format(clips=clips) for each in arguments)]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=100, check=False
    )
    assert ended.returncode in (1, 2)
    assert said in ended.stderr
    assert "the hub cannot be reached" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


class Nothing(BaseHTTPRequestHandler):
    """A hub that has nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_error(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def asked_by(arguments: list[str], folder: Path) -> tuple[list[str], str]:
    """What a command asks a hub for, and what it says in the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {**os.environ, "HF_HOME": str(folder / "hub")}
        environment["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
        for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
            environment.pop(variable, None)
        ended = subprocess.run(
            [sys.executable, "-m", "edgevoice", "train", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=100,
            check=False,
        )
        server.shutdown()
        return server.asked, ended.stderr  # type: ignore[attr-defined]


@pytest.mark.parametrize("by", ["recipe", "assignment", "run"])
def test_data_that_only_a_recipe_names_is_had_from_the_hub(tmp_path: Path, by: str) -> None:
    """Whether it is in a file, on the command line, or what a run was trained on."""
    (tmp_path / "recipe.toml").write_text('[data]\nsources = ["me/data"]\n', encoding="utf-8")
    arguments = {
        "recipe": ["validate", "intent", "--config", str(tmp_path / "recipe.toml")],
        "assignment": ["validate", "intent", "--set", 'data.sources=["me/data"]'],
        "run": ["calibrate", str(tmp_path / "run")],
    }
    if by == "run":
        config = tiny_recipe(small_corpus(tmp_path), TINY_WAV2VEC2, "trainer.max_steps=1")
        train("intent", config, tmp_path / "run")
        elsewhere = dataclasses.replace(config.data, sources=("me/data",), streaming=True)
        save_config(dataclasses.replace(config, data=elsewhere), "intent", tmp_path / "run")
    asked, said = asked_by(arguments[by], tmp_path)
    assert any("me/data" in path for path in asked)
    assert "The data set 'me/data' cannot be had from the hub" in said
    assert len(said.splitlines()) == 1
