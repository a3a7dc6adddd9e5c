from collections.abc import Sequence
from typing import Any

from gateway._fast.request_head import RequestHead
from gateway.protocol.params import Field, Param

class PacketEncoder:
    params: tuple[Param, ...]
    modifier1: int
    modifier2: int
    pass_headers: bool
    tail: bytes
    def __init__(
        self,
        params: Sequence[Param],
        *,
        modifier1: int = 0,
        modifier2: int = 0,
        pass_headers: bool = True,
        tail: bytes = b"",
    ) -> None: ...
    def encode(self, request: Any, head: RequestHead | list[Field]) -> bytes: ...
