from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway._fast.request_head import RequestHead

class RequestEncoder:
    minor: int
    pass_headers: bool
    def __init__(
        self,
        minor: int,
        own: Sequence[tuple[bytes, bytes | Callable[[Any], bytes | None]]],
        hidden: Iterable[bytes],
        *,
        pass_headers: bool = True,
    ) -> None: ...
    def encode(
        self, request: Any, head: RequestHead, method: bytes, target: bytes, length: int, body: bytes
    ) -> bytes: ...
