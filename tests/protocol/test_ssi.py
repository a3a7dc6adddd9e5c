"""Server side includes as events: each mistake with nginx's words, and no split of the input that matters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.ssi import FAILED, Command, Complaint, Parser, Text

Seen = bytes | tuple[bytes, list[tuple[bytes, bytes]]] | str | None


def read(parts: list[bytes], value_length: int = 255) -> list[Seen]:
    """Text as bytes, joined; commands as pairs, complaints as str, None where a command failed."""
    parser = Parser(value_length)
    found: list[Seen] = []

    def text(data: bytes) -> None:
        last = found[-1] if found else None
        if isinstance(last, bytes):
            found[-1] = last + data
        elif data:
            found.append(data)

    for part in parts:
        for event in parser.feed(part):
            if isinstance(event, Text):
                assert event.start < event.end
                text(event.bytes)
            elif isinstance(event, Command):
                found.append((event.name, event.params))
            elif isinstance(event, Complaint):
                found.append(event.message.decode("latin-1"))
            else:
                assert event is FAILED
                found.append(None)
    text(parser.finish())
    return found


CASES: list[tuple[bytes, list[Seen]]] = [
    (b"", []),
    (b"a<b<!-c<!--d-->", [b"a<b<!-c<!--d-->"]),
    (b"a<!--#x -->b", [b"a", (b"x", []), b"b"]),
    (b"<<!--#x--><<", [b"<", (b"x", []), b"<<"]),
    (b"<!--# \r\n\techo \tvar = \"a\" default='b\"c' -->", [(b"echo", [(b"var", b"a"), (b"default", b'b"c')])]),
    (b'<!--#a b="c"d="e" -->', ['unexpected "d" symbol after "c" value of "b" parameter in "a" SSI command', None]),
    (b'<!--#a b="\\"" c=\'\\\'\' -->', [(b"a", [(b"b", b'\\"'), (b"c", b"\\'")])]),
    (b'<!--#a b="c\\\\"-->', [(b"a", [(b"b", b"c\\\\")])]),
    (b"<!--#a b- -->c", ['unexpected "-" symbol after "b" parameter in "a" SSI command', None, b"c"]),
    (b"<!--#a b -->c", ['unexpected "-" symbol after "b" parameter in "a" SSI command', None, b"c"]),
    (b"<!--#a b c -->d", ['unexpected "c" symbol after "b" parameter in "a" SSI command', None, b"d"]),
    (b"<!--#a b=c -->d", ['unexpected "c" symbol before value of "b" parameter in "a" SSI command', None, b"d"]),
    (b"<!--#a b=-->d", ['unexpected "-" symbol before value of "b" parameter in "a" SSI command', None, b"d"]),
    (b"<!--#a -x-->d", ['unexpected "x" symbol in "a" SSI command', None, b"d"]),
    (b"<!--#a --x-->d", ['unexpected "x" symbol in "a" SSI command', None, b"d"]),
    (b"<!--#a --->-->d", ['unexpected "-" symbol in "a" SSI command', None, b"d"]),
    # a third dash is no end, and is not looked at again
    (b"<!--#a b c --->d-->e", ['unexpected "c" symbol after "b" parameter in "a" SSI command', None, b"e"]),
    (b"<!--#" + b"n" * 32 + b" -->", [(b"n" * 32, [])]),
    (b"<!--#" + b"n" * 33 + b" -->x", ['the "' + "n" * 33 + '..." SSI command is too long', None, b"x"]),
    (b"<!--#a " + b"k" * 33 + b"='b'-->", ['too long "' + "k" * 33 + '..." parameter in "a" SSI command', None]),
    (b"<!--#a k='" + b"v" * 255 + b"'-->", [(b"a", [(b"k", b"v" * 255)])]),
    (
        b"<!--#a k='" + b"v" * 256 + b"'-->",
        ['too long "' + "v" * 256 + '..." value of "k" parameter in "a" SSI command', None],
    ),
    # what never ends is dropped, but for what may have been no command
    (b"a<!--#b c='d'", [b"a"]),
    (b"a<!--#b c d", [b"a", 'unexpected "d" symbol after "c" parameter in "b" SSI command']),
    (b"a<!--", [b"a<!--"]),
    (b"a<", [b"a<"]),
    # the command's first letter may be anything
    (b"<!--#- -->", [(b"-", [])]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_events(data: bytes, expected: list[Seen]) -> None:
    assert read([data]) == expected
    assert read([data[at : at + 1] for at in range(len(data))]) == expected
    for at in range(len(data)):
        assert read([data[:at], data[at:]]) == expected


PIECES = st.sampled_from(
    [b"<", b"!", b"-", b"#", b"<!--#", b"-->", b" ", b"=", b'"', b"'", b"\\", b"a", b"include", b"x" * 20, b"\n"]
)


@given(st.lists(PIECES, max_size=40), st.data())
def test_any_split_gives_the_same_events(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert read(parts, value_length=30) == read([whole], value_length=30)


@given(st.lists(PIECES, max_size=40))
def test_what_is_plain_comes_back_as_it_is(pieces: list[bytes]) -> None:
    parser = Parser()
    for piece in pieces:
        plain = bool(piece) and parser.plain(piece)
        events = list(parser.feed(piece))
        if plain:
            (event,) = events
            assert isinstance(event, Text) and event.bytes == piece
    assert not Parser().plain(b"a<!-") and not Parser().plain(b"<!--#echo") and Parser().plain(b"a < b ...")


@given(st.lists(PIECES, max_size=40))
def test_a_command_written_anew_reads_the_same(pieces: list[bytes]) -> None:
    for seen in read([b"".join(pieces)]):
        if isinstance(seen, tuple) and all(b'"' not in value for _, value in seen[1]):
            assert read([Command(*seen).text]) == [seen]


def test_text_knows_where_it_came_from() -> None:
    parser = Parser()
    assert [*parser.feed(b"ab<!")] == [Text(b"ab<!", 0, 2, 0)]
    (text,) = parser.feed(b"cd")
    assert isinstance(text, Text)
    assert (text.bytes, text.start, text.held) == (b"<!cd", 0, 2)
