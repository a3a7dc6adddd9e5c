"""What stands in the place of a resolver: nobody is asked, and each name has an address that is nobody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.dev.explain.findings import show

if TYPE_CHECKING:
    from gateway.dev.explain.findings import Findings

# TEST-NET-1 (RFC 5737); connections lead to the witness, whatever their address.
NOBODY: Final = "192.0.2.1"


class _Found:
    """A lookup that is done."""

    done = True
    code = 0
    hosts: Final = [NOBODY]

    def time_out(self) -> None:
        """There is nothing to wait for."""

    def cancel(self) -> None:
        """There is nothing to wait for."""


class NoNames:
    """As much of a Resolver as requests use."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def look_up(self, name: bytes, callback: Callable[[], object] | None = None) -> _Found:
        self._findings.tell("resolver", f"{show(name)} would be looked up; here it stands for {NOBODY}")
        return _Found()
