"""CTC vocabularies: characters as in the Transformers guide, or subwords (byte-pair encoding).

Subwords suit a small model: at 40 ms a frame there is not always room for every character, and spelling comes with the
piece. `canonical` gives the bundle's form: the text of a token list is its plain concatenation.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edgevoice.errors import ConfigError
from training.config import VocabularyConfig

logger = logging.getLogger(__name__)

BLANK, UNKNOWN, WORD_BREAK, PIECE_HEAD = "<pad>", "<unk>", "|", "▁"
_SPECIAL = (UNKNOWN, "[UNK]", "[PAD]", "<s>", "</s>")


def build_tokenizer(texts: Iterable[str], config: VocabularyConfig, folder: Path) -> Any:
    """A Transformers tokenizer for CTC over normalised texts, saved in `folder`. Id 0 is the blank."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _subwords(texts, config.size) if config.kind == "subwords" else _characters(texts, folder)
    tokenizer.save_pretrained(folder)
    return tokenizer


def canonical(tokenizer: Any) -> tuple[tuple[str, ...], int]:
    """The tokens by id with word breaks as literal spaces and special tokens empty, and the id of the blank."""
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    special = {*tokenizer.all_special_tokens, *_SPECIAL}
    delimiter = getattr(tokenizer, "word_delimiter_token", None) or WORD_BREAK
    return tuple(_plain_token(token, special, delimiter) for token, _ in by_id), int(tokenizer.pad_token_id)


def spell(tokenizer: Any, texts: Iterable[str]) -> Any:
    """A checkpoint's tokenizer made to spell normalised (lower-case) texts; English ones of the hub know capitals only.

    Raises:
        ConfigError: its vocabulary has none of the texts' characters.
    """
    characters = set("".join(texts)) - {" "}
    known = set("".join(canonical(tokenizer)[0]))
    small = {char for char in characters if char != char.upper()}
    if not small & known and {char.upper() for char in small} & known:
        tokenizer.do_lower_case = True  # which Wav2Vec2CTCTokenizer takes for "turn everything into capitals"
        characters = {char.upper() for char in characters}
    if not characters & known:
        raise ConfigError(
            "The checkpoint's vocabulary has no letter of the texts", "Choose a checkpoint of their language"
        )
    if characters - known:
        logger.warning("not in the checkpoint's vocabulary: %s", " ".join(sorted(characters - known)))
    return tokenizer


def frames_needed(ids: Sequence[int]) -> int:
    """The fewest frames CTC can spell token ids in: one each, and a blank between two that are equal."""
    return len(ids) + sum(a == b for a, b in itertools.pairwise(ids))


def text_of(ids: Iterable[int], vocabulary: tuple[str, ...]) -> str:
    """The text of token ids that are already collapsed."""
    return " ".join("".join(vocabulary[i] for i in ids).split())


def _plain_token(token: str, special: set[str], delimiter: str) -> str:
    if token == delimiter:
        return " "
    return "" if token in special else token.replace(PIECE_HEAD, " ")


def characters_tokenizer(vocabulary: Sequence[str], blank: int, folder: Path) -> Any:
    """The tokenizer of a bundle's vocabulary of single characters, saved in `folder`: `canonical` turned round."""
    special = iter(_SPECIAL)
    names = [WORD_BREAK if piece == " " else piece for piece in vocabulary]
    names[blank] = BLANK
    names = [name or next(special) for name in names]
    tokenizer = _character_tokenizer(names, folder)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _characters(texts: Iterable[str], folder: Path) -> Any:
    return _character_tokenizer([BLANK, UNKNOWN, WORD_BREAK, *sorted(set("".join(texts)) - {" "})], folder)


def _character_tokenizer(names: Sequence[str], folder: Path) -> Any:
    from transformers import Wav2Vec2CTCTokenizer

    file = folder / "vocab.json"
    file.write_text(json.dumps({name: i for i, name in enumerate(names)}, ensure_ascii=False), encoding="utf-8")
    return Wav2Vec2CTCTokenizer(
        str(file), pad_token=BLANK, unk_token=UNKNOWN, word_delimiter_token=WORD_BREAK, bos_token=None, eos_token=None
    )


def _subwords(texts: Iterable[str], size: int) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=PIECE_HEAD)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[BLANK, UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=BLANK, unk_token=UNKNOWN)
