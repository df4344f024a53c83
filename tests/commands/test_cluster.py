"""An archive on a Ray cluster of two machines, both of which are really started here."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from edgevoice.commands.shipment import Shipment, shipments, unpacked
from edgevoice.config import AsrSettings, Settings
from edgevoice.errors import ModelError
from tests.command_line import Cli, one_sentence
from tests.tiny import tiny_bundle

TEXT = "one one one two three two"


def ports() -> dict[str, int]:
    """Free ones for what a node runs besides: without them it waits for files with numbers in them."""
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return dict(zip(names, numbers, strict=True))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two nodes with room for one worker each; gives the address."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    home = tmp_path_factory.mktemp("cluster")
    changed = {"RAY_USAGE_STATS_ENABLED": "0", "XDG_CACHE_HOME": str(home), "EDGEVOICE_CONFIG": ""}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in changed.items():
            environment.setenv(name, value)
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 2, "object_store_memory": 80 * 2**20, "include_log_monitor": False}
        made = None
        for attempt in range(3):  # ray gives each of its processes 15 s to start, which a busy machine may not have
            made = Cluster()
            try:
                made.add_node(**node, include_dashboard=False, **ports())
                made.add_node(**node, **ports())
                break
            except Exception:
                made.shutdown()
                if attempt == 2:
                    raise
        assert made
        yield made.address
        made.shutdown()


@pytest.fixture
def archive(tmp_path: Path, recording: Path) -> Path:
    """Four recordings, one of which is none."""
    folder = tmp_path / "calls"
    for place in ("a/1.wav", "a/2.wav", "b/4.wav"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(recording.read_bytes())
    (folder / "b" / "3.wav").write_text("no audio")
    return folder


def kill_workers(at_most: int, while_: Callable[[], bool]) -> int:
    """Kills processes that transcribe, until that many were."""
    killed: set[int] = set()
    while while_() and len(killed) < at_most:
        for process in psutil.process_iter(["pid", "name", "cmdline"]):
            if process.pid not in killed and "ray::Worker.transcribe" in " ".join(process.info["cmdline"] or ()):
                process.kill()
                killed.add(process.pid)
        time.sleep(0.05)
    return len(killed)


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestCluster:
    """`edgevoice transcribe --ray ADDRESS`."""

    def test_an_archive(self, cli: Cli, cluster: str, archive: Path) -> None:
        """In order, the bad recording said and not in the way of the others; --resume goes on; nothing else on
        stderr."""
        result = cli("transcribe", archive, "--ray", cluster, "--format", "json", timeout=300)
        assert result.returncode == 1
        assert "b/3.wav" in one_sentence(result)
        said = [json.loads(line) for line in result.stdout.decode().splitlines()]
        assert [Path(each["file"]).name for each in said] == ["1.wav", "2.wav", "3.wav", "4.wav"]
        assert [each.get("text") for each in said] == [TEXT, TEXT, None, TEXT]

        out = cli.home / "out"
        (out / "a").mkdir(parents=True)
        (out / "a" / "2.txt").write_text("mine")
        (archive / "b" / "3.wav").unlink()
        relative = os.path.relpath(archive)  # of this process, not of the workers
        result = cli("transcribe", relative, "--ray", cluster, "--output", out, "--resume", "--jobs", "2", timeout=300)
        assert result.returncode == 0, result.stderr
        assert one_sentence(result) == "edgevoice: 1 of 3 transcripts are already there.\n"
        words = "one one one\ntwo three two\n"
        files = {str(file.relative_to(out)): file.read_text() for file in out.rglob("*.txt")}
        assert files == {"a/1.txt": words, "a/2.txt": "mine", "b/4.txt": words}

    def test_a_model_that_the_workers_do_not_have(self, cli: Cli, cluster: str, recording: Path) -> None:
        """It is sent to them, with the words to expect: what lies in this process's folder is not in theirs."""
        cli.home.joinpath("here").mkdir()
        tiny_bundle(cli.home / "here" / "model")
        (cli.home / "here" / "words.txt").write_text("two\n")
        model, words = "/proc/self/cwd/model", "/proc/self/cwd/words.txt"
        arguments = ("transcribe", recording, "--ray", cluster, "--model", model, "--hotwords", words)
        result = cli(*arguments, cwd=cli.home / "here", timeout=300)
        assert result.returncode == 0, result.stderr
        assert result.stdout.decode() == "one one one\ntwo three two\n"
        shipped = Path(os.environ["XDG_CACHE_HOME"]) / "edgevoice" / "shipped"
        assert len(list(shipped.iterdir())) == 2

    def test_a_worker_that_dies(self, cli: Cli, cluster: str, recording: Path) -> None:
        """Its recording is done by another."""
        samples, rate = soundfile.read(recording)
        soundfile.write(cli.home / "long.flac", np.tile(samples, 60), rate)
        process = cli.start("transcribe", cli.home / "long.flac", recording, "--ray", cluster, "--format", "json")
        assert kill_workers(1, lambda: process.poll() is None) == 1
        output, error = process.communicate(timeout=300)
        assert (process.returncode, error) == (0, b"")
        assert [json.loads(line)["text"] for line in output.splitlines()] == [" ".join([TEXT] * 60), TEXT]

    def test_a_recording_that_workers_die_of(self, cli: Cli, cluster: str, recording: Path) -> None:
        """Twice is enough; the run goes on with the others."""
        samples, rate = soundfile.read(recording)
        soundfile.write(cli.home / "long.flac", np.tile(samples, 200), rate)
        process = cli.start("transcribe", cli.home / "long.flac", "--ray", cluster)
        assert kill_workers(2, lambda: process.poll() is None) == 2
        output, error = process.communicate(timeout=300)
        assert (process.returncode, output) == (1, b"")
        assert b"long.flac' cannot be transcribed (the worker that had it died" in error
        assert error.count(b"\n") == 1


def test_what_a_cluster_cannot_do(cli: Cli, recording: Path) -> None:
    """One sentence: a pipe, and a cluster that is not there."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    result = cli("transcribe", recording, "-", "--ray", "auto")
    assert result.returncode == 2
    assert "pipe" in one_sentence(result)
    with socket.create_server(("127.0.0.1", 0)) as other:
        nobody = f"127.0.0.1:{other.getsockname()[1]}"
    result = cli("transcribe", recording, "--ray", nobody)
    assert result.returncode == 1
    assert f"'{nobody}' cannot be reached" in one_sentence(result)
    assert "ray start --head" in one_sentence(result)


class TestShipment:
    """What workers get that have other disks."""

    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def sent(self, folder: Path) -> tuple[Settings, dict[str, Shipment]]:
        tiny_bundle(folder / "model")
        (folder / "words.txt").write_text("two\n")
        asr = AsrSettings(hotwords=str(folder / "words.txt"))
        settings = Settings(model=str(folder / "model"), asr=asr)
        return settings, shipments(settings, lambda content: content)

    def test_what_is_the_same_here_is_used_here(self, tmp_path: Path) -> None:
        """Nothing is fetched."""
        settings, sent = self.sent(tmp_path)
        assert unpacked(settings, sent, lambda _: pytest.fail("fetched")) == settings
        assert not (tmp_path / "cache").exists()

    def test_what_is_not_is_fetched_once(self, tmp_path: Path) -> None:
        """Into the cache, whole, and again if it was changed there."""
        settings, sent = self.sent(tmp_path / "there")
        (tmp_path / "there").rename(tmp_path / "gone")
        for fetches in (3, 0):
            fetched: list[bytes] = []
            here = unpacked(settings, sent, lambda content, to=fetched: to.append(content) or content)
            assert len(fetched) == fetches
            assert (Path(here.model) / "model.onnx").is_file()
            assert Path(here.asr.hotwords).read_text() == "two\n"
        file = Path(here.model) / "model.onnx"
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + b"\0")
        again = unpacked(settings, sent, lambda content: content)
        assert (Path(again.model) / "model.onnx").read_bytes() == whole
        assert [each.name[0] for each in (tmp_path / "cache" / "edgevoice" / "shipped").iterdir()].count(".") == 0

    def test_a_model_damaged_on_its_way_is_not_run(self, tmp_path: Path) -> None:
        """By its sha256, as everywhere."""
        settings, sent = self.sent(tmp_path / "there")
        (tmp_path / "there").rename(tmp_path / "gone")
        with pytest.raises(ModelError, match="does not match its sha256"):
            unpacked(settings, sent, lambda content: content.replace(b"MatMul", b"MatMuk"))
        assert not any((tmp_path / "cache" / "edgevoice" / "shipped").iterdir())
