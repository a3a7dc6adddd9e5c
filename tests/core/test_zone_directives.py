from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http


@pytest.mark.parametrize(
    "directive", ["limit_req_zone $uri {} rate=1r/s;", "limit_conn_zone $uri {};", "keyval_zone {} timeout=1m;"]
)
@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("zone=a:", 'invalid zone size "zone=a:"'),
        ("zone=a", 'invalid zone size "zone=a"'),
        ("zone=a:x", 'invalid zone size "zone=a:x"'),
        ("zone=a:1k", 'zone "zone=a:1k" is too small'),
        ("zone=:1m", 'must have "zone" parameter'),
    ],
)
def test_the_size_of_a_zone(directive: str, parameter: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(directive.format(parameter))


def test_a_zone_belongs_to_one_directive() -> None:
    text = "limit_req_zone $uri zone=a:1m rate=1r/s; limit_conn_zone $uri zone=a:1m;"
    with pytest.raises(ConfigError, match='"a" is already declared for a different use'):
        load_http(text)
