"""Where Kokoro lies once it was fetched."""

from __future__ import annotations

from pathlib import Path

from edgevoice.paths import cache_folder

NETWORK, VOCABULARY, NOTE = "model.onnx", "vocab.json", "kokoro.txt"
"""What is in the folder, besides the voices; the note is written last, and says whose work it is."""
CREDIT = """Kokoro-82M and its voices: hexgrad, Apache-2.0.
The network as ONNX and the vocabulary: kokoro-onnx by thewh1teagle, MIT.
"""


def folder() -> Path:
    """Where it is; it can be fetched again."""
    return cache_folder() / "kokoro"


def is_here() -> bool:
    """Whether it was fetched, all of it."""
    return (folder() / NOTE).is_file()


def voice_file(made: Path, voice: str) -> Path:
    """Where a voice's table of styles is."""
    return made / f"{voice}.bin"
