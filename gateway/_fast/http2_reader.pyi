from typing import Final

from gateway._fast.hpack import Decoder

NOTHING: Final[int]
DATA: Final[int]
BLOCK_BEGINS: Final[int]
BLOCK_ENDS: Final[int]
PRIORITY: Final[int]
RST_STREAM: Final[int]
SETTINGS: Final[int]
SETTINGS_ACK: Final[int]
PING: Final[int]
WINDOW_UPDATE: Final[int]
GOAWAY: Final[int]
UNKNOWN: Final[int]

class FrameReader:
    def __init__(self, decoder: Decoder, upstream: bool = False) -> None: ...
    decoder: Decoder
    refusing: bool
    stream: int
    ends: bool
    size: int
    length: int
    value: int
    depends_on: int
    exclusive: bool
    prioritized: bool
    weight: int
    window: int
    frame_size: int
    table_changed: bool
    def feed(self, data: bytes) -> None: ...
    def next(self) -> int: ...
    def part(self) -> bytes: ...
    def incomplete(self) -> bool: ...
    def unread(self) -> int: ...
    def block_stream(self) -> int: ...
