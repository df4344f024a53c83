"""Live captions side by side: arithmetic by tables, and whole runs with a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bench.cli
from bench.live_audio import Audio, Utterance, make_audio, segments_of
from bench.live_clock import ArrivingSource, LeapingClock
from bench.live_contender import Run, Watched
from bench.live_figures import figures
from bench.live_loop import Heard, Loop
from bench.stability import Shown, delays, found_in, grown, stability, unstable
from bench.steady import Minute, steadiness, took
from edgevoice.asr.model import AcousticModel
from edgevoice.config import SAMPLE_RATE, AsrSettings, Settings, VadSettings
from edgevoice.errors import UsageError
from edgevoice.events import Word
from export.build import ExportOptions, export
from export.parity import CLIPS
from tests.checkpoints import captions, intents
from tests.tiny import silence, speak, tiny_bundle

pytestmark = pytest.mark.alone


@pytest.mark.parametrize(
    ("before", "after", "count", "longer"),
    [
        ("", "pay", 0, False),
        ("pay", "pay the bill", 0, False),
        ("pay the bi", "pay the bill", 1, True),
        ("pay the bill", "pay a bill", 2, False),
        ("pay the bill", "please pay the bill", 3, False),
        ("pay the bill", "pay the", 1, False),
        ("pay", "Pay", 1, False),
        ("the", "then he", 1, True),
        ("pay", "", 1, False),
    ],
)
def test_words_that_change_or_move_are_unstable(before: str, after: str, count: int, longer: bool) -> None:
    """From the first that differs; a last word that became longer is told apart."""
    assert unstable(before.split(), after.split()) == count
    assert grown(before.split(), after.split()) is longer


def shown(*texts: str) -> list[Shown]:
    """Texts "stable|tentative" a second apart."""
    parts = [text.partition("|") for text in texts]
    return [Shown(float(i), tuple(a.split()), tuple(b.split())) for i, (a, _, b) in enumerate(parts, start=1)]


def test_unstable_words_over_words_of_the_finals() -> None:
    """Both segments together; the final counts as the last text."""
    counts = stability([shown("|pay", "|pay the bi", "pay|the bill", "pay a bill|"), shown("|yes", "yes|")])
    assert (counts.words, counts.unstable, counts.grown, counts.withdrawn) == (4, 3, 1, 0)
    assert counts.upwr == pytest.approx(0.75)
    assert counts.upwr_without_growth == pytest.approx(0.5)
    assert counts.stable_upwr == 0.0
    broken = stability([shown("pay the|", "pay|a bill", "pay a bill|")])
    assert broken.withdrawn == 1
    assert stability([]).upwr == 0.0


@pytest.mark.parametrize(
    ("partial", "final", "places"),
    [
        ("", "a b c", []),
        ("a", "a b c", [0]),
        ("a b", "a b c", [0, 1]),
        ("x b", "a b c", [1]),
        ("b", "a b c", [1]),
        ("a x b", "a b c", [0, 1]),
        ("no no", "no no no", [0, 1]),
        ("x y", "a b c", []),
    ],
)
def test_words_are_found_where_they_are_in_the_final(partial: str, final: str, places: list[int]) -> None:
    """By the alignment with its beginning."""
    assert found_in(partial.split(), final.split()) == places


def test_delays_of_words() -> None:
    """To the first text that has the word, and to the promise; the final promises all."""
    first, stable = delays(shown("|pay the", "pay|a bill", "pay a|bill", "pay a bill|"), [0.5, 1.0, 1.5])
    assert first == [0.5, 1.0, 0.5]
    assert stable == [1.5, 2.0, 2.5]


def test_a_clock_that_leaps_over_waits_and_never_back() -> None:
    """Work takes the time of the machine."""
    machine = [100.0]
    clock = LeapingClock(clock=lambda: machine[0])
    clock.wait_until(2.0)
    assert clock() == 2.0
    machine[0] += 3.0
    clock.wait_until(4.0)
    assert clock() == 5.0
    blocks = ArrivingSource(np.zeros(2 * SAMPLE_RATE, dtype=np.float32), LeapingClock(clock=lambda: 0.0)).blocks()
    assert [round(block.arrived, 2) for block in blocks][:3] == [0.02, 0.04, 0.06]


def test_who_is_slower_than_the_audio_falls_behind() -> None:
    """Every update takes half a second and one is due every 0.32 s: latencies grow, and no update is left out."""
    (clip,) = [c for c in _clips() if 4 < len(c) / SAMPLE_RATE < 8][:1]
    samples = np.concatenate([silence(1.0), clip, silence(1.5)])
    machine = [0.0]
    clock = LeapingClock(clock=lambda: machine[0])
    source = ArrivingSource(samples, clock)
    behind: list[float] = []

    def decode(audio: np.ndarray) -> Heard:
        machine[0] += 0.5
        behind.append(clock() - source.heard)
        return Heard((Word(word="x", start=0.0, end=len(audio) / SAMPLE_RATE, confidence=1.0),))

    manifest = type("Manifest", (), {"labels": (), "reject_label": ""})()
    loop = Loop(source, decode, manifest, Settings(), updates=True)
    found = list(loop.run())
    spoken = [segment.end - segment.start for segment in segments_of(samples, VadSettings())]
    assert loop.updates >= sum(spoken) / 0.32 - 3 * len(spoken)
    assert behind[0] == pytest.approx(0.5, abs=0.03)
    assert behind[-2] > 1.0
    assert [type(event).__name__ for event in found][-1] == "CaptionFinished"


def test_figures_of_a_run() -> None:
    """Two segments of one utterance each; the second is a word short."""
    audio = Audio(
        np.zeros(10 * SAMPLE_RATE, dtype=np.float32),
        (Utterance(1.0, 3.0, "pay the bill", "one", "a"), Utterance(5.0, 7.0, "thank you", "two", "b")),
    )
    segments = [segment(1.0, 3.2), segment(5.0, 7.2)]
    found = [
        (2.5, {"event": "caption_updated", "segment": 1, "stable": "", "tentative": "pay the"}),
        (3.6, {"event": "speech_ended", "segment": 1, "start": 1.0, "end": 3.2}),
        (3.7, final(1, 1.0, 3.2, {"Pay": 1.5, "the": 2.0, "bill": 2.9})),
        (7.6, {"event": "speech_ended", "segment": 2, "start": 5.0, "end": 7.2}),
        (8.5, final(2, 5.0, 7.2, {"Thank": 6.0})),
    ]
    run = Run(found, [(2.3, 2.5), (3.5, 3.7), (7.5, 8.5)], 1, 5.0, 4.0, 1.0, 100.0, 110.0, 2.0, ["pay the bill", "you"])
    row = figures(run, audio, segments, 0.5)
    assert (row.cpu_per_s, row.wall_per_s, row.offline_cpu_per_s) == (0.5, 0.4, 0.2)
    assert row.wer == pytest.approx(1 / 5)
    assert row.offline_wer == pytest.approx(1 / 5)
    assert row.by_set["two"] == {"clips": 1, "live": 0.5, "offline": 0.5}
    assert row.same_segments
    assert row.final
    assert row.final.count == 2
    assert row.final.p50 == pytest.approx((0.7 + 1.5) / 2)
    assert row.over_hangover
    assert row.over_hangover.p50 == pytest.approx(row.final.p50 - 0.5)
    assert row.update
    assert row.update.p50 == pytest.approx(0.2)
    assert row.stability.unstable == 2  # "pay the" became "Pay the"
    assert row.as_dict()["upwr"] == 0.5
    found.append((9.0, revised(2, 5.0, 7.2, {"Thank": 6.0, "you.": 6.5})))
    read_twice = figures(run, audio, segments, 0.5)
    assert read_twice.wer == 0, "text is judged as it stands at the end"
    assert (read_twice.stable, read_twice.final, read_twice.stability) == (row.stable, row.final, row.stability)


def segment(start: float, end: float):
    from bench.live_audio import Segment

    return Segment(start, end, end - 0.2, forced=False)


def final(number: int, start: float, end: float, words: dict[str, float]) -> dict:
    listed = [{"word": word, "start": at - 0.3, "end": at, "confidence": 1.0} for word, at in words.items()]
    text = " ".join(words)
    return {
        "event": "caption_finished", "channel": "file", "at": end + 0.5, "segment": number, "start": start, "end": end,
        "text": text, "words": listed, "latency": 0.5
    }  # fmt: skip


def revised(number: int, start: float, end: float, words: dict[str, float]) -> dict:
    return final(number, start, end, words) | {"event": "caption_revised", "confidence": 0.9, "reader": "r"}


def test_the_audio_is_the_same_every_time() -> None:
    """Real speech with pauses in which a segment ends."""
    one, other = make_audio([CLIPS], 0.3), make_audio([CLIPS], 0.3)
    np.testing.assert_array_equal(one.samples, other.samples)
    assert one.utterances == other.utterances
    assert one.seconds >= 18
    for before, after in zip(one.utterances, one.utterances[1:], strict=False):
        assert 0.69 < after.start - before.end < 2.01
    assert one.utterance_at(one.utterances[1].start + 0.1) == 1
    with pytest.raises(UsageError, match="Lower --minutes"):
        make_audio([CLIPS], 100)


def test_steadiness_by_a_table() -> None:
    """The edges are thirds of a short run; memory counts from the second minute."""
    held = [90.0, 100.0, 101.0, 101.5]
    minutes = [Minute(each, [0.01 * (i + 1)], [0.02]) for i, each in enumerate(held)]
    found = steadiness(minutes)
    assert (found["after_first_minute_mb"], found["end_mb"], found["growth_mb"]) == (100.0, 101.5, 1.5)
    assert found["updates"]["first"] == {"count": 1, "p50": 0.01, "p95": 0.01}
    assert found["updates"]["last"]["p50"] == 0.04
    assert steadiness(minutes[:1])["growth_mb"] == 0.0


def _clips() -> list[np.ndarray]:
    from export.parity import load_clips

    return list(load_clips())


@pytest.mark.timeout(300)
def test_every_way_hears_the_same(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Processes of their own, a page, a plot and figures; what cannot be run is said."""
    bundle = tiny_bundle(tmp_path / "tiny", precisions=("fp32", "int8"), windows=(1.0, 2.0))
    output = tmp_path / "live.md"
    arguments = ["live", str(bundle.path), "--data", str(CLIPS), "--minutes", "0.2", "--threads", "1", "--json"]
    assert bench.cli.main([*arguments, "--output", str(output)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))
    assert [(row["mark"], row["way"], row["mode"], row["error"]) for row in report["rows"]] == [
        ("b", "edgevoice", "again", ""),
        ("c", "edgevoice", "silence", ""),
        ("d", "edgevoice", "window", ""),
        ("d", "edgevoice", "window", ""),
        ("", "edgevoice", "nothing", ""),
    ]
    for row in report["rows"]:
        assert row["same_segments"]
        assert row["failures"] == 0
        assert row["cpu_per_s"] > 0
        assert row["stable_upwr"] == 0
    again, silent, window = report["rows"][:3]
    assert again["updates_per_s"] == pytest.approx(window["updates_per_s"], rel=0.25)
    assert silent["updates_per_s"] == 0
    assert silent["final"]["p50"] >= 0.5
    assert {each["name"] for each in report["ratios"]} == {"edgevoice window, fp32", "edgevoice window, int8"}
    assert len(report["left_out"]) == 2
    page = output.read_text(encoding="utf-8")
    assert page.startswith("# Live captions, side by side\n")
    assert "| d | edgevoice window, int8 | " in page
    assert "(live.svg)" in page
    assert output.with_suffix(".svg").stat().st_size > 1000


@pytest.mark.timeout(300)
def test_a_few_minutes_of_the_command_itself(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Start, idle load, and speech that comes faster than it was spoken."""
    bundle = tiny_bundle(tmp_path / "tiny")
    arguments = ["steady", str(bundle.path), "--data", str(CLIPS), "--minutes", "0.2"]
    quick = ["--starts", "1", "--idle", "1", "--output", str(tmp_path / "steady.md")]
    assert bench.cli.main([*arguments, *quick]) == 0
    report = json.loads((tmp_path / "steady.json").read_text(encoding="utf-8"))
    assert 0 < report["start"]["first_event_median_s"] <= report["start"]["ready_median_s"]
    assert 20 < report["start"]["resident_mb"] < 1000
    assert report["run"]["finals"] > 0
    assert report["run"]["failures"] == report["run"]["audio_lost"] == 0
    assert 0 <= report["steady"]["finals"]["first"]["p50"] < 0.15
    assert "| start to ready | " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["live"], "Name a bundle, or --base-size, and not both"),
        (["live", "banking-en", "--checkpoint", "models"], "models is no checkpoint"),
        (["live", "banking-en", "--output", "nowhere/figures.json"], "There is no folder nowhere"),
        (["live", "banking-en", "--output", "figures.txt"], "neither .json nor .md"),
        (["live", "banking-en", "--minutes", "0"], "make no sense"),
        (["live", "banking-en", "--threads", "0"], "at least 1"),
        (["steady", "banking-en", "--minutes", "-1"], "make no sense"),
        (["steady", "banking-en", "--starts", "0"], "make no sense"),
        (["steady", "banking-en", "--output", "nowhere/figures.md"], "There is no folder nowhere"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_measured(arguments: list[str], said: str) -> None:
    if arguments[0] == "steady" and not sys.platform.startswith("linux"):
        pytest.skip("it measures on Linux only")
    with pytest.raises(UsageError, match=said):
        bench.cli.main(arguments)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_weights_through_pipelines_and_optimum(tmp_path: Path) -> None:
    """Two checkpoints, one for captions and one for intents, beside the bundle of both."""
    checkpoints = [str(captions(tmp_path / "captions", sure=20.0)), str(intents(tmp_path / "intents"))]
    export(checkpoints, tmp_path / "bundle", ExportOptions(name="two", precisions=("fp32",)))
    given = [part for each in checkpoints for part in ("--checkpoint", each)]
    output = tmp_path / "live.json"
    few = ["--data", str(CLIPS), "--minutes", "0.15", "--only", "abd", "--output", str(output)]
    assert bench.cli.main(["live", str(tmp_path / "bundle"), *given, *few]) == 0
    report = json.loads(output.read_text(encoding="utf-8"))
    assert [(row["mark"], row["way"], row["error"]) for row in report["rows"]] == [
        ("a", "transformers", ""),
        ("b", "optimum", ""),
        ("d", "edgevoice", ""),
    ]
    (ratio,) = report["ratios"]
    assert min(ratio["cheaper_than_a"], ratio["cheaper_than_b"]) > 0


def test_several_streams_are_measured_in_a_process_of_their_own(tmp_path):
    """In real time, for three seconds."""
    bundle = tiny_bundle(tmp_path / "bundle")
    sound = np.concatenate([silence(0.3), speak("one two"), silence(0.8)])
    np.save(tmp_path / "audio.npy", sound)
    spec = {"bundle": str(bundle.path), "audio": str(tmp_path / "audio.npy"), "streams": 3, "threads": 1, "seconds": 3}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    command = [sys.executable, "-m", "bench.live_streams", str(tmp_path / "spec.json")]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert (found["streams"], found["seconds"]) == (3, 3)
    assert found["cpu_per_s"] > 0
    assert found["update"]["p50"] <= found["update"]["p95"]
    assert found["over_hangover"]


@pytest.mark.parametrize(("at", "end"), [(3.9, 3.6), (20.0, 18.5)], ids=["ended in silence", "cut in speech"])
def test_what_a_final_took_is_without_what_passed_in_the_audio(at, end):
    speech_end = end - 0.2 if at == 3.9 else end
    assert took({"at": at, "end": end, "latency": at - speech_end + 0.007}) == pytest.approx(0.007)


def test_a_watched_stream_gives_what_it_gives(tmp_path):
    """In chunks: every pass is noted, the last one too."""
    model = AcousticModel(tiny_bundle(tmp_path, chunks=(8, 16)), AsrSettings(provider="cpu", threads=1))
    noted: list[str] = []
    clip = speak("one two three")
    streams = [model.stream(), Watched(model, noted.append, chunks=True).stream()]
    for stream in streams:
        stream.feed(clip)
    first, watched = ([each.advance(), each.rest(len(clip))] for each in streams)
    for one, other in zip(first, watched, strict=True):
        np.testing.assert_array_equal(one.log_probs, other.log_probs)
    assert noted == ["advance", "rest"]
