"""Fetches the graph that tells whether somebody speaks: Silero VAD, out of its makers' package, checked by sha256.

python scripts/silero.py
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edgevoice.asr.speech import FILE
from training.wheels import Published, take

PUBLISHED = Published(
    "silero-vad==6.2.3",
    {
        "silero_vad/data/silero_vad_16k_sequence.onnx": (
            "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
        ),
        "silero_vad-6.2.3.dist-info/licenses/LICENSE": (
            "2e63e9a38b6e8fc0c7bc37ce174caca1862870856c6daf5697cfb785e925520b"
        ),
    },
)


def main() -> None:
    """Puts the graph and its licence beside the module that runs it."""
    with tempfile.TemporaryDirectory() as scratch:
        graph, licence = take(PUBLISHED, Path(scratch))
        shutil.copy(graph, FILE)
        shutil.copy(licence, FILE.with_suffix(".LICENSE"))


if __name__ == "__main__":
    main()
