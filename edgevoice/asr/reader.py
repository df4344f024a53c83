"""`Reader`: an encoder-decoder that reads speech whole and writes it as a person would, with capitals and punctuation.

Greedy decoding with cached keys on two graphs of Optimum's layout: an encoder, and a merged decoder with past
(https://huggingface.co/docs/optimum-onnx, "decoder_model_merged"). Moonshine hears raw audio of any length; Whisper
hears its window of 30 s, filled up with silence. `edgevoice export --reader` proves this class against Transformers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import Bundle
from edgevoice.asr.session import DeviceLostError, KeptValue, Session, SessionOptions, Value, open_session
from edgevoice.asr.tokens import TokenTable
from edgevoice.asr.whisper_features import whisper_log_mel
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ModelError, ProviderError

Array = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_PAST, _PRESENT = "past_key_values.", "present."
_PREFERRED = {"cpu": ("int8", "fp32", "fp16"), "cuda": ("fp16", "fp32")}
_TRIAL_S, _USUAL_TOKENS = 3.0, 4
"""Seconds of a trial, and tokens for each."""
LONGEST_PROMPT = 200
"""Tokens of words to expect; Whisper takes 223, and they are as slow as what is written."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One token that was written."""

    text: str
    """What it writes; a leading space begins a word."""
    log_prob: float
    """Natural logarithm of its probability."""
    id: int
    """Its number in the vocabulary."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one clip."""

    text: str
    """As the reader writes it, white space joined."""
    pieces: tuple[Piece, ...]
    """The tokens that write it."""
    ended: bool
    """Whether the reader came to an end by itself; it did not if it wrote all that it may for audio of that length."""
    end_log_prob: float = 0.0
    """How sure it was that nothing follows, as a natural logarithm."""

    @property
    def log_prob(self) -> float:
        """The mean over its tokens, the end included."""
        values = [piece.log_prob for piece in self.pieces] + ([self.end_log_prob] if self.ended else [])
        return sum(values) / len(values) if values else 0.0


class Reader:
    """The reader of a bundle in running order, for one thread at a time.

    Args:
        bundle: one with a reader.
        settings: provider and threads.

    Raises:
        ModelError: the bundle has no reader, or one whose graphs cannot be run.
        ProviderError: the provider asked for cannot be used.
    """

    def __init__(self, bundle: Bundle, settings: AsrSettings) -> None:
        spec = bundle.manifest.reader
        if spec is None:
            raise ModelError(f"The model '{bundle.manifest.name}' has no reader", "Choose another --reader, or off")
        self.spec = spec
        self._bundle, self._settings = bundle, settings
        self._tokens = TokenTable.load(bundle.path / spec.tokens)
        self._open(settings.provider)

    def _open(self, provider: str) -> None:
        spec = self.spec
        self._encoder = _open(self._bundle, spec.encoder, self._settings, provider)
        self._decoder = _open(self._bundle, spec.decoder, self._settings, self._encoder.provider)
        self._past = {name: f"{_PRESENT}{name.removeprefix(_PAST)}" for name in self._decoder.inputs if _PAST in name}
        if not self._past or "use_cache_branch" not in self._decoder.inputs:
            raise ModelError(f"The decoder of '{spec.name}' is no merged decoder with past", "Export the reader again")

    @property
    def provider(self) -> str:
        """What it runs on: "cpu" or "cuda"."""
        return self._encoder.provider

    @property
    def batches(self) -> bool:
        """Whether several clips are read at once. Not where a reading would depend on its company: int8 scales what it
        hears by the loudest value of a whole batch, and Moonshine levels a clip over all that it is filled up to."""
        return bool(self.spec.window_s) and self._encoder.file.name != self.spec.encoder.get("int8")

    def trial(self) -> float:
        """How long it takes for a second of speech, in seconds: a short stretch is read, with as many words as it may
        have."""
        began = time.perf_counter()
        clip = np.random.default_rng(0).normal(0, 0.05, round(_TRIAL_S * SAMPLE_RATE)).astype(np.float32)
        context = self._encode([clip])
        language = next(iter(self.spec.languages.values()), None)
        count = min(round(_TRIAL_S * _USUAL_TOKENS), self.spec.longest_tokens - len(self.spec.start) - 2)
        logits, past = self._step(context, self._start(language, "")[None], None)
        for _ in range(count):
            logits, past = self._step(context, logits.argmax(axis=-1)[:, None].astype(np.int64), past)
        return (time.perf_counter() - began) / _TRIAL_S

    def limit(self, samples: int) -> int:
        """Tokens that may be written for so many samples, the one that ends it included."""
        room = self.spec.longest_tokens - len(self.spec.start) - 1
        return max(1, min(room, 3 + round(samples / SAMPLE_RATE * self.spec.tokens_per_s)))

    def read(self, clips: Sequence[Array], *, language: str = "", prompt: str = "") -> list[Reading]:
        """What is said in clips of 16 kHz samples in -1..1, each as if it were alone.

        Args:
            clips: none longer than the reader reads at once; what is beyond is not read.
            language: in which it is said, for example "en"; found out for each clip when empty, by a reader of several.
            prompt: words to expect, for a reader that takes a prompt.

        Raises:
            ModelError: a graph failed.
        """
        longest = round(self.spec.longest_s * SAMPLE_RATE)
        heard = [np.asarray(clip[:longest], dtype=np.float32) for clip in clips]
        if not self.batches and len(heard) > 1:
            return [self.read([clip], language=language, prompt=prompt)[0] for clip in heard]
        if not heard:
            return []
        try:
            return self._read_at_once(heard, language, prompt)
        except DeviceLostError:
            if self._settings.provider != "auto":
                raise
            self._open("cpu")
            return self.read(heard, language=language, prompt=prompt)

    def _read_at_once(self, heard: Sequence[Array], language: str, prompt: str) -> list[Reading]:
        limits = [self.limit(len(clip)) for clip in heard]
        context = self._encode(heard)
        starts = np.stack([self._start(each, prompt) for each in self._languages(context, len(heard), language)])
        return self._decode(context, starts, limits)

    def _encode(self, clips: Sequence[Array]) -> dict[str, Value]:
        """What the decoder is given of clips."""
        spec = self.spec
        if spec.features.kind == "extractor":
            bins = int(spec.features.extractor.get("feature_size", 80))
            mel = np.stack([whisper_log_mel(clip, bins, round(spec.window_s * SAMPLE_RATE)) for clip in clips])
            inputs: dict[str, Value] = {"input_features": mel}
        else:
            length = max(spec.minimum_samples, *map(len, clips))
            samples = np.stack([np.pad(clip, (0, length - len(clip))) for clip in clips])
            inputs = {"input_values": samples, "attention_mask": np.ones(samples.shape, dtype=np.int64)}
        hidden = self.run_graph(self._encoder, inputs)
        context: dict[str, Value] = {"encoder_hidden_states": hidden["last_hidden_state"]}
        if "attention_mask" in inputs:
            context["encoder_attention_mask"] = inputs["attention_mask"]
        return context

    def _languages(self, context: dict[str, Value], count: int, language: str) -> list[int | None]:
        """The token of each clip's language; None for a reader of one."""
        known = self.spec.languages
        if not known:
            return [None] * count
        if language in known:
            return [known[language]] * count
        first = np.full((count, 1), self.spec.start[0], dtype=np.int64)
        logits, _ = self._step(context, first, None)
        ids = np.array(sorted(known.values()))
        return [int(ids[row[ids].argmax()]) for row in logits]

    def _start(self, language: int | None, prompt: str) -> Ids:
        """The tokens that decoding begins with."""
        first, *rest = self.spec.start
        start = [first, *([] if language is None else [language]), *rest]
        if prompt and self.spec.prompt >= 0:
            room = max(0, min(LONGEST_PROMPT, self.spec.longest_tokens // 2 - len(start) - 1))
            start = [self.spec.prompt, *self._tokens.ids(f" {prompt.strip()}")[:room], *start]
        return np.array(start, dtype=np.int64)

    def _decode(self, context: dict[str, Value], starts: Ids, limits: Sequence[int]) -> list[Reading]:
        count = len(starts)
        written: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        ends: list[float | None] = [None] * count
        past: dict[str, Value] | None = None
        ids = starts
        limits = [min(limit, self.spec.longest_tokens - starts.shape[1]) for limit in limits]
        while any(end is None and len(row) < limit for end, row, limit in zip(ends, written, limits, strict=True)):
            logits, past = self._step(context, ids, past)
            self._suppress(logits, first=ids is starts)
            best = logits.argmax(axis=-1)
            peaks = logits[np.arange(count), best]
            surest = -np.log(np.exp(logits - peaks[:, None]).sum(axis=-1))  # of the best ones, after the softmax
            for row in range(count):
                if ends[row] is not None or len(written[row]) >= limits[row]:
                    continue
                if best[row] == self.spec.end:
                    ends[row] = float(surest[row])
                else:
                    written[row].append((int(best[row]), float(surest[row])))
            ids = best[:, None].astype(np.int64)
        return [self._reading(row, end) for row, end in zip(written, ends, strict=True)]

    def _step(
        self,
        context: dict[str, Value],
        ids: Ids,
        past: dict[str, Value] | None,
    ) -> tuple[Array, dict[str, Value]]:
        """Logits of the token that follows [clips, tokens], and what is remembered for the next step."""
        cached = past is not None
        before = past or {name: self._decoder.empty(name, len(ids)) for name in self._past}
        inputs = {**context, **before, "input_ids": ids, "use_cache_branch": np.array([cached])}
        outputs = self.run_graph(self._decoder, inputs)
        # the encoder's keys do not change, and later steps do not give them again
        after = {
            name: before[name] if cached and ".encoder." in name else outputs[present]
            for name, present in self._past.items()
        }
        return np.asarray(outputs["logits"].numpy()[:, -1], dtype=np.float32), after

    def run_graph(self, session: Session, values: Mapping[str, Value]) -> dict[str, KeptValue]:
        """The outputs of the encoder or the decoder for those of the values that it takes. All that either hears and
        says passes here."""
        return session.run_kept({name: value for name, value in values.items() if name in session.inputs})

    def _suppress(self, logits: Array, *, first: bool) -> None:
        logits[:, list(self.spec.suppressed)] = -np.inf
        if first:
            logits[:, list(self.spec.suppressed_first)] = -np.inf

    def _reading(self, written: Sequence[tuple[int, float]], end: float | None) -> Reading:
        texts = self._tokens.texts([number for number, _ in written])
        pieces = tuple(Piece(text, log_prob, number) for text, (number, log_prob) in zip(texts, written, strict=True))
        text = re.sub(r"\s+", " ", "".join(texts)).strip()
        return Reading(text, pieces, ended=end is not None, end_log_prob=end or 0.0)


_SMALL = 50_000_000
"""Bytes of a graph that one thread runs as fast as two."""


def _open(bundle: Bundle, files: dict[str, str], settings: AsrSettings, provider: str) -> Session:
    """A session on one of the reader's graphs, in the precision that suits the provider."""

    def choose(its: str) -> list[Path]:
        wanted = (settings.precision,) if settings.precision in files else _PREFERRED.get(its, ("fp32",))
        found = [
            bundle.path / files[name] for name in wanted if name in files and not (name == "int8" and its != "cpu")
        ]
        if not found:
            what = f"The reader of '{bundle.manifest.name}' has no precision that runs on {its}"
            raise ProviderError(what, "Export it with --precision fp16, or use --provider cpu")
        return found

    if set(files) == {"int8"}:  # which has no kernels on a GPU
        provider = "cpu"
    if provider == "tensorrt":  # a decoder whose past grows would have an engine built for every length
        provider = "cuda"
    small = all((bundle.path / name).stat().st_size <= _SMALL for name in files.values())
    options = SessionOptions(
        threads=1 if small else settings.threads,
        digests=bundle.manifest.files if settings.keep_optimised else {},
        search=settings.convolution_search,
        cuda_graph=False,
    )
    return open_session(choose, provider, options)
