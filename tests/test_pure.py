"""GATEWAY_PURE=1 takes the plain sources: all of those that there are."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import products

# What an import of all that serves has taken, by the kind of its product.
_TAKEN = """
import sys
import gateway.process.load
from gateway.modules import MODULES  # all of them: what serves takes those that its configuration can use
from tests import products
for product in products.products():
    if product.name in sys.modules:
        print(product.name, sys.modules[product.name].__file__.rpartition(".")[2])
"""


def taken(pure: str) -> dict[str, str]:
    command = [sys.executable, "-c", _TAKEN]
    env = {**os.environ, "GATEWAY_PURE": pure}
    printed = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    return dict(line.split() for line in printed.splitlines())


@pytest.mark.parametrize("pure", ["1", "0", ""])
def test_which_source_is_taken(pure: str) -> None:
    found = taken(pure)
    assert len(found) > 60
    for product in products.products():
        if product.name in found:
            assert found[product.name] == ("py" if pure == "1" and product.plain else "so"), product.name


@pytest.mark.parametrize(("pure", "encoder"), [("1", "PlainEncoder"), ("0", "PacketEncoder")])
def test_a_twin_takes_the_place_of_what_has_no_plain_source(pure: str, encoder: str) -> None:
    command = [sys.executable, "-c", "from gateway.protocol.uwsgi import PacketEncoder as e; print(e.__name__)"]
    env = {**os.environ, "GATEWAY_PURE": pure}
    assert subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip() == encoder
