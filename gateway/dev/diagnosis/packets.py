"""A uwsgi request that is larger than the protocol can say."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family


def _key(failure: Failure) -> Hashable:
    return id(failure.request.location)


def _text(failure: Failure) -> str:
    match = re.search(rb"too big: (\d+)", failure.message)
    size = int(match[1]) if match else 0
    head = failure.request.head
    name, value = max(head.fields(), key=lambda field: len(field[1]), default=(b"", b""))
    field = f"; the longest field is {name.decode('latin-1')} with {len(value)} bytes" if value else ""
    return (
        f"the size of a uwsgi request's variables is a number of 16 bits, and these are {size} bytes{field}. No "
        "buffer-size in uWSGI helps: send less in the head (cookies, tokens), or let large_client_header_buffers "
        "refuse it earlier, or use proxy_pass to an HTTP socket"
    )


FAMILY: Final = Family((b"uwsgi request is too big",), _key, _text)
