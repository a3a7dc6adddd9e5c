"""The PROXY protocol header that goes to an upstream: whose connection this is, in version 1 or 2.

Of a client's TLS it tells what nginx tells, but for the algorithms of our own certificate (sig_alg, key_alg).
"""

from __future__ import annotations

import struct
from typing import Any

from gateway.core.tls_variables import engine_of
from gateway.protocol import proxy_protocol

# Of the TLV about TLS: the client speaks it, and has a certificate, in this connection or in its session.
_SSL, _CERT_CONN, _CERT_SESS = 1, 2, 4
_UNSPECIFIED = 1  # X509_V_ERR_UNSPECIFIED: there is no certificate that could have been verified
_REVOKED = 23


def header(version: int, session: Any, *, datagram: bool = False) -> bytes:
    """Of a session, in this version."""
    addresses = (*session.remote(), *session.local_address())
    if version == 1:
        return proxy_protocol.write(*addresses)
    return proxy_protocol.write_v2(*addresses, datagram=datagram, tlvs=_tlvs(session))


def _tlvs(session: Any) -> list[tuple[int, bytes]]:
    """What is known of the client's TLS."""
    engine = engine_of(session)
    if engine is None:
        return []
    asked = ((proxy_protocol.AUTHORITY, engine.server_name()), (proxy_protocol.ALPN, engine.alpn_protocol()))
    made = [(kind, value) for kind, value in asked if value]
    certificate = engine.peer_certificate()
    client, verify = _SSL, _UNSPECIFIED
    inner = [(proxy_protocol.SSL_VERSION, engine.version())]
    if certificate is not None:
        client |= _CERT_SESS if engine.session_reused else _CERT_SESS | _CERT_CONN
        verify = engine.verify_result() or (_REVOKED if engine.ocsp_problem else 0)
        name = _common_name(certificate.subject())
        if name:
            inner.append((proxy_protocol.SSL_CN, name))
    cipher = engine.cipher()
    if cipher:
        inner.append((proxy_protocol.SSL_CIPHER, cipher))
    inside = b"".join(proxy_protocol.tlv(kind, value) for kind, value in inner)
    made.append((proxy_protocol.SSL, struct.pack("!BI", client, verify) + inside))
    return made


def _common_name(subject: bytes) -> bytes:
    """The CN of a name as RFC 2253 writes it."""
    for part in _parts(subject):
        if part.startswith(b"CN="):
            return _unescaped(part[3:])
    return b""


def _parts(subject: bytes) -> list[bytes]:
    parts, current, at = [], bytearray(), 0
    while at < len(subject):
        char = subject[at : at + 1]
        if char == b"\\":
            current += subject[at : at + 2]
            at += 2
            continue
        if char in (b",", b"+"):
            parts.append(bytes(current))
            current.clear()
        else:
            current += char
        at += 1
    return [*parts, bytes(current)]


def _unescaped(text: bytes) -> bytes:
    made, at = bytearray(), 0
    while at < len(text):
        if text[at : at + 1] != b"\\":
            made += text[at : at + 1]
            at += 1
            continue
        digits = text[at + 1 : at + 3]
        try:
            made.append(int(digits, 16))
            at += 3
        except ValueError:
            made += text[at + 1 : at + 2]
            at += 2
    return bytes(made)
