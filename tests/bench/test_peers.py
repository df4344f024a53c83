"""edgevoice beside its peers: arithmetic by tables, what tools printed, and real processes with a tiny model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import no_speech, peers
from bench.live_audio import Audio, Utterance
from bench.peer_figures import end_of_speech, live_figures, speech_of
from bench.peer_page import page
from bench.peer_run import measured
from bench.peer_scores import fairly, nearest, score
from bench.peer_sets import Clip, PeerSet, clips_of, write_wave
from bench.peer_tools import Final, Heard, Tool, heard_of_edgevoice, heard_of_moonshine
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import EdgeVoiceError, UsageError
from tests.tiny import silence, speak, tiny_bundle

RECORDED = Path(__file__).parent / "recorded" / "moonshine_live.jsonl"
"""What Moonshine's own tool printed of "Please call Stella." and "After the match do you ...", 2.3 and 2 s long."""
SMALL = (PeerSet("tones", "tones", written=True),)


def clip(plain: str, written: str = "", phrases: tuple[str, ...] = ()) -> Clip:
    """One of six seconds."""
    return Clip(Path("x.flac"), 6.0, plain, written, phrases)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("i have twenty cats", "I have 20 cats."),
        ("twenty twenty one", "2021"),
        ("two thousand twenty one", "2,021"),
        ("zero three five one", "0351"),
        ("oh three five one", "0351"),
        ("one hundred and five pounds", "£105"),
        ("one hundred five", "105"),
        ("uh mister hale um called", "Mr. Hale called, hm."),
        ("it's okay", "It’s OK"),
        ("the second", "the 2nd"),
    ],
)
def test_another_spelling_is_no_error(said: str, heard: str) -> None:
    """Numbers, titles, hesitations and apostrophes."""
    reference, text = nearest(said, heard)
    assert reference == text


def test_error_rates_by_hand() -> None:
    """Six words of reference. Plain: twenty for 20 is one error, cat one. Written: five tokens of each clip differ."""
    clips = [
        clip("i have twenty cats", "I have twenty cats."),
        clip("good day", "Good day!"),
        clip("", phrases=("iced tea",)),
    ]
    found = score(clips, ["i have 20 cat", "Good day!", "an Iced  tea, please"])
    assert (found.clips, found.words, found.minutes) == (3, 6, pytest.approx(0.3))
    assert found.plain == pytest.approx(2 / 6)
    assert found.fair == pytest.approx(1 / 6)
    assert found.as_written == pytest.approx(3 / 6)
    assert found.phrases == 1.0
    assert score([clip("yes")], [""]).empty == 1
    assert score([clip("yes")], ["yes yes yes"]).fair == 2.0
    assert score([clip("yes")], ["yes"]).as_written is None
    assert fairly("Uh, HM") == ""


def audio_of(*spans: tuple[float, float], seconds: float = 12.0) -> Audio:
    """Tones as clips, each with a quarter of a second of silence at its ends."""
    samples = np.full(round(seconds * SAMPLE_RATE), 1e-5, dtype=np.float32)
    for start, end in spans:
        samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] = 0.3
    utterances = tuple(Utterance(start - 0.24, end + 0.24, "one two", "tones", "") for start, end in spans)
    return Audio(samples, utterances)


def test_delays_count_from_the_end_of_speech_in_the_clip() -> None:
    """Whatever the tool says of its segment; from where it cut, if it cut while somebody spoke."""
    audio = audio_of((1.0, 3.0), (5.0, 8.0))
    assert [(round(a, 2), round(b, 2)) for a, b in speech_of(audio)] == [(1.0, 3.0), (5.0, 8.0)]
    stretches = speech_of(audio)
    places = [(0.8, 3.4, 3.0), (0.8, 2.8, 3.0), (0.8, 5.05, 3.0), (4.8, 6.5, 6.5), (0.1, 0.4, 0.4), (4.8, 9.0, 8.0)]
    assert [round(end_of_speech(Final(a, b, "x", 0.0), stretches), 2) for a, b, _ in places] == [c for *_, c in places]
    finals = [Final(0.8, 3.4, "One, two.", 3.5, 4.0), Final(4.8, 8.1, "one too", 8.7), Final(9.5, 9.9, "", 10.0, 10.4)]
    found = live_figures(Heard(finals, 6, ["one two", "one too", "oh"]), audio)
    assert found.updates_per_s == pytest.approx(6 / 5, abs=0.01)
    assert found.finals == 2
    assert found.final is not None
    assert (found.final.count, found.final.p50) == (2, pytest.approx(0.6, abs=0.01))
    assert found.final.p95 == pytest.approx(0.695, abs=0.01)
    assert found.revised is not None
    assert found.revised.count == 2
    assert found.wer == pytest.approx(1 / 4)
    assert found.first_wer == pytest.approx(2 / 4)


def test_what_moonshine_printed() -> None:
    """A recorded run of its own tool; what was said in it is known."""
    lines = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    heard = heard_of_moonshine(lines)
    assert heard.sentences[0].text == "Please call Stella."
    assert len(heard.finals) == 2
    assert heard.updates == sum(line["event"] == "changed" for line in lines) > 0
    assert all(each.start < each.end < each.moment < each.end + 2 for each in heard.finals)
    again = heard_of_moonshine([*lines[:-1], {**lines[-2], "text": "Twice.", "moment": 99.0}])
    assert [each.text for each in again.finals][1] == "Twice."
    assert again.finals[1].moment == heard.finals[1].moment


def test_a_revision_takes_the_place_of_a_final() -> None:
    """An empty one removes it; the audio began when the earliest level says."""
    place = {"channel": "file", "start": 1.0, "end": 3.0}
    shown = {"event": "caption_updated", "channel": "file", "segment": 1, "stable": "one"}
    lines = [
        (2.6, {"event": "level_measured", "channel": "file", "at": 0.5}),
        (2.65, {"event": "level_measured", "channel": "file", "at": 0.6}),
        (3.5, {**shown, "tentative": ""}),
        (3.6, {**shown, "tentative": ""}),
        (3.7, {**shown, "tentative": "too"}),
        (5.55, {"event": "caption_finished", "segment": 1, "text": "One too", **place}),
        (6.05, {"event": "caption_finished", "segment": 2, "text": "oh", **place}),
        (6.55, {"event": "caption_revised", "segment": 1, "text": "One, two.", **place}),
        (6.65, {"event": "caption_revised", "segment": 2, "text": "", **place}),
    ]
    heard = heard_of_edgevoice(lines)
    assert heard.text == "One, two."
    assert heard.first_finals == ["One too", "oh"]
    assert heard.updates == 2
    assert heard.finals[0] == Final(1.0, 3.0, "One, two.", pytest.approx(3.5), pytest.approx(4.5))
    assert len(heard.sentences) == 1


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, of which one is not what its text says."""
    folder = tmp_path_factory.mktemp("data") / "tones"
    folder.mkdir()
    names = ("path", "text", "text_norm", "split", "duration_s", "note")
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, names)
        rows.writeheader()
        for name, text, said in (("a", "One two three.", "one two three"), ("b", "One two.", "one four")):
            soundfile.write(folder / f"{name}.flac", speak(said), SAMPLE_RATE)
            plain = text.lower().strip(".")
            row = {
                "path": f"{name}.flac",
                "text": text,
                "text_norm": plain,
                "split": "dev",
                "duration_s": 1,
                "note": "",
            }
            rows.writerow(row)
    return folder.parent


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """edgevoice with a model that knows tones, which no reader takes for speech."""
    bundle = tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")
    return Tool("edgevoice-live", "edgevoice", ("--model", str(bundle.path), "--reader", "off"))


@pytest.mark.timeout(120)
def test_edgevoice_writes_two_clips_down(tones: Path, ours: Tool) -> None:
    """One word of five is wrong; of the tokens as written, the last of each clip and that one's too."""
    found = peers.words(ours, tones, 0, SMALL)
    assert [text.lower() for _, _, text in found["texts"]["tones"]] == ["one two three", "one four"]
    assert found["sets"]["tones"]["fair"] == found["sets"]["tones"]["plain"] == pytest.approx(1 / 5)
    assert found["sets"]["tones"]["as_written"] == pytest.approx(2 / 5)
    assert found["cost"]["cpu_per_s"] > 0


@pytest.mark.timeout(120)
def test_edgevoice_live_in_real_time(ours: Tool) -> None:
    """Two sentences; the process is as slow as the audio, and finals come after the end of speech."""
    said = speak("one two three")
    samples = np.concatenate([silence(0.5), said, silence(1.2), said, silence(1.2)])
    starts = (0.5, 0.5 + len(said) / SAMPLE_RATE + 1.2)
    utterances = [Utterance(at, at + len(said) / SAMPLE_RATE, "one two three", "tones", "") for at in starts]
    found = peers.live(ours, Audio(samples, tuple(utterances)))
    assert found["finals"] == 2
    assert found["wer"] == 0.0
    assert found["revised"] is None
    assert 0.3 < found["final"]["p50"] < 3
    assert found["wall_s"] > len(samples) / SAMPLE_RATE
    assert 0 < found["cpu_per_s_without_start"] < found["cpu_per_s"]
    assert 20 < found["steady_mb"] <= found["peak_mb"]


@pytest.mark.timeout(120)
def test_sentences_that_nobody_said_are_counted_by_kind(tmp_path: Path, ours: Tool) -> None:
    """Two parts; in the second the tiny model hears a word in a tone."""
    beep = np.concatenate([silence(1), speak("two"), silence(1)])
    soundfile.write(tmp_path / no_speech.HOUR_NAME, np.concatenate([silence(3), beep]), SAMPLE_RATE)
    end = 3 + len(beep) / SAMPLE_RATE
    rows = f"start,end,kind,name,dbfs\n0,3,silence,room,-70\n3,{end},signals,beep,-20\n"
    (tmp_path / no_speech.MANIFEST_NAME).write_text(rows, encoding="utf-8")
    found = peers.alarms(ours, tmp_path)
    assert (found["invented"], found["by_kind"]) == (1, {"signals": 1})
    assert found["minutes_by_kind"] == {"silence": 0.1, "signals": 0.0}
    assert found["all"][0][2].lower() == "two"
    with pytest.raises(UsageError, match="Make one with"):
        peers.alarms(ours, tmp_path / "nowhere")


def test_an_hour_without_speech(tmp_path: Path) -> None:
    """Sixty different minutes; the same seed makes the same sound, as loud as it says."""
    whole = no_speech.plan(tmp_path)
    assert len(whole) == len({(each.kind, each.name) for each in whole}) == 60
    assert {each.kind for each in whole} >= {"music", "noise", "silence", "signals", "typing", "bursts", "machines"}
    no_speech.write(tmp_path, 2, data=tmp_path)
    samples, rate = soundfile.read(tmp_path / no_speech.HOUR_NAME, dtype="float32")
    assert (len(samples), rate) == (2 * no_speech.MINUTE, SAMPLE_RATE)
    parts = no_speech.read_parts(tmp_path)
    assert [(part.start, part.end) for part in parts] == [(0, 60), (60, 120)]
    for number, (minute, sound) in enumerate(no_speech.hour(2, data=tmp_path)):
        assert (minute.kind, minute.name) == (parts[number].kind, parts[number].name)
        kept = samples[number * no_speech.MINUTE :][: no_speech.MINUTE]
        assert np.abs(kept - sound).max() < 1e-4
        assert 10 * np.log10(np.mean(kept**2)) == pytest.approx(minute.dbfs, abs=2)


@pytest.mark.parametrize("minute", no_speech.plan(Path("nowhere")), ids=lambda each: f"{each.kind}: {each.name}")
def test_every_sound_can_be_made(minute: no_speech.Minute) -> None:
    """Of any length, finite, and silent only where it should be."""
    sound = minute.make(np.random.default_rng(1), 5 * SAMPLE_RATE + 7)
    assert len(sound) == 5 * SAMPLE_RATE + 7
    assert np.isfinite(sound).all()
    assert bool(np.any(sound)) == (minute.name != "digital")


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    """Its last line; one that is not there, too."""
    with pytest.raises(EdgeVoiceError, match="failed: no good"):
        measured(["sh", "-c", "echo 'no good' >&2; exit 3"])
    with pytest.raises(EdgeVoiceError, match="cannot be run"):
        measured([str(tmp_path / "nothing")])
    ran = measured(["sh", "-c", 'read line; echo "{\\"said\\": \\"$line\\"}"; sleep 0.3'], given="hello\n")
    assert [line for _, line in ran.lines] == [{"said": "hello"}]
    assert ran.peak_mb > 0


def test_pieces_are_kept_until_they_depend_on_something_else(tmp_path: Path) -> None:
    """Or until they are named."""

    def made(value: int) -> dict[str, int]:
        return {"value": value}

    def value(options: dict[str, int], again: list[str] | None, new: int, tool: str = "edgevoice-live") -> int | None:
        piece = peers.Pieces(tmp_path, options, again).get("words", tool, lambda: made(new))
        return piece["value"] if piece else None

    assert value({"at_most": 1}, None, 1) == 1
    assert value({"at_most": 1}, None, 2) == 1
    assert value({"at_most": 1}, ["alarms"], 3) == 1
    assert value({"at_most": 1}, ["moonshine"], 3) == 1
    assert value({"at_most": 1}, ["words", "edgevoice"], 4) == 4
    assert value({"at_most": 2}, ["live"], 5) is None
    assert value({"at_most": 2}, None, 6) == 6
    assert value({"at_most": 2}, ["live"], 7, tool="moonshine") is None
    named = peers.Pieces(tmp_path, {}, ["edgevoice"])
    assert [named.wants(part, peers.READER_ALONE) for part in peers.PARTS] == [False, False, True]
    assert not peers.Pieces(tmp_path, {}, ["moonshine"]).wants("alarms", peers.READER_ALONE)


def test_a_page_of_what_there_is(tmp_path: Path, tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of it may be missing; its first table is the one of the README."""
    sets = {
        "commonvoice-deltas": {
            "clips": 2,
            "minutes": 0.2,
            "fair": 0.2,
            "plain": 0.3,
            "as_written": 0.4,
            "phrases": None,
        }
    }
    spread = {"count": 3, "p50": 0.51, "p95": 12.0}
    live = {
        "seconds": 60.0,
        "cpu_per_s": 0.04,
        "steady_mb": 140.2,
        "updates_per_s": 2.0,
        "final": spread,
        "revised": None,
    }
    alarm = {
        "minutes": 60,
        "segments": 5,
        "invented": 3,
        "by_kind": {"music": 3},
        "minutes_by_kind": {"music": 17.0, "noise": 43},
    }
    report = {
        "command": "x",
        "date": "2026-01-01",
        "others": 0.3,
        "edgevoice": "1",
        "model": "tiny",
        "moonshine": "moonshine-voice==0.0.73",
        "hour": "an hour",
        "machine": {"cores": 2, "processor": "y", "packages": {}},
        "sets": {"commonvoice-deltas": "read"},
        "tools": {"moonshine": "Moonshine tiny", "edgevoice": "edgevoice"},
        "words": {"moonshine": sets},
        "live": {"edgevoice": live},
        "hours": {"an hour": {"edgevoice": alarm}},
    }
    text = page(report)
    assert "not quiet: others kept 0.30 cores busy" in text
    assert "| | Moonshine tiny | edgevoice |\n" in text
    assert "\n| WER, commonvoice-deltas | 20.0 % | - |\n" in text
    assert "\n| end of speech to final | - | 0.5 / 12.0 s |\n" in text
    assert "\n| sentences invented in an hour without speech | - | 3 |\n" in text
    assert "\n| noise, 43 min | 0 |\n" in text
    for arguments in (
        ["--hour", "61"],
        ["--output", str(tmp_path / "no" / "x.md")],
        ["--output", "x.txt"],
        ["--also", "no"],
    ):
        with pytest.raises(UsageError):
            peers.run(arguments)
    with pytest.raises(UsageError, match="There are no recordings in"):
        clips_of(PeerSet("gone", "gone"), tones)
    assert len(clips_of(SMALL[0], tones, at_most=1)) == 1
    write_wave(tmp_path / "x.wav", speak("one"))
    assert soundfile.info(tmp_path / "x.wav").samplerate == SAMPLE_RATE
