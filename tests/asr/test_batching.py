"""What waits for a graph is run together, and everybody gets their own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgevoice.asr.batching import LARGEST, Axes, Batching
from edgevoice.asr.model import load_model
from edgevoice.config import AsrSettings
from tests.tiny import silence, speak, tiny_bundle

AXES = Axes({"x": 0, "state": 1}, {"y": 0, "next_state": 1})


class Doubler:
    """y = 2 x, and the state goes up by `size`. Holds every run until it is let go."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.entered, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self, inputs):
        self.batches.append(len(inputs["x"]))
        self.entered.release()
        self.go.acquire()
        if self.error:
            raise self.error
        return {"y": 2 * inputs["x"], "next_state": inputs["state"] + inputs["size"]}


def wanted(number: int, length: int = 3, size: int = 5) -> dict[str, np.ndarray]:
    return {"x": np.full((1, length), number), "state": np.full((2, 1, 4), number), "size": np.array(size)}


def together(doubler: Doubler, batching: Batching, wishes: list[dict[str, np.ndarray]]) -> list:
    """All but the first come while the first is run. The results, or the exceptions."""
    with ThreadPoolExecutor(len(wishes)) as pool:
        first = pool.submit(batching, wishes[0])
        doubler.entered.acquire()
        others = [pool.submit(batching, wish) for wish in wishes[1:]]
        while len(batching._waiting) < len(others):
            pass
        for _ in wishes:
            doubler.go.release()
        return [each.exception() or each.result() for each in (first, *others)]


@pytest.mark.parametrize(
    ("wishes", "batches"),
    [
        ([(0, 3, 5)] * 5, [1, 4]),
        ([(0, 3, 5)] * 4, [1, 2, 1]),  # sizes are powers of two
        ([(0, 3, 5), (1, 3, 5), (2, 4, 5), (3, 3, 5), (4, 4, 5)], [1, 2, 2]),  # another length is another batch
        ([(0, 3, 5), (1, 3, 5), (2, 3, 6)], [1, 1, 1]),  # so is another value of what all share
        ([(0, 3, 5)] * (LARGEST + 3), [1, LARGEST, 2]),
    ],
)
def test_what_fits_is_run_together(wishes, batches) -> None:
    doubler = Doubler()
    batching = Batching(doubler, lambda: AXES)
    wishes = [(number, length, size) for number, (_, length, size) in enumerate(wishes)]
    found = together(doubler, batching, [wanted(*each) for each in wishes])
    assert sorted(doubler.batches) == sorted(batches)
    for (number, length, size), outputs in zip(wishes, found, strict=True):
        np.testing.assert_array_equal(outputs["y"], np.full((1, length), 2 * number))
        np.testing.assert_array_equal(outputs["next_state"], np.full((2, 1, 4), number + size))


def test_a_graph_for_one_stream_is_run_for_one_after_the_other() -> None:
    doubler = Doubler()
    together(doubler, Batching(doubler, lambda: None), [wanted(number) for number in range(4)])
    assert doubler.batches == [1] * 4


def test_what_fails_fails_for_all_of_its_batch() -> None:
    doubler = Doubler()
    doubler.error = ValueError("no")
    found = together(doubler, Batching(doubler, lambda: AXES), [wanted(number) for number in range(3)])
    assert [str(each) for each in found] == ["no"] * 3
    doubler.error = None
    doubler.go.release()
    assert Batching(doubler, lambda: AXES)(wanted(1))["y"].tolist() == [[2, 2, 2]]


@pytest.mark.parametrize("chunks", [(), (8, 16)], ids=["windows", "chunks"])
def test_streams_of_one_model_hear_what_they_hear_alone(tmp_path, chunks) -> None:
    """Sixteen threads, words of different lengths: the numbers are those of one stream at a time."""
    model = load_model(tiny_bundle(tmp_path, chunks=chunks), None, AsrSettings(provider="cpu", threads=1))
    clips = [np.concatenate([silence(0.1), speak(text)]) for text in ("one", "two", "one two", "three one")] * 12
    expected = [model.encode(clip) for clip in clips]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(model.encode, clips))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)
        np.testing.assert_allclose(one.intent_logits, other.intent_logits, atol=1e-5)


def test_what_is_handed_out_does_not_hold_on_to_the_batch() -> None:
    """A stream may keep its part for long."""
    doubler = Doubler()
    found = together(doubler, Batching(doubler, lambda: AXES), [wanted(number) for number in range(5)])
    assert all(value.base is None for outputs in found for value in outputs.values())


def test_what_cannot_be_a_batch_is_run_by_all_threads_where_it_may() -> None:
    doubler = Doubler()
    batching = Batching(doubler, lambda: None, lambda: True)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(batching, wanted(number)) for number in range(3)]
        for _ in runs:
            doubler.entered.acquire()  # all of them are running
        for _ in runs:
            doubler.go.release()
    assert [int(run.result()["y"][0, 0]) for run in runs] == [0, 2, 4]
