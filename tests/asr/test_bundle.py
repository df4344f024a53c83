"""A bundle that is not what its manifest says is refused, each time in one sentence with the way out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevoice.asr.bundle import MANIFEST_NAME, check_files, load_bundle, read_manifest
from edgevoice.errors import ModelError
from tests.tiny import tiny_bundle


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    data = json.loads((folder / MANIFEST_NAME).read_text())
    change(data)
    (folder / MANIFEST_NAME).write_text(json.dumps(data))


def flip_a_byte(folder: Path) -> None:
    data = bytearray((folder / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.onnx").write_bytes(data)


def link(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "elsewhere")
    (folder / "model.onnx").symlink_to("elsewhere")


def rename_to(name: str) -> Callable[[Path], None]:
    def change(data: dict) -> None:
        data["files"][name] = data["files"].pop("model.onnx")
        data["graphs"]["shared"]["variants"]["fp32"] = name

    return lambda folder: edit(folder, change)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "one flipped byte": (flip_a_byte, "does not match its sha256"),
    "missing file": (lambda folder: (folder / "model.onnx").unlink(), "is missing"),
    "symbolic link": (link, "not a plain file"),
    "folder in place of a file": (
        lambda folder: ((folder / "model.onnx").unlink(), (folder / "model.onnx").mkdir()),
        "not a plain file",
    ),
    "name above the folder": (rename_to("../model.onnx"), "outside its folder"),
    "name in a folder": (rename_to("sub/model.onnx"), "outside its folder"),
    "absolute name": (rename_to("/etc/passwd"), "outside its folder"),
    "name for Windows": (rename_to("..\\model.onnx"), "outside its folder"),
    "file without sha256": (lambda folder: edit(folder, lambda data: data["files"].clear()), "no sha256"),
    "later format": (lambda folder: edit(folder, lambda data: data.update(format=2)), "bundle format 2"),
    "no format": (lambda folder: edit(folder, lambda data: data.pop("format")), "bundle format None"),
    "unknown key": (lambda folder: edit(folder, lambda data: data.update(colour="red")), "unknown keys ['colour']"),
    "missing key": (lambda folder: edit(folder, lambda data: data.pop("graphs")), "does not describe a model"),
    "wrong type": (lambda folder: edit(folder, lambda data: data.update(blank="0")), "does not describe a model"),
    "unknown role": (
        lambda folder: edit(folder, lambda data: data.update(graphs={"tts": data["graphs"]["shared"]})),
        "no graph",
    ),
    "unknown features": (
        lambda folder: edit(folder, lambda data: data["graphs"]["shared"]["features"].update(kind="mfcc")),
        "does not describe a model",
    ),
    "no windows": (lambda folder: edit(folder, lambda data: data.update(windows=[])), "does not describe a model"),
    "windows of a day": (
        lambda folder: edit(folder, lambda data: data.update(windows=[86400.0])),
        "does not describe a model",
    ),
    "windows that are no number": (
        lambda folder: edit(folder, lambda data: data.update(windows=[float("nan")])),
        "does not describe a model",
    ),
    "a list in place of an object": (
        lambda folder: edit(folder, lambda data: data.update(thresholds=["pay"])),
        "does not describe a model",
    ),
    "a graph without a file": (
        lambda folder: edit(folder, lambda data: data["graphs"]["shared"].update(variants={})),
        "does not describe a model",
    ),
    "another sample rate": (
        lambda folder: edit(folder, lambda data: data.update(sample_rate=8000)),
        "does not describe a model",
    ),
    "head without an output": (
        lambda folder: edit(folder, lambda data: data["graphs"]["shared"]["outputs"].pop("ctc")),
        "does not describe a model",
    ),
    "captions without frames": (
        lambda folder: edit(folder, lambda data: data["graphs"]["shared"].update(frame_samples=0)),
        "does not describe a model",
    ),
    "frames of nothing": (
        lambda folder: edit(folder, lambda data: data["graphs"]["shared"]["features"].update(stride=0)),
        "does not describe a model",
    ),
    "running means of too few bins": (
        lambda folder: edit(
            folder,
            lambda data: data["graphs"]["shared"]["features"].update(normalise="running", mean=[0.0], std=[1.0]),
        ),
        "does not describe a model",
    ),
    "not JSON": (lambda folder: (folder / MANIFEST_NAME).write_text("{"), "cannot be read"),
    "not text": (lambda folder: (folder / MANIFEST_NAME).write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "no object": (lambda folder: (folder / MANIFEST_NAME).write_text("[]"), "bundle format None"),
    "no manifest": (lambda folder: (folder / MANIFEST_NAME).unlink(), "no model bundle"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_in_one_sentence(damage, tmp_path):
    tiny_bundle(tmp_path)
    change, sentence = DAMAGE[damage]
    change(tmp_path)
    with pytest.raises(ModelError) as caught:
        load_bundle(tmp_path)
    assert sentence in caught.value.what
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_a_whole_bundle_loads_as_it_was_written(tmp_path):
    bundle = tiny_bundle(tmp_path, windows=(1.0, 3.0), thresholds={"pay": 0.7})
    assert check_files(bundle) == []
    assert read_manifest(tmp_path) == bundle.manifest
    assert bundle.manifest.kind == "shared"
    assert (bundle.manifest.threshold("pay"), bundle.manifest.threshold("stop")) == (0.7, 0.5)


def test_every_problem_is_listed(tmp_path):
    bundle = tiny_bundle(tmp_path, precisions=("fp32", "int8"))
    for name in bundle.manifest.files:
        (tmp_path / name).write_bytes(b"")
    assert len(check_files(bundle)) == 2


def test_a_variant_the_bundle_lacks_is_refused_with_those_it_has(tmp_path):
    bundle = tiny_bundle(tmp_path, precisions=("fp32", "int8"))
    with pytest.raises(ModelError, match=r"no fp16 variant. It has: fp32, int8"):
        bundle.file(bundle.manifest.graphs["shared"], "fp16")


def test_a_file_that_nobody_vouches_for_is_refused(tmp_path):
    tiny_bundle(tmp_path)
    (tmp_path / "model.onnx.data").write_bytes(b"weights of somebody else")
    with pytest.raises(ModelError, match=r"model\.onnx\.data is not in its manifest"):
        load_bundle(tmp_path)
