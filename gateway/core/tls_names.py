"""Whether a certificate is for a host: nginx's check, which is OpenSSL's X509_check_host() without options."""

from __future__ import annotations

from typing import Any


def matches(certificate: dict[str, Any], host: str) -> bool:
    """By the names in subjectAltName; without any, by the subject's common names. `certificate`: of getpeercert()."""
    host = host.lower()
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    if not names:
        subject = certificate.get("subject", ())
        names = [value for part in subject for kind, value in part if kind == "commonName"]
    return any(_equal(name.lower(), host) for name in names)


def _equal(pattern: str, host: str) -> bool:
    """A "*" stands for one label, the leftmost, or a part of it, with two labels behind it at least."""
    if "*" not in pattern:
        return pattern == host
    first, _, rest = pattern.partition(".")
    label, _, domain = host.partition(".")
    if first.count("*") != 1 or "*" in rest or "." not in rest or not label or domain != rest:
        return False
    if first != "*" and (first.startswith("xn--") or label.startswith("xn--")):
        return False
    before, after = first.split("*")
    return len(label) > len(before) + len(after) - (first != "*") and label.startswith(before) and label.endswith(after)
