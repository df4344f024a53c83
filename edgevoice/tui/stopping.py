"""The process is stopped, by Ctrl-Z or by a signal it never sees, and goes on: then the terminal is set up anew."""

from __future__ import annotations

import asyncio
import signal

from textual.app import App


class StoppableApp(App[int]):
    """The part of the screen that comes back whole after `fg`."""

    def catch_continuing(self) -> None:
        """From now on everything is drawn again when the process goes on.

        Textual's own handler does not draw, and after a SIGSTOP it would read the keys with one more thread.
        """
        asyncio.get_running_loop().add_signal_handler(signal.SIGCONT, self._go_on)

    def _go_on(self) -> None:
        if self._driver is None:
            return
        # after a SIGSTOP nothing was put away yet; where it was, this does nothing
        self._driver.suspend_application_mode()
        self._driver.resume_application_mode()
        self.screen.refresh(layout=True)
