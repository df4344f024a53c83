"""Screens as text: `python -m tests.tui.scenes` writes what test_scenes.py compares, to be looked at in the diff."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from edgevoice.events import Event, IntentDetected, IntentRejected, LabelScore
from tests.tui.screen import open_app, screen_text, tell, until_shown
from tests.tui.scripted import ScriptedInput, final, level, revised, speech, started, update

FOLDER = Path(__file__).with_name("scenes")
THRESHOLDS = tuple(
    LabelScore(label=label, score=score) for label, score in [("card_issues", 0.7), ("balance", 0.5), ("freeze", 0.6)]
)


def intent(label: str, score: float, at: float, segment: int, *, early: bool = False) -> IntentDetected:
    runners = (LabelScore(label="balance", score=0.07), LabelScore(label="pay_bill", score=0.02))
    return IntentDetected(
        channel="call", at=at, segment=segment, label=label, score=score, runners_up=runners, early=early, words=""
    )


CALL: tuple[Event, ...] = (
    started(thresholds=THRESHOLDS),
    started(channel="call", source="Speakers", thresholds=THRESHOLDS),
    level(0.2, -24.0),
    level(0.2, -18.0, channel="call"),
    final(1, "Good morning, how can I help you?", 2.0),
    final(1, "Hello, I went abroad last week and now my card is refused wherever I try to pay", 5.0, "call"),
    intent("card_issues", 0.86, 9.5, 1),
    final(2, "I am sorry to hear that\nMay I have your name, please?", 13.0),
    final(2, "Of course", 16.0, "call"),
    IntentRejected(channel="call", at=17.0, segment=2, label="balance", score=0.31, reason="below threshold"),
    final(3, "日本語 in between, and a very long word: " + "Donaudampfschifffahrtsgesellschaftskapitän", 18.0, "call"),
    final(3, "One moment", 17.5),
    intent("freeze", 0.93, 24.0, 4, early=True),
    speech(4, 22.0, "call"),
    replace(update(4, "and please freeze the card", "before somebody else", at=24.0), channel="call"),
)
"""Both sides of a call: captions in order of time, one finished late; wide characters; intents; words on their way."""

PUT_RIGHT: tuple[Event, ...] = (
    revised(2, "I'm sorry to hear that.\nMay I have your name, please?", 13.0),
    revised(1, "Hello, I went abroad last week, and now my card is refused wherever I pay.", 5.0, "call"),
    revised(3, "", 17.5),
)
"""What the reader makes of some of it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A screen to be compared."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    until: str = ""
    """Text that comes from a thread, to be waited for."""
    then: tuple[Event, ...] = ()
    """What is heard after the keys."""


DEVICES = (
    ScriptedInput("mic", Laptop=-999, USB_Headset=-30),  # the level of a device that moves would move here
    ScriptedInput("call", Monitor_of_Speakers=-12),
)
SCENES = (
    Scene("call-80x24", (80, 24)),
    Scene("call-160x45", (160, 45)),
    Scene("call-40x12", (40, 12)),
    Scene("revised-80x24", (80, 24), then=PUT_RIGHT),
    Scene("search-80x24", (80, 24), ("slash", *"card")),
    Scene("rejected-80x24", (80, 24), ("i", "tab", "down", "minus")),
    Scene("narrow-intents-40x12", (40, 12), ("i", "down")),
    Scene("large-80x24", (80, 24), ("l",)),
    Scene("larger-160x45", (160, 45), ("l", "l")),
    Scene("help-80x24", (80, 24), ("question_mark",)),
    Scene("devices-80x24", (80, 24), ("d",), until="cannot be opened"),
)


async def rendered(scene: Scene) -> str:
    """The screen, line by line."""
    async with open_app(scene.size, inputs=DEVICES) as (app, pilot, _):
        await tell(pilot, *CALL)
        await pilot.press(*scene.keys)
        await tell(pilot, *scene.then)
        await until_shown(pilot, scene.until)
        await pilot.pause()
        return "".join(f"{row.rstrip()}\n" for row in screen_text(app).split("\n"))


def file_of(scene: Scene) -> Path:
    """Where it is kept."""
    return FOLDER / f"{scene.name}.txt"


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for scene in SCENES:
        file_of(scene).write_text(await rendered(scene), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
