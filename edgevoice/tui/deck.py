"""Play, pause, back and forward: over a player that can only play from a position, and stop. No Textual in here."""

from __future__ import annotations

from enum import Enum

from edgevoice.text import clock
from edgevoice.tui.spoken import RecordingPlayer


class Deck:
    """A recording under the keys of a person.

    Args:
        player: what is heard; it belongs to the deck from now on.
    """

    class State(Enum):
        """What it does."""

        SILENT = ""
        PLAYING = "▶"
        PAUSED = "‖"

    def __init__(self, player: RecordingPlayer) -> None:
        self._player = player
        self._at = 0.0
        self.state = Deck.State.SILENT

    @property
    def position(self) -> float:
        """Seconds: where it plays, or would go on."""
        if self.state is Deck.State.PLAYING and (heard := self._player.position) is not None:
            self._at = heard
        return self._at

    @property
    def shown(self) -> str:
        """What it does and where, in a few characters; nothing in silence."""
        return f"{self.state.value} {clock(self.position)}" if self.state is not Deck.State.SILENT else ""

    def play(self, at: float) -> None:
        """Plays from there, in seconds.

        Raises:
            EdgeVoiceError: that cannot be.
        """
        self.state = Deck.State.SILENT
        self._player.play(at)
        self._at, self.state = at, Deck.State.PLAYING

    def pause(self) -> None:
        """Falls silent, and knows where."""
        self._at = self.position
        self._player.stop()
        self.state = Deck.State.PAUSED

    def move(self, seconds: float) -> None:
        """Goes back or forward, playing or paused.

        Raises:
            EdgeVoiceError: that cannot be.
        """
        at = max(0.0, self.position + seconds)
        if self.state is Deck.State.PLAYING:
            self.play(at)
        else:
            self._at = at

    def stop(self) -> None:
        """Falls silent for good."""
        self._player.stop()
        self.state = Deck.State.SILENT

    def over(self) -> str | None:
        """Why it fell silent by itself, in one sentence; None if it did not. Said once."""
        if self.state is not Deck.State.PLAYING or self._player.position is not None:
            return None
        self.state = Deck.State.SILENT
        return self._player.problem or "The recording ends here."
