"""The model bundle: a folder with a manifest, ONNX graphs and a card, and nothing that executes.

`load_bundle` refuses a folder whose files do not match the sha256 in its manifest, a manifest of another format, names
and links that lead out of the folder, and graphs that refer to anything but its files. The writer of bundles is
`export/`; both sides share the dataclasses below, which docs/bundle.md shows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from edgevoice.asr.extractor import MODULES as EXTRACTORS
from edgevoice.asr.graph_file import COMPILED, references
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ModelError
from edgevoice.version import __version__

FORMAT = 3
"""Of the manifest. It grows with every field that comes, goes or changes its meaning; a format that is not
in `READABLE` is refused."""
READABLE = (2, FORMAT)
"""Format 3 only added `reader`, which is optional."""
MANIFEST_NAME = "edgevoice.json"
WEIGHTS_BESIDE = "_data"
"""Ends the name of the file with a graph's weights, behind that of the graph, where they are too many for one file."""
WINDOWS_S = (2.0, 4.0)
"""Of the live path, unless a bundle has others."""
LARGEST_MANIFEST = 16_000_000
"""Bytes; what is larger is no manifest, and would fill the memory."""
LONGEST_WINDOW_S = 60.0
"""Attention over more would take gigabytes at every update."""
LARGEST_CHUNK = 1000
"""Frames; longer ones are no chunks."""
_CLUTTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""What file managers leave in every folder they show."""

Role = Literal["shared", "ctc", "intent"]
Precision = Literal["fp32", "fp16", "int8"]
Streaming = Literal["window", "cached"]


@dataclass(frozen=True, kw_only=True)
class FeatureSettings:
    """How 16 kHz samples become the input of a graph."""

    kind: Literal["waveform", "log_mel", "extractor"]
    """"waveform": samples as they are; "log_mel": Kaldi filter banks, see `edgevoice.asr.features`; "extractor": what a
    feature extractor of Transformers makes of them."""
    normalise: Literal["none", "utterance", "running"] = "none"
    """"utterance": zero mean and unit variance over the whole input; "running": over what was heard so far, see
    `RunningMean` and, for "waveform", `RunningLevel`."""
    mel_bins: int = 80
    """For "log_mel": bins of the filter bank."""
    stride: int = 2
    """Mel frames (10 ms each) stacked into one model frame."""
    mean: tuple[float, ...] = ()
    """For "running": the mean of each mel bin, or of the samples, over the training data: the prior of the running
    mean."""
    std: tuple[float, ...] = ()
    """For "running": the standard deviation of each mel bin about the running mean, or of the samples, over the
    training data."""
    prior_frames: int = 100
    """For "running": how many mel frames, or blocks of 320 samples, the prior weighs."""
    extractor: dict[str, Any] = field(default_factory=dict)
    """For "extractor": its settings as in `preprocessor_config.json`, `feature_extractor_type` among them."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One ONNX graph, in one or more precisions."""

    architecture: str
    """The Transformers model type of the encoder, for example "wav2vec2-bert"."""
    features: FeatureSettings
    """How audio becomes its input."""
    input: str
    """Name of the graph's input: [batch, samples] or [batch, frames, mel_bins * stride], float32."""
    outputs: dict[str, str]
    """"ctc" -> name of the output [batch, frames, vocabulary]; "intent" -> name of the output [batch, labels]."""
    frame_samples: int
    """Samples (16 kHz) from one frame of the encoder to the next; it may be 0 where there is no CTC head, no front and
    no chunks."""
    minimum_samples: int
    """The shortest input the graph accepts, in samples."""
    variants: dict[str, str]
    """Precision ("fp32", "fp16", "int8") -> file name."""
    front: dict[str, str] = field(default_factory=dict)
    """Precision ("fp32", "fp16") -> file name of a graph that is run before: of raw audio it makes what the graph in
    `variants` takes, [batch, frames, width], a frame at a time, so that windows which overlap need not hear the same
    audio twice. Empty where one graph is the whole model."""
    chunks: tuple[int, ...] = ()
    """Of a graph that hears in chunks: the frames that a chunk may have, shortest first. It has further inputs, for
    what it remembers (export/step.py); left out, it decodes a whole recording."""
    config: dict[str, Any] = field(default_factory=dict)
    """The model's Transformers configuration. With it, and with the weights by name in the fp32 graph, `edgevoice
    train --model` goes on from a bundle; running one does not need it."""

    @property
    def chunk_lengths(self) -> tuple[float, ...]:
        """The lengths in seconds that a chunk may have, shortest first; none where it does not hear in chunks."""
        return tuple(frames * self.frame_samples / SAMPLE_RATE for frames in self.chunks)

    @property
    def files(self) -> set[str]:
        """Names of its ONNX files."""
        return {*self.variants.values(), *self.front.values()}


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How the output of the CTC head becomes words."""

    language_model: str = ""
    """A file of the bundle, used unless the user names another: a word list (a word on each line) or an ARPA n-gram
    model, which may be compressed with gzip; empty for none."""
    language_model_weight: float = 0.5
    """What the logarithms of an n-gram model are multiplied by beside those of the audio."""
    word_bonus: float = 1.5
    """Added for every word, as a natural logarithm, with an n-gram model."""
    confidence_slope: float = 1.0
    """Of a word's confidence: sigmoid(slope * logit(p) + offset), where p is the geometric mean of the probabilities of
    its tokens. See `training/confidence.py`, which fits it."""
    confidence_offset: float = 0.0
    """See `confidence_slope`."""


@dataclass(frozen=True, kw_only=True)
class ReaderSpec:
    """An encoder-decoder that reads a finished sentence once more, whole, and writes it with capitals and punctuation.

    Two graphs, as Optimum exports them: the encoder, and the merged decoder with past. Their inputs and outputs have
    Optimum's names.
    """

    name: str
    """What the reader is called; a bundle may bring another model's reader along."""
    architecture: str
    """The Transformers model type: "moonshine" or "whisper"."""
    features: FeatureSettings
    """How audio becomes the encoder's input: "waveform", or "extractor" with the settings of WhisperFeatureExtractor,
    which the runtime computes itself."""
    encoder: dict[str, str]
    """Precision ("fp32", "fp16", "int8") -> file name."""
    decoder: dict[str, str]
    """Precision -> file name; the same precisions as `encoder`."""
    tokens: str
    """The file with the bytes of each token, as tiktoken writes them: base64, a space, the id. Special tokens are not
    in it, and write nothing."""
    start: tuple[int, ...]
    """The token ids that decoding begins with."""
    end: int
    """The token id that ends it."""
    suppressed: tuple[int, ...] = ()
    """Token ids that are never written."""
    suppressed_first: tuple[int, ...] = ()
    """Token ids that are not written first."""
    languages: dict[str, int] = field(default_factory=dict)
    """Language ("en") -> its token id, which follows the first of `start`; empty for a reader of one language."""
    language: str = ""
    """The language it reads, where `languages` is empty; empty if not stated."""
    prompt: int = -1
    """The token id that words to expect begin with, before `start`; -1 where it takes none."""
    window_s: float = 0.0
    """Seconds that every input is filled up to with silence; 0 for inputs of any length."""
    longest_s: float = 30.0
    """Seconds of audio that it reads at once, at most."""
    minimum_samples: int = 1_600
    """The shortest input, in samples; what is shorter is filled up with silence."""
    tokens_per_s: float = 6.5
    """Tokens it may write for a second of speech; beyond it, it makes things up."""
    longest_tokens: int = 448
    """Token ids that its decoder takes, the first ones included."""
    confidence_slope: float = 1.0
    """Of a word's confidence: sigmoid(slope * logit(p) + sentence * q - misfit * m + offset), where p is the geometric
    mean of the probabilities of the word's tokens, q the mean log-probability of all tokens of the sentence, and m how
    badly the CTC log-probabilities fit the word's letters. See `training/reading_confidence.py`, which fits it."""
    confidence_sentence: float = 0.0
    """See `confidence_slope`."""
    confidence_misfit: float = 0.0
    """See `confidence_slope`."""
    confidence_offset: float = 0.0
    """See `confidence_slope`."""
    licence: str = ""
    """Of the weights; empty if not stated."""
    source: str = ""
    """Where the weights are from, for people."""
    parity: dict[str, Any] = field(default_factory=dict)
    """How its text compared with that of Transformers at export, by precision."""

    @property
    def files(self) -> set[str]:
        """Names of its ONNX files."""
        return {*self.encoder.values(), *self.decoder.values()}

    def reads(self, language: str) -> bool:
        """Whether it reads a language; what is not stated is taken on trust."""
        known = set(self.languages) or {self.language}
        return not language or "" in known or language in known


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `edgevoice.json` holds."""

    name: str
    """What the model is called; where it lies has a name of its own."""
    graphs: dict[str, Graph]
    """Role -> graph: {"shared": g}, {"ctc": g}, {"intent": g} or {"ctc": g, "intent": g}; empty in a bundle that is a
    reader and nothing else."""
    files: dict[str, str]
    """File name -> sha256 in lower-case hexadecimal, of every file but the manifest."""
    format: int = FORMAT
    """Version of this schema."""
    sample_rate: int = SAMPLE_RATE
    """Hertz; always 16000."""
    language: str = ""
    """Of the captions, for example "en"; empty if not stated."""
    vocabulary: tuple[str, ...] = ()
    """CTC tokens by id. A word break is a literal space, alone or at the head of a piece; special tokens are ""."""
    blank: int = 0
    """Id of the CTC blank."""
    decoding: Decoding = field(default_factory=Decoding)
    """How the output of the CTC head becomes words."""
    labels: tuple[str, ...] = ()
    """Intents by id."""
    thresholds: dict[str, float] = field(default_factory=dict)
    """Label -> smallest score that counts as detected; labels not named have `default_threshold`."""
    default_threshold: float = 0.5
    """Smallest score of every label that `thresholds` does not name."""
    early_threshold: float = 0.0
    """The smallest score at which an intent is announced before its speaker has finished; the label's own holds too."""
    temperature: float = 1.0
    """Intent logits are divided by it before the softmax, so that a score of 0.9 is right nine times out of ten."""
    reject_label: str = ""
    """The label that stands for "none of the intents"; empty when the model has no such class."""
    reject_bias: float = 0.0
    """Subtracted from that label's logit, after the division by the temperature: how much likelier an intent is where
    the model is used than it was in training."""
    windows: tuple[float, ...] = WINDOWS_S
    """Seconds of audio the streaming recogniser decodes at a time, shortest first."""
    streaming: Streaming = "window"
    """How live captions are made: "window" decodes the last seconds again and again; "cached" encodes each frame once,
    in chunks, which all graphs must have been made for."""
    made_by: str = ""
    """The version of edgevoice that wrote the bundle; empty if not stated."""
    reader: ReaderSpec | None = None
    """What reads finished sentences once more, if it comes along."""
    parity: dict[str, Any] = field(default_factory=dict)
    """Differences from PyTorch measured at export, by precision."""
    training: dict[str, Any] = field(default_factory=dict)
    """Data, recipe and figures per test set, for people."""
    licence: str = ""
    """Of the weights; empty if not stated."""

    @property
    def kind(self) -> str:
        """ "shared", "ctc", "intent", "ctc+intent" or "reader", or one of these with "+reader"."""
        return "+".join([*sorted(self.graphs), *(["reader"] if self.reader else [])])

    def threshold(self, label: str) -> float:
        """The smallest score at which `label` counts as detected."""
        return self.thresholds.get(label, self.default_threshold)

    def graph_for(self, head: Literal["ctc", "intent"]) -> Graph | None:
        """The graph that serves a head, or None if the bundle has none."""
        return self.graphs.get("shared") or self.graphs.get(head)


@dataclass(frozen=True)
class Bundle:
    """A manifest and the folder it describes."""

    path: Path
    manifest: Manifest

    def file(self, graph: Graph, precision: str) -> Path:
        """The ONNX file of a graph in a precision.

        Raises:
            ModelError: the bundle does not have that precision.
        """
        if precision not in graph.variants:
            raise ModelError(
                f"The model '{self.manifest.name}' has no {precision} variant",
                f"It has: {', '.join(sorted(graph.variants))}",
            )
        return self.path / graph.variants[precision]

    def whole(self, graph: Graph, precision: str) -> list[Path]:
        """The ONNX files that are a graph in a precision, in the order in which they run: a front, if it has one, and
        what `file` gives."""
        front = graph.front.get(precision, graph.front.get("fp32"))
        return [*([self.path / front] if front else []), self.file(graph, precision)]


def load_bundle(path: str | Path, *, verify: bool = True) -> Bundle:
    """Reads a bundle and checks every file against its sha256.

    Raises:
        ModelError: no bundle there, a damaged file, a manifest of an unknown format or with unsafe names.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    bundle = Bundle(folder, manifest)
    if verify:
        problems = check_files(bundle)
        if problems:
            raise ModelError(
                f"The model in {folder} is damaged: {problems[0]}", "Copy or export it again, or choose another --model"
            )
    return bundle


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle folder.

    Raises:
        ModelError: it is missing, no JSON, or does not describe a bundle this version can run.
    """
    file = folder / MANIFEST_NAME
    try:
        data = json.loads(_text(file))
    except FileNotFoundError:
        raise ModelError(
            f"There is no model bundle in {folder} (no {MANIFEST_NAME})",
            "Make one with 'edgevoice export CHECKPOINT --output BUNDLE', or see 'edgevoice models list'",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}", "Copy or export the model again") from None
    _check_version(folder, data if isinstance(data, dict) else {})
    try:
        manifest: Manifest = from_plain(Manifest, data)
        _check_values(manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{file} does not describe a model: {error}", "Export the model again") from None
    _check_names(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes `edgevoice.json`."""
    text = json.dumps(dataclasses.asdict(manifest), indent=1, ensure_ascii=False)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def check_files(bundle: Bundle) -> list[str]:
    """A few words on each file that is missing, changed or leads elsewhere; an empty list means the bundle is whole."""
    problems = check_presence(bundle)
    present = {name: bundle.path / name for name in bundle.manifest.files if _is_plain(bundle.path / name)}
    changed = [name for name, file in present.items() if sha256(file) != bundle.manifest.files[name]]
    problems += [f"{name} does not match its sha256" for name in changed]
    for name in sorted(_graph_files(bundle.manifest) & set(present) - set(changed)):
        problems += _check_graph(bundle, name)
    return problems


def check_presence(bundle: Bundle) -> list[str]:
    """What of `check_files` can be told without reading a file: what is missing, and what is too many."""
    listed = bundle.manifest.files
    problems = [f"{name} is missing or not a plain file" for name in listed if not _is_plain(bundle.path / name)]
    # a graph may name data files beside it, so a file that nobody vouches for must not lie there
    strangers = {file.name for file in bundle.path.iterdir()} - set(listed) - {MANIFEST_NAME} - _CLUTTER
    return problems + [f"{name} is not in its manifest" for name in sorted(strangers)]


def sha256(file: Path) -> str:
    """The sha256 of a file in lower-case hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def from_plain(annotation: Any, value: Any) -> Any:
    """Builds dataclasses, tuples and dictionaries from JSON types; unknown keys are a TypeError."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is types.UnionType:  # of a dataclass and None
        return None if value is None else from_plain(arguments[0], value)
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        hints = typing.get_type_hints(annotation)
        unknown = set(value) - set(hints)
        if unknown:
            raise TypeError(f"unknown keys {sorted(unknown)}")
        return annotation(**{key: from_plain(hints[key], item) for key, item in value.items()})
    if origin is tuple:
        return tuple(from_plain(arguments[0], item) for item in value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise TypeError(f"{value!r} is no object")
        return {key: from_plain(arguments[1], item) for key, item in value.items()}
    if origin is Literal and value not in arguments:
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, arguments))}")
    if annotation is float:
        return float(value)
    if annotation in (int, str) and not isinstance(value, annotation):
        raise TypeError(f"{value!r} is no {annotation.__name__}")
    return value


def _check_version(folder: Path, data: dict[str, Any]) -> None:
    """Raises ModelError for what another version made and this one cannot run."""
    made_by = str(data.get("made_by") or "")[:40]
    remedy = f"Install edgevoice {made_by}, which made it, or export it again" if made_by else "Export it again"
    mode, modes = data.get("streaming", "window"), typing.get_args(Streaming)
    if mode not in modes:
        known = " and ".join(map(repr, modes))
        raise ModelError(
            f"The model in {folder} makes live captions by {str(mode)[:40]!r}; edgevoice {__version__} knows {known}",
            f"{remedy} with this version",
        )
    version = data.get("format")
    if version not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise ModelError(
            f"The model in {folder} has bundle format {version!r}, and this edgevoice reads format {known}",
            f"{remedy} with this version",
        )


def _check_values(manifest: Manifest) -> None:
    """Raises ValueError for what would only break later, inside the engine."""
    if manifest.sample_rate != SAMPLE_RATE:
        raise ValueError(f"a sample rate of {manifest.sample_rate} Hz, and only {SAMPLE_RATE} Hz can be run")
    if not manifest.temperature > 0:
        raise ValueError(f"a temperature of {manifest.temperature}")
    if not math.isfinite(manifest.reject_bias):
        raise ValueError(f"a bias of {manifest.reject_bias}")
    if not manifest.windows or not all(0 < seconds <= LONGEST_WINDOW_S for seconds in manifest.windows):
        raise ValueError(f"the windows must be more than 0 and at most {LONGEST_WINDOW_S:g} s long")
    _check_decoding(manifest.decoding)
    _check_mode(manifest)
    for role, graph in manifest.graphs.items():
        _check_head(role, graph)
    if manifest.reader:
        _check_reader(manifest.reader)


def _check_reader(reader: ReaderSpec) -> None:
    if not reader.encoder or set(reader.encoder) != set(reader.decoder):
        raise ValueError("the reader has not the same precisions of encoder and decoder")
    if not reader.start or reader.end < 0:
        raise ValueError("the reader's sentences have no beginning, or no end")
    if reader.features.kind == "log_mel":
        raise ValueError("the reader hears Kaldi's filter banks, which no reader does")
    sizes = (reader.longest_s, reader.tokens_per_s, reader.longest_tokens - len(reader.start))
    if not all(0 < size < math.inf for size in sizes) or not 0 <= reader.window_s <= LONGEST_WINDOW_S:
        raise ValueError("the reader has a length that is none")


def _check_head(role: str, graph: Graph) -> None:
    features = graph.features
    heads = {"shared": {"ctc", "intent"}, "ctc": {"ctc"}, "intent": {"intent"}}.get(role, set())
    if not heads <= set(graph.outputs):
        raise ValueError(f"the graph '{role}' names no output for {min(heads - set(graph.outputs))}")
    if not all(0 < size <= LARGEST_CHUNK for size in graph.chunks) or list(graph.chunks) != sorted(graph.chunks):
        raise ValueError(f"the graph '{role}' hears in chunks that are no lengths, shortest first")
    if graph.chunks and graph.frame_samples <= 0:
        raise ValueError(f"the graph '{role}' hears in chunks of frames without a length")
    if not graph.variants:
        raise ValueError(f"the graph '{role}' has no file")
    if "ctc" in heads and graph.frame_samples <= 0:
        raise ValueError(f"the graph '{role}' has frames without a length")
    _check_front(role, graph)
    if min(features.stride, features.mel_bins) < 1:
        raise ValueError(f"the graph '{role}' has features without a size")
    if features.kind == "extractor" and features.extractor.get("feature_extractor_type") not in EXTRACTORS:
        raise ValueError(f"the graph '{role}' hears through an extractor that is none of {', '.join(EXTRACTORS)}")
    _check_running(role, features)
    if graph.chunks and features.normalise == "utterance":
        raise ValueError(f"the graph '{role}' hears in chunks what is normalised over the whole recording")


def _check_mode(manifest: Manifest) -> None:
    chunked = [role for role, graph in manifest.graphs.items() if graph.chunks]
    if (manifest.streaming == "cached") != (bool(manifest.graphs) and len(chunked) == len(manifest.graphs)):
        heard = "in chunks" if len(chunked) == len(manifest.graphs) else "not all in chunks"
        raise ValueError(f"live captions by {manifest.streaming!r}, and its graphs hear {heard}")


def _check_front(role: str, graph: Graph) -> None:
    if not graph.front:
        return
    if "fp32" not in graph.front:
        raise ValueError(f"the graph '{role}' has a front, and none in fp32")
    if graph.features.kind != "waveform" or graph.features.normalise == "utterance" or graph.chunks:
        raise ValueError(f"the graph '{role}' has a front, and its input cannot be computed as it comes")
    if not 0 < graph.frame_samples < graph.minimum_samples:
        raise ValueError(f"the graph '{role}' has a front of frames without a length")


def _check_running(role: str, features: FeatureSettings) -> None:
    if features.normalise != "running":
        return
    values = 1 if features.kind == "waveform" else features.mel_bins
    if {len(features.mean), len(features.std)} != {values}:
        what = "the samples" if features.kind == "waveform" else f"each of {values} bins"
        raise ValueError(f"the graph '{role}' needs a mean and a deviation for {what}")
    if features.kind == "waveform" and not (features.prior_frames > 0 and 0 < features.std[0] < math.inf):
        raise ValueError(f"the graph '{role}' has nothing to begin its running normalisation with")


def _check_decoding(decoding: Decoding) -> None:
    if not (0 < decoding.confidence_slope < math.inf and math.isfinite(decoding.confidence_offset)):
        raise ValueError("confidences that are no numbers, or turned round")
    if not (0 <= decoding.language_model_weight < math.inf and math.isfinite(decoding.word_bonus)):
        raise ValueError("a language model whose weights are no numbers")


def _text(file: Path) -> str:
    if file.exists() and not _is_plain(file):
        raise ValueError("it is no plain file")
    with file.open("rb") as stream:
        data = stream.read(LARGEST_MANIFEST + 1)
    if len(data) > LARGEST_MANIFEST:
        raise ValueError(f"it is larger than {LARGEST_MANIFEST // 1_000_000} MB")
    return data.decode("utf-8")


def _is_plain(file: Path) -> bool:
    """Whether it is a file, and not a link, a folder or a device."""
    return file.is_file() and not file.is_symlink()


def _graph_files(manifest: Manifest) -> set[str]:
    reader = manifest.reader.files if manifest.reader else set()
    return {name for graph in manifest.graphs.values() for name in graph.files} | reader


def _check_graph(bundle: Bundle, name: str) -> list[str]:
    """What is wrong with where a graph leads, which a matching sha256 says nothing about."""
    try:
        found = references(bundle.path / name)
    except (OSError, ValueError) as error:
        return [f"{name} is no ONNX graph: {error}"]
    outside = sorted(found.files - set(bundle.manifest.files))
    problems = [f"{name} keeps data in {outside[0]!r}, which is no file of the model"] if outside else []
    return problems + ([f"{name} holds a compiled program ({COMPILED})"] if found.compiled else [])


def _check_names(folder: Path, manifest: Manifest) -> None:
    model = manifest.decoding.language_model
    tokens = {manifest.reader.tokens} if manifest.reader else set()
    used = _graph_files(manifest) | tokens | ({model} if model else set())
    for name in used | set(manifest.files):
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or len(pure.parts) != 1 or "\\" in name:
            raise ModelError(f"The model in {folder} names a file outside its folder: {name!r}", "Do not use it")
    unlisted = used - set(manifest.files)
    if unlisted:
        raise ModelError(f"The model in {folder} has no sha256 for {min(unlisted)}", "Export the model again")
    if not (manifest.graphs or manifest.reader) or not set(manifest.graphs) <= {"shared", "ctc", "intent"}:
        raise ModelError(f"The model in {folder} has no graph this version knows", "Export the model again")
