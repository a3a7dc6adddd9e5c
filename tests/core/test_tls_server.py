"""Contexts made of a server's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway._fast.errors import TlsError
from gateway._fast.tls_engine import Engine
from gateway.config.loader import Loader
from gateway.core import tls_server
from gateway.core.tls_objects import Objects
from gateway.core.tls_settings import ON, OPTIONAL_NO_CA, TlsConf
from tests import certificates


def made(**settings: object) -> tls_server.ServerTls | None:
    conf = TlsConf()
    for name, value in settings.items():
        setattr(conf, name, value)
    conf.merge(None)
    return tls_server.make(conf, Objects(), Loader(()), "http")


def test_without_a_certificate() -> None:
    assert made() is None
    bare = made(verify=ON)
    assert bare is not None and bare.context is None and bare.verify == ON
    rejecting = made(reject_handshake=True)
    assert rejecting is not None and rejecting.context is not None and rejecting.rejects
    with pytest.raises(TlsError, match=r'no "ssl_certificate_key" is defined for certificate "/a\.pem"'):
        made(certificates=("/a.pem",))


def test_with_one(tmp_path: Path) -> None:
    chain, key = (str(path) for path in certificates.write(tmp_path))
    tls = made(certificates=(chain,), keys=(key,), session_timeout=77, conf_commands=(("Options", "KTLS"),))
    assert tls is not None and tls.context is not None
    assert tls.context.session_timeout == 77 and tls.context.ktls and not tls.rejects and not tls.varying
    for settings, about in (
        ({"ciphers": "NO"}, "ciphers"),
        ({"ecdh_curve": "NO"}, "ecdh_curve"),
        ({"dhparam": "/nowhere"}, "dhparam"),
        ({"verify": ON}, "verify_client"),
        ({"conf_commands": (("NO", "NO"),)}, "conf_command"),
    ):
        with pytest.raises(TlsError) as caught:
            made(certificates=(chain,), keys=(key,), **settings)
        assert caught.value.about == (about,)


def test_what_a_server_minds() -> None:
    class Answer:
        def __init__(self, number: int) -> None:
            self.number = number

        def verify_result(self) -> int:
            return self.number

    strict, lenient = made(verify=ON), made(verify=OPTIONAL_NO_CA)
    assert strict is not None and lenient is not None
    for number, told in ((0, 0), (20, 0), (18, 0), (10, 10)):
        answer: Engine = Answer(number)  # type: ignore[assignment]
        assert strict.problem(answer) == number and lenient.problem(answer) == told


def test_early_data_and_rejection(tmp_path: Path) -> None:
    chain, key = (str(path) for path in certificates.write(tmp_path))
    one, other = (made(certificates=(chain,), keys=(key,), reject_handshake=reject) for reject in (False, True))
    assert one is not None and other is not None and one.context is not None
    engine = Engine(one.context, -1)
    assert one.accept(engine) == 0 and other.accept(engine) == 112 and not one.context.early_data
