"""What can be said of actions before the first intent: programs that are not there, addresses that are none."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from edgevoice.actions import notify
from edgevoice.actions.trigger import ANY
from edgevoice.config import ActionSettings
from edgevoice.errors import ConfigError
from edgevoice.text import plain

KINDS = ("run", "webhook", "notify")
"""What an action can do; each does one of these."""
_OF_WEBHOOKS = ("retries", "secret", "secret_env")


def check(actions: Sequence[ActionSettings], place_of: Callable[[int], str], *, dry_run: bool = False) -> None:
    """Makes sure that every action could run.

    Args:
        actions: as they stand in the file of settings.
        place_of: what the action of a number, from 1, is called.
        dry_run: none will; that they make sense is enough.

    Raises:
        ConfigError: one could not; it names its number.
    """
    for number, action in enumerate(actions, 1):
        place = _Place(place_of, number)
        check_keys(action, place)
        if not dry_run:
            check_ready(action, place)


@dataclass(frozen=True, slots=True)
class _Place:
    """What an action is called, which takes a moment to find out and so is only when it is said."""

    place_of: Callable[[int], str]
    number: int

    def __str__(self) -> str:
        return self.place_of(self.number)


def check_keys(action: ActionSettings, place: object) -> None:
    """Makes sure that the keys of an action go together.

    Raises:
        ConfigError: they do not; `place` says which action it is.
    """
    if not action.intent:
        raise ConfigError(f"'intent' is empty in {place}", 'Name the intent that sets it off, or "*" for any')
    kinds = [kind for kind in KINDS if getattr(action, kind)]
    if len(kinds) != 1:
        what = f"'{kinds[0]}' and '{kinds[1]}' are both in {place}" if kinds else f"Nothing to do is in {place}"
        raise ConfigError(what, f"Give each action exactly one of: {', '.join(KINDS)}")
    defaults = {field.name: field.default for field in dataclasses.fields(action)}
    stray = [key for key in _OF_WEBHOOKS if getattr(action, key) != defaults[key] and not action.webhook]
    if stray:
        raise ConfigError(f"'{stray[0]}' in {place} is for webhooks, and this action has '{kinds[0]}'", "Leave it out")
    if action.secret and action.secret_env:
        raise ConfigError(f"'secret' and 'secret_env' are both in {place}", "Leave one of them out")


def check_ready(action: ActionSettings, place: object) -> None:
    """Makes sure that what an action needs is there.

    Raises:
        ConfigError: it is not; `place` says which action it is.
    """
    if action.run:
        _check_program(action.run, place)
    elif action.webhook:
        _check_webhook(action, place)
    else:
        _check_notify(place)


def unknown_intent(action: ActionSettings, labels: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong, and the way out, of an intent that a model does not know; it may be meant for another model."""
    if action.intent == ANY or action.intent in labels:
        return None
    what = f"waits for the intent '{plain(action.intent)}', which this model does not know"
    nearest = difflib.get_close_matches(action.intent, labels, n=1, cutoff=0.0)
    return what, f"The nearest is '{plain(nearest[0])}'" if nearest else "It knows none; choose another --model"


def _check_program(argv: tuple[str, ...], place: object) -> None:
    if any("\0" in argument for argument in argv):
        raise ConfigError(f"'run' in {place} has a NUL character, which no program can be given", "Remove it")
    program = argv[0]
    if shutil.which(os.path.expanduser(program)) is None:  # noqa: PTH111 - a Path would lose the ./ before a name
        raise ConfigError(
            f"There is no program '{plain(program)}', which {place} runs", "Install it, or give its whole path"
        )


def _check_webhook(action: ActionSettings, place: object) -> None:
    if not _is_address(action.webhook):
        # not shown: it may hold a secret
        raise ConfigError(f"'webhook' in {place} is no address", "Write it as https://HOST/PATH or http://HOST/PATH")
    if action.secret_env and not os.environ.get(action.secret_env):
        raise ConfigError(
            f"The environment variable {plain(action.secret_env)} is not set, with which {place} signs", "Set it"
        )
    if importlib.util.find_spec("aiohttp") is None:
        raise ConfigError(
            f"The webhook of {place} needs packages that are not installed",
            "Install them: pip install 'edgevoice[serve]', or in a checkout: pip install -e '.[serve]'",
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain_text = plain(url) == url and not any(char.isspace() for char in url)
    return plain_text and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0


def _check_notify(place: object) -> None:
    if shutil.which(notify.PROGRAM) is None:
        raise ConfigError(
            f"There is no program 'notify-send', which {place} notifies with",
            "Install it: 'apt install libnotify-bin' (Debian, Ubuntu) or 'dnf install libnotify' (Fedora)",
        )
    if not notify.has_desktop():
        raise ConfigError(
            f"There is no desktop session here that could show the notification of {place}",
            "Start edgevoice in one, or use --no-actions",
        )
