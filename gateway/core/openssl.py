"""What a server needs of OpenSSL and Python's `ssl` does not hand on: how many sessions a context keeps, and how long.

The SSL_CTX is the first field of CPython's SSLContext, and the functions are those of the library that Python's own
module is linked with. Where one of the two is not so, nothing is changed: OpenSSL then keeps 20,480 sessions of some
8 KiB, for the time that it has for itself.
"""

from __future__ import annotations

import ctypes
import ssl
import sys
from typing import Any, Final

# <openssl/ssl.h>
_SET_SESS_CACHE_SIZE: Final = 42
_SET_SESS_CACHE_MODE: Final = 44
_SESS_CACHE_OFF: Final = 0
_SESS_CACHE_SERVER: Final = 2


def _library() -> Any:
    """The functions, or None where they cannot be reached."""
    try:
        import _ssl

        library = ctypes.CDLL(_ssl.__file__)
        library.SSL_CTX_get_options.argtypes = [ctypes.c_void_p]
        library.SSL_CTX_get_options.restype = ctypes.c_uint64
        library.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
        library.SSL_CTX_ctrl.restype = ctypes.c_long
        library.SSL_CTX_set_timeout.argtypes = [ctypes.c_void_p, ctypes.c_long]
        library.SSL_CTX_set_timeout.restype = ctypes.c_long
    except (ImportError, AttributeError, OSError):
        return None
    return library


def _address(library: Any, context: ssl.SSLContext) -> int | None:
    """Where the SSL_CTX is, if what is there answers as the context does."""
    if sys.implementation.name != "cpython":
        return None
    address = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    if address and library.SSL_CTX_get_options(address) == int(context.options):
        return address
    return None


def limit_sessions(context: ssl.SSLContext, sessions: int, timeout_s: int) -> bool:
    """Keep at most this many sessions in memory, none with 0, and resume them, and those in tickets, for so long.

    False where this Python has no way to it.
    """
    library = _library()
    address = _address(library, context) if library is not None else None
    if address is None:
        return False
    library.SSL_CTX_ctrl(address, _SET_SESS_CACHE_MODE, _SESS_CACHE_SERVER if sessions else _SESS_CACHE_OFF, None)
    if sessions:
        library.SSL_CTX_ctrl(address, _SET_SESS_CACHE_SIZE, sessions, None)
    library.SSL_CTX_set_timeout(address, timeout_s)
    return True
