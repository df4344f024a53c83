"""The sample call that comes with a bundle: sentences that were never trained on, spoken by one voice, with the pauses
of somebody who listens to an answer in between.

    python -m training.sample_call --voice rhvoice-bdl --output sample_call.flac
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError, EdgeVoiceError
from training import voices
from training.augment import Audio, coloured_noise
from training.decoded import load_audio
from training.spoken import spoken

SENTENCES = Path(__file__).parent / "banking_en" / "sample_call.csv"
PAUSES_S = (0.9, 1.7)
LEVEL_DBFS, NOISE_DBFS = -23.0, -62.0


def make_call(sentences: Path, voice: str, seed: int) -> Audio:
    """The whole call, 16 kHz mono.

    Raises:
        ConfigError: the voice is not installed.
    """
    # festival speaks from a script of many utterances only
    usable = {known.name: known for known in voices.available() if known.engine != "festival"}
    chosen = usable.get(voice)
    if chosen is None:
        names = ", ".join(known.name for known in usable.values() if known.recorded)
        raise ConfigError(f"The voice {voice} is not installed", f"Choose from: {names}")
    rng = np.random.default_rng(seed)
    with sentences.open(newline="", encoding="utf-8") as stream:
        texts = [spoken(row["text"]) for row in csv.DictReader(stream)]
    pieces = [np.zeros(SAMPLE_RATE, dtype=np.float32)]
    for text in texts:
        pieces += [_say(chosen, text), np.zeros(int(rng.uniform(*PAUSES_S) * SAMPLE_RATE), dtype=np.float32)]
    call = np.concatenate(pieces)
    noise = coloured_noise(len(call), 1.0, rng) * np.float32(10 ** (NOISE_DBFS / 20))
    return np.asarray(np.clip(call + noise, -1, 1), dtype=np.float32)


def describe(voice: str) -> str:
    """Whose voice it is, and whether the bundled model was trained on it."""
    for split, members in voices.by_split(voices.available()).items():
        for known in members:
            if known.name == voice:
                trained = (
                    "which was trained on" if split == "train" else f"which was never trained on (split `{split}`)"
                )
                return f"the {known.engine} voice {known.selector} (speaker {known.speaker}), {trained}"
    return voice


def _say(voice: voices.Voice, text: str) -> Audio:
    with tempfile.TemporaryDirectory() as folder:
        utterance = voices.Utterance(voice, text, rate=1.0, pitch=1.0, output=Path(folder) / "said.wav")
        command = voices.command(utterance)
        subprocess.run(command.argv, input=command.stdin, text=True, check=True, capture_output=True, timeout=30)
        samples = load_audio(utterance.output)
    level = np.sqrt(np.mean(samples**2))
    return np.asarray(samples * (10 ** (LEVEL_DBFS / 20) / level), dtype=np.float32)


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="CSV with a column 'text'")
    parser.add_argument("--voice", default="rhvoice-bdl", help="a voice of training/voices.py (rhvoice-bdl)")
    parser.add_argument("--output", type=Path, help="FLAC file to write")
    parser.add_argument("--describe", metavar="VOICE", help="only say whose voice that is, for the card")
    parser.add_argument("--seed", type=int, default=1, help="pauses and noise (1)")
    options = parser.parse_args(arguments)
    if options.describe:
        print(describe(options.describe))
        return 0
    if options.output is None:
        parser.error("--output is needed")
    try:
        call = make_call(options.sentences, options.voice, options.seed)
    except EdgeVoiceError as error:
        print(f"sample_call: {error}", file=sys.stderr)
        return error.exit_code
    soundfile.write(options.output, call, SAMPLE_RATE, subtype="PCM_16")
    print(f"{options.output}: {len(call) / SAMPLE_RATE:.1f} s, {options.voice}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
