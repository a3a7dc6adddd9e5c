"""Passwords as htpasswd files have them: crypt(3), $apr1$, {SHA}, {SSHA}, {PLAIN}; nginx's ngx_crypt."""

from __future__ import annotations

import base64
import ctypes
import functools
import hashlib
import re
from typing import Any, Final

_APR1: Final = b"$apr1$"
_ALPHABET: Final = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER: Final = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_DIGITS: Final = re.compile(rb"[A-Za-z0-9+/]*")
_SHA1: Final = 20  # bytes


class CryptError(Exception):
    """crypt(3) failed, or there is none."""


def decode_base64(text: bytes) -> bytes | None:
    """What is before a "=", whole or not; None if it is none. nginx's ngx_decode_base64."""
    digits = text.partition(b"=")[0]
    if _DIGITS.fullmatch(digits) is None or len(digits) % 4 == 1:
        return None
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))


def matches(password: bytes, stored: bytes) -> bool:
    """Whether this is the password. Errors: CryptError."""
    password = password.partition(b"\0")[0]  # to nginx both are strings of C
    return encrypt(password, stored) == stored


def encrypt(password: bytes, stored: bytes) -> bytes:
    """The password in the form, and with the salt, of a stored one. Errors: CryptError."""
    if stored.startswith(_APR1):
        return _apr1(password, stored)
    if stored.startswith(b"{PLAIN}"):
        return b"{PLAIN}" + password
    if stored.startswith(b"{SSHA}"):
        salt = (decode_base64(stored[6:]) or b"")[_SHA1:]
        return b"{SSHA}" + base64.b64encode(hashlib.sha1(password + salt, usedforsecurity=False).digest() + salt)
    if stored.startswith(b"{SHA}"):
        return b"{SHA}" + base64.b64encode(hashlib.sha1(password, usedforsecurity=False).digest())
    encrypted: bytes | None = _libc_crypt()(password, stored)
    if encrypted is None:
        raise CryptError("crypt() failed")
    return encrypted


@functools.cache
def _libc_crypt() -> Any:
    """crypt(3) itself: Python's module of that name is gone from 3.13 on. Errors: CryptError."""
    try:
        function = ctypes.CDLL("libcrypt.so.1").crypt
    except (OSError, AttributeError) as error:
        raise CryptError(f"crypt() is not there: {error}") from None
    function.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    function.restype = ctypes.c_char_p
    return function


def _apr1(password: bytes, stored: bytes) -> bytes:
    """Poul-Henning Kamp's MD5 crypt with Apache's magic."""

    def md5(data: bytes) -> bytes:
        return hashlib.md5(data, usedforsecurity=False).digest()

    salt = stored[len(_APR1) :].partition(b"$")[0][:8]
    mixed = md5(password + salt + password)
    size = len(password)
    data = password + _APR1 + salt + (mixed * (size // 16 + 1))[:size]
    while size:
        data += b"\0" if size & 1 else password[:1]
        size >>= 1
    final = md5(data)
    for turn in range(1000):
        odd = turn & 1
        final = md5(
            (password if odd else final)
            + (salt if turn % 3 else b"")
            + (password if turn % 7 else b"")
            + (final if odd else password)
        )
    out = bytearray()
    for a, b, c in _ORDER:
        out += _to64(final[a] << 16 | final[b] << 8 | final[c], 4)
    return _APR1 + salt + b"$" + bytes(out + _to64(final[11], 2))


def _to64(value: int, count: int) -> bytes:
    return bytes([_ALPHABET[value >> 6 * digit & 0x3F] for digit in range(count)])
