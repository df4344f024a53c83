"""The file for OBS."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from edgevoice.errors import ConfigError
from edgevoice.events import CaptionUpdated, Failed, Recovered
from edgevoice.sinks.last_lines import LastLines
from tests.sinks.test_session_files import final, limited, revised, started


def update(stable: str, tentative: str, channel: str = "mic") -> CaptionUpdated:
    return CaptionUpdated(channel=channel, at=1.0, segment=1, stable=stable, tentative=tentative, latency=0.1)


def test_it_holds_the_last_two_lines_and_what_is_being_said(tmp_path: Path) -> None:
    file = tmp_path / "last.txt"
    sink = LastLines(file)
    assert file.read_text() == ""
    sink.write(started("mic"))
    sink.write(final("mic", 0, 1.0, "good morning"))
    assert file.read_text() == "good morning\n"
    sink.write(update("I have lost my card and", "I need another one"))
    assert file.read_text() == "I have lost my card and I need another one\n".replace("I have", "good morning\nI have")
    sink.write(update("I have lost my card and I need", "another one today"))
    assert file.read_text() == "I have lost my card and I need another one\ntoday\n"
    sink.write(final("mic", 1, 3.0, "I have lost my card"))
    assert file.read_text() == "good morning\nI have lost my card\n"
    assert [each.name for each in tmp_path.iterdir()] == ["last.txt"]


def test_it_says_who_speaks_in_a_call(tmp_path: Path) -> None:
    sink = LastLines(tmp_path / "last.txt")
    for event in (started("mic"), started("call"), final("mic", 0, 1.0, "hello"), update("good", "day", "call")):
        sink.write(event)
    assert (tmp_path / "last.txt").read_text() == "you: hello\nthem: good day\n"


def test_a_sentence_that_is_put_right_stays_where_it_is(tmp_path: Path) -> None:
    """Also when others followed it; one of which it turned out that nothing was said makes room for those before."""
    file = tmp_path / "last.txt"
    sink = LastLines(file)
    said = enumerate(("good morning", "my car", "the"))
    morning, card, noise = (final("mic", number, number * 5.0, text) for number, text in said)
    for event in (started("mic"), morning, card, noise):
        sink.write(event)
    assert file.read_text() == "my car\nthe\n"
    sink.write(revised(card, "My card."))
    assert file.read_text() == "My card.\nthe\n"
    sink.write(revised(noise, ""))
    assert file.read_text() == "good morning\nMy card.\n"
    sink.write(revised(morning, "Good morning."))
    assert file.read_text() == "Good morning.\nMy card.\n"
    sink.write(update("and I", "need"))
    sink.write(revised(card, "My card!"))
    assert file.read_text() == "My card!\nand I need\n"


def test_a_sentence_of_long_ago_is_not_put_behind_the_newest(tmp_path: Path) -> None:
    file = tmp_path / "last.txt"
    sink = LastLines(file)
    finals = [final("mic", number, number * 5.0, f"number {number}") for number in range(100)]
    for event in finals:
        sink.write(event)
    sink.write(revised(finals[0], "Too late."))
    assert file.read_text() == "number 98\nnumber 99\n"


def test_a_reader_never_sees_half_of_it(tmp_path: Path) -> None:
    file = tmp_path / "last.txt"
    sink = LastLines(file)
    seen, done = set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    written = {f"{letter * 42}\n" * 2 for letter in "abcdefghij"}
    for letter in "abcdefghij":
        sink.write(update(f"{letter * 42} {letter * 42}", ""))
    done.set()
    reader.join()
    assert seen <= written | {""}


def test_a_full_disk_is_said_once_and_so_is_its_end(tmp_path: Path) -> None:
    sink = LastLines(tmp_path / "last.txt")
    with limited(3):
        said = [*sink.write(final("mic", 0, 1.0, "hello")), *sink.write(final("mic", 1, 2.0, "there"))]
    (failed,) = said
    assert isinstance(failed, Failed)
    (recovered,) = sink.write(final("mic", 2, 3.0, "again"))
    assert isinstance(recovered, Recovered)
    assert recovered.what == failed.what
    assert (tmp_path / "last.txt").read_text() == "there\nagain\n"


def test_a_folder_that_is_removed_is_said_with_what_helps(tmp_path: Path) -> None:
    folder = tmp_path / "obs"
    folder.mkdir()
    sink = LastLines(folder / "last.txt")
    shutil.rmtree(folder)
    (failed,) = sink.write(final("mic", 0, 1.0, "hello"))
    assert isinstance(failed, Failed)
    assert failed.remedy == "Captions go on; make its folder again"


@pytest.mark.parametrize("name", ["missing/last.txt", "", "a\0b"])
def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="last lines cannot be written"):
        LastLines(tmp_path / name)


def test_nothing_but_files_is_replaced(tmp_path: Path) -> None:
    """A link to one is, as ever."""
    pipe, folder, file = tmp_path / "pipe", tmp_path / "folder", tmp_path / "file"
    os.mkfifo(pipe)
    folder.mkdir()
    file.write_text("mine")
    opened = os.open(file, os.O_RDONLY)
    for name, target in (("to-pipe", pipe), ("to-file", file), ("to-opened", Path(f"/proc/self/fd/{opened}"))):
        (tmp_path / name).symlink_to(target)
    for name in ("pipe", "folder", "to-pipe", "to-opened"):
        with pytest.raises(ConfigError, match="no regular file"):
            LastLines(tmp_path / name)
    os.close(opened)
    assert pipe.is_fifo()
    assert (tmp_path / "to-opened").is_symlink()
    LastLines(tmp_path / "to-file")
    assert file.read_text() == "mine"
