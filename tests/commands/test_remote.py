"""`--remote` as its user meets it: the command line, and a real server that is killed while somebody speaks."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgevoice.asr.bundle import load_bundle
from edgevoice.events import CaptionFinished, IntentDetected, StreamStarted
from export.triton import write_repository
from tests.command_line import Cli, events, finals, one_sentence
from tests.inference_server import InferenceServer
from tests.tiny import silence, speak

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InferenceServer]:
    """The tiny model on a server."""
    repository = tmp_path_factory.mktemp("server") / "repository"
    write_repository(load_bundle(model), repository)
    server = InferenceServer(repository)
    server.start()
    yield server
    server.kill()


def pcm(*parts: np.ndarray) -> bytes:
    """16-bit samples, as a pipe brings them."""
    return (np.concatenate(parts) * 32767).astype("<i2").tobytes()


def write(process: subprocess.Popen[bytes], *parts: np.ndarray) -> None:
    """The next seconds of what somebody says."""
    assert process.stdin
    process.stdin.write(pcm(*parts))
    process.stdin.flush()


class TestTheSameAsHere:
    """Nothing but the provider tells the two apart."""

    def test_transcripts(self, cli: Cli, recording: Path, server: InferenceServer) -> None:
        """Word for word, with times and confidence."""
        here = cli("transcribe", recording, "--format", "json")
        there = cli("transcribe", recording, "--format", "json", "--remote", server.url)
        assert there.returncode == 0, there.stderr
        assert there.stdout == here.stdout
        assert json.loads(there.stdout)["text"] == "one one one two three two"

    def test_intents(self, cli: Cli, recording: Path, server: InferenceServer) -> None:
        """`classify` too."""
        here, there = cli("classify", recording), cli("classify", recording, "--remote", server.url)
        assert (there.returncode, there.stdout) == (0, here.stdout)

    def test_live_says_where_it_runs(self, cli: Cli, recording: Path, server: InferenceServer) -> None:
        """In its first event, and nothing on stderr."""
        result = cli("live", "--input", recording, "--fast", "--json", "--remote", server.url)
        assert (result.returncode, result.stderr) == (0, b"")
        started, *rest = events(result.stdout)
        assert isinstance(started, StreamStarted)
        assert started.provider == f"remote {server.url}"
        assert any(isinstance(event, IntentDetected) for event in rest)

    def test_neither_onnxruntime_nor_the_training_stack_is_loaded(
        self, cli: Cli, recording: Path, server: InferenceServer
    ) -> None:
        """A desk needs the extra `remote` and no other."""
        arguments = ["live", "--input", str(recording), "--fast", "--json", "--remote", server.url]
        probe = f"import sys; from edgevoice.cli import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
        command = [cli.command([])[0], "-c", probe]
        done = subprocess.run(command, capture_output=True, env=cli.environment, check=True, timeout=60)
        loaded = {name.split(".")[0] for name in done.stderr.decode().split()}
        assert "grpc" in loaded
        assert not loaded & {"onnxruntime", "onnx", "torch", "transformers", "optimum", "export", "training"}


class TestTheSetting:
    """As every other: file, then environment, then flags."""

    def test_the_order_holds(self, cli: Cli, recording: Path, server: InferenceServer) -> None:
        """Each goes before what comes before it."""
        folder = cli.home / "config" / "edgevoice"
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(f'[asr]\nremote = "{server.url}"\n', encoding="utf-8")
        run = ("live", "--input", recording, "--fast", "--json")

        def provider(*more: str) -> str:
            started = events(cli(*run, *more).stdout)[0]
            assert isinstance(started, StreamStarted)
            return started.provider

        assert provider() == f"remote {server.url}"
        assert provider("--provider", "cpu") == "cpu"
        cli.extra = {"EDGEVOICE_ASR_REMOTE": "grpc://127.0.0.1:9"}
        assert "grpc://127.0.0.1:9" in one_sentence(cli(*run))
        assert provider("--remote", server.url) == f"remote {server.url}"
        assert provider("--remote", "") == "cpu"

    def test_doctor_looks_at_the_server(self, cli: Cli, server: InferenceServer) -> None:
        """And not at an onnxruntime that this machine does not need."""
        cli.extra = {"EDGEVOICE_ASR_REMOTE": server.url}
        checks = {check["name"]: check for check in json.loads(cli("doctor", "--json").stdout)}
        assert checks["provider"]["detail"] == f"remote {server.url}, as served"
        assert (checks["onnxruntime"]["status"], checks["provider"]["status"]) == ("pass", "pass")
        cli.extra = {"EDGEVOICE_ASR_REMOTE": "grpc://127.0.0.1:9"}
        checks = {check["name"]: check for check in json.loads(cli("doctor", "--json").stdout)}
        assert checks["provider"]["status"] == "fail"
        assert "nothing listens there" in checks["provider"]["detail"]

    def test_the_demo_stays_here(self, cli: Cli) -> None:
        """It shows the bundled model, which a server need not have."""
        cli.extra = {"EDGEVOICE_ASR_REMOTE": "grpc://127.0.0.1:9"}
        assert cli("demo", "--fast", "--json").returncode == 0

    @pytest.mark.parametrize("url", ["http://gpu:8000", "gpu:8001", "grpc://gpu"])
    def test_other_addresses_are_wrong_usage(self, cli: Cli, recording: Path, url: str) -> None:
        """Exit code 2, and the form that is right."""
        result = cli("transcribe", recording, "--remote", url)
        assert (result.returncode, result.stdout) == (2, b"")
        assert f"--remote is '{url}'" in one_sentence(result)
        assert "grpc://HOST:PORT" in one_sentence(result)

    def test_a_provider_and_a_server_exclude_each_other(self, cli: Cli, recording: Path) -> None:
        """One is about this machine, the other about another."""
        result = cli("live", "--input", recording, "--provider", "cpu", "--remote", "grpc://gpu:8001")
        assert result.returncode == 2
        assert "--remote" in one_sentence(result)


class TestWithoutItsServer:
    """One sentence, or one event."""

    def test_no_server_at_the_start(self, cli: Cli, recording: Path) -> None:
        """Exit code 1, and what to do."""
        result = cli("live", "--input", recording, "--fast", "--remote", "grpc://127.0.0.1:9")
        assert (result.returncode, result.stdout) == (1, b"")
        assert one_sentence(result) == (
            "edgevoice: No server answers at grpc://127.0.0.1:9: nothing listens there. Start it, correct --remote, or "
            "leave --remote out to run the model on this machine.\n"
        )

    def test_a_server_without_the_model(self, cli: Cli, recording: Path, server: InferenceServer) -> None:
        """The bundled one is not on it."""
        result = cli("transcribe", recording, "--model", "banking-en", "--remote", server.url)
        assert (result.returncode, result.stdout) == (1, b"")
        assert "has no model 'banking-en-" in one_sentence(result)

    def test_captions_go_on_when_the_server_is_back(self, cli: Cli, server: InferenceServer) -> None:
        """Killed while somebody speaks, and started again: an event tells of it, what was said meanwhile comes late,
        and what is said then as ever."""
        pause = silence(0.9)
        process = cli.start("live", "--input", "-", "--json", "--remote", server.url, stdin=subprocess.PIPE)
        stopped_if_it_hangs = threading.Timer(500, process.kill)
        stopped_if_it_hangs.daemon = True
        stopped_if_it_hangs.start()
        lines: list[bytes] = []
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        write(process, silence(0.5), speak("one two one"), pause)
        hear_until(process, lines, "caption_finished", 1)
        server.kill()
        write(process, speak("three three"), pause)
        hear_until(process, lines, "failed", 1)
        server.start()
        # before the stream ends, and without a word that would ask for it
        hear_until(process, lines, "caption_finished", 2)
        write(process, speak("two two"), pause)
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0
        reader.join(10)
        stopped_if_it_hangs.cancel()
        heard = events(b"".join(lines))
        assert finals(heard) == ["one two one", "three three", "two two"]
        assert [event.segment for event in heard if isinstance(event, CaptionFinished)] == [1, 2, 3]
        assert [event.label for event in heard if isinstance(event, IntentDetected)] == ["greet", "stop", "pay"]
        assert process.stderr
        error = process.stderr.read().decode()
        assert error.count("\n") == 1
        assert error.startswith(f"edgevoice: The server at {server.url} went away")


def _read(process: subprocess.Popen[bytes], lines: list[bytes]) -> None:
    assert process.stdout
    lines.extend(iter(process.stdout.readline, b""))


def hear_until(process: subprocess.Popen[bytes], lines: list[bytes], name: str, count: int) -> None:
    """A quiet room, until that many events of a kind have come."""
    end = time.monotonic() + 120
    while sum(json.loads(line)["event"] == name for line in list(lines)) < count:
        assert time.monotonic() < end, b"".join(lines[-5:])
        write(process, silence(0.1))
        time.sleep(0.05)
