"""Where to serve: HOST:PORT, and whether other machines could come there."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

from edgevoice.config_forms import HOST_AND_PORT, host_and_port
from edgevoice.errors import ConfigError, UsageError
from edgevoice.text import plain


@dataclass(frozen=True, slots=True)
class Address:
    """A host, without the brackets of IPv6, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone can come there."""
        return is_loopback(self.host)


def parse(text: str) -> Address:
    """An address as it is written.

    Raises:
        ConfigError: it is none.
    """
    try:
        return Address(*host_and_port(text))
    except ValueError:
        raise ConfigError(f"'{plain(text)}' is no address to serve at", f"Write {HOST_AND_PORT}") from None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nothing else. Names but "localhost" may mean anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(address: Address) -> socket.socket:
    """A socket that listens there.

    Raises:
        UsageError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise _explained(address, error) from None


def _explained(address: Address, error: OSError) -> UsageError:
    another = Address(address.host, address.port + 1 if address.port < 65535 else 8080)
    if error.errno == errno.EADDRINUSE:
        what = f"Port {address.port} on {address.host} is taken by another program"
        return UsageError(what, f"Choose another: --serve {another}; port 0 takes one that is free")
    if error.errno in (errno.EACCES, errno.EPERM):
        what = f"Port {address.port} on {address.host} is not for everybody ({error.strerror})"
        return UsageError(what, f"Choose one from 1024 on: --serve {Address(address.host, 8080)}")
    reason = str(error.strerror).partition(" (while")[0]  # Python adds what it attempted
    what = f"Nothing can be served at {address} ({reason})"
    return UsageError(what, "Choose an address of this machine: --serve 127.0.0.1:8080")
