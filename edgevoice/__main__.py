"""`python -m edgevoice`, and what the installed command calls first."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Loads the command line and runs it; returns the exit code."""
    # Until the command line can turn it into a proper end, Ctrl-C ends the process at once instead of in a traceback.
    interactive = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interactive:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edgevoice.cli import main as run

    if interactive:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
