"""How the benchmarks that are modules, and no commands, begin and end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from edgevoice.errors import EdgeVoiceError


def script(main: Callable[[Sequence[str]], int]) -> int:
    """Runs the command line; what is wrong with it is one sentence."""
    try:
        return main(sys.argv[1:])
    except EdgeVoiceError as error:
        print(error, file=sys.stderr)
        return 2
