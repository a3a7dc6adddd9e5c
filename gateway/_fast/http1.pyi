from collections.abc import Callable
from typing import final

from gateway._fast.errors import HeadError as HeadError
from gateway._fast.request_head import HeadLimits, RequestHead

_OnHost = Callable[[bytes, RequestHead], HeadLimits | None]

@final
class RequestParser:
    limits: HeadLimits
    on_host: _OnHost | None
    head: RequestHead | None
    def __init__(self, limits: HeadLimits | None = None, on_host: _OnHost | None = None) -> None: ...
    def feed(self, data: bytes, offset: int = 0) -> RequestHead | None: ...

def parse_head(
    data: bytes, offset: int = 0, limits: HeadLimits | None = None, on_host: _OnHost | None = None
) -> RequestHead | None: ...
def with_fields(head: RequestHead, fields: list[tuple[bytes, bytes]]) -> RequestHead: ...
