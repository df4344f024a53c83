"""edgevoice: live captions and spoken intents in a terminal, offline, from one's own Wav2Vec2-family models.

For programs, these names; docs/api.md shows them at work. Each is imported when it is first used: whoever wants the
command line's help does not wait for numpy and onnxruntime.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from edgevoice.version import __version__

if TYPE_CHECKING:
    from edgevoice.asr.bundle import load_bundle as load_bundle
    from edgevoice.asr.model import load_model as load_model
    from edgevoice.audio.file import FileSource as FileSource
    from edgevoice.audio.microphone import Microphone as Microphone
    from edgevoice.config import Settings as Settings
    from edgevoice.paths import find_model as find_model
    from edgevoice.pipeline import Pipeline as Pipeline

# onnxruntime 1.29 and later report usage to their maker unless this is set before the import
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# numpy's BLAS threads spin while they wait: at every update that costs ten times what the features themselves do
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_HOMES = {
    "FileSource": "edgevoice.audio.file",
    "Microphone": "edgevoice.audio.microphone",
    "Pipeline": "edgevoice.pipeline",
    "Settings": "edgevoice.config",
    "find_model": "edgevoice.paths",
    "load_bundle": "edgevoice.asr.bundle",
    "load_model": "edgevoice.asr.model",
}
"""Name -> the module that it lives in."""
__all__ = [
    "FileSource",
    "Microphone",
    "Pipeline",
    "Settings",
    "__version__",
    "find_model",
    "load_bundle",
    "load_model",
]


def __getattr__(name: str) -> Any:
    """Imports a name of the interface when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'edgevoice' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
