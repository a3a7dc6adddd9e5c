"""`gateway … | head`: whoever reads has seen enough; `gateway … >&-`: nobody reads. That is no mistake of anybody's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gateway

CONF = "events {} http { server { listen 8080; location / { proxy_pass http://127.0.0.1:1; } } }"


@pytest.mark.parametrize(
    "words",
    [
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
        "-T -c @",
    ],
)
def test_nobody_reads(words: str, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(CONF)
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *words.replace("@", str(tmp_path / "nginx.conf")).split()],
            cwd=Path(gateway.__file__).parents[1], stdout=writes, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    finally:
        os.close(writes)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert "BrokenPipeError" not in done.stderr
    if not words.startswith("-T"):
        # argparse takes a failure to write its help for none
        assert (done.returncode, done.stderr) in ((141, ""), (0 if words.endswith("--help") else 141, ""))


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["-t -e error.log -c @", "-V", "--help", "compat --json -c @"])
def test_what_was_closed(words: str, closed: str, tmp_path: Path) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid; events {{}} http {{ server {{ listen 8080; root /srv/shop; }} }}")
    command = f"exec {sys.executable} -m gateway {words.replace('@', str(conf))} {closed}"
    environment = {**os.environ, "PYTHONPATH": str(Path(gateway.__file__).parents[1])}
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
