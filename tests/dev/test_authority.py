from __future__ import annotations

import datetime
import os
import ssl
import stat
from pathlib import Path

import pytest

from gateway.core import certify
from gateway.dev import authority as authorities
from gateway.dev.authority import Authority, NoAuthority
from gateway.protocol import der


def _shake_hands(chain: Path, key: Path, trusted: Path, name: str) -> None:
    """A client that believes this authority alone; ssl.SSLError when it does not believe the server."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    client = ssl.create_default_context(cafile=trusted)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ours.version() == "TLSv1.3"


def test_a_client_believes_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "a")
    chain, key = authority.certificate(["localhost", "127.0.0.1", "::1"])
    for name in ("localhost", "127.0.0.1", "::1"):
        _shake_hands(chain, key, authority.file, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(chain, key, authority.file, "example.org")
    for private in (key, tmp_path / "a" / "authority.key"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert authority.certificate(["localhost", "127.0.0.1", "::1"]) == (chain, key)


def test_it_is_made_anew_before_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setattr(authorities, "_LEAF_DAYS", 9.0)
    chain, _ = authority.certificate(["a.test"])
    before = chain.read_text()
    monkeypatch.setattr(authorities, "_LEAF_DAYS", 90.0)
    assert authority.certificate(["a.test"])[0].read_text() != before
    ends = certify.read(der.unpem("CERTIFICATE", chain.read_text())[0]).ends
    assert ends - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=89)


def test_a_new_authority_signs_anew(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    chain, _ = authority.certificate(["a.test"])
    name = authority.name
    authority.file.unlink()
    chain, key = authority.certificate(["a.test"])
    assert authority.name != name
    _shake_hands(chain, key, authority.file, "a.test")


def test_damage_says_what_to_do(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.make()
    (tmp_path / "authority.key").write_text("nonsense")
    with pytest.raises(NoAuthority, match="there is no private key in it; remove that folder"):
        authority.certificate(["a.test"])


def test_a_user_whom_no_passwd_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2_000_000_011)
    authority = Authority(tmp_path / "a")
    chain, key = authority.certificate(["a.test"])
    assert "uid 2000000011@" in str(certify.read(der.unpem("CERTIFICATE", authority.file.read_text())[0]).subject)
    _shake_hands(chain, key, authority.file, "a.test")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoAuthority, match=f"{tmp_path}/file/a: Not a directory"):
        Authority(tmp_path / "file" / "a").certificate(["a.test"])


def test_of_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Authority.of_user().folder == tmp_path / "gateway"
    assert not Authority.of_user().exists
    monkeypatch.setenv("XDG_DATA_HOME", "nonsense")
    with pytest.raises(NoAuthority):
        Authority.of_user()
