"""Who may read, and where can be served."""

from __future__ import annotations

import pytest

from edgevoice.errors import ConfigError, UsageError
from edgevoice.serve.access import Access
from edgevoice.serve.address import Address, listen, parse

LOCAL = parse("127.0.0.1:8080")
EVERYWHERE = parse("0.0.0.0:8080")
TOKEN = "correct horse"


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("localhost:0", "localhost", 0, True),
        ("[::1]:80", "::1", 80, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False),
        ("[::]:8080", "::", 8080, False),
        ("192.168.1.5:8080", "192.168.1.5", 8080, False),
        ("localhost.example.org:80", "localhost.example.org", 80, False),
        ("Desk-7:8080", "desk-7", 8080, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    assert parse(text) == Address(host, port)
    assert parse(text).is_loopback is loopback


@pytest.mark.parametrize(
    "text",
    ["8080", ":8080", "localhost", "localhost:", "localhost:x", "h:70000", "h:-1", "http://h:1", "h:1/x", "a b:1"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        parse(text)


def test_a_port_that_is_taken_is_named_with_the_flag_that_changes_it() -> None:
    with listen(parse("127.0.0.1:0")) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"Port {port} .* --serve 127\.0\.0\.1:{port + 1}"):
            listen(Address("127.0.0.1", port))


@pytest.mark.parametrize("text", ["192.0.2.1:8080", "no-such-host.invalid:8080"])
def test_an_address_of_another_machine_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="address of this machine") as caught:
        listen(parse(text))
    assert "while" not in caught.value.what


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8080"}, None),
        ({"Host": "localhost:9999"}, None),  # through a tunnel
        ({"Host": "[::1]:8080"}, None),
        ({"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080"}, None),
        ({}, 421),
        ({"Host": "evil.example:8080"}, 421),  # a name that was made to lead here
        ({"Host": "evil.example:8080", "Origin": "http://evil.example:8080"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Host": "127.0.0.1:8080", "Origin": ""}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "https://evil.example"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:3000"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "http://localhost:8080"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "null"}, 403),
        ({"Host": "127.0.0.1:8080", "Origin": "http://[::1"}, 403),
    ],
)
def test_on_loopback_host_and_origin_decide(headers: dict[str, str], status: int | None) -> None:
    refusal = Access(LOCAL, "").refusal(headers, {})
    assert (refusal.status if refusal else None) == status


@pytest.mark.parametrize("address", [LOCAL, EVERYWHERE])
@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, {}, None),
        ({"Authorization": f"bearer  {TOKEN}"}, {}, None),
        ({}, {"token": TOKEN}, None),
        ({"Host": "evil.example", "Origin": "null"}, {"token": TOKEN}, None),
        ({}, {}, 401),
        ({}, {"token": ""}, 401),
        ({}, {"token": TOKEN[:-1]}, 401),
        ({}, {"token": "ünïcode\udc80"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, {}, 401),
        ({"Authorization": "Bearer wrong"}, {"token": TOKEN}, 401),
    ],
)
def test_with_a_token_the_token_decides(
    address: Address, headers: dict[str, str], query: dict[str, str], status: int | None
) -> None:
    refusal = Access(address, TOKEN).refusal(headers, query)
    assert (refusal.status if refusal else None) == status


def test_beyond_loopback_a_token_is_needed_and_no_short_one() -> None:
    with pytest.raises(ConfigError, match="EDGEVOICE_SERVE_TOKEN"):
        Access(EVERYWHERE, "")
    with pytest.raises(ConfigError, match="8 or more"):
        Access(LOCAL, "short")
