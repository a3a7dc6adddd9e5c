"""What gunicorn's control socket says of its workers, in the shape that the dashboard has them from uWSGI.

It takes commands and answers each with one message, JSON behind its length. It knows nothing of requests: how long a
worker has not been heard, and what memory it has (from /proc, where it runs on this machine), is what can be shown.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import trio

PREFIX: Final = "gunicorn:"
_MOST: Final = 4 << 20
_LONGEST_S: Final = 1e9  # JSON has numbers that are no times
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


async def workers(stream: trio.abc.Stream) -> dict[str, Any]:
    """Errors: ValueError for what is no answer of gunicorn's; those of the stream."""
    told = await _ask(stream, 1, "show stats")
    found = (await _ask(stream, 2, "show workers")).get("workers")
    if not isinstance(found, list):
        raise ValueError("gunicorn does not say which workers it has")
    shown = [_worker(each) for each in found if isinstance(each, dict)]
    wanted, started, reloads = [told.get(name, "?") for name in ("workers_target", "workers_spawned", "reloads")]
    caption = f"gunicorn, {len(shown)} of {wanted} workers, started {started}, reloads {reloads}"
    return {"caption": caption, "workers": shown}


async def _ask(stream: trio.abc.Stream, number: int, command: str) -> dict[str, Any]:
    question = json.dumps({"id": number, "command": command}).encode()
    await stream.send_all(len(question).to_bytes(4, "big") + question)
    size = int.from_bytes(await _exactly(stream, 4), "big")
    if size > _MOST:
        raise ValueError("no answer of gunicorn's control socket")
    answer = json.loads(await _exactly(stream, size))
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        said = answer.get("error") if isinstance(answer, dict) else None
        raise ValueError(f'gunicorn says of "{command}": {said or "nothing"}')
    return data


async def _exactly(stream: trio.abc.Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.receive_some(size - len(data))
        if not part:
            raise ValueError("the control socket was closed before its answer was whole")
        data += part
    return data


def _worker(said: dict[str, Any]) -> dict[str, Any]:
    pid, heard = said.get("pid"), said.get("last_heartbeat")
    known = isinstance(heard, (int, float)) and abs(heard) < _LONGEST_S
    state = f"heard {heard:.1f} s ago" if known else "not heard yet"
    shown = {"id": said.get("age", ""), "pid": pid, "status": "aborted" if said.get("aborted") is True else state}
    if isinstance(pid, int):
        shown["rss"] = _resident(pid)
    return shown


def _resident(pid: int) -> int:
    """Its memory in bytes; 0 where it runs elsewhere."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
