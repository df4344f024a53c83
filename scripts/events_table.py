"""Writes docs/events.md from the docstrings of edgevoice/events.py, so that the public table cannot go stale."""

from __future__ import annotations

import ast
from pathlib import Path

from edgevoice import events

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "events.md"
HEAD = f"""# Events

`edgevoice live --json` writes one JSON object a line, flushed as it happens. `event` names it; every event has
`channel` (the stream: `mic`, `call`, `file`, `stdin`, or the names of a recording's two sides) and `at` (seconds on
that stream's sample clock of the newest audio it rests on). Schema {events.SCHEMA_VERSION}, named in `stream_started`:
the number grows when an event or a field goes away or changes its meaning. New events and new fields come without it,
so pass over those that you do not know. Made by `scripts/events_table.py`.

## When a caption is final

Solid words (`stable` in `caption_updated`) do not change while a sentence is spoken; when it ends it may be put right
once. `caption_finished` is there as soon as the speaker has stopped, and begins with them. Where another model, the
reader, hears the whole sentence once more, `caption_revised` of the same `channel` and `segment` follows: its `text`
and `words` take the place of those. It comes a second or more later, maybe behind later sentences; or never, where
there is no reader, or it is too slow. An empty `text` says that nothing was said. Intents and actions go by the sound:
they wait for no second reading, and none is taken back or set off again by one.

| to be | take |
|---|---|
| quick | `caption_finished`, each once |
| right | both: `caption_revised` takes the place of the one with its `channel` and `segment`; until `stream_ended` |

    edgevoice live --json | jq -r 'select(.event == "caption_finished").text'
    edgevoice live --json | jq -r 'select(.event == "caption_revised").text'

No filter can print the best text of each sentence once while it happens, since nobody knows whether a better one will
come. Of a session that is over, `edgevoice.captions.final_captions` has it ([api.md](api.md)), as have the `.txt`,
`.srt` and `.vtt` of `--save` and all formats of `edgevoice transcribe` but `jsonl`, or

    jq -rs 'reduce (.[] | select(.event == ("caption_finished", "caption_revised"))) as $each
      ({{}}; .["\\($each.channel) \\($each.segment)"] = $each.text) | .[] | select(. != "")' session.jsonl
"""


def page() -> str:
    """The whole page."""
    tree = ast.parse(Path(events.__file__).read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    parts = [HEAD]
    parts += [_section(f"`{events.wire_name(each)}`", classes[each.__name__]) for each in events.EVENT_TYPES]
    parts += ["# Inside events\n"]
    parts += [_section("a word", classes["Word"]), _section("a label with its score", classes["LabelScore"])]
    return "\n".join(parts)


def _section(title: str, node: ast.ClassDef) -> str:
    lines = [f"## {title}\n", f"{ast.get_docstring(node)}\n", "| field | type | meaning |", "|---|---|---|"]
    for field, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            lines.append(f"| `{ast.unparse(field.target)}` | {_type(field.annotation)} | {_meaning(following)} |")
    return "\n".join(lines) + "\n"


def _meaning(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def _type(node: ast.expr) -> str:
    names = {
        "str": "text",
        "int": "number",
        "float": "number",
        "bool": "true or false",
        "tuple[Word, ...]": "list of words",
        "tuple[LabelScore, ...]": "list of labels with scores",
        "tuple[str, ...]": "list of texts",
    }
    return names[ast.unparse(node)]


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
