"""Webhooks, posted to a real server."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time

import pytest

from edgevoice.actions import webhook
from edgevoice.actions.outcome import CANCELLED
from edgevoice.actions.webhook import post
from edgevoice.config import ActionSettings
from edgevoice.events import to_dict
from tests.actions.detections import detected
from tests.actions.receiver import receiver, wait_until


def action(url: str, **settings: object) -> ActionSettings:
    return ActionSettings(intent="pay", webhook=url, **settings)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses between tries, and no proxy of the machine's."""
    monkeypatch.setattr(webhook, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setenv("no_proxy", "*")


def test_the_event_is_posted_as_json() -> None:
    with receiver(200) as there:
        outcome = post(action(there.url), detected(), threading.Event())
    assert (outcome.ok, outcome.code, outcome.error) == (True, 200, "")
    assert outcome.output == b"thank you"
    [(headers, body)] = there.received
    assert json.loads(body) == to_dict(detected())
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Edgevoice-Event"] == "intent_detected"
    assert "X-Hub-Signature-256" not in headers


def test_it_is_signed_as_github_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "sésame")
    with receiver() as there:
        for keys in ({"secret": "sésame"}, {"secret_env": "HOOK_SECRET"}):
            assert post(action(there.url, **keys), detected(), threading.Event()).ok
    for headers, body in there.received:
        wanted = hmac.new("sésame".encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Hub-Signature-256"] == f"sha256={wanted}"


def test_it_is_tried_again_and_the_receiver_can_tell() -> None:
    with receiver(503, 429, 204) as there:
        outcome = post(action(there.url, retries=3), detected(), threading.Event())
    assert (outcome.ok, outcome.code) == (True, 204)
    assert len(there.received) == 3
    assert len({headers["X-Edgevoice-Delivery"] for headers, _ in there.received}) == 1


def test_a_pause_that_is_asked_for_is_kept() -> None:
    with receiver(503, 204, Retry_After="1") as there:
        outcome = post(action(there.url), detected(), threading.Event())
    assert outcome.ok
    assert outcome.seconds >= 1


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (404, 1), (302, 1), (500, 3)])
def test_what_is_refused_is_not_tried_again(status: int, tries: int) -> None:
    with receiver(status, Location="http://127.0.0.1:1/") as there:
        outcome = post(action(there.url, retries=2), detected(), threading.Event())
    assert (outcome.ok, outcome.code) == (False, status)
    assert outcome.error.startswith(f"answered {status} ")
    assert len(there.received) == tries


def test_a_server_that_says_nothing_is_given_up() -> None:
    with receiver(0) as there:
        outcome = post(action(there.url, retries=0, timeout_s=0.3), detected(), threading.Event())
    assert outcome.error == "no answer within 0.3 s"
    assert outcome.seconds < 20


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/key-of-mine", "http://no-such-host.invalid/key-of-mine"])
def test_nobody_there_is_said_without_what_may_be_secret(url: str) -> None:
    outcome = post(action(url, retries=1), detected(), threading.Event())
    assert not outcome.ok
    assert "cannot be reached" in outcome.error
    assert "key-of-mine" not in outcome.error


def test_it_ends_when_edgevoice_does() -> None:
    stopping = threading.Event()
    with receiver(0) as there:
        threading.Timer(0.3, stopping.set).start()
        began = time.monotonic()
        outcome = post(action(there.url, timeout_s=600), detected(), stopping)
        assert outcome.error == CANCELLED
        assert time.monotonic() - began < 20
        wait_until(lambda: there.received)
