"""`edgevoice` alone: what it says to somebody at a terminal, with and without a microphone."""

from __future__ import annotations

import os
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.command_line import Cli, one_sentence, read_until, terminal
from tests.rig import SINK, PulseRig
from tests.tiny import speak

DEAF = {"PULSE_SERVER": "unix:/nonexistent"}
SCREEN = b"\x1b[?1049h"
"""Textual takes the screen."""
LIMIT_S = 90.0


class Person:
    """Somebody at a terminal with `edgevoice` typed into it."""

    def __init__(self, cli: Cli, controller: int, inner: int) -> None:
        self._controller = controller
        self.before = termios.tcgetattr(inner)
        self._inner = inner
        self.process = cli.in_terminal(inner)
        self.seen = ""

    def reads(self, text: str) -> str:
        """Waits for a text and gives all that was shown until then."""
        if text not in self.seen:
            self.seen += read_until(self._controller, text.encode(), LIMIT_S).decode("utf-8", "replace")
        assert text in self.seen, self.seen
        return self.seen

    def presses(self, key: str) -> None:
        self.seen = ""
        os.write(self._controller, key.encode())

    def ends(self) -> int:
        """Reads on, so that nothing waits for the terminal, to the exit code."""
        end = time.monotonic() + LIMIT_S
        while self.process.poll() is None and time.monotonic() < end:
            self.seen += read_until(self._controller, b"\x00", 0.2).decode("utf-8", "replace")
        assert self.process.poll() is not None, self.seen
        return self.process.returncode

    def has_line_input(self) -> bool:
        """Whether the terminal is as a shell needs it."""
        return termios.tcgetattr(self._inner)[3] == self.before[3]


@contextmanager
def person(cli: Cli) -> Iterator[Person]:
    with terminal(100, 30) as (controller, inner):
        somebody = Person(cli, controller, inner)
        try:
            yield somebody
        finally:
            if somebody.process.poll() is None:
                somebody.process.kill()
            somebody.process.wait()


def test_without_a_terminal_it_is_the_help(cli: Cli) -> None:
    """Nobody can be asked anything."""
    result = cli()
    assert b"Usage: edgevoice" in result.stderr
    assert result.returncode == 2


def test_a_terminal_that_cannot_show_the_screen_gets_the_help(cli: Cli) -> None:
    cli.extra = DEAF
    with terminal(100, 30) as (controller, inner):
        environment = {**cli.environment, "TERM": "dumb"}
        process = subprocess.Popen(cli.command([]), env=environment, stdin=inner, stdout=inner, stderr=inner)
        assert b"Usage: edgevoice" in read_until(controller, b"Commands:", LIMIT_S)
        process.wait(LIMIT_S)


def test_without_a_microphone_it_offers_the_demo_and_is_shorter_the_next_time(cli: Cli) -> None:
    """What is missing, the way out, and something to look at all the same."""
    cli.extra = DEAF
    with person(cli) as somebody:
        shown = somebody.reads("quit")
        assert "There is no microphone" in shown
        assert "ok model" in shown
        assert "Enter  a recorded call" in shown
        somebody.presses("x")
        somebody.presses("\r")
        somebody.reads(SCREEN.decode())
        somebody.presses("q")
        assert somebody.ends() == 0
    assert (cli.home / "state" / "edgevoice" / "welcomed").is_file()
    with person(cli) as somebody:
        shown = somebody.reads("quit")
        assert "ok model" not in shown
        somebody.presses("c")
        assert "ok model" in somebody.reads("quit")
        somebody.presses("q")
        assert somebody.ends() == 0
        assert somebody.has_line_input()


def test_a_signal_leaves_the_terminal_as_it_was(cli: Cli) -> None:
    cli.extra = DEAF
    with person(cli) as somebody:
        somebody.reads("quit")
        somebody.process.send_signal(signal.SIGTERM)
        assert somebody.ends() == 143
        assert somebody.has_line_input()


def test_wrong_settings_are_said_first(cli: Cli) -> None:
    """No command would start."""
    file = cli.home / "config" / "edgevoice" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[vad]\n\naggressiveness = 9\n")
    with person(cli) as somebody:
        assert somebody.ends() == 2
        assert "line 3, is 9" in " ".join(somebody.seen.split())
    assert "line 3" in one_sentence(cli("demo"))


def test_a_model_that_is_damaged_leaves_the_demo(cli: Cli, tmp_path: Path) -> None:
    cli.extra = {**DEAF, "EDGEVOICE_MODEL": str(tmp_path / "nothing")}
    with person(cli) as somebody:
        shown = somebody.reads("quit")
        assert "There is no model" in shown
        assert "The demo has a model of its own" in shown
        somebody.presses("q")
        assert somebody.ends() == 0


@pytest.mark.sound
class TestMicrophone:
    """With a microphone made of software."""

    @pytest.fixture
    def heard(self, cli: Cli, pulse: PulseRig) -> Cli:
        kept = ("XDG_RUNTIME_DIR", "PULSE_SERVER", "PULSE_COOKIE", "PULSE_SOURCE", "PULSE_SINK")
        environment = pulse.environment(f"{SINK}.monitor")
        cli.extra = {key: environment[key] for key in kept} | {"EDGEVOICE_AUDIO_DEVICE": "pulse"}
        return cli

    def test_the_bar_moves_and_enter_starts(self, heard: Cli, pulse: PulseRig, tmp_path: Path) -> None:
        talk = tmp_path / "talk.wav"
        soundfile.write(talk, np.tile(speak("one two three"), 8), 16_000)
        with person(heard) as somebody:
            somebody.reads("-99 dB")
            pulse.play(talk)
            shown = somebody.reads("The microphone hears you")
            assert "━━━━" in shown
            assert "Enter  live captions" in somebody.reads("quit")
            somebody.presses("\r")
            somebody.reads(SCREEN.decode())
            somebody.presses("q")
            assert somebody.ends() == 0

    def test_silence_is_named(self, heard: Cli) -> None:
        with person(heard) as somebody:
            assert "━" not in somebody.reads("Hardly anything was heard")
            somebody.reads("quit")
            somebody.presses("q")
            assert somebody.ends() == 0

    def test_a_key_need_not_wait_for_the_bar(self, heard: Cli) -> None:
        with person(heard) as somebody:
            somebody.reads("Say something")
            somebody.reads("dB")
            somebody.presses("q")
            assert somebody.ends() == 0
            assert "Hardly" not in somebody.seen
            assert somebody.has_line_input()
