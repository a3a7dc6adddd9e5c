"""log: access_log, log_format, open_log_file_cache."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from gateway.core.access_log import FileLog
from gateway.core.open_files import STDERR
from gateway.modules.http import log
from tests.engine import Engine, load_http
from tests.engine import serving as serving_without_files


@contextlib.asynccontextmanager
async def serving(text: str) -> AsyncIterator[Engine]:
    """With the log files open, as the process opens them."""
    async with serving_without_files(text) as engine:
        logs: dict[object, FileLog] = engine.cycle.scope.conf(log.module, "main").files
        for writer in logs.values():
            writer.file.fd = os.open(writer.file.name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield engine
        finally:
            for writer in logs.values():
                writer.flush()
                if writer.file.fd > STDERR:
                    os.close(writer.file.fd)


async def test_combined(tmp_path: Path) -> None:
    path = tmp_path / "log"
    text = f'access_log {path}; server {{ listen 127.0.0.1:80; location / {{ return 200 "hello"; }} }}'
    async with serving(text) as engine:
        await engine.get("/x?y", {"User-Agent": 'a "b"\\', "Referer": "http://r/"})
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /x\?y HTTP/1\.1" 200 5 '
        r'"http://r/" "a \\x22b\\x22\\x5C"\n',
        path.read_text(),
    )


async def test_formats_and_escapes(tmp_path: Path) -> None:
    text = f"""log_format a '$uri' '|${{arg_q}}|' $http_none;
        log_format j escape=json '{{"q": "$arg_q", "none": "$http_none"}}';
        log_format n escape=none '"$arg_q"$http_none';
        server {{ listen 127.0.0.1:80; location / {{ access_log {tmp_path}/a a; access_log {tmp_path}/j j;
            access_log {tmp_path}/n N; return 204; }} }}"""
    async with serving(text) as engine:
        await engine.get('/x?q="\\')
    assert (tmp_path / "a").read_text() == "/x|\\x22\\x5C|-\n"
    assert (tmp_path / "j").read_text() == '{"q": "\\"\\\\", "none": ""}\n'
    assert (tmp_path / "n").read_text() == '""\\"\n'


async def test_inheritance_conditions_and_off(tmp_path: Path) -> None:
    text = f"""log_format u $uri; access_log {tmp_path}/http u; map $arg_l $l {{ 0 0; 1 1; }}
        server {{ listen 127.0.0.1:80;
            location / {{ return 204; }}
            location /off {{ access_log off; return 204; location /off/in {{ return 204; }} }}
            location /own {{ access_log {tmp_path}/own u if=$l; return 204; }}
            location /both {{ access_log off; access_log {tmp_path}/own u; return 204; }}
            location /if {{ if ($arg_x) {{ access_log {tmp_path}/own u; }} return 204; }} }}"""
    async with serving(text) as engine:
        for target in ("/", "/off", "/off/in", "/own", "/own?l=0", "/own?l=1", "/both", "/if", "/if?x=1"):
            await engine.get(target)
    assert (tmp_path / "http").read_text() == "/\n/if\n"
    assert (tmp_path / "own").read_text() == "/own\n/if\n"


async def test_buffers(tmp_path: Path) -> None:
    text = f"""log_format u $uri; server {{ listen 127.0.0.1:80;
        location / {{ access_log {tmp_path}/plain u buffer=64 flush=1s; return 204; }}
        location /z {{ access_log {tmp_path}/z.gz u gzip=9 flush=1h; return 204; }} }}"""
    async with serving(text) as engine:
        await engine.get("/a")
        await engine.get("/z1")
        await engine.get("/z2")
        assert (tmp_path / "plain").read_text() == ""
        with trio.fail_after(5):
            while not (tmp_path / "plain").read_text():
                await trio.sleep(0.02)
        assert (tmp_path / "z.gz").read_bytes() == b""
    assert gzip.decompress((tmp_path / "z.gz").read_bytes()) == b"/z1\n/z2\n"


async def test_variables_in_the_path(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    text = f"""log_format u $uri; open_log_file_cache max=10 inactive=1m min_uses=1 valid=1m;
        server {{ listen 127.0.0.1:80; root {tmp_path}/root; access_log {tmp_path}/$arg_f.log u;
            location /gone {{ root {tmp_path}/gone; return 204; }} location / {{ return 204; }} }}"""
    async with serving(text) as engine:
        for target in ("/1?f=a", "/2?f=a", "/3?f=b", "/4?f=no/dir", "/gone?f=a"):
            await engine.get(target)
        errors = [line for line in engine.log.lines if "failed" in line]
    assert (tmp_path / "a.log").read_text() == "/1\n/2\n" and (tmp_path / "b.log").read_text() == "/3\n"
    assert f"[crit] {os.getpid()}#" in errors[0] and f'open() "{tmp_path}/no/dir.log" failed (2: ' in errors[0]
    assert f'testing "{tmp_path}/gone" existence failed (2: No such file or directory)' in errors[1]


async def test_syslog(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "s"))
        text = f"""log_format u $uri; server {{ listen 127.0.0.1:80; location / {{
            access_log syslog:server=unix:{tmp_path}/s,tag=me,nohostname u; return 204; }} }}"""
        async with serving(text) as engine:
            await engine.get("/a")
            location = engine.cycle.servers[0].root.children[0]
            location.confs[log.module].logs[0].writer.peer.close()
        message = server.recv(1000)
    assert message.startswith(b"<190>") and message.endswith(b" me: /a")


def test_the_default_log(tmp_path: Path) -> None:
    # without the process there are no files; see the tests of gateway.process for logs/access.log
    cycle = load_http("server { listen 127.0.0.1:80; }", prefix=f"{tmp_path}/")
    assert cycle.scope.conf(log.module, "main").files == {}


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("access_log off main;", 'invalid parameter "main"'),
        ("access_log /x main;", 'unknown log format "main"'),
        ("access_log /x combined buffer=;", 'invalid buffer size ""'),
        ("access_log /x combined buffer=1k flush=0;", 'invalid flush time "0"'),
        ("access_log /x combined flush=1s;", 'no buffer is defined for access_log "/x"'),
        ("access_log /x combined gzip=10;", 'invalid compression level "10"'),
        ("access_log /x combined wrong;", 'invalid parameter "wrong"'),
        ("access_log /$uri combined gzip;", "buffered logs cannot have variables in name"),
        ("access_log syslog:server=127.0.0.1 combined gzip;", "logs to syslog cannot be buffered"),
        ("access_log syslog:tag=x;", "no syslog server specified"),
        (
            "access_log /x combined buffer=1k; access_log /x combined buffer=2k;",
            'access_log "/x" already defined with conflicting parameters',
        ),
        ("log_format combined x;", 'duplicate "log_format" name "combined"'),
        ("log_format a x; log_format a y;", 'duplicate "log_format" name "a"'),
        ("log_format a escape=xml x;", 'unknown log format escaping "xml"'),
        ("log_format a x$;", 'invalid parameter "$"'),
        ("log_format a x$-y;", 'invalid parameter "$-y"'),
        ("log_format a '${uri';", 'the closing bracket in "uri" variable is missing'),
        ("log_format a $nobody;", 'unknown "nobody" variable'),
        ("open_log_file_cache min_uses=1;", '"open_log_file_cache" must have "max" parameter'),
        ("open_log_file_cache max=1 valid=x;", 'invalid "open_log_file_cache" parameter "valid=x"'),
        ("open_log_file_cache max=1; open_log_file_cache off;", '"open_log_file_cache" directive is duplicate'),
    ],
)
def test_messages(inside: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(inside)
    assert str(caught.value).startswith(message)
