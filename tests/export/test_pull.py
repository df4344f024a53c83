"""`edgevoice models pull`: from a hub to a model that runs offline, through the command line, from a hub of our own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevoice.asr.bundle import load_bundle
from tests.checkpoints import LABELS, LETTERS, captions, intents
from tests.command_line import Cli, one_sentence
from tests.hub_server import HubServer, serving
from tests.readers import whisper
from tests.tiny import tiny_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint for captions, one for intents, a reader, and two whose weights are a pickle."""
    root = tmp_path_factory.mktemp("hub")
    whisper(root / "me" / "reader", ("en", "de"))
    captions(root / "me" / "captions")
    intents(root / "me" / "intents")
    for name in ("captions", "pickled", "reader", "pickled-reader"):
        (root / "me" / name).mkdir(exist_ok=True)
        (root / "me" / name / "pytorch_model.bin").write_bytes(b"\x80\x04cposix\nsystem\n.")
        (root / "me" / name / "modeling.py").write_text("raise SystemExit('it ran')\n")
    for file in (root / "me" / "captions").glob("*.json"):
        (root / "me" / "pickled" / file.name).write_bytes(file.read_bytes())
    for file in (root / "me" / "reader").glob("*.json"):
        (root / "me" / "pickled-reader" / file.name).write_bytes(file.read_bytes())
    return root


@pytest.fixture
def hub(repositories: Path) -> Iterator[HubServer]:
    """The hub, as long as there is a network."""
    with serving(repositories) as server:
        yield server


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A user with an empty cache."""
    return Cli(tmp_path, tmp_path / "none")


def online(cli: Cli, hub: HubServer) -> None:
    """Tells the client where its hub is."""
    cli.extra = {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(cli.home / "hf"),
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def test_two_checkpoints_become_a_model_that_runs_offline(cli: Cli, repositories: Path) -> None:
    """Fetched, converted, proved and named in one go; nothing but data was fetched; the hub is not asked again."""
    with serving(repositories) as hub:
        online(cli, hub)
        pulled = cli("models", "pull", "me/captions", "--intent", "me/intents", "--name", "desk", timeout=350)
        assert pulled.returncode == 0, pulled.stderr.decode()
        fetched = set(hub.fetched)
    assert {"me/captions/model.safetensors", "me/intents/model.safetensors", "me/captions/vocab.json"} <= fetched
    assert {Path(name).suffix for name in fetched} <= {".safetensors", ".json"}
    folder = cli.home / "data" / "edgevoice" / "models"
    assert f"written\t{folder / 'desk'}" in pulled.stdout.decode()
    assert "edgevoice live --model desk" in pulled.stderr.decode()
    assert [path.name for path in folder.iterdir()] == ["desk"]
    manifest = load_bundle(folder / "desk").manifest
    assert (manifest.name, manifest.kind, manifest.labels) == ("desk", "ctc+intent", LABELS)
    assert len(manifest.vocabulary) == len(LETTERS)
    assert manifest.parity["fp32"]["text_error"] == 0
    assert cli("models", "verify", "desk").returncode == 0
    clip = next(Path("export/clips").glob("*.ogg")).resolve()
    heard = cli("classify", clip, "--model", "desk", "--json")
    assert {row["label"] for row in json.loads(heard.stdout)} == set(LABELS)


def test_a_reader_is_fetched_as_one(cli: Cli, repositories: Path) -> None:
    """Nothing but data, proved, and named as what it is."""
    with serving(repositories) as hub:
        online(cli, hub)
        pulled = cli("models", "pull", "me/reader", "--as", "reader", timeout=350)
        assert pulled.returncode == 0, pulled.stderr.decode()
        assert {Path(name).suffix for name in hub.fetched} <= {".safetensors", ".json", ".txt"}
        assert "me/reader/model.safetensors" in hub.fetched
    assert "edgevoice live --reader reader" in pulled.stderr.decode()
    manifest = load_bundle(cli.home / "data" / "edgevoice" / "models" / "reader").manifest
    assert (manifest.kind, manifest.name, manifest.reader.name) == ("reader", "reader", "reader")
    assert manifest.reader.source == "me/reader of the Hugging Face hub"
    assert sorted(manifest.reader.languages) == ["de", "en"]
    assert manifest.reader.parity["fp32"]["text_error"] == 0
    listed = {row["name"]: row for row in json.loads(cli("models", "list", "--json").stdout)}
    assert (listed["reader"]["kind"], listed["reader"]["error"]) == ("reader", "")
    shown = cli("models", "info", "reader").stdout.decode()
    for line in ("reader: * reader", "architecture: * whisper", "languages: * de, en", "source: * me/reader"):
        assert re.search(line, shown), line
    assert "vocabulary" not in shown


@pytest.mark.parametrize(
    ("repository", "said"),
    [
        ("me/captions", "is a wav2vec2, which is no reader"),
        ("me/pickled-reader", "no weights (model.safetensors) of that name can be had"),
    ],
    ids=["captions", "pickle"],
)
def test_what_is_no_reader_is_not_fetched_as_one(cli: Cli, hub: HubServer, repository: str, said: str) -> None:
    """One sentence, exit code 1, and nothing is kept; nothing that could run was fetched."""
    online(cli, hub)
    result = cli("models", "pull", repository, "--as", "reader", timeout=350)
    assert result.returncode == 1
    assert said in one_sentence(result)
    assert not list((cli.home / "data" / "edgevoice" / "models").iterdir())
    assert not [name for name in hub.fetched if name.endswith((".bin", ".py"))]


@pytest.mark.parametrize(
    ("repository", "said"),
    [
        ("me/captions", "no weights (model.safetensors) of that name can be had"),
        ("me/pickled", "no weights (model.safetensors) of that name can be had"),
        ("me/nothing", "no configuration (config.json) of that name can be had"),
    ],
    ids=["breaks off", "pickle", "not there"],
)
def test_what_fails_leaves_what_was_there(cli: Cli, hub: HubServer, repository: str, said: str) -> None:
    """One sentence, exit code 1, and the model that was to be replaced is whole."""
    hub.breaks_off = "model.safetensors"
    online(cli, hub)
    folder = cli.home / "data" / "edgevoice" / "models"
    tiny_bundle(folder / "desk")
    result = cli("models", "pull", repository, "--name", "desk", "--force", timeout=350)
    assert result.returncode == 1
    assert said in one_sentence(result)
    assert [path.name for path in folder.iterdir()] == ["desk"]
    assert load_bundle(folder / "desk").manifest.name == "tiny-shared"
    assert not [name for name in hub.fetched if name.endswith((".bin", ".py"))]


def test_without_a_network_one_sentence_says_so(cli: Cli, repositories: Path) -> None:
    """At once, and the models folder stays empty."""
    with serving(repositories) as hub:
        online(cli, hub)
    del cli.extra["HF_HUB_OFFLINE"]
    result = cli("models", "pull", "me/captions", timeout=350)
    assert result.returncode == 1
    assert "the hub cannot be reached" in one_sentence(result)
    assert not list((cli.home / "data" / "edgevoice" / "models").iterdir())
