"""Runs a graph on a server that speaks the Open Inference Protocol (KServe v2) over gRPC, so that many desks share one.

Only the graph runs there: features, decoding and everything else stay here. `RemoteSession` has the interface of
`edgevoice.asr.session.Session`.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import WEIGHTS_BESIDE, Graph, Manifest
from edgevoice.asr.features import model_input
from edgevoice.asr.inference_protocol import Calls, message
from edgevoice.config_forms import GRPC_ADDRESS, grpc_address
from edgevoice.errors import ConfigError, MissingExtraError, ModelAwayError, ModelError
from edgevoice.text import plain

Array = npt.NDArray[np.float32]

_TYPES = {"FP32": "<f4", "FP16": "<f2", "FP64": "<f8"}
"""The protocol's names of the numbers that a graph may take and give, as numpy's."""
_AWAY = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "NOT_FOUND", "CANCELLED", "ABORTED", "RESOURCE_EXHAUSTED")
"""Failures that pass. NOT_FOUND among them: a server that starts again answers before it has loaded its models."""
_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # what is said goes to the server that was named, and not through a proxy that some variable names
    ("grpc.enable_http_proxy", 0),
    # a new channel must not inherit the failures of the last one
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 8.0
"""Between two questions whether a server is back. Well below `edgevoice.pipeline.PATIENCE_S`, and no longer than people
like to wait for captions that they could have; one small question in that time is nothing beside three windows a
second."""
_POLL_S = 0.05
_LONGEST_NAME = 40
_SAME_BUNDLE = "Write the server's model repository from this bundle: edgevoice export BUNDLE --triton DIR"
_ELSEWHERE = "Start it, correct --remote, or leave --remote out to run the model on this machine"


class RemoteSession:
    """One graph on a server, ready to run.

    Raises:
        ModelError: no server answers there, or it has another model.
        MissingExtraError: gRPC is not installed.
    """

    def __init__(self, url: str, name: str, graph: Graph, timeout_s: float) -> None:
        self.provider = f"remote {url}"
        """ "remote" and where."""
        self.note = ""
        """Nothing to explain: it runs where it was asked to."""
        self.outputs = list(dict.fromkeys(graph.outputs.values()))
        """Names of the graph's outputs."""
        self.axes = None
        """A server makes batches of its own."""
        self._grpc = _grpc()
        self._url, self._address, self._name, self._timeout_s = url, parse_url(url), name, timeout_s
        self._input = graph.input
        self._channel: Any = None
        self._reachable: Any = None
        """While the server is away: a future that is done once it can be reached again."""
        self._question: Any = None
        """While it is away and can be reached: a future of its answer to what asks whether it is back."""
        self._pause_s, self._ask_at = _FIRST_PAUSE_S, 0.0
        self._example = model_input(np.zeros(graph.minimum_samples, np.float32), graph.features)
        """The least that can be asked."""
        self._connect()
        self._require_server()
        self._type = self._require_model(self._example)

    def run(self, array: Array) -> dict[str, Array]:
        """The graph's outputs by name, float32.

        Raises:
            ModelAwayError: the server does not answer for now. While that lasts, this comes at once.
            ModelError: the server says that the graph failed, or answers something else.
        """
        if self._is_away():
            raise self._away("it has not come back yet")
        try:
            response = self._calls.ModelInfer(self._request(array), timeout=self._timeout_s)
        except self._grpc.RpcError as error:
            if error.code().name not in _AWAY:
                what = f"The model '{self._name}' failed on {self._url}: {_details(error)}"
                raise ModelError(what, "Look into the server's log, or leave --remote out") from error
            self._leave()
            raise self._away(self._reason(error)) from error
        # not before: a server may answer the least question and still not what matters
        self._pause_s = _FIRST_PAUSE_S
        return self._values(response)

    def wait(self, seconds: float) -> bool:
        """Waits at most that long for the server; tells whether it answers."""
        end = time.monotonic() + seconds
        while self._is_away():
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_S)
        return True

    def _is_away(self) -> bool:
        """Whether the server is away still; never waits. That it can be reached does not mean that it answers: its
        queue may stand still. So it is asked in the background, and is back with its answer."""
        if self._reachable is None:
            return False
        if not self._reachable.done() or time.monotonic() < self._ask_at:
            return True
        if self._question is None:
            self._question = self._calls.ModelInfer.future(self._request(self._example), timeout=self._timeout_s)
        if not self._question.done():
            return True
        if self._question.code().name in _AWAY:
            self._leave()
            return True
        self._reachable = self._question = None
        return False

    def _leave(self) -> None:
        """From now on the server is away; every time that it does not answer, it is left alone for longer."""
        self._connect()
        self._reachable, self._question = self._grpc.channel_ready_future(self._channel), None
        self._ask_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _connect(self) -> None:
        """Opens a channel in place of the last one, whose server may hang: a new one finds out at once."""
        if self._channel is not None:
            self._channel.close()
        self._channel = self._grpc.insecure_channel(self._address, options=_CHANNEL_OPTIONS)
        self._calls = Calls(self._channel)

    def _ready(self, seconds: float) -> bool:
        try:
            request = message("ModelReadyRequest", name=self._name)
            return bool(self._calls.ModelReady(request, timeout=seconds, wait_for_ready=True).ready)
        except self._grpc.RpcError:  # servers answer that they do not know the model in one way or another
            return False

    def _require_server(self) -> None:
        try:
            self._calls.ServerLive(message("ServerLiveRequest"), timeout=self._timeout_s)
        except self._grpc.RpcError as error:
            if error.code().name == "UNIMPLEMENTED":
                what = f"What answers at {self._url} does not speak the Open Inference Protocol (KServe v2)"
                raise ModelError(what, "Give --remote the gRPC port of Triton or another KServe v2 server") from None
            raise ModelError(f"No server answers at {self._url}: {self._reason(error)}", _ELSEWHERE) from None

    def _require_model(self, example: Array) -> str:
        """The type of number that the server's model takes.

        Raises:
            ModelError: it has no such model, or one that takes or gives something else.
        """
        if not self._ready(self._timeout_s):
            raise ModelError(
                f"The server at {self._url} has no model '{self._name}'",
                "Put it into its model repository ('edgevoice export BUNDLE --triton DIR' writes one), or choose "
                "another --model",
            )
        try:
            request = message("ModelMetadataRequest", name=self._name)
            model = self._calls.ModelMetadata(request, timeout=self._timeout_s)
        except self._grpc.RpcError as error:
            raise ModelError(f"{self._url} does not describe its model: {self._reason(error)}", _ELSEWHERE) from None
        inputs = {tensor.name: tensor for tensor in model.inputs}
        if inputs:  # a server may leave the description out
            self._require("input", {self._input}, inputs)
            shape = list(inputs[self._input].shape)
            if not _fits(example.shape, shape):
                wanted = ["any", "any", *example.shape[2:]]
                raise self._other_model(f"takes {shape} (-1 is any), and this bundle gives [{_listed(wanted)}]")
        if model.outputs:
            self._require("output", set(self.outputs), {tensor.name: tensor for tensor in model.outputs})
        kind = inputs[self._input].datatype if inputs else "FP32"
        if kind not in _TYPES:
            raise self._other_model(f"takes {plain(kind)}, and this bundle gives numbers with a point")
        return str(kind)

    def _require(self, what: str, wanted: set[str], found: dict[str, Any]) -> None:
        missing = wanted - set(found)
        if missing:
            raise self._other_model(f"has no {what} '{min(missing)}' but: {plain(_listed(sorted(found)))}")

    def _other_model(self, difference: str) -> ModelError:
        return ModelError(f"The model '{self._name}' on {self._url} is another one: it {difference}", _SAME_BUNDLE)

    def _request(self, array: Array) -> Any:
        values = np.ascontiguousarray(array, dtype=_TYPES[self._type])
        tensor = message("InferInputTensor", name=self._input, datatype=self._type, shape=values.shape)
        return message(
            "ModelInferRequest",
            model_name=self._name,
            inputs=[tensor],
            outputs=[message("InferRequestedOutputTensor", name=name) for name in self.outputs],
            raw_input_contents=[values.tobytes()],
        )

    def _values(self, response: Any) -> dict[str, Array]:
        try:
            raw = response.raw_output_contents or [None] * len(response.outputs)
            values = {each.name: _array(each, content) for each, content in zip(response.outputs, raw, strict=True)}
            return {name: values[name] for name in self.outputs}
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"The model '{self._name}' on {self._url} answers what does not fit this bundle: {error}",
                _SAME_BUNDLE,
            ) from None

    def _away(self, reason: str) -> ModelAwayError:
        return ModelAwayError(
            f"The server at {self._url} went away: {reason}",
            "What is said meanwhile is kept, and captions go on when it is back",
            self.wait,
        )

    def _reason(self, error: Any) -> str:
        details = _details(error)
        known = {
            "Connection refused": "nothing listens there",
            "DNS resolution failed": "there is no machine of that name",
            "errors resolving": "there is no machine of that name",
            "http1": "it speaks HTTP, and gRPC has a port of its own",
            "Deadline Exceeded": f"no answer within {self._timeout_s:g} s",
        }
        return next((reason for sign, reason in known.items() if sign in details), details)


def open_remote(url: str, manifest: Manifest, graph: Graph, timeout_s: float) -> RemoteSession:
    """A session for a graph of a bundle on the server at `url`.

    Raises:
        ConfigError: `url` is not of the form grpc://HOST:PORT.
        ModelError: no server answers there, or it does not have this graph.
        MissingExtraError: gRPC is not installed.
    """
    return RemoteSession(url, served_name(manifest, graph), graph, timeout_s)


def served_name(manifest: Manifest, graph: Graph) -> str:
    """What a graph of a bundle is called on a server.

    It ends with the beginning of a sha256 over the graph's files: labels are numbers to a server, and with the weights
    of another bundle of the same name and size it would announce wrong intents without a sign of it. So a new version
    can also be served beside the old one. Small letters, digits and hyphens, as Kubernetes wants names.
    """
    files = graph.files | {name for name in manifest.files if name.removesuffix(WEIGHTS_BESIDE) in graph.files}
    content = "".join(manifest.files[name] for name in sorted(files))
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    role = next(role for role, each in manifest.graphs.items() if each == graph)
    base = re.sub(r"[^a-z0-9]+", "-", manifest.name.lower())[:_LONGEST_NAME].strip("-") or "model"
    return "-".join([base, *([role] if len(manifest.graphs) > 1 else []), digest])


def parse_url(url: str) -> str:
    """The "HOST:PORT" of grpc://HOST:PORT.

    Raises:
        ConfigError: it has another form.
    """
    try:
        return grpc_address(url)
    except ValueError:
        raise ConfigError(f"'{plain(url)}' is no address of a server", f"Give {GRPC_ADDRESS}") from None


def _grpc() -> Any:
    # gRPC writes what it meets on the way to stderr, which belongs to our own sentences
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        import grpc
    except ModuleNotFoundError:
        raise MissingExtraError("live --remote", "remote") from None
    return grpc


def _details(error: Any) -> str:
    """What gRPC says about a failed call, in one line."""
    lines = plain(error.details() or error.code().name).strip().splitlines()
    return lines[0].rstrip(".") if lines else str(error.code().name)


def _fits(given: tuple[int, ...], promised: list[int]) -> bool:
    """Whether an array of one shape may go where another is promised; batch and time vary."""
    same = zip(given[2:], promised[2:], strict=False)
    return len(given) == len(promised) and all(there in (-1, here) for here, there in same)


def _array(tensor: Any, raw: bytes | None) -> Array:
    if raw is None:
        contents = tensor.contents.fp32_contents or tensor.contents.fp64_contents
        return np.asarray(contents, dtype=np.float32).reshape(tuple(tensor.shape))
    values = np.frombuffer(raw, dtype=_TYPES[tensor.datatype])
    return np.asarray(values, dtype=np.float32).reshape(tuple(tensor.shape))


def _listed(items: list[Any]) -> str:
    return ", ".join(map(str, items))
