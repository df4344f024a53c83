"""Text of settings that must have a form: taken apart here, for whoever uses it and for whoever checks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from edgevoice.text import plain

HOST_AND_PORT = "HOST:PORT, such as 127.0.0.1:8080"
GRPC_ADDRESS = "the gRPC address of a server, grpc://HOST:PORT"
TWO_NAMES = "two different names with a comma between them, such as you,them"


def host_and_port(text: str) -> tuple[str, int]:
    """The host, without the brackets of IPv6, and the port.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(f"//{text}")
    host, port = parts.hostname, parts.port
    strange = any(char in text for char in "/@?#") or plain(text) != text or any(char.isspace() for char in text)
    if not host or port is None or strange:
        raise ValueError(text)
    return host, port


def grpc_address(text: str) -> str:
    """The "HOST:PORT" of grpc://HOST:PORT.

    Raises:
        ValueError: it has another form.
    """
    parts = urlsplit(text)
    if not (parts.scheme == "grpc" and parts.hostname and parts.port):
        raise ValueError(text)
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(text)
    return parts.netloc


def two_names(text: str) -> tuple[str, str]:
    """The names on both sides of a comma.

    Raises:
        ValueError: there are not two, or they are the same.
    """
    names = [plain(name).strip() for name in text.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise ValueError(text)
    return names[0], names[1]


FORMS: dict[str, tuple[Callable[[str], Any], str]] = {
    "serve.address": (host_and_port, HOST_AND_PORT),
    "asr.remote": (grpc_address, GRPC_ADDRESS),
    "files.channel_names": (two_names, TWO_NAMES),
}
"""Setting -> what takes it apart, and what it must be."""


_MAY_BE_EMPTY = ("serve.address", "asr.remote")


def wanted(name: str, value: Any) -> str:
    """What a setting must be and is not; empty if it has its form, or needs none."""
    taken_apart, form = FORMS.get(name, (str, ""))
    if not value and name in _MAY_BE_EMPTY:
        return ""
    try:
        taken_apart(value)
    except ValueError:
        return form
    return ""
