"""Recordings that are files of their own, in a folder or on the hub, as rows of a data set: kept as they are.

Datasets wants torchcodec as soon as such a row is made, although nothing is decoded there; what is read here is decoded
by libsndfile, and later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Audio
from datasets.packaged_modules.folder_based_builder.folder_based_builder import FolderBasedBuilder


class Recording(Audio):  # type: ignore[misc]
    """The `Audio` column of a data set that takes files and their content, and needs no codec for it."""

    def encode_example(self, value: Any) -> dict[str, Any]:
        """What is kept of a recording: "bytes" and "path", either of which may be None."""
        if isinstance(value, dict) and "array" not in value:
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": bytes(value), "path": None}
        if isinstance(value, (str, Path)):
            return {"bytes": None, "path": str(value)}
        encoded: dict[str, Any] = super().encode_example(value)
        return encoded


def keep_files(builder: Any) -> None:
    """Makes a builder whose recordings are files leave them as they are; others do so already."""
    if isinstance(builder, FolderBasedBuilder):
        builder.BASE_FEATURE = Recording
