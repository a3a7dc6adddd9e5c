class ConnectError(OSError):
    call: str

def start_connect(
    to: bytes,
    source: bytes = b"",
    keepalive: bool = False,
    rcvbuf: int = 0,
    sndbuf: int = 0,
    transparent: bool = False,
) -> tuple[int, bool]: ...
def connect_error(fd: int) -> int: ...
