"""Run as a program: `edgevoice`, which also writes down what its microphone delivers.

tap.py HEARD.wav ARGUMENTS...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import soundfile

from edgevoice.audio.microphone import Microphone
from edgevoice.audio.source import Block
from edgevoice.cli import main

blocks = Microphone.blocks


def tapped(microphone: Microphone) -> Iterator[Block]:
    with soundfile.SoundFile(sys.argv[1], "w", microphone.sample_rate, channels=1, subtype="FLOAT") as file:
        for block in blocks(microphone):
            file.write(block.samples)
            yield block


if __name__ == "__main__":
    Microphone.blocks = tapped
    sys.exit(main(sys.argv[2:]))
