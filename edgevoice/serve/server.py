"""The sink that serves: events as WebSocket messages and Server-Sent Events, and a page of captions that shows them.

One thread with a loop of its own; the thread that makes events only leaves them at the hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from secrets import token_urlsafe
from socket import socket
from typing import TYPE_CHECKING

from edgevoice.config import ServeSettings
from edgevoice.errors import MissingExtraError
from edgevoice.events import Event
from edgevoice.serve.access import Access
from edgevoice.serve.address import Address, listen, parse
from edgevoice.serve.hub import Full, Hub, Reader
from edgevoice.serve.outbox import WAITING, Message

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

KEEP_ALIVE_S = 15.0
STALLED_S = 10.0
"""A reader that takes in nothing for so long is left."""
CLOSING_S = 2.0
"""How long readers may take in the last events."""
_BEHIND = "you cannot keep up; come again"
_OVER = "the stream is over"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "X-Content-Type-Options": "nosniff",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Server:
    """Serves the events that are written to it, from now on until it is closed.

    Args:
        settings: where, to whom, and how much of the past.
        waiting: lasting events that may wait for a reader.

    Raises:
        ConfigError: the address or the token cannot be used.
        UsageError: the port is taken.
        MissingExtraError: aiohttp is not installed.
    """

    def __init__(self, settings: ServeSettings, *, waiting: int = WAITING) -> None:
        address = parse(settings.address)
        access = Access(address, settings.token)
        _check_installed()
        listening = listen(address)
        self.url = f"http://{Address(address.host, listening.getsockname()[1])}/"
        """Of the page."""
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._hub = Hub(self._loop, settings.history_s, waiting)
        self._thread = threading.Thread(target=self._run, args=(listening, access), name="edgevoice-serve", daemon=True)
        self._thread.start()

    def write(self, event: Event) -> Iterable[Event]:
        """Gives an event to all readers, and waits for none."""
        self._hub.publish(event)
        return ()

    def close(self) -> Iterable[Event]:
        """Lets readers take in the last events, for a moment."""
        self._hub.end()
        with contextlib.suppress(RuntimeError):  # the loop is over already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(CLOSING_S + 1.0)
        return ()

    def _run(self, listening: socket, access: Access) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listening, access))

    async def _serve(self, listening: socket, access: Access) -> None:
        from aiohttp import web

        # what others send is no news for whoever reads our stderr
        logging.getLogger("aiohttp").addHandler(logging.NullHandler())
        runner = web.AppRunner(
            application(self._hub, access), access_log=None, handle_signals=False, shutdown_timeout=CLOSING_S
        )
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await self._stopping.wait()
        await runner.cleanup()


def application(hub: Hub, access: Access) -> web.Application:
    """The routes, behind the check of who may read."""
    from aiohttp import web

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = access.refusal(request.headers, request.query)
        if refusal:
            return _sentence(refusal.status, refusal.reason)
        try:
            return await handler(request)
        except Full:
            return _sentence(503, "There are too many readers; close one.")

    async def page(_request: web.Request) -> web.Response:
        nonce = token_urlsafe(16)
        text = _page().replace("{{nonce}}", nonce)
        policy = {"Content-Security-Policy": _PAGE_POLICY.format(nonce=nonce)}
        return web.Response(text=text, content_type="text/html", headers=policy)

    async def events(request: web.Request) -> web.StreamResponse:
        return await _websocket(request, hub)

    async def sse(request: web.Request) -> web.StreamResponse:
        return await _server_sent(request, hub)

    async def headers(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(_HEADERS)

    app = web.Application(middlewares=[guarded])
    app.router.add_get("/", page)
    app.router.add_get("/events", events, allow_head=False)
    app.router.add_get("/events/sse", sse, allow_head=False)
    app.on_response_prepare.append(headers)
    return app


async def _websocket(request: web.Request, hub: Hub) -> web.StreamResponse:
    from aiohttp import web

    socket_ = web.WebSocketResponse(heartbeat=KEEP_ALIVE_S, max_msg_size=4096, timeout=1.0)
    if not socket_.can_prepare(request).ok:
        return _sentence(426, "This is a WebSocket; Server-Sent Events are at /events/sse.")
    with hub.reader() as reader:
        await socket_.prepare(request)
        sending = asyncio.create_task(_send(socket_, hub, reader))
        try:
            async for _ in socket_:  # nothing is expected of a reader but that it leaves
                pass
        finally:
            sending.cancel()
            await asyncio.wait([sending])
    return socket_


async def _send(socket_: web.WebSocketResponse, hub: Hub, reader: Reader) -> None:
    try:
        while not _ended(message := await _next(hub, reader, KEEP_ALIVE_S), reader):
            if message:
                await asyncio.wait_for(socket_.send_str(message.text), STALLED_S)
        code, reason = (1013, _BEHIND) if reader.outbox.overflowed else (1000, _OVER)
        await socket_.close(code=code, message=reason.encode())
    except (TimeoutError, ConnectionError):
        await socket_.close(code=1013, message=_BEHIND.encode(), drain=False)


async def _server_sent(request: web.Request, hub: Hub) -> web.StreamResponse:
    from aiohttp import web

    with hub.reader(request.headers.get("Last-Event-ID", "")) as reader:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        response.force_close()  # a connection of its own, which ends with the stream
        await response.prepare(request)
        text = "retry: 1000\n\n"  # milliseconds
        try:
            while True:
                await asyncio.wait_for(response.write(text.encode("utf-8", "replace")), STALLED_S)
                message = await _next(hub, reader, KEEP_ALIVE_S)
                if _ended(message, reader):
                    break
                text = f"id: {hub.id_of(message)}\ndata: {message.text}\n\n" if message else ": still here\n\n"
            reason = _BEHIND if reader.outbox.overflowed else _OVER
            await asyncio.wait_for(response.write(f"event: closed\ndata: {reason}\n\n".encode()), STALLED_S)
        except (TimeoutError, ConnectionError):
            if request.transport:
                request.transport.abort()
    return response


async def _next(hub: Hub, reader: Reader, patience_s: float) -> Message | None:
    """The next message; None after a while without one, and when there will be none."""
    while True:
        reader.news.clear()
        message = None if reader.outbox.overflowed else hub.take(reader)
        if message or reader.over or reader.outbox.overflowed:
            return message
        try:
            await asyncio.wait_for(reader.news.wait(), patience_s)
        except TimeoutError:
            return None


def _ended(message: Message | None, reader: Reader) -> bool:
    """Whether there will be no more messages."""
    return message is None and (reader.over or reader.outbox.overflowed)


def _sentence(status: int, reason: str) -> web.Response:
    from aiohttp import web

    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return web.Response(status=status, text=f"{reason}\n", headers=headers)


def _page() -> str:
    return (Path(__file__).parent / "page.html").read_text(encoding="utf-8")


def _check_installed() -> None:
    try:
        import aiohttp  # noqa: F401 - only whether it is there
    except ModuleNotFoundError:
        raise MissingExtraError("live --serve", "serve") from None
