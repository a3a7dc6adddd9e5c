from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from gateway import PURE, together
from tests.products import products


def test_each_is_compiled_and_has_a_last_part_of_its_own() -> None:
    assert {product.name for product in products()} >= {*together.NAMES, together.HOLDER}
    assert len({name.rpartition(".")[2] for name in together.NAMES}) == len(together.NAMES)


@pytest.mark.skipif(PURE, reason="plain sources run in their place")
def test_they_come_from_one_file() -> None:
    assert os.path.exists(together.PRODUCT)
    files = {name: importlib.import_module(name).__file__ for name in together.NAMES}
    assert set(files.values()) == {together.PRODUCT}
    # and each is itself: its init function, not that of another
    for name in together.NAMES:
        assert sys.modules[name].__name__ == name


@pytest.mark.skipif(not PURE, reason="compiled ones run")
def test_plain_sources_are_not_hidden_by_it() -> None:
    assert together.Together not in sys.meta_path


def test_what_lies_elsewhere_is_for_others_to_find() -> None:
    assert together.Together.find_spec("gateway.cli") is None
    assert together.Together.find_spec("json") is None


def test_without_the_file_each_is_found_beside_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.setattr(together, "PRODUCT", str(tmp_path / "none.so"))
    together.install()
    assert sys.meta_path == []
    (tmp_path / "none.so").touch()
    together.install()
    together.install()
    assert sys.meta_path == [together.Together]
