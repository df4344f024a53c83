"""Both sides of a real call, saved and recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.events import CaptionFinished
from edgevoice.sinks.subtitles import to_srt, to_vtt
from tests.rig import PulseRig
from tests.test_call import short_call

pytestmark = pytest.mark.sound


def test_a_call_leaves_two_labelled_sides_and_two_recordings_on_one_time_line(pulse: PulseRig, tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    heard = short_call(pulse, tmp_path, "--save", folder, "--record")
    files = {file.name.split(".", 1)[1]: file for file in folder.iterdir()}
    assert set(files) == {"txt", "srt", "vtt", "jsonl", "mic.flac", "call.flac"}
    lines = files["txt"].read_text().splitlines()
    said = {line.lower().split("  ", 1)[1] for line in lines}
    assert {"you: one two three", "them: four four four"} <= said
    assert files["srt"].read_text() == to_srt(heard)
    assert files["vtt"].read_text() == to_vtt(heard)
    for final in (event for event in heard if isinstance(event, CaptionFinished)):
        audio, rate = soundfile.read(files[f"{final.channel}.flac"])
        words = audio[round(final.words[0].start * rate) : round(final.words[-1].end * rate)]
        assert np.abs(words).mean() > 0.05, "the words are where the events say they are"
