"""The messages of the protocol, and places counted as editors do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dev.lsp.wire import Malformed, Reader, characters, packed, units


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3), max_size=4), st.integers(1, 40))
def test_messages_in_any_pieces(messages: list[dict[str, str]], size: int) -> None:
    data = b"".join(packed(dict(message)) for message in messages)
    reader = Reader()
    found = [each for at in range(0, len(data), size) for each in reader.feed(data[at : at + size])]
    assert found == [{"jsonrpc": "2.0", **message} for message in messages]


@pytest.mark.parametrize(
    "data", [b"x" * 5000, b"X: 1\r\n\r\n", b"Content-Length: 1\r\n\r\nx", b"Content-Length: 2\r\n\r\n[]",
             b"Content-Length: -1\r\n\r\n"]
)  # fmt: skip
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(Malformed):
        list(Reader().feed(data))


@given(st.text(alphabet="aé€😀", max_size=8), st.integers(0, 8))
def test_places(line: str, at: int) -> None:
    at = min(at, len(line))
    assert characters(line, units(line, at)) == at
    assert units(line, at) == sum(2 if char == "😀" else 1 for char in line[:at])


def test_the_middle_of_a_character() -> None:
    assert characters("a😀b", 2) == 1
