"""Making keys and signing with them, by the OpenSSL that gateway has anyway (_fast.openssl): nothing is needed besides.

For certificates that this machine makes for itself, and for asking others for them. None of it is near a request.
"""

from __future__ import annotations

import ctypes
import hashlib
from functools import cache
from typing import Any, Final

from gateway._fast import openssl
from gateway.protocol import der

_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
_RSA_SHA256: Final = "1.2.840.113549.1.1.11"
_EC: Final = "1.2.840.10045.2.1"

# What may be asked for, and what OpenSSL takes for it.
CURVES: Final = {256: "P-256", 384: "P-384", 521: "P-521"}
RSA_SIZES: Final = (2048, 3072, 4096)
# Of a curve, by the bytes of a coordinate: JSON Web Signatures' name, the curve's, and the digest (RFC 7518, 3.4).
_SIGNATURES: Final = {
    32: ("ES256", "P-256", "EVP_sha256"),
    48: ("ES384", "P-384", "EVP_sha384"),
    66: ("ES512", "P-521", "EVP_sha512"),
}


class KeyProblem(Exception):
    """OpenSSL does not do it; the text says what."""


@cache
def _library() -> Any:
    """libcrypto with its prototypes. Errors: OpenSslError."""
    lib = ctypes.CDLL(openssl.where() or None)
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    octets = ctypes.POINTER(ctypes.c_char_p)
    for name, result, arguments in (
        ("EVP_PKEY_Q_keygen", pointer, None),  # takes what the kind of key needs
        ("EVP_PKEY_free", None, [pointer]),
        ("i2d_PUBKEY", ctypes.c_int, [pointer, pointer]),
        ("i2d_PrivateKey", ctypes.c_int, [pointer, pointer]),
        ("d2i_AutoPrivateKey", pointer, [pointer, octets, ctypes.c_long]),
        ("EVP_MD_CTX_new", pointer, []),
        ("EVP_MD_CTX_free", None, [pointer]),
        ("EVP_sha256", pointer, []),
        ("EVP_sha384", pointer, []),
        ("EVP_sha512", pointer, []),
        ("EVP_DigestSignInit", ctypes.c_int, [pointer, pointer, pointer, pointer, pointer]),
        ("EVP_DigestSign", ctypes.c_int, [pointer, text, ctypes.POINTER(size), text, size]),
    ):
        function = getattr(lib, name)
        function.restype = result
        if arguments is not None:
            function.argtypes = arguments
    return lib


class PrivateKey:
    """An elliptic curve's or RSA's."""

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer

    def __del__(self) -> None:
        _library().EVP_PKEY_free(self._pointer)

    @classmethod
    def make(cls, kind: str = "ecdsa", bits: int = 256) -> PrivateKey:
        """Errors: KeyProblem, OpenSslError."""
        lib = _library()
        if kind == "ecdsa" and bits in CURVES:
            made = lib.EVP_PKEY_Q_keygen(None, None, ctypes.c_char_p(b"EC"), ctypes.c_char_p(CURVES[bits].encode()))
        elif kind == "rsa" and bits in RSA_SIZES:
            made = lib.EVP_PKEY_Q_keygen(None, None, ctypes.c_char_p(b"RSA"), ctypes.c_size_t(bits))
        else:
            raise KeyProblem(f"no such key: {kind}:{bits}")
        if not made:
            raise KeyProblem("EVP_PKEY_Q_keygen() failed")
        return cls(made)

    @classmethod
    def from_pem(cls, text: str) -> PrivateKey:
        """Errors: KeyProblem, OpenSslError."""
        for kind in ("EC PRIVATE KEY", "RSA PRIVATE KEY", "PRIVATE KEY"):
            try:
                found = der.unpem(kind, text)
            except der.Malformed as error:
                raise KeyProblem(f"the key is damaged: {error}") from None
            if found:
                data = ctypes.c_char_p(found[0])
                made = _library().d2i_AutoPrivateKey(None, ctypes.byref(data), len(found[0]))
                if not made:
                    raise KeyProblem("d2i_AutoPrivateKey() failed")
                return cls(made)
        raise KeyProblem("there is no private key in it")

    def pem(self) -> str:
        kind = "EC PRIVATE KEY" if self.is_ec else "RSA PRIVATE KEY"
        return der.pem(kind, self._written("i2d_PrivateKey"))

    @property
    def public(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return self._written("i2d_PUBKEY")

    @property
    def is_ec(self) -> bool:
        return der.oid(_EC) in self.public[:64]

    @property
    def id(self) -> bytes:
        """SubjectKeyIdentifier: the SHA-1 of the public key's bits (RFC 5280, 4.2.1.2)."""
        _, key = der.parts(der.read(self.public)[0].body)
        return hashlib.sha1(key.body[1:], usedforsecurity=False).digest()

    @property
    def algorithm(self) -> bytes:
        """AlgorithmIdentifier of sign()."""
        return (
            der.sequence(der.oid(_ECDSA_SHA256))
            if self.is_ec
            else der.sequence(der.oid(_RSA_SHA256), der.element(der.NULL))
        )

    def sign(self, data: bytes, digest: str = "EVP_sha256") -> bytes:
        """In the form that certificates have, with SHA-256 there. Errors: KeyProblem."""
        lib = _library()
        context = lib.EVP_MD_CTX_new()
        try:
            size = ctypes.c_size_t(0)
            if (
                lib.EVP_DigestSignInit(context, None, getattr(lib, digest)(), None, self._pointer) != 1
                or lib.EVP_DigestSign(context, None, ctypes.byref(size), data, len(data)) != 1
            ):
                raise KeyProblem("EVP_DigestSign() failed")
            room = ctypes.create_string_buffer(size.value)
            if lib.EVP_DigestSign(context, room, ctypes.byref(size), data, len(data)) != 1:
                raise KeyProblem("EVP_DigestSign() failed")
            return room.raw[: size.value]
        finally:
            lib.EVP_MD_CTX_free(context)

    @property
    def signature_name(self) -> str:
        """The algorithm of sign_raw(), as JSON Web Signatures name it."""
        return _SIGNATURES[len(self.point()[0])][0] if self.is_ec else "RS256"

    @property
    def curve(self) -> str:
        return _SIGNATURES[len(self.point()[0])][1]

    def sign_raw(self, data: bytes) -> bytes:
        """As JSON Web Signatures want it: of a curve's key r and s one behind the other."""
        if not self.is_ec:
            return self.sign(data)
        size = len(self.point()[0])
        r, s = der.parts(der.read(self.sign(data, _SIGNATURES[size][2]))[0].body)
        return b"".join(int.from_bytes(each.body, "big").to_bytes(size, "big") for each in (r, s))

    def point(self) -> tuple[bytes, bytes]:
        """x and y of a curve's key."""
        _, key = der.parts(der.read(self.public)[0].body)
        size = (len(key.body) - 2) // 2  # behind what says that no bits are unused, and that both are there
        return key.body[2 : 2 + size], key.body[2 + size :]

    def numbers(self) -> tuple[bytes, bytes]:
        """Modulus and exponent of an RSA key."""
        _, key = der.parts(der.read(self.public)[0].body)
        modulus, exponent = der.parts(der.read(key.body[1:])[0].body)
        return modulus.body.lstrip(b"\0"), exponent.body.lstrip(b"\0")

    def _written(self, function: str) -> bytes:
        write = getattr(_library(), function)
        size = write(self._pointer, None)
        if size <= 0:
            raise KeyProblem(f"{function}() failed")
        room = ctypes.create_string_buffer(size)
        place = ctypes.c_void_p(ctypes.addressof(room))
        write(self._pointer, ctypes.byref(place))
        return room.raw
