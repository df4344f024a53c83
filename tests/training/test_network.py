"""What is asked of the network, and when."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small import small_corpus
from training import network


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
