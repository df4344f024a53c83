"""What `doctor`, `classify` and `transcribe` say of a GPU that does not do what it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import typer

from edgevoice.asr import session as sessions
from edgevoice.asr.session import Session
from edgevoice.commands.checks import check_all
from edgevoice.commands.classify import classify
from edgevoice.commands.transcribe import transcribe
from tests.pretended_gpu import CPU, CUDA, Runtime
from tests.tiny import speak, tiny_bundle


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Runtime]:
    """Pretends one, with nobody's settings."""

    def install(**options: object) -> Runtime:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        fake = Runtime([CUDA, CPU], [CUDA, CPU], **options)
        monkeypatch.setattr(sessions, "_runtime", lambda: fake)
        monkeypatch.setattr(sessions, "gpu_present", lambda: True)
        return fake

    return install


@pytest.fixture
def lost_at_the_start(gpu: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU on which a session opens, and that fails when it is to run."""
    fake = gpu()
    keep = Session.keep

    def kept(*arguments: object, **named: object) -> None:
        keep(*arguments, **named)  # type: ignore[arg-type]
        fake.lost = "/"

    monkeypatch.setattr(Session, "keep", kept)


def provider(model: Path, wanted: str) -> tuple[str, str]:
    """What doctor says of it."""
    (check,) = (each for each in check_all(str(model), wanted) if each.name == "provider")
    return check.status, check.detail


@pytest.mark.usefixtures("lost_at_the_start")
def test_doctor_passes_no_cpu_for_a_cuda_that_was_named(tmp_path: Path) -> None:
    model = tiny_bundle(tmp_path / "tiny").path
    status, detail = provider(model, "cuda")
    assert status == "fail"
    assert "CUDA failure 2" in detail


@pytest.mark.usefixtures("lost_at_the_start")
def test_doctor_warns_of_a_fallback(tmp_path: Path) -> None:
    model = tiny_bundle(tmp_path / "tiny").path
    status, detail = provider(model, "auto")
    assert status == "warn"
    assert detail.startswith("cpu, not cuda: ")
    assert "CUDA failure 2" in detail


def test_doctor_warns_of_a_variant_that_gives_no_numbers(tmp_path: Path, gpu: Callable[..., Runtime]) -> None:
    model = tiny_bundle(tmp_path / "tiny", precisions=("fp32", "fp16")).path
    gpu(no_numbers="model.fp16")
    status, detail = provider(model, "cuda")
    assert status == "warn"
    assert detail.startswith("cuda, fp32: model.fp16.onnx puts out values that are no numbers")


def test_doctor_passes_a_gpu_that_works(tmp_path: Path, gpu: Callable[..., Runtime]) -> None:
    gpu()
    assert provider(tiny_bundle(tmp_path / "tiny").path, "cuda") == ("pass", "cuda, fp32")


@pytest.mark.usefixtures("lost_at_the_start")
def test_classify_says_that_it_fell_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, in one line; the answer is the same."""
    soundfile.write(tmp_path / "pay.flac", speak("two two two two"), 16_000)
    classify(str(tmp_path / "pay.flac"), 1, str(tiny_bundle(tmp_path / "tiny").path), "auto")
    shown = capsys.readouterr()
    assert shown.out.split()[-1] == "pay"
    assert shown.err == "edgevoice: The model failed on cuda: CUDA failure 2: out of memory\n"


@pytest.mark.usefixtures("lost_at_the_start")
def test_transcribe_says_that_it_fell_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "one.flac", speak("one one"), 16_000)
    with pytest.raises(typer.Exit) as ended:
        transcribe([tmp_path / "one.flac"], model=str(tiny_bundle(tmp_path / "tiny").path), provider="auto")
    assert ended.value.exit_code == 0
    assert capsys.readouterr().err == "edgevoice: The model failed on cuda: CUDA failure 2: out of memory\n"
