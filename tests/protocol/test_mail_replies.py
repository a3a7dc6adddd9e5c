from __future__ import annotations

import pytest

from gateway.protocol.mail_replies import BAD, GOOD, MORE, Reply, imap, pop3, smtp


@pytest.mark.parametrize(
    ("data", "reply"),
    [(b"", MORE), (b"+OK\r", MORE), (b"\r\n", MORE), (b"+OK\r\n", GOOD), (b"+OK hi\r\n", GOOD), (b"-ERR\r\n", BAD)],
)
def test_pop3(data: bytes, reply: Reply) -> None:
    assert pop3(data) is reply


@pytest.mark.parametrize(
    ("data", "wanted", "reply"),
    [
        (b"* OK hi\r\n", b"* OK", GOOD),
        (b"* BYE\r\n", b"* OK", BAD),
        (b"+ \r\n", b"+", GOOD),
        (b"t NO\r\n", b"+", BAD),
        (b"t OK\r\n", b"t OK", GOOD),
        (b"u OK\r\n", b"t OK", BAD),
        (b"* CAPABILITY IMAP4\r\n", b"t OK", MORE),
        (b"* CAPABILITY IMAP4\r\nt OK\r\n", b"t OK", GOOD),
        (b"* CAPABILITY IMAP4\r\nt NO\r\n", b"t OK", BAD),
    ],
)
def test_imap(data: bytes, wanted: bytes, reply: Reply) -> None:
    assert imap(data, wanted) is reply


@pytest.mark.parametrize(
    ("data", "codes", "reply"),
    [
        (b"220 hi\r\n", [b"220"], GOOD),
        (b"220-hi\r\n", [b"220"], MORE),
        (b"220-hi\r\n220-ho\r\n", [b"220"], MORE),
        (b"220-hi\r\n220 ho\r\n", [b"220"], GOOD),
        (b"554 no\r\n", [b"220", b"250"], BAD),
        (b"250 x\r\n", [b"220", b"250"], GOOD),
        (b"550 no\r\n", [], GOOD),
    ],
)
def test_smtp(data: bytes, codes: list[bytes], reply: Reply) -> None:
    assert smtp(data, *codes) is reply
