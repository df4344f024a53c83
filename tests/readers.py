"""Readers with random weights, as Transformers saves them: Whisper of one language and of many, and Moonshine.

They are as awkward as real ones: more ids than tokens, tokens that are part of a character, marks that are not called
special, layers of different sizes, norms that are not 1 and 0. Whisper writes words only, and hears two seconds.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    MoonshineConfig,
    MoonshineForConditionalGeneration,
    PreTrainedTokenizerFast,
    Wav2Vec2FeatureExtractor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizerFast,
)

from export.parity import CLIPS
from export.token_table import SPACE

WORDS = "I need to pay the rent, block my card. What is Ibrahim's balance? Größe naïve 日本".split()
"""Words of the vocabularies; the last ones take several bytes a letter."""
_WINDOW_S = 2


def whisper(folder: Path, languages: Sequence[str] = (), *, sure: bool = False, seed: int = 0) -> Path:
    """A Whisper.

    Args:
        folder: where.
        languages: of one of many, its languages; of none, it is an English one.
        sure: whether rounding its weights does not change what it writes.
        seed: of its weights.
    """
    tokenizer, words = _whisper_tokenizer(folder, languages)
    torch.manual_seed(seed)
    start, end, no_times, previous = tokenizer.convert_tokens_to_ids(
        ["<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>", "<|startofprev|>"]
    )
    mel_bins = 128 if languages else 80
    config = WhisperConfig(
        vocab_size=len(tokenizer) + 5,
        num_mel_bins=mel_bins,
        d_model=24,
        encoder_layers=2,
        decoder_layers=1 if languages else 2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=40,
        decoder_ffn_dim=36,
        max_source_positions=50 * _WINDOW_S,
        max_target_positions=48,
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    model = WhisperForConditionalGeneration(config)
    _stir(model)
    with torch.no_grad():
        model.model.decoder.embed_tokens.weight[end].mul_(0.4)  # not at once
        model.model.decoder.embed_positions.weight.mul_(60 if sure else 1)
    many = {}
    if languages:
        tasks = {task: tokenizer.convert_tokens_to_ids(f"<|{task}|>") for task in ("transcribe", "translate")}
        marks = {f"<|{code}|>": tokenizer.convert_tokens_to_ids(f"<|{code}|>") for code in languages}
        many = {"lang_to_id": marks, "task_to_id": tasks}
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        no_timestamps_token_id=no_times,
        prev_sot_token_id=previous,
        suppress_tokens=[number for number in range(config.vocab_size) if number not in (*words, end)],
        begin_suppress_tokens=[words[0], end],
        is_multilingual=bool(languages),
        max_length=48,
        **many,
    )
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=mel_bins, chunk_length=_WINDOW_S).save_pretrained(folder)
    return folder


def moonshine(folder: Path, *, seed: int = 0) -> Path:
    """A Moonshine."""
    tokenizer = _moonshine_tokenizer(folder)
    torch.manual_seed(seed)
    config = MoonshineConfig(
        vocab_size=len(tokenizer) + 5,
        hidden_size=32,
        intermediate_size=48,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=2,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        max_position_embeddings=64,
    )
    model = MoonshineForConditionalGeneration(config)
    _stir(model)
    model.generation_config.suppress_tokens = [0, 1, *range(3, 3 + 256)]  # bytes that random weights make no text of
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)
    return folder


def _stir(model: torch.nn.Module) -> None:
    """Weights that differ, norms among them."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
            if "encoder_attn" in name and "weight" in name:  # what is written depends on what is heard
                parameter.mul_(4)


def _whisper_tokenizer(folder: Path, languages: Sequence[str]) -> tuple[WhisperTokenizerFast, list[int]]:
    """A tokenizer of bytes and a few words; and the ids of the words."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    spelt = [pre_tokenizers.ByteLevel(add_prefix_space=True).pre_tokenize_str(word) for word in WORDS]
    words = ["".join(piece for piece, _ in pieces) for pieces in spelt]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys([*letters, *words]))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = ["endoftext", "startoftranscript", *languages, "translate", "transcribe", "startofprev", "notimestamps"]
    tokenizer.add_special_tokens([AddedToken(f"<|{mark}|>", special=True) for mark in marks])
    tokenizer.add_tokens([AddedToken(f"<|{time / 50:.2f}|>") for time in range(5)])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    fast = WhisperTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    fast.save_pretrained(folder)
    return fast, [vocabulary[word] for word in words]


def _moonshine_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A tokenizer of words and letters, with bytes to fall back to."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), SPACE]
    pieces += [SPACE + word for word in WORDS] + [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens([AddedToken(f"<<ST_{n}>>", special=True) for n in range(3)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(folder)
    return fast


def clips(folder: Path, names: Collection[str]) -> Path:
    """Some of the recordings that every export is proven on, as a manifest of their own."""
    with CLIPS.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["path"] in names]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        shutil.copy(CLIPS.parent / row["path"], folder)
    return folder / "manifest.csv"


def without(file: Path, *keys: str) -> None:
    """Takes keys out of a JSON file."""
    data = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({key: value for key, value in data.items() if key not in keys}), encoding="utf-8")
