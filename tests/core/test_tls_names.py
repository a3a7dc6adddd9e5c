from __future__ import annotations

from typing import Any

import pytest

from gateway.core.tls_names import matches


def certificate(*names: str, subject: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"subjectAltName": tuple(("DNS", name) for name in names)}
    if subject:
        found["subject"] = ((("organizationName", "x"),), (("commonName", subject),))
    return found


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("example.com", "example.com", True),
        ("Example.COM", "eXample.com", True),
        ("example.com", "www.example.com", False),
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "a.www.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.com", "example.com", False),
        ("*", "localhost", False),
        ("w*.example.com", "www.example.com", True),
        ("*w.example.com", "www.example.com", True),
        ("w*.example.com", "xww.example.com", False),
        ("ww*ww.example.com", "www.example.com", False),
        ("*.*.example.com", "a.b.example.com", False),
        ("www.*.com", "www.example.com", False),
        ("x*.example.com", "xn--abc.example.com", False),
        ("*.example.com", "xn--abc.example.com", True),
    ],
)
def test_names(pattern: str, host: str, expected: bool) -> None:
    assert matches(certificate(pattern), host) is expected


def test_the_subject_counts_where_there_are_no_names() -> None:
    assert matches(certificate(subject="example.com"), "example.com")
    assert not matches(certificate("other.example", subject="example.com"), "example.com")
    assert not matches({}, "example.com")
    assert not matches({"subjectAltName": (("IP Address", "127.0.0.1"),)}, "127.0.0.1")
