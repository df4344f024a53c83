"""`edgevoice classify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgevoice.commands import options
from edgevoice.commands.output import say, write_json, write_out
from edgevoice.errors import AudioError, ModelError, UsageError
from edgevoice.text import plain

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from edgevoice.audio.source import Source

LONGEST_S = 60.0
"""More than this is no utterance, and attention over it would take gigabytes."""

File = Annotated[str, typer.Argument(metavar="FILE", help="A recording of one utterance, or - for a pipe.")]
TopK = Annotated[int, typer.Option("--top-k", min=1, metavar="N", help="How many labels, best first.")]


def classify(
    file: File,
    top_k: TopK = 5,
    model: options.Model = None,
    provider: options.Provider = None,
    remote: options.Remote = None,
    as_json: options.Json = False,
) -> None:
    """Say which intent a recording expresses.

    --json prints label and score as the Hugging Face pipeline does.

    \b
    Examples:
      edgevoice classify question.wav
      edgevoice classify question.wav --top-k 3 --json | jq -r '.[0].label'
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.asr.intent import rank

    settings = options.settings_for(model=model, provider=provider, remote=remote)
    samples = _samples(options.open_recording(file))
    acoustic = options.open_model(settings, reading=False)
    if "intent" not in acoustic.heads:
        raise ModelError(f"The model '{acoustic.manifest.name}' knows no intents", "Choose another one with --model")
    logits = acoustic.encode(samples).intent_logits
    if acoustic.note:
        say(acoustic.note)
    if logits is None:
        raise AudioError(f"'{plain(file)}' is too short to have an intent", "Record the whole utterance")
    best = rank(logits, acoustic.manifest)[:top_k]
    if as_json:
        write_json([{"score": round(each.score, 6), "label": each.label} for each in best])
    else:
        write_out("".join(f"{each.score:6.1%}  {plain(each.label)}\n" for each in best))


def _samples(source: Source) -> npt.NDArray[np.float32]:
    """All of a source at 16 kHz."""
    import numpy as np

    from edgevoice.audio.resample import Resampler, clean

    resampler = Resampler(source.sample_rate)
    pieces = []
    heard = 0
    for block in source.blocks():
        heard += len(block.samples)
        if heard > LONGEST_S * source.sample_rate:
            raise UsageError(
                f"'{plain(source.name)}' is longer than {LONGEST_S:g} s, and classify judges one utterance",
                "Use 'edgevoice transcribe --format json', which finds the utterances and the intent of each",
            )
        pieces.append(clean(resampler.process(block.samples)))
    return np.concatenate([*pieces, clean(resampler.flush())])
