"""The making of one shard, from its sentences to its files and rows."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import soundfile

from edgevoice.config import SAMPLE_RATE
from training.synthesis.channel import transmit
from training.synthesis.corpus import Row, rows_file, rows_on_disk
from training.synthesis.plan import Shard
from training.synthesis.speaking import Draft, draft_utterance, speak


def make_shard(shard: Shard) -> tuple[list[Row], Counter[str]]:
    """Speak, damage and write the utterances of a shard that are not there yet; return all its rows and failures."""
    shard.folder.mkdir(parents=True, exist_ok=True)
    drafts = [draft_utterance(shard, place) for place in range(len(shard.sentences))]
    planned = {(_relative(shard, draft), draft.sentence.text) for draft in drafts}
    done = {path: row for path, row in rows_on_disk(shard.output, shard.folder).items() if (path, row.text) in planned}
    missing = [draft for draft in drafts if _relative(shard, draft) not in done]
    failures: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=_scratch()) as scratch, rows_file(shard.folder).open("a", newline="") as file:
        writer = csv.writer(file)
        for draft in speak(missing, shard, Path(scratch), failures):
            row = _finish(draft, shard)
            done[row.path] = row
            writer.writerow(asdict(row).values())
            file.flush()
    return [done[path] for path in sorted(done)], failures


def _finish(draft: Draft, shard: Shard) -> Row:
    """Send the speech through its channel, write the file and return its row."""
    assert draft.speech is not None
    samples, damage = transmit(draft.speech, shard.split, draft.index, draft.rng)
    soundfile.write(draft.path, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return Row(
        path=_relative(shard, draft),
        text=draft.sentence.text,
        intent=draft.sentence.intent,
        speaker=draft.voice.speaker,
        split=shard.split,
        voice=draft.voice.name,
        duration_s=round(samples.size / SAMPLE_RATE, 3),
        augmentation="+".join(damage) or "clean",
    )


def _relative(shard: Shard, draft: Draft) -> str:
    return draft.path.relative_to(shard.output).as_posix()


def _scratch() -> str | None:
    """Name a folder in memory for the engines' files where there is one."""
    memory = "/dev/shm"  # noqa: S108 - only a folder with a random name is made in it
    return memory if Path(memory).is_dir() else None
