from typing import final

@final
class ChunkedDecoder:
    received: int
    trailers: list[tuple[bytes, bytes]]
    done: bool
    def __init__(
        self, *, max_size: int = 0, keep_trailers: bool = False, max_trailers: int = 4096, upstream: bool = False
    ) -> None: ...
    def limit(self, max_size: int) -> None: ...
    def feed(self, data: bytes, offset: int = 0) -> tuple[list[bytes], bool, bytes]: ...
