"""TLS contexts, made of the values of directives at load, with nginx's words for what is wrong."""

from __future__ import annotations

import functools
import os
import re
import ssl
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from gateway.core.tls import words

# The bits of `*_ssl_protocols`. The first two are taken, as by nginx, and OpenSSL has neither any more.
PROTOCOLS: Final = {"SSLv2": 1, "SSLv3": 2, "TLSv1": 4, "TLSv1.1": 8, "TLSv1.2": 16, "TLSv1.3": 32}
DEFAULT_PROTOCOLS: Final = PROTOCOLS["TLSv1.2"] | PROTOCOLS["TLSv1.3"]

_VERSIONS: Final = (
    (4, ssl.TLSVersion.TLSv1, ssl.OP_NO_TLSv1),
    (8, ssl.TLSVersion.TLSv1_1, ssl.OP_NO_TLSv1_1),
    (16, ssl.TLSVersion.TLSv1_2, ssl.OP_NO_TLSv1_2),
    (32, ssl.TLSVersion.TLSv1_3, ssl.OP_NO_TLSv1_3),
)

_CERTIFICATE: Final = re.compile(rb"-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----")
_KEY: Final = re.compile(rb"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----")
_CRL: Final = re.compile(rb"-----BEGIN X509 CRL-----")


class TlsError(ValueError):
    """A value that cannot be used; str() has nginx's words, `about` the directives that it is about."""

    def __init__(self, message: str, *about: str) -> None:
        super().__init__(message)
        self.about = about


def new_context(*, server_side: bool, protocols: int, ciphers: str, prefer_server: bool = False) -> ssl.SSLContext:
    """A context that neither has a certificate nor verifies one. Errors: TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Python's ssl leaves these to its users; nginx, and what it speaks to, has both.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if prefer_server:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if server_side:
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE | ssl.OP_SINGLE_DH_USE
    wanted = [(version, option) for bit, version, option in _VERSIONS if protocols & bit]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of old protocols, which were asked for
        if wanted:
            context.minimum_version = wanted[0][0]
            context.maximum_version = wanted[-1][0]
            for version, option in ((version, option) for _, version, option in _VERSIONS):
                if wanted[0][0] < version < wanted[-1][0] and (version, option) not in wanted:
                    context.options |= option
        else:
            for _, _, option in _VERSIONS:
                context.options |= option
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        raise TlsError(
            f'SSL_CTX_set_cipher_list("{ciphers}") failed (SSL: error:0A0000B9:SSL routines::no cipher match)',
            "ciphers",
        ) from None
    return context


def load_certificate(context: ssl.SSLContext, certificate: str, key: str, passwords: Sequence[bytes] = ()) -> None:
    """A certificate with its chain, and its key; each a path or `data:` and PEM. Errors: TlsError."""
    chain = read_pem(certificate, "certificate")
    if not _CERTIFICATE.search(chain):
        raise TlsError(
            f'cannot load certificate "{certificate}": PEM_read_bio_X509_AUX() failed '
            f"(SSL: error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE)"
        )
    secret = read_pem(key, "certificate key")
    if not _KEY.search(secret):
        raise TlsError(
            f'cannot load certificate key "{key}": PEM_read_bio_PrivateKey() failed '
            f"(SSL: error:1E08010C:DECODER routines::unsupported:No supported data to decode. Input type: PEM)"
        )
    failure: ssl.SSLError | None = None
    with as_file(chain) as chain_path, as_file(secret) as key_path:
        for password in passwords or (b"",):  # an empty one, so that OpenSSL does not ask on the terminal
            try:
                context.load_cert_chain(chain_path, key_path, password)
                return
            except ssl.SSLError as error:
                failure = error
    assert failure is not None
    if failure.reason == "KEY_VALUES_MISMATCH":
        raise TlsError(f'SSL_CTX_use_PrivateKey("{key}") failed ({words(failure)})')
    if _loads(chain):
        raise TlsError(f'cannot load certificate key "{key}": PEM_read_bio_PrivateKey() failed ({words(failure)})')
    raise TlsError(f'cannot load certificate "{certificate}": PEM_read_bio_X509_AUX() failed ({words(failure)})')


def trust(context: ssl.SSLContext, path: str) -> None:
    """Take the CA certificates of a file. Errors: TlsError."""
    _take(context, path, "certificate", _CERTIFICATE, "PEM_read_bio_X509_AUX", "TRUSTED CERTIFICATE")


def revoke(context: ssl.SSLContext, path: str) -> None:
    """Check all certificates of a chain against the CRLs of a file. Errors: TlsError."""
    _take(context, path, "CRL", _CRL, "PEM_read_bio_X509_CRL", "X509 CRL")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def _take(context: ssl.SSLContext, path: str, what: str, pattern: re.Pattern[bytes], call: str, expected: str) -> None:
    """Load a file in which there is at least one of these; `call` is the one of OpenSSL's that nginx names."""
    data = read_pem(path, what)
    try:
        if not pattern.search(data):
            raise ssl.SSLError(f"no {what}")
        with as_file(data) as name:
            context.load_verify_locations(name)
    except ssl.SSLError:
        raise TlsError(
            f'cannot load {what} "{path}": {call}() failed '
            f"(SSL: error:0480006C:PEM routines::no start line:Expecting: {expected})"
        ) from None


def read_passwords(path: str) -> list[bytes]:
    """The lines of a password file. Errors: TlsError."""
    try:
        with open(path, "rb") as opened:
            data = opened.read()
    except OSError as error:
        # nginx can open a directory
        call = "read()" if isinstance(error, IsADirectoryError) else "open()"
        raise TlsError(f'{call} "{path}" failed ({error.errno}: {error.strerror})') from None
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [line for line in lines if line]


def read_pem(name: str, what: str) -> bytes:
    """A file, or what stands behind `data:`. Errors: TlsError."""
    if name.startswith("data:"):
        return name[5:].encode("utf-8", "surrogateescape")
    try:
        with open(name, "rb") as opened:
            return opened.read()
    except OSError as error:
        number = error.errno or 0
        second = "10000080:BIO routines::no such file" if number == 2 else "10080002:BIO routines::system lib"
        raise TlsError(
            f'cannot load {what} "{name}": BIO_new_file() failed (SSL: error:8{number:07X}:system library::'
            f"{os.strerror(number)}:calling fopen({name}, r) error:{second})"
        ) from None


def without_trust(data: bytes) -> bytes:
    """CA certificates as they are without the trust settings of OpenSSL's TRUSTED CERTIFICATE."""
    if b"TRUSTED CERTIFICATE" not in data:
        return data
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with as_file(data) as name:
        context.load_verify_locations(name)
    return "".join(ssl.DER_cert_to_PEM_cert(each) for each in context.get_ca_certs(binary_form=True)).encode()


@contextmanager
def as_file(data: bytes) -> Iterator[str]:
    """A path that Python's ssl can read this from: it takes chains and keys from files alone."""
    fd = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _loads(chain: bytes) -> bool:
    try:
        context: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with as_file(chain) as name:
            context.load_verify_locations(name)
    except ssl.SSLError:
        return False
    return True


# Curves that OpenSSL offers where none is asked for; Python's ssl can set one, and not choose among these.
_DEFAULT_CURVES: Final = frozenset(
    ("X25519", "prime256v1", "P-256", "X448", "secp521r1", "P-521", "secp384r1", "P-384")
)
_NIST: Final = {"P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1"}


def set_curve(context: ssl.SSLContext, names: str) -> None:
    """`ssl_ecdh_curve` with one curve; of several, those that are the default anyway. Errors: TlsError."""
    curves = names.split(":")
    if hasattr(context, "set_groups"):  # Python 3.15
        try:
            context.set_groups(names)
        except ssl.SSLError as error:
            raise TlsError(f'SSL_CTX_set1_curves_list("{names}") failed ({words(error)})', "ecdh_curve") from None
        return
    if len(curves) > 1 and _DEFAULT_CURVES.issuperset(curves):
        return
    if len(curves) > 1:
        text = "needs Python 3.15: before, one curve can be set"
        raise TlsError(f'SSL_CTX_set1_curves_list("{names}") {text}', "ecdh_curve")
    try:
        context.set_ecdh_curve(_NIST.get(names, names))
    except (ssl.SSLError, ValueError):
        raise TlsError(f'SSL_CTX_set1_curves_list("{names}") failed', "ecdh_curve") from None


def load_dh(context: ssl.SSLContext, path: str) -> None:
    """Parameters for DHE ciphers. Errors: TlsError."""
    try:
        context.load_dh_params(path)
    except ssl.SSLError as error:
        raise TlsError(f'PEM_read_bio_Parameters("{path}") failed ({words(error)})', "dhparam") from None
    except OSError as error:
        raise TlsError(f'BIO_new_file("{path}") failed ({error.errno}: {error.strerror})', "dhparam") from None


def without_tickets(context: ssl.SSLContext) -> None:
    context.options |= ssl.OP_NO_TICKET


@functools.cache
def cipher_names() -> dict[int, str]:
    """OpenSSL's names of the cipher suites that it knows, by their number on the wire."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL@SECLEVEL=0")
    return {cipher["id"] & 0xFFFF: cipher["name"] for cipher in context.get_ciphers()}
