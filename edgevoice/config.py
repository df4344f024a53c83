"""Every setting, with its default, unit and meaning. Immutable: a run is described by one `Settings` value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SAMPLE_RATE = 16_000
"""Hertz. What every model of the Wav2Vec2 family hears; sources of another rate are resampled."""

Provider = Literal["auto", "cuda", "tensorrt", "cpu"]


@dataclass(frozen=True, kw_only=True)
class AudioSettings:
    """Where the audio comes from."""

    device: str = ""
    """Input device by number or part of its name; empty for the system's default."""
    call_device: str = ""
    """With --call: the loudspeaker whose sound is the other side, or a device that loops it back, by part of its name;
    empty for the system's default loudspeaker."""
    echo_cancellation: bool = True
    """With --call: take out of the microphone what the loudspeakers play. Not needed with headphones."""
    queue_seconds: float = 30.0
    """How much audio may wait for the engine before the oldest is dropped and counted as lost."""


@dataclass(frozen=True, kw_only=True)
class VadSettings:
    """When somebody is speaking."""

    detector: Literal["webrtc", "silero"] = "webrtc"
    """"silero" follows speech in noise better, costs more and needs the extra `silero`."""
    aggressiveness: int = 2
    """webrtcvad mode, 0 (lets most through) to 3 (strictest)."""
    threshold: float = 0.5
    """Smoothed probability of speech at which a segment opens; it closes below 0.15 less."""
    preroll_s: float = 0.4
    """Audio taken from before the detection, so that the first word is whole."""
    minimum_speech_s: float = 0.12
    """Speech shorter than this opens no segment."""
    hangover_s: float = 0.5
    """Silence after which a segment ends."""
    maximum_s: float = 20.0
    """A segment ends here even if the speaker goes on; the next one begins at once."""


@dataclass(frozen=True, kw_only=True)
class AsrSettings:
    """How captions are made."""

    provider: Provider = "auto"
    """Where the model runs. "auto" takes a GPU that works, and says so where it cannot; a name never falls back."""
    remote: str = ""
    """grpc://HOST:PORT of a KServe v2 server that runs the model in place of this machine; empty for this machine."""
    remote_timeout_s: float = 10.0
    """How long that server may take for one answer before it counts as away."""
    precision: Literal["auto", "fp32", "fp16", "int8"] = "auto"
    """"auto": fp16 on CUDA and int8 on CPU where the bundle has them, otherwise fp32."""
    threads: int = 2
    """Threads of ONNX Runtime on the CPU; a small model that hears in chunks takes one, which is quicker."""
    convolution_search: Literal["heuristic", "exhaustive", "default"] = "heuristic"
    """How CUDA chooses the kernel of a convolution. "exhaustive" tries all whenever audio of a new length comes, which
    stops captions for a moment; `python -m bench.gpu` compares them."""
    cuda_graph: bool = True
    """Replay all kernels of a window on CUDA as one launch, where the model's graph allows it."""
    keep_optimised: bool = True
    """Keep large graphs as ONNX Runtime optimised them in the user's cache, so that the next start is quick; takes as
    much disk as the graph."""
    hop_s: float = 0.32
    """Time from one partial caption to the next. A model that hears in chunks knows a few; see `models info`."""
    decoder: Literal["auto", "greedy", "beam"] = "auto"
    """"greedy" writes what the audio says, "beam" searches for what it might say; "auto" searches where there are hot
    words or a language model, of the user or of the bundle."""
    beam_width: int = 16
    """How many hypotheses the search keeps."""
    language_model: str = ""
    """A word list, an ARPA n-gram model or a binary of KenLM (extra `kenlm`) that says which words to expect; empty for
    the bundle's own, if it has one."""
    language_model_weight: float = 0.5
    """What the logarithms of that n-gram model are multiplied by beside those of the audio."""
    word_bonus: float = 1.5
    """Added for every word, as a natural logarithm, with that n-gram model."""
    reader: str = "auto"
    """What reads a sentence once more when it is over: "off" for nothing, "auto" for the model's own reader or, for
    English, the bundled one, where this machine is fast enough; or the name or folder of a bundle with a reader."""
    hotwords: str = ""
    """A file with a word or phrase on each line, which are written more readily; empty for none."""
    hotword_weight: float = 1.0
    """How much likelier each letter of a hot word becomes, as a natural logarithm."""
    context_s: float = 1.0
    """Stable audio the streaming window keeps to the left of the first word that is not stable."""


@dataclass(frozen=True, kw_only=True)
class CaptionSettings:
    """How captions are written."""

    format: bool = True
    """Capital letters where a sentence begins, and "I" in English; every word stays as it was said."""
    pause_s: float = 0.8
    """After a pause of this length a sentence begins; within a caption it begins on a line of its own."""


@dataclass(frozen=True, kw_only=True)
class IntentSettings:
    """How intents are announced, and acted upon."""

    threshold: float = 0.0
    """Raises every label's own threshold to at least this."""
    early: bool = True
    """Announce an intent while the speaker still speaks, once its score held for two updates."""
    cooldown_s: float = 0.0
    """The same label is not announced again for this long after it was; 0 for no cooldown."""
    actions_at_once: int = 4
    """How many programs and notifications may run at once, and how many webhooks beside them; further ones wait."""
    dry_run_actions: bool = False
    """Say which actions would run, and run none."""


@dataclass(frozen=True, kw_only=True)
class ActionSettings:
    """What happens when an intent is announced: one of `run`, `webhook` and `notify`."""

    intent: str
    """The label that sets it off; "*" for any."""
    name: str = ""
    """What it is called in events, lists and the log; after its program or host when empty."""
    channel: Literal["any", "you", "them"] = "any"
    """Whose intents: yours (the microphone's), theirs (what the loudspeaker plays), or anybody's."""
    minimum_score: float = 0.0
    """Intents with a lower score do not set it off."""
    early: bool = True
    """Act while the speaker still speaks, where the intent is announced early; otherwise when they have finished."""
    cooldown_s: float = 0.0
    """It is not set off again for so long, on the clock of the audio."""
    timeout_s: float = 30.0
    """A program that takes longer is ended, with all it started; for a webhook, how long one try may take."""
    run: tuple[str, ...] = ()
    """A program and its arguments, as they are: no shell reads them, and nothing is filled in."""
    webhook: str = field(default="", repr=False, metadata={"address": True})
    """http:// or https:// address that the event is posted to."""
    retries: int = 3
    """How often a post that did not get through is tried again, with growing pauses."""
    secret: str = field(default="", repr=False)
    """What posts are signed with (HMAC-SHA256, header X-Hub-Signature-256)."""
    secret_env: str = ""
    """The environment variable that holds that secret."""
    notify: str = ""
    """Title of a notification on the desktop; its text is what was said."""


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Events and captions for other programs, over HTTP."""

    address: str = ""
    """HOST:PORT to serve at; port 0 for one that is free; empty for not at all."""
    token: str = field(default="", repr=False)
    """What readers must show; needed where HOST can be reached from other machines."""
    history_s: float = 300.0
    """How much of the captions so far a reader who comes later is sent."""


@dataclass(frozen=True, kw_only=True)
class SaveSettings:
    """What is kept of a session."""

    folder: str = ""
    """Folder in which each session gets its files (.txt, .srt, .vtt, .jsonl), written while it happens; empty to save
    nothing."""
    record: bool = False
    """Keep the audio too, a FLAC file for each channel beside them."""
    last_lines: str = ""
    """A file that always holds the last two lines, for OBS and the like; empty for none."""


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """How `transcribe` takes recordings."""

    channels: Literal["auto", "mix", "split"] = "auto"
    """"split" hears the two channels of a recording as two people, "mix" all channels as one; "auto" listens first
    whether somebody else is on each."""
    channel_names: str = "left,right"
    """What the two channels are called, with a comma between."""
    jobs: int = 1
    """Recordings transcribed at once; on a Ray cluster, workers at most, where 1 means as many as it has room for."""


@dataclass(frozen=True, kw_only=True)
class ScreenSettings:
    """How the screen looks when it opens; keys change it."""

    theme: Literal["dark", "light", "contrast"] = "dark"
    """Its colours; "contrast" for bright rooms and tired eyes."""
    large: bool = False
    """Begin with large letters, for reading across a room."""
    line_length: int = 42
    """Cells in a line of a caption at most; broadcasters take 37 to 42."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All of it."""

    model: str = ""
    """Folder or name of the model bundle; empty for the bundled one."""
    intent_model: str = ""
    """A second bundle for intents; empty to use the first."""
    audio: AudioSettings = field(default_factory=AudioSettings)
    vad: VadSettings = field(default_factory=VadSettings)
    asr: AsrSettings = field(default_factory=AsrSettings)
    captions: CaptionSettings = field(default_factory=CaptionSettings)
    intent: IntentSettings = field(default_factory=IntentSettings)
    actions: tuple[ActionSettings, ...] = ()
    """Tables [[actions]] of the file; in the order in which they stand there."""
    serve: ServeSettings = field(default_factory=ServeSettings)
    save: SaveSettings = field(default_factory=SaveSettings)
    files: FileSettings = field(default_factory=FileSettings)
    screen: ScreenSettings = field(default_factory=ScreenSettings)
