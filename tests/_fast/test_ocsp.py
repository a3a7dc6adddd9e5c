from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography.x509 import ocsp as witness

from gateway._fast import ocsp, x509
from gateway._fast.errors import TlsError
from tests import certificates
from tests.ocsp_responder import NOW, Authority, pem_of


def test_questions_and_answers() -> None:
    authority = Authority()
    pem, _, subject = authority.issue("a.example", "http://127.0.0.1:1/x")
    chain = x509.load_chain("data:" + pem + pem_of(authority.certificate))
    certificate, issuer = chain.certificate(), chain.issuer()
    assert issuer is not None and ocsp.responders(certificate) == ["http://127.0.0.1:1/x"]
    asked = witness.load_der_ocsp_request(ocsp.question(certificate, issuer))
    assert asked.serial_number == subject.serial_number
    context = certificates.client()
    data = authority.answer(subject)
    until = int((NOW + datetime.timedelta(days=1)).timestamp())
    assert ocsp.is_response(data) and not ocsp.is_response(b"rubbish")
    assert ocsp.answer(context, data, certificate, issuer, chain, ocsp.NOT_AT_ALL) == (ocsp.GOOD, "good", until)
    authority.status = witness.OCSPCertStatus.REVOKED
    status, words, _ = ocsp.answer(context, authority.answer(subject), certificate, issuer, chain, ocsp.NOT_AT_ALL)
    assert status != ocsp.GOOD and words == "revoked"


def test_what_is_not_believed(tmp_path: Path) -> None:
    authority = Authority()
    pem, _, subject = authority.issue("a.example")
    _, _, other = authority.issue("b.example")
    chain = x509.load_chain("data:" + pem + pem_of(authority.certificate))
    certificate, issuer = chain.certificate(), chain.issuer()
    assert issuer is not None
    context = certificates.client()
    for data, belief, words in (
        (b"rubbish", ocsp.NOT_AT_ALL, "d2i_OCSP_RESPONSE"),
        (authority.answer(other), ocsp.NOT_AT_ALL, "certificate status not found in the OCSP response"),
        (authority.answer(subject, datetime.timedelta(minutes=-30)), ocsp.NOT_AT_ALL, "OCSP_check_validity"),
        # nobody said that this authority is trusted
        (authority.answer(subject), ocsp.BY_AUTHORITIES, "OCSP_basic_verify"),
    ):
        with pytest.raises(TlsError, match=words):
            ocsp.answer(context, data, certificate, issuer, chain, belief)
    path = tmp_path / "ca.pem"
    path.write_text(pem_of(authority.certificate))
    context.trust(x509.load_authorities(str(path)))
    believed = ocsp.answer(context, authority.answer(subject), certificate, issuer, chain, ocsp.BY_AUTHORITIES)
    assert believed[0] == ocsp.GOOD
    assert ocsp.issuer_in(context, certificate) is not None
    assert ocsp.issuer_in(certificates.client(), certificate) is None
