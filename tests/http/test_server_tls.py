"""What a client's certificate has to be for a request, and that a session of a refused one is not kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.core.tls_settings import ON, OPTIONAL
from gateway.http.server_tls import check
from gateway.http.status import CERT_ERROR, NO_CERT


class Engine:
    def __init__(self, problem: int, certificate: object) -> None:
        self.problem = problem
        self.certificate = certificate
        self.forgotten = False
        self.ocsp_problem = ""

    def verify_result(self) -> int:
        return self.problem

    def peer_certificate(self) -> object:
        return self.certificate

    def forget_session(self) -> None:
        self.forgotten = True


@pytest.mark.parametrize(
    ("verify", "problem", "certificate", "status", "words"),
    [
        (ON, 0, "one", None, ""),
        (ON, 10, "one", CERT_ERROR, "client SSL certificate verify error: (10:certificate has expired)"),
        (ON, 0, None, NO_CERT, "client sent no required SSL certificate"),
        (OPTIONAL, 0, None, None, ""),
        (OPTIONAL, 10, "one", CERT_ERROR, "client SSL certificate verify error: (10:certificate has expired)"),
    ],
)
def test_certificates(verify: int, problem: int, certificate: Any, status: int | None, words: str) -> None:
    engine = Engine(problem, certificate)
    told: list[Any] = []
    request: Any = SimpleNamespace(
        host=b"a",
        log=lambda level, text: told.append(text if isinstance(text, str) else text.decode()),
        connection=SimpleNamespace(handshake=SimpleNamespace(name=b"a"), stream=SimpleNamespace(ssl=engine)),
    )
    tls: Any = SimpleNamespace(verify=verify, problem=lambda one: one.verify_result())
    assert check(tls, request) == status
    assert "".join(told) == words and engine.forgotten is (status is not None)


def test_another_host() -> None:
    told: list[Any] = []
    request: Any = SimpleNamespace(
        host=b"b",
        log=lambda level, text: told.append(text),
        connection=SimpleNamespace(handshake=SimpleNamespace(name=b"a"), stream=SimpleNamespace()),
    )
    assert check(SimpleNamespace(verify=ON), request) == 421 and b"different from the one" in told[0]  # type: ignore[arg-type]
    assert check(SimpleNamespace(verify=0), request) is None  # type: ignore[arg-type]
