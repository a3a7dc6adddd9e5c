"""$proxy_protocol_tlv_NAME: what a PROXY protocol header of version 2 tells beside addresses.

A type has a name, or is 0xNN; those inside of the TLV about TLS begin with `ssl_`.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Final

from gateway.protocol.proxy_protocol import ALPN, AUTHORITY, SSL, SSL_CIPHER, SSL_CN, SSL_VERSION, parse_tlvs

if TYPE_CHECKING:
    from gateway.core.variables import Getter

# What stands before the TLVs inside of that one: a byte, and the result of the verification in four.
_SSL_HEAD: Final = 5
_OUTER: Final = {"alpn": ALPN, "authority": AUTHORITY, "unique_id": 0x05, "ssl": SSL, "netns": 0x30}
_INNER: Final = {"version": SSL_VERSION, "cn": SSL_CN, "cipher": SSL_CIPHER, "sig_alg": 0x24, "key_alg": 0x25}


def tlv(name: str) -> Getter:
    """The variable's value by what follows the prefix."""
    inside = name.startswith("ssl_")
    rest = name.removeprefix("ssl_")
    if inside and rest == "verify":
        return _verify
    if rest.startswith("0x"):
        digits = rest[2:]
        kind = int(digits, 16) if digits and not set(digits) - set(string.hexdigits) else None
        complaint = b'invalid PROXY protocol TLV "%b"' % name.encode()
    else:
        kind = (_INNER if inside else _OUTER).get(rest)
        complaint = b'unknown PROXY protocol TLV "%b"' % name.encode()

    def get(request: Any) -> bytes | None:
        header = request.connection.proxy
        if header is None:
            return None
        tlvs: dict[int, bytes] = header.tlvs
        if inside:
            outer = tlvs.get(SSL)
            if outer is None or len(outer) < _SSL_HEAD:
                return None
            tlvs = parse_tlvs(outer[_SSL_HEAD:])
        if kind is None:
            request.log("error", complaint)
            return None
        return tlvs.get(kind)

    return get


def _verify(request: Any) -> bytes | None:
    header = request.connection.proxy
    value: bytes | None = None if header is None else header.tlvs.get(SSL)
    return b"%d" % int.from_bytes(value[1:_SSL_HEAD], "big") if value is not None and len(value) >= _SSL_HEAD else None
