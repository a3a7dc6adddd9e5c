"""diagnosis_probe: its words, and how it is inherited. What it allows is tested with the question itself."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from gateway.http.setters import locations_of
from gateway.modules.http.diagnosis import module
from tests.engine import load_http


def probes(text: str) -> list[str]:
    (server,) = load_http(text).servers
    return [location.confs[module].probe for location in server.root.children]


def test_inherits_from_the_outside_in() -> None:
    inside = "listen 127.0.0.1:80; location /a { } location /b { diagnosis_probe on; }"
    assert probes(f"server {{ {inside} }}") == ["local", "on"]
    assert probes(f"diagnosis_probe off; server {{ {inside} }}") == ["off", "on"]


def test_other_words() -> None:
    with pytest.raises(ConfigError, match='invalid value "yes"'):
        probes("diagnosis_probe yes; server { }")


def test_pages_are_nobody_s_until_somebody_says_so() -> None:
    inside = "listen 127.0.0.1:80; location /a { } location /b { diagnosis_page on; }"
    cycle = load_http(f"server {{ {inside} }} server {{ listen 127.0.0.1:81; diagnosis_page local; }}")
    assert [each.confs[module].page for each in locations_of(cycle)] == ["", "", "on", "local"]
