from typing import final

@final
class QpackDecoder:
    """Of one connection. Errors everywhere: QpackError.

    `field_limit` is for each name and each value, as they are encoded; `head_limit` for all of a block, decoded: so
    nginx's `large_client_header_buffers` is meant. Both may be changed when it is known whose request it is.
    """

    field_limit: int
    head_limit: int
    @property
    def table_most(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    @property
    def table_size(self) -> int: ...
    @property
    def inserted(self) -> int: ...
    @property
    def blocked(self) -> dict[int, tuple[bytes, int]]: ...
    def __init__(self, field_limit: int, head_limit: int, table: int, most_blocked: int) -> None: ...
    def take_said(self) -> bytes:
        """What the client's encoder is to be told."""
    def feed_encoder(self, data: bytes) -> list[int]:
        """Take in instructions; the streams whose blocks can go on, for resume_header()."""
    def feed_header(self, stream: int, block: bytes) -> list[tuple[bytes, bytes]] | None:
        """The fields of a block; None: it has to wait."""
    def resume_header(self, stream: int) -> list[tuple[bytes, bytes]]:
        """The fields of a block that has waited."""
    def cancel_stream(self, stream: int) -> None:
        """No more of this stream is read, if there is more."""
