"""resolver in an upstream of the stream block, and `server … resolve`."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.stream_engine import load_stream

TEXT = "resolver 127.0.0.1:5353; upstream u { %s } server { listen 1; proxy_pass u; }"


@pytest.mark.parametrize(
    "line",
    ["zone z 64k; server a.test:1 resolve;", "zone z 64k; server a.test service=x resolve; resolver 127.0.0.1:53;"],
)
def test_loaded(line: str) -> None:
    cycle = load_stream(TEXT % line)
    assert cycle.upstreams.all[0].resolver is not None
    assert len(cycle.ready) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("server a.test:1 resolve;", 'resolving names at run time requires upstream "u" in'),
        ("zone z 64k; server a.test:1 service=x resolve;", 'service upstream "a.test:1" may not have port'),
        ("zone z 64k; server a.test service=x;", 'service upstream "a.test" requires "resolve" parameter'),
        ("zone z 64k; server a.test resolve;", 'no port in upstream "a.test"'),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_stream(TEXT % line)
