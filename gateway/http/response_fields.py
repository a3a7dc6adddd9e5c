"""Lines of a response's head that are made once for many answers; the same objects are soon compared (KeptHead)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.http.response import Response

Line = tuple[bytes, bytes]  # of a head: name and value


def has_field(response: Response, lower_name: bytes) -> bool:
    """Whether `fields` have one of this name."""
    for line in response.fields:
        name = line[0]
        if len(name) == len(lower_name) and name.lower() == lower_name:
            return True
    return False


def set_line(response: Response, line: Line, lower_name: bytes) -> None:
    """Response.set(), of a line that is kept."""
    if has_field(response, lower_name):
        response.set(line[0], line[1])
    else:
        response.fields.append(line)
