from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.stream_engine import load_stream


def test_a_template_of_stream_has_the_variables_of_stream() -> None:
    load_stream("server { listen 1; return $session_time; }")
    with pytest.raises(ConfigError, match='unknown "request_uri" variable'):
        load_stream("server { listen 1; return $request_uri; }")


def test_only_once() -> None:
    with pytest.raises(ConfigError, match='"return" directive is duplicate'):
        load_stream("server { listen 1; return a; return b; }")
