"""Threads of the screen: daemons, for what hangs must never keep the process from ending."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable


def spawn(target: Callable[[], object], name: str) -> None:
    """Runs something in a thread that may post messages."""
    # Textual finds the app through a context variable, which a new thread does not inherit.
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(target,), name=name, daemon=True).start()
