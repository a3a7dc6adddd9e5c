"""gunicorn's own workers on the dashboard, from its control socket."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway.modules.http.dashboard_applications import stats_of
from tests.engine import serving


async def answer(stream: trio.abc.Stream, answers: dict[str, Any]) -> None:
    """Speak as gunicorn does, a byte at a time."""
    data = b""
    async with stream:
        async for part in stream:
            data += part
            while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[:4], "big"):
                end = 4 + int.from_bytes(data[:4], "big")
                asked, data = json.loads(data[4:end]), data[end:]
                said = json.dumps({"id": asked["id"], **answers[asked["command"]]}).encode()
                for byte in len(said).to_bytes(4, "big") + said:
                    await stream.send_all(bytes([byte]))


async def told(answers: dict[str, Any]) -> dict[str, Any] | str:
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, lambda stream: answer(stream, answers), [listener])
        found = await stats_of(f"gunicorn:127.0.0.1:{listener.socket.getsockname()[1]}")
        nursery.cancel_scope.cancel()
    return found


async def test_workers() -> None:
    workers = [
        {"pid": 2**22 + 1, "age": 1, "aborted": False, "last_heartbeat": 1.84},
        {"pid": 2**22 + 2, "age": 2, "aborted": True, "last_heartbeat": 1},
        {"pid": "?", "last_heartbeat": None},
        "nonsense",
    ]
    stats = {"workers_target": 4, "workers_spawned": 7, "reloads": 1}
    found = await told({"show stats": {"data": stats}, "show workers": {"data": {"workers": workers}}})
    assert found == {
        "caption": "gunicorn, 3 of 4 workers, started 7, reloads 1",
        "workers": [
            {"id": 1, "pid": 2**22 + 1, "status": "heard 1.8 s ago", "rss": 0},
            {"id": 2, "pid": 2**22 + 2, "status": "aborted", "rss": 0},
            {"id": "", "pid": "?", "status": "not heard yet"},
        ],
    }


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"show stats": {"status": "error", "error": "not for you"}}, 'gunicorn says of "show stats": not for you'),
        ({"show stats": {}}, 'gunicorn says of "show stats": nothing'),
        ({"show stats": {"data": {}}, "show workers": {"data": {}}}, "does not say which workers it has"),
    ],
)
async def test_what_is_no_answer(answers: dict[str, Any], words: str) -> None:
    assert words in str(await told(answers))


async def test_one_that_speaks_something_else() -> None:
    async def say(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 no\r\n\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, say, [listener])
        address = f"gunicorn:127.0.0.1:{listener.socket.getsockname()[1]}"
        assert await stats_of(address) == f"{address}: no answer of gunicorn's control socket"
        nursery.cancel_scope.cancel()


async def test_gunicorn_itself() -> None:
    with tempfile.TemporaryDirectory(prefix="g") as name:
        folder = Path(name)
        (folder / "app.py").write_text("def app(environ, start):\n    start('200 OK', [])\n    return [b'x']\n")
        command = [sys.executable, "-m", "gunicorn", "--bind", f"unix:{name}/app.sock", "--workers", "2"]
        command += ["--control-socket", f"{name}/ctl", "--chdir", name, "app:app"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                address = f"gunicorn:unix:{name}/ctl"
                with trio.fail_after(60):
                    while True:
                        found = await stats_of(address)
                        assert process.poll() is None, process.communicate()[1]
                        if isinstance(found, dict) and len(found["workers"]) == 2:
                            break
                        await trio.sleep(0.05)
                assert found["caption"].startswith("gunicorn, 2 of 2 workers, started 2")
                assert all(each["rss"] > 1 << 20 for each in found["workers"])
                text = f"""upstream app {{ zone app 64k; server unix:{name}/app.sock; }} server {{ listen 127.0.0.1:80;
                    location /gw/ {{ dashboard app=app={address}; }} }}"""
                async with serving(text) as engine:
                    with trio.fail_after(60):  # a page waits for half a second only
                        while "gunicorn, 2 of 2 workers" not in (await engine.get("/gw/")).body.decode():
                            await trio.sleep(0.05)
            finally:
                process.terminate()
                process.communicate(timeout=60)
