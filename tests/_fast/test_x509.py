from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509 as witness
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway._fast import x509
from gateway._fast.errors import TlsError
from tests import certificates


@pytest.mark.parametrize("year", [1969, 1970, 1999, 2000, 2024, 2026, 2100, 9999])
def test_seconds_of_a_time(year: int) -> None:
    for month, day in ((1, 1), (2, 28), (3, 1), (12, 31), *([(2, 29)] if year in (2000, 2024) else [])):
        when = datetime.datetime(year, month, day, 23, 5, 7, tzinfo=datetime.UTC)
        assert x509.seconds(f"{when:%b} {day:2d} 23:05:07 {year} GMT") == when.timestamp()


NO_TIMES = ("", "Bad time value", "Feb  3 00:55:52 2026", "Foo  3 0:0:0 2026 GMT", "Feb x 0:0:0 2026 GMT")


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        x509.seconds(text)


def test_a_chain_and_its_key(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    made = x509.load_chain(str(chain))
    assert made.name == str(chain) and len(made) == 1
    assert x509.load_key(str(key)).name == str(key)
    assert len(x509.load_chain("data:" + chain.read_text())) == 1
    x509.load_key("data:" + key.read_text())
    both = chain.read_text() + certificates.authority().cert_pem.bytes().decode()
    made = x509.load_chain("data:" + both)
    issuer = made.issuer()
    assert len(made) == 2 and issuer is not None and issuer.subject() == made.certificate().issuer()
    assert x509.load_chain(str(chain)).issuer() is None


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    _, key = certificates.write(tmp_path)
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for load, name, message in (
        (x509.load_chain, "/nowhere/c", r"BIO_new_file\(\) failed \(SSL: error:80000002:.*No such file"),
        (x509.load_key, "/nowhere/k", r"BIO_new_file\(\) failed"),
        (x509.load_chain, str(empty), r"PEM_read_bio_X509_AUX\(\) failed \(SSL: error:.*no start line"),
        (x509.load_authorities, str(key), r"PEM_read_bio_X509_AUX\(\) failed"),
        (x509.load_authorities, "data:", r"BIO_new_file\(\) failed"),  # a file of that name
        (x509.load_key, str(empty), r"PEM_read_bio_PrivateKey\(\) failed"),
        (x509.load_key, "engine:nothing", r"^invalid syntax$"),
        (x509.load_key, "engine:nothing:key", r"ENGINE_by_id\(\) failed|is not supported"),
        (x509.load_key, "store:nothing:key", r"OSSL_STORE_(open|load)\(\) failed"),
        (x509.load_chain, "data:-----BEGIN CERTIFICATE-----", "PEM_read_bio_X509_AUX"),
    ):
        with pytest.raises(TlsError, match=message):
            load(name)
    x509.load_key("store:file:" + str(key), ())


def test_passwords(tmp_path: Path) -> None:
    _, key = certificates.write(tmp_path)
    secret = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"right"),
        )
    )
    assert x509.load_key(str(key), [b"wrong", b"right"]).encrypted
    x509.load_key("store:file:" + str(key), [b"right"])
    for passwords in ([b"wrong"], []):
        with pytest.raises(TlsError, match="PEM_read_bio_PrivateKey"):
            x509.load_key(str(key), passwords)


def issue(name: witness.Name) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
    made = (
        witness.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0xABC)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=400))
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    certificate = x509.load_chain("data:" + pem.decode()).certificate()
    assert certificate.pem() == pem and certificate.der() == made.public_bytes(serialization.Encoding.DER)
    assert certificate.fingerprint().decode() == made.fingerprint(hashes.SHA1()).hex()
    return certificate


def test_names_cannot_say_more_than_a_name() -> None:
    """What would end a line of a protocol, or means something in a name, is escaped (RFC 2253)."""
    attributes = [
        (NameOID.COUNTRY_NAME, "DE"),
        (NameOID.ORGANIZATION_NAME, "a, b=c+d"),
        (NameOID.COMMON_NAME, "x\r\nX-Admin: 1 \u00fc"),
    ]
    certificate = issue(witness.Name([witness.NameAttribute(kind, value) for kind, value in attributes]))
    assert certificate.subject() == rb"CN=x\0D\0AX-Admin: 1 \C3\BC,O=a\, b=c\+d,C=DE"
    assert certificate.issuer() == certificate.subject()
    assert b"\r" not in certificate.subject_legacy() and certificate.subject_legacy().startswith(b"/C=DE/O=a, b=c")
    assert certificate.issuer_legacy() == certificate.subject_legacy()
    assert certificate.serial() == b"0ABC"
    assert certificate.not_before() == b"Feb  3 04:05:06 2026 GMT"
    assert certificate.not_after() == b"Mar 10 04:05:06 2027 GMT"


@pytest.mark.parametrize(
    ("name", "text", "legacy"),
    [
        ("x\r\nX-Admin: 1", rb"CN=x\0D\0AX-Admin: 1", rb"/CN=x\x0D\x0AX-Admin: 1"),
        ("\u00fc", rb"CN=\C3\BC", rb"/CN=\xC3\xBC"),
        ("\U0001f600", rb"CN=\F0\9F\98\80", rb"/CN=\xF0\x9F\x98\x80"),
        ("a\0b", rb"CN=a\00b", rb"/CN=a\x00b"),
        ("a\x7f\x1b\tb", rb"CN=a\7F\1B\09b", rb"/CN=a\x7F\x1B\x09b"),
        (" a ", rb"CN=\ a\ ", rb"/CN= a "),
        ("#a#", rb"CN=\#a#", rb"/CN=#a#"),
        ('a,b+c"d<e>f;g\\h=i/j*k(l)', rb"CN=a\,b\+c\"d\<e\>f\;g\\h=i/j*k(l)", rb'/CN=a,b\+c"d<e>f;g\h=i\/j*k(l)'),
    ],
)
def test_what_could_end_a_line_or_a_part_is_escaped(name: str, text: bytes, legacy: bytes) -> None:
    """nginx's answers, with OpenSSL 3."""
    certificate = issue(witness.Name([witness.NameAttribute(NameOID.COMMON_NAME, name)]))
    assert (certificate.subject(), certificate.subject_legacy()) == (text, legacy)


def test_hosts() -> None:
    for names, host, good in (
        (["a.example"], b"a.example", True),
        (["a.example"], b"A.example", True),
        (["*.example.com"], b"x.example.com", True),
        (["*.example.com"], b"x.y.example.com", False),
        (["a.example"], b"b.example", False),
        (["a.example"], b"", False),
    ):
        issued = certificates.certificate(*names)
        pem = issued.cert_chain_pems[0].bytes().decode()
        assert x509.load_chain("data:" + pem).certificate().matches(host) is good
