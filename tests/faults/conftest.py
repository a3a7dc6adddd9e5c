"""After each test no descriptor may be left."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest


def _descriptors() -> dict[str, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # that of the listing
    return found


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = _descriptors()
    yield
    gc.collect()
    left = {name: target for name, target in _descriptors().items() if before.get(name) != target}
    assert not left
