"""Where things are: the user's folders, the bundled model and its sample call. No other module knows paths."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import platformdirs

from edgevoice.errors import ConfigError, ModelError
from edgevoice.text import plain

APP = "edgevoice"
BUNDLED_NAME = "banking-en"
BUNDLED_READER = "moonshine-tiny"
SAMPLE_CALL = "sample_call.flac"
MANIFEST_NAME = "edgevoice.json"

_PACKAGE = Path(__file__).resolve().parent


def config_file() -> Path:
    """The file of settings: `EDGEVOICE_CONFIG` if that is set, else `config.toml` in the XDG folder.

    Raises:
        ConfigError: `EDGEVOICE_CONFIG` names a user whom nobody knows.
    """
    chosen = os.environ.get("EDGEVOICE_CONFIG")
    return user_path(chosen) if chosen else platformdirs.user_config_path(APP) / "config.toml"


def user_path(text: str) -> Path:
    """A path as a person writes it, with ~ for their home.

    Raises:
        ConfigError: there is no such user.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        what = f"'{plain(text)}' names the home of nobody known here"
        raise ConfigError(what, "Write the whole path") from None


def models_folder() -> Path:
    """Where the user's own bundles lie, each in a folder named after it."""
    return platformdirs.user_data_path(APP) / "models"


def state_folder() -> Path:
    """What edgevoice remembers from one run to the next: removing it loses nothing that was said."""
    return platformdirs.user_state_path(APP)


def cache_folder() -> Path:
    """What can be made again: removing it costs time and nothing else."""
    return platformdirs.user_cache_path(APP)


def action_log() -> Path:
    """Where the output of actions goes."""
    return platformdirs.user_log_path(APP) / "actions.log"


def bundled_model() -> Path:
    """The model that comes with edgevoice: inside the package once installed, `models/` in a checkout."""
    return _bundled(BUNDLED_NAME)


def bundled_reader() -> Path:
    """The reader that comes with edgevoice, beside the model."""
    return _bundled(BUNDLED_READER)


def _bundled(name: str) -> Path:
    installed = _PACKAGE / "_bundled" / name
    return installed if installed.is_dir() else _PACKAGE.parent / "models" / name


def sample_call() -> Path:
    """The recorded call that the demo plays; it lies in the folder of the bundled model."""
    return bundled_model() / SAMPLE_CALL


def known_models() -> dict[str, Path]:
    """Every bundle that can be named, the bundled model and reader first; a bundle of the user's own goes before one
    that comes along."""
    bundled = {BUNDLED_NAME: bundled_model(), BUNDLED_READER: bundled_reader()}
    known = {name: path for name, path in bundled.items() if (path / MANIFEST_NAME).is_file()}
    folder = models_folder()
    own = sorted(folder.iterdir()) if folder.is_dir() else []
    known.update({path.name: path for path in own if (path / MANIFEST_NAME).is_file()})
    return known


def find_model(name_or_path: str = "") -> Path:
    """The folder of a bundle: the bundled one for an empty name, one of `known_models`, or any path.

    Raises:
        ModelError: there is no such bundle.
    """
    if not name_or_path:
        return bundled_model()
    known = known_models()
    if name_or_path in known:
        return known[name_or_path]
    with contextlib.suppress(OSError, RuntimeError):  # a name too long for any folder, a ~user whom nobody knows
        path = Path(name_or_path).expanduser()
        if path.is_dir():
            return path
    names = ", ".join(plain(name) for name in known) or "none"
    raise ModelError(
        f"There is no model '{plain(name_or_path)}'", f"Give the folder of a bundle, or one of the known names: {names}"
    )
