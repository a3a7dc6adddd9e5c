"""HTTP/2 as others speak it: grpcio on both sides of a gateway, over TLS; Chromium and a page of many files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import certificates
from tests.process.running import Running, alive, free_port, until

WAIT_S = 60
COUNT = 100

CONF = """
daemon off; pid nginx.pid; error_log error.log info; events {{ }}
http {{
    log_format own '$connection $server_protocol $uri $status';
    access_log access.log own; client_max_body_size 0;
    types {{ text/html html; text/javascript js; }}
    upstream own {{ server 127.0.0.1:{upstream}; }}
    upstream shared {{ server 127.0.0.1:{upstream}; keepalive 4 multiplex; }}
    server {{
        listen 127.0.0.1:{port} ssl; http2 on; root .;
        ssl_certificate server.pem; ssl_certificate_key server.key; ssl_session_cache shared:s:1m;
        location /t.Echo/ {{
            grpc_pass grpcs://{name};
            grpc_ssl_verify on; grpc_ssl_trusted_certificate ca.pem; grpc_ssl_name localhost;
        }}
    }}
}}
"""


@pytest.fixture
def name() -> str:
    """The upstream of the site."""
    return "own"


# requests with a connection each, and on one that all share
BOTH = pytest.mark.parametrize("name", ["own", "shared"])


@pytest.fixture
def site(tmp_path: Path, name: str) -> tuple[int, int]:
    """A folder to serve from, with a certificate; the port of the server, and that of its upstream."""
    certificates.write(tmp_path, "localhost")
    certificates.write_authority(tmp_path)
    port, upstream = free_port(), free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # the tests' folders are theirs alone
    (tmp_path / "nginx.conf").write_text(user + CONF.format(port=port, upstream=upstream, name=name))
    return port, upstream


class Echo:
    """The service; `gone` is set when a call is given up by its client."""

    def __init__(self, grpc: Any) -> None:
        self.gone = threading.Event()
        self.together = threading.Barrier(COUNT)
        self.peers: set[str] = set()
        self.gateway: Running
        kinds = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Collect": grpc.stream_unary_rpc_method_handler(lambda words, _: b" ".join(words)),
            "Count": grpc.unary_stream_rpc_method_handler(lambda size, _: (b"%d" % i for i in range(int(size)))),
            "Chat": grpc.stream_stream_rpc_method_handler(lambda words, _: (word.upper() for word in words)),
            "Together": grpc.unary_unary_rpc_method_handler(self.all_together),
            "Wait": grpc.unary_stream_rpc_method_handler(self.wait),
        }
        self.handlers = (grpc.method_handlers_generic_handler("t.Echo", kinds),)
        self.status = grpc.StatusCode.FAILED_PRECONDITION

    def unary(self, word: bytes, context: Any) -> bytes:
        if word == b"bad":
            context.abort(self.status, "no: 100 %")
        context.set_trailing_metadata((("x-length", str(len(word))), ("x-raw-bin", b"\0\1")))
        return word[::-1]

    def all_together(self, word: bytes, context: Any) -> bytes:
        self.peers.add(context.peer())
        self.together.wait(WAIT_S)
        return word

    def wait(self, word: bytes, context: Any) -> Iterator[bytes]:
        context.add_callback(self.gone.set)
        yield b"begun"
        self.gone.wait(WAIT_S)


@pytest.fixture
def calls(tmp_path: Path, site: tuple[int, int]) -> Iterator[tuple[Any, Echo]]:
    grpc: Any = pytest.importorskip("grpc")
    port, upstream = site
    echo = Echo(grpc)
    server = grpc.server(ThreadPoolExecutor(COUNT + 8), handlers=echo.handlers)
    pair = [(tmp_path / name).read_bytes() for name in ("server.key", "server.pem")]
    assert server.add_secure_port(f"127.0.0.1:{upstream}", grpc.ssl_server_credentials([tuple(pair)])) == upstream
    server.start()
    credentials = grpc.ssl_channel_credentials((tmp_path / "ca.pem").read_bytes())
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.max_receive_message_length", -1)]
    try:
        with Running(tmp_path, (sys.executable, "-m", "gateway")) as running:
            running.start()
            echo.gateway = running
            with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
                grpc.channel_ready_future(channel).result(WAIT_S)
                yield channel, echo
    finally:
        echo.gone.set()
        server.stop(0).wait(WAIT_S)


@BOTH
def test_calls_of_all_four_kinds(calls: tuple[Any, Echo]) -> None:
    channel, _ = calls
    for _ in range(3):
        answer, call = channel.unary_unary("/t.Echo/Unary").with_call(b"word", timeout=WAIT_S)
        assert answer == b"drow"
        assert dict(call.trailing_metadata()) == {"x-length": "4", "x-raw-bin": b"\0\1"}
    words = [b"%d" % i for i in range(1000)]
    assert channel.stream_unary("/t.Echo/Collect")(iter(words), timeout=WAIT_S) == b" ".join(words)
    assert list(channel.unary_stream("/t.Echo/Count")(b"1000", timeout=WAIT_S)) == words
    chat = channel.stream_stream("/t.Echo/Chat")
    assert list(chat((word for word in (b"a", b"b", b"c")), timeout=WAIT_S)) == [b"A", b"B", b"C"]
    big = bytes(200_000)
    assert sum(map(len, chat((big for _ in range(20)), timeout=WAIT_S))) == 20 * len(big)


@BOTH
def test_a_status_comes_with_its_words(calls: tuple[Any, Echo]) -> None:
    channel, echo = calls
    failure = channel.unary_unary("/t.Echo/Unary").future(b"bad", timeout=WAIT_S).exception(WAIT_S)
    assert failure.code() is echo.status and failure.details() == "no: 100 %"


@BOTH
def test_a_deadline_ends_the_call_on_both_sides(calls: tuple[Any, Echo]) -> None:
    channel, echo = calls
    call = channel.unary_stream("/t.Echo/Wait")(b"", timeout=3)
    failure = call.exception()
    assert failure.code().name == "DEADLINE_EXCEEDED" and echo.gone.wait(WAIT_S)
    assert channel.unary_unary("/t.Echo/Unary")(b"ab", timeout=WAIT_S) == b"ba"


@BOTH
def test_a_cancelled_call_ends_at_the_server(calls: tuple[Any, Echo]) -> None:
    channel, echo = calls
    call = channel.unary_stream("/t.Echo/Wait")(b"", timeout=WAIT_S)
    assert next(call) == b"begun"
    call.cancel()
    assert echo.gone.wait(WAIT_S)
    assert channel.unary_unary("/t.Echo/Unary")(b"ab", timeout=WAIT_S) == b"ba"


@pytest.mark.parametrize("name", ["shared"])
def test_a_hundred_calls_at_once_share_a_connection(calls: tuple[Any, Echo]) -> None:
    channel, echo = calls
    futures = [channel.unary_unary("/t.Echo/Together").future(b"%d" % i, timeout=WAIT_S) for i in range(COUNT)]
    assert [future.result(WAIT_S) for future in futures] == [b"%d" % i for i in range(COUNT)]
    assert len(echo.peers) == 1
    # what one of them waits for, or breaks off, is not the others'
    waits = channel.unary_stream("/t.Echo/Wait")(b"", timeout=WAIT_S)
    assert next(waits) == b"begun"
    assert channel.unary_unary("/t.Echo/Unary")(b"ab", timeout=WAIT_S) == b"ba"
    waits.cancel()
    assert echo.gone.wait(WAIT_S)
    assert channel.unary_unary("/t.Echo/Unary")(b"ab", timeout=WAIT_S) == b"ba"


@pytest.mark.parametrize("name", ["shared"])
def test_a_call_outlives_a_reload(calls: tuple[Any, Echo]) -> None:
    channel, echo = calls
    waits = channel.unary_stream("/t.Echo/Wait")(b"", timeout=WAIT_S)
    assert next(waits) == b"begun"
    [old] = echo.gateway.workers
    echo.gateway.send(signal.SIGHUP)
    until(lambda: [pid for pid in echo.gateway.workers if pid != old], "a new worker", WAIT_S)
    for _ in range(10):
        assert channel.unary_unary("/t.Echo/Unary")(b"ab", timeout=WAIT_S, wait_for_ready=True) == b"ba"
    assert alive(old)
    echo.gone.set()
    assert list(waits) == []
    until(lambda: not alive(old), "the end of the old worker", WAIT_S)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is wanted")
def test_chromium_loads_many_files_over_one_connection(tmp_path: Path, site: tuple[int, int]) -> None:
    port, _ = site
    for i in range(COUNT):
        (tmp_path / f"{i}.js").write_text(f"count += {i};" + " " * 1000)
    scripts = "".join(f'<script src="{i}.js"></script>' for i in range(COUNT))
    page = f"<p id=n>none</p><script>let count = 0;</script>{scripts}<script>n.textContent = 'sum=' + count;</script>"
    (tmp_path / "page.html").write_text(page)
    words = ("--headless=new", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--dump-dom")
    with Running(tmp_path, (sys.executable, "-m", "gateway")) as running:
        running.start()
        done = subprocess.run(
            ["chromium", *words, f"--user-data-dir={tmp_path}/profile", f"https://127.0.0.1:{port}/page.html"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert f"sum={sum(range(COUNT))}" in done.stdout, done.stderr
        log = tmp_path / "access.log"
        until(lambda: len(re.findall(r"\.js 200\n", log.read_text())) == COUNT, "all lines of the log")
    lines = [line.split() for line in log.read_text().splitlines() if ".js 200" in line]
    assert {protocol for _, protocol, *_ in lines} == {"HTTP/2.0"} and len({line[0] for line in lines}) == 1
