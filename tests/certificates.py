"""Certificates for tests, made by trustme: one authority for the run, and what it has signed."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

import trio
import trustme

from gateway._fast import tls_callbacks, x509
from gateway._fast.tls_context import Context
from gateway.core.tls_settings import DEFAULT_PROTOCOLS
from tests.engine import Engine


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


@functools.cache
def certificate(*names: str) -> trustme.LeafCert:
    return authority().issue_cert(*(names or ("localhost",)))


def write(folder: Path, *names: str, stem: str = "server") -> tuple[Path, Path]:
    """A certificate with its chain, and its key, in files."""
    issued = certificate(*names)
    chain, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key


def write_authority(folder: Path) -> Path:
    path = folder / "ca.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return path


def server_context(*names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate(*names).configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def server(*names: str, protocols: int = DEFAULT_PROTOCOLS) -> Context:
    """gateway's own, for the same."""
    issued = certificate(*names)
    made = Context(server=True, protocols=protocols)
    tls_callbacks.serve(made)
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    made.use(
        x509.load_chain("data:" + chain.decode()), x509.load_key("data:" + issued.private_key_pem.bytes().decode(), ())
    )
    return made


def client(*, protocols: int = DEFAULT_PROTOCOLS) -> Context:
    return Context(server=False, protocols=protocols)


async def exchange(engine: Engine, context: ssl.SSLContext, data: bytes, name: str = "localhost") -> bytes:
    """Send a request over TLS, and read until the server closes."""
    plain = engine.connect()
    async with trio.SSLStream(plain, context, server_hostname=name, https_compatible=True) as stream:
        await stream.send_all(data)
        received = b""
        async for chunk in stream:
            received += chunk
        return received
