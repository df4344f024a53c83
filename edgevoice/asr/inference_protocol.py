"""The Open Inference Protocol (KServe v2) over gRPC, as far as it is needed to run a graph somewhere else.

The messages are a table and not generated code: code that protoc generates runs with few versions of protobuf only, and
this table with all. Names and numbers are those of the protocol; a test compares them with a server's own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from edgevoice.errors import MissingExtraError

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"
CALLS = ("ServerLive", "ModelReady", "ModelMetadata", "ModelInfer")
"""Each takes the message `{call}Request` and answers `{call}Response`."""

_TENSOR = {"name": (1, "string"), "datatype": (2, "string"), "shape": (3, "repeated int64")}
MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "ServerLiveRequest": {},
    "ServerLiveResponse": {"live": (1, "bool")},
    "ModelReadyRequest": {"name": (1, "string")},
    "ModelReadyResponse": {"ready": (1, "bool")},
    "ModelMetadataRequest": {"name": (1, "string")},
    "TensorMetadata": _TENSOR,
    "ModelMetadataResponse": {
        "name": (1, "string"),
        "inputs": (4, "repeated TensorMetadata"),
        "outputs": (5, "repeated TensorMetadata"),
    },
    "InferTensorContents": {"fp32_contents": (6, "repeated float"), "fp64_contents": (7, "repeated double")},
    "InferInputTensor": _TENSOR,
    "InferRequestedOutputTensor": {"name": (1, "string")},
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "inputs": (5, "repeated InferInputTensor"),
        "outputs": (6, "repeated InferRequestedOutputTensor"),
        "raw_input_contents": (7, "repeated bytes"),
    },
    "InferOutputTensor": {**_TENSOR, "contents": (5, "InferTensorContents")},
    "ModelInferResponse": {
        "model_name": (1, "string"),
        "outputs": (5, "repeated InferOutputTensor"),
        "raw_output_contents": (6, "repeated bytes"),
    },
}
"""Message -> field -> its number and type. Fields that are not listed are skipped when a server sends them."""


class Calls:
    """The calls of the protocol on one channel, as in `calls.ServerLive(message("ServerLiveRequest"), timeout=1)`."""

    ServerLive: Any
    ModelReady: Any
    ModelMetadata: Any
    ModelInfer: Any

    def __init__(self, channel: Any) -> None:
        for call in CALLS:
            method = channel.unary_unary(
                f"/{SERVICE}/{call}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=_classes()[f"{call}Response"].FromString,
            )
            setattr(self, call, method)


def message(kind: str, /, **fields: Any) -> Any:
    """A message of the protocol."""
    return _classes()[kind](**fields)


@lru_cache(maxsize=1)
def _classes() -> dict[str, Any]:
    """Message -> class.

    Raises:
        MissingExtraError: protobuf is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ModuleNotFoundError:
        raise MissingExtraError("live --remote", "remote") from None
    file = descriptor_pb2.FileDescriptorProto(name="edgevoice/inference.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        entry = file.message_type.add(name=name)
        for field, (number, spelt) in fields.items():
            *repeated, kind = spelt.split()
            one = entry.field.add(name=field, number=number)
            one.label = one.LABEL_REPEATED if repeated else one.LABEL_OPTIONAL
            if kind in MESSAGES:
                one.type, one.type_name = one.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                one.type = getattr(one, f"TYPE_{kind.upper()}")
    # a pool of our own: the default one may hold the same names already, from another client in this process
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in MESSAGES)
    return {descriptor.name: message_factory.GetMessageClass(descriptor) for descriptor in found}
