"""Audio piped to the command is captioned like the file it came from, whatever writes the pipe and however it cuts it.

The samples are the same, so everything is the same but the name of the source and what the wall clock says.
"""

from __future__ import annotations

import io
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.events import CaptionFinished, CaptionUpdated, Event, from_json
from tests.listener import Listener, alone, captioned, live, timeless
from tests.talk import Talk

RATE = 16_000
FORMAT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
TAG = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf59.27.100\0"


def raw(samples: np.ndarray) -> bytes:
    """`sox ... -t raw -`, `parec`, `arecord -t raw`, `ffmpeg -f s16le -`."""
    return samples.astype("<i2").tobytes()


def sox(samples: np.ndarray) -> bytes:
    """`sox ... -t wav -` into a pipe: sizes that cannot be true."""
    return b"RIFF\x24\xf0\xff\x7fWAVE" + FORMAT + b"data\x00\xf0\xff\x7f" + raw(samples)


def ffmpeg(samples: np.ndarray) -> bytes:
    """`ffmpeg -f wav -` into a pipe: a tag before the samples, and no sizes at all."""
    return b"RIFF\xff\xff\xff\xffWAVE" + FORMAT + TAG + b"data\xff\xff\xff\xff" + raw(samples)


def finished(samples: np.ndarray) -> bytes:
    """`cat recording.wav`."""
    return container(samples, "WAV")


def flac(samples: np.ndarray) -> bytes:
    """`cat recording.flac`."""
    return container(samples, "FLAC")


def container(samples: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=kind, subtype="PCM_16")
    return file.getvalue()


@pytest.fixture(scope="module")
def expected(talk: Talk, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What the command says of the file."""
    heard = captioned(talk.recording, talk.model, alone(os.environ, tmp_path_factory.mktemp("home")))
    assert any(isinstance(event, CaptionFinished) and event.text for event in heard)
    return heard


@pytest.mark.parametrize("talk", ["tiny"], indirect=True)
@pytest.mark.parametrize("written", [raw, sox, ffmpeg, finished, flac])
def test_a_pipe_is_captioned_like_the_file(
    talk: Talk, expected: list[Event], tmp_path: Path, written: Callable[[np.ndarray], bytes]
) -> None:
    command = live("--input", "-", "--model", talk.model)
    environment = alone(os.environ, tmp_path)
    result = subprocess.run(
        command, input=written(talk.samples), env=environment, capture_output=True, check=False, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert timeless([from_json(line) for line in result.stdout.decode().splitlines()]) == timeless(expected)


def test_a_pipe_in_odd_pieces_is_captioned_as_it_comes(talk: Talk, expected: list[Event], tmp_path: Path) -> None:
    """No piece ends where a sample does; the first caption is there before the rest is written."""
    reading, writing = os.pipe()
    data = ffmpeg(talk.samples)
    with Listener("--input", "-", "--model", talk.model, environment=alone(os.environ, tmp_path), stdin=reading) as it:
        os.close(reading)
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            most = len(data) * 3 // 4
            pipe.writelines(data[start : min(start + 6_007, most)] for start in range(0, most, 6_007))
            it.wait_for(lambda heard: any(isinstance(event, CaptionUpdated) for event in heard), "the first words")
            pipe.write(data[most:])
        assert it.end() == 0
    assert it.error == ""
    assert timeless(it.events) == timeless(expected)
