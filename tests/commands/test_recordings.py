"""Which recordings are meant, where their transcripts go, and in which order they are done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.commands.agenda import Agenda
from edgevoice.commands.recordings import find, targets
from edgevoice.errors import UsageError


def tree(folder: Path, *places: str) -> Path:
    """Files that are called as recordings are."""
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(b"audio")
    return folder


def test_folders_are_searched_in_order(tmp_path: Path) -> None:
    places = "b.WAV a/2.mp4 a/1.m4a c/d/e.opus a/x.txt .trash/f.wav a/.g.wav"
    folder = tree(tmp_path / "calls", *places.split())
    found = find([str(tmp_path / "missing.wav"), str(folder), "-"])
    assert [str(each.place) for each in found] == ["missing.wav", "a/1.m4a", "a/2.mp4", "b.WAV", "c/d/e.opus", "stdin"]
    assert found[1].file == str(folder / "a/1.m4a")


def test_links_are_followed_once(tmp_path: Path) -> None:
    """To folders elsewhere, back up and in circles; a folder comes under its own name, not under that of a link."""
    folder = tree(tmp_path / "calls", "m/a.wav")
    tree(tmp_path / "elsewhere", "b.wav", "deep/c.wav")
    (folder / "a-link").symlink_to(folder / "m")
    (folder / "m" / "up").symlink_to("..")
    (folder / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "deep" / "round").symlink_to(tmp_path / "elsewhere")
    (folder / "self.wav").symlink_to("self.wav")
    (folder / "nowhere").symlink_to("gone")
    places = [str(each.place) for each in find([str(folder)])]
    assert places == ["m/a.wav", "other/b.wav", "other/deep/c.wav", "self.wav"]


def test_a_folder_without_recordings_is_a_mistake(tmp_path: Path) -> None:
    tree(tmp_path / "notes", "a.txt")
    with pytest.raises(UsageError, match="holds no recordings"):
        find([str(tmp_path / "notes")])


def test_names_of_transcripts(tmp_path: Path) -> None:
    """Those that differ in their ending only keep it."""
    folder = tree(tmp_path / "calls", "a/x.wav", "b/x.wav", "b/x.mp3", "v1.2.wav")
    made = targets(find([str(folder)]), "srt", tmp_path / "out", force=False, resume=False)
    names = [str(each.file.relative_to(tmp_path / "out")) for each in made]
    assert names == ["a/x.srt", "b/x.mp3.srt", "b/x.wav.srt", "v1.2.srt"]
    with pytest.raises(UsageError, match="Two recordings would be written to"):
        targets(find([str(folder), str(folder)]), "srt", tmp_path / "out", force=True, resume=False)


@pytest.mark.parametrize(
    ("ending", "content", "age", "done"),
    [
        ("txt", "words", 10, True),
        ("txt", "words", -10, False),
        ("txt", "", 10, True),
        ("json", '{"file":"a.wav","text":""}', 10, True),
        ("json", '{"file":"a.wav","error":"cannot be read"}', 10, False),
        ("json", "no json", 10, False),
    ],
)
def test_what_is_done(tmp_path: Path, ending: str, content: str, age: float, done: bool) -> None:
    """A transcript no older than its recording, and none that says that this could not be read."""
    recording = tree(tmp_path / "calls", "a.wav") / "a.wav"
    (tmp_path / "out").mkdir()
    file = tmp_path / "out" / f"a.{ending}"
    file.write_text(content)
    at = recording.stat().st_mtime + age
    os.utime(file, (at, at))
    [made] = targets(find([str(recording)]), ending, tmp_path / "out", force=False, resume=True)
    assert made.done == done
    [made] = targets(find([str(recording)]), ending, tmp_path / "out", force=True, resume=False)
    assert not made.done


def test_resume_replaces_nothing_but_files(tmp_path: Path) -> None:
    """A link may lead to what somebody needs."""
    recording = tree(tmp_path / "calls", "a.wav") / "a.wav"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").symlink_to(recording)
    with pytest.raises(UsageError, match="already there"):
        targets(find([str(recording)]), "txt", tmp_path / "out", force=False, resume=True)


@given(st.integers(0, 20), st.integers(1, 8), st.lists(st.integers(0, 7), min_size=40, max_size=40))
def test_an_agenda_is_worked_off_in_any_order(count: int, ahead: int, choices: list[int]) -> None:
    """Each number is finished once, also those that were given back, and none is far ahead."""
    agenda, taken, finished, again = Agenda(count, ahead), [], [], set()
    while len(finished) < count:
        while (number := agenda.take()) is not None:
            first = min(set(range(count)) - set(finished))
            assert first <= number < first + ahead
            taken.append(number)
        choice = choices[len(finished) + len(again)]
        number = taken.pop(choice % len(taken))
        if choice % 3 == 0 and number not in again:
            again.add(number)
            agenda.give_back(number)
        else:
            agenda.finish(number)
            finished.append(number)
    assert sorted(finished) == list(range(count))
    assert agenda.over
