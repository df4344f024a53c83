"""Which reader reads the sentences of a run once more, and whether this machine is fast enough for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgevoice.config import AsrSettings
from edgevoice.errors import ConfigError
from edgevoice.formatting import is_english
from edgevoice.paths import MANIFEST_NAME, bundled_reader, find_model
from edgevoice.text import plain

if TYPE_CHECKING:
    from edgevoice.asr.bundle import Bundle
    from edgevoice.asr.model import AcousticModel

OFF, AUTO = "off", "auto"
SLOWEST = 0.5
"""Seconds that a reader may take for a second of speech: as much again is left for live words and whoever else is on
the machine."""


def add_reader(model: AcousticModel, bundle: Bundle, settings: AsrSettings) -> None:
    """Gives a model the reader that the settings name.

    Args:
        model: of the captions, without a reader.
        bundle: the model's.
        settings: `reader` of them, and where it runs.

    Raises:
        ConfigError: the one that is named has no reader, or does not read the language of the captions.
        ModelError: it is missing, damaged, or cannot run here.
        ProviderError: the provider asked for cannot be used.
    """
    chosen = _chosen(bundle, settings.reader) if "ctc" in model.heads else None
    if chosen is None:
        return
    from edgevoice.asr.reader import Reader
    from edgevoice.asr.revision import Reviser
    from edgevoice.asr.speech import SpeechDetector

    reader = Reader(chosen, settings)
    if settings.reader == AUTO:
        seconds = reader.trial()
        if seconds > SLOWEST:
            model.reader_note = (
                f"This machine takes {seconds:.1f} s to read a second of speech once more, so sentences stay as they "
                f"were first heard; --reader {chosen.manifest.name} reads them all the same."
            )
            return
    prompt = _prompt(settings.hotwords) if reader.spec.prompt >= 0 else ""
    model.reviser = Reviser(reader, SpeechDetector(), model.manifest, model.frame_seconds, prompt)


def _chosen(bundle: Bundle, name: str) -> Bundle | None:
    """The bundle with the reader that is asked for, if any."""
    from edgevoice.asr.bundle import load_bundle

    if name == OFF:
        return None
    if name == AUTO:
        if bundle.manifest.reader:
            return bundle
        # a model that does not say its language may write any
        there = is_english(bundle.manifest.language) and (bundled_reader() / MANIFEST_NAME).is_file()
        return load_bundle(bundled_reader()) if there else None
    chosen = load_bundle(find_model(name))
    if chosen.manifest.reader is None:
        raise ConfigError(
            f"asr.reader is '{plain(name)}', a model without a reader", "Name another one, auto, or off (--reader)"
        )
    language = bundle.manifest.language.split("-")[0].lower()
    if not chosen.manifest.reader.reads(language):
        raise ConfigError(
            f"The reader '{plain(name)}' does not read '{plain(language)}', which the captions are in",
            "Name another one with --reader, or off",
        )
    return chosen


def _prompt(hotwords: str) -> str:
    """The words of a file of hot words, without their weights, as a prompt."""
    file = Path(hotwords).expanduser()
    if not hotwords or not file.is_file():  # a pipe was read, and is empty now
        return ""
    from edgevoice.asr.hotwords import phrases_in

    return ", ".join(phrases_in(file))
