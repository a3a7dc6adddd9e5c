"""Findings: values as a person reads them."""

from __future__ import annotations

import pytest

from gateway.dev.explain.findings import Findings, show


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "(not set)"),
        (b"plain", "plain"),
        ("ü".encode(), "ü"),
        (b"\xff", "\\xff"),
        (b"a\r\n\x1b[0m", "a\\r\\n\\x1b[0m"),
    ],
)
def test_values(value: bytes | None, shown: str) -> None:
    assert show(value) == shown


def test_json_has_what_is_known() -> None:
    findings = Findings()
    finding = findings.tell("file", "text", details=["line"], subrequest="/x", path="/p")
    assert finding.as_json() == {"kind": "file", "text": "text", "details": ["line"], "subrequest": "/x", "path": "/p"}
    assert findings.of("other") == []
