"""Looking at a session's first bytes before it is decided what becomes of it; they stay in its buffer."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.stream.module import BAD_REQUEST, SUCCESS, Result

if TYPE_CHECKING:
    from gateway.stream.session import Session

_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")


async def preread(session: Session, look: Callable[[bytes], Result | bool]) -> Result:
    """Read until `look`, which gets all that came, answers other than False; preread_buffer_size and _timeout hold."""
    session.action = b"prereading client data"
    core = session.server.core
    stream = session.stream
    deadline = session.lane.now + core.preread_timeout
    while True:
        if session.buffer:
            answer = look(session.buffer)
            if answer is not False:
                return answer
        room = core.preread_buffer_size - len(session.buffer)
        if room <= 0:
            session.log("error", b"preread buffer full")
            return BAD_REQUEST
        try:
            data = stream.recv(room)
        except OSError as error:
            session.log("info", b"recv() failed", error)
            return SUCCESS
        if data is None:
            if not await stream.wait_readable(deadline):
                return SUCCESS
            continue
        if not data:
            return SUCCESS
        session.buffer += data
