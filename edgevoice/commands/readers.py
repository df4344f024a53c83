"""Which reader reads the sentences of a run once more, and whether this machine is fast enough for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgevoice.config import AsrSettings
from edgevoice.errors import ConfigError, ModelError, ProviderError
from edgevoice.formatting import is_english
from edgevoice.paths import MANIFEST_NAME, bundled_reader, find_model
from edgevoice.text import plain, primary_language, sentence

if TYPE_CHECKING:
    from edgevoice.asr.bundle import Bundle
    from edgevoice.asr.model import AcousticModel
    from edgevoice.asr.reader import Reader

OFF, AUTO = "off", "auto"
SLOWEST = 0.5
"""Seconds that a reader may take for a second of speech: as much again is left for live words and whoever else is on
the machine."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenReader:
    """What was found of a reader."""

    reader: Reader | None = None
    """The one that reads, if any does."""
    note: str = ""
    """Why none does, where one might expect it."""
    prompt: str = ""
    """Words for it to expect."""


def open_reader(bundle: Bundle, settings: AsrSettings) -> OpenReader:
    """The reader that the settings name, tried out if it was not named.

    Args:
        bundle: of the captions.
        settings: `reader` of them, and where it runs.

    Raises:
        ConfigError: the one that is named has no reader, or does not read the language of the captions.
        ModelError: it is missing, damaged, or cannot run here.
        ProviderError: the provider asked for cannot be used.
    """
    if settings.reader != AUTO:
        return _opened(bundle, settings)
    try:
        return _opened(bundle, settings)
    except (ModelError, ProviderError) as error:  # captions do not need it
        return OpenReader(note=f"{sentence(error.what)} Sentences stay as they were first heard.")


def _opened(bundle: Bundle, settings: AsrSettings) -> OpenReader:
    chosen = _chosen(bundle, settings.reader) if bundle.manifest.graph_for("ctc") else None
    if chosen is None:
        return OpenReader()
    from edgevoice.asr.reader import Reader

    reader = Reader(chosen, settings)
    seconds = reader.trial() if settings.reader == AUTO else 0.0
    if seconds > SLOWEST:
        return OpenReader(
            note=f"This machine takes {seconds:.1f} s to read a second of speech once more, so sentences stay as they "
            f"were first heard; --reader {chosen.manifest.name} reads them all the same."
        )
    return OpenReader(reader, prompt=_prompt(settings.hotwords) if reader.spec.prompt >= 0 else "")


def give_reader(model: AcousticModel, found: OpenReader) -> None:
    """Lets a model's sentences be read once more."""
    from edgevoice.asr.revision import Reviser
    from edgevoice.asr.speech import SpeechDetector

    model.reader_note = found.note
    if found.reader:
        model.reviser = Reviser(found.reader, SpeechDetector(), model.manifest, model.frame_seconds, found.prompt)


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
    language = primary_language(bundle.manifest.language)
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

    return f"{', '.join(phrases_in(file))}."  # a sentence, so that what follows is written as sentences are
