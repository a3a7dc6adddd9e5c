"""Certificates that this machine makes, and requests for those of others (RFC 5280, RFC 2986)."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from typing import Final

from gateway.core.keys import PrivateKey
from gateway.protocol import der

_COMMON_NAME: Final = "2.5.4.3"
_ORGANISATION: Final = "2.5.4.10"
_KEY_USAGE: Final = "2.5.29.15"
_EXTENDED: Final = "2.5.29.37"
_NAMES: Final = "2.5.29.17"
_CONSTRAINTS: Final = "2.5.29.19"
_SUBJECT_KEY: Final = "2.5.29.14"
_AUTHORITY_KEY: Final = "2.5.29.35"
_SERVER: Final = "1.3.6.1.5.5.7.3.1"
_EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
_ACME_IDENTIFIER: Final = "1.3.6.1.5.5.7.1.31"

# Clocks differ, and a certificate that begins in the future is refused.
_BEFORE: Final = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: the name as it stands in certificates, and the key."""

    name: bytes
    key: PrivateKey


def name(common: str, organisation: str = "") -> bytes:
    """A distinguished name."""
    found = [(_ORGANISATION, organisation)] if organisation else []
    found.append((_COMMON_NAME, common))
    return der.sequence(*(der.set_of(der.sequence(der.oid(kind), der.text(value))) for kind, value in found))


def _extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return der.sequence(der.oid(kind), *([der.boolean(True)] if critical else []), der.octets(value))


def alternative_names(hosts: list[str]) -> bytes:
    """subjectAltName of host names and addresses."""
    found = []
    for host in hosts:
        try:
            found.append(der.tagged(7, ipaddress.ip_address(host).packed, constructed=False))
        except ValueError:
            found.append(der.tagged(2, host.encode("idna" if not host.isascii() else "ascii"), constructed=False))
    return der.sequence(*found)


def _signed(body: bytes, key: PrivateKey) -> bytes:
    return der.sequence(body, key.algorithm, der.bits(key.sign(body)))


def _certificate(
    subject: bytes, key: PrivateKey, issuer: Issuer, days: float, extensions: list[bytes], now: datetime.datetime
) -> bytes:
    serial = int.from_bytes(os.urandom(16), "big") >> 1 | 1
    body = der.sequence(
        der.tagged(0, der.integer(2)),
        der.integer(serial),
        issuer.key.algorithm,
        issuer.name,
        der.sequence(der.time(now - _BEFORE), der.time(now + datetime.timedelta(days=days))),
        subject,
        key.public,
        der.tagged(3, der.sequence(*extensions)),
    )
    return _signed(body, issuer.key)


def _now(now: datetime.datetime | None) -> datetime.datetime:
    return now or datetime.datetime.now(datetime.UTC)


def authority(subject: bytes, key: PrivateKey, days: float, now: datetime.datetime | None = None) -> bytes:
    """A certificate that signs others, but no further authorities."""
    extensions = [
        _extension(_CONSTRAINTS, der.sequence(der.boolean(True), der.integer(0)), critical=True),
        _extension(_KEY_USAGE, der.bits(b"\x06", 1), critical=True),  # keyCertSign, cRLSign
        _extension(_SUBJECT_KEY, der.octets(key.id)),
    ]
    return _certificate(subject, key, Issuer(subject, key), days, extensions, _now(now))


def server(
    hosts: list[str], key: PrivateKey, issuer: Issuer, days: float, now: datetime.datetime | None = None
) -> bytes:
    """A server's, for these names and addresses."""
    extensions = [
        _extension(_KEY_USAGE, der.bits(b"\x80", 7), critical=True),  # digitalSignature
        _extension(_EXTENDED, der.sequence(der.oid(_SERVER))),
        _extension(_SUBJECT_KEY, der.octets(key.id)),
        _extension(_AUTHORITY_KEY, der.sequence(der.tagged(0, issuer.key.id, constructed=False))),
        _extension(_NAMES, alternative_names(hosts)),
    ]
    return _certificate(name(hosts[0]), key, issuer, days, extensions, _now(now))


def challenge(host: str, digest: bytes, key: PrivateKey) -> bytes:
    """What a server shows to prove that a name is its own (tls-alpn-01, RFC 8737): signed by itself."""
    subject = name("acme challenge")
    extensions = [
        _extension(_NAMES, alternative_names([host])),
        _extension(_ACME_IDENTIFIER, der.octets(digest), critical=True),
    ]
    return _certificate(subject, key, Issuer(subject, key), 7, extensions, _now(None))


def request(hosts: list[str], key: PrivateKey, *, common_name: bool = False) -> bytes:
    """A certification request for these names; `common_name`: the first is the subject's, too."""
    wanted = der.sequence(_extension(_NAMES, alternative_names(hosts)))
    attribute = der.sequence(der.oid(_EXTENSION_REQUEST), der.set_of(wanted))
    subject = name(hosts[0]) if common_name else der.sequence()
    body = der.sequence(der.integer(0), subject, key.public, der.tagged(0, attribute))
    return _signed(body, key)


@dataclass(frozen=True, slots=True)
class Read:
    """What is asked of a certificate that is there."""

    subject: bytes
    serial: bytes  # as it stands there
    authority_key: bytes
    begins: datetime.datetime
    ends: datetime.datetime


def read(certificate: bytes) -> Read:
    """Errors: der.Malformed."""
    try:
        fields = der.parts(der.parts(der.read(certificate)[0].body)[0].body)
        if fields[0].tag == 0xA0:
            del fields[0]
        serial, _, _, validity, subject, _, *more = fields
        begins, ends = (der.read_time(each) for each in der.parts(validity.body))
        return Read(subject.whole, serial.body, _authority_key(more), begins, ends)
    except (IndexError, ValueError) as error:
        raise der.Malformed(str(error)) from None


def _authority_key(more: list[der.Element]) -> bytes:
    for block in more:
        if block.tag != 0xA3:
            continue
        for extension in der.parts(der.read(block.body)[0].body):
            kind, *_, value = der.parts(extension.body)
            if kind.whole == der.oid(_AUTHORITY_KEY):
                for each in der.parts(der.read(value.body)[0].body):
                    if each.tag == 0x80:
                        return each.body
    return b""
