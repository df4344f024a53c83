"""int8 copies compute what their originals do, on every CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from export.precision import quantise


def test_large_weights_and_large_values_do_not_overflow(tmp_path: Path) -> None:
    # 255 * 127 * 2 is more than 16 bits hold, which is where CPUs without VNNI add two products
    weight = onnx.numpy_helper.from_array(np.ones((64, 8), dtype=np.float32), "weight")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "weight"], ["y"], name="product")],
        "product",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 64])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 8])],
        [weight],
    )
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[opset]), tmp_path / "fp32.onnx")
    quantise(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "int8.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.ones((1, 64), dtype=np.float32)})
    np.testing.assert_allclose(found, 64.0, rtol=0.01)
