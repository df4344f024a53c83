"""An MLServer runtime that calls ONNX Runtime. It runs in MLServer's own environment, not in ours."""

from __future__ import annotations

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor
from mlserver.utils import get_model_uri

_TYPES = {"tensor(float)": "FP32", "tensor(float16)": "FP16"}


class OnnxModel(MLModel):
    """One graph."""

    async def load(self) -> bool:
        """Opens it, and describes it as it describes itself."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(await get_model_uri(self._settings), options)
        self.inputs = [_described(each) for each in self._session.get_inputs()]
        self.outputs = [_described(each) for each in self._session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The outputs that were asked for."""
        feed = {each.name: NumpyCodec.decode_input(each) for each in payload.inputs}
        wanted = [each.name for each in payload.outputs]
        values = self._session.run(wanted, feed)
        outputs = [NumpyCodec.encode_output(name, value) for name, value in zip(wanted, values, strict=True)]
        return InferenceResponse(model_name=self.name, outputs=outputs)


def _described(value: onnxruntime.NodeArg) -> MetadataTensor:
    shape = [size if isinstance(size, int) else -1 for size in value.shape]
    return MetadataTensor(name=value.name, datatype=_TYPES[value.type], shape=shape)
