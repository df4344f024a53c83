"""From log-probabilities to words, as the settings and the bundle ask: greedy, or a beam search that knows words."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgevoice.asr import ctc
from edgevoice.asr.beam import BeamSearch
from edgevoice.asr.bundle import Bundle, Manifest
from edgevoice.asr.confidence import ConfidenceMap
from edgevoice.asr.ctc import GreedySearch, Token
from edgevoice.asr.hotwords import HotWords, Phrase, read_hotwords
from edgevoice.asr.language_model import Weights, load_language_model
from edgevoice.asr.scorer import Together, WordScorer
from edgevoice.asr.spelling import Spelling
from edgevoice.config import AsrSettings
from edgevoice.errors import ConfigError
from edgevoice.events import Word

Array = npt.NDArray[np.float32]


SILENCE_S = 0.2
"""A word with so much behind it in which nothing was said is whole, whatever follows."""


class Search(Protocol):
    """A way to find the best tokens; `GreedySearch` and `BeamSearch` are two."""

    def open(self, *, begins: bool = True) -> Tokens:
        """A new stream of frames, which begins where a sentence does or somewhere in the middle."""
        ...


class Tokens(Protocol):
    """What a search makes of one stream of frames."""

    def feed(self, log_probs: Array) -> None:
        """Takes the next frames [frames, vocabulary]."""
        ...

    def tokens(self, *, final: bool = False) -> list[Token]:
        """The best tokens; if final, those of whole words."""
        ...

    def settled(self) -> int:
        """How many of them no frame to come can change."""
        ...

    def fork(self) -> Tokens:
        """The same stream again: what the one hears does not change the other."""
        ...


class Decoder:
    """What all streams of a model share. `words` decodes a stretch of audio at once, `open` one that still grows.

    Args:
        search: how tokens are found.
        confidence: how sure they make us of the words.
    """

    def __init__(self, search: Search, confidence: ConfidenceMap) -> None:
        self._search, self._confidence = search, confidence

    def words(
        self, log_probs: Array, frame_seconds: float, offset_s: float, *, begins: bool = True, final: bool = True
    ) -> list[Word]:
        """The words of log-probabilities [frames, vocabulary].

        Args:
            log_probs: natural logarithms.
            frame_seconds: seconds from one frame to the next.
            offset_s: seconds on the stream's clock at frame 0.
            begins: whether a sentence begins at frame 0.
            final: whether the words are over after the last frame.
        """
        growing = self.open(frame_seconds, offset_s, begins=begins)
        growing.feed(log_probs)
        return growing.words(final=final)

    def open(self, frame_seconds: float, offset_s: float, *, begins: bool = True) -> GrowingWords:
        """A new stream of frames. Arguments as those of `words`."""
        return GrowingWords(self._search.open(begins=begins), self._confidence, frame_seconds, offset_s)


class GrowingWords:
    """The words of one stream of frames, fed as they come."""

    def __init__(self, tokens: Tokens, confidence: ConfidenceMap, frame_seconds: float, offset_s: float) -> None:
        self._tokens, self._confidence = tokens, confidence
        self._frame_seconds, self._offset_s = frame_seconds, offset_s
        self._frames = 0

    def feed(self, log_probs: Array) -> None:
        """Takes the next frames [frames, vocabulary], natural logarithms."""
        self._tokens.feed(log_probs)
        self._frames += len(log_probs)

    def words(self, *, final: bool = False) -> list[Word]:
        """The best words so far; if final, those that they turn out to be if nothing follows."""
        tokens = self._tokens.tokens(final=final)
        if self._silent_after(tokens) and not final:
            # the beginning of a word that is known must not settle as a word that is not
            tokens = self._tokens.tokens(final=True)
        return self._spelt(tokens)

    def whole_words(self) -> list[Word]:
        """`words` without the last as long as it may be half said: nothing follows it yet, neither a word nor silence.
        Text that grows letter by letter does not stand still."""
        tokens = self._tokens.tokens()
        if self._silent_after(tokens):
            return self.words()
        return self._spelt(tokens[: max(_closings(tokens), default=0)])

    def _silent_after(self, tokens: Sequence[Token]) -> bool:
        return bool(tokens) and (self._frames - tokens[-1].end_frame) * self._frame_seconds >= SILENCE_S

    def _spelt(self, tokens: Sequence[Token]) -> list[Word]:
        found = ctc.words(tokens, self._frame_seconds, self._offset_s)
        return [dataclasses.replace(word, confidence=self._confidence(word.confidence)) for word in found]

    def fork(self) -> GrowingWords:
        """The same words again: what the one hears does not change the other."""
        twin = copy.copy(self)
        twin._tokens = self._tokens.fork()  # noqa: SLF001 - of its own kind
        return twin

    def settled(self) -> int:
        """How many of `words` are whole, and can be changed by no frame to come."""
        return len(_closings(self._tokens.tokens()[: self._tokens.settled()]))


def make_decoder(bundle: Bundle, settings: AsrSettings) -> Decoder:
    """The decoder for a bundle's captions; greedy unless something says which words to expect.

    Raises:
        ConfigError: hot words or a language model that cannot be used, or that the greedy decoder was asked to use.
        MissingExtraError: the language model takes a package that is not installed.
    """
    manifest = bundle.manifest
    if settings.decoder == "greedy":
        for name in ("hotwords", "language_model"):
            if getattr(settings, name):
                what = f"asr.decoder is greedy, which knows no words, and asr.{name} is set"
                raise ConfigError(what, "Set asr.decoder to auto or beam, or leave the other out")
    scorer = None if settings.decoder == "greedy" or not manifest.vocabulary else _scorer(bundle, settings)
    if scorer is None and settings.decoder != "beam":
        return greedy_decoder(manifest)
    search = BeamSearch(manifest.vocabulary, manifest.blank, scorer, width=settings.beam_width)
    return Decoder(search, _confidence(manifest))


def greedy_decoder(manifest: Manifest) -> Decoder:
    """The decoder that writes what the audio says, whatever its words."""
    return Decoder(GreedySearch(manifest.vocabulary, manifest.blank), _confidence(manifest))


def _confidence(manifest: Manifest) -> ConfidenceMap:
    return ConfidenceMap(slope=manifest.decoding.confidence_slope, offset=manifest.decoding.confidence_offset)


def _scorer(bundle: Bundle, settings: AsrSettings) -> WordScorer | None:
    """What says which words to expect, if anything does."""
    spelling = Spelling(bundle.manifest.vocabulary)
    phrases: list[Phrase] = []
    if settings.hotwords:
        phrases = read_hotwords(Path(settings.hotwords).expanduser(), spelling, settings.hotword_weight)
    known = {word for phrase in phrases for word in phrase.text.split()}
    scorers: list[WordScorer] = [HotWords(phrases)] if phrases else []
    own = bundle.manifest.decoding
    if settings.language_model:
        weights = Weights(settings.language_model_weight, settings.word_bonus)
        scorers.append(load_language_model(Path(settings.language_model).expanduser(), spelling, weights, known))
    elif own.language_model:
        weights, file = Weights(own.language_model_weight, own.word_bonus), bundle.path / own.language_model
        scorers.append(load_language_model(file, spelling, weights, known, binary=False))
    return Together(scorers) if len(scorers) > 1 else scorers[0] if scorers else None


def _closings(tokens: Sequence[Token]) -> list[int]:
    """For each word that is whole, the token that ends it: a space, or the first piece of the next word."""
    found: list[int] = []
    within = False
    for index, token in enumerate(tokens):
        if within and token.text.startswith(" "):
            found.append(index)
        within = token.text != " "
    return found
