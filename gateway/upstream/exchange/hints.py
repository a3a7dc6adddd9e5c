"""Early hints (103) of an upstream on their way to the client (RFC 8297)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.http.setters import holds

if TYPE_CHECKING:
    from gateway._fast.http1_response import ResponseHead
    from gateway.http.request import Request


def on_hints_of(request: Request, conf: Any) -> Callable[[ResponseHead], object] | None:
    """What is called with the heads of one try; None where `early_hints` does not want them."""
    wanted = request.location.core.early_hints
    if wanted and request.main is request and holds(wanted, request):
        return EarlyHints(request, conf).pass_on
    return None


class EarlyHints:
    """Passes the 103 heads of one try on, up to `*_buffer_size` bytes of them."""

    def __init__(self, request: Request, conf: Any) -> None:
        self.request = request
        self.conf = conf
        self.size = 0

    def pass_on(self, head: ResponseHead) -> None:
        self.size += head.size
        request = self.request
        if self.size > self.conf.buffer_size:
            words = b"upstream sent too big early hints while reading response header from upstream"
            request.log("info", words)
            return
        hidden = self.conf.hidden
        fields = [field for field in head.fields if field[0].lower() not in hidden]
        request.output.send_early_hints(request, fields)
