"""What is refused before the first intent."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevoice.actions.check import check, unknown_intent
from edgevoice.config import ActionSettings
from edgevoice.errors import ConfigError

GOOD = ActionSettings(intent="*", run=("true",))


def place(number: int) -> str:
    return f"action {number} of my.toml"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Nothing to do is in action 2 of my.toml. .*exactly one of: run, webhook, notify"),
        ({"run": ("true",), "webhook": "https://example.org"}, "'run' and 'webhook' are both in action 2"),
        ({"run": ("true",), "retries": 1}, "'retries' in action 2 of my.toml is for webhooks"),
        ({"notify": "a", "secret_env": "A"}, "'secret_env' in action 2 of my.toml is for webhooks"),
        ({"webhook": "https://example.org", "secret": "a", "secret_env": "A"}, "'secret' and 'secret_env' are both"),
        ({"intent": "", "run": ("true",)}, "'intent' is empty in action 2"),
        ({"run": ("no-such-program",)}, "no program 'no-such-program', which action 2 of my.toml runs"),
        ({"run": ("/etc/passwd",)}, "no program '/etc/passwd'"),
        ({"run": ("",)}, "no program ''"),
        ({"run": ("true", "a\0b")}, "NUL"),
        ({"webhook": "hooks.example.org/x"}, "'webhook' in action 2 of my.toml is no address.*https://HOST/PATH"),
        ({"webhook": "ftp://example.org/x"}, "no address"),
        ({"webhook": "https:///x"}, "no address"),
        ({"webhook": "https://example.org:99999/"}, "no address"),
        ({"webhook": "https://exa mple.org/"}, "no address"),
        ({"webhook": "https://[::1/"}, "no address"),
        ({"webhook": "https://example.org/\x1b"}, "no address"),
        ({"webhook": "http://localhost/x", "secret_env": "NOT_SET"}, "variable NOT_SET is not set"),
    ],
)
def test_what_could_not_run_is_named_with_its_number(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check([GOOD, ActionSettings(**({"intent": "pay"} | settings))], place)  # type: ignore[arg-type]


def test_an_address_is_not_shown() -> None:
    """It may hold a secret."""
    with pytest.raises(ConfigError) as caught:
        check([ActionSettings(intent="pay", webhook="hooks.example.org/secret-key")], place)
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:8123/a?b=c", "https://example.org", "https://[::1]:80/x"])
def test_addresses(url: str) -> None:
    check([ActionSettings(intent="pay", webhook=url)], place)


def test_programs_on_the_path_in_a_folder_and_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "hook"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("sh", str(program), "~/hook", "./hook"):
        check([ActionSettings(intent="pay", run=(name,))], place)


def test_an_intent_of_another_model_is_pointed_out_with_the_nearest() -> None:
    assert unknown_intent(GOOD, ("pay",)) is None
    wrong = ActionSettings(intent="pai", run=("true",))
    assert unknown_intent(wrong, ("pay", "stop")) == (
        "waits for the intent 'pai', which this model does not know",
        "The nearest is 'pay'",
    )
    assert unknown_intent(wrong, ()) is not None
