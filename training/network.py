"""What the Hugging Face libraries may do with the network: nothing, unless something of the hub is named and the hub
can be reached.

They read this from the environment when they are imported, so it is decided before. Left to themselves they ask the hub
about folders too, and where there is no network they try again for a minute, with a line for every try.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from edgevoice.paths import known_models

_PATIENCE_S = 3.0
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[\w.,-]+)?")
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
}
"""What is of no use to whoever types a command: telemetry, and what the libraries tell their developers."""


def allow(names: Iterable[str], *, needed: bool = False) -> None:
    """Keeps the libraries of this process off the network unless one of these names is to be had from the hub, or the
    hub is `needed` for something else, and it answers. Whoever has set HF_HUB_OFFLINE, or what Transformers and
    Datasets have called it, has decided."""
    decided = [os.environ[name] for name in ("TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE") if name in os.environ]
    if decided:
        os.environ.setdefault("HF_HUB_OFFLINE", decided[0])
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    if "HF_HUB_OFFLINE" not in os.environ and not ((needed or any(map(is_hub_name, names))) and _reachable()):
        os.environ["HF_HUB_OFFLINE"] = "1"


def is_hub_name(name: str) -> bool:
    """Whether a name, of a checkpoint or data set, can only be one of the hub: OWNER/NAME, and no file, folder or model
    that is here."""
    here = name in known_models() or Path(name).exists() or Path(name.partition(":")[0]).exists()
    return could_be_of_hub(name) and not here


def could_be_of_hub(name: str) -> bool:
    """Whether a name, of a checkpoint or data set, is well-formed: OWNER/NAME, and for data perhaps :CONFIG."""
    return bool(_HUB_NAME.fullmatch(name))


def off() -> bool:
    """Whether the libraries were told to stay off the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _reachable() -> bool:
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True  # only the proxy knows
    hub = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        socket.create_connection((hub.hostname or "", hub.port or 443), timeout=_PATIENCE_S).close()
    except OSError:
        return False
    return True
