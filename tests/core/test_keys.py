"""Keys and signatures, with the cryptography package as witness."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from gateway.core.keys import KeyProblem, PrivateKey


@pytest.mark.parametrize("kind", [("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)])
def test_the_witness_reads_it_and_believes_what_it_signs(kind: tuple[str, int]) -> None:
    key = PrivateKey.make(*kind)
    theirs: Any = serialization.load_pem_private_key(key.pem().encode(), None)
    public = theirs.public_key()
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert public.public_bytes(*form) == key.public
    assert theirs.key_size == kind[1]
    signature = key.sign(b"a text")
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, b"a text", ec.ECDSA(hashes.SHA256()))
    else:
        assert isinstance(public, rsa.RSAPublicKey)
        public.verify(signature, b"a text", padding.PKCS1v15(), hashes.SHA256())
    assert PrivateKey.from_pem(key.pem()).public == key.public


@pytest.mark.parametrize(
    ("bits", "size", "digest", "name"),
    [(256, 32, hashes.SHA256(), "ES256"), (384, 48, hashes.SHA384(), "ES384"), (521, 66, hashes.SHA512(), "ES512")],
)
def test_raw_signatures(bits: int, size: int, digest: hashes.HashAlgorithm, name: str) -> None:
    key = PrivateKey.make("ecdsa", bits)
    assert (key.signature_name, key.curve) == (name, f"P-{bits}")
    public = serialization.load_der_public_key(key.public)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    for number in range(20):  # a short r or s is filled up
        raw = key.sign_raw(b"%d" % number)
        assert len(raw) == 2 * size
        r, s = (int.from_bytes(raw[at : at + size], "big") for at in (0, size))
        public.verify(encode_dss_signature(r, s), b"%d" % number, ec.ECDSA(digest))
    numbers = public.public_numbers()
    assert key.point() == (numbers.x.to_bytes(size, "big"), numbers.y.to_bytes(size, "big"))


def test_a_key_of_another_form_is_read() -> None:
    theirs = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = PrivateKey.from_pem(theirs.private_bytes(*form).decode())
    assert key.is_ec


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "-----BEGIN EC PRIVATE KEY-----"]
)
def test_damage(text: str) -> None:
    with pytest.raises(KeyProblem):
        PrivateKey.from_pem(text)


@pytest.mark.parametrize("kind", [("ecdsa", 255), ("rsa", 1024), ("dsa", 2048)])
def test_no_such_key(kind: tuple[str, int]) -> None:
    with pytest.raises(KeyProblem, match="no such key"):
        PrivateKey.make(*kind)
