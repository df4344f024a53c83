"""Several streams, one session: what waits for a graph while it runs is run together, as one batch, the next time.

Nobody waits for company: a batch is whoever is there when the graph becomes free. One thread after the other runs it,
with what the others want, so there is no thread that would have to be started, stopped and asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Named = Mapping[str, Array]

LARGEST = 16
"""Streams in one batch."""


@dataclass(frozen=True, slots=True)
class Axes:
    """Along which axis a graph's inputs and outputs hold one stream behind the other, by name. What is not named is the
    same for all."""

    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


class Batching:
    """Runs a graph for many threads, one batch at a time.

    Args:
        run: the graph's outputs by name for its inputs by name.
        axes: of the graph as it is run now; None while it takes one stream only.
        shared: whether several threads may run it at a time, where it takes one stream only.
        free: taken while it runs; one for graphs of which only one may run.
    """

    def __init__(
        self,
        run: Callable[[Named], dict[str, Array]],
        axes: Callable[[], Axes | None],
        shared: Callable[[], bool] = lambda: False,
        free: threading.Lock | None = None,
    ) -> None:
        self._run, self._axes, self._shared, self._free = run, axes, shared, free or threading.Lock()
        self._waiting: list[_Wish] = []

    def __call__(self, inputs: Named) -> dict[str, Array]:
        """The outputs for one stream's inputs. What the graph raises, all of its batch get."""
        if self._axes() is None and self._shared():
            return self._run(inputs)
        wish = _Wish(inputs)
        self._waiting.append(wish)  # atomic, as all that is done to this list
        with self._free:
            if not wish.fulfilled:
                self._fulfil(wish)
        if wish.error:
            raise wish.error
        return wish.outputs

    def _fulfil(self, wish: _Wish) -> None:
        """Runs a batch with this wish and what fits to it."""
        axes = self._axes()
        together = [wish]
        if axes:
            form = wish.form(axes)
            others = (each for each in list(self._waiting) if each is not wish and each.form(axes) == form)
            together += list(others)[: LARGEST - 1]
            # a batch is one, two, four ... streams: memory is laid out, and a GPU's kernels chosen, for few sizes
            together = together[: 1 << (len(together).bit_length() - 1)]
        for each in together:
            self._waiting.remove(each)
        try:
            _share(together, axes, self._run(_joined(together, axes)))
        except BaseException as error:  # the others must not wait for what will not come
            for each in together:
                each.error = error
            if not isinstance(error, Exception):
                raise
        for each in together:
            each.fulfilled = True


class _Wish:
    """What one thread wants."""

    def __init__(self, inputs: Named) -> None:
        self.inputs = inputs
        self.outputs: dict[str, Array] = {}
        self.error: BaseException | None = None
        self.fulfilled = False

    def form(self, axes: Axes) -> object:
        """The same for inputs that can be run together."""
        return {
            name: array.shape if name in axes.inputs else (array.shape, array.tobytes())
            for name, array in self.inputs.items()
        }


def _joined(together: Sequence[_Wish], axes: Axes | None) -> Named:
    first, *others = together
    if not others or axes is None:
        return first.inputs
    return {
        name: np.concatenate([each.inputs[name] for each in together], axis=axes.inputs[name])
        if name in axes.inputs
        else array
        for name, array in first.inputs.items()
    }


def _share(together: Sequence[_Wish], axes: Axes | None, outputs: dict[str, Array]) -> None:
    first, *others = together
    if not others or axes is None:
        first.outputs = outputs
        return
    parts = {
        name: np.split(array, len(together), axis=axes.outputs[name])
        if name in axes.outputs
        else [array] * len(together)
        for name, array in outputs.items()
    }
    for number, each in enumerate(together):
        # a copy: a part of an array keeps the whole of it in memory
        each.outputs = {name: part[number].copy() for name, part in parts.items()}
