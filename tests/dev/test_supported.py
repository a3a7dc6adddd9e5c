from __future__ import annotations

import re

import pytest

from gateway.config import known
from gateway.dev import supported
from gateway.dev.markers import replaced
from gateway.dev.supported import PAGE, counts, table
from gateway.modules import MODULES
from gateway.modules.http.v3 import module as v3


def test_every_directive_is_counted_once() -> None:
    entries = sum(len(entries) for entries in known.table().values())
    assert sum(len(c.built) + len(c.without_effect) + len(c.missing) for c in counts()) == entries


def test_what_is_declared_counts_as_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supported, "MODULES", [module for module in MODULES if module is not v3])
    found = {count.name: count for count in counts()}
    assert "root" in found["ngx_http_core_module"].built
    assert "sendfile" not in found["ngx_http_core_module"].missing
    assert "http3" in found["ngx_http_v3_module"].missing


def test_what_nginx_does_not_have_is_listed() -> None:
    lines = [line for line in table().splitlines() if line.endswith(".") and "which open nginx does not have: " in line]
    assert len(lines) == len(set(known.OWN.values()))
    assert [name for name in known.OWN if f"`{name}`" not in "".join(lines)] == []


def test_the_page_claims_nothing_that_is_not_built() -> None:
    """It may claim less, until somebody runs `python -m gateway.dev.supported --write`."""
    claimed = re.search(r"directives (\d+) are built", PAGE.read_text("utf-8"))
    assert claimed, "docs/supported.md has no table of what is supported"
    assert int(claimed[1]) <= sum(len(count.built) for count in counts())


def test_the_page_has_a_place_for_the_table() -> None:
    text = PAGE.read_text("utf-8")
    assert table() in replaced(text, "supported directives", table())
    figures = PAGE.with_name("figures.md").read_text("utf-8")
    assert replaced(figures, "measurements", "x").count("# ") == figures.count("# ")


def test_no_place() -> None:
    with pytest.raises(ValueError, match="no place for x"):
        replaced("text", "x", "part")
