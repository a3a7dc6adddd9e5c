"""bench/chart.py: the chart of README.md is drawn from the results that the documentation's figures are from."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def chart() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chart", ROOT / "bench" / "chart.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_up_to_date(chart: ModuleType) -> None:
    measured = json.loads(chart.results().read_text("utf-8"))
    for name, colours in chart.PALETTES.items():
        assert (chart.IMAGES / name).read_text("utf-8") == chart.drawn(measured, colours), "python bench/chart.py"


def test_both_are_shown() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "docs/images/figures.svg" in text
    assert "docs/images/figures-dark.svg" in text


def measured(**more: float) -> dict[str, Any]:
    servers = {"nginx": 10.0, "gateway": 12.0, **more}
    values = {"return": {server: {"": [value, value]} for server, value in servers.items()}}
    return {"versions": {"nginx": "nginx version: nginx/1.31.5"}, "values": values}


def test_what_is_drawn(chart: ModuleType) -> None:
    svg = chart.drawn(measured(caddy=45.0), chart.PALETTES["figures.svg"])
    ElementTree.fromstring(svg)
    texts = re.findall(r">([^<>]+)</text>", svg)
    assert texts[1:4] == ["nginx", "gateway", "caddy"]
    assert texts[4:] == ["an answer without a file", "1.20", "4.50"]
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="9"', svg)]
    assert widths[1] / widths[0] == pytest.approx(1.2, rel=0.01)
    assert widths[2] / widths[0] == pytest.approx(2.5, rel=0.01), "cut where it would be too long"


def test_what_was_not_measured_is_left_out(chart: ModuleType) -> None:
    assert chart.rows({"values": {"return": {"gateway": {"": [1.0]}}}}) == []
