"""Smaller and faster copies of an fp32 graph: fp16 for a GPU, int8 for the CPU."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx

from export.quiet import quiet


def halve(source: Path, target: Path) -> None:
    """Writes an fp16 copy for a GPU. Inputs and outputs stay float32, so that whoever runs it need not care."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet():
        onnx.save(convert_float_to_float16(onnx.load(str(source)), keep_io_types=True), str(target))


def quantise(source: Path, target: Path) -> None:
    """Writes an int8 copy for the CPU: MatMul only, signed, per channel. Convolutions stay in float, where integer
    kernels gain nothing.

    Weights take seven bits of the eight: CPUs without VNNI add two products in 16 bits, and full ones overflow there
    without a word (ONNX Runtime's page on quantisation calls it saturation). A bundle has to be right on all of them.

    Args:
        source: a graph whose attention is not fused: the quantiser would leave what is inside in float.
        target: where the copy goes.
    """
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(
            str(prepared),
            str(target),
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"DefaultTensorType": 1},
        )
