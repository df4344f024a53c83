"""A real KServe v2 server to run graphs on: MLServer, in an environment of its own, so that its pins are not ours."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

PACKAGES = ("mlserver==1.7.1", "onnxruntime==1.31.1", "tritonclient[grpc]==2.73.0")
"""tritonclient holds the official messages of Triton's `config.pbtxt`."""
RUNTIME = Path(__file__).resolve().parent / "mlserver"
_START_S = 240.0
"""On a machine that has much else to do."""


def server_python() -> Path:
    """The interpreter of MLServer's environment, which is made once, in the cache folder of whoever runs the tests."""
    key = hashlib.sha256(repr((PACKAGES, sys.version_info[:2])).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "edgevoice-tests" / f"mlserver-{key}"
    python = folder / "bin" / "python"
    if not (folder / "ready").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
        done = subprocess.run(install, capture_output=True, text=True, check=False, env=_outside())
        assert done.returncode == 0, done.stderr
        (folder / "ready").touch()
    return python


class InferenceServer:
    """MLServer over a model repository that `export.triton` wrote. It can be killed and started again."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.grpc_port, self._http_port = _free_ports(2)
        self.url = f"grpc://127.0.0.1:{self.grpc_port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = repository.with_name(f"{repository.name}.log")
        settings = {
            "host": "127.0.0.1",
            "http_port": self._http_port,
            "grpc_port": self.grpc_port,
            "grpc_max_message_length": 64_000_000,
            "metrics_endpoint": None,
            "parallel_workers": 0,
            "debug": False,
        }
        (repository / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        self.models = sorted(folder.name for folder in repository.iterdir() if folder.is_dir())
        for name in self.models:
            model = {"name": name, "implementation": "onnx_model.OnnxModel", "parameters": {"uri": "1/model.onnx"}}
            (repository / name / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")

    def start(self) -> None:
        """Starts it and waits until every model is ready."""
        command = [str(server_python()), "-c", "from mlserver.cli.main import main; main()", "start", "."]
        environment = _outside() | {"PYTHONPATH": str(RUNTIME), "OMP_NUM_THREADS": "1"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.repository, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + _START_S
        while not all(self._answers(f"/v2/models/{name}/ready") for name in self.models):
            alive = self._process.poll() is None and time.monotonic() < end
            assert alive, self._log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """It goes away in the middle of whatever it did."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """It stays, and says nothing more, until `go_on`."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Ends what `hang` began."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        """Whether it was started and not killed since."""
        return self._process is not None

    @property
    def http_url(self) -> str:
        """Its other port, as somebody might confuse it."""
        return f"grpc://127.0.0.1:{self._http_port}"

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._http_port}{path}", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


def _outside() -> dict[str, str]:
    """Nothing that points into our environment."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "EDGEVOICE_", "GRPC_"))}


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
