from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.imap_commands import ImapReader
from gateway.protocol.mail_commands import INVALID, NEED_DATA, POP3, SMTP, Command, CommandReader, Event, LineReader


def events(reader: CommandReader, *pieces: bytes) -> list[Command | Event]:
    found: list[Command | Event] = []
    for piece in pieces:
        reader.receive_data(piece)
        while (event := reader.next_event()) is not NEED_DATA:
            found.append(event)
    return found


def smtp(*pieces: bytes) -> list[Command | Event]:
    return events(LineReader(SMTP, 4096), *pieces)


def pop3(*pieces: bytes) -> list[Command | Event]:
    return events(LineReader(POP3, 128), *pieces)


def test_words_and_arguments() -> None:
    assert smtp(b"ehlo a.example\r\n") == [Command(b"EHLO", [b"a.example"], b"ehlo a.example")]
    assert smtp(b"MAIL  FROM:<a@b>  SIZE=1 \n") == [
        Command(b"MAIL", [b"FROM:<a@b>", b"SIZE=1"], b"MAIL  FROM:<a@b>  SIZE=1")
    ]
    assert smtp(b"NOOP\r\n") == [Command(b"NOOP", [], b"NOOP")]


def test_names_and_passwords_have_spaces() -> None:
    assert pop3(b"USER  a b \r\n") == [Command(b"USER", [b"a b "], b"USER  a b")]
    assert pop3(b"PASS \r\n") == [Command(b"PASS", [], b"PASS")]


@pytest.mark.parametrize(
    "line", [b"FOO\r\n", b"\r\n", b" NOOP\r\n", b"NO-OP\r\n", b"NOOP a\rb\r\n", b"NOOP\r\r\n", b"NOOP a b c d\r\n"]
)
def test_what_is_no_command(line: bytes) -> None:
    assert pop3(line, b"NOOP\r\n") == [INVALID, Command(b"NOOP", [], b"NOOP")]


def test_how_many_arguments() -> None:
    words = b" a" * 11
    (command,) = smtp(b"RCPT" + words + b"\r\n")
    assert isinstance(command, Command) and len(command.args) == 11
    assert smtp(b"RCPT" + words + b" a\r\n") == [INVALID]


def test_after_auth_lines_are_answers() -> None:
    reader = LineReader(SMTP, 4096)
    assert events(reader, b"AUTH LOGIN\r\nQUIT\r\n\r\n x  y\r\n") == [
        Command(b"AUTH", [b"LOGIN"], b"AUTH LOGIN"),
        Command(b"", [b"QUIT"]),
        Command(b"", [b""]),
        Command(b"", [b"", b"x", b"y"]),
    ]
    reader.restart()
    assert events(reader, b"QUIT\r\n") == [Command(b"QUIT", [], b"QUIT")]


def test_room() -> None:
    reader = LineReader(POP3, 8)
    reader.receive_data(b"USER abc")
    assert reader.next_event() is NEED_DATA and reader.room == 0
    assert reader.clear() == b"USER abc" and reader.room == 8


@pytest.mark.parametrize(
    ("make", "data"),
    [
        (lambda: LineReader(SMTP, 4096), b"EHLO a\r\nAUTH PLAIN\r\nAGEAYg==\r\nx y\r\nFOO\n"),
        (lambda: LineReader(POP3, 4096), b"USER a b\r\nPASS c\r\n\rx\r\nQUIT\r\n"),
        (lambda: ImapReader(4096), b'1 LOGIN "a\\"b" {3+}\r\nc\nd\r\n2 NOOP\r\n3 LOGIN {2+}\r\nxy z\r\n4 X {3+}\r\n'),
    ],
)
def test_any_split_is_the_same(make: type[CommandReader], data: bytes) -> None:
    whole = events(make(), data)  # type: ignore[call-arg]
    for at in range(1, len(data)):
        assert events(make(), data[:at], data[at:]) == whole  # type: ignore[call-arg]
    assert events(make(), *[data[i : i + 1] for i in range(len(data))]) == whole  # type: ignore[call-arg]


PIECES = st.one_of(st.binary(max_size=20), st.sampled_from([b"a LOGIN {2+}\r\n", b"\r\n", b"AUTH", b' "', b"{"]))


@given(st.lists(PIECES))
def test_nothing_raises(pieces: list[bytes]) -> None:
    for reader in (LineReader(SMTP, 100), LineReader(POP3, 100), ImapReader(100)):
        events(reader, *pieces)
