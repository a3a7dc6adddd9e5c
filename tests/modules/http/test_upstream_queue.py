from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http


def test_settings() -> None:
    first, second = load_http(
        "upstream u { server 127.0.0.1; queue 5; } upstream v { server 127.0.0.1; queue 7 timeout=500ms; }"
    ).upstreams.all
    assert (first.queue.size, first.queue.timeout_s) == (5, 60)
    assert (second.queue.size, second.queue.timeout_s) == (7, 0.5)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("queue 0", 'invalid value "0" in "queue" directive'),
        ("queue x", 'invalid value "x" in "queue" directive'),
        ("queue 1 timeout=x", 'invalid parameter "timeout=x"'),
        ("queue 1 what=1", 'invalid parameter "what=1"'),
        ("queue 1; queue 2", '"queue" directive is duplicate'),
    ],
)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"upstream u {{ server 127.0.0.1; {line}; }}")
    assert words in str(caught.value)
