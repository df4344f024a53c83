"""All saved sessions of a folder on the screen."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Footer

from edgevoice.commands.library import contents_of, library_of, transcript_of
from edgevoice.events import Event, IntentDetected, SpeechStarted, to_json
from edgevoice.saved_sessions import SessionFile, find_sessions, session_file, session_files
from edgevoice.tui.browser import BrowserScreen, Library
from edgevoice.tui.keys import explained
from edgevoice.tui.search import folded
from edgevoice.tui.sessions import Entry, Shelf, cut, excerpt, found_in, heading, height, lines_of, padded
from edgevoice.tui.sessions_app import SessionsApp
from edgevoice.tui.spoken import Contents, TranscriptLine
from edgevoice.tui.transcript import TranscriptScreen
from edgevoice.tui.widgets.search import SearchBar, Wanted
from edgevoice.tui.widgets.sessions import SessionHeading, SessionList
from tests.test_captions import revised
from tests.tui.screen import screen_text
from tests.tui.scripted import final, started
from tests.tui.test_nasty import FORBIDDEN, NASTY
from tests.tui.test_transcript import Tape

PLACES = (BrowserScreen, SessionList, Wanted, SessionsApp)
SIZES = [(40, 12), (80, 24), (160, 45)]


def file_called(name: str, *kinds: str) -> SessionFile:
    events = Path(f"{name}.jsonl")
    written = datetime(2026, 3, 1, 14, 5).astimezone()
    return SessionFile(
        name=name, events=events, written=written, files=(events, *(Path(name + each) for each in kinds))
    )


def said(*texts: str, **more: object) -> Contents:
    lines = tuple(TranscriptLine(start=60.0 * at, speaker="", text=text) for at, text in enumerate(texts))
    return Contents(lines=lines, length=754.0, words=1234, intents=12, **more)  # type: ignore[arg-type]


def entry(contents: Contents | None = None, name: str = "2026-03-01_14-05-33", *kinds: str) -> Entry:
    return Entry(file_called(name, *kinds), contents)


def text_of(entry: Entry, width: int, wanted: str = "") -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines_of(entry, wanted, width)]


# -- what stands in the list


def test_a_row_has_all_columns_under_their_names() -> None:
    call = entry(said(speakers=("you", "them")), "2026-03-01_14-05-33", ".mic.flac")
    assert ["".join(text for text, _ in heading(76)), *text_of(call, 76)] == [
        "session                        length    words  intents  audio  speakers",
        "2026-03-01_14-05-33             12:34     1234       12    yes  you, them",
    ]


@pytest.mark.parametrize(
    ("contents", "row"),
    [
        (None, "2026-03-01_14-05-33                 …"),
        (said(), "2026-03-01_14-05-33             12:34     1234       12"),
        (said(damaged=1), "2026-03-01_14-05-33             12:34     1234       12         incomplete"),
        (Contents(problem="It cannot be read (no)."), "2026-03-01_14-05-33          It cannot be read (no)."),
        (
            said(speakers=("longer name",)),
            "2026-03-01_14-05-33             12:34     1234       12         longer name",
        ),
    ],
)
def test_what_else_a_row_says(contents: Contents | None, row: str) -> None:
    assert text_of(entry(contents), 76) == [row]


@pytest.mark.parametrize(
    ("contents", "rows"),
    [
        (None, ["2026-03-01_14-05-33", "  …"]),
        (said(), ["2026-03-01_14-05-33            12:34", "  1234 words, 12 intents, audio"]),
        (Contents(problem="It cannot be read (no)."), ["2026-03-01_14-05-33", "  It cannot be read (no)."]),
    ],
)
def test_below_64_cells_a_session_takes_two_lines(contents: Contents | None, rows: list[str]) -> None:
    assert text_of(entry(contents, "2026-03-01_14-05-33", ".file.flac"), 36) == rows
    assert heading(36) == []


def test_a_file_that_was_renamed_has_its_date_where_there_is_room() -> None:
    assert text_of(entry(said(), "my call"), 156)[0].startswith("my call  2026-03-01 14:05  ")
    assert text_of(entry(said(), "my call"), 76)[0].split()[:3] == ["my", "call", "12:34"]


def test_where_something_was_said_stands_below() -> None:
    call = entry(said("Good morning", "My Cárd is gone", "which card", "the card"))
    call.found = found_in(call.contents or Contents(), "card")
    assert text_of(call, 76, "card")[1] == "  01:00  My Cárd is gone  +2"
    assert ("Cárd", "match") in lines_of(call, "card", 76)[1]
    assert text_of(call, 36, "card")[1] == "  01:00  My Cárd is gone  +2"


TEXT = st.text(st.sampled_from("ab é漢שe\u0301👩\u200d👧\u0300x "), max_size=60)


@given(TEXT, st.integers(0, 50))
def test_cut_and_padded_are_as_wide_as_they_say(text: str, width: int) -> None:
    assert cell_len(cut(text, width)) <= width
    assert cell_len(padded(text, width)) == width


@given(TEXT, st.data(), st.integers(3, 60))
def test_an_excerpt_fits_and_has_the_place_in_it(text: str, data: st.DataObject, width: int) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    parts = excerpt(text, start, end, width)
    assert sum(map(cell_len, parts)) <= width
    # a joiner at an edge joins nothing and is not shown, but makes what follows it narrower
    shown = [text[start:end].strip("\u200d"), text[end:].strip("\u200d")]
    if cell_len(shown[0]) <= width:
        assert parts[1] == shown[0]
    if sum(map(cell_len, (text[:start], *shown))) <= width:
        assert "".join(parts).replace("\u200d", "") == text.replace("\u200d", "")


@given(TEXT, TEXT, TEXT, st.integers(36, 160))
def test_no_line_of_the_list_is_too_long(name: str, text: str, speaker: str, width: int) -> None:
    contents = Contents(
        lines=(TranscriptLine(start=1e300, speaker=speaker, text=text),),
        length=1e300,
        words=10**6,
        speakers=(speaker, "b"),
        damaged=1,
    )
    for each in (entry(contents, name or "x", ".flac"), entry(Contents(problem=text), name or "x"), entry(None, "x")):
        each.found = found_in(each.contents, folded(text[:3])) if each.contents else None
        lines = lines_of(each, text[:3], width)
        assert len(lines) == height(width, found=each.found is not None)
        for line in lines:
            assert sum(cell_len(part) for part, _ in line) <= width


@given(st.lists(st.text("abAB é", max_size=6), max_size=6), st.text("abé", max_size=3))
def test_what_is_found_is_what_is_there(texts: list[str], wanted: str) -> None:
    contents = said(*texts)
    needle = folded(wanted)
    having = [n for n, caption in enumerate(contents.captions) if needle and needle in folded(caption.text)]
    found = found_in(contents, needle)
    assert (found is None) == (not having)
    if found:
        assert (found.line, found.more) == (having[0], len(having) - 1)


def test_the_nearest_to_the_cursor_is_read_first() -> None:
    shelf = Shelf([file_called(f"2026-03-0{day}_10-00-00") for day in range(1, 8)])
    shelf.near = 3
    order = []
    while each := shelf.next_unread():
        order.append(shelf.entries.index(each))
    assert order[0] == 3
    assert order[-1] in (0, 6)
    assert sorted(order) == list(range(7))


def test_counting_while_it_is_read() -> None:
    shelf = Shelf([file_called(name) for name in ("notes", "2026-03-01_10-00-00", "2026-03-02_10-00-00")])
    newest, older, notes = shelf.entries
    assert newest.file.name == "2026-03-02_10-00-00"
    assert shelf.rows == [newest, older], "the other may be anything"
    assert shelf.count == "2 sessions, 0 read"
    shelf.look_for("card")
    assert (shelf.rows, shelf.found) == ([], "in 0 so far")
    shelf.put(newest, said("a card"))
    shelf.put(notes, said("another card"))
    assert (shelf.rows, shelf.found) == ([newest, notes], "in 2 so far")
    shelf.put(older, said("nothing"))
    assert (shelf.count, shelf.found) == ("3 sessions", "in 2")
    shelf.put(notes, Contents(problem="no session", foreign=True))
    assert shelf.count == "2 sessions"
    shelf.look_for("zebra")
    assert (shelf.rows, shelf.found) == ([], "not found")
    shelf.look_for("")
    assert (shelf.rows, shelf.found) == ([newest, older], "")


# -- what is read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two calls with audio and words of their own, and files that are damaged each in its way."""
    call = [
        started(channel="mic"),
        started(channel="call"),
        final(0, "Good morning", 1.0, "mic"),
        final(0, "My card is gone", 4.0, "call"),
        IntentDetected(
            channel="call", at=6, segment=0, label="card_lost", score=0.9, runners_up=(), early=False, words=""
        ),
        final(1, "Which card", 8.0, "mic"),
    ]
    save(tmp_path, "2026-03-01_10-00-00", call)
    (tmp_path / "2026-03-01_10-00-00.mic.flac").write_bytes(b"")
    (tmp_path / "2026-03-01_10-00-00.txt").write_text("")
    save(tmp_path, "2026-03-02_10-00-00", [started(), *(final(n, f"Line {n} of many", 9.0 * n) for n in range(60))])
    save(tmp_path, "2026-03-02_10-00-00-2", [started(), final(0, "漢字 שלום and a CARD", 1.0)])
    (tmp_path / "2026-03-03_10-00-00.jsonl").write_text("")
    (tmp_path / "2026-03-04_10-00-00.jsonl").write_bytes(b"\x00\xff garbage\n[[[[\n")
    (tmp_path / "2026-03-05_10-00-00.jsonl").symlink_to("nowhere")
    (tmp_path / "2026-03-06_10-00-00.jsonl").mkdir()
    (tmp_path / "settings.jsonl").write_text('{"a": 1}\n' * 50)
    return tmp_path


def save(folder: Path, name: str, events: list[Event]) -> Path:
    file = folder / f"{name}.jsonl"
    file.write_text("".join(f"{to_json(event)}\n" for event in events))
    return file


def test_what_is_in_a_session(folder: Path) -> None:
    (call,) = (file for file in session_files(folder) if file.name == "2026-03-01_10-00-00")
    contents = contents_of(call)
    assert [(line.speaker, line.text) for line in contents.lines] == [
        ("you", "Good morning"),
        ("them", "My card is gone"),
        ("them", "intent: card_lost (90 %)"),
        ("you", "Which card"),
    ]
    assert (contents.words, contents.intents, contents.speakers, contents.damaged) == (8, 1, ("you", "them"), 0)
    assert [file.name for file in call.recordings] == ["2026-03-01_10-00-00.mic.flac"]
    assert len(transcript_of(call).files) == 3


def test_a_session_says_what_was_put_right(tmp_path: Path) -> None:
    """In its lines, which are in their places, in what is counted, and in what is found."""
    heard = [started(), final(0, "my car is gone", 1.0), final(1, "the", 5.0), final(2, "yes please", 8.0)]
    card = IntentDetected(
        channel="mic", at=3, segment=0, label="card_lost", score=0.9, runners_up=(), early=False, words=""
    )
    read = [revised(0, "My card is gone, I think.", 1.0), revised(1, "", 5.0)]
    file = session_file(save(tmp_path, "2026-03-01_10-00-00", [*heard[:2], card, *heard[2:], *read]))
    assert file
    contents = contents_of(file)
    assert [(line.start, line.text) for line in contents.lines] == [
        (1.0, "My card is gone, I think."),
        (1.0, "intent: card_lost (90 %)"),
        (8.0, "yes please"),
    ]
    assert (contents.words, contents.intents) == (8, 1)
    assert found_in(contents, "card is gone")
    assert not found_in(contents, "car is")
    (listed,) = find_sessions(tmp_path)
    assert (listed.words, listed.intents) == (8, 1)


def test_files_belong_to_the_session_whose_name_they_have(folder: Path) -> None:
    of = {file.name: {each.name for each in file.files} for file in session_files(folder)}
    assert of["2026-03-02_10-00-00"] == {"2026-03-02_10-00-00.jsonl"}
    assert of["2026-03-02_10-00-00-2"] == {"2026-03-02_10-00-00-2.jsonl"}
    assert "2026-03-06_10-00-00" not in of, "a folder"


@pytest.mark.parametrize(
    ("content", "problem", "foreign"),
    [
        ("", "Nothing has been written to it yet.", False),
        ("garbage\n", "Nothing in it can be read as a session.", False),
        ('{"event": "later_thing"}\n', "Nothing in it can be read as a session.", False),
        ("[" * 100_000, "Nothing in it can be read as a session.", False),
    ],
)
def test_what_cannot_be_read_is_a_sentence(tmp_path: Path, content: str, problem: str, foreign: bool) -> None:
    for name in ("2026-03-01_10-00-00", "other"):
        file = tmp_path / f"{name}.jsonl"
        file.write_text(content)
        found = session_file(file)
        assert found
        contents = contents_of(found)
        assert contents.foreign == (name == "other")
        if name != "other":
            assert contents.problem == problem


def test_a_file_that_is_gone_is_a_sentence() -> None:
    assert contents_of(file_called("2026-03-01_10-00-00")).problem == "It cannot be read (No such file or directory)."


def test_damage_is_counted_and_odd_times_do_no_harm(tmp_path: Path) -> None:
    file = save(tmp_path, "2026-03-01_10-00-00", [started(), final(0, "a"), final(1, "b"), final(2, "c")])
    lines = file.read_text().splitlines()
    odd = json.loads(lines[2]) | {"at": float("inf"), "start": float("nan")}
    later = '{"event": "later_thing"}'
    file.write_text("\n".join([lines[0], "{broken", later, lines[1], json.dumps(odd), lines[3][:40]]))
    found = session_file(file)
    assert found
    contents = contents_of(found)
    assert (contents.damaged, contents.words, contents.length) == (2, 2, 2.0)
    assert len(contents.captions) == 2


# -- the screen


@asynccontextmanager
async def browsing(
    folder: Path, size: tuple[int, int] = (80, 24), change: Callable[[Library], Library] = lambda library: library
) -> AsyncIterator[tuple[BrowserScreen, Pilot[int]]]:
    app = SessionsApp(change(replace(library_of(folder), player=lambda file: Tape())))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, BrowserScreen)
        yield app.screen, pilot


async def shown(pilot: Pilot[int]) -> str:
    await pilot.pause()
    await pilot.pause()
    return screen_text(pilot.app)  # type: ignore[arg-type]


async def until(pilot: Pilot[int], text: str) -> str:
    """The screen as soon as that is on it."""
    for _ in range(500):
        if text in (now := await shown(pilot)):
            return now
        await pilot.pause(0.02)
    raise AssertionError(f"{text!r} is not in\n{now}")


async def all_read(screen: BrowserScreen, pilot: Pilot[int]) -> str:
    while screen._shelf.read < len(screen._shelf.entries):
        await pilot.pause(0.02)
    return await shown(pilot)


async def test_the_sessions_are_there_the_newest_first(folder: Path) -> None:
    async with browsing(folder) as (screen, pilot):
        text = await all_read(screen, pilot)
        rows = [line.split() for line in text.splitlines() if line.strip().startswith("2026-")]
        assert [row[0] for row in rows] == [
            "2026-03-04_10-00-00",
            "2026-03-03_10-00-00",
            "2026-03-02_10-00-00-2",
            "2026-03-02_10-00-00",
            "2026-03-01_10-00-00",
        ]
        assert rows[4][1:] == ["00:09", "8", "1", "yes", "you,", "them"]
        assert "Nothing in it can be read as a session." in text
        assert "Nothing has been written to it yet." in text
        assert "5 sessions" in text
        assert "settings" not in text, "that is no session"
        for key in ("Open", "Search", "Quit", "Help"):
            assert key in text
        assert pilot.app.query_one(Footer).max_scroll_x == 0


async def test_opening_and_going_back_to_where_the_cursor_was(folder: Path) -> None:
    async with browsing(folder) as (screen, pilot):
        await all_read(screen, pilot)
        for key in ("escape", "q"):
            await pilot.press("end", "enter")
            assert "My card is gone" in await until(pilot, "them: My card is gone")
            assert isinstance(pilot.app.screen, TranscriptScreen)
            await pilot.press(key)
            assert pilot.app.screen is screen
            assert screen.body.current
            assert screen.body.current.file.name == "2026-03-01_10-00-00"


async def test_the_player_of_a_session_falls_silent_when_it_is_left(folder: Path) -> None:
    tape = Tape()
    async with browsing(folder, change=lambda library: replace(library, player=lambda file: tape)) as (_, pilot):
        await pilot.press("end", "enter")
        await until(pilot, "Good morning")
        await pilot.press("enter")
        assert tape.position == 1.0
        await pilot.press("escape")
        await pilot.pause()
        assert tape.position is None


async def test_sessions_in_which_something_was_said(folder: Path) -> None:
    async with browsing(folder) as (screen, pilot):
        await all_read(screen, pilot)
        await pilot.press("slash", *"cárd")
        text = await shown(pilot)
        assert "00:04  them: My card is gone  +2" in text
        assert "and a CARD" in text
        assert "in 2" in text
        assert "2026-03-02_10-00-00 " not in text
        await pilot.press("enter", "down", "enter")
        await until(pilot, "'cárd': 1 of 3")
        assert isinstance(pilot.app.screen, TranscriptScreen)
        assert pilot.app.screen._list.highlighted == 1
        await pilot.press("N", "y")
        assert pilot.app.clipboard == "intent: card_lost (90 %)"
        await pilot.press("escape")
        assert pilot.app.screen is screen
        assert screen.body.current
        assert screen.body.current.file.name == "2026-03-01_10-00-00"
        await pilot.press("escape")
        assert "5 sessions" in await shown(pilot)
        assert screen.body.current.file.name == "2026-03-01_10-00-00", "the cursor stays on it"
        assert not screen.query_one(SearchBar).display


async def test_keys_of_the_list(folder: Path) -> None:
    async with browsing(folder) as (screen, pilot):
        await all_read(screen, pilot)

        async def at(*keys: str) -> int:
            await pilot.press(*keys)
            return screen._shelf.rows.index(screen.body.current)  # type: ignore[arg-type]

        assert await at("down", "down") == 2
        assert await at("up") == 1
        assert await at("n", "n") == 3
        assert await at("N") == 2
        assert await at("home") == 0
        assert await at("up") == 0
        assert await at("end") == 4
        assert await at("down") == 4
        assert await at("pageup") == 0
        assert await at("pagedown") == 4
        assert await at("slash", *"card", "down") == 1
        assert await at("up") == 0, "also while something is typed"
        await pilot.press("escape", "t")
        assert pilot.app.theme == "edgevoice-light"
        await pilot.press("q")
    assert pilot.app.return_value == 0


async def test_letters_in_the_search_are_no_keys(folder: Path) -> None:
    async with browsing(folder) as (screen, pilot):
        await pilot.press("slash", *"qtnN?/", "escape")
        assert screen.query_one(Wanted).value == "qtnN?/"
        assert pilot.app.screen is screen


async def test_a_session_that_cannot_be_read_is_not_opened(folder: Path) -> None:
    async with browsing(folder) as (screen, pilot):
        await all_read(screen, pilot)
        await pilot.press("home", "enter")
        await until(pilot, "Nothing in it can be read as a session.")
        await pilot.press("down", "enter", "down", "enter")
        await until(pilot, "漢字")
        assert pilot.app.screen is not screen, "the next one is"


async def test_a_session_is_read_anew_when_it_is_opened(folder: Path) -> None:
    async with browsing(folder) as (screen, pilot):
        await all_read(screen, pilot)
        save(folder, "2026-03-03_10-00-00", [started(), final(0, "It has begun")])
        await pilot.press("home", "down", "enter")
        await until(pilot, "It has begun")
        await pilot.press("q")
        assert "00:02        3" in await shown(pilot), "and the list knows"


async def test_nothing_waits_for_what_takes_long(folder: Path) -> None:
    go = threading.Event()

    def slowly(file: SessionFile) -> Contents:
        go.wait(30)
        return contents_of(file)

    async with browsing(folder, change=lambda library: replace(library, read=slowly)) as (screen, pilot):
        text = await shown(pilot)
        assert "2026-03-01_10-00-00                …" in text
        assert "0 read" in text
        await pilot.press("end", "enter", "enter", "up", "slash", *"card", "enter")
        assert "in 0 so far" in await shown(pilot)
        go.set()
        await until(pilot, "My card is gone")
        await pilot.press("q")
        assert pilot.app.screen is screen, "opened once"


async def test_a_click_opens(folder: Path) -> None:
    async with browsing(folder) as (screen, pilot):
        await all_read(screen, pilot)
        await pilot.click(SessionList, offset=(5, 4))
        await until(pilot, "My card is gone")


async def test_the_sheet_has_every_key(folder: Path) -> None:
    assert all(dict(explained(*PLACES)).values())
    async with browsing(folder, (100, 50)) as (screen, pilot):
        await all_read(screen, pilot)
        await pilot.press("question_mark")
        text = await shown(pilot)
        for each in ("open the session", "sessions in which something was said", "incomplete", "5 sessions"):
            assert each in text
        await pilot.press("escape")
        of_textual = {"tab", "shift+tab", "ctrl+pageup", "ctrl+pagedown", "super+c", "ctrl+i", "left", "right"}
        ours = {key for place in PLACES for binding in vars(place)["BINDINGS"] for key in binding.key.split(",")}
        assert set(screen.active_bindings) - ours <= of_textual


async def test_hundreds_are_on_the_screen_at_once_and_scroll(tmp_path: Path) -> None:
    events = [SpeechStarted(channel="mic", at=1, segment=0, start=1)]
    for number in range(600):
        save(tmp_path, f"2026-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}_{number // 336:02}-00-00", events)
    async with browsing(tmp_path) as (screen, pilot):
        text = await shown(pilot)
        assert "2026-12-28_00-00-00" in text
        assert "600 sessions" in text
        await pilot.press("end")
        text = await shown(pilot)
        assert "2026-01-01_00-00-00" in text
        assert "2026-12-28" not in text
        await pilot.press("home")
        assert "2026-12-28_00-00-00" in await all_read(screen, pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_other_sizes(folder: Path, size: tuple[int, int]) -> None:
    async with browsing(folder, size) as (screen, pilot):
        text = await all_read(screen, pilot)
        assert "2026-03-04_10-00-00" in text
        assert pilot.app.screen.query_one(SessionHeading).display == (size[0] > 70)
        await pilot.press("slash", *"card")
        assert "and a CARD" in await shown(pilot)
        await pilot.resize_terminal(60, 20)
        assert "and a CARD" in await shown(pilot)
        await pilot.resize_terminal(39, 9)
        assert "too small" in await shown(pilot)


LAID_OUT = [*((text, (40, 12)) for text in NASTY), (NASTY[-1], (80, 24)), ("שלום עולם " * 40, (80, 24))]
LAID_OUT += [("漢字" * 500, size) for size in SIZES]


@pytest.mark.parametrize(("poison", "size"), LAID_OUT, ids=range(len(LAID_OUT)))
async def test_whatever_was_said_and_however_it_is_called(poison: str, size: tuple[int, int]) -> None:
    contents = said(poison, f"{poison} x", speakers=(poison, "b"), damaged=1)
    files = (file_called(f"2026-03-01_10-00-00{poison}", ".flac"), file_called(poison), file_called("x"))
    read = {files[0]: contents, files[1]: contents, files[2]: Contents(problem=poison)}
    app = SessionsApp(Library(poison, files, read.__getitem__, lambda file: Tape()))
    async with app.run_test(size=size) as pilot:
        for keys in ((), ("end",), ("slash", "x"), ("enter",), ("question_mark",)):
            await pilot.press(*keys)
            text = await shown(pilot)
            assert not FORBIDDEN.search(text)
            assert {strip.cell_length for strip in app.screen._compositor.render_strips()} == {size[0]}
        assert app.is_running
