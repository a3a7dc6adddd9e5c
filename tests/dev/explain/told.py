"""What gateway explain finds out about a request, in this process."""

from __future__ import annotations

from pathlib import Path

from gateway.dev.explain.command import explain
from gateway.dev.explain.findings import Finding, Findings
from gateway.dev.explain.question import ask


def told(
    folder: Path,
    http: str,
    url: str,
    *fields: str,
    method: str = "GET",
    client: str = "127.0.0.1",
    data: str = "",
    http_version: str = "",
) -> Findings:
    """The findings for an http block's inside; `folder` is the prefix, and `nginx.conf` in it the configuration."""
    file = folder / "nginx.conf"
    file.write_text("events {}\nhttp {\n" + http + "\n}\n")
    return explain(ask([method, url], list(fields), client, data, (), http_version), str(file), str(folder))


def one(findings: Findings, kind: str) -> Finding:
    """The only finding of a kind."""
    (finding,) = findings.of(kind)
    return finding


def texts(findings: Findings, kind: str) -> list[str]:
    return [finding.text for finding in findings.of(kind)]
