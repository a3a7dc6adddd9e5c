"""TLS at run time: streams over contexts, and what went wrong, in the words of OpenSSL as nginx prints them.

Loaded by what uses TLS alone: Python's ssl takes as long to load as the configuration of a small site.
"""

from __future__ import annotations

import re
import ssl
from typing import Any, Final

from gateway._fast.stream import Stream
from gateway._fast.tls import TlsStream

# The names that OpenSSL's messages have for the parts of the library.
_LIBRARIES: Final = {
    "SSL": "SSL routines",
    "X509": "x509 certificate routines",
    "X509V3": "X509 V3 routines",
    "PEM": "PEM routines",
    "BIO": "BIO routines",
    "EVP": "digital envelope routines",
    "RSA": "rsa routines",
    "EC": "elliptic curve routines",
    "DH": "Diffie-Hellman routines",
    "ASN1": "asn1 encoding routines",
    "SYS": "system library",
}

# What any client can bring about, by a mistake or on purpose; the rest is worth an administrator's look.
# fmt: off
_ORDINARY: Final = frozenset((
    "BAD_CHANGE_CIPHER_SPEC", "NO_SUITABLE_KEY_SHARE", "BAD_ALERT", "BAD_KEY_SHARE", "BAD_EXTENSION",
    "BAD_DIGEST_LENGTH", "MISSING_SIGALGS_EXTENSION", "BAD_PACKET_LENGTH", "NO_SUITABLE_SIGNATURE_ALGORITHM",
    "BAD_KEY_UPDATE", "BLOCK_CIPHER_PAD_IS_WRONG", "CCS_RECEIVED_EARLY", "DECODE_ERROR",
    "DATA_BETWEEN_CCS_AND_FINISHED", "DATA_LENGTH_TOO_LONG", "DIGEST_CHECK_FAILED", "ENCRYPTED_LENGTH_TOO_LONG",
    "ERROR_IN_RECEIVED_CIPHER_LIST", "EXCESSIVE_MESSAGE_SIZE", "GOT_A_FIN_BEFORE_A_CCS", "HTTPS_PROXY_REQUEST",
    "HTTP_REQUEST", "LENGTH_MISMATCH", "LENGTH_TOO_SHORT", "NO_RENEGOTIATION", "NO_CIPHERS_PASSED",
    "NO_CIPHERS_SPECIFIED", "BAD_CIPHER", "NO_COMPRESSION_SPECIFIED", "NO_SHARED_CIPHER", "PACKET_LENGTH_TOO_LONG",
    "INVALID_ALERT", "RECORD_LENGTH_MISMATCH", "TOO_MANY_WARNING_ALERTS", "CLIENTHELLO_TLSEXT", "PARSE_TLSEXT",
    "CALLBACK_FAILED", "TLS_RSA_ENCRYPTED_VALUE_LENGTH_IS_WRONG", "NO_APPLICATION_PROTOCOL", "UNEXPECTED_MESSAGE",
    "UNEXPECTED_RECORD", "UNKNOWN_ALERT_TYPE", "UNKNOWN_PROTOCOL", "NO_COMMON_SIGNATURE_ALGORITHMS",
    "INVALID_COMPRESSION_LIST", "MISSING_KEY_SHARE", "UNSUPPORTED_PROTOCOL", "NO_SHARED_GROUP",
    "WRONG_VERSION_NUMBER", "TOO_MUCH_SKIPPED_EARLY_DATA", "BAD_LENGTH", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "APPLICATION_DATA_AFTER_CLOSE_NOTIFY", "APPLICATION_DATA_ON_SHUTDOWN", "BAD_LEGACY_VERSION",
    "MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA", "RECORD_TOO_SMALL", "SSL3_SESSION_ID_TOO_LONG",
    "TLS_SESSION_ID_TOO_LONG", "BAD_ECPOINT", "RECORD_LAYER_FAILURE", "RENEGOTIATE_EXT_TOO_LONG",
    "RENEGOTIATION_ENCODING_ERR", "RENEGOTIATION_MISMATCH", "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
    "SCSV_RECEIVED_WHEN_RENEGOTIATING", "INAPPROPRIATE_FALLBACK", "NO_SHARED_SIGNATURE_ALGORITHMS", "CERT_CB_ERROR",
    "VERSION_TOO_LOW", "TOO_MANY_WARN_ALERTS", "BAD_RECORD_TYPE",
))
# fmt: on

_TEXT: Final = re.compile(r"\] (?P<text>.*?)(?: \(_ssl\.c:\d+\))?$")


def secure(
    plain: Stream,
    context: ssl.SSLContext,
    *,
    server_side: bool = False,
    server_name: bytes | None = None,
    session: ssl.SSLSession | None = None,
    data: bytes = b"",
    record: int = 16384,
) -> TlsStream:
    """TLS over a connected stream, which is of no use from now on; `data` is what was received from it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    name: Any = server_name  # as bytes it goes out as it is, without IDNA
    engine = context.wrap_bio(incoming, outgoing, server_side=server_side, server_hostname=name, session=session)
    return TlsStream(plain, engine, incoming, outgoing, data, record)


def words(error: ssl.SSLError) -> str:
    """`SSL: error:0A00010B:SSL routines::wrong version number`."""
    found = _TEXT.search(str(error))
    text = found["text"] if found is not None else str(error)
    library, reason = error.library or "", error.reason or ""
    # What Python's ssl knows the numbers by; without it the words have to do.
    codes: Any = getattr(getattr(ssl, "_ssl", None), "err_names_to_codes", {})
    number = codes.get(reason)
    if number is None:
        return f"SSL: {text}"
    part, code = number
    return f"SSL: error:{part << 23 | code:08X}:{_LIBRARIES.get(library, library)}::{text}"


def verified_chain(engine: Any) -> list[Any] | None:
    """The chain from the peer's certificate to a trusted one; None where Python's ssl has no way to say."""
    for holder in (engine, getattr(engine, "_sslobj", None)):  # public of sockets alone, from Python 3.13 on
        get = getattr(holder, "get_verified_chain", None)
        if get is not None:
            return list(get() or ())
    return None


class HandshakeFailure:
    """Why a handshake failed: what to log, and whether it is everyday."""

    __slots__ = ("error", "ordinary", "text")

    def __init__(self, failure: OSError) -> None:
        self.error: OSError | None = None
        if isinstance(failure, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            self.text = b"peer closed connection in SSL handshake"
            self.ordinary = True
        elif isinstance(failure, ssl.SSLError):
            self.text = f"SSL_do_handshake() failed ({words(failure)})".encode("utf-8", "surrogateescape")
            reason = failure.reason or ""
            self.ordinary = reason in _ORDINARY or "_ALERT_" in reason
        else:
            self.text = b"peer closed connection in SSL handshake"
            self.error = failure
            self.ordinary = True
