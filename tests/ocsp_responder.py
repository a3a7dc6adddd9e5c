"""An authority with an OCSP responder, by the cryptography package."""

from __future__ import annotations

import base64
import datetime
from typing import Any
from urllib.parse import unquote

import h11
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("authority", self.key.public_key(), ca=True)
        self.status = ocsp.OCSPCertStatus.GOOD
        self.asked = 0
        self.content_type = "application/ocsp-response"
        self.code = 200

    def _sign(self, name: str, key: Any, *, ca: bool = False, url: str = "") -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("authority"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(days=1))
            .not_valid_after(NOW + datetime.timedelta(days=9))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        )
        if url:
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
            made = made.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        return made.sign(self.key, hashes.SHA256())

    def issue(self, name: str, url: str = "") -> tuple[str, str, x509.Certificate]:
        """A certificate and its key as `data:` and PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign(name, key.public_key(), url=url)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem_of(made), pem.decode(), made

    def answer(self, subject: x509.Certificate, until: datetime.timedelta = datetime.timedelta(days=1)) -> bytes:
        revoked = NOW if self.status is ocsp.OCSPCertStatus.REVOKED else None
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=subject,
            issuer=self.certificate,
            algorithm=hashes.SHA1(),
            cert_status=self.status,
            this_update=NOW - datetime.timedelta(hours=1),
            next_update=NOW + until,
            revocation_time=revoked,
            revocation_reason=None,
        )
        made = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).sign(self.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.DER)

    async def respond(self, stream: trio.SocketStream, subject: x509.Certificate) -> None:
        """Serve one question."""
        self.asked += 1
        server = h11.Connection(h11.SERVER)
        async with stream:
            while (event := server.next_event()) is h11.NEED_DATA:
                server.receive_data(await stream.receive_some())
            assert isinstance(event, h11.Request)
            question = base64.b64decode(unquote(event.target.decode().rpartition("/")[2]))
            if question:
                assert ocsp.load_der_ocsp_request(question).serial_number == subject.serial_number
            head = h11.Response(
                status_code=self.code, headers=[("Content-Type", self.content_type), ("Connection", "close")]
            )
            parts = [head, h11.Data(data=self.answer(subject)), h11.EndOfMessage()]
            await stream.send_all(b"".join(server.send(part) or b"" for part in parts))


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
