from __future__ import annotations

from pathlib import Path

import pytest

from gateway._fast import x509
from gateway._fast.errors import TlsError
from gateway._fast.tls_context import Context, wire_format
from gateway.core.tls_settings import DEFAULT_PROTOCOLS
from tests import certificates


def context() -> Context:
    return Context(server=True, protocols=DEFAULT_PROTOCOLS)


def test_ciphers() -> None:
    with pytest.raises(TlsError, match=r'SSL_CTX_set_cipher_list\("NO"\) failed \(SSL: .*no cipher match\)') as caught:
        context().set_ciphers("NO")
    assert caught.value.about == ("ciphers",)


def test_a_key_that_is_anothers(tmp_path: Path) -> None:
    chain, _ = certificates.write(tmp_path)
    _, other = certificates.write(tmp_path, "other.example", stem="other")
    with pytest.raises(TlsError, match=r'SSL_CTX_use_PrivateKey\(".*"\) failed \(SSL: .*key values mismatch\)'):
        context().use(x509.load_chain(str(chain)), x509.load_key(str(other)))


def test_authorities_and_crls(tmp_path: Path) -> None:
    made = context()
    authority = x509.load_authorities(str(certificates.write_authority(tmp_path)))
    made.trust(authority, tell_clients=True)
    made.trust(authority)  # twice is no error
    _, key = certificates.write(tmp_path)
    for name, words in ((str(key), r"PEM_read_bio_X509_CRL\(\) failed"), ("/nowhere", r"BIO_new_file\(\) failed")):
        with pytest.raises(TlsError, match=words):
            made.revoke(x509.load_revoked(name))


def test_curves() -> None:
    for names in ("prime256v1", "P-384", "X25519:prime256v1:secp384r1"):
        context().set_curves(names)
    for names in ("unknown", "prime256v1:unknown"):
        with pytest.raises(TlsError, match="SSL_CTX_set1_curves_list"):
            context().set_curves(names)


def test_parameters_for_dh(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match='BIO_new_file\\("/nowhere"\\) failed'):
        context().set_dh("/nowhere")
    chain, _ = certificates.write(tmp_path)
    with pytest.raises(TlsError, match="PEM_read_bio_Parameters"):
        context().set_dh(str(chain))


def test_commands(tmp_path: Path) -> None:
    made = context()
    made.command([("Options", "KTLS"), ("Ciphersuites", "TLS_AES_128_GCM_SHA256")], str)
    assert made.ktls and not context().ktls
    chain, _ = certificates.write(tmp_path)
    named: list[str] = []
    made.command([("Certificate", "server.pem")], lambda name: named.append(name) or str(chain))
    assert named == ["server.pem"]  # a path is completed, and nothing else is
    for pair in (("Nothing", "here"), ("Protocol", "TLSv9")):
        with pytest.raises(TlsError, match=rf'SSL_CONF_cmd\("{pair[0]}", "{pair[1]}"\) failed \(SSL: '):
            context().command([pair], str)


def test_names_of_protocols() -> None:
    assert wire_format([b"h2", b"http/1.1"]) == b"\x02h2\x08http/1.1"
