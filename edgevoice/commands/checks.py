"""What `edgevoice doctor` looks at. Each check is one function that never raises what its user can repair."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from edgevoice.commands.options import open_model, settings_for
from edgevoice.config import Settings
from edgevoice.config_file import action_place
from edgevoice.errors import ConfigError, EdgeVoiceError, PortAudioMissingError
from edgevoice.paths import config_file, find_model
from edgevoice.text import plain

Status = Literal["pass", "warn", "fail"]

RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    """What to do, for a warning or a failure."""


def check_all(model: str | None = None, provider: str | None = None) -> list[Check]:
    """Every check, in the order in which one would repair things."""
    configuration, settings = check_configuration(model, provider)
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("portaudio", check_portaudio),
        ("microphone", lambda: check_microphone(settings)),
        ("vad", lambda: check_detector(settings)),
        ("onnxruntime", lambda: check_runtime(remote=bool(settings.asr.remote))),
        ("model", lambda: check_model(settings)),
        ("provider", lambda: check_provider(settings)),
        ("actions", lambda: check_actions(settings)),
    ]
    return [configuration, *(guarded(name, check) for name, check in checks)]


def check_configuration(model: str | None, provider: str | None) -> tuple[Check, Settings]:
    """The file of settings, the environment and the flags; the defaults go on if they are wrong."""
    file = config_file()
    try:
        settings = settings_for(model=model, provider=provider)
    except ConfigError as error:
        return Check("configuration", "fail", error.what, error.remedy or "Correct it"), Settings()
    detail = plain(str(file)) if file.is_file() else f"defaults (there is no {plain(str(file))})"
    return Check("configuration", "pass", detail), settings


def check_portaudio() -> Check:
    """The library that reaches the microphone."""
    from edgevoice.audio.devices import list_devices

    try:
        devices = list_devices()
    except PortAudioMissingError as error:
        return Check("portaudio", "warn", f"{error.what}; recordings and pipes work", error.remedy)
    return Check("portaudio", "pass", f"found, with {len(devices)} input devices")


def check_microphone(settings: Settings) -> Check:
    """The input device that `edgevoice live` would open."""
    from edgevoice.audio.devices import find_device

    try:
        device = find_device(settings.audio.device)
    except PortAudioMissingError:
        return Check("microphone", "warn", "cannot be looked for without PortAudio", "Install PortAudio, see above")
    except EdgeVoiceError as error:
        return Check("microphone", "warn", f"{error.what}; recordings and pipes work", error.remedy)
    return Check("microphone", "pass", f"{device.name} ({device.host_api}, {device.sample_rate} Hz)")


def check_detector(settings: Settings) -> Check:
    """What tells speech from silence."""
    from edgevoice.vad.detector import make_detector

    make_detector(settings.vad)
    return Check("vad", "pass", settings.vad.detector)


def check_runtime(*, remote: bool = False) -> Check:
    """The installed onnxruntime packages: one, never two, and the GPU one where there is a GPU."""
    if remote:
        return Check("onnxruntime", "pass", "is not needed: a server runs the model")
    found = {name: number for name in RUNTIMES if (number := _version(name))}
    gpu = shutil.which("nvidia-smi") is not None
    extra = "gpu" if gpu else "cpu"
    if not found:
        return Check("onnxruntime", "fail", "is not installed", f"Install it: pip install 'edgevoice[{extra}]'")
    if len(found) > 1:
        return Check(
            "onnxruntime",
            "fail",
            "onnxruntime and onnxruntime-gpu are both installed, and share one folder",
            f"Keep one: pip uninstall --yes onnxruntime onnxruntime-gpu && pip install 'edgevoice[{extra}]'",
        )
    name, number = next(iter(found.items()))
    if gpu and name == "onnxruntime":
        return Check(
            "onnxruntime",
            "warn",
            f"{name} {number} cannot use the NVIDIA GPU of this machine",
            "To use it: pip uninstall --yes onnxruntime && pip install 'edgevoice[gpu]'",
        )
    return Check("onnxruntime", "pass", f"{name} {number}")


def check_model(settings: Settings) -> Check:
    """The model's files against their sha256."""
    from edgevoice.asr.bundle import load_bundle

    bundle = load_bundle(find_model(settings.model))
    files = len(bundle.manifest.files)
    return Check("model", "pass", f"{plain(bundle.manifest.name)} in {plain(str(bundle.path))}, {files} files whole")


def check_provider(settings: Settings) -> Check:
    """The execution provider that a session on the model really gets."""
    model = open_model(settings, reading=False)
    provider, wanted = model.provider, settings.asr.provider
    on_cpu = "cpu" in provider.split("+")
    if wanted == "auto" and on_cpu and (model.note or shutil.which("nvidia-smi")):
        return Check("provider", "warn", f"{provider}, not cuda: {plain(model.note)}", "See 'onnxruntime' above")
    if wanted not in ("auto", provider) and not settings.asr.remote:
        return Check("provider", "fail", f"{provider}, not {wanted}: {plain(model.note)}", "Use --provider auto")
    detail = f"{provider}, {model.precision}"
    if model.note:
        return Check("provider", "warn", f"{detail}: {plain(model.note)}", "Set EDGEVOICE_ASR_PRECISION=fp32")
    return Check("provider", "pass", detail)


def check_actions(settings: Settings) -> Check:
    """What is set off by intents: whether each could run."""
    from edgevoice.actions.check import check

    check(settings.actions, action_place, dry_run=settings.intent.dry_run_actions)
    return Check("actions", "pass", f"{len(settings.actions)} in the settings")


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """A check that fails with the sentence of an error."""
    try:
        return check()
    except EdgeVoiceError as error:
        return Check(name, "fail", plain(error.what), plain(error.remedy))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
