"""The folders for temporary files are there before the first request needs one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gateway

NGINX = (sys.executable, "-m", "gateway", "-t", "-e", "stderr")


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


def test_what_to_write_where_they_cannot_be_made(tmp_path: Path) -> None:
    """As in a container whose disk is read-only; here a file is in the way, or no folder there."""
    (tmp_path / "file").write_text("")
    named = f"client_body_temp_path {tmp_path}/no/own; uwsgi_temp_path {tmp_path};"
    for prefix, inside, error, cause in (
        (
            "file/way/",
            "",
            "failed (20: Not a directory)",
            "write in http client_body_temp_path /tmp/gateway; uwsgi_temp_path /tmp/gateway; ",
        ),
        ("", named, "failed (2: No such file or directory)", "/no/own is to be a folder that this account may make"),
    ):
        (tmp_path / "nginx.conf").write_text(
            f"error_log stderr; pid {tmp_path}/pid; events {{}} http {{ {inside} access_log off; "
            f"server {{ listen unix:{tmp_path}/x.sock; location / {{ uwsgi_pass unix:s; }} }} }}"
        )
        done = subprocess.run(
            [*NGINX, "-p", f"{tmp_path}/{prefix}", "-c", f"{tmp_path}/nginx.conf"],
            cwd=Path(gateway.__file__).parents[1], capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1
        assert error in done.stderr
        assert "cause: " in done.stderr and cause in done.stderr
