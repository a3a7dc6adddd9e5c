from __future__ import annotations

import os

from gateway.dev.diagnosis.accounts import group_name, user_name, who_we_are


def test_names() -> None:
    assert user_name(0) == "root" and group_name(0) == "root"
    assert user_name(54321) == "54321"


def test_us() -> None:
    assert who_we_are() == f"uid {os.geteuid()} ({user_name(os.geteuid())})"
