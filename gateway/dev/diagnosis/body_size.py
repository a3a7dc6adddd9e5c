"""413: the limit, where it was set, and the size of the body."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family


def _key(failure: Failure) -> Hashable:
    return id(failure.request.location)


def _text(failure: Failure) -> str:
    match = re.search(rb"(\d+) bytes", failure.message)
    size = int(match[1]) if match else 0
    chunked = " or more" if b"chunked" in failure.message else ""
    limit = failure.setting("client_max_body_size", "1m")
    return f"{limit} < {human(size)}{chunked}: write client_max_body_size {enough(size)}; in http, server or location"


def human(size: int) -> str:
    """`2.3m`, in the units of the configuration."""
    for unit, factor in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + unit
    return str(size)


def enough(size: int) -> str:
    """A round value of the directive that this body fits into."""
    megabytes = -(-size // (1 << 20))
    return f"{next((round_ for round_ in (2, 5, 10, 20, 50, 100) if round_ >= megabytes), megabytes)}m"


FAMILY: Final = Family((b"client intended to send too large ",), _key, _text)
