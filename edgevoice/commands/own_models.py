"""The bundles in the user's models folder: which name one may have, and how one goes away whole."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from edgevoice.errors import EdgeVoiceError, ModelError, UsageError
from edgevoice.paths import MANIFEST_NAME, bundled_model, bundled_reader, known_models, models_folder
from edgevoice.text import plain

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def check_hub_id(hub_id: str) -> None:
    """Raises UsageError for what cannot be a checkpoint of the hub, or lies here."""
    if Path(hub_id).exists():
        raise UsageError(
            f"'{plain(hub_id)}' is here already", f"Make a bundle of it: edgevoice export {plain(hub_id)} --output DIR"
        )
    if not _HUB_ID.fullmatch(hub_id):
        raise UsageError(f"'{plain(hub_id)}' is no hub id", "Write OWNER/NAME, for example facebook/wav2vec2-base-960h")


def place_for(name: str, *, replace: bool) -> Path:
    """The folder of a new bundle of that name, in a models folder that is there and can be written.

    Raises:
        UsageError: the name cannot be one, is taken, or the folder cannot be made.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{plain(name)}' is no name of a model", "Choose letters, digits, '-', '_' and '.'")
    place = models_folder() / name
    if place.is_symlink() or (place.exists() and not _is_bundle(place)):
        raise UsageError(f"{place} is no bundle, and is left alone", "Move it away, or choose another --name")
    if (place.exists() or name in known_models()) and not replace:
        raise UsageError(f"There is a model '{name}' already", "Replace it with --force, or choose another --name")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{place.parent} cannot be a folder ({error.strerror})", "Set XDG_DATA_HOME to one that can be written"
        ) from None
    return place


def removable(name: str) -> Path:
    """The folder of a bundle of the user's own.

    Raises:
        ModelError: there is none of that name.
        UsageError: what has that name is not the user's, or no bundle.
    """
    folder = models_folder()
    place = folder / name
    if name in ("", "..") or Path(name).name != name or not (place.exists() or place.is_symlink()):
        bundled = (bundled_model().resolve(), bundled_reader().resolve())
        if name in known_models() or Path(name).resolve() in bundled:
            raise UsageError(f"{plain(Path(name).name)} comes with edgevoice and is not removed", "Use another one")
        raise ModelError(f"There is no model '{plain(name)}' in {folder}", "See 'edgevoice models list'")
    if not _is_bundle(place):
        raise UsageError(f"{place} is no bundle, and is left alone", "Remove it by hand if it is not needed")
    return place


def remove(place: Path) -> None:
    """Removes a bundle that `removable` gave: out of its place first, so that half of one never lies there. Of a link
    only the link goes.

    Raises:
        EdgeVoiceError: it cannot be removed.
    """
    try:
        if place.is_symlink():
            place.unlink()
            return
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".removed-") as scratch:
            shutil.rmtree(place.rename(Path(scratch) / "bundle"))
    except OSError as error:
        raise EdgeVoiceError(f"{place} cannot be removed ({error.strerror})", "See who owns it") from None


def _is_bundle(place: Path) -> bool:
    """Whether a folder, or one that a link leads to, holds a manifest, readable or not, and no folders."""
    return (place / MANIFEST_NAME).is_file() and not any(item.is_dir() for item in place.iterdir())
