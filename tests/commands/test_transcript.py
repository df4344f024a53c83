"""A transcript holds one reading of each sentence, in every format but that of the events."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edgevoice.commands.transcribe import Format
from edgevoice.commands.transcript import Transcript, rendered
from edgevoice.events import CaptionFinished, Event, IntentDetected, from_json
from tests.sinks.test_session_files import final, intent, revised, started, talk_as_saved


def talk(*channels: str) -> list[Event]:
    """The second sentence is finished before the first is put right; the third turns out to be nothing."""
    one, other = channels[0], channels[-1]
    first, second = final(one, 0, 1.0, "i lost my car"), final(other, 1, 4.0, "which one")
    third = final(one, 2, 8.0, "the")
    right = [revised(first, "I lost my card."), revised(third, "")]
    return [*map(started, channels), first, intent(one, 0, 2.0), second, right[0], third, intent(one, 2, 8.1), right[1]]


def test_each_format_has_what_stands() -> None:
    made = {each: rendered(Transcript("a.wav", tuple(talk("file"))), each) for each in Format}
    assert made[Format.TXT] == "I lost my card.\nwhich one\n"
    assert made[Format.SRT] == (
        "1\n00:00:01,000 --> 00:00:02,200\nI lost my card.\n\n2\n00:00:04,000 --> 00:00:05,000\nwhich one\n\n"
    )
    assert made[Format.VTT].count("-->") == 2
    assert "I lost my card." in made[Format.VTT]
    lines = made[Format.JSONL].splitlines()
    assert [from_json(line) for line in lines] == talk_as_saved(talk("file")), "the events as they are"


def test_json_has_a_segment_for_each_sentence_with_the_words_that_stand() -> None:
    found = json.loads(rendered(Transcript("a.wav", tuple(talk("mic", "call")), labelled=True), Format.JSON))
    assert found["text"] == "I lost my card. which one"
    assert [(each["channel"], each["text"], each["start"]) for each in found["segments"]] == [
        ("mic", "I lost my card.", 1.0),
        ("call", "which one", 4.0),
    ]
    assert [word["word"] for word in found["segments"][0]["words"]] == ["I", "lost", "my", "card."]
    assert set(found["segments"][0]) == {"start", "end", "channel", "text", "words"}
    assert [each["segment"] for each in found["intents"]] == [0, 2], "what was heard as an intent stays one"


@pytest.mark.parametrize("format_", [Format.TXT, Format.SRT, Format.VTT, Format.JSON])
def test_it_is_that_of_the_talk_without_a_second_reading(format_: Format) -> None:
    heard = talk("mic", "call")
    right: list[Event] = []
    for event in heard:
        if isinstance(event, CaptionFinished) and event.text == "i lost my car":
            right.append(replace(event, text="I lost my card.", words=final("mic", 0, 1.0, "I lost my card.").words))
        elif isinstance(event, IntentDetected) or (isinstance(event, CaptionFinished) and event.text != "the"):
            right.append(event)
    made = [rendered(Transcript("a.wav", tuple(each), labelled=True), format_) for each in (heard, right)]
    assert made[0] == made[1]


PAGE = Path(__file__).resolve().parents[2] / "docs" / "events.md"


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
def test_the_filter_of_the_page_says_the_same(tmp_path: Path) -> None:
    """Of the events of a session that is over."""
    found = re.search(r"^ {4}(jq -rs (?:.*\n)+?.*) session\.jsonl$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    (tmp_path / "session.jsonl").write_text(rendered(Transcript("a.wav", tuple(talk("mic", "call"))), Format.JSONL))
    done = subprocess.run(f"{found[1]} session.jsonl", shell=True, cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == ["I lost my card.", "which one"]
