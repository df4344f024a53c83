"""The files of a session: complete after every final, whoever speaks when, and whatever the disk does."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.errors import ConfigError
from edgevoice.events import (
    CaptionFinished,
    CaptionRevised,
    CaptionUpdated,
    Event,
    Failed,
    IntentDetected,
    Recovered,
    SpeechStarted,
    StreamStarted,
    Word,
    from_json,
    to_json,
)
from edgevoice.session import Session, started_at
from edgevoice.sinks import session_files
from edgevoice.sinks.session_files import SessionFiles
from edgevoice.sinks.subtitles import to_srt, to_vtt
from edgevoice.sinks.text import to_text

START = datetime(2026, 3, 1, 14, 5, 33, tzinfo=UTC)
NAME = "2026-03-01_14-05-33"


def session(folder: Path) -> Session:
    return Session(folder, lambda: START)


def started(channel: str) -> StreamStarted:
    return StreamStarted(channel=channel, at=0.0, source="a", sample_rate=16_000, model="m", provider="cpu")


def final(channel: str, segment: int, start: float, text: str, per_word: float = 0.3) -> CaptionFinished:
    words = tuple(
        Word(word=word, start=start + index * per_word, end=start + (index + 1) * per_word, confidence=0.5)
        for index, word in enumerate(text.split())
    )
    end = start + len(words) * per_word
    return CaptionFinished(
        channel=channel, at=end + 0.5, segment=segment, start=start, end=end, text=text, words=words, latency=0.5
    )


def intent(channel: str, segment: int, at: float, *, early: bool = False) -> IntentDetected:
    return IntentDetected(
        channel=channel, at=at, segment=segment, label="card_lost", score=0.914, runners_up=(), early=early, words=""
    )


def revised(said: CaptionFinished, text: str, *, late: float = 1.0) -> CaptionRevised:
    """The second reading of a caption, in the same time."""
    per_word = (said.end - said.start) / max(1, len(text.split()))
    words = final(said.channel, said.segment, said.start, text, per_word).words
    return CaptionRevised(
        channel=said.channel,
        at=said.at + late,
        segment=said.segment,
        start=said.start,
        end=said.end,
        text=text,
        words=words,
        confidence=0.9,
        reader="r",
        latency=late,
    )


TEXTS = st.lists(st.sampled_from(["card", "-->", "<b>", "lost,", "漢字。", "é" * 50]), max_size=20).map(" ".join)


@st.composite
def talks(draw: st.DrawFn) -> list[Event]:
    """One or two people in turn, or at once; finals come when they are over, so that one may overtake another, and so
    do second readings, each some time after its final, and not each."""
    arriving: list[tuple[float, Event]] = []
    channels = draw(st.sampled_from([["mic"], ["mic", "call"]]))
    for channel in channels:
        at = draw(st.floats(0, 5))
        for segment in range(draw(st.integers(0, 12))):
            said = final(channel, segment, at, draw(TEXTS))
            arriving.append((at, SpeechStarted(channel=channel, at=at, segment=segment, start=at)))
            if draw(st.booleans()):
                arriving.append((said.end, intent(channel, segment, said.end, early=True)))
            arriving.append((said.at, said))
            if draw(st.booleans()):
                late = draw(st.floats(0.001, 30))
                arriving.append((said.at + late, revised(said, draw(TEXTS), late=late)))
            at = said.at + draw(st.floats(0, 3))
    arriving.sort(key=lambda pair: pair[0])
    return [*map(started, channels), *(event for _, event in arriving)]


def written(folder: Path) -> dict[str, str]:
    return {file.suffix[1:]: file.read_bytes().decode() for file in folder.iterdir()}


def as_it_stands(events: Iterable[Event]) -> list[Event]:
    """The same talk, had each sentence been heard right at once: no event but finals and intents has words in it."""
    stands: list[Event] = []
    for event in events:
        if not isinstance(event, CaptionRevised):
            stands.append(event)
            continue
        same = (event.channel, event.segment)
        (place,) = (
            number
            for number, each in enumerate(stands)
            if isinstance(each, CaptionFinished) and (each.channel, each.segment) == same
        )
        stands[place] = dataclasses.replace(stands[place], text=event.text, words=event.words)  # type: ignore[type-var]
    return stands


def expected(events: Iterable[Event]) -> dict[str, str]:
    events = as_it_stands(events)
    return {"srt": to_srt(events), "vtt": to_vtt(events), "txt": to_text(events, timed=True)}


@settings(max_examples=12, deadline=None)
@given(talk=talks())
def test_after_every_reading_the_files_are_what_the_writers_give_for_the_talk_as_it_stands(
    tmp_path_factory: pytest.TempPathFactory, talk: list[Event]
) -> None:
    folder = tmp_path_factory.mktemp("talk")
    sink = SessionFiles(session(folder))
    for count, event in enumerate(talk, 1):
        assert list(sink.write(event)) == []
        if isinstance(event, CaptionFinished | CaptionRevised):
            files = written(folder)
            assert [from_json(line) for line in files.pop("jsonl").splitlines()] == talk_as_saved(talk[:count])
            assert files == expected(talk[:count])
            assert files == {"srt": to_srt(talk[:count]), "vtt": to_vtt(talk[:count]), "txt": txt(talk[:count])}
    assert list(sink.close()) == []
    parse(folder)


def txt(events: Iterable[Event]) -> str:
    return to_text(events, timed=True)


def talk_as_saved(events: Iterable[Event]) -> list[Event]:
    """What rounding to a tenth of a millisecond makes of it."""
    return [from_json(to_json(event)) for event in events]


def parse(folder: Path) -> None:
    """Two well-kept readers agree that it is a file of subtitles."""
    srt, vtt = folder / f"{NAME}.srt", folder / f"{NAME}.vtt"
    count = srt.read_text().count(" --> ")
    assert len(pysubs2.load(str(srt), encoding="utf-8", format_="srt")) == count
    assert len(pysubs2.load(str(vtt), encoding="utf-8", format_="vtt")) == count
    assert len(webvtt.read(vtt)) == count
    if count:
        assert len(webvtt.from_srt(srt)) == count


def test_a_call_interleaves_in_time_with_labels_and_notes(tmp_path: Path) -> None:
    sink = SessionFiles(session(tmp_path))
    late = final("mic", 0, 1.0, "I lost my card and I am in Paris")
    talk = [started("mic"), started("call"), final("call", 0, 2.0, "oh dear"), intent("mic", 0, 2.5, early=True), late]
    for event in [SpeechStarted(channel="mic", at=1.4, segment=0, start=1.0), *talk]:
        sink.write(event)
    files = written(tmp_path)
    assert files["txt"] == (
        "00:01  you: I lost my card and I am in Paris\n"
        "00:01  [you: intent: card_lost (91 %, early)]\n"
        "00:02  them: oh dear\n"
    )
    assert files["srt"] == (
        "1\n00:00:01,000 --> 00:00:03,700\nyou: I lost my card and I am in Paris\n\n"
        "2\n00:00:02,000 --> 00:00:03,000\nthem: oh dear\n\n"
    )
    assert files["vtt"].startswith(
        "WEBVTT\n\nNOTE intent: card_lost (91 %, early)\n\n00:00:01.000 --> 00:00:03.700\nyou:"
    )


def test_what_is_old_is_settled_and_the_files_stay_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evening of talk keeps only its newest part in memory."""
    monkeypatch.setattr(session_files, "SETTLED_FROM", 40)
    sink = SessionFiles(session(tmp_path))
    sides = itertools.cycle(["mic", "call", "call"])
    talk: list[Event] = [started("mic"), started("call")]
    for number, channel in zip(range(200), sides, strict=False):
        start = number * 3.2 - 0.5 * (number % 4 == 1)
        talk.append(final(channel, number, start, "one two three four five, six seven eight nine ten"))
        if number % 3 == 0:
            talk.append(intent(channel, number, start + 1))
    talk.insert(-5, talk.pop(-1))
    for event in talk:
        assert list(sink.write(event)) == []
    files = written(tmp_path)
    assert files.pop("jsonl").count("\n") == len(talk)
    assert files == expected(talk)
    assert len(sink._conversation.entries) <= 41


def read_twice(count: int, behind: int) -> list[Event]:
    """A talk whose sentences are read again when so many others have been finished; of the last ones none is."""
    talk: list[Event] = [started("mic")]
    finals = [final("mic", number, number * 5.0, f"sentence number {number}") for number in range(count)]
    for number, said in enumerate(finals):
        talk.append(said)
        if number >= behind:
            before = finals[number - behind]
            talk.append(revised(before, f"Sentence, number {before.segment}."))
    return talk


@pytest.mark.parametrize("behind", [1, 70, 119])
def test_what_may_still_be_put_right_is_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    """A reader may be far behind, up to a limit that keeps the memory small."""
    monkeypatch.setattr(session_files, "SETTLED_FROM", 40)
    monkeypatch.setattr(session_files, "OPEN_AT_MOST", 200)
    sink = SessionFiles(session(tmp_path))
    # one is read at once, as a reader begins with the first sentence
    first = final("mic", 0, 0.0, "sentence number 0")
    talk = [*read_twice(300, behind)]
    talk.insert(talk.index(first) + 1, revised(first, "Number 0."))
    for event in talk:
        assert list(sink.write(event)) == []
    files = written(tmp_path)
    files.pop("jsonl")
    assert files == expected(talk)
    assert len(sink._conversation.entries) <= behind + 42


def test_a_second_reading_of_what_was_settled_is_in_the_events_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no caption of its own behind all others. The oldest that is not settled is still put right."""
    monkeypatch.setattr(session_files, "SETTLED_FROM", 40)
    sink = SessionFiles(session(tmp_path))
    finals = [final("mic", number, number * 5.0, f"number {number}") for number in range(45)]
    for event in [started("mic"), *finals]:
        sink.write(event)
    oldest = sink._conversation.entries[0].event.segment
    assert oldest > 0
    before = written(tmp_path)
    late = revised(finals[oldest - 1], "Too late.")
    sink.write(late)
    files = written(tmp_path)
    assert from_json(files.pop("jsonl").splitlines()[-1]) == talk_as_saved([late])[0]
    assert files == {kind: text for kind, text in before.items() if kind != "jsonl"}
    in_time = revised(finals[oldest], "In time.")
    sink.write(in_time)
    files = written(tmp_path)
    assert f"  number {oldest}\n" not in files["txt"]
    assert files["txt"] == before["txt"].replace(f"  number {oldest}\n", "  In time.\n")


def test_a_reader_that_is_never_heard_of_again_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_files, "SETTLED_FROM", 40)
    monkeypatch.setattr(session_files, "OPEN_AT_MOST", 100)
    sink = SessionFiles(session(tmp_path))
    talk = read_twice(400, behind=400)
    talk.insert(2, revised(final("mic", 0, 0.0, "sentence number 0"), "Sentence."))
    for event in talk:
        sink.write(event)
        assert len(sink._conversation.entries) <= 101
    assert written(tmp_path)["txt"] == expected(talk)["txt"]


def test_a_sentence_that_was_never_said_goes_and_its_intent_stays(tmp_path: Path) -> None:
    sink = SessionFiles(session(tmp_path))
    noise = final("mic", 0, 1.0, "the the the")
    words = final("mic", 1, 9.0, "my card is gone")
    for event in (started("mic"), noise, intent("mic", 0, 3.0), words, intent("mic", 1, 11.0)):
        sink.write(event)
    assert "1\n00:00:01,000 --> 00:00:02,000\nthe the the\n\n2\n" in written(tmp_path)["srt"]
    sink.write(revised(noise, ""))
    sink.write(revised(words, "My card is gone."))
    files = written(tmp_path)
    assert files["txt"] == (
        "00:01  [intent: card_lost (91 %)]\n00:09  My card is gone.\n00:09  [intent: card_lost (91 %)]\n"
    )
    assert files["srt"] == "1\n00:00:09,000 --> 00:00:10,200\nMy card is gone.\n\n"
    assert files["vtt"].count("NOTE ") == 2
    assert "the the" not in files["vtt"]
    parse(tmp_path)


def test_a_second_reading_alone_is_a_caption(tmp_path: Path) -> None:
    """As in a log that was cut; one without words is nothing."""
    unseen = final("mic", 0, 3.0, "x")
    talk = [started("mic"), final("mic", 1, 9.0, "later"), revised(unseen, "Earlier."), revised(unseen, "Earlier!")]
    talk.append(revised(final("mic", 2, 12.0, "y"), " "))
    assert txt(talk) == "00:03  Earlier!\n00:09  later\n"


def test_segments_that_are_counted_anew_are_others() -> None:
    """Two runs in one file, of which each begins with segment 0; also where the line that says so was damaged."""
    one, other = final("mic", 0, 1.0, "one"), final("mic", 0, 5.0, "two")
    for between in ([started("mic")], []):
        talk = [started("mic"), one, revised(one, "One."), *between, other, revised(other, "Two.")]
        assert txt(talk) == "00:01  One.\n00:05  Two.\n"


WRITER = """
import sys, time
from pathlib import Path
from edgevoice.events import from_json
from edgevoice.session import Session
from edgevoice.sinks.session_files import SessionFiles
sink = SessionFiles(Session(Path(sys.argv[1])))
for line in sys.stdin:
    list(sink.write(from_json(line)))
    print(flush=True)
"""


@pytest.mark.parametrize("readings", [1, 2])
def test_a_killed_process_leaves_the_reading_that_there_was(tmp_path: Path, readings: int) -> None:
    said = final("mic", 0, 1.0, "my car is gone and i need a new one")
    talk = [started("mic"), said, final("mic", 1, 9.0, "hello"), revised(said, "My card is gone.")][: 2 + readings]
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    for line in map(to_json, talk):
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        assert process.stdout.readline()
    process.kill()
    process.communicate(timeout=20)
    files = written(tmp_path)
    assert [from_json(line) for line in files.pop("jsonl").splitlines()] == talk_as_saved(talk)
    assert files == expected(talk)
    assert ("my car is gone" in files["txt"], "My card is gone." in files["txt"]) == (readings == 1, readings == 2)


class Killed(BaseException):
    """Nobody cleans up after it."""


def test_a_shorter_reading_leaves_nothing_of_the_longer_one_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the process is killed between writing and cutting: empty lines are none of a subtitle."""

    def die(_descriptor: int, _length: int) -> None:
        raise Killed

    sink = SessionFiles(session(tmp_path))
    said = final("mic", 0, 1.0, "i i lost lost my card in in paris")
    sink.write(started("mic"))
    sink.write(said)
    monkeypatch.setattr("edgevoice.sinks.growing.os.ftruncate", die)
    with pytest.raises(Killed):
        sink.write(revised(said, "I lost my card in Paris."))
    assert written(tmp_path)["txt"].rstrip("\n") == "00:01  I lost my card in Paris."
    for kind in ("srt", "vtt"):
        with pytest.raises(Killed):
            next(text for text in sink._texts if text.kind == kind).write(sink._session, sink._conversation.entries)
        assert written(tmp_path)[kind].endswith("I lost my card in Paris.\n\n" + "\n" * 9)
    parse(tmp_path)


def test_a_second_reading_waits_for_room_too(tmp_path: Path) -> None:
    """And is no caption that was missing."""
    sink = SessionFiles(session(tmp_path))
    finals = [final("mic", number, number * 5.0, f"number {number}") for number in range(4)]
    with limited(700):
        said = [answer for event in (started("mic"), *finals) for answer in sink.write(event)]
        said += sink.write(revised(finals[0], "Number 0, put right."))
    assert [type(each) for each in said] == [Failed]
    (recovered,) = sink.write(revised(finals[3], "Number 3."))
    assert isinstance(recovered, Recovered)
    assert "none is missing" in recovered.now
    assert "Number 0, put right." in written(tmp_path)["txt"]
    assert "number 0" not in written(tmp_path)["srt"]


def test_events_that_pass_are_left_out(tmp_path: Path) -> None:
    sink = SessionFiles(session(tmp_path))
    sink.write(started("mic"))
    sink.write(CaptionUpdated(channel="mic", at=1.0, segment=0, stable="a", tentative="b", latency=0.1))
    assert written(tmp_path)["jsonl"].count("\n") == 1


def test_two_sessions_of_one_second_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.jsonl").write_text("mine")
    for _ in range(2):
        sink = SessionFiles(session(tmp_path))
        sink.write(started("mic"))
        sink.close()
    assert {file.stem for file in tmp_path.iterdir()} == {NAME, f"{NAME}-2", f"{NAME}-3"}
    assert (tmp_path / f"{NAME}.jsonl").read_text() == "mine"
    assert started_at(f"{NAME}-2") == datetime(2026, 3, 1, 14, 5, 33).astimezone()
    assert started_at("holiday") is None


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """No file may grow beyond that many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_is_said_once_and_what_waited_is_saved_when_there_is(tmp_path: Path) -> None:
    sink = SessionFiles(session(tmp_path))
    talk = [started("mic"), *(final("mic", number, number * 5.0, f"sentence number {number}") for number in range(12))]
    with limited(1500):
        said = [answer for event in talk[:9] for answer in sink.write(event)]
        (failed,) = said
        assert isinstance(failed, Failed)
        assert failed.recoverable
        assert str(tmp_path) in failed.what
        assert "File too large" in failed.what
        assert "what is said from 00:" in failed.what
        files = written(tmp_path)
        heard = [from_json(line) for line in files.pop("jsonl").splitlines()]
        assert len(heard) < 9, "whole lines, as many as there was room for"
        parse(tmp_path)
    (recovered,) = sink.write(talk[9])
    assert isinstance(recovered, Recovered)
    assert recovered.what == failed.what
    waited = 10 - len(heard)
    assert f"{waited} captions that had to wait are saved, none is missing" in recovered.now
    for event in talk[10:]:
        assert list(sink.write(event)) == []
    files = written(tmp_path)
    assert [from_json(line) for line in files.pop("jsonl").splitlines()] == talk_as_saved(talk)
    assert files == expected(talk)


def test_what_is_more_than_can_wait_is_counted_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_files, "WAITING", 3)
    sink = SessionFiles(session(tmp_path))
    sink.write(started("mic"))
    with limited(300):
        said = [answer for number in range(8) for answer in sink.write(final("mic", number, number * 5.0, "a b"))]
        assert [type(answer) for answer in said] == [Failed]
    (recovered,) = sink.write(final("mic", 9, 50.0, "c d"))
    assert isinstance(recovered, Recovered)
    assert "3 captions that had to wait are saved, 6 captions missing" in recovered.now
    assert written(tmp_path)["txt"].count("  a b\n") == 3


def test_what_was_never_saved_is_said_at_the_end(tmp_path: Path) -> None:
    sink = SessionFiles(session(tmp_path))
    sink.write(started("mic"))
    with limited(200):
        assert len(list(sink.write(final("mic", 0, 1.0, "hello")))) == 1
        (failed,) = sink.close()
    assert isinstance(failed, Failed)
    assert "1 caption could not be saved in '.jsonl'" in failed.what


def test_the_files_that_lack_something_are_named_and_those_that_do_not(tmp_path: Path) -> None:
    """The events are the largest, so that a limit hits them first."""
    sink = SessionFiles(session(tmp_path))
    talk = [started("mic"), *(final("mic", number, number * 5.0, f"at {number}") for number in range(8))]
    with limited(1500):
        said = [answer for event in talk for answer in sink.write(event)]
        (failed,) = sink.close()
    assert len(said) == 1
    assert isinstance(failed, Failed)
    assert "could not be saved in '.jsonl' in the folder" in failed.what
    assert "'.txt', '.srt', '.vtt'" in failed.remedy
    assert "at 7" in written(tmp_path)["txt"]


def test_a_full_file_system(tmp_path: Path) -> None:
    """A real one, of 64 KiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a file system")
    try:
        sink = SessionFiles(session(tmp_path))
        ballast = tmp_path / "ballast"
        ballast.write_bytes(bytes(30_000))
        talk: list[Event] = [started("mic")]
        said = list(sink.write(talk[0]))
        while not said:
            talk.append(final("mic", len(talk), len(talk) * 5.0, f"sentence number {len(talk)}"))
            said = list(sink.write(talk[-1]))
        assert isinstance(said[0], Failed)
        assert "No space left on device" in said[0].what
        parse(tmp_path)
        ballast.unlink()
        talk.append(final("mic", len(talk), len(talk) * 5.0, "and there is room again"))
        (recovered,) = sink.write(talk[-1])
        assert isinstance(recovered, Recovered)
        assert {kind: text for kind, text in written(tmp_path).items() if kind != "jsonl"} == expected(talk)
        sink.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_files_that_are_removed_come_back_with_all_that_was_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with what is no longer in memory; and it is said."""
    monkeypatch.setattr(session_files, "SETTLED_FROM", 4)
    folder = tmp_path / "deep" / "talk"
    sink = SessionFiles(session(folder))
    talk: list[Event] = [
        started("mic"),
        *(final("mic", number, number * 5.0, f"number {number}") for number in range(9)),
    ]
    said = [answer for event in talk[:6] for answer in sink.write(event)]
    assert said == []
    shutil.rmtree(tmp_path / "deep")
    (failed,) = sink.write(talk[6])
    assert isinstance(failed, Failed)
    assert failed.recoverable
    assert "were removed" in failed.what
    assert "made again" in failed.remedy
    (folder / f"{NAME}.srt").unlink()
    (said_again,) = sink.write(SpeechStarted(channel="mic", at=40.0, segment=7, start=40.0))
    assert isinstance(said_again, Failed)
    for event in talk[7:]:
        assert list(sink.write(event)) == []
    assert list(sink.close()) == []
    files = written(folder)
    assert files.pop("jsonl").count("\n") == len(talk) + 1
    assert files == expected(talk)


def test_files_that_cannot_be_made_again_are_said_with_what_helps(tmp_path: Path) -> None:
    """And come back as soon as they can."""
    folder = tmp_path / "talk"
    sink = SessionFiles(session(folder))
    talk = [started("mic"), *(final("mic", number, number * 5.0, "hello") for number in range(4))]
    for event in talk[:2]:
        sink.write(event)
    shutil.rmtree(folder)
    folder.write_text("in the way")
    said = [answer for event in talk[2:4] for answer in sink.write(event)]
    (failed,) = said
    assert isinstance(failed, Failed)
    assert "was removed and cannot be made again" in failed.what
    assert "space" not in failed.remedy
    folder.unlink()
    (recovered,) = sink.write(talk[4])
    assert isinstance(recovered, Recovered)
    assert written(folder).pop("txt").count("  hello\n") == 4


@pytest.mark.parametrize("name", ["file", "file/below", "/proc/nothing/here", "a\0b"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Nothing can be saved in the folder") as caught:
        Session(tmp_path / name)
    assert caught.value.remedy
    assert (tmp_path / "file").read_text() == ""
