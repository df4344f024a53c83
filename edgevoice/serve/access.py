"""Who may read: captions are private, and any page in a browser can send requests to this machine.

On loopback no token is needed, so that the Host must be this machine's own (against DNS rebinding) and a browser's
Origin must be the page that we serve. A request that shows the token may come from anywhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from edgevoice.errors import ConfigError
from edgevoice.serve.address import Address, is_loopback

SHORTEST_TOKEN = 8
_SHOW_IT = "Show the token: 'Authorization: Bearer TOKEN', or ?token=TOKEN behind the address."


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status and one sentence."""

    status: int
    reason: str


class Access:
    """Decides about requests.

    Raises:
        ConfigError: other machines could read and there is no token, or it can be guessed.
    """

    def __init__(self, address: Address, token: str) -> None:
        if not token and not address.is_loopback:
            raise ConfigError(
                f"Other machines could read what is said at {address}, and there is no token",
                "Add --token TEXT or set EDGEVOICE_SERVE_TOKEN, or serve at 127.0.0.1",
            )
        if token and len(token) < SHORTEST_TOKEN:
            raise ConfigError(
                f"The token has {len(token)} characters, which can be guessed",
                f"Choose {SHORTEST_TOKEN} or more, such as {secrets.token_urlsafe(16)}",
            )
        self._token = token.encode("utf-8", "replace")

    def refusal(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Refusal | None:
        """Why a request is refused; None if it is not."""
        if self._token:
            return None if self._shows_token(headers, query) else Refusal(401, _SHOW_IT)
        host = headers.get("Host", "")
        if not is_loopback(_host(host)):
            return Refusal(421, "This address is not one of this machine's own.")
        origin = headers.get("Origin")
        if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return Refusal(403, "Pages of other sites may not read captions without a token.")
        return None

    def _shows_token(self, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        kind, _, shown = headers.get("Authorization", "").partition(" ")
        # a browser can send no header with a WebSocket, and with events neither
        given = shown.strip() if kind.lower() == "bearer" else query.get("token", "")
        return secrets.compare_digest(given.encode("utf-8", "replace"), self._token)


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
