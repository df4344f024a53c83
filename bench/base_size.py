"""A model of the size that most people start from, to measure speed with: Wav2Vec2 base, random weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgevoice.asr.bundle import MANIFEST_NAME, FeatureSettings
from edgevoice.errors import EdgeVoiceError

LETTERS = ("", "", " ", *"abcdefghijklmnopqrstuvwxyz'", "", "")
SURE = 20.0
"""Added to the logit of the blank: what random weights make of a clip is settled by noise, so that int8 would fail the
comparison of texts that every bundle must pass. Speed does not depend on it."""


def base_size(work: Path) -> tuple[Path, Path]:
    """The bundle and the checkpoint of a base-size model in `work`, made there once: 12 layers of 768, 95 million
    weights, CTC over 32 letters.

    Raises:
        EdgeVoiceError: it could not be exported.
    """
    bundle, checkpoint = work / "bundle", work / "checkpoint"
    random_weights(checkpoint)
    if not (bundle / MANIFEST_NAME).is_file():
        # through the command, which is found by name: export builds on bench, and not the other way round
        chosen = ["--output", str(bundle), "--name", "wav2vec2-base-size", "--force"]
        command = [sys.executable, "-m", "edgevoice", "export", str(checkpoint), *chosen]
        ended = subprocess.run(command, stdout=sys.stderr, check=False)
        if ended.returncode:
            raise EdgeVoiceError("The base-size model could not be exported", f"Try it: {' '.join(command[1:])}")
    return bundle, checkpoint


def random_weights(folder: Path) -> None:
    """Makes the checkpoint in a folder, once."""
    if (folder / "model.safetensors").is_file():
        return
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    from training.checkpoint import save_features
    from training.vocabulary import characters_tokenizer

    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(LETTERS), pad_token_id=0, apply_spec_augment=False))
    with torch.no_grad():
        model.lm_head.bias[0] += SURE
    folder.mkdir(parents=True, exist_ok=True)
    characters_tokenizer(LETTERS, 0, folder)
    save_features(FeatureSettings(kind="waveform", normalise="utterance"), folder)
    model.save_pretrained(folder)  # last: its presence says that all of it is there
