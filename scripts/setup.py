#!/usr/bin/env python3
"""Makes .venv ready: `setup.py demo` installs the runtime, `setup.py test` everything.

A stamp in .venv holds a hash of what was asked for, so that a second run starts at once. Needs nothing but Python.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
EXTRAS = {"demo": ["media", "serve"], "test": ["media", "ray", "serve", "train", "export", "remote", "dev"]}
"""Goal -> extras besides onnxruntime."""
TOO_OLD = (
    "edgevoice needs Python 3.11 or newer, and '{name}' is {version}. "
    "Install it (Debian, Ubuntu: apt install python3.11 python3.11-venv) and name it: make PYTHON=python3.11 ...\n"
)


def main(arguments: Sequence[str]) -> int:
    """Sets up for a goal; gives the exit code."""
    goal = arguments[0] if arguments else ""
    if goal not in EXTRAS:
        return complain(f"usage: setup.py {'|'.join(EXTRAS)}\n")
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        return complain(TOO_OLD.format(name=sys.executable, version=version))
    gpu = has_gpu()
    wanted = stamp_for(goal, gpu=gpu)
    # what serves the tests serves the demo
    if any(read(stamp_file(each)) == stamp_for(each, gpu=gpu) for each in {goal, "test"}):
        return 0
    try:
        install(goal, gpu=gpu)
    except KeyboardInterrupt:
        return 130
    except subprocess.CalledProcessError as error:
        return complain(f"Setting up .venv failed: '{' '.join(error.cmd)}' (exit code {error.returncode}).\n")
    stamp_file(goal).write_text(wanted, encoding="utf-8")
    return 0


def install(goal: str, *, gpu: bool) -> None:
    """Makes the environment if there is none and installs edgevoice into it, with exactly one onnxruntime."""
    python = VENV / "bin" / "python"
    if not works(python):
        say(f"making {VENV} with {sys.executable}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    for stamp in VENV.glob(".ready-*"):
        stamp.unlink()  # an interrupted change leaves nothing that looks finished
    remove_other_runtime(python, gpu=gpu)
    extras = ",".join(["gpu" if gpu else "cpu", *EXTRAS[goal]])
    say(f"installing edgevoice[{extras}]")
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", *constraints, "--editable", f"{ROOT}[{extras}]"], check=True
    )


def remove_other_runtime(python: Path, *, gpu: bool) -> None:
    """The two onnxruntime packages share one folder: removing one later would break the other, so both go first."""
    other = "onnxruntime" if gpu else "onnxruntime-gpu"
    shown = subprocess.run([str(python), "-m", "pip", "show", "--quiet", other], capture_output=True, check=False)
    if shown.returncode == 0:
        say(f"removing {other}")
        both = ["onnxruntime", "onnxruntime-gpu"]
        subprocess.run([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", *both], check=True)


def has_gpu() -> bool:
    """Whether nvidia-smi works."""
    program = shutil.which("nvidia-smi")
    return bool(program) and subprocess.run([str(program)], capture_output=True, check=False).returncode == 0


def works(python: Path) -> bool:
    """Whether the environment is whole: its Python may have been removed or replaced since."""
    try:
        return subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def stamp_file(goal: str) -> Path:
    """Where it is noted that .venv is ready for a goal."""
    return VENV / f".ready-{goal}"


def stamp_for(goal: str, *, gpu: bool) -> str:
    """A hash of everything that decides what is installed."""
    parts = [goal, str(gpu), str(ROOT), ".".join(map(str, sys.version_info[:2]))]
    digest = hashlib.sha256("\n".join(parts).encode())
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def read(file: Path) -> str:
    """A small file, or nothing."""
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def say(message: str) -> None:
    """Progress, on stderr: `make demo` may be piped."""
    print(f"setup: {message}", file=sys.stderr, flush=True)


def complain(message: str) -> int:
    """Says what is wrong and gives the exit code."""
    sys.stderr.write(message)
    return 1


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
