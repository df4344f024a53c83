"""Too little room on a disk is one sentence, before the work where it can be known and whenever it turns out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from export import disk
from export.build import ExportOptions, export
from export.triton import write_repository
from tests.checkpoints import captions
from tests.tiny import tiny_bundle

OPTIONS = ExportOptions(replace=True)
PLENTY = shutil._ntuple_diskusage(10**12, 0, 10**12)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(captions(tmp_path_factory.mktemp("checkpoint"), sure=20.0))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of less than a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_too_little_room_for_the_bundle(checkpoint: str, small_disk: Path) -> None:
    with pytest.raises(disk.DiskFullError, match=r"too little space in .*disk: 0 MB .* an --output on another disk"):
        export([checkpoint], small_disk / "bundle", OPTIONS)
    assert not list(small_disk.iterdir())


def test_too_little_room_for_temporary_files(
    checkpoint: str, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(disk.DiskFullError, match=r"too little space in .*disk: .* set TMPDIR to a folder on another"):
        export([checkpoint], tmp_path / "bundle", OPTIONS)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("what", ["output", "temporary files"])
def test_room_that_runs_out(
    checkpoint: str, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Because somebody else took it after it was looked at."""
    looked: list[object] = []
    real = shutil.disk_usage

    def usage(folder: Path) -> object:
        looked.append(folder)
        return PLENTY if len(looked) <= 2 else real(folder)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    if what == "temporary files":
        monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    folder = small_disk if what == "output" else tmp_path
    with pytest.raises(disk.DiskFullError, match="space"):
        export([checkpoint], folder / "bundle", OPTIONS)
    assert not list(small_disk.iterdir())


def test_too_little_room_for_a_repository(small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tiny_bundle(tmp_path / "tiny")
    with pytest.raises(disk.DiskFullError, match="choose a --triton on another disk"):
        write_repository(bundle, small_disk / "repository")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: PLENTY)
    (small_disk / "full").write_bytes(b"x" * 400 * 1024)
    with pytest.raises(disk.DiskFullError, match=r"became full: .*choose a --triton on another disk"):
        write_repository(bundle, small_disk / "repository")
    assert [item.name for item in small_disk.iterdir()] == ["full"]
