from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from gateway.core import tls_context
from gateway.core.tls_context import DEFAULT_PROTOCOLS, PROTOCOLS, TlsError
from tests import certificates


def context(protocols: int = DEFAULT_PROTOCOLS, ciphers: str = "DEFAULT") -> ssl.SSLContext:
    return tls_context.new_context(server_side=True, protocols=protocols, ciphers=ciphers)


def test_protocols() -> None:
    made = context()
    assert (made.minimum_version, made.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    made = context(PROTOCOLS["TLSv1.3"])
    assert (made.minimum_version, made.maximum_version) == (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
    made = context(PROTOCOLS["TLSv1"] | PROTOCOLS["TLSv1.2"])
    assert made.options & ssl.OP_NO_TLSv1_1 and not made.options & ssl.OP_NO_TLSv1_2


def test_ciphers() -> None:
    with pytest.raises(TlsError, match=r'SSL_CTX_set_cipher_list\("NO"\) failed \(SSL: .*no cipher match\)'):
        context(ciphers="NO")


def test_certificates(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    tls_context.load_certificate(context(), str(chain), str(key))
    data = "data:" + chain.read_text(), "data:" + key.read_text()
    tls_context.load_certificate(context(), *data)


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    _, other = certificates.write(tmp_path, "other.example", stem="other")
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for one, two, message in (
        ("/nowhere/c", str(key), r'cannot load certificate "/nowhere/c": BIO_new_file\(\) failed .*No such file'),
        (str(chain), "/nowhere/k", r'cannot load certificate key "/nowhere/k": BIO_new_file\(\) failed'),
        (str(empty), str(key), r'cannot load certificate ".*": PEM_read_bio_X509_AUX\(\) failed .*no start line'),
        (str(chain), str(empty), r'cannot load certificate key ".*": PEM_read_bio_PrivateKey\(\) failed'),
        (str(chain), str(other), r'SSL_CTX_use_PrivateKey\(".*"\) failed \(SSL: .*key values mismatch\)'),
        ("data:-----BEGIN CERTIFICATE-----", str(key), 'cannot load certificate "data:'),
    ):
        with pytest.raises(TlsError, match=message):
            tls_context.load_certificate(context(), one, two)


def test_passwords(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    chain, key = certificates.write(tmp_path)
    secret = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"right"),
        )
    )
    words = tmp_path / "words"
    words.write_bytes(b"wrong\r\n\nright")
    passwords = tls_context.read_passwords(str(words))
    assert passwords == [b"wrong", b"right"]
    tls_context.load_certificate(context(), str(chain), str(key), passwords)
    with pytest.raises(TlsError, match="cannot load certificate key"):
        tls_context.load_certificate(context(), str(chain), str(key), [b"wrong"])
    with pytest.raises(TlsError, match="cannot load certificate key"):
        tls_context.load_certificate(context(), str(chain), str(key))
    with pytest.raises(TlsError, match=r'open\(\) "/nowhere" failed \(2: No such file'):
        tls_context.read_passwords("/nowhere")


def test_authorities_and_crls(tmp_path: Path) -> None:
    made = context()
    tls_context.trust(made, str(certificates.write_authority(tmp_path)))
    assert made.cert_store_stats()["x509_ca"] == 1
    _, key = certificates.write(tmp_path)
    with pytest.raises(TlsError, match=r'cannot load certificate ".*server\.key"'):
        tls_context.trust(made, str(key))
    with pytest.raises(TlsError, match=r'cannot load CRL ".*server\.key"'):
        tls_context.revoke(made, str(key))
    with pytest.raises(TlsError, match='cannot load CRL "/nowhere": BIO_new_file'):
        tls_context.revoke(made, "/nowhere")


def test_curves() -> None:
    tls_context.set_curve(context(), "prime256v1")
    tls_context.set_curve(context(), "P-384")
    tls_context.set_curve(context(), "X25519:prime256v1:secp384r1")
    for names in ("unknown", "prime256v1:unknown"):
        with pytest.raises(TlsError, match="SSL_CTX_set1_curves_list"):
            tls_context.set_curve(context(), names)


def test_parameters_for_dh(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match='BIO_new_file\\("/nowhere"\\) failed'):
        tls_context.load_dh(context(), "/nowhere")
    chain, _ = certificates.write(tmp_path)
    with pytest.raises(TlsError, match="PEM_read_bio_Parameters"):
        tls_context.load_dh(context(), str(chain))


def test_names_of_ciphers() -> None:
    names = tls_context.cipher_names()
    assert names[0xC02F] == "ECDHE-RSA-AES128-GCM-SHA256" and names[0x1301] == "TLS_AES_128_GCM_SHA256"
