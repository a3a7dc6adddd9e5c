"""GATEWAY_PURE=1 takes the plain sources."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("pure", "suffix"), [("1", ".py"), ("0", ".so"), ("", ".so")])
def test_which_source_is_taken(pure: str, suffix: str) -> None:
    code = "from gateway._fast import uri, http1; print(uri.__file__); print(http1.__file__)"
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, env={"GATEWAY_PURE": pure}, capture_output=True, text=True, check=True).stdout
    files = printed.split()
    assert files[0].endswith(suffix)
    assert files[1].endswith(".so")
