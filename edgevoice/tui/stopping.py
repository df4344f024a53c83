"""Signals: those that end the process, and those by which it is stopped, as by Ctrl-Z, and goes on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from textual.app import App

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class StoppableApp(App[int]):
    """The part of a screen that ends as signals ask, and comes back whole after `fg`."""

    def catch_signals(self, leave: Callable[[int], object]) -> None:
        """From now on a signal that ends a process leaves, with the exit code for it, and everything is drawn again
        when the process goes on.

        Textual's own handler does not draw, and after a SIGSTOP it would read the keys with one more thread.
        """
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and shells in the background ask for that
                loop.add_signal_handler(number, leave, 128 + number)
        loop.add_signal_handler(signal.SIGCONT, self._go_on)

    def _go_on(self) -> None:
        if self._driver is None:
            return
        # after a SIGSTOP nothing was put away yet; where it was, this does nothing
        self._driver.suspend_application_mode()
        self._driver.resume_application_mode()
        self.screen.refresh(layout=True)
