"""fp16 and int8 copies compute what their originals do, on every GPU and CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from export.precision import halve, peaks, quantise


def chain(folder: Path, *nodes: onnx.NodeProto, **weights: np.ndarray) -> Path:
    """A graph of nodes from x to y."""
    graph = onnx.helper.make_graph(
        nodes,
        "chain",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 64])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 8])],
        [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[opset]), folder / "fp32.onnx")
    return folder / "fp32.onnx"


def run(file: Path, x: np.ndarray) -> np.ndarray:
    """On the CPU."""
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


X = np.linspace(-1, 1, 64, dtype=np.float32)[None]
MATRIX = np.random.default_rng(0).normal(size=(64, 8))


def test_what_overflows_in_fp16_stays_in_fp32(tmp_path: Path) -> None:
    """3e7 between two products, which is more than fp16 holds and nothing that the CPU would notice."""
    node = onnx.helper.make_node
    source = chain(
        tmp_path,
        node("MatMul", ["x", "matrix"], ["product"], name="product"),
        node("Mul", ["product", "up"], ["large"], name="large"),
        node("Add", ["large", "one"], ["larger"], name="larger"),
        node("Mul", ["larger", "down"], ["small"], name="small"),
        node("Tanh", ["small"], ["y"], name="tanh"),
        matrix=MATRIX,
        up=np.array(1e7),
        one=np.array(1.0),
        down=np.array(1e-7),
    )
    assert peaks(source, [X])["larger"] > 1e7
    assert halve(source, tmp_path / "unseen.onnx") == 0
    assert peaks(tmp_path / "unseen.onnx", [X], half=True)["larger"] > 65504
    assert halve(source, tmp_path / "fp16.onnx", [X]) == 3
    found = peaks(tmp_path / "fp16.onnx", [X], half=True)
    assert found
    assert max(found.values()) < 100
    np.testing.assert_allclose(run(tmp_path / "fp16.onnx", X), run(source, X), atol=2e-3)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fp16.onnx", "fp32.onnx", "unseen.onnx"]


def test_what_overflows_at_the_end_stays_in_fp32(tmp_path: Path) -> None:
    """And what is large already among the weights."""
    node = onnx.helper.make_node
    source = chain(
        tmp_path,
        node("MatMul", ["x", "matrix"], ["product"], name="product"),
        node("Mul", ["product", "up"], ["y"], name="large"),
        matrix=MATRIX,
        up=np.array(1e7),
    )
    assert halve(source, tmp_path / "fp16.onnx", [X]) == 1
    np.testing.assert_allclose(run(tmp_path / "fp16.onnx", X), run(source, X), rtol=1e-2)


def test_what_does_not_overflow_is_fp16_throughout(tmp_path: Path) -> None:
    source = chain(tmp_path, onnx.helper.make_node("MatMul", ["x", "matrix"], ["y"], name="product"), matrix=MATRIX)
    assert halve(source, tmp_path / "fp16.onnx", [X]) == 0
    halve(source, tmp_path / "plain.onnx")
    assert (tmp_path / "fp16.onnx").read_bytes() == (tmp_path / "plain.onnx").read_bytes()


def test_large_weights_and_large_values_do_not_overflow(tmp_path: Path) -> None:
    # 255 * 127 * 2 is more than 16 bits hold, which is where CPUs without VNNI add two products
    node = onnx.helper.make_node("MatMul", ["x", "weight"], ["y"], name="product")
    quantise(chain(tmp_path, node, weight=np.ones((64, 8))), tmp_path / "int8.onnx")
    found = run(tmp_path / "int8.onnx", np.ones((1, 64), dtype=np.float32))
    np.testing.assert_allclose(found, 64.0, rtol=0.01)
    # which CPUs with VNNI compute rightly either way
    tensors = onnx.load(tmp_path / "int8.onnx").graph.initializer
    weights = [onnx.numpy_helper.to_array(each) for each in tensors if each.data_type == onnx.TensorProto.INT8]
    (large,) = (each for each in weights if each.size > 8)
    assert np.abs(large.astype(int)).max() == 64
