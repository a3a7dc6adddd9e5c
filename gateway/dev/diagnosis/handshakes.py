"""TLS towards an upstream that did not come about: it speaks plain HTTP, wants to hear a name, or is not believed."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family

# What OpenSSL says of bytes that begin no record of TLS.
_NO_TLS: Final = re.compile(rb"wrong version number|packet length too long|record layer failure|bad record type")
# What servers with several names answer to a client that says none.
_NO_NAME: Final = re.compile(rb"unrecognized name|handshake failure|internal error")
_NO_VERSION: Final = re.compile(rb"alert protocol version|unsupported protocol|no protocols available")
_NO_CERTIFICATE: Final = re.compile(rb"certificate required|bad certificate|unknown ca|certificate unknown")
_VERIFY: Final = re.compile(rb"upstream SSL certificate verify error: \((\d+):")
_MISMATCH: Final = b"upstream SSL certificate does not match"
# X509_V_ERR_… of openssl/x509_vfy.h
_NOT_YET, _EXPIRED, _SELF_SIGNED, _TOO_LONG = 9, 10, 18, 22
_UNKNOWN_ISSUER: Final = frozenset({2, 19, 20, 21})


def _key(failure: Failure) -> Hashable:
    return failure.peer, failure.message


def _text(failure: Failure) -> str | None:
    family, peer = failure.family, failure.peer
    message = failure.message
    verified = _VERIFY.match(message)
    if verified:
        return _untrusted(failure, int(verified[1]))
    if message.startswith(_MISMATCH):
        name = failure.setting(f"{family}_ssl_name", "$proxy_host" if family == "proxy" else "the name of the *_pass")
        return (
            f"the certificate of {peer} is for other names ({_client(peer)} shows them): {name}; write "
            f"{family}_ssl_name NAME; with one of them, and {family}_ssl_server_name on;"
        )
    if _NO_TLS.search(message) or message.startswith(b"peer closed connection"):
        plain = f"proxy_pass http://{peer};" if family == "proxy" else f"{family}_pass {peer};"
        sure = "what came back is no TLS" if _NO_TLS.search(message) else "it closed on the first bytes of TLS"
        return f"{sure}, so {peer} speaks without it: write {plain} here, or let it speak TLS"
    if _NO_VERSION.search(message):
        versions = failure.setting(f"{family}_ssl_protocols", "TLSv1.2 TLSv1.3")
        return f"{peer} and {versions} have no version of TLS in common: write one that it speaks"
    if _NO_CERTIFICATE.search(message):
        certificate = failure.setting(f"{family}_ssl_certificate", "none")
        return (
            f"{peer} wants a certificate of its client, and takes none of: {certificate}; write "
            f"{family}_ssl_certificate and {family}_ssl_certificate_key of one that its authority has signed"
        )
    if _NO_NAME.search(message):
        setting = failure.setting(f"{family}_ssl_server_name", "off")
        return (
            f"{peer} refused the handshake, as servers with several names do with a client that names none: {setting}; "
            f"write {family}_ssl_server_name on; and {family}_ssl_name, if the name is another than that of the *_pass"
        )
    return None


def _client(peer: str) -> str:
    """What shows a peer's certificates."""
    return f"openssl s_client {'-unix' if peer.startswith('unix:') else '-connect'} {peer.removeprefix('unix:')}"


def _untrusted(failure: Failure, code: int) -> str:
    """Why the certificate is not believed. (Not to verify is no remedy: then nobody knows who answers.)"""
    family, peer = failure.family, failure.peer
    trusted = failure.setting(f"{family}_ssl_trusted_certificate", "none")
    if code == _EXPIRED:
        return (
            f"a certificate of {peer}'s chain is past its end ({_client(peer)} | openssl x509 -noout "
            "-dates): renew it there, and let its server load the new one; or this machine's clock is wrong"
        )
    if code == _NOT_YET:
        return f"a certificate of {peer}'s chain is not valid yet: the clock of one of the two machines is wrong (date)"
    if code == _SELF_SIGNED:
        return (
            f"{peer} has a certificate that nobody but itself has signed, and it is not in {trusted}: write "
            f"{family}_ssl_trusted_certificate FILE; with that certificate in it"
        )
    if code in _UNKNOWN_ISSUER:
        return (
            f"who signed {peer}'s certificate is not in {trusted}, or {peer} does not send the certificates between: "
            f"write {family}_ssl_trusted_certificate with the authority's (of public ones: "
            "/etc/ssl/certs/ca-certificates.crt), and let the peer send its full chain"
        )
    if code == _TOO_LONG:
        depth = failure.setting(f"{family}_ssl_verify_depth", "1")
        return f"{depth} is too little for {peer}'s chain: write a higher one"
    return f"{peer}'s certificate is checked against {trusted}; {_client(peer)} shows its chain"


FAMILY: Final = Family(
    (
        b"SSL_do_handshake() failed (SSL:",
        b"peer closed connection in SSL handshake",
        b"upstream SSL certificate verify error",
        _MISMATCH,
    ),
    _key,
    _text,
)
