"""What the screen shows, computed from events alone: no Textual in here, and no clock but the one in the events.

Every string is made safe here, at the one place where text enters the screen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import Flag, auto
from itertools import pairwise

from edgevoice.events import (
    ActionFinished,
    ActionStarted,
    AudioLost,
    CaptionFinished,
    CaptionRevised,
    CaptionUpdated,
    Event,
    Failed,
    InputSilent,
    IntentDetected,
    IntentRejected,
    LabelScore,
    LevelMeasured,
    PaceChanged,
    Recovered,
    SourceChanged,
    SpeechEnded,
    SpeechStarted,
    StreamEnded,
    StreamStarted,
)
from edgevoice.text import plain
from edgevoice.tui.intents import IntentLog
from edgevoice.tui.levels import LevelTracker, LevelView
from edgevoice.tui.speed import Speed
from edgevoice.tui.views import (
    HINTS,
    MESSAGE_LENGTH,
    Bar,
    CaptionLine,
    HeaderView,
    IntentView,
    LiveView,
    Phase,
    Problem,
    StatusView,
    finite,
    label_name,
    pace_of,
    percentile,
    short,
)

LATENCIES_KEPT = 200


class Part(Flag):
    """The parts of the screen that an event can change."""

    NOTHING = 0
    HEADER = auto()
    LIVE = auto()
    INTENT = auto()
    LEVEL = auto()
    STATUS = auto()
    BANNER = auto()
    CHANNELS = auto()


@dataclass(frozen=True, slots=True)
class Change:
    """What one event changed."""

    parts: Part = Part.NOTHING
    finished: CaptionLine | None = None
    late: bool = False
    """It is known only now, and its channel may have said more since."""
    revised: CaptionLine | None = None
    """A caption as it is after a second reading; with no text if nothing was said."""


class ScreenState:
    """Turns events into what is shown, one at a time."""

    def __init__(self) -> None:
        self.sources: dict[str, StreamStarted] = {}
        self.lives: dict[str, LiveView] = {}
        self.intents = IntentLog()
        self.problems: list[Problem] = []
        self.failed = False
        self._levels: dict[str, LevelTracker] = {}
        self._ended: set[str] = set()
        self._run_over = False
        self._paused = False
        self._stopping = False
        self._lost: dict[str, float] = {}
        self._behind: dict[str, PaceChanged] = {}
        """Of the channels that cannot keep up."""
        self._action = ""
        self._passing: dict[str, Problem] = {}
        """What is said of the channels whose device is away or silent, for as long as it is."""
        self._speeds: dict[str, Speed] = {}
        self._finished: dict[str, int] = {}
        self._shown: dict[str, set[int]] = {}
        """Segments that became captions, whatever became of these."""
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._at = 0.0

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels in the order in which they were first heard of."""
        return tuple(self.lives)

    @property
    def labelled(self) -> bool:
        """Whether lines must say whose they are."""
        return len(self.lives) > 1

    @property
    def phase(self) -> Phase:
        """Where the run stands, the gravest first."""
        if self.failed:
            return Phase.FAILED
        if self._run_over or (self.sources and self._ended >= self.sources.keys()):
            return Phase.ENDED
        if self._stopping:
            return Phase.STOPPING
        if self._paused:
            return Phase.PAUSED
        return Phase.LISTENING if self.sources or self.lives else Phase.STARTING

    @property
    def hint(self) -> str:
        """What is said while no caption is finished; nothing while somebody speaks, whose words say it."""
        speaking = self.phase is Phase.LISTENING and any(live.segment >= 0 for live in self.lives.values())
        return "" if speaking else HINTS[self.phase]

    @property
    def over(self) -> bool:
        """Whether nothing is heard any more."""
        return self.phase in (Phase.STOPPING, Phase.ENDED, Phase.FAILED)

    @property
    def status(self) -> StatusView:
        """The status line as of now."""
        ordered = sorted(self._latencies)
        return StatusView(
            phase=self.phase,
            model=" + ".join(dict.fromkeys(short(start.model) for start in self.sources.values())),
            reader=" + ".join(dict.fromkeys(short(s.reader) for s in self.sources.values() if s.reader)),
            provider=" + ".join(dict.fromkeys(short(start.provider) for start in self.sources.values())),
            note=" ".join(dict.fromkeys(short(s.note, MESSAGE_LENGTH) for s in self.sources.values() if s.note)),
            p50=percentile(ordered, 0.5),
            p95=percentile(ordered, 0.95),
            lost=sum(self._lost.values()),
            pace=self._pace(),
            action=self._action,
            speed=self._speed(),
        )

    @property
    def header(self) -> HeaderView:
        """The header line as of now."""
        names = dict.fromkeys(short(start.source) for start in self.sources.values())
        return HeaderView(source=" + ".join(names), seconds=int(self._at))

    @property
    def problem(self) -> Problem | None:
        """The message that matters most: what cannot be recovered from, then failures, then notes."""
        if not self.problems:
            return None
        ranked = sorted(enumerate(self.problems), key=lambda item: (item[1].recoverable, item[1].note, -item[0]))
        return ranked[0][1]

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """This run in words, for the help sheet."""
        status = self.status
        facts = [(short(channel, 19), short(start.source)) for channel, start in self.sources.items()]
        model = f"{status.model} + {status.reader}" if status.reader else status.model
        facts += [("model", model), ("runs on", status.provider), ("note", status.note)]
        labels = dict.fromkeys(label for start in self.sources.values() for label in start.labels)
        facts.append(("intents known", short(", ".join(labels), 2000)))
        return tuple((name, value or "-") for name, value in facts)

    def level(self, channel: str) -> LevelView:
        """The level meter of a channel."""
        tracker = self._levels.get(channel)
        return tracker.view if tracker else LevelView(channel=channel)

    def apply(self, event: Event) -> Change:
        """Takes one event in and says what changed."""
        channel = short(event.channel, 16)
        parts = self._open_channel(channel)
        at = finite(event.at)
        if int(at) > int(self._at):
            parts |= Part.HEADER
        self._at = max(self._at, at)
        change = self._dispatch(channel, event)
        return replace(change, parts=change.parts | parts)

    def run_over(self) -> Part:
        """The run delivers no more events."""
        self._run_over = True
        return self._close_lives() | Part.STATUS

    def stop(self) -> Part:
        """Somebody asked the run to end."""
        self._stopping = True
        return Part.STATUS

    def pause(self, *, paused: bool) -> Part:
        """The run was paused or resumed."""
        self._paused = paused
        return Part.STATUS

    def dismiss(self) -> Part:
        """Puts the message on show away; one that cannot be recovered from stays."""
        problem = self.problem
        if problem is None or not problem.recoverable:
            return Part.NOTHING
        self.problems.remove(problem)
        return Part.BANNER

    def report(self, problem: Problem) -> Part:
        """Adds a message; the same one twice is shown once."""
        cleaned = replace(
            problem, what=short(problem.what, MESSAGE_LENGTH), remedy=short(problem.remedy, MESSAGE_LENGTH)
        )
        if cleaned not in self.problems:
            self.problems.append(cleaned)
        self.failed = self.failed or not problem.recoverable
        return Part.BANNER | Part.STATUS

    def _reported(self, event: Failed | Recovered) -> Part:
        if isinstance(event, Failed):
            return self.report(Problem(event.what, event.remedy, event.recoverable))
        # what is repaired needs nobody's eye any more; what came of it does
        what = short(event.what, MESSAGE_LENGTH)
        self.problems = [problem for problem in self.problems if not problem.recoverable or problem.what != what]
        return self.report(Problem(event.now, note=True))

    def _pace(self) -> str:
        """The worst of the channels."""
        if not self._behind:
            return ""
        behind = max(finite(event.behind) for event in self._behind.values())
        return pace_of(behind, max(finite(event.hop) for event in self._behind.values()))

    def _speed(self) -> str:
        """Of the fastest speaker, if that is too fast."""
        return max((speed for each in self._speeds.values() if (speed := each.told)), default="")

    def _open_channel(self, channel: str) -> Part:
        if channel in self.lives:
            return Part.NOTHING
        self.lives[channel] = LiveView(channel)
        return Part.CHANNELS | Part.STATUS

    def _dispatch(self, channel: str, event: Event) -> Change:
        match event:
            case LevelMeasured() | SpeechStarted() | SpeechEnded():
                return self._heard(channel, event)
            case CaptionUpdated():
                return self._caption_updated(channel, event)
            case CaptionFinished() | CaptionRevised():
                return self._caption_read(channel, event)
            case IntentDetected() | IntentRejected():
                return Change(self._intent_changed(channel, event))
            case ActionStarted() | ActionFinished():
                return Change(self._action_changed(event))
            case _:
                return Change(self._run_changed(channel, event))

    def _run_changed(self, channel: str, event: Event) -> Part:
        match event:
            case StreamStarted() | SourceChanged():
                return self._source_changed(channel, event)
            case StreamEnded():
                self._ended.add(channel)
                self._behind.pop(channel, None)
                self._lost[channel] = max(self._lost.get(channel, 0.0), finite(event.lost))
                self._tracker(channel).quiet()
                return self._close_lives(channel) | Part.LEVEL | Part.STATUS
            case PaceChanged():
                self._behind.pop(channel, None)
                if not event.keeping_up:
                    self._behind[channel] = event
                return Part.STATUS
            case AudioLost():
                self._lost[channel] = self._lost.get(channel, 0.0) + finite(event.seconds)
                return Part.STATUS
            case _:
                return self._trouble(channel, event)

    def _trouble(self, channel: str, event: Event) -> Part:
        match event:
            case InputSilent():
                return self._pass(channel, Problem(event.what, event.remedy) if event.silent else None)
            case Failed() | Recovered():
                return self._reported(event)
            case _:
                return Part.NOTHING

    def _action_changed(self, event: ActionStarted | ActionFinished) -> Part:
        name = short(event.name, 24)
        if isinstance(event, ActionStarted):
            self._action = f"{name} (dry run)" if event.dry_run else f"{name}..."
            return Part.STATUS
        self._action = f"{name} {'ok' if event.ok else 'failed'}, {finite(event.seconds):.1f} s"
        if event.ok:
            return Part.STATUS
        remedy = f"Try it with 'edgevoice actions test {short(event.label)}'"
        return self.report(Problem(f"The action {name} failed: {short(event.error, MESSAGE_LENGTH)}", remedy))

    def _pass(self, channel: str, problem: Problem | None) -> Part:
        """Puts a message in the place of the one before, which is true no more; or none."""
        before = self._passing.pop(channel, None)
        if before in self.problems:
            self.problems.remove(before)
        known = len(self.problems)
        if problem is not None:
            self.report(problem)
        if len(self.problems) > known:
            self._passing[channel] = self.problems[-1]
        return Part.STATUS | Part.BANNER

    def _heard(self, channel: str, event: LevelMeasured | SpeechStarted | SpeechEnded) -> Change:
        if not isinstance(event, LevelMeasured):
            return self._speech_changed(channel, event)
        changed = self._tracker(channel).measure(finite(event.at), finite(event.dbfs, -120.0), event.peak)
        return Change(Part.LEVEL if changed else Part.NOTHING)

    def _source_changed(self, channel: str, event: StreamStarted | SourceChanged) -> Part:
        if isinstance(event, SourceChanged):
            return self._device_changed(channel, event)
        self.sources[channel] = event
        self._ended.discard(channel)
        self._shown.pop(channel, None)  # its segments are counted anew
        self.intents.begin(event.thresholds)
        parts = Part.HEADER | Part.STATUS
        if event.note:
            parts |= self.report(Problem(event.note, note=True))
        return parts

    def _device_changed(self, channel: str, event: SourceChanged) -> Part:
        if channel in self.sources:
            self.sources[channel] = replace(self.sources[channel], source=event.source)
        return Part.HEADER | self._pass(channel, Problem(event.what, event.remedy) if event.waiting else None)

    def _tracker(self, channel: str) -> LevelTracker:
        return self._levels.setdefault(channel, LevelTracker(channel))

    def _speech_changed(self, channel: str, event: SpeechStarted | SpeechEnded) -> Change:
        live = self.lives[channel]
        speaking = isinstance(event, SpeechStarted)
        self._tracker(channel).speech(speaking=speaking)
        # A caption still on its way to its final words stays where it is until the next one has words of its own.
        if not (live.stable or live.tentative):
            self.lives[channel] = (
                LiveView(channel, event.segment, finite(event.start)) if speaking else LiveView(channel=channel)
            )
        return Change(Part.LEVEL | Part.LIVE)

    def _caption_updated(self, channel: str, event: CaptionUpdated) -> Change:
        self._latencies.append(finite(event.latency))
        if event.segment <= self._finished.get(channel, -1):
            return Change(Part.STATUS)
        live = self.lives[channel]
        start = live.start if live.segment == event.segment else finite(event.at)
        self.lives[channel] = LiveView(channel, event.segment, start, plain(event.stable), plain(event.tentative))
        return Change(Part.LIVE | Part.STATUS)

    def _caption_read(self, channel: str, event: CaptionFinished | CaptionRevised) -> Change:
        if isinstance(event, CaptionFinished):
            return self._caption_finished(channel, event)
        if event.segment in self._shown.get(channel, ()):
            return self._caption_revised(channel, event)
        # nothing of it was shown: the first reading heard no words, or is missing from a file
        return replace(self._caption_finished(channel, event), late=True)

    def _caption_finished(self, channel: str, event: CaptionFinished | CaptionRevised) -> Change:
        self._finished[channel] = max(event.segment, self._finished.get(channel, -1))
        if self.lives[channel].segment <= event.segment:
            self.lives[channel] = LiveView(channel)
        if event.words:
            self._speed_of(channel).add(event.segment, len(event.words), _seconds(event))
        caption = _caption(channel, event)
        if not caption.text:
            return Change(Part.LIVE | Part.STATUS)
        self._shown.setdefault(channel, set()).add(event.segment)
        return Change(Part.LIVE | Part.STATUS, caption)

    def _caption_revised(self, channel: str, event: CaptionRevised) -> Change:
        caption = _caption(channel, event)
        if event.words or not caption.text:
            self._speed_of(channel).revise(event.segment, len(event.words), _seconds(event))
        return Change(Part.STATUS, revised=caption)

    def _speed_of(self, channel: str) -> Speed:
        return self._speeds.setdefault(channel, Speed())

    def _intent_changed(self, channel: str, event: IntentDetected | IntentRejected) -> Part:
        intent = IntentView(
            channel=channel,
            segment=event.segment,
            at=finite(event.at),
            label=label_name(event.label),
            score=finite(event.score),
            key=event.label,
            early=isinstance(event, IntentDetected) and event.early,
            reason=short(event.reason) if isinstance(event, IntentRejected) else "",
            runners_up=_bars(event.runners_up),
        )
        self.intents.add(intent)
        return Part.INTENT

    def _close_lives(self, *channels: str) -> Part:
        for channel in channels or self.channels:
            self.lives[channel] = LiveView(channel)
        return Part.LIVE


def _bars(scores: tuple[LabelScore, ...]) -> tuple[Bar, ...]:
    return tuple(Bar(label_name(score.label), finite(score.score)) for score in scores[:5])


def _caption(channel: str, event: CaptionFinished | CaptionRevised) -> CaptionLine:
    lines = [plain(line).strip() for line in event.text.split("\n")]
    text = "\n".join(line for line in lines if line)
    pauses = _pauses(event) if len(text.split()) == len(event.words) else ()
    return CaptionLine(channel, finite(event.start), text, pauses, _confidence(event), event.segment)


def _seconds(event: CaptionFinished | CaptionRevised) -> float:
    return finite(event.words[-1].end) - finite(event.words[0].start) if event.words else 0.0


def _pauses(event: CaptionFinished | CaptionRevised) -> tuple[float, ...]:
    return tuple(finite(after.start - before.end) for before, after in pairwise(event.words))


def _confidence(event: CaptionFinished | CaptionRevised) -> float | None:
    confidences = [min(1.0, max(0.0, finite(word.confidence))) for word in event.words]
    if confidences:
        return sum(confidences) / len(confidences)
    return min(1.0, max(0.0, finite(event.confidence))) if isinstance(event, CaptionRevised) else None
