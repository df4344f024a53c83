"""Posts an event to a web address: signed, tried again with growing pauses, and over when it has to be."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edgevoice.actions.outcome import CANCELLED, OUTPUT_LIMIT, Outcome
from edgevoice.config import ActionSettings
from edgevoice.events import IntentDetected, to_json, wire_name
from edgevoice.text import plain
from edgevoice.version import __version__

if TYPE_CHECKING:
    import aiohttp
    import aiohttp.abc

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_TICK_S = 0.05


def post(action: ActionSettings, intent: IntentDetected, stopping: threading.Event) -> Outcome:
    """Posts until it got through, was refused, or `retries` are used up; ends soon after `stopping` is set."""
    began = time.monotonic()
    outcome = asyncio.run(_unless(stopping, _tries(action, intent)))
    seconds = time.monotonic() - began
    if outcome is None:
        return Outcome(ok=False, seconds=seconds, error=CANCELLED)
    return Outcome(ok=outcome.ok, seconds=seconds, code=outcome.code, error=outcome.error, output=outcome.output)


def signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256, as GitHub makes it."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def secret_of(action: ActionSettings) -> str:
    """What its posts are signed with; empty for nothing."""
    return os.environ.get(action.secret_env, "") if action.secret_env else action.secret


def host(url: str) -> str:
    """What of an address may be shown: the rest often is a secret."""
    return plain(urlsplit(url).hostname or "")


async def _unless(stopping: threading.Event, work: Coroutine[Any, Any, Outcome]) -> Outcome | None:
    """What comes of it; None if it was cut short."""
    task = asyncio.create_task(work)
    while not task.done():
        if stopping.is_set():
            task.cancel()
            await asyncio.wait([task])
            return None
        await asyncio.wait([task], timeout=_TICK_S)
    return task.result()


async def _tries(action: ActionSettings, intent: IntentDetected) -> Outcome:
    import aiohttp

    body = to_json(intent).encode("utf-8", "replace")
    # proxies of the environment are obeyed, as by every other program that calls out
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=_resolver()),
        timeout=aiohttp.ClientTimeout(total=action.timeout_s),
        headers=_headers(action, intent, body),
        trust_env=True,
    ) as session:
        pause = _FIRST_PAUSE_S
        for left in range(action.retries, -1, -1):
            outcome, wait = await _once(session, action, body)
            if outcome.ok or wait is None or not left:
                break
            await asyncio.sleep(min(max(wait, pause * random.uniform(0.8, 1.2)), _LONGEST_PAUSE_S))
            pause *= 2
    return outcome


async def _once(session: aiohttp.ClientSession, action: ActionSettings, body: bytes) -> tuple[Outcome, float | None]:
    """One try, and how long to wait at least before the next; None where trying again would change nothing."""
    import aiohttp

    try:
        # a redirect is an answer to be put right in the file of settings: where it leads was not asked for
        async with session.post(action.webhook, data=body, allow_redirects=False) as answer:
            output = await answer.content.read(OUTPUT_LIMIT)
            if 200 <= answer.status < 300:
                return Outcome(ok=True, seconds=0.0, code=answer.status, output=output), None
            error = f"answered {answer.status} {plain(answer.reason or '')}".strip()
            outcome = Outcome(ok=False, seconds=0.0, code=answer.status, error=error, output=output)
            again = answer.status in (408, 425, 429) or answer.status >= 500
            return outcome, _asked_pause(answer.headers.get("Retry-After", "")) if again else None
    except TimeoutError:
        return Outcome(ok=False, seconds=0.0, error=f"no answer within {action.timeout_s:g} s"), 0.0
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reason = plain(str(getattr(error, "strerror", None) or type(error).__name__))
        return Outcome(ok=False, seconds=0.0, error=f"{host(action.webhook)} cannot be reached: {reason}"), 0.0


def _resolver() -> aiohttp.abc.AbstractResolver:
    from aiohttp import abc

    class Resolver(abc.AbstractResolver):
        """Looks names up in threads that nobody waits for: asyncio's own are joined when the process ends, and a name
        server that does not answer would hold it up."""

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[abc.ResolveResult]:
            loop = asyncio.get_running_loop()
            found: asyncio.Future[list[abc.ResolveResult]] = loop.create_future()

            def look_up() -> None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(_settle, found, _addresses(host, port, family))

            threading.Thread(target=look_up, name="edgevoice-name", daemon=True).start()
            return await found

        async def close(self) -> None:
            """Nothing is kept open."""

    return Resolver()


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[Any] | OSError:
    try:
        found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    return [
        {"hostname": host, "host": address[0], "port": address[1], "family": kind, "proto": proto, "flags": 0}
        for kind, _, proto, _, address in found
    ]


def _settle(future: asyncio.Future[list[Any]], result: list[Any] | OSError) -> None:
    if future.done():
        return
    if isinstance(result, OSError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _headers(action: ActionSettings, intent: IntentDetected, body: bytes) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"edgevoice/{__version__}",
        "X-Edgevoice-Event": wire_name(type(intent)),
        # the same for each try, so that the receiver can tell
        "X-Edgevoice-Delivery": str(uuid.uuid4()),
    }
    secret = secret_of(action)
    return headers | ({"X-Hub-Signature-256": signature(secret, body)} if secret else {})


def _asked_pause(value: str) -> float:
    return float(value) if value.isascii() and value.isdigit() else 0.0
