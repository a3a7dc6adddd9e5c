"""A configuration that explains its failures, for the tests of all families."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio

from gateway.dev.diagnosis import install
from tests.engine import Engine, serving


@asynccontextmanager
async def explaining(server: str, tmp_path: Path, http: str = "") -> AsyncIterator[Engine]:
    """Serve one server with these contents."""
    paths = "".join(f"{name}_temp_path {tmp_path}; " for name in ("client_body", "proxy", "uwsgi"))
    text = f"{paths}{http}\nserver {{ listen 127.0.0.1:8080;\n{server}\n}}"
    async with serving(text) as engine:
        install(engine.cycle)
        yield engine


def causes(engine: Engine) -> list[str]:
    """What was said behind the lines of the error log."""
    return [line.partition(" cause: ")[2] for line in engine.log.lines if " cause: " in line]


async def named(engine: Engine) -> str:
    """The one cause that is named, perhaps after a question to the peer."""
    with trio.fail_after(10):
        while not causes(engine):
            await trio.sleep(0.01)
    return cause(engine)


def cause(engine: Engine) -> str:
    """The one cause that was named."""
    (only,) = causes(engine)
    return only


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that everybody may pass, with short names for sockets; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-", dir="/tmp"))
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
