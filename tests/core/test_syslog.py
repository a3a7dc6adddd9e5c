"""syslog destinations: their options, packets, and failures."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from gateway.core import logs
from gateway.core.logs import ERROR, FileSink, Log
from gateway.core.open_files import OpenFiles
from gateway.core.syslog import SyslogSink, parse


@pytest.fixture(autouse=True)
def quiet_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs.console, "enabled", False)


def test_packet_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        peer = parse(f"server=127.0.0.1:{server.getsockname()[1]}")
        Log(SyslogSink(peer, ERROR)).error("broken")
        packet = server.recv(4096).decode()
        peer.close()
    host = re.escape(os.uname().nodename.lower())
    assert re.fullmatch(
        rf"<187>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d {host} nginx: "
        r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#\d+: broken",
        packet,
    )


def test_all_options_over_a_unix_socket(tmp_path: Path) -> None:
    name = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(name)
        server.settimeout(5)
        peer = parse(f"severity=alert,facility=user,tag=SEE_1,nohostname,server=unix:{name}")
        assert peer.send(b"x" * 100)
        packet = server.recv(4096)
        peer.close()
    assert re.fullmatch(rb"<9>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d SEE_1: x{100}", packet)


def test_failure_is_logged_and_recovered(tmp_path: Path) -> None:
    files = OpenFiles()
    log = Log(FileSink(files.add(str(tmp_path / "e")), ERROR))
    files.open()
    name = str(tmp_path / "log")
    peer = parse(f"server=unix:{name}", log)
    log.add(SyslogSink(peer, ERROR))
    log.error("lost")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(name)
        server.settimeout(5)
        log.error("heard")
        assert server.recv(4096).endswith(b"heard")
    peer.close()
    files.close()
    lines = (tmp_path / "e").read_text().splitlines()
    assert len(lines) == 3
    assert lines[1].endswith(
        f": connect() failed (2: No such file or directory) while logging to syslog, server: unix:{name}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("facility=user", "no syslog server specified"),
        ("server=127.0.0.1,server=127.0.0.1", 'duplicate syslog "server"'),
        ("server=127.0.0.1,facility=x", 'unknown syslog facility "x"'),
        ("server=127.0.0.1,facility=user,facility=user", 'duplicate syslog "facility"'),
        ("server=127.0.0.1,severity=err", 'unknown syslog severity "err"'),
        ("server=127.0.0.1,severity=info,severity=info", 'duplicate syslog "severity"'),
        ("server=127.0.0.1,tag=a,tag=b", 'duplicate syslog "tag"'),
        ("server=127.0.0.1,tag=" + "a" * 33, "syslog tag length exceeds 32"),
        ("server=127.0.0.1,tag=a-b", 'syslog "tag" only allows alphanumeric characters and underscore'),
        ("server=127.0.0.1,colour=red", 'unknown syslog parameter "colour=red"'),
        ("server=", 'no host in syslog server ""'),
        ("server=127.0.0.1:0", 'invalid port in syslog server "127.0.0.1:0"'),
        ("server=unix:", 'no path in the unix domain socket in syslog server "unix:"'),
    ],
)
def test_bad_options(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(text)
