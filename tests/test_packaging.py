"""The wheel, in an empty environment, far from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from edgevoice import __version__
from edgevoice.events import CaptionFinished, IntentDetected, StreamEnded, StreamStarted, from_json

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("edgevoice-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel with its runtime dependencies, as tested, in an environment of its own; gives its bin folder."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--constraint", str(ROOT / "constraints.txt"), f"{wheel}[cpu]"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def outside(home: Path) -> dict[str, str]:
    """An environment in which nothing points back to the checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("EDGEVOICE_", "PYTHON", "XDG_"))}
    return kept | {"HOME": str(home)}


def test_the_wheel_holds_runtime_model_and_licence(wheel: Path) -> None:
    """The bundled model goes inside the package; the tests and the corpus stay out."""
    names = zipfile.ZipFile(wheel).namelist()
    for expected in (
        "edgevoice/py.typed",
        "edgevoice/tui/letters.txt",
        "edgevoice/tui/screen.tcss",
        "edgevoice/_bundled/banking-en/edgevoice.json",
        "edgevoice/_bundled/banking-en/sample_call.flac",
        "edgevoice/_bundled/moonshine-tiny/edgevoice.json",
        "edgevoice/_bundled/moonshine-tiny/reader.decoder.int8.onnx",
        "export/moonshine_card.md",
        f"edgevoice-{__version__}.dist-info/entry_points.txt",
        f"edgevoice-{__version__}.dist-info/licenses/LICENSE",
        "training/cli.py",
        "training/configs/small.toml",
        "training/banking_en/sample_call.csv",
        "export/cli.py",
        "export/clips/manifest.csv",
        "export/clips/librispeech-12.ogg",
    ):
        assert expected in names
    assert {name.split("/")[0] for name in names} <= {
        "edgevoice",
        "training",
        "export",
        "bench",
        f"edgevoice-{__version__}.dist-info",
    }


def test_the_installed_demo_captions_the_sample_call(installed: Path, tmp_path: Path) -> None:
    """With the bundled model; words, intents and a proper end."""
    done = subprocess.run(
        [installed / "edgevoice", "demo", "--json", "--fast"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=outside(tmp_path),
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    heard = [from_json(line) for line in done.stdout.splitlines()]
    assert isinstance(heard[0], StreamStarted)
    assert heard[0].provider == "cpu"
    assert isinstance(heard[-1], StreamEnded)
    assert any(isinstance(event, CaptionFinished) and event.text for event in heard)
    assert any(isinstance(event, IntentDetected) for event in heard)


def test_the_installed_environment_has_no_training_stack(installed: Path, tmp_path: Path) -> None:
    """The runtime alone; training says how to install the rest."""
    listed = subprocess.run(
        [installed / "python", "-m", "pip", "list"], capture_output=True, text=True, env=outside(tmp_path), check=True
    )
    names = {line.split()[0].lower() for line in listed.stdout.splitlines()[2:]}
    assert not names & {"torch", "transformers", "optimum", "datasets", "onnx"}
    assert "onnxruntime" in names
    config = ROOT / "training" / "configs" / "banking-en.toml"
    done = subprocess.run(
        [installed / "edgevoice", "train", "joint", "--config", str(config), "--output", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=outside(tmp_path),
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'edgevoice[train,export]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_constraints_pin_every_dependency_exactly() -> None:
    """And name no address: where packages come from is the business of the machine."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.count("==") == 1 and "/" not in line and "+" not in line for line in lines)
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(each for name, extra in extras.items() if name != "silero" for each in extra)]
    names = {each.split("[")[0].split(">")[0].split("=")[0].split("<")[0].lower() for each in needed}
    assert names <= pinned
