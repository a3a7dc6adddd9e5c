"""What of serving in the foreground needs no processes; tests/process/test_gateway_run.py has the rest."""

from __future__ import annotations

import argparse
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.dev import foreground
from gateway.dev.authority import Authority
from gateway.dev.foreground import (
    CannotRun,
    Foreground,
    Stopped,
    add_options,
    elsewhere,
    free_port,
    place,
    reachable,
    unbelieved,
)
from gateway.dev.terminal import Terminal


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        yield s.getsockname()[1]


def test_a_taken_port(taken: int) -> None:
    assert taken < free_port("127.0.0.1", taken) < taken + 20
    with pytest.raises(CannotRun, match=f"port {taken}: .*; try --port {taken + 1}"):
        free_port("127.0.0.1", taken, strict=True)
    with pytest.raises(CannotRun, match="is no port"):
        free_port("127.0.0.1", 70000)
    with pytest.raises(CannotRun, match="--host nonsense"):
        free_port("nonsense.invalid", 8080)


def test_another_port_is_said(taken: int) -> None:
    """The one that is meant stands in every tutorial."""
    options = _options("--port", str(taken))
    where = place(options)
    assert elsewhere(options, where.address) == f"port {taken} is taken by somebody else: this is {where.port}\n"
    assert elsewhere(_options("--port", str(where.port)), where.address) == ""
    assert elsewhere(_options(), "127.0.0.1:8080") == elsewhere(_options("--https"), "[::1]:8443") == ""
    assert elsewhere(_options("--port", "0"), "127.0.0.1:40001") == ""  # any


def test_a_port_that_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError

    monkeypatch.setattr(foreground.socket, "socket", Refuses)
    with pytest.raises(CannotRun, match=r"port 80 needs root \(ports below 1024 do\); try --port 8080"):
        free_port("127.0.0.1", 80)


def test_keys(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    run = Foreground(_options(), terminal)
    run._block = lambda: "the block"
    run._key("i")
    run._key("l")
    terminal.complain("it broke")
    run._key("l")
    run._key("c")  # nothing where there is no screen
    run._key("?")
    run._key("x")
    said = capsys.readouterr().out.splitlines()
    assert said == ["the block", "nothing has gone wrong so far", "it broke", foreground.KEYS]
    run._key("r")
    assert run._again
    with pytest.raises(Stopped):
        run._key("q")


def _options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(words)


def test_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert place(_options(), take=False).port == 8080
    secure = place(_options("--https", "--host", "0.0.0.0"), take=False)
    assert (secure.port, secure.names) == (8443, "_")
    assert secure.certificate is not None
    assert "listen 0.0.0.0:8443 ssl;" in secure.lines()
    assert place(_options("--host", "::1"), take=False).address == "[::1]:8080"


def test_https_is_told_of_until_it_is_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert unbelieved(_options()) == ""
    place(_options("--https"), take=False)
    assert f"gateway trust  (curl --cacert {tmp_path}/gateway/authority.pem)" in unbelieved(_options("--https"))
    Authority.of_user().believed = True
    assert unbelieved(_options("--https")) == ""


def test_there_is_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/nothing/can/be/made/here")
    with pytest.raises(CannotRun, match="/proc"):
        place(_options("--https"), take=False)


def test_there_is_no_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/none"])
    with pytest.raises(CannotRun, match=r"found in \['/proc/none'\]; TMPDIR names a folder"):
        Foreground(_options(), Terminal()).main()


def test_the_server_has_a_name() -> None:
    made = Foreground(_options("--server", "nginx -x"), None)  # type: ignore[arg-type]
    assert made.server_name() == "nginx"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("*:80", ("127.0.0.1", 80)),
        ("0.0.0.0:81", ("127.0.0.1", 81)),
        ("[::]:80", ("::1", 80)),
        ("[::1]:8080", ("::1", 8080)),
        ("unix:/x", "/x"),
        ("host:$port", None),
    ],
)
def test_reachable(address: str, expected: object) -> None:
    assert reachable(address) == expected
