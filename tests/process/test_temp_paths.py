"""The folders for temporary files are there before the first request needs one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gateway


def test_made_when_the_configuration_is_taken(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "nginx.conf").write_text(
        "events {} http { uwsgi_temp_path own; server { listen unix:x.sock; location / { uwsgi_pass unix:s; } } }"
    )
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "-t", "-p", f"{tmp_path}/", "-c", f"{tmp_path}/nginx.conf", "-e", "stderr"],
        cwd=Path(gateway.__file__).parents[1], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "client_body_temp").is_dir()
    assert (tmp_path / "own").is_dir()
    assert not (tmp_path / "uwsgi_temp").exists()
