"""The bytes of a reader's tokens, and text as its tokens."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.asr.tokens import TokenTable
from edgevoice.errors import ModelError

BYTES = {number: bytes([number]) for number in range(256)}
TABLE = TokenTable({**BYTES, 256: b" t", 257: b"he", 258: b" the", 259: "é".encode()})


def test_special_tokens_write_nothing() -> None:
    assert TABLE.texts([258, 1000, ord("a")]) == [" the", "", "a"]


def test_a_character_of_several_tokens_is_written_by_its_last() -> None:
    first, second = "é".encode()
    assert TABLE.texts([first, second, ord("!")]) == ["", "é", "!"]


@pytest.mark.parametrize("ids", [[0xC3], [0xC3, ord("a")], [0xFF, ord("a")]])
def test_bytes_that_are_no_text(ids: list[int]) -> None:
    assert "\ufffd" in "".join(TABLE.texts(ids))


@given(st.text())
def test_text_comes_back(text: str) -> None:
    assert "".join(TABLE.texts(TABLE.ids(text))) == text


def test_merges_go_by_rank() -> None:
    assert TABLE.ids(" the") == [258]
    assert TABLE.ids("the") == [ord("t"), 257]


@pytest.mark.parametrize(
    "content",
    [b"YQ== x\n", b"YQ==\n", b"*** 3\n", b"\xff\xfe 3\n", b"YQ== 1 2\n"],
    ids=["no number", "no id", "no base64", "no text", "too much"],
)
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "reader.tiktoken"
    file.write_bytes(content)
    with pytest.raises(ModelError, match="no table of tokens"):
        TokenTable.load(file)


def test_a_table_is_read(tmp_path: Path) -> None:
    file = tmp_path / "reader.tiktoken"
    file.write_bytes(b"".join(base64.b64encode(each) + b" %d\n" % number for number, each in BYTES.items()))
    assert TokenTable.load(file).texts(list(b"hi")) == ["h", "i"]
