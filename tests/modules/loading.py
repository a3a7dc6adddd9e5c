"""Loading a configuration from a text, as -t does up to the sockets."""

from __future__ import annotations

from pathlib import Path

from gateway.core.logs import Log
from gateway.process.load import Loaded, load
from gateway.process.options import Options, resolve
from tests.process.memory_log import memory_log


def options_for(folder: Path, text: str, globals_text: str = "") -> Options:
    (folder / "nginx.conf").write_text(text)
    return resolve(prefix=str(folder), conf_file="nginx.conf", globals_text=globals_text, test=True)


def load_text(folder: Path, text: str, *, log: Log | None = None, globals_text: str = "") -> Loaded:
    return load(options_for(folder, text, globals_text), memory_log()[0] if log is None else log)
