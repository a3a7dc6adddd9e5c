"""What is compiled: the table says it, the stubs and the types are those of the products."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests import products


def test_each_source_is_in_the_list_once() -> None:
    """A .pyx, or a .py with types beside it, that pyproject.toml does not name would run plain or not at all."""
    listed = [product.source for product in products.products()]
    assert len(set(listed)) == len(listed)
    assert products.compilable() - set(listed) == set()
    assert [path for path in listed if not path.exists()] == []


def test_the_table_is_written_anew() -> None:
    assert products.TABLE.read_text("utf-8") == products.table(), "`python -m tests.products` writes it"


def test_each_has_a_purpose() -> None:
    assert [product.name for product in products.products() if not product.purpose] == []


def test_fields_and_methods_are_those_of_the_source() -> None:
    """A field that the .pxd lacks is an AttributeError when that line runs; one too many costs memory."""
    assert list(products.differences()) == []


def test_a_difference_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thing.py").write_text("class Thing:\n    def __init__(self):\n        self.a = self.b = 1\n")
    (tmp_path / "thing.pxd").write_text("cdef class Thing:\n    cdef public long a, c\n    cpdef gone(self)\n")
    monkeypatch.setattr(products, "SOURCES", tmp_path)
    monkeypatch.setattr(products, "ROOT", tmp_path)
    monkeypatch.setattr(products, "products", lambda: [products.Product("thing", tmp_path / "thing.py")])
    assert list(products.differences()) == [
        "thing.pxd: Thing.b is set in the source and not declared",
        "thing.pxd: Thing.c is declared and never set in the source",
        "thing.pxd: Thing.gone() is declared and not in the source",
    ]


def test_what_a_product_is_made_of() -> None:
    (client,) = [product for product in products.products() if product.name == "gateway.http.client"]
    names = {path.name for path in products.inputs(client)}
    assert {"client.py", "client.pxd", "lane.pxd", "poller.pxd", "fibre.pxd"} <= names  # and what those ask for
    assert products.stale() is None


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy comes with what `.ci/run` installs")
def test_stubs_say_what_is_there() -> None:
    """mypy believes a .pyi: a method that the product lacks would fail when it is called."""
    cython = [product for product in products.products() if not product.plain]
    names = [product.name for product in cython if product.source.with_suffix(".pyi").exists()]
    options = ["--concise", "--ignore-missing-stub", "--ignore-disjoint-bases", "--ignore-positional-only"]
    told = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *options, *names], cwd=products.ROOT, capture_output=True, text=True
    )
    lines = [line for line in told.stdout.splitlines() if not _of_cython(line)]
    assert (lines, told.stderr) == ([], "")


def _of_cython(line: str) -> bool:
    """Of no harm: a __cinit__(*args) that takes what __init__ does, a class that could be marked @final."""
    return line.endswith((' stub does not have *args parameter "args"', "isn't marked with @final in the stub"))
