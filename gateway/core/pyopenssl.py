"""TLS by pyOpenSSL, with the face of ssl.SSLObject, for the one thing that Python's ssl cannot do.

A client's certificate that does not verify must not end the handshake: nginx answers it with 400, and `optional_no_ca`
takes it. Python's ssl has no verify callback. Imported by a configuration with ssl_verify_client alone.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from gateway._fast.stream import Stream
from gateway._fast.tls import TlsStream
from gateway.core.tls_context import PROTOCOLS, TlsError, as_file, read_pem, without_trust

_VERSIONS: Final = {
    PROTOCOLS["TLSv1"]: SSL.TLS1_VERSION,
    PROTOCOLS["TLSv1.1"]: SSL.TLS1_1_VERSION,
    PROTOCOLS["TLSv1.2"]: SSL.TLS1_2_VERSION,
    PROTOCOLS["TLSv1.3"]: SSL.TLS1_3_VERSION,
}
_MOST: Final = 1 << 16


class VerifyingContext:
    """A server's context that asks for a client's certificate, and remembers what is wrong with it."""

    def __init__(self, protocols: int, ciphers: str, *, prefer_server: bool) -> None:
        context = self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        wanted = [version for bit, version in _VERSIONS.items() if protocols & bit]
        context.set_min_proto_version(wanted[0] if wanted else SSL.TLS1_3_VERSION)
        context.set_max_proto_version(wanted[-1] if wanted else SSL.TLS1_VERSION)
        try:
            context.set_cipher_list(ciphers.encode())
        except SSL.Error:
            raise TlsError(
                f'SSL_CTX_set_cipher_list("{ciphers}") failed (SSL: error:0A0000B9:SSL routines::no cipher match)',
                "ciphers",
            ) from None
        # What was wrong with a certificate is not in a session, so none may be resumed.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(
            SSL.OP_NO_TICKET
            | SSL.OP_NO_RENEGOTIATION
            | SSL.OP_IGNORE_UNEXPECTED_EOF
            | (SSL.OP_CIPHER_SERVER_PREFERENCE if prefer_server else 0)
        )

    def load_certificate(self, certificate: str, key: str, passwords: Sequence[bytes]) -> None:
        """As tls_context.load_certificate(), which has tried these before."""
        with as_file(read_pem(certificate, "certificate")) as path:
            self.context.use_certificate_chain_file(path)
        secret = read_pem(key, "certificate key")
        for password in (None, *passwords):
            try:
                loaded: Any = load_pem_private_key(secret, password)
                break
            except (TypeError, ValueError):
                continue
        else:
            raise TlsError(f'cannot load certificate key "{key}": PEM_read_bio_PrivateKey() failed')
        self.context.use_privatekey(loaded)

    def verify(self, client_ca: str, trusted: str, depth: int) -> None:
        """Ask for a certificate of these authorities; those of `client_ca` are named to the client."""
        for name in (client_ca, trusted):
            if not name:
                continue
            data = read_pem(name, "certificate")
            try:
                with as_file(data) as path:
                    self.context.load_verify_locations(path)
                if name == client_ca:
                    with as_file(without_trust(data)) as path:
                        self.context.load_client_ca(path.encode())
            except SSL.Error:
                raise TlsError(
                    f'cannot load certificate "{name}": PEM_read_bio_X509_AUX() failed '
                    f"(SSL: error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE)",
                    "client_certificate",
                ) from None
        self.context.set_verify(SSL.VERIFY_PEER, _note_problem)
        self.context.set_verify_depth(depth)

    def revoke(self, path: str) -> None:
        """Check chains against the CRLs of a file."""
        store = self.context.get_cert_store()
        assert store is not None
        data = read_pem(path, "CRL")
        begin = b"-----BEGIN X509 CRL-----"
        parts = data.split(begin)[1:]
        if not parts:
            raise TlsError(f'cannot load CRL "{path}": PEM_read_bio_X509_CRL() failed', "crl")
        for part in parts:
            store.add_crl(x509.load_pem_x509_crl(begin + part))
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)

    def set_alpn_protocols(self, names: list[str]) -> None:
        def choose(connection: SSL.Connection, offered: list[bytes]) -> Any:
            for name in names:
                if name.encode() in offered:
                    return name.encode()
            return SSL.NO_OVERLAPPING_PROTOCOLS

        self.context.set_alpn_select_callback(choose)

    def secure(self, plain: Stream, data: bytes, record: int) -> TlsStream:
        engine = Engine(self)
        return TlsStream(plain, engine, engine.incoming, engine.outgoing, data, record)


def _note_problem(connection: SSL.Connection, certificate: Any, number: int, depth: int, ok: int) -> bool:
    """OpenSSL's verify callback: the handshake goes on in any case; the first problem counts."""
    engine: Engine = connection.get_app_data()
    if number and not engine.problem:
        engine.problem = number
    return True


class _Incoming:
    """ssl.MemoryBIO's face, for what comes from the peer."""

    def __init__(self, connection: SSL.Connection) -> None:
        self.connection = connection
        # pyOpenSSL does not say how much there is: something, until a read finds nothing (records may come together)
        self.pending = 0

    def write(self, data: bytes) -> int:
        self.pending = 1
        return self.connection.bio_write(data)

    def write_eof(self) -> None:
        self.connection.bio_shutdown()


class _Outgoing:
    """ssl.MemoryBIO's face, for what goes to the peer."""

    def __init__(self, connection: SSL.Connection) -> None:
        self.connection = connection
        self.data = b""

    @property
    def pending(self) -> int:
        while True:
            try:
                self.data += self.connection.bio_read(_MOST)
            except SSL.Error:
                return len(self.data)

    def read(self) -> bytes:
        _ = self.pending
        data, self.data = self.data, b""
        return data


class Engine:
    """A server's end of a connection; errors are those of ssl.SSLObject."""

    def __init__(self, context: VerifyingContext) -> None:
        self.context = context
        self.connection = SSL.Connection(context.context, None)
        self.connection.set_app_data(self)
        self.connection.set_accept_state()
        self.incoming = _Incoming(self.connection)
        self.outgoing = _Outgoing(self.connection)
        self.problem = 0  # X509_V_ERR_…, of the client's certificate
        self.session = None
        self.session_reused = False

    def do_handshake(self) -> None:
        self._do(self.connection.do_handshake)
        self.connection.set_app_data(None)  # no cycle is left; later there is nothing to verify

    def read(self, limit: int) -> bytes:
        try:
            data: bytes = self._do(self.connection.recv, limit)
        except ssl.SSLWantReadError:
            self.incoming.pending = 0
            raise
        except ssl.SSLZeroReturnError:
            return b""
        return data

    def write(self, data: bytes | memoryview) -> int:
        count: int = self._do(self.connection.send, bytes(data))
        return count

    def pending(self) -> int:
        return self.connection.pending()

    def unwrap(self) -> None:
        self._do(self.connection.shutdown)

    def version(self) -> str:
        return self.connection.get_protocol_version_name()

    def cipher(self) -> tuple[str | None]:
        return (self.connection.get_cipher_name(),)

    def selected_alpn_protocol(self) -> str:
        return self.connection.get_alpn_proto_negotiated().decode("latin-1")

    def certificate(self) -> x509.Certificate | None:
        """The client's."""
        return self.connection.get_peer_certificate(as_cryptography=True)

    @staticmethod
    def _do(call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except SSL.WantReadError:
            raise ssl.SSLWantReadError from None
        except SSL.ZeroReturnError:
            raise ssl.SSLZeroReturnError from None
        except SSL.SysCallError as error:
            raise ssl.SSLEOFError(8, str(error)) from None
        except SSL.Error as error:
            raise _translated(error) from None


def _translated(error: SSL.Error) -> ssl.SSLError:
    """What Python's ssl would have raised."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    text = queue[-1][2] if queue else "unknown"
    reason = text.upper().replace(" ", "_")
    made = ssl.SSLError(1, f"[SSL: {reason}] {text}")
    made.reason, made.library = reason, "SSL"
    return made


def problem_text(number: int) -> str:
    """OpenSSL's words for X509_V_ERR_…, which pyOpenSSL keeps to itself."""
    library: Any = SSL._lib  # type: ignore[attr-defined]
    ffi: Any = SSL._ffi  # type: ignore[attr-defined]
    text: bytes = ffi.string(library.X509_verify_cert_error_string(number))
    return text.decode()
