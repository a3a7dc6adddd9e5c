"""What ACME keeps on disk, and when it does something; tests/process/test_acme.py has a real authority."""

from __future__ import annotations

import datetime
import os
import ssl
import time
from pathlib import Path

import pytest

from gateway.core import acme_store, certify
from gateway.core.acme_client import AcmeProblem, Wish, certificate_id
from gateway.core.acme_files import write
from gateway.core.acme_store import HookSolver, HttpSolver, Issuer, Keeper, Wanted
from gateway.core.keys import PrivateKey
from gateway.protocol import der

WANTED = Wanted(("a.example", "b.example"))


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    (tmp_path / "state").mkdir()
    return Issuer("test", str(tmp_path / "state"), Wish("http://127.0.0.1:1/dir"), wanted=[WANTED])


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def keeper(issuer: Issuer, said: list[str]) -> Keeper:
    def log(level: str, text: str) -> None:
        if level == "error":
            said.append(f"[{level}] {text}")

    return Keeper(issuer, log)


def _put(issuer: Issuer, days: float, began: datetime.datetime | None = None) -> bytes:
    key = PrivateKey.make()
    leaf = certify.server(["a.example"], key, certify.Issuer(certify.name("x"), key), days, began)
    write(issuer.path(f"{WANTED.name}.pem"), key.pem() + der.pem("CERTIFICATE", leaf))
    return leaf


def test_nothing_is_due_for_two_thirds_of_the_time(issuer: Issuer, keeper: Keeper, said: list[str]) -> None:
    _put(issuer, 90)
    days = keeper._due(WANTED) / 86400
    assert 59 < days < 61
    assert keeper.turn() == 3600
    assert said == []


@pytest.mark.parametrize("what", ["old", "damaged", "none"])
def test_what_is_due_is_tried_less_and_less_often(
    issuer: Issuer, keeper: Keeper, said: list[str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "old":
        _put(issuer, 90, datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=61))
    elif what == "damaged":
        write(issuer.path(f"{WANTED.name}.pem"), "nonsense")
    assert keeper._due(WANTED) == 0
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    waits = []
    for _ in range(20):
        waits.append(keeper.turn())
        now += waits[-1]
    assert waits[:4] == [60, 120, 240, 480]
    assert max(waits) == 3600  # the look at the others
    assert said[-1].endswith("next try in 21600 s")
    kept = "there is no certificate yet" if what == "none" else "the old certificate goes on"
    assert said[0].startswith("[error] acme: test: a.example, b.example: ")
    assert said[0].endswith(f"; {kept}, next try in 60 s")


def test_the_authority_says_when(issuer: Issuer, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = _put(issuer, 90)
    asked: list[bytes] = []
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)

    class Client:
        def renewal(self, certificate: bytes) -> tuple[datetime.datetime, float] | None:
            asked.append(certificate)
            return soon, 600.0

    monkeypatch.setattr(keeper, "_logged_in", Client)
    assert 3590 < keeper._due(WANTED) < 3600
    assert 3590 < keeper._due(WANTED) < 3600
    assert asked == [leaf]  # no oftener than it wants
    assert keeper._replaced(WANTED) == certificate_id(leaf)
    _put(issuer, 90)
    keeper._due(WANTED)
    assert len(asked) == 2  # of another certificate it is asked anew


def test_what_nobody_thought_of_is_said_and_tried_again(
    issuer: Issuer, keeper: Keeper, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(wanted: Wanted) -> float:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(keeper, "_due", breaks)
    assert keeper.turn() == 60
    assert said == ["[error] acme: test: a.example, b.example: ZeroDivisionError a bug; there is no certificate yet, "
                    "next try in 60 s"]  # fmt: skip


def test_the_authority_s_own_certificate_in_nginx_s_words() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = 18, "self-signed certificate"
    assert acme_store._words(error) == "upstream SSL certificate verify error: (18:self-signed certificate)"


def test_issuers_with_one_folder_have_a_duty_each(issuer: Issuer, keeper: Keeper) -> None:
    other = Keeper(Issuer("other", issuer.folder), lambda level, text: None)
    assert keeper.take_duty()
    assert other.take_duty()
    keeper.drop_duty()
    other.drop_duty()


def test_one_worker_has_the_duty(issuer: Issuer, keeper: Keeper) -> None:
    other = Keeper(Issuer(issuer.name, issuer.folder), lambda level, text: None)
    assert keeper.take_duty()
    assert keeper.take_duty()
    assert not other.take_duty()
    keeper.drop_duty()
    assert not keeper.going
    assert other.take_duty()
    other.drop_duty()


def test_how_far_the_first_one_is(issuer: Issuer, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others read it while it is waited for, over tries; it is gone when there is one."""
    steps: list[str] = []

    def issue(wanted: Wanted) -> None:
        keeper._step(wanted, "the certificate is ordered")
        steps.append(issuer.waiting(wanted).words())  # type: ignore[union-attr]
        if len(steps) == 1:
            raise AcmeProblem("no")
        issue_really(wanted)

    class Client:
        def certificate(self, hosts: list[str], key: PrivateKey, *_: object) -> str:
            leaf = certify.server(hosts, key, certify.Issuer(certify.name("x"), key), 90, None)
            return der.pem("CERTIFICATE", leaf)

    issue_really = keeper._issue
    monkeypatch.setattr(keeper, "_logged_in", Client)
    monkeypatch.setattr(keeper, "_issue", issue)
    assert issuer.waiting(WANTED) is None
    assert keeper.turn() == 60
    after = issuer.waiting(WANTED)
    assert after is not None and after.words().startswith("waited for since ")
    assert after.words(after.next - 60).endswith("the last try failed: no; next try in 60 s")
    keeper._not_before.clear()
    keeper.turn()
    assert "the certificate is ordered" in steps[0] and steps[1].endswith("ordered (the last try failed: no)")
    assert issuer.certificate(WANTED) and issuer.waiting(WANTED) is None


def test_a_folder_that_is_not_there(tmp_path: Path, said: list[str]) -> None:
    keeper = Keeper(Issuer("x", str(tmp_path / "none")), lambda level, text: said.append(text))
    assert not keeper.take_duty()
    assert "cannot be used (2: No such file or directory)" in said[0]


def test_accounts_keep_their_key(issuer: Issuer, keeper: Keeper, tmp_path: Path) -> None:
    first = keeper._account_key().public
    assert keeper._account_key().public == first
    assert os.stat(issuer.path("account.key")).st_mode & 0o777 == 0o600
    issuer.account_key = str(tmp_path / "mine.key")
    with pytest.raises(FileNotFoundError):
        keeper._account_key()
    (tmp_path / "mine.key").write_text(PrivateKey.make("rsa", 2048).pem())
    assert not keeper._account_key().is_ec


def test_http_01(issuer: Issuer) -> None:
    solver = HttpSolver(issuer)
    solver.show("a.example", "a-token", "a-token.print")
    assert issuer.shown(b"a-token") == b"a-token.print"
    for token in (b"", b"..", b"../account.key", b"a\0b", b"other"):
        assert issuer.shown(token) is None
    solver.hide("a.example", "a-token", "a-token.print")
    assert issuer.shown(b"a-token") is None


def test_a_hook_that_fails(issuer: Issuer, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\necho no zone $2 >&2\nexit 3\n")
    hook.chmod(0o755)
    issuer.hook = str(hook)
    with pytest.raises(AcmeProblem, match=r"ended with 3: no zone _acme-challenge.a.example"):
        HookSolver(issuer).show("*.a.example", "t", "t.p")
    issuer.hook = str(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        HookSolver(issuer).show("a.example", "t", "t.p")


def test_what_a_hook_says_that_ends_well(issuer: Issuer, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nno-such-program $2\necho done\n")
    hook.chmod(0o755)
    issuer.hook = str(hook)
    said = HookSolver(issuer).show("a.example", "t", "t.p")
    assert said.startswith(f"{hook} ended well, but said: ") and "no-such-program" in said
    hook.write_text("#!/bin/sh\necho done\n")
    assert HookSolver(issuer).show("a.example", "t", "t.p") == ""


def test_names_of_files() -> None:
    assert Wanted(("*.a.example",)).name.startswith("_.a.example-")
    assert "/" not in Wanted(("::1",)).name
    assert WANTED.name == Wanted(("a.example", "b.example")).name
    assert len({WANTED.name, Wanted(WANTED.hosts, ("rsa", 2048)).name, Wanted(("a.example",)).name}) == 3
