"""The sheet of settings: what it lists, what it writes into a real file, and what of it takes effect at once."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from edgevoice.config import ActionSettings, IntentSettings, Settings
from edgevoice.config_edit import write_whole
from edgevoice.config_file import field_types, load_settings
from edgevoice.config_text import template
from edgevoice.config_values import SECRET
from edgevoice.errors import ConfigError
from edgevoice.events import LabelScore
from edgevoice.replay import Replay
from edgevoice.tui.adjusting import LOOKS, THRESHOLD
from edgevoice.tui.app import CaptionApp
from edgevoice.tui.settings import SettingsBook, of_command
from edgevoice.tui.themes import CONTRAST, DARK, LIGHT
from edgevoice.tui.widgets.history import History
from edgevoice.tui.widgets.settings import SettingsFind, SettingsList, SettingsValue
from tests.tui.screen import screen_text, tell
from tests.tui.scripted import ScriptedRun, final, started
from tests.tui.test_app import contrast

ALL = LOOKS | {THRESHOLD}
ACTION = "[[actions]]\nintent = 'a'\nrun = ['true']\n"
COMMENTED = '# mine\n[screen]\n# calm\ntheme = "dark" # at night\n\n[asr]\nthreads = 2\n'
WIDE = "マイク・日本語の名前がとても長いマイク" * 4


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings are, if there are any."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("EDGEVOICE_CONFIG", raising=False)
    (tmp_path / "edgevoice").mkdir()
    return tmp_path / "edgevoice" / "config.toml"


@pytest.fixture
def book(file: Path) -> Callable[..., SettingsBook]:
    """The book of a run with these flags, as one that begins now would have it."""

    def make(run: Settings | None = None, take_effect: Callable[[str, Any], bool] = lambda *_: True) -> SettingsBook:
        run = run or load_settings()
        return SettingsBook(run, of_command(run), ALL, take_effect)

    return make


class TestBook:
    def test_every_setting_is_listed_once_under_its_section(self, book: Callable[..., SettingsBook]) -> None:
        sections = book().matching("")
        assert [row.name for _, rows in sections for row in rows] == [
            *[name for name in field_types() if name != "actions"],
            "actions",
        ]
        assert [section for section, _ in sections][:3] == ["", "audio", "vad"]

    def test_where_a_value_comes_from(
        self, book: Callable[..., SettingsBook], file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file.write_text("[vad]\naggressiveness = 3\n[asr]\nthreads = 4\nhop_s = 0.5\nbeam_width = 8\n")
        monkeypatch.setenv("EDGEVOICE_ASR_THREADS", "5")
        shown = book(load_settings({"asr.hop_s": 0.16, "asr.beam_width": 8}))
        rows = {
            name: (shown.row(name).shown, shown.row(name).origin)
            for name in ("vad.aggressiveness", "asr.threads", "asr.hop_s", "asr.beam_width", "model")
        }
        assert rows == {
            "vad.aggressiveness": ("3", "file"),
            "asr.threads": ("5", "environment"),
            "asr.hop_s": ("0.16", "command"),
            "asr.beam_width": ("8", "file"),
            "model": ('""', "default"),
        }
        assert "EDGEVOICE_ASR_THREADS is in force, without it 4." in shown.facts(shown.row("asr.threads"))
        assert "The command of this run is in force, without it 0.5." in shown.facts(shown.row("asr.hop_s"))

    @pytest.mark.parametrize(
        ("name", "facts"),
        [
            ("screen.theme", '"dark" or "light" or "contrast". Default "dark". A change holds at once.'),
            ("asr.threads", "A whole number, 1 to 1024. Default 2. A change holds from the next start."),
            ("model", 'empty for the bundled one. Text. Default "". A change'),
            ("intent.early", "True or false. Default true."),
            ("actions", "Write it in an editor: "),
        ],
    )
    def test_what_is_said_of_a_setting(self, book: Callable[..., SettingsBook], name: str, facts: str) -> None:
        shown = book()
        assert facts in shown.facts(shown.row(name))

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ("theme", ["screen.theme"]),
            ("  CONTRAST ", ["screen.theme"]),
            ("asr threads", ["asr.threads"]),
            ("threads asr", ["asr.threads"]),
            ("threads vad", []),
            ("tensorrt", ["asr.provider"]),
            ("[[", ["actions"]),
            ("\\", []),
        ],
    )
    def test_what_is_found(self, book: Callable[..., SettingsBook], wanted: str, found: list[str]) -> None:
        assert [row.name for _, rows in book().matching(wanted) for row in rows] == found

    @pytest.mark.parametrize(
        ("name", "text", "line"),
        [
            ("asr.threads", "4", "threads = 4"),
            ("asr.word_bonus", "-0.5", "word_bonus = -0.5"),
            ("audio.device", 'the "big" one', 'device = "the \\"big\\" one"'),
            ("audio.device", WIDE, f'device = "{WIDE}"'),
            ("intent.early", "false", "early = false"),
            ("asr.provider", "cpu", 'provider = "cpu"'),
        ],
    )
    def test_a_change_is_in_the_file_with_all_else_as_it_was(
        self, book: Callable[..., SettingsBook], file: Path, name: str, text: str, line: str
    ) -> None:
        file.write_text(template())
        shown = book()
        outcome = shown.change(name, text)
        assert outcome.ok
        assert outcome.said.endswith("It holds from the next start.")
        assert f"\n{line}\n" in file.read_text()
        assert len(file.read_text().splitlines()) == len(template().splitlines())
        assert shown.row(name).typed == text
        assert shown.row(name).origin == "file"
        assert shown.reset(name).ok
        assert file.read_text() == template()
        assert shown.row(name).origin == "default"
        assert not shown.reset(name).ok

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("asr.threads", "0", "'asr.threads' is 0, and it must be between 1 and 1024."),
            ("asr.threads", "", "'asr.threads' is '', and it must be a whole number."),
            ("vad.threshold", "high", "'vad.threshold' is 'high', and it must be a number."),
            ("vad.threshold", "nan", "'vad.threshold' is nan, and it must be between 0.2 and 1."),
            ("asr.provider", "gpu", "'asr.provider' is 'gpu', and it must be one of: auto, cuda, tensorrt, cpu."),
            ("actions", "1", "'actions' is an array of tables, and no single value."),
        ],
    )
    def test_what_cannot_be_changes_nothing(
        self, book: Callable[..., SettingsBook], file: Path, name: str, text: str, said: str
    ) -> None:
        file.write_text(COMMENTED)
        outcome = book().change(name, text)
        assert not outcome.ok
        assert outcome.said.startswith(said)
        assert file.read_text() == COMMENTED

    def test_what_this_run_goes_on_with(self, book: Callable[..., SettingsBook], file: Path) -> None:
        shown = book()
        shown.change("asr.threads", "4")
        assert "This run goes on with 2." in shown.facts(shown.row("asr.threads"))

    @pytest.mark.parametrize(
        ("name", "text", "variable", "flags", "effect"),
        [
            ("screen.theme", "light", None, {}, [("screen.theme", "light")]),
            ("intent.threshold", "0.5", None, {}, [("intent.threshold", 0.5)]),
            ("screen.line_length", "50", None, {}, [("screen.line_length", 50)]),
            ("asr.threads", "4", None, {}, []),
            ("screen.theme", "light", "contrast", {}, []),
            ("screen.theme", "light", None, {"screen.theme": "contrast"}, []),
        ],
    )
    def test_what_takes_effect(
        self,
        book: Callable[..., SettingsBook],
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        text: str,
        variable: str | None,
        flags: dict[str, Any],
        effect: list[tuple[str, Any]],
    ) -> None:
        if variable:
            monkeypatch.setenv("EDGEVOICE_SCREEN_THEME", variable)
        seen: list[tuple[str, Any]] = []
        shown = book(load_settings(flags), lambda *change: bool(seen.append(change)) or True)
        outcome = shown.change(name, text)
        assert seen == effect
        said = (
            "EDGEVOICE_SCREEN_THEME is in force" if variable else "The command of this run is in force" if flags else ""
        )
        assert said in outcome.said
        assert ("next start" in outcome.said) == (not effect and not said)
        shown.reset(name)
        assert len(seen) == 2 * len(effect)

    def test_secrets_are_not_shown(self, book: Callable[..., SettingsBook], file: Path) -> None:
        file.write_text(f"[serve]\ntoken = 'sesame'\n{ACTION}")
        shown = book(replace(load_settings(), actions=()))
        row = shown.row("serve.token")
        assert SECRET in row.shown
        assert row.typed == ""
        said = [
            shown.change("serve.token", "open sesame").said,
            shown.facts(row),
            shown.facts(shown.row("serve.token")),
        ]
        assert "sesame" not in "".join(said)
        assert tomllib.loads(file.read_text())["serve"]["token"] == "open sesame"
        assert (shown.row("actions").shown, shown.row("actions").origin) == ("none", "command")

    @pytest.mark.parametrize(("count", "shown"), [(0, "none"), (1, "1 table"), (2, "2 tables")])
    def test_actions_are_counted(self, book: Callable[..., SettingsBook], file: Path, count: int, shown: str) -> None:
        file.write_text(ACTION * count)
        assert book().row("actions").shown == shown

    def test_a_wrong_value_in_the_file_can_be_set_right(self, book: Callable[..., SettingsBook], file: Path) -> None:
        file.write_text("[vad]\naggressiveness = 9 # too strict\n")
        shown = book(Settings())
        assert "line 2, is 9" in shown.problem
        assert shown.row("vad.aggressiveness").origin == ""
        outcome = shown.change("asr.threads", "4")
        assert outcome.said.startswith("Saved: asr.threads = 4.")
        assert "line 2, is 9" in outcome.said
        assert shown.change("vad.aggressiveness", "3").ok
        assert shown.problem == ""
        assert "aggressiveness = 3 # too strict" in file.read_text()
        assert shown.row("asr.threads").stored == 4

    def test_a_file_that_is_no_toml_is_left_as_it_is(self, book: Callable[..., SettingsBook], file: Path) -> None:
        file.write_text("[vad\n")
        shown = book(Settings())
        for outcome in (shown.change("vad.aggressiveness", "3"), shown.reset("vad.aggressiveness")):
            assert not outcome.ok
            assert "cannot be read" in outcome.said
        assert file.read_text() == "[vad\n"

    def test_a_file_that_cannot_be_written_is_said(
        self, book: Callable[..., SettingsBook], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", "/proc")
        outcome = book().change("asr.threads", "4")
        assert not outcome.ok
        assert "/proc/edgevoice/config.toml cannot be written" in outcome.said

    def test_a_run_may_begin_while_the_file_is_broken(self, file: Path) -> None:
        file.write_text("[vad\n")
        assert of_command(Settings(actions=(ActionSettings(intent="a"),))) == {}


def put(file: Path, text: str) -> None:
    """Makes the file."""
    file.write_text(text)


def text_of(file: Path) -> str | None:
    """What is in it; None if there is none."""
    return file.read_text() if file.exists() else None


def held(file: Path) -> dict[str, Any]:
    """The settings in it."""
    return tomllib.loads(file.read_text())


def flowing(app: CaptionApp) -> str:
    """What can be read, without the edges of the sheet."""
    return " ".join(screen_text(app).replace("│", " ").split())


@asynccontextmanager
async def open_sheet(
    size: tuple[int, int] = (80, 24), settings: Settings | None = None
) -> AsyncIterator[tuple[CaptionApp, Pilot[int], ScriptedRun]]:
    run = ScriptedRun()
    app = CaptionApp(run, settings=settings or load_settings())
    thresholds = (LabelScore(label="freeze", score=0.6), LabelScore(label="balance", score=0.8))
    try:
        async with app.run_test(size=size) as pilot:
            await tell(pilot, started(thresholds=thresholds), final(0, "words " * 20))
            await pilot.press("s")
            await pilot.pause()
            yield app, pilot, run
    finally:
        run.stop()


async def find(pilot: Pilot[int], wanted: str) -> None:
    """Goes to what is found, in place of what was looked for before."""
    await pilot.press("slash")
    pilot.app.screen.query_one(SettingsFind).value = wanted
    await pilot.pause()
    await pilot.press("enter")
    await pilot.pause()


async def type_value(pilot: Pilot[int], text: str) -> str:
    """Enter, the value in place of the one before, Enter; gives what can be read then."""
    await pilot.press("enter")
    pilot.app.screen.query_one(SettingsValue).value = text
    await pilot.press("enter")
    await pilot.pause()
    await pilot.pause()
    assert isinstance(pilot.app, CaptionApp)
    return screen_text(pilot.app)


class TestSheet:
    @pytest.mark.parametrize("size", [(80, 24), (40, 12), (160, 45), (40, 10), (61, 17)])
    async def test_it_fits_every_terminal(self, file: Path, size: tuple[int, int]) -> None:
        put(file, f'[audio]\ndevice = "{WIDE}"\n')
        async with open_sheet(size) as (app, pilot, _):
            for wanted in ("", "device", "convolution"):
                await find(pilot, wanted)
                lines = screen_text(app).split("\n")
                assert all(cell_len(line) == size[0] for line in lines)
                assert len(lines) == size[1]
                assert any("Settings" in line for line in lines)
                assert any("Esc close" in line for line in lines)
            rows = app.screen.query_one(SettingsList)
            assert rows.virtual_size.height == len(rows.options), "each takes one line"
            await find(pilot, "audio.device")
            assert "マイク" in screen_text(app)
            await pilot.resize_terminal(100, 30)
            await pilot.pause()
            assert "file" in screen_text(app)

    async def test_every_theme_is_legible(self, file: Path) -> None:
        put(file, "[screen]\nlarge = true\n")
        async with open_sheet() as (app, pilot, _):
            await find(pilot, "screen")
            for key, theme in (("enter", LIGHT), ("enter", CONTRAST), ("u", DARK), ("u", DARK)):
                await pilot.press(key)
                await pilot.pause()
                assert app.theme == theme.name
                for strip in app.screen._compositor.render_strips():
                    for segment in strip:
                        assert not segment.text.strip(" ─│╭╮╰╯▁▂▃▄▅▆▇") or contrast(segment) >= 4.5, segment

    async def test_captions_go_on_below(self, file: Path) -> None:
        async with open_sheet() as (app, pilot, _):
            await tell(pilot, final(1, "said meanwhile"))
            await pilot.press("escape")
            await pilot.pause()
            assert "said meanwhile" in screen_text(app)

    async def test_looks_change_at_once(self, file: Path) -> None:
        async with open_sheet() as (app, pilot, _):
            await find(pilot, "theme")
            await pilot.press("enter")
            assert app.theme == "edgevoice-light"
            await find(pilot, "line_length")
            assert "Saved: screen.line_length = 20." in await type_value(pilot, "20")
            await find(pilot, "screen.large")
            await pilot.press("enter")
            await pilot.pause()
            assert app.query_one(History) is app._main.query_one(History)
            shape = app._main.query_one(History).shape
            assert (shape.cells, shape.large) == (20, True)
            await pilot.press("u")
            await pilot.pause()
            assert not app._main.query_one(History).shape.large
        assert held(file) == {"screen": {"theme": "light", "line_length": 20}}

    async def test_a_wrong_value_stays_to_be_corrected(self, file: Path) -> None:
        put(file, COMMENTED)
        async with open_sheet() as (app, pilot, _):
            await find(pilot, "asr.threads")
            shown = await type_value(pilot, "99999")
            assert "! 'asr.threads' is 99999, and it must be between 1 and 1024." in shown
            assert "threads = 99999" in shown
            assert text_of(file) == COMMENTED
            await pilot.press("home", "delete", "delete", "delete", "delete", "enter")
            await pilot.pause()
            assert "Saved: asr.threads = 9." in screen_text(app)
            await pilot.press("enter", "1", "escape")
            await pilot.pause()
            assert "threads = 1" not in screen_text(app)
        assert text_of(file) == COMMENTED.replace("threads = 2", "threads = 9")

    async def test_letters_and_slashes_of_a_value_are_no_keys(self, file: Path) -> None:
        async with open_sheet() as (_, pilot, _run):
            await find(pilot, "hotwords")
            await pilot.press("enter", "slash", *"suq", "comma", "question_mark", "space", "enter")
            await pilot.pause()
        assert held(file) == {"asr": {"hotwords": "/suq,? "}}

    async def test_what_is_unchanged_is_not_written(self, file: Path) -> None:
        async with open_sheet() as (_, pilot, _run):
            for wanted in ("asr.threads", "serve.token"):
                await find(pilot, wanted)
                await pilot.press("enter", "enter")
        assert text_of(file) is None

    async def test_a_secret_is_typed_unseen(self, file: Path) -> None:
        async with open_sheet() as (app, pilot, _):
            await find(pilot, "serve.token")
            await pilot.press("enter", *"sesame")
            await pilot.pause()
            assert "••••••" in screen_text(app)
            await pilot.press("enter")
            await pilot.pause()
            assert SECRET in screen_text(app)
            assert "sesame" not in screen_text(app)
        assert held(file) == {"serve": {"token": "sesame"}}

    @pytest.mark.parametrize(
        ("began", "typed", "scores", "said"),
        [
            (0.0, "0.7", {"freeze": "0.70", "balance": "0.80"}, "Saved: intent.threshold = 0.7."),
            (0.6, "0.9", {"freeze": "0.90", "balance": "0.90"}, "Saved: intent.threshold = 0.9."),
            (0.6, "0.3", {"freeze": "0.60", "balance": "0.80"}, "It holds from the next start."),
        ],
    )
    async def test_the_threshold_of_intents(
        self, file: Path, began: float, typed: str, scores: dict[str, str], said: str
    ) -> None:
        put(file, f"[intent]\nthreshold = {began}\n")
        async with open_sheet(settings=Settings(intent=IntentSettings(threshold=began))) as (_, pilot, run):
            await find(pilot, "intent.threshold")
            shown = await type_value(pilot, typed)
            assert dict(call.split() for call in run.calls) == scores
            assert said in shown
            assert ("next start" in said) == ("It holds from the next start" in shown)

    async def test_what_is_replayed_is_decided_already(self, file: Path) -> None:
        app = CaptionApp(Replay(iter([started()]), "call.jsonl", fast=True), settings=load_settings())
        async with app.run_test() as pilot:
            await pilot.press("s")
            await find(pilot, "intent.threshold")
            assert "It holds from the next start." in await type_value(pilot, "0.7")

    async def test_a_broken_file_is_said_and_captions_go_on(self, file: Path) -> None:
        settings = load_settings()
        put(file, "[vad\n")
        async with open_sheet(settings=settings) as (app, pilot, _):
            assert "cannot be read: Expected" in flowing(app)
            await pilot.press("down")
            await pilot.pause()
            assert "cannot be read: Expected" in flowing(app)
            await find(pilot, "theme")
            await pilot.press("enter", "u")
            await pilot.pause()
            assert "cannot be read" in screen_text(app)
            await pilot.press("s")
            assert "still here" in await tell(pilot, final(1, "still here"))

    async def test_a_file_that_cannot_be_written_leaves_the_app_going(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise ConfigError("config.toml cannot be written (No space left on device)", "Free some space")

        async with open_sheet() as (app, pilot, _):
            monkeypatch.setattr("edgevoice.config_edit.write_whole", full)
            await find(pilot, "asr.threads")
            shown = await type_value(pilot, "4")
            assert "! config.toml cannot be written (No space left on device). Free some space." in shown
            assert "threads = 4" in shown
            monkeypatch.setattr("edgevoice.config_edit.write_whole", write_whole)
            await pilot.press("enter")
            await pilot.pause()
            assert "Saved: asr.threads = 4." in screen_text(app)

    async def test_tables_are_left_to_an_editor(self, file: Path) -> None:
        put(file, ACTION * 2)
        async with open_sheet() as (app, pilot, _):
            await find(pilot, "[[actions")
            await pilot.press("enter", "right", "u")
            await pilot.pause()
            shown = flowing(app)
            assert "2 tables" in shown
            assert "Write it in an editor" in shown
        assert text_of(file) == ACTION * 2

    async def test_a_click_changes_nothing(self, file: Path) -> None:
        async with open_sheet() as (app, pilot, _):
            await find(pilot, "audio")
            before = app.screen.query_one(SettingsList).picked
            await pilot.click(SettingsList, offset=(3, 3))
            await pilot.pause()
            assert app.screen.query_one(SettingsList).picked != before
        assert text_of(file) is None

    async def test_nothing_is_found(self, file: Path) -> None:
        async with open_sheet() as (app, pilot, _):
            await find(pilot, "zzz")
            assert "No setting has this" in screen_text(app)
            await pilot.press("enter", "left", "u", "down")
            await pilot.press("escape")
            await pilot.pause()
            assert "intent_model" in screen_text(app)

    async def test_nasty_values_are_shown_as_text(self, file: Path) -> None:
        put(file, '[audio]\ndevice = "[/] [bold]x \\u001b]0;title\\u0007 \\u202eevil"\n')
        async with open_sheet() as (app, pilot, _):
            await find(pilot, "audio.device")
            assert "[/] [bold]x \\u001b]0;title" in screen_text(app)
            await pilot.press("enter", "end", "x", "enter")
            await pilot.pause()
        assert held(file) == {"audio": {"device": "[/] [bold]x ]0;title evilx"}}
