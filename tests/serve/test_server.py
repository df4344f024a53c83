"""Events over HTTP, to real readers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from edgevoice.config import ServeSettings
from edgevoice.errors import ConfigError, UsageError
from edgevoice.events import Event, to_dict
from edgevoice.serve.server import Server
from tests.test_captions import revised
from tests.tui.scripted import ended, final, level, started, update

STREAM: tuple[Event, ...] = (started(), level(0.5), update(0, "check"), final(0, "check my balance"), update(1, "and"))


@contextmanager
def serving(*events: Event, **settings: Any) -> Iterator[Server]:
    waiting = {"waiting": settings.pop("waiting")} if "waiting" in settings else {}
    server = Server(ServeSettings(**({"address": "127.0.0.1:0"} | settings)), **waiting)
    for event in events:
        list(server.write(event))
    try:
        yield server
    finally:
        list(server.close())


def get(server: Server, path: str, **headers: str) -> HTTPResponse:
    """An answer whose body was not read yet."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return connection.getresponse()


def messages(response: HTTPResponse, count: int) -> list[dict[str, str]]:
    """So many Server-Sent Events, as their fields."""
    found: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    while len(found) < count and (line := response.readline().decode()):
        if line != "\n":
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        else:
            found += [fields] if "data" in fields else []
            fields = {}
    return found


class TestServerSentEvents:
    def test_a_late_reader_gets_what_was_said_and_then_what_comes(self) -> None:
        with serving(*STREAM) as server:
            response = get(server, "/events/sse")
            assert response.getheader("Content-Type") == "text/event-stream; charset=utf-8"
            assert response.getheader("Access-Control-Allow-Origin") is None
            first = messages(response, 3)
            list(server.write(final(1, "and my savings")))
            then = messages(response, 1)
        events = [json.loads(message["data"]) for message in first + then]
        assert events == [
            to_dict(STREAM[0]),
            to_dict(STREAM[3]),
            to_dict(STREAM[4]),
            to_dict(final(1, "and my savings")),
        ]

    def test_who_comes_again_goes_on_where_it_was(self) -> None:
        with serving(*STREAM) as server:
            *_, last = messages(get(server, "/events/sse"), 2)
            again = messages(get(server, "/events/sse", Last_Event_ID=last["id"]), 1)
            assert json.loads(again[0]["data"]) == to_dict(STREAM[4])
            for other in ("ffffffff-2", "nonsense", "-"):  # of another server at this address
                [begun] = messages(get(server, "/events/sse", Last_Event_ID=other), 1)
                assert json.loads(begun["data"])["event"] == "stream_started"

    def test_a_late_reader_gets_one_reading_of_a_sentence_and_one_who_comes_again_the_other(self) -> None:
        """Where it was said, with a number to go on from."""
        talk = [started(), final(0, "won"), final(1, "too")]
        with serving(*talk) as server:
            *_, last = messages(get(server, "/events/sse"), 3)
            list(server.write(revised(0, "One.")))
            late = messages(get(server, "/events/sse"), 3)
            [again] = messages(get(server, "/events/sse", Last_Event_ID=last["id"]), 1)
        assert [json.loads(each["data"]) for each in late] == list(map(to_dict, (talk[0], revised(0, "One."), talk[2])))
        assert json.loads(again["data"]) == to_dict(revised(0, "One."))
        numbers = [int(each["id"].split("-")[1]) for each in (*late, again)]
        assert numbers == sorted(numbers)

    def test_a_reader_hears_that_nothing_more_comes(self) -> None:
        with serving(*STREAM) as server:
            response = get(server, "/events/sse")
            messages(response, 3)
            list(server.write(ended()))
            list(server.close())
            assert [message["data"] for message in messages(response, 2)][1] == "the stream is over"
            assert response.read() == b""

    def test_there_is_a_sign_of_life(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edgevoice.serve.server.KEEP_ALIVE_S", 0.05)
        with serving() as server:
            response = get(server, "/events/sse")
            lines = [response.readline() for _ in range(4)]
        assert lines == [b"retry: 1000\n", b"\n", b": still here\n", b"\n"]


class TestWebSocket:
    async def test_the_same_events_one_a_message(self) -> None:
        with serving(*STREAM) as server:
            async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.url}events") as reader:
                first = [await reader.receive_json(timeout=60) for _ in range(3)]
                list(server.write(level(9)))
                assert await reader.receive_json(timeout=60) == to_dict(level(9))
                await reader.send_str("nobody listens to this")
                list(server.close())
                assert (await reader.receive(timeout=60)).type == aiohttp.WSMsgType.CLOSE
                assert reader.close_code == 1000
        assert first == [to_dict(STREAM[number]) for number in (0, 3, 4)]

    async def test_pages_of_other_sites_are_refused(self) -> None:
        with serving(*STREAM) as server:
            async with aiohttp.ClientSession() as session:
                for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
                    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                        await session.ws_connect(f"{server.url}events", headers=headers)
                    assert caught.value.status in (403, 421)
                async with session.ws_connect(f"{server.url}events", origin=server.url.rstrip("/")) as reader:
                    await reader.receive_json(timeout=60)

    def test_a_plain_request_is_told_where_to_go(self) -> None:
        with serving() as server:
            response = get(server, "/events")
            assert (response.status, b"/events/sse" in response.read()) == (426, True)


class TestSlowReaders:
    """A reader that does not read holds up nobody, and is sent away."""

    @staticmethod
    def idle(server: Server) -> socket.socket:
        """A reader that takes nothing in."""
        place = urlsplit(server.url)
        idle = socket.socket()
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect((place.hostname, place.port))
        idle.sendall(f"GET /events/sse HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        assert idle.recv(12) == b"HTTP/1.1 200"
        return idle

    def test_captions_do_not_wait_and_memory_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edgevoice.serve.server.STALLED_S", 1.0)
        long = "word " * 4_000
        with serving(started(), waiting=20) as server, self.idle(server) as idle:
            slowest = 0.0
            for number in range(500):
                before = time.monotonic()
                list(server.write(final(number, long)))
                slowest = max(slowest, time.monotonic() - before)
            assert slowest < 1
            time.sleep(1.5)  # longer than anybody is waited for
            idle.settimeout(60)
            received = b""
            try:
                while chunk := idle.recv(65_536):  # what was sent before it was left
                    received += chunk
            except ConnectionResetError:
                pass
            assert len(received) < 500 * len(long) / 2
            again = messages(get(server, "/events/sse"), 501)
            assert json.loads(again[-1]["data"])["segment"] == 499

    async def test_one_that_is_too_slow_is_told_why(self) -> None:
        with serving(started(), waiting=3) as server:
            async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.url}events") as reader:
                await reader.receive_json(timeout=60)
                # all at once, before the loop of the server comes to send any
                events = [final(number, "x") for number in range(2_000)]
                for event in events:
                    list(server.write(event))
                while (message := await reader.receive(timeout=60)).type == aiohttp.WSMsgType.TEXT:
                    pass
                assert message.type == aiohttp.WSMsgType.CLOSE
                assert (reader.close_code, message.extra) == (1013, "you cannot keep up; come again")


class TestWhoMayRead:
    def test_a_page_without_anything_from_elsewhere(self) -> None:
        with serving() as server:
            response = get(server, "/?transparent=1")
            page = response.read().decode()
        policy = response.getheader("Content-Security-Policy") or ""
        assert (response.status, response.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in policy
        nonce = policy.split("'nonce-")[1].split("'")[0]
        assert page.count(f'nonce="{nonce}"') == 2
        assert "{{" not in page
        assert "://" not in page
        assert response.getheader("Referrer-Policy") == "no-referrer"

    @pytest.mark.parametrize("path", ["/", "/events", "/events/sse", "/nothing"])
    def test_a_token_guards_everything(self, path: str) -> None:
        with serving(*STREAM, address="0.0.0.0:0", token="correct horse") as server:
            server.url = server.url.replace("0.0.0.0", "127.0.0.1")
            assert get(server, path).status == 401
            assert get(server, f"{path}?token=correct%20hors").status == 401
            assert get(server, f"{path}?token=correct%20horse").status in (200, 426, 404)
            assert get(server, path, Authorization="Bearer correct horse").status in (200, 426, 404)

    def test_there_are_only_so_many_readers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edgevoice.serve.hub.READERS", 2)
        with serving(*STREAM) as server:
            readers = [get(server, "/events/sse") for _ in range(2)]
            assert get(server, "/events/sse").status == 503
            assert all(messages(reader, 1) for reader in readers)

    def test_nonsense_is_answered_and_not_printed(self, capfd: pytest.CaptureFixture[str]) -> None:
        with serving(*STREAM) as server:
            place = urlsplit(server.url)
            for said in (
                b"\x16\x03\x01\x02\x00\x01",
                b"GET / HTTP/9.9\r\n\r\n",
                b"POST /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ):
                with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
                    connection.sendall(said)
                    assert connection.recv(4096).split()[1].startswith(b"4")
            assert get(server, "/").status == 200
        assert capfd.readouterr().err == ""

    def test_what_cannot_be_served_is_refused_at_once(self) -> None:
        with pytest.raises(ConfigError, match="--token"):
            Server(ServeSettings(address="0.0.0.0:0"))
        with serving() as server, pytest.raises(UsageError, match="--serve"):
            Server(ServeSettings(address=urlsplit(server.url).netloc))
