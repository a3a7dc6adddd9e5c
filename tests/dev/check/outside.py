"""nginx itself, where a new one is at hand: what it says of a configuration."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path


@functools.cache
def _nginx() -> str | None:
    """An nginx that knows all that the edits use; NGINX_BINARY names one."""
    binary = os.environ.get("NGINX_BINARY") or shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False).stderr if binary else ""
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    return binary if found is not None and tuple(map(int, found.groups())) >= (1, 29, 3) else None


def nginx_takes(folder: Path) -> None:
    """It accepts what stands in the folder's nginx.conf."""
    said = nginx_says(folder)
    assert "[emerg]" not in said, said


def nginx_says(folder: Path) -> str:
    """Its errors and warnings; nothing where there is no nginx."""
    if (nginx := _nginx()) is None:
        return ""
    (folder / "logs").mkdir(exist_ok=True)
    command = [nginx, "-t", "-q", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "logs/error.log"]
    if not re.search(r"^\s*pid\s", (folder / "nginx.conf").read_text(), re.M):
        command += ["-g", f"pid {folder}/nginx.pid;"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr
