"""Writes docs/settings.md from the docstrings of edgevoice/config.py, so that the public table cannot go stale."""

from __future__ import annotations

from pathlib import Path

from edgevoice.config_file import variable
from edgevoice.config_text import Section, documented
from edgevoice.config_values import as_toml

TARGET = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
HEAD = """# Settings

Defaults, then `~/.config/edgevoice/config.toml` (or the file named by `EDGEVOICE_CONFIG`), then variables, then flags.
What is unknown, of a wrong type or out of range is refused, with file, line and the nearest name.
`edgevoice config init` writes a file with all of this in it, `edgevoice config set KEY VALUE` changes one key,
`edgevoice config show` says what holds and why ([commands.md](commands.md#config)).
Made by `scripts/settings_table.py`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(section) for section in documented())])


def _section(section: Section) -> str:
    title = f"[[{section.name}]]" if section.repeated else f"[{section.name}]"
    lines = [f"## `{title}`\n" if section.name else "## Above all sections\n", f"{section.meaning}\n"]
    lines += ["| key | default | values | meaning |", "|---|---|---|---|"]
    for key in section.keys:
        default = f"`{as_toml(key.default)}`" if key.default is not None else "must be given"
        meaning = key.meaning.replace("|", "\\|")
        lines.append(f"| `{key.key}` | {default} | {key.values} | {meaning} |")
    if not section.repeated and section.keys:
        first = section.keys[0].name
        lines.append(f"\nVariable of the first: `{variable(first)}`.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
