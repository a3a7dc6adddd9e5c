"""The language that picks requests."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.modules.http.dashboard_filters import BadFilter, compiled

ENTRY: dict[str, Any] = {
    "method": "POST", "uri": "/api/Users?x=1", "status": "502", "seconds": "0.750", "bytes": "158",
    "client": "10.0.0.7",
    "host": "a.example", "upstream": "127.0.0.1:8001", "location": "/api (n.conf:3)", "notes": ["[error] Refused"],
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", "status:502", "status:5xx", "status>=500", "time>0.5", "time<=0.75", "bytes<200", "method:post",
        "path:/api",
        "host:a.", "up:8001", "client:10.", "location:/api", "error", "users", "refused", "!status:4xx",
        "status:5xx !up:9",
        "uri:x=1", "status=502", "STATUS:5XX", "Method=post", "502", "POST", "post", "time>700ms", "time<1s",
        "TIME>0.7S",
        "x=1", "/api/users?x=1", "!!status:5xx", "!" * 8001 + "status:4xx", "!" * 8000 + "status:5xx",
    ],
)  # fmt: skip
def test_it_is_picked(text: str) -> None:
    assert compiled(text)(ENTRY)


@pytest.mark.parametrize(
    "text",
    [
        "status:404", "time>1", "method:GET", "!error", "path:/x", "status:5xx up:9", "nothing", "!!status:4xx", "!",
        "50", "POS", "time>800ms", "http://x",
    ],
)  # fmt: skip
def test_it_is_not(text: str) -> None:
    assert not compiled(text)(ENTRY)


@pytest.mark.parametrize(
    "text", ["status:abc", "status:", "colour:red", "time:1", "status=>5", "bytes>5s", "status>400ms"]
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(BadFilter):
        compiled(text)


def test_entries_without_anything() -> None:
    assert not compiled("time>0")({})
    assert compiled("!status:2xx")({})
