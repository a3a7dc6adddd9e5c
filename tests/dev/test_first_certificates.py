"""What a terminal is told while ACME's first certificates are waited for; tests/process/test_acme.py has a real one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.core.acme_client import Wish
from gateway.core.acme_store import Issuer, Wanted
from gateway.core.acme_waiting import Waiting
from gateway.dev import first_certificates
from gateway.dev.first_certificates import Follower, announced, follow, missing
from tests.engine import load_http

WANTED = Wanted(("a.example", "b.example"))
BEGIN = "certificate  a.example, b.example: "


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer("test", str(tmp_path), Wish("https://ca.example/dir"), wanted=[WANTED])


def put(issuer: Issuer, waiting: Waiting) -> None:
    issuer.files.write(f"{WANTED.name}.waits", waiting.dumped())


def test_whose_certificate_is_missing(tmp_path: Path) -> None:
    text = f"""acme_issuer a {{ uri https://ca.example/dir; state_path {tmp_path}; }}
        server {{ listen 127.0.0.1:80; server_name a.example b.example; acme_certificate a; }}"""
    assert missing(None) == []
    assert missing(load_http("server { listen 127.0.0.1:80; }")) == []
    cycle = load_http(text)
    assert [wanted for _, wanted in missing(cycle)] == [WANTED]
    (tmp_path / f"{WANTED.name}.pem").write_text("any")
    assert missing(cycle) == []


def test_what_is_asked_of_whom(issuer: Issuer) -> None:
    (line,) = announced([(issuer, WANTED)])
    assert line.startswith(f"{BEGIN}none yet; test (https://ca.example/dir) is asked for it, by http-01.")


def test_each_step_is_said_once_and_a_problem_with_its_next_try(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    follower = Follower([(issuer, WANTED)], said.append)
    follower.look()
    assert said == []
    now = time.time()
    for waiting in (
        Waiting(now, "ordered"), Waiting(now, "ordered"), Waiting(now, "proved"), Waiting(now, "", "no", now + 60.9),
        Waiting(now, "", "no", now + 60.9), Waiting(now, "ordered", "no"),
    ):  # fmt: skip
        put(issuer, waiting)
        follower.look()
    assert said == [
        f"{BEGIN}waited for since 0 s; ordered", f"{BEGIN}waited for since 0 s; proved",
        f"{BEGIN}waited for since 0 s; the last try failed: no; next try in 61 s",
        f"{BEGIN}waited for since 0 s; ordered",
    ]  # fmt: skip
    begin = time.monotonic()
    monkeypatch.setattr(first_certificates.time, "monotonic", lambda: begin + 20)
    follower.look()
    assert len(said) == 5  # a step that takes long is said again
    issuer.files.write(f"{WANTED.name}.pem", "any")
    follower.look()
    assert said[-1] == f"{BEGIN}it is here, after 0 s" and follower.left == []


def test_it_ends_with_the_master(issuer: Issuer) -> None:
    looks = iter([True, False])
    follow([(issuer, WANTED)], print, lambda: next(looks))
    follow([], print, lambda: True)
