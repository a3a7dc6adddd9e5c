"""TLS towards an upstream that did not come about: it speaks plain HTTP, or wants to hear a name."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family

# What OpenSSL says of bytes that begin no record of TLS.
_NO_TLS: Final = re.compile(rb"wrong version number|packet length too long|record layer failure|bad record type")
# What servers with several names answer to a client that says none.
_NO_NAME: Final = re.compile(rb"unrecognized name|handshake failure|internal error")


def _key(failure: Failure) -> Hashable:
    return failure.peer, failure.message


def _text(failure: Failure) -> str | None:
    family, peer = failure.family, failure.peer
    message = failure.message
    if _NO_TLS.search(message) or message.startswith(b"peer closed connection"):
        plain = f"proxy_pass http://{peer};" if family == "proxy" else f"{family}_pass {peer};"
        sure = "what came back is no TLS" if _NO_TLS.search(message) else "it closed on the first bytes of TLS"
        return f"{sure}, so {peer} speaks without it: write {plain} here, or let it speak TLS"
    if _NO_NAME.search(message):
        setting = failure.setting(f"{family}_ssl_server_name", "off")
        return (
            f"{peer} refused the handshake, as servers with several names do with a client that names none: {setting}; "
            f"write {family}_ssl_server_name on; and {family}_ssl_name, if the name is another than that of the *_pass"
        )
    return None


FAMILY: Final = Family(
    (b"SSL_do_handshake() failed (SSL:", b"peer closed connection in SSL handshake"), _key, _text
)
