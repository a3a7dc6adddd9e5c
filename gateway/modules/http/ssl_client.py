"""ssl_client: the variables of a client's certificate ($ssl_client_…), for ssl_verify_client."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import uri
from gateway.core.variables import Getter, Variable
from gateway.http import server_tls

if TYPE_CHECKING:
    from cryptography import x509

    from gateway.http.request import Request

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EMAIL: Final = "1.2.840.113549.1.9.1"


def certificate_of(engine: Any) -> x509.Certificate | None:
    """The client's, None if there is none, or nobody asked for it."""
    get = getattr(engine, "certificate", None)
    return get() if get is not None else None


def problem_text(number: int) -> str:
    from gateway.core.pyopenssl import problem_text as text

    return text(number)


def _of(get: Callable[[x509.Certificate], bytes]) -> Getter:
    """A variable that there is only with a certificate."""

    def value(request: Request) -> bytes | None:
        certificate = certificate_of(server_tls.of(request))
        return get(certificate) if certificate is not None else None

    return value


def _verify(request: Request) -> bytes | None:
    engine = server_tls.of(request)
    if engine is None:
        return None
    if certificate_of(engine) is None:
        return b"NONE"
    problem: int = getattr(engine, "problem", 0)
    return b"FAILED:" + problem_text(problem).encode() if problem else b"SUCCESS"


def _raw(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _name(name: x509.Name) -> bytes:
    """As RFC 2253 has it: the last part first."""
    from cryptography.x509 import ObjectIdentifier

    return name.rfc4514_string({ObjectIdentifier(_EMAIL): "emailAddress"}).encode()


def _legacy_name(name: x509.Name) -> bytes:
    """`/C=…/O=…/CN=…`."""
    parts = []
    for attribute in name:
        kind = "emailAddress" if attribute.oid.dotted_string == _EMAIL else attribute.rfc4514_attribute_name
        parts.append(f"/{kind}={attribute.value!s}")
    return "".join(parts).encode()


def _serial(certificate: x509.Certificate) -> bytes:
    digits = f"{certificate.serial_number:X}"
    return (digits if len(digits) % 2 == 0 else "0" + digits).encode()


def _fingerprint(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA1

    return certificate.fingerprint(SHA1()).hex().encode()


def _time(when: datetime.datetime) -> bytes:
    return f"{_MONTHS[when.month - 1]} {when.day:2d} {when:%H:%M:%S} {when.year} GMT".encode()


def _remain(certificate: x509.Certificate) -> bytes:
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return b"%d" % max(left.days, 0)


VARIABLES: Final = (
    Variable("ssl_client_verify", _verify, changeable=True),
    *(
        Variable(f"ssl_client_{name}", _of(get), changeable=True)
        for name, get in (
            ("cert", lambda c: _raw(c)[:-1].replace(b"\n", b"\n\t")),
            ("raw_cert", _raw),
            ("escaped_cert", lambda c: uri.escape(_raw(c), "uri_component")),
            ("s_dn", lambda c: _name(c.subject)),
            ("i_dn", lambda c: _name(c.issuer)),
            ("s_dn_legacy", lambda c: _legacy_name(c.subject)),
            ("i_dn_legacy", lambda c: _legacy_name(c.issuer)),
            ("serial", _serial),
            ("fingerprint", _fingerprint),
            ("v_start", lambda c: _time(c.not_valid_before_utc)),
            ("v_end", lambda c: _time(c.not_valid_after_utc)),
            ("v_remain", _remain),
        )
    ),
)
