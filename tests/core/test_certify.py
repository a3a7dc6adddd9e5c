"""Certificates, with the cryptography package as witness."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.core import certify
from gateway.core.keys import PrivateKey
from gateway.protocol import der


def test_an_authority_and_what_it_signs() -> None:
    own, key = PrivateKey.make(), PrivateKey.make()
    subject = certify.name("an authority", "somebody")
    root = x509.load_der_x509_certificate(certify.authority(subject, own, 10))
    data = certify.server(["localhost", "127.0.0.1", "bücher.example"], key, certify.Issuer(subject, own), 5)
    leaf = x509.load_der_x509_certificate(data)
    leaf.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "xn--bcher-kva.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert identifier == x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert authority.key_identifier == identifier.digest

    read = certify.read(data)
    assert int.from_bytes(read.serial, "big") == leaf.serial_number
    assert read.authority_key == authority.key_identifier
    assert (read.begins, read.ends) == (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
    assert read.ends - read.begins == datetime.timedelta(days=5, hours=1)


@pytest.mark.parametrize("kind", [("ecdsa", 256), ("rsa", 2048)])
def test_a_request(kind: tuple[str, int]) -> None:
    key = PrivateKey.make(*kind)
    request = x509.load_der_x509_csr(certify.request(["a.example", "b.example"], key))
    assert request.is_signature_valid
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example", "b.example"]


def test_a_challenge() -> None:
    made = x509.load_der_x509_certificate(certify.challenge("a.example", b"d" * 32, PrivateKey.make()))
    found = made.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert found.critical
    assert found.value == x509.UnrecognizedExtension(found.oid, b"\x04\x20" + b"d" * 32)


@pytest.mark.parametrize("data", [b"", b"\x30\x00", der.sequence(der.sequence(der.integer(1)))])
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(der.Malformed):
        certify.read(data)
