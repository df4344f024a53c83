"""`Reader`: the bundled one on recordings, and tiny ones with random weights beside what Transformers makes of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from edgevoice.asr import session as sessions
from edgevoice.asr.bundle import Bundle, load_bundle
from edgevoice.asr.reader import LONGEST_PROMPT, Reader
from edgevoice.asr.session import DeviceLostError
from edgevoice.asr.tokens import TokenTable
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ModelError
from edgevoice.paths import bundled_reader
from edgevoice.text import normalise
from export.build import ExportOptions, export
from export.parity import CLIPS, load_clips
from export.reader_checkpoint import ReaderCheckpoint, load_reader
from export.reader_runs import WatchedReader
from tests import readers
from tests.pretended_gpu import CPU as CPU_PROVIDER
from tests.pretended_gpu import CUDA, Runtime
from tests.tiny import tiny_bundle
from training.manifest import read_manifest

CPU = AsrSettings(provider="cpu")


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    """Recordings of a third of a second to seven seconds."""
    return load_clips()[:11]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints, and bundles made of them: a Whisper of three languages, and a Moonshine."""
    root = tmp_path_factory.mktemp("readers")
    few = readers.clips(root / "clips", ("fsdd-01.ogg",))
    places = {
        "whisper": readers.whisper(root / "whisper", ("de", "en", "zh")),
        "moonshine": readers.moonshine(root / "moonshine"),
    }
    for name, place in places.items():
        export([], root / f"{name}-bundle", ExportOptions(precisions=("fp32",), clips=few, reader=str(place)))
    return {**places, **{f"{name}-bundle": root / f"{name}-bundle" for name in places}}


@pytest.fixture(scope="module")
def whisper(made: dict[str, Path]) -> Bundle:
    return load_bundle(made["whisper-bundle"])


@pytest.fixture(scope="module")
def moonshine(made: dict[str, Path]) -> Bundle:
    return load_bundle(made["moonshine-bundle"])


@pytest.fixture(scope="module")
def checkpoint(made: dict[str, Path]) -> ReaderCheckpoint:
    """The Whisper as Transformers has it."""
    return load_reader(str(made["whisper"]))


@pytest.fixture(scope="module")
def bundled() -> Reader:
    place = bundled_reader()
    assert place is not None
    return Reader(load_bundle(place), CPU)


def changed(bundle: Bundle, **fields: object) -> Bundle:
    """A bundle whose reader has other settings."""
    assert bundle.manifest.reader is not None
    spec = dataclasses.replace(bundle.manifest.reader, **fields)  # type: ignore[arg-type]
    return Bundle(bundle.path, dataclasses.replace(bundle.manifest, reader=spec))


def ids_of(reader: Reader, clip: np.ndarray, language: str = "en") -> list[int]:
    return [piece.id for piece in reader.read([clip], language=language)[0].pieces]


class TestTheBundledReader:
    def test_it_writes_what_is_said_as_a_person_would(self, bundled: Reader) -> None:
        wanted = [clip for clip in read_manifest(CLIPS) if clip.path.stem in ("speechocean762-05", "ljspeech-17")]
        audio = [each for each, clip in zip(load_clips(), read_manifest(CLIPS), strict=True) if clip in wanted]
        for clip, reading in zip(wanted, bundled.read(audio), strict=True):
            assert normalise(reading.text) == clip.text
            assert reading.text[0].isupper()
            assert reading.text[-1] == "."
            assert "".join(piece.text for piece in reading.pieces).strip() == reading.text
            assert reading.ended
            assert -0.5 < reading.log_prob < 0
            assert reading.end_log_prob < 0

    def test_one_reading_does_not_depend_on_another(self, bundled: Reader, clips: list[np.ndarray]) -> None:
        assert not bundled.batches
        assert bundled.read(clips[1:4]) == [bundled.read([clip])[0] for clip in clips[1:4]]

    def test_it_is_timed(self, bundled: Reader) -> None:
        assert 0 < bundled.trial() < 60


class TestSeveralClips:
    def test_whisper_reads_them_at_once_as_if_each_were_alone(self, whisper: Bundle, clips: list[np.ndarray]) -> None:
        """Of other lengths and languages, and some end earlier than others."""
        written = [set(ids_of(Reader(whisper, CPU), clip, "")) for clip in clips]
        shared = Counter(number for ids in written for number in ids)
        often = max(number for number, count in shared.items() if count < len(clips))
        reader = Reader(changed(whisper, end=often), CPU)
        together, alone = reader.read(clips), [reader.read([clip])[0] for clip in clips]
        assert reader.batches
        assert [reading.text for reading in together] == [reading.text for reading in alone]
        assert [reading.ended for reading in together] == [reading.ended for reading in alone]
        assert [reading.log_prob for reading in together] == pytest.approx([each.log_prob for each in alone], abs=1e-3)
        assert len({reading.text for reading in alone}) > 5
        assert len({reading.ended for reading in alone}) == 2

    def test_moonshine_reads_one_after_the_other(self, moonshine: Bundle, clips: list[np.ndarray]) -> None:
        """It levels a clip over all that it is filled up to, a mask or not."""
        reader = Reader(moonshine, CPU)
        assert not reader.batches
        assert reader.read(clips[:5]) == [reader.read([clip])[0] for clip in clips[:5]]

    def test_none_at_all(self, whisper: Bundle) -> None:
        assert Reader(whisper, CPU).read([]) == []


class TestLanguages:
    def test_it_is_found_out_as_transformers_does(
        self, whisper: Bundle, checkpoint: ReaderCheckpoint, clips: list[np.ndarray]
    ) -> None:
        assert whisper.manifest.reader is not None
        codes = {number: code for code, number in whisper.manifest.reader.languages.items()}
        reader = Reader(whisper, CPU)
        found = []
        for clip in clips[:8]:
            heard = torch.from_numpy(checkpoint.compute(clip[: 2 * SAMPLE_RATE]))[None]
            found.append(codes[checkpoint.model.detect_language(heard).item()])
            assert reader.read([clip]) == reader.read([clip], language=found[-1])
        assert len(set(found)) > 1
        assert reader.read([clips[0]], language="fr") == reader.read([clips[0]])  # which it does not know
        several = [reader.read([clips[0]], language=code)[0].text for code in codes.values()]
        assert len(set(several)) > 1

    def test_a_reader_of_one_needs_none(self, moonshine: Bundle, clips: list[np.ndarray]) -> None:
        reader = Reader(moonshine, CPU)
        assert reader.read(clips[:1], language="en") == reader.read(clips[:1])


class TestPrompts:
    def test_words_to_expect_are_read_as_if_they_had_just_been_said(
        self, whisper: Bundle, checkpoint: ReaderCheckpoint, clips: list[np.ndarray]
    ) -> None:
        """Transformers is given the same tokens as its own prompt."""
        spec = whisper.manifest.reader
        assert spec is not None
        table = TokenTable.load(whisper.path / spec.tokens)
        expected = table.ids(" rent Ibrahim")
        assert "".join(table.texts(expected)) == " rent Ibrahim"
        reader = WatchedReader(whisper.path, spec, "fp32")
        for clip in clips[:2]:
            found = reader.watch(clip, "de", " rent Ibrahim ")
            begin = [spec.prompt, *expected, spec.start[0], spec.languages["de"], *spec.start[1:]]
            assert found.feeds[1]["input_ids"].tolist() == [begin]
            written = checkpoint.model.generate(
                torch.from_numpy(checkpoint.compute(clip[: 2 * SAMPLE_RATE]))[None],
                prompt_ids=torch.tensor(begin[: 1 + len(expected)]),
                language="de",
                task="transcribe",
                max_new_tokens=min(reader.limit(len(clip)), spec.longest_tokens - len(begin)),
            )[0].tolist()
            written = written[: written.index(spec.end)] if spec.end in written else written
            assert found.ids == written
            assert found.ids != reader.watch(clip, "de").ids

    def test_a_long_one_leaves_room_to_write(self, whisper: Bundle, clips: list[np.ndarray]) -> None:
        spec = whisper.manifest.reader
        assert spec is not None
        reader = WatchedReader(whisper.path, spec, "fp32")
        found = reader.watch(clips[6], "en", "rent " * LONGEST_PROMPT)
        assert found.feeds[1]["input_ids"].size <= spec.longest_tokens // 2
        assert 0 < len(found.ids) <= spec.longest_tokens - found.feeds[1]["input_ids"].size

    def test_a_reader_that_takes_none_does_without(self, moonshine: Bundle, clips: list[np.ndarray]) -> None:
        reader = Reader(moonshine, CPU)
        assert reader.read(clips[:1], prompt="rent") == reader.read(clips[:1])


class TestWhatMayBeWritten:
    def test_what_is_suppressed_is_not_written(self, whisper: Bundle, clips: list[np.ndarray]) -> None:
        spec = whisper.manifest.reader
        assert spec is not None
        first, *others = ids_of(Reader(whisper, CPU), clips[3])
        without = Reader(changed(whisper, suppressed=(*spec.suppressed, others[-1])), CPU)
        assert others[-1] not in ids_of(without, clips[3])
        later = ids_of(Reader(changed(whisper, suppressed_first=(*spec.suppressed_first, first)), CPU), clips[3])
        assert later[0] != first
        assert first in later

    def test_no_more_than_people_say_in_that_time(self, whisper: Bundle, clips: list[np.ndarray]) -> None:
        """Nor more than the decoder takes; and what goes beyond has come to no end."""
        clip = clips[3][:SAMPLE_RATE]
        endless = {"end": 0, "suppressed": (0, *whisper.manifest.reader.suppressed)}  # type: ignore[union-attr]
        for rate, longest, most in ((4.0, 48, 7), (400.0, 48, 44), (400.0, 20, 16)):
            bundle = changed(whisper, tokens_per_s=rate, longest_tokens=longest, **endless)
            reader = Reader(bundle, CPU)
            reading = reader.read([clip], language="en")[0]
            assert (reader.limit(len(clip)), len(reading.pieces), reading.ended) == (most, most, False)
            assert reading.end_log_prob == 0.0

    def test_audio_is_read_as_far_as_the_reader_reads(self, moonshine: Bundle, clips: list[np.ndarray]) -> None:
        reader = Reader(changed(moonshine, longest_s=1.0), CPU)
        assert reader.read([clips[3]]) == reader.read([clips[3][:SAMPLE_RATE]])

    @pytest.mark.parametrize("samples", [0, 1, 1_599])
    def test_what_is_too_short_is_filled_up(self, moonshine: Bundle, whisper: Bundle, samples: int) -> None:
        for bundle in (moonshine, whisper):
            clip = np.zeros(samples, dtype=np.float32)
            assert Reader(bundle, CPU).read([clip])[0].pieces


class TestWhereItRuns:
    @pytest.fixture
    def cuda(self, monkeypatch: pytest.MonkeyPatch) -> Runtime:
        fake = Runtime([CUDA, CPU_PROVIDER], [CUDA, CPU_PROVIDER])
        monkeypatch.setattr(sessions, "_runtime", lambda: fake)
        return fake

    def test_a_gpu_that_is_lost_is_left(self, whisper: Bundle, clips: list[np.ndarray], cuda: Runtime) -> None:
        """In the middle of a reading, which begins again on the CPU."""
        expected = Reader(whisper, CPU).read(clips[:3])
        reader = Reader(whisper, AsrSettings(provider="auto"))
        assert reader.provider == "cuda"
        assert reader.read(clips[:3]) == expected
        cuda.left = 3
        assert reader.read(clips[:3]) == expected
        assert (reader.provider, cuda.left) == ("cpu", -1)

    def test_a_gpu_that_was_asked_for_is_not(self, whisper: Bundle, clips: list[np.ndarray], cuda: Runtime) -> None:
        reader = Reader(whisper, AsrSettings(provider="cuda"))
        cuda.left = 3
        with pytest.raises(DeviceLostError, match="illegal memory access"):
            reader.read(clips[:1])

    def test_a_model_without_one(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="has no reader"):
            Reader(tiny_bundle(tmp_path), CPU)

    def test_a_decoder_of_another_layout(self, whisper: Bundle) -> None:
        spec = whisper.manifest.reader
        assert spec is not None
        with pytest.raises(ModelError, match="no merged decoder"):
            Reader(changed(whisper, decoder=spec.encoder), CPU)
