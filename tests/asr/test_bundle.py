"""A bundle that is not what its manifest says is refused, each time in one sentence with the way out."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgevoice.asr.bundle import LARGEST_MANIFEST, MANIFEST_NAME, check_files, load_bundle, read_manifest, sha256
from edgevoice.errors import ModelError
from tests.tiny import tiny_bundle


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    data = json.loads((folder / MANIFEST_NAME).read_text())
    change(data)
    (folder / MANIFEST_NAME).write_text(json.dumps(data))


def in_chunks(data: dict, chunks: list[int]) -> None:
    data["streaming"] = "cached"
    data["graphs"]["shared"]["chunks"] = chunks


def flip_a_byte(folder: Path) -> None:
    data = bytearray((folder / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.onnx").write_bytes(data)


def link(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "elsewhere")
    (folder / "model.onnx").symlink_to("elsewhere")


def link_outside(folder: Path) -> None:
    (folder / "model.onnx").rename(folder.parent / "elsewhere.onnx")
    (folder / "model.onnx").symlink_to(folder.parent / "elsewhere.onnx")


def link_the_manifest(folder: Path) -> None:
    (folder / MANIFEST_NAME).rename(folder.parent / "elsewhere.json")
    (folder / MANIFEST_NAME).symlink_to(folder.parent / "elsewhere.json")


def pipe(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)  # whoever reads it waits for ever


def seal(folder: Path, *names: str) -> None:
    """Gives the graph, and files of these names, the sha256 that they have now."""
    edit(folder, lambda data: data["files"].update({n: sha256(folder / n) for n in ("model.onnx", *names)}))


def keep_data_in(location: str) -> TensorProto:
    """A tensor whose data lie in another file."""
    tensor = TensorProto(name="elsewhere", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="length", value="4")
    return tensor


def with_graph(change: Callable[[onnx.ModelProto], object]) -> Callable[[Path], None]:
    """A bundle whose manifest vouches for a graph that was changed so."""

    def damage(folder: Path) -> None:
        model = onnx.load(str(folder / "model.onnx"), load_external_data=False)
        change(model)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        seal(folder)

    return damage


def add_weight(location: str) -> Callable[[Path], None]:
    return with_graph(lambda model: model.graph.initializer.append(keep_data_in(location)))


def hidden_in_a_branch(model: onnx.ModelProto) -> None:
    branch = helper.make_graph([], "branch", [], [], [keep_data_in("../secrets")])
    model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch))


def hidden_in_a_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["a"], value=keep_data_in("../secrets"))
    model.functions.append(helper.make_function("local", "f", [], ["a"], [node], [helper.make_opsetid("", 13)]))


def hidden_in_a_sparse_weight(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add(values=keep_data_in("../secrets"), dims=[4])


def with_bytes(content: bytes) -> Callable[[Path], None]:
    return lambda folder: ((folder / "model.onnx").write_bytes(content), seal(folder))


def with_a_tag_that_is_cut(folder: Path) -> None:
    """A field of a number that onnxruntime's protobuf reads as another, since it keeps 32 bits of it."""
    graph = onnx.GraphProto(initializer=[keep_data_in("../secrets")]).SerializeToString()
    tag, length = b"\xba\x80\x80\x80\x10", len(graph)  # 7 << 3 | 2, and a bit more that is lost
    with (folder / "model.onnx").open("ab") as stream:
        stream.write(tag + bytes([length]) + graph)
    seal(folder)


def trust_clutter(folder: Path) -> None:
    """A file that may lie in every folder, and that no sha256 is kept of."""
    (folder / ".DS_Store").write_bytes(b"\0" * 4)
    add_weight(".DS_Store")(folder)


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
    "later format": (lambda folder: edit(folder, lambda data: data.update(format=4)), "bundle format 4"),
    "earlier format": (lambda folder: edit(folder, lambda data: data.update(format=1)), "bundle format 1"),
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
    "a mode of tomorrow": (
        lambda folder: edit(folder, lambda data: data.update(streaming="telepathy", made_by="9.9.0", format=7)),
        "live captions by 'telepathy'; edgevoice 0.1.0 knows 'window' and 'cached'",
    ),
    "a mode that is no name": (
        lambda folder: edit(folder, lambda data: data.update(streaming=["x"] * 100)),
        "knows 'window' and 'cached'",
    ),
    "each frame once, by a graph that cannot": (
        lambda folder: edit(folder, lambda data: data.update(streaming="cached")),
        "live captions by 'cached', and its graphs hear not all in chunks",
    ),
    "windows, by a graph that hears in chunks": (
        lambda folder: edit(folder, lambda data: data["graphs"]["shared"].update(chunks=[8])),
        "live captions by 'window', and its graphs hear in chunks",
    ),
    "chunks in disorder": (
        lambda folder: edit(folder, lambda data: in_chunks(data, [16, 8])),
        "chunks that are no lengths",
    ),
    "chunks of nothing": (lambda folder: edit(folder, lambda data: in_chunks(data, [0])), "chunks that are no lengths"),
    "no windows": (lambda folder: edit(folder, lambda data: data.update(windows=[])), "does not describe a model"),
    "windows of a day": (
        lambda folder: edit(folder, lambda data: data.update(windows=[86400.0])),
        "does not describe a model",
    ),
    "windows that are no number": (
        lambda folder: edit(folder, lambda data: data.update(windows=[float("nan")])),
        "does not describe a model",
    ),
    "a language model without sha256": (
        lambda folder: edit(folder, lambda data: data["decoding"].update(language_model="words.txt")),
        "no sha256 for words.txt",
    ),
    "a language model outside": (
        lambda folder: edit(folder, lambda data: data["decoding"].update(language_model="/etc/passwd")),
        "outside its folder",
    ),
    "confidences turned round": (
        lambda folder: edit(folder, lambda data: data["decoding"].update(confidence_slope=-1)),
        "does not describe a model",
    ),
    "a language model that counts for nothing but itself": (
        lambda folder: edit(folder, lambda data: data["decoding"].update(language_model_weight=float("inf"))),
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
    "link out of the folder": (link_outside, "not a plain file"),
    "manifest that is a link": (link_the_manifest, "no plain file"),
    "pipe in place of a file": (lambda folder: pipe(folder, "model.onnx"), "not a plain file"),
    "pipe in place of the manifest": (lambda folder: pipe(folder, MANIFEST_NAME), "no plain file"),
    "data above the folder": (add_weight("../secrets"), "keeps data in '../secrets', which is no file of the model"),
    "data at an absolute path": (add_weight("/etc/passwd"), "keeps data in '/etc/passwd'"),
    "data in a folder below": (add_weight("sub/data"), "keeps data in 'sub/data'"),
    "data by a way around": (add_weight("./model.onnx"), "keeps data in './model.onnx'"),
    "data at an address in memory": (add_weight("*/_ORT_MEM_ADDR_/*"), "_ORT_MEM_ADDR_"),
    "data in a file without sha256": (trust_clutter, "keeps data in '.DS_Store'"),
    "data of a branch": (with_graph(hidden_in_a_branch), "keeps data in '../secrets'"),
    "data of a function": (with_graph(hidden_in_a_function), "keeps data in '../secrets'"),
    "data of a sparse weight": (with_graph(hidden_in_a_sparse_weight), "keeps data in '../secrets'"),
    "compiled program": (
        with_graph(
            lambda model: model.graph.node.append(
                helper.make_node("EPContext", [], ["x"], domain="com.microsoft", ep_cache_context="engine.plan")
            )
        ),
        "holds a compiled program",
    ),
    "tag of more than 32 bits": (with_a_tag_that_is_cut, "it has a tag of more than 32 bits"),
    "function in place of an extractor": (
        lambda folder: edit(
            folder,
            lambda data: data["graphs"]["shared"]["features"].update(
                kind="extractor", extractor={"feature_extractor_type": "pipeline", "model": "me/evil"}
            ),
        ),
        "hears through an extractor that is none of",
    ),
    "pickle in place of a graph": (with_bytes(b"\x80\x04cposix\nsystem\n."), "is no ONNX graph"),
    "ORT format in place of ONNX": (with_bytes(b"\x18\0\0\0ORTM" + bytes(64)), "is no ONNX graph"),
    "graph that breaks off": (with_bytes(b"\x08\x08\x3a\xff\xff\x03\x0a"), "is no ONNX graph"),
    "empty graph file": (with_bytes(b""), "is no ONNX graph: it is empty"),
    "file without a graph": (with_bytes(b"\x08\x08"), "is no ONNX graph: it holds no graph"),
    "manifest without end": (
        lambda folder: (folder / MANIFEST_NAME).write_bytes(b" " * (LARGEST_MANIFEST + 1)),
        "cannot be read: it is larger than 16 MB",
    ),
    "manifest without bottom": (lambda folder: (folder / MANIFEST_NAME).write_text("[" * 200_000), "cannot be read"),
    "not JSON": (lambda folder: (folder / MANIFEST_NAME).write_text("{"), "cannot be read"),
    "not text": (lambda folder: (folder / MANIFEST_NAME).write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "no object": (lambda folder: (folder / MANIFEST_NAME).write_text("[]"), "bundle format None"),
    "no manifest": (lambda folder: (folder / MANIFEST_NAME).unlink(), "no model bundle"),
}


@pytest.mark.parametrize("later", [{"streaming": "telepathy"}, {"format": 4}])
def test_what_a_later_version_made_names_that_version(tmp_path, later):
    tiny_bundle(tmp_path)
    edit(tmp_path, lambda data: data.update(later))
    with pytest.raises(ModelError, match=r"\. Export it again with this version\.$"):
        load_bundle(tmp_path)
    edit(tmp_path, lambda data: data.update(made_by="9.9.0"))
    with pytest.raises(ModelError, match=r"Install edgevoice 9\.9\.0, which made it, or export it again with this"):
        load_bundle(tmp_path)


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


def test_data_beside_the_graph_are_a_file_like_any_other(tmp_path):
    """Graphs over 2 GB need them: listed and whole they are loaded, changed they are refused."""
    tiny_bundle(tmp_path)
    model = onnx.load(str(tmp_path / "model.onnx"))
    onnx.save(model, str(tmp_path / "model.onnx"), save_as_external_data=True, location="model.data", size_threshold=0)
    seal(tmp_path, "model.data")
    assert load_bundle(tmp_path).manifest.files.keys() == {"model.onnx", "model.data"}
    data = (tmp_path / "model.data").read_bytes()
    (tmp_path / "model.data").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ModelError, match=r"model\.data does not match its sha256"):
        load_bundle(tmp_path)


def test_a_variant_the_bundle_lacks_is_refused_with_those_it_has(tmp_path):
    bundle = tiny_bundle(tmp_path, precisions=("fp32", "int8"))
    with pytest.raises(ModelError, match=r"no fp16 variant. It has: fp32, int8"):
        bundle.file(bundle.manifest.graphs["shared"], "fp16")


def test_a_file_that_nobody_vouches_for_is_refused(tmp_path):
    tiny_bundle(tmp_path)
    (tmp_path / "model.onnx.data").write_bytes(b"weights of somebody else")
    with pytest.raises(ModelError, match=r"model\.onnx\.data is not in its manifest"):
        load_bundle(tmp_path)
