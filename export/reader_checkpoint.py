"""A reader as Transformers has it: Moonshine or Whisper of any size, with what a bundle must say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSpeechSeq2Seq
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from edgevoice.asr.bundle import ReaderSpec
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ModelError, UsageError
from export import token_table
from training.checkpoint import load_features, load_tokenizer
from training.features import Features
from training.models import pretrained, read_config

Array = npt.NDArray[np.float32]

FAMILIES = ("moonshine", "whisper")
_ANOTHER = "Name a checkpoint of Moonshine or Whisper with --reader"
_MULTILINGUAL_FROM = 51_865
"""Tokens of the smallest Whisper of many languages; those of English alone have fewer."""
_WHISPER_RATE, _LANGUAGES_RATE = 10.0, 15.0
"""Tokens a second that a Whisper of English, or of many languages, may write; people speak English at five or six, and
scripts of many bytes take twice as many and more."""
_MOONSHINE_RATE, _MOONSHINE_OTHERS_RATE = 6.5, 13.0
"""The same of Moonshine, in English and in the other languages that it has models for, as its cards say."""


@dataclass(frozen=True)
class ReaderCheckpoint:
    """A model and all it takes to read with it."""

    spec: ReaderSpec
    """What the manifest says, without files."""
    model: Any
    """The PyTorch model."""
    tokenizer: Any
    tokens: dict[int, bytes]
    """The bytes of each token that writes some."""
    compute: Features
    """Computes the encoder's input."""

    def write(self, samples: Array, limit: int, language: str) -> list[int]:
        """The token ids that Transformers writes for mono samples at 16 kHz, greedily: without those that it begins
        with and the one that ends it, and at most `limit` of them. `language` is one of the spec's, or empty."""
        options: dict[str, Any] = {"num_beams": 1, "do_sample": False, "max_new_tokens": limit}
        if self.spec.languages:
            options |= {"language": language, "task": "transcribe"}
        with torch.no_grad():
            written = self.model.generate(**self._inputs(samples), **options)[0].tolist()
        first = prefix(self.spec, language)
        written = written[len(first) :] if tuple(written[: len(first)]) == first else written
        return written[: written.index(self.spec.end)] if self.spec.end in written else written

    def logits(self, samples: Array, ids: Sequence[int], language: str) -> Array:
        """The logits [tokens + 1, vocabulary] before each of `ids`, and before what comes after the last."""
        first = prefix(self.spec, language)
        with torch.no_grad():
            output = self.model(**self._inputs(samples), decoder_input_ids=torch.tensor([[*first, *ids]]))
        found: Array = output.logits[0, len(first) - 1 :].numpy()
        return found

    def text(self, ids: Sequence[int]) -> str:
        """What the tokenizer makes of token ids, white space joined."""
        decoded = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return " ".join(decoded.split())

    def _inputs(self, samples: Array) -> dict[str, torch.Tensor]:
        values = torch.from_numpy(self.compute(samples))[None]
        mask = {"attention_mask": torch.ones(values.shape, dtype=torch.int64)} if values.ndim == 2 else {}
        return {self.compute.input_name: values, **mask}


def prefix(spec: ReaderSpec, language: str) -> tuple[int, ...]:
    """The token ids that decoding begins with."""
    return (spec.start[0], spec.languages[language], *spec.start[1:]) if spec.languages else spec.start


def load_reader(name: str, language: str = "") -> ReaderCheckpoint:
    """Loads a folder or hub id, safetensors only, in evaluation mode and with eager attention, which exports well.

    Args:
        name: folder or hub id.
        language: the one to read, where it has several, or does not say which it has; empty for all of them.

    Raises:
        ModelError: it is not there, lacks a part, or is no Moonshine or Whisper.
        UsageError: it does not read that language.
    """
    config = read_config(name)
    if config.model_type not in FAMILIES:
        raise ModelError(f"The checkpoint '{name}' is a {config.model_type}, which is no reader", _ANOTHER)
    head = (config.architectures or [""])[0]
    if head and not head.endswith("ForConditionalGeneration"):
        raise ModelError(f"The checkpoint '{name}' is a {head}, without a decoder that writes", _ANOTHER)
    options = {"attn_implementation": "eager", "output_loading_info": True}
    model, found = pretrained(AutoModelForSpeechSeq2Seq, name, resized=False, **options)
    if found["missing_keys"]:
        lost = min(found["missing_keys"])
        raise ModelError(f"The checkpoint '{name}' lacks weights, those of {lost} among them", "Fetch the whole of it")
    tokenizer, compute = load_tokenizer(name), Features(load_features(name))
    make = _whisper if config.model_type == "whisper" else _moonshine
    spec = make(name, model, tokenizer, compute, language)
    return ReaderCheckpoint(spec, model.eval().to(torch.float32), tokenizer, token_table.of(tokenizer), compute)


def _moonshine(name: str, model: Any, _: Any, compute: Features, language: str) -> ReaderSpec:
    return ReaderSpec(
        **_common(name, model, compute),
        start=(model.generation_config.decoder_start_token_id or model.config.decoder_start_token_id,),
        language=language,
        tokens_per_s=_MOONSHINE_RATE if language in ("", "en") else _MOONSHINE_OTHERS_RATE,
        longest_tokens=model.config.max_position_embeddings,
    )


def _whisper(name: str, model: Any, tokenizer: Any, compute: Features, language: str) -> ReaderSpec:
    options = compute.settings.extractor
    window = int(options["n_samples"]) / SAMPLE_RATE
    if options["nb_max_frames"] != 2 * model.config.max_source_positions:
        raise ModelError(
            f"The checkpoint '{name}' hears {2 * model.config.max_source_positions} frames, and its feature extractor "
            f"makes {options['nb_max_frames']}",
            "Use the preprocessor_config.json of the checkpoint that it was trained from",
        )
    many = getattr(model.generation_config, "is_multilingual", model.config.vocab_size >= _MULTILINGUAL_FROM)
    marks = _Marks(name, tokenizer)
    languages = {code: number for code in LANGUAGES if (number := marks.find(code)) is not None} if many else {}
    _complete(model.generation_config, marks, languages)
    if language and language not in (languages or {"en"}):
        raise UsageError(f"The reader '{name}' does not read '{language}'", "Choose another --language")
    task = [marks.need("transcribe")] if many else []
    return ReaderSpec(
        **_common(name, model, compute),
        start=(marks.need("startoftranscript"), *task, marks.need("notimestamps")),
        languages={code: number for code, number in languages.items() if language in ("", code)},
        language="" if many else "en",
        prompt=-1 if (previous := marks.find("startofprev")) is None else previous,
        window_s=window,
        longest_s=window,
        tokens_per_s=_LANGUAGES_RATE if many else _WHISPER_RATE,
        longest_tokens=model.config.max_target_positions,
    )


def _common(name: str, model: Any, compute: Features) -> dict[str, Any]:
    """What is found in the same way for both families."""
    end = model.generation_config.eos_token_id
    called = Path(name).resolve().name if Path(name).is_dir() else name.rpartition("/")[2]
    return {
        "name": called,
        "architecture": model.config.model_type,
        "features": compute.settings,
        "encoder": {},
        "decoder": {},
        "tokens": token_table.NAME,
        "end": int(end[0] if isinstance(end, list) else end),
        "suppressed": _ids(model.generation_config.suppress_tokens),
        "suppressed_first": _ids(model.generation_config.begin_suppress_tokens),
        "source": called if Path(name).is_dir() else f"{name} of the Hugging Face hub",
    }


def _ids(listed: Sequence[int] | None) -> tuple[int, ...]:
    return tuple(number for number in listed or () if number >= 0)


class _Marks:
    """The tokens of Whisper that are no text."""

    def __init__(self, name: str, tokenizer: Any) -> None:
        self._name = name
        self._known = tokenizer.get_vocab()

    def find(self, word: str) -> int | None:
        """The id of <|word|>, if it has one."""
        number: int | None = self._known.get(f"<|{word}|>")
        return number

    def need(self, word: str) -> int:
        """The id of <|word|>; raises ModelError if there is none."""
        number = self.find(word)
        if number is None:
            raise ModelError(
                f"The tokenizer of '{self._name}' has no <|{word}|>, which Whisper begins with",
                "Use the tokenizer of the checkpoint that it was trained from",
            )
        return number


def _complete(generation: Any, marks: _Marks, languages: dict[str, int]) -> None:
    """Tells Transformers what checkpoints from before it kept this do not say; what they say stands."""
    told: dict[str, Any] = {"is_multilingual": bool(languages), "no_timestamps_token_id": marks.need("notimestamps")}
    if languages:  # with these, Transformers would look for the language of a model that has but one
        told["lang_to_id"] = {f"<|{code}|>": number for code, number in languages.items()}
        told["task_to_id"] = {"transcribe": marks.need("transcribe")}
    for key, value in told.items():
        if getattr(generation, key, None) is None:
            setattr(generation, key, value)
