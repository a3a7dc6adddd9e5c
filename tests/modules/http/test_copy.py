"""copy: output_buffers; what it does is tested with http/feed.py."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http


def test_the_setting() -> None:
    cycle = load_http("""server { listen 80; }
        server { listen 81; output_buffers 1 4k; location /a { output_buffers 4 512; location /a/b { } } }""")
    first, second = cycle.servers
    inner = second.root.children[0]
    for location, count, size in (
        (first.root, 2, 32768),
        (second.root, 1, 4096),
        (inner, 4, 512),
        (inner.children[0], 4, 512),
    ):
        location_plan = cycle.plan_of(location)
        assert location_plan is not None
        assert (location.output_buffer, location.output_room) == (size, count * size)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("output_buffers 0 4k;", "invalid value"),
        ("output_buffers 2;", "invalid number of arguments"),
        ("output_buffers 2 4k; output_buffers 2 4k;", "duplicate"),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(f"server {{ {line} }}")
