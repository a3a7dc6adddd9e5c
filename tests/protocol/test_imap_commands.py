from __future__ import annotations

import pytest

from gateway.protocol.imap_commands import ImapReader
from gateway.protocol.mail_commands import INVALID, LITERAL, NEED_DATA, Command, Event


def read(data: bytes, size: int = 4096) -> list[Command | Event]:
    reader = ImapReader(size)
    reader.receive_data(data)
    found: list[Command | Event] = []
    while (event := reader.next_event()) is not NEED_DATA:
        found.append(event)
    return found


@pytest.mark.parametrize(
    ("line", "args"),
    [
        (b"a1 LOGIN user secret", [b"user", b"secret"]),
        (b'a1   login "us er"  "se\\"cr\\\\et"', [b"us er", b'se"cr\\et']),
        (b'a1 LOGIN "a""b"', [b"a", b"b"]),
        (b'a1 LOGIN us"er x', [b'us"er', b"x"]),
        (b"a1 LOGIN {4+}\r\nuser {3+}\r\na\r\n", [b"user", b"a\r\n"]),
        (b"a1 LOGIN {0+}\r\n x", [b"", b"x"]),
        (b"a1 LOGIN", []),
    ],
)
def test_arguments(line: bytes, args: list[bytes]) -> None:
    (command,) = read(line + b"\r\n")
    assert command == Command(b"LOGIN", args)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"a1",
        b"a*1 NOOP",
        b"a" * 33 + b" NOOP",
        b"a1 FETCH 1",
        b"a1 ",
        b"a1 LOGIN a b c d",
        b'a1 LOGIN "a\\',
        b"a1 LOGIN {4",
        b"a1 LOGIN {x}",
        b"a1 LOGIN {-1}",
        b"a1 LOGIN {4}x",
        b"a1 LOGIN {99999999999999999999}",
        b"a1 LOGIN {1+}\r\nax",
    ],
)
def test_what_is_no_command(line: bytes) -> None:
    assert read(line + b"\r\nb NOOP\r\n") == [INVALID, Command(b"NOOP", [])]


def test_a_literal_waits_to_be_asked_for() -> None:
    reader = ImapReader(100)
    reader.receive_data(b"t LOGIN {4}\r\n")
    assert reader.next_event() is LITERAL
    assert reader.next_event() is NEED_DATA
    reader.receive_data(b"user {1}\r\n")
    assert reader.next_event() is LITERAL
    reader.receive_data(b"p\r\n")
    assert reader.next_event() == Command(b"LOGIN", [b"user", b"p"])
    assert reader.tag == b"t "


def test_a_literal_that_does_not_fit() -> None:
    reader = ImapReader(20)
    reader.receive_data(b"t LOGIN {50}\r\n")
    assert reader.next_event() is LITERAL
    reader.receive_data(b"x" * reader.room)
    assert reader.next_event() is NEED_DATA and reader.room == 0


def test_what_is_kept_counts() -> None:
    reader = ImapReader(20)
    reader.receive_data(b"t LOGIN {9+}\r\n")
    assert reader.next_event() is NEED_DATA
    reader.receive_data(b"123456789 {3+}\r\n")
    assert reader.next_event() is NEED_DATA
    assert reader.room == 11


def test_literals_that_come_unasked_after_a_mistake() -> None:
    reader = ImapReader(100)
    reader.receive_data(b"t FETCH {4+}\r\n")
    assert reader.next_event() is INVALID and reader.literal_follows
    reader.receive_data(b"t FETCH {4}\r\n")
    assert reader.next_event() is INVALID and not reader.literal_follows


def test_after_authenticate() -> None:
    reader = ImapReader(100)
    reader.receive_data(b't AUTHENTICATE PLAIN\r\n"x" {1}\r\n\r\n')
    assert reader.next_event() == Command(b"AUTHENTICATE", [b"PLAIN"])
    command = reader.next_event()
    assert command is LITERAL or isinstance(command, Command)
    assert reader.tag == b"t "
    reader.restart()
    reader.clear()
    reader.receive_data(b"u NOOP\r\n")
    assert reader.next_event() == Command(b"NOOP", [])
