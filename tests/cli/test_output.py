"""`gateway … | head`: whoever reads has seen enough; `gateway … >&-`: nobody reads. That is no mistake of anybody's.

A disk that is full is one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gateway

CONF = "events {} http { server { listen 8080; location / { proxy_pass http://127.0.0.1:1; } } }"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(gateway.__file__).parents[1])}


_WORDS = [
    "compat --json -c @",
    "check --json -c @",
    "check -c @",
    "tree -c @",
    "fmt @",
    "explain -c @ http://localhost:8080/",
    "help GW101",
    "--help",
    "check --help",
    "completion bash",
    "man",
    "-T -c @ -e error.log",
]


def _written_to(output: int, words: str, folder: Path) -> tuple[int, str]:
    """The exit code and what stderr has, without what -t says of the configuration."""
    conf = folder / "nginx.conf"
    conf.write_text(f"pid {folder}/pid; {CONF}")
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words.replace("@", str(conf)).split()],
        cwd=folder, env=ENVIRONMENT, stdout=output, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = (line for line in done.stderr.splitlines() if not line.startswith(("gateway: the conf", "gateway: conf")))
    return done.returncode, "\n".join(told)


@pytest.mark.parametrize("words", _WORDS)
def test_nobody_reads(words: str, tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        assert _written_to(writes, words, tmp_path) == (141, "")
    finally:
        os.close(writes)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", _WORDS)
def test_a_full_disk(words: str, unbuffered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "PYTHONUNBUFFERED", unbuffered)
    with open("/dev/full", "wb") as full:
        code, told = _written_to(full.fileno(), words, tmp_path)
    assert (code, told) == (1, "gateway: cannot write to standard output: No space left on device")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["-t -e error.log -c @", "-V", "--help", "compat --json -c @"])
def test_what_was_closed(words: str, closed: str, tmp_path: Path) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid; events {{}} http {{ server {{ listen 8080; root /srv/shop; }} }}")
    command = f"exec {sys.executable} -m gateway {words.replace('@', str(conf))} {closed}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
