"""Graphs on a real KServe v2 server: what it is asked, and what happens when it is not what or where it should be."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher

import numpy as np
import pytest
import soundfile

from edgevoice import pipeline as pipelines
from edgevoice.asr import inference_protocol
from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import load_model
from edgevoice.asr.remote import parse_url, served_name
from edgevoice.audio.source import Block
from edgevoice.config import AsrSettings, CaptionSettings, Settings
from edgevoice.errors import ConfigError, MissingExtraError, ModelAwayError, ModelError
from edgevoice.events import CaptionFinished, CaptionUpdated, Failed, IntentDetected, StreamStarted, to_dict
from edgevoice.paths import bundled_model, sample_call
from edgevoice.pipeline import Pipeline
from export.triton import write_repository
from tests.inference_server import InferenceServer, server_python
from tests.tiny import silence, speak, tiny_bundle

# the first run makes MLServer's environment
pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]

HERE = AsrSettings(provider="cpu", threads=1)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    tiny = {kind: tiny_bundle(folder / kind, kind) for kind in ("shared", "ctc", "intent")}
    return tiny | {"banking-en": load_bundle(bundled_model())}


@pytest.fixture(scope="module")
def server(bundles, tmp_path_factory):
    """All the bundles on one server."""
    repository = tmp_path_factory.mktemp("server") / "repository"
    repository.mkdir()
    for name, bundle in bundles.items():
        part = repository.with_name(name)
        (model,) = write_repository(bundle, part)
        (part / model).rename(repository / model)
    server = InferenceServer(repository)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def there(server):
    """Settings that use the server, which runs again after a test that stopped it."""
    yield AsrSettings(remote=server.url, remote_timeout_s=30, threads=1)
    if not server.running:
        server.start()


def cut(*parts: np.ndarray) -> list[Block]:
    samples = np.concatenate(parts)
    return [Block(samples[start : start + 1600]) for start in range(0, len(samples), 1600)]


class Script:
    """A source of blocks; what can be called is called."""

    channel, name, sample_rate = "mic", "script", 16_000

    def __init__(self, *items: object) -> None:
        self.items = items

    def blocks(self):
        for item in self.items:
            if callable(item):
                item()
            else:
                yield from item

    def close(self) -> None:
        pass


class Stuck:
    """Stands before a server and speaks gRPC as ever, but while `stuck` it passes no inference on: a queue that stands
    still, or a GPU that hangs."""

    def __init__(self, server: InferenceServer) -> None:
        import grpc

        self.asked, self.stuck, self._gone = 0, False, threading.Event()
        self._there = grpc.insecure_channel(server.url.removeprefix("grpc://"))
        self._front = grpc.server(ThreadPoolExecutor(32))
        self._front.add_generic_rpc_handlers((self,))
        self.url = f"grpc://127.0.0.1:{self._front.add_insecure_port('127.0.0.1:0')}"
        self._front.start()

    def service(self, call):
        import grpc

        there = self._there.unary_unary(call.method)

        def answer(request: bytes, context) -> bytes:
            if call.method.endswith("/ModelInfer"):
                self.asked += 1
                while self.stuck and context.is_active():
                    self._gone.wait(0.02)
            try:
                return there(request, timeout=30)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        return grpc.unary_unary_rpc_method_handler(answer)

    def hang(self) -> None:
        self.asked, self.stuck = 0, True

    def go_on(self) -> None:
        self.stuck = False

    def close(self) -> None:
        self.stuck = False
        self._front.stop(None).wait()
        self._there.close()


@pytest.fixture
def stuck(server):
    front = Stuck(server)
    yield front
    front.close()


class Spoken(Script):
    """A source that waits for nobody: blocks come when a microphone would have brought them."""

    def blocks(self):
        self.late = []  # seconds, of the reader, for each block
        began, taken = time.monotonic(), 0
        for item in self.items:
            if callable(item):
                item()
                continue
            for block in item:
                taken += len(block.samples)
                due = began + taken / self.sample_rate
                self.late.append(max(0.0, time.monotonic() - due))
                time.sleep(max(0.0, due - time.monotonic()))
                yield dataclasses.replace(block, arrived=due)


def heard(model, *items: object) -> list:
    return list(Pipeline(Script(*items), model, Settings(asr=HERE, captions=CaptionSettings(format=False))).run())


def of(events, *types):
    return [event for event in events if isinstance(event, types)]


def answered(model) -> None:
    """Waits until the model can be used again. A script takes no time, in which a channel would connect by itself."""
    end = time.monotonic() + 30
    while True:
        try:
            model.encode(silence(1))
            return
        except ModelAwayError:
            assert time.monotonic() < end
            time.sleep(0.05)


def captions(events) -> list[dict]:
    """The finals, without what depends on when."""
    finals = map(to_dict, of(events, CaptionFinished))
    return [{key: value for key, value in each.items() if key not in ("latency", "at")} for each in finals]


def intents(events) -> list[tuple[int, str]]:
    """What each segment wanted; early or not, which an outage may change."""
    return [(event.segment, event.label) for event in of(events, IntentDetected)]


SENTENCES = [
    np.concatenate([silence(0.5), speak(text), silence(0.8)]) for text in ("one one two", "three three", "two two two")
]


# the same as here


@pytest.mark.parametrize("names", [("shared",), ("ctc",), ("intent",), ("ctc", "intent"), ("banking-en",)])
def test_a_graph_there_gives_what_it_gives_here(bundles, server, names):
    """Every kind of bundle, and windows of every length."""
    asr = AsrSettings(remote=server.url, threads=1)
    first, second = bundles[names[0]], bundles[names[1]] if names[1:] else None
    here, there = load_model(first, second, HERE), load_model(first, second, asr)
    assert (there.provider, there.note, there.heads) == (f"remote {server.url}", "", here.heads)
    for seconds in (0.5, 2.0, 4.0, 9.7):
        samples = np.concatenate([speak("one two three four " * 10), silence(1)])[: round(seconds * 16_000)]
        one, other = here.encode(samples), there.encode(samples)
        for mine, theirs in ((one.log_probs, other.log_probs), (one.intent_logits, other.intent_logits)):
            assert (mine is None) == (theirs is None)
            if mine is not None:
                np.testing.assert_allclose(theirs, mine, atol=1e-4)


def test_a_call_says_the_same_there(bundles, server):
    """Words and intents of real speech, with the bundled model. It hears in chunks here, and in windows there, whose
    stable words may be a little different ones."""
    samples, _ = soundfile.read(sample_call(), dtype="float32", frames=30 * 16_000)
    here, there = (
        heard(load_model(bundles["banking-en"], None, asr), cut(samples, silence(1)))
        for asr in (HERE, AsrSettings(remote=server.url))
    )
    texts = [" ".join(each["text"] for each in captions(events)) for events in (here, there)]
    assert SequenceMatcher(None, *texts, autojunk=False).ratio() > 0.9
    assert [(each["start"], each["end"]) for each in captions(there)] == [
        (each["start"], each["end"]) for each in captions(here)
    ]
    assert intents(there) == intents(here) != []


def test_the_stream_says_where_the_graph_runs(bundles, server):
    model = load_model(bundles["shared"], None, AsrSettings(remote=server.url))
    (started,) = of(heard(model, cut(silence(0.5))), StreamStarted)
    assert started.provider == f"remote {server.url}"


def test_the_messages_are_those_of_the_protocol():
    """Names, numbers, types and methods, as MLServer has them from the official definition."""
    probe = """if True:
        import json
        from mlserver.grpc import dataplane_pb2 as official
        from google.protobuf.descriptor import FieldDescriptor as D
        kinds = {getattr(D, f"TYPE_{k.upper()}"): k for k in ("string", "bool", "int64", "float", "double", "bytes")}
        messages = {}
        def spelt(field):
            kind = field.message_type.name if field.message_type else kinds.get(field.type, "")
            return f"repeated {kind}" if field.is_repeated else kind
        def visit(message):
            messages[message.name] = {f.name: [f.number, spelt(f)] for f in message.fields}
            for nested in message.nested_types:
                visit(nested)
        for message in official.DESCRIPTOR.message_types_by_name.values():
            visit(message)
        service = official.DESCRIPTOR.services_by_name["GRPCInferenceService"]
        methods = {m.name: [m.input_type.name, m.output_type.name] for m in service.methods}
        print(json.dumps([messages, service.full_name, methods]))
    """
    done = subprocess.run([str(server_python()), "-c", probe], capture_output=True, text=True, check=True)
    official, service, methods = json.loads(done.stdout)
    for name, fields in inference_protocol.MESSAGES.items():
        for field, (number, kind) in fields.items():
            assert official[name][field] == [number, kind], f"{name}.{field}"
    assert service == inference_protocol.SERVICE
    assert all(methods[call] == [f"{call}Request", f"{call}Response"] for call in inference_protocol.CALLS)


# a server that goes away


def test_nothing_is_lost_while_the_server_is_away(bundles, server, there):
    """Killed between two sentences, started again between two others: every final comes, in order, as if nothing had
    been; one event tells of it, and captions resume by themselves."""
    expected = heard(load_model(bundles["shared"], None, HERE), cut(*SENTENCES, SENTENCES[0]))
    first, second, third = map(cut, SENTENCES)
    model = load_model(bundles["shared"], None, there)
    back = (server.start, lambda: answered(model))
    seen = heard(model, first, server.kill, second, *back, third, cut(SENTENCES[0]))
    (failed,) = of(seen, Failed)
    assert failed.recoverable
    assert failed.what.startswith(f"The server at {server.url} went away")
    assert captions(seen) == captions(expected)
    assert [each["segment"] for each in captions(seen)] == [1, 2, 3, 4]
    assert sorted(intents(seen)) == intents(expected)
    assert 4 in {event.segment for event in of(seen, CaptionUpdated)}


def test_a_server_that_dies_within_a_sentence_costs_updates_only(bundles, server, there):
    """The segment goes on, and its final holds all of it."""
    blocks = cut(silence(0.5), speak("one two three four " * 4), silence(1))
    model = load_model(bundles["shared"], None, there)
    back = (server.start, lambda: answered(model))
    seen = heard(model, blocks[:20], server.kill, blocks[20:40], *back, blocks[40:])
    assert [event.text for event in of(seen, CaptionFinished)] == [("one two three four " * 4).strip()]
    assert len(of(seen, Failed)) == 1
    gone, back = of(seen, Failed)[0].at, of(seen, CaptionUpdated)[-1].at
    assert back > gone + 1


def test_a_stream_that_ends_waits_for_the_server(bundles, server, there):
    """Long enough for a server to be started again, as `transcribe` needs it."""
    model = load_model(bundles["shared"], None, there)
    later = threading.Timer(1.0, server.start)
    seen = heard(model, cut(SENTENCES[0]), server.kill, cut(SENTENCES[1]), later.start)
    later.join()
    assert [event.text for event in of(seen, CaptionFinished)] == ["one one two", "three three"]


def test_a_server_that_never_comes_back_leaves_the_words_so_far(bundles, server, there, monkeypatch):
    monkeypatch.setattr(pipelines, "PATIENCE_S", 1.0)
    model = load_model(bundles["shared"], None, there)
    blocks = cut(silence(0.5), speak("one two three four " * 2), silence(1))
    seen = heard(model, blocks[:25], server.kill, blocks[25:], cut(SENTENCES[1]))
    first, second = of(seen, CaptionFinished)
    assert first.text.startswith("one two")
    assert second.text == ""
    assert len(of(seen, Failed)) == 1


def test_who_asks_for_the_end_need_not_wait(bundles, server, there):
    """With the server away, a stream that was stopped ends at once."""
    model = load_model(bundles["shared"], None, there)
    source = Script()
    pipeline = Pipeline(source, model, Settings(asr=HERE, captions=CaptionSettings(format=False)))
    source.items = (cut(SENTENCES[0]), server.kill, cut(SENTENCES[1]), pipeline.stop)
    began = time.monotonic()
    assert len(of(list(pipeline.run()), CaptionFinished)) == 2
    assert time.monotonic() - began < pipelines.PATIENCE_S


def test_a_server_that_hangs_is_asked_once(bundles, server, there):
    """A timeout for the first question; then it counts as away, which costs no time, until it answers."""
    model = load_model(bundles["shared"], None, dataclasses.replace(there, remote_timeout_s=2.0))
    server.hang()
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(ModelAwayError, match=r"no answer within 2 s|not come back") as caught:
            model.encode(silence(1))
    assert time.monotonic() - began < 8  # and not five times the timeout
    assert not caught.value.wait(0.3)
    server.go_on()
    assert caught.value.wait(10)
    answered(model)


def test_a_stream_keeps_its_time_beside_a_server_that_is_stuck(bundles, stuck):
    """It can be reached, and answers no inference: one question waits for the timeout, and what asks whether it goes
    on holds nothing up. Then every word comes."""
    expected = heard(load_model(bundles["shared"], None, HERE), cut(*SENTENCES, *SENTENCES, SENTENCES[0]))
    asr = AsrSettings(remote=stuck.url, remote_timeout_s=1.0)
    model = load_model(bundles["shared"], None, asr)
    first, second, third = map(cut, SENTENCES)
    asked = []
    back = (lambda: asked.append(stuck.asked), stuck.go_on)
    source = Spoken(first, stuck.hang, second, third, first, second, *back, third, first)
    seen = list(Pipeline(source, model, Settings(asr=asr, captions=CaptionSettings(format=False))).run())
    assert captions(seen) == captions(expected)
    assert len(of(seen, Failed)) == 1
    assert max(source.late) < 2.5
    assert sum(late > 0.3 for late in source.late) < 25  # the blocks of that one timeout
    assert asked[0] <= 6
    assert of(seen, CaptionUpdated)[-1].segment == 7


def test_a_stream_that_ends_waits_for_a_server_that_is_stuck(bundles, stuck):
    """Whatever it says of itself: that it can be reached and has its model does not mean that it answers."""
    model = load_model(bundles["shared"], None, AsrSettings(remote=stuck.url, remote_timeout_s=0.5))
    later = threading.Timer(4.0, stuck.go_on)
    seen = heard(model, cut(SENTENCES[0]), stuck.hang, cut(SENTENCES[1], SENTENCES[2]), later.start)
    later.join()
    assert [event.text for event in of(seen, CaptionFinished)] == ["one one two", "three three", "two two two"]


def test_who_asks_for_the_end_need_not_wait_for_a_server_that_is_stuck(bundles, stuck):
    """However many sentences wait for it."""
    model = load_model(bundles["shared"], None, AsrSettings(remote=stuck.url, remote_timeout_s=2.0))
    source, stopped = Script(), []
    pipeline = Pipeline(source, model, Settings(asr=HERE))
    end = (lambda: stopped.append(time.monotonic()), pipeline.stop)
    source.items = (cut(SENTENCES[0]), stuck.hang, cut(*SENTENCES, SENTENCES[0]), *end)
    assert len(of(list(pipeline.run()), CaptionFinished)) == 5
    assert time.monotonic() - stopped[0] < 1


def test_a_server_that_is_stuck_again_is_left_alone_for_longer(bundles, stuck):
    """It answers what asks whether it is back, and then not what matters: only a real answer makes up for it."""
    model = load_model(bundles["shared"], None, AsrSettings(remote=stuck.url, remote_timeout_s=0.3))
    pauses = []
    for _ in range(2):
        stuck.hang()
        with pytest.raises(ModelAwayError, match=r"no answer within 0\.3 s") as caught:
            model.encode(silence(1))
        stuck.go_on()
        began = time.monotonic()
        assert caught.value.wait(10)
        pauses.append(time.monotonic() - began)
    assert pauses[0] > 0.9
    assert pauses[1] > 1.9
    model.encode(silence(1))
    stuck.hang()
    with pytest.raises(ModelAwayError) as caught:
        model.encode(silence(1))
    stuck.go_on()
    assert caught.value.wait(3)  # and not 4


def test_more_speech_than_can_be_kept_gives_up_the_oldest(bundles, server, there, monkeypatch):
    monkeypatch.setattr(pipelines, "PATIENCE_S", 3.0)
    monkeypatch.setattr(pipelines, "KEPT_S", 3.0)
    model = load_model(bundles["shared"], None, there)
    seen = heard(model, server.kill, cut(*SENTENCES), server.start, cut(silence(2)))
    texts = [event.text for event in of(seen, CaptionFinished)]
    assert texts[0] == ""
    assert texts[-1] == "two two two"


# a server that is not what it should be


def test_nothing_listens_there(bundles):
    with pytest.raises(ModelError, match=r"No server answers at grpc://127.0.0.1:9: nothing listens there\. Start it"):
        load_model(bundles["shared"], None, AsrSettings(remote="grpc://127.0.0.1:9"))


def test_no_machine_of_that_name(bundles):
    with pytest.raises(ModelError, match=r"No server answers at grpc://nowhere\.invalid:8001: there is no machine"):
        load_model(bundles["shared"], None, AsrSettings(remote="grpc://nowhere.invalid:8001"))


def test_the_http_port_of_the_server(bundles, server):
    with pytest.raises(ModelError, match="it speaks HTTP, and gRPC has a port of its own"):
        load_model(bundles["shared"], None, AsrSettings(remote=server.http_url))


def test_a_grpc_server_of_another_kind(bundles):
    """One that knows no method at all."""
    import grpc

    other = grpc.server(ThreadPoolExecutor(1))
    port = other.add_insecure_port("127.0.0.1:0")
    other.start()
    try:
        with pytest.raises(ModelError, match="does not speak the Open Inference Protocol"):
            load_model(bundles["shared"], None, AsrSettings(remote=f"grpc://127.0.0.1:{port}"))
    finally:
        other.stop(None)


def test_a_server_without_the_model(server, tmp_path):
    """Another bundle of the same name is another model: labels are only numbers to a server."""
    bundle = tiny_bundle(tmp_path / "new")
    other = dataclasses.replace(bundle.manifest, files={"model.onnx": "0" * 64})
    bundle = dataclasses.replace(bundle, manifest=other)
    assert served_name(bundle.manifest, bundle.manifest.graphs["shared"]).startswith("tiny-shared-")
    with pytest.raises(ModelError, match=r"has no model 'tiny-shared-\w{8}'\. Put it into .*edgevoice export BUNDLE"):
        load_model(bundle, None, AsrSettings(remote=server.url))


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ("intent", "shared", "has no output 'ctc' but: intent"),
        ("banking-en", "shared", "has no input 'frames' but: input_features"),
    ],
)
def test_a_model_with_other_inputs_or_outputs(bundles, server, monkeypatch, wrong, kind, message):
    """Whoever made the repository by hand gave one model the name of another."""
    manifest = bundles[wrong].manifest
    name = served_name(manifest, next(iter(manifest.graphs.values())))
    monkeypatch.setattr("edgevoice.asr.remote.served_name", lambda *_: name)
    with pytest.raises(ModelError, match=message):
        load_model(bundles[kind], None, AsrSettings(remote=server.url))


def test_a_model_with_another_shape_of_input(bundles, server):
    graph = bundles["shared"].manifest.graphs["shared"]
    features = dataclasses.replace(graph.features, stride=3)
    other = dataclasses.replace(graph, features=features, minimum_samples=4000)
    manifest = dataclasses.replace(bundles["shared"].manifest, graphs={"shared": other})
    with pytest.raises(ModelError, match=r"is another one: it takes \[1, -1, 160\] .* gives \[any, any, 240\]"):
        load_model(dataclasses.replace(bundles["shared"], manifest=manifest), None, AsrSettings(remote=server.url))


def test_a_graph_that_fails_there_is_no_server_that_is_away(bundles, server):
    model = load_model(bundles["shared"], None, AsrSettings(remote=server.url))
    with pytest.raises(ModelError, match=r"failed on grpc://.*: .*Look into the server's log") as caught:
        model._passes[0].session.run(np.zeros((1, 5, 3), dtype=np.float32))
    assert not isinstance(caught.value, ModelAwayError)
    assert "\n" not in str(caught.value)
    assert model.encode(silence(1)).log_probs is not None


# addresses and names


@pytest.mark.parametrize(
    ("url", "address"),
    [("grpc://gpu:8001", "gpu:8001"), ("grpc://[::1]:8001/", "[::1]:8001"), ("grpc://10.0.0.2:1", "10.0.0.2:1")],
)
def test_addresses(url, address):
    assert parse_url(url) == address


@pytest.mark.parametrize(
    "url",
    ["http://gpu:8001", "gpu:8001", "grpc://gpu", "grpc://:8001", "grpc://gpu:port", "grpc://gpu:99999", "grpc://a:1/x",
     "grpc://me@gpu:1", "grpc://[::1:1"],
)  # fmt: skip
def test_no_addresses(url):
    with pytest.raises(ConfigError, match="grpc://HOST:PORT"):
        parse_url(url)


def test_names_are_fit_for_folders_and_tell_bundles_apart(bundles):
    manifest = bundles["shared"].manifest
    graph = manifest.graphs["shared"]
    assert served_name(manifest, graph) != served_name(dataclasses.replace(manifest, files={"model.onnx": "1"}), graph)
    odd = dataclasses.replace(manifest, name="../Müller & Söhne/" + "x" * 99)
    assert set(served_name(odd, graph)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(served_name(odd, graph)) <= 63


def test_weights_beside_the_graph_tell_bundles_apart(bundles):
    """A graph of more than 2 GB names its weights only by their place in the second file."""
    manifest = bundles["shared"].manifest
    names = {
        served_name(dataclasses.replace(manifest, files={**manifest.files, **more}), manifest.graphs["shared"])
        for more in ({}, {"model.onnx_data": "1"}, {"model.onnx_data": "2"}, {"README.md": "3"})
    }
    assert len(names) == 3  # a card is no part of the graph


@pytest.mark.parametrize("package", ["grpc", "google.protobuf"])
def test_without_grpc_the_extra_is_named(bundles, server, monkeypatch, package):
    inference_protocol._classes.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"edgevoice\[remote\]"):
        load_model(bundles["shared"], None, AsrSettings(remote=server.url))
