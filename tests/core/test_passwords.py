"""Passwords: the forms of htpasswd files; those of crypt and of $apr1$ are from `openssl passwd`."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.passwords import decode_base64, encrypt, matches

SSHA = b"{SSHA}" + base64.b64encode(hashlib.sha1(b"secretsalt").digest() + b"salt")
SHA512 = b"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"


@pytest.mark.parametrize(
    ("password", "stored"),
    [
        (b"password", b"$apr1$12345678$9pHAGSBYtlmFtid2xxNog0"),
        (b"", b"$apr1$12345678$sHuPAw7VA9xjRbJz7zKV7/"),
        (b"abcdefghijklmnopqrstuvwxyz", b"$apr1$12345678$3r8Y3PzZ8R3Txft/dyUwt/"),
        (b"a", b"$apr1$x$16j9.5e7KiXmuYFAYpPJM/"),
        (b"secret", SSHA),
        (b"secret", b"{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest())),
        (b"secret", b"{PLAIN}secret"),
        (b"", b"{PLAIN}"),
        (b"Hello world!", SHA512),
        (b"secret\0, and what C does not see", b"{PLAIN}secret"),
    ],
)
def test_matches(password: bytes, stored: bytes) -> None:
    assert matches(password, stored)
    assert not matches(b"x" + password, stored)


@pytest.mark.parametrize(
    "stored", [b"$apr1$", b"{SSHA}_____", b"{SSHA}Zm9v", b"{SHA}", b"$1$", b"", b"secret", b"{plain}secret"]
)
def test_broken(stored: bytes) -> None:
    assert not matches(b"secret", stored)


def test_the_salt_ends_at_eight() -> None:
    assert encrypt(b"a", b"$apr1$123456789") == encrypt(b"a", b"$apr1$12345678$")


@pytest.mark.parametrize(
    ("text", "decoded"),
    [(b"YQ==", b"a"), (b"YQ", b"a"), (b"YWI=x", b"ab"), (b"YWJj", b"abc"), (b"YWJjZ", None), (b"Y-==", None)],
)
def test_base64(text: bytes, decoded: bytes | None) -> None:
    assert decode_base64(text) == decoded


@given(st.binary(max_size=50))
def test_base64_is_undone(data: bytes) -> None:
    assert decode_base64(base64.b64encode(data)) == data
