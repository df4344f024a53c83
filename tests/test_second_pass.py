"""Sentences that are read once more beside the live words: a reviser that follows a script, real threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from edgevoice.asr.revision import NOTHING_SAID, Revision, Sentence
from edgevoice.events import Word
from edgevoice.second_pass import BATCH, LATEST_S, WAITING, SecondPass


def sentence(text: str, seconds: float = 1.0) -> Sentence:
    word = Word(word=text, start=0.0, end=seconds, confidence=1.0)
    return Sentence(np.zeros(round(seconds * 16_000), dtype=np.float32), 0.0, seconds, (word,), None)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """Reads when it is let."""

    batches = True

    def __init__(self, *failures: str) -> None:
        self.failures, self.batches = failures, []
        self.free = threading.Event()

    def revise(self, sentences: Sequence[Sentence]) -> list[Revision | None]:
        assert self.free.wait(10)
        texts = [each.words[0].word for each in sentences]
        self.batches.append(texts)
        if set(texts) & set(self.failures):
            raise RuntimeError("broken")
        return [None if text == "as it was" else NOTHING_SAID for text in texts]


@pytest.fixture
def reviser():
    scripted = Scripted()
    yield scripted
    scripted.free.set()


def test_results_come_in_the_order_of_the_sentences(reviser: Scripted) -> None:
    passing = SecondPass(reviser)
    for number, text in enumerate(("one", "as it was", "three")):
        passing.add(number, sentence(text))
    assert list(passing.results()) == []
    reviser.free.set()
    jobs = []
    while passing.waiting:
        jobs += passing.results(patience_s=10)
    assert [job.segment for job in jobs] == [0, 1, 2]
    assert [job.revision for job in jobs] == [NOTHING_SAID, None, NOTHING_SAID]
    assert passing.waiting == 0


def test_what_waits_is_read_at_once(reviser: Scripted) -> None:
    passing = SecondPass(reviser)
    for number in range(BATCH + 5):
        passing.add(number, sentence(str(number)))
    reviser.free.set()
    while passing.waiting:
        list(passing.results(patience_s=10))
    assert max(map(len, reviser.batches)) <= BATCH
    assert len(reviser.batches) <= 4
    assert [text for batch in reviser.batches for text in batch] == [str(number) for number in range(BATCH + 5)]


def test_a_reader_that_fails_is_told_with_its_sentence() -> None:
    scripted = Scripted("two")
    scripted.free.set()
    passing = SecondPass(scripted)
    passing.add(2, sentence("two"))
    (job,) = passing.results(patience_s=10)
    assert isinstance(job.error, RuntimeError)
    passing.add(3, sentence("three"))
    (job,) = passing.results(patience_s=10)
    assert job.error is None


def test_it_is_full_when_enough_waits(reviser: Scripted) -> None:
    passing = SecondPass(reviser)
    for number in range(WAITING):
        assert not passing.full
        passing.add(number, sentence("x"))
    assert passing.full


def test_it_is_behind_when_a_sentence_waits_for_too_long(reviser: Scripted) -> None:
    clock = Clock()
    passing = SecondPass(reviser, clock)
    assert not passing.behind
    passing.add(1, sentence("x"))
    assert not passing.behind
    clock.now = LATEST_S + 0.1
    assert passing.behind
    reviser.free.set()
    assert len(list(passing.results(patience_s=10))) == 1
    assert not passing.behind


def test_it_is_behind_when_what_waits_would_take_too_long(reviser: Scripted) -> None:
    passing = SecondPass(reviser, Clock())
    for number in range(4):
        passing.add(number, sentence("x", 20.0))
    assert passing.behind


def test_after_close_nothing_more_is_read(reviser: Scripted) -> None:
    before = set(threading.enumerate())
    passing = SecondPass(reviser)
    passing.add(1, sentence("one"))
    (thread,) = set(threading.enumerate()) - before
    passing.close()
    assert passing.waiting == 0
    reviser.free.set()
    thread.join(10)
    assert not thread.is_alive()
