"""What is found out about a request, in the order in which it happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.config.errors import Where


@dataclass(slots=True)
class Finding:
    """One line of an explanation: `kind` is what it is about, `details` are lines below it."""

    kind: str
    text: str
    where: Where | None = None
    details: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    subrequest: str = ""  # the URI of the subrequest that it is about

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"kind": self.kind, "text": self.text}
        if self.where is not None:
            shown["file"], shown["line"] = self.where.file, self.where.line
        if self.details:
            shown["details"] = self.details
        if self.subrequest:
            shown["subrequest"] = self.subrequest
        return shown | self.data


class Findings:
    """The list, as it grows."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def tell(
        self,
        kind: str,
        text: str,
        where: Where | None = None,
        details: list[str] | None = None,
        subrequest: str = "",
        **data: Any,
    ) -> Finding:
        finding = Finding(kind, text, where, details or [], data, subrequest)
        self.all.append(finding)
        return finding

    def of(self, kind: str) -> list[Finding]:
        return [finding for finding in self.all if finding.kind == kind]


def show(value: bytes | None) -> str:
    """A value as a person reads it; what is no text is escaped."""
    if value is None:
        return "(not set)"
    text = value.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
