"""What a run needs besides its recordings, for machines that may not have it: models and lists of words."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevoice.asr.bundle import MANIFEST_NAME, check_files, load_bundle, sha256
from edgevoice.commands.readers import AUTO, OFF
from edgevoice.config import Settings
from edgevoice.errors import ModelError
from edgevoice.paths import cache_folder, find_model


@dataclass(frozen=True, slots=True)
class Shipment:
    """A model or a file as it is here."""

    path: str
    """Absolute. Another machine that has the same at the same place uses that."""
    head: str
    """The file that tells whether it is the same: the manifest of a model, or the file itself."""
    digest: str
    """The sha256 of that file."""
    parts: Mapping[str, Any]
    """File name -> its bytes, or whatever `fetch` makes bytes of."""

    def received(self, fetch: Callable[[Any], bytes]) -> str:
        """The path to use on this machine. What is not here is fetched, once for all runs, into the user's cache.

        Raises:
            ModelError: a model is damaged, here or on its way.
            OSError: the disk takes no more.
        """
        if _same(self._first(Path(self.path)), self.digest):
            return self.path
        place = cache_folder() / "shipped" / self.digest
        if not self._whole(place):
            self._store(place, fetch)
        return str(place if self.head == MANIFEST_NAME else place / self.head)

    def _first(self, path: Path) -> Path:
        return path / self.head if self.head == MANIFEST_NAME else path

    def _whole(self, place: Path) -> bool:
        if self.head != MANIFEST_NAME:
            return _same(place / self.head, self.digest)
        try:
            return not check_files(load_bundle(place, verify=False))
        except ModelError:
            return False

    def _store(self, place: Path, fetch: Callable[[Any], bytes]) -> None:
        """There whole or not at all, also where another process does the same."""
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".") as part:
            made = Path(part) / "made"
            made.mkdir()
            for name, content in self.parts.items():
                (made / name).write_bytes(fetch(content))
            if self.head == MANIFEST_NAME:
                load_bundle(made)
            shutil.rmtree(place, ignore_errors=True)
            try:
                made.rename(place)
            except OSError:
                if not self._whole(place):
                    raise


def shipments(settings: Settings, store: Callable[[bytes], Any]) -> dict[str, Shipment]:
    """What the settings name, by the setting.

    Args:
        settings: of the run.
        store: makes of a file's bytes what is sent in their place.

    Raises:
        ModelError: a model is missing or damaged.
        OSError: a list of words cannot be read.
    """
    sent = {"model": _model(settings.model, store)}
    if settings.intent_model:
        sent["intent_model"] = _model(settings.intent_model, store)
    if settings.asr.reader not in (OFF, AUTO):
        sent["reader"] = _model(settings.asr.reader, store)
    for name in ("hotwords", "language_model"):
        path = Path(getattr(settings.asr, name)).expanduser()
        if getattr(settings.asr, name):
            sent[name] = Shipment(str(path.absolute()), path.name, sha256(path), {path.name: store(path.read_bytes())})
    return sent


def unpacked(settings: Settings, sent: Mapping[str, Shipment], fetch: Callable[[Any], bytes]) -> Settings:
    """Those settings with paths of this machine.

    Raises:
        ModelError: a model is damaged, here or on its way.
        OSError: the disk takes no more.
    """
    paths: dict[str, Any] = {name: shipment.received(fetch) for name, shipment in sent.items()}
    of_asr = ("reader", "hotwords", "language_model")
    asr: dict[str, Any] = {name: paths.pop(name) for name in of_asr if name in paths}
    return dataclasses.replace(settings, asr=dataclasses.replace(settings.asr, **asr), **paths)


def _model(name: str, store: Callable[[bytes], Any]) -> Shipment:
    bundle = load_bundle(find_model(name))
    files = [MANIFEST_NAME, *bundle.manifest.files]
    parts = {file: store((bundle.path / file).read_bytes()) for file in files}
    return Shipment(str(bundle.path.absolute()), MANIFEST_NAME, sha256(bundle.path / MANIFEST_NAME), parts)


def _same(file: Path, digest: str) -> bool:
    try:
        return sha256(file) == digest
    except OSError:
        return False
