"""The sample call that comes with a bundle: sentences that were never trained on, in voices that were not either, with
the pauses of people who listen to each other.

    python -m training.sample_call --voice kokoro-bf_emma --agent kokoro-bm_george --output sample_call.flac

Without an agent it is the caller's side alone, mono; with one it is stereo, the caller left.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError, EdgeVoiceError
from training import voices
from training.augment import Audio, coloured_noise
from training.spoken import spoken
from training.synthesis.speaking import say, trim

SENTENCES = Path(__file__).parent / "banking_en" / "sample_call.csv"
CALLER, AGENT = "caller", "agent"
"""The sides, in the order of the channels."""
PAUSES_S = (0.9, 1.7)
"""Behind a turn of somebody who goes on after it."""
CHANGES_S = (0.4, 0.9)
"""Behind one that the other answers."""
STOP_S = 0.16
"""Between the sentences of a turn: less than ends a segment."""
LEVEL_DBFS, NOISE_DBFS = -23.0, -62.0


@dataclass(frozen=True)
class Turn:
    """What one side says until the other does, or pauses."""

    side: str
    text: str


def make_call(sentences: Path, voice: str, seed: int, agent: str = "") -> Audio:
    """The whole call at 16 kHz: [samples] of the caller alone, or, with an agent, [samples, 2] of both.

    Raises:
        ConfigError: a voice is not installed, or says nothing.
    """
    speakers = {CALLER: _installed(voice)} | ({AGENT: _installed(agent)} if agent else {})
    turns = [turn for turn in read_turns(sentences) if turn.side in speakers]
    rng = np.random.default_rng(seed)
    sides: dict[str, list[Audio]] = {side: [_silence(1.0)] for side in speakers}
    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        goes_on = following is None or following.side == turn.side
        said = np.concatenate(
            [_say(speakers[turn.side], turn.text), _silence(rng.uniform(*(PAUSES_S if goes_on else CHANGES_S)))]
        )
        for side, pieces in sides.items():
            pieces.append(said if side == turn.side else np.zeros_like(said))
    channels = [_on_a_line(np.concatenate(pieces), rng) for pieces in sides.values()]
    return channels[0] if len(channels) == 1 else np.stack(channels, axis=1)


def read_turns(sentences: Path) -> list[Turn]:
    """The turns of a table with the column text; all are the caller's where there is no column side."""
    with sentences.open(newline="", encoding="utf-8") as stream:
        return [Turn(row.get("side") or CALLER, row["text"]) for row in csv.DictReader(stream)]


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


def _installed(name: str) -> voices.Voice:
    # festival speaks from a script of many utterances only
    usable = {known.name: known for known in voices.available() if known.engine != "festival"}
    if name not in usable:
        names = ", ".join(known.name for known in usable.values() if known.recorded)
        raise ConfigError(f"The voice {name} is not installed", f"Choose from: {names}")
    return usable[name]


def _say(voice: voices.Voice, text: str) -> Audio:
    """A turn; a natural voice makes something of punctuation, and the others get the words alone."""
    if not voice.natural:
        return _level(_sentence(voice, spoken(text)))
    pieces: list[Audio] = []
    for sentence in re.split(r"(?<=[.?!])\s+", text):
        pieces += [trim(_sentence(voice, sentence)), _silence(STOP_S)]
    return _level(np.concatenate(pieces[:-1]))


def _sentence(voice: voices.Voice, text: str) -> Audio:
    with tempfile.TemporaryDirectory() as folder:
        heard = say(voices.Utterance(voice, text, rate=1.0, pitch=1.0, output=Path(folder) / "said.wav"))
    if heard is None:
        raise ConfigError(f"The voice {voice.name} does not say '{text}'", "Choose another voice")
    samples, rate = heard
    return np.asarray(soxr.resample(samples, rate, SAMPLE_RATE, quality="HQ"), dtype=np.float32)


def _level(samples: Audio) -> Audio:
    level = np.sqrt(np.mean(samples**2))
    return np.asarray(samples * (10 ** (LEVEL_DBFS / 20) / level), dtype=np.float32)


def _silence(seconds: float) -> Audio:
    return np.zeros(int(seconds * SAMPLE_RATE), dtype=np.float32)


def _on_a_line(samples: Audio, rng: np.random.Generator) -> Audio:
    noise = coloured_noise(len(samples), 1.0, rng) * np.float32(10 ** (NOISE_DBFS / 20))
    return np.asarray(np.clip(samples + noise, -1, 1), dtype=np.float32)


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="CSV with the column text, and perhaps side")
    parser.add_argument("--voice", default="kokoro-bf_emma", help="the caller's (kokoro-bf_emma)")
    parser.add_argument("--agent", default="", metavar="VOICE", help="the other side's; none if it is not heard")
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
        call = make_call(options.sentences, options.voice, options.seed, options.agent)
    except EdgeVoiceError as error:
        print(f"sample_call: {error}", file=sys.stderr)
        return error.exit_code
    soundfile.write(options.output, call, SAMPLE_RATE, subtype="PCM_16")
    speakers = " and ".join(filter(None, (options.voice, options.agent)))
    print(f"{options.output}: {len(call) / SAMPLE_RATE:.1f} s, {speakers}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
