"""What PHP-FPM says of a script that it does not run, by stderr: which file it was told, and who cannot read it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family, as_written
from gateway.dev.diagnosis.path_walk import Missing, walk

_BEGINS: Final = b'FastCGI sent in stderr: "'
_SAID: Final = re.compile(
    rb"Primary script unknown|Unable to open primary script|has been denied \(see security\.limit"
)
_NAME: Final = b"SCRIPT_FILENAME"


def _said(failure: Failure) -> bytes:
    found = _SAID.search(failure.message)
    return found[0] if found else b""


def _key(failure: Failure) -> Hashable:
    return id(failure.request.location), _said(failure)


def _text(failure: Failure) -> str | None:
    said = _said(failure)
    if not said:
        return None
    path = _script(failure)
    if path is None:
        return (
            "the request has no SCRIPT_FILENAME, by which PHP-FPM finds the script: write fastcgi_param "
            "SCRIPT_FILENAME $document_root$fastcgi_script_name; beside the fastcgi_pass (fastcgi.conf has it)"
        )
    if said.startswith(b"has been denied"):
        return (
            f"SCRIPT_FILENAME was {path}, which does not end as security.limit_extensions of PHP-FPM wants (.php): let "
            "the location take scripts alone (location ~ \\.php$) and serve the rest as files"
        )
    if said.startswith(b"Unable"):
        return (
            f"SCRIPT_FILENAME was {path}: the user of PHP-FPM's pool (user = in its file) may not read it; namei -l "
            f"{path} shows which part denies (folders need x, the file r)"
        )
    return f"SCRIPT_FILENAME was {path}: {_missing(path)}; {_root(failure)}"


def _script(failure: Failure) -> str | None:
    """The parameter as it was sent; None where it was not."""
    packet = failure.exchange.packet
    # A pair is two lengths, of one byte below 128 and of four else, then the name and the value.
    for lengths, long in ((bytes((len(_NAME),)), False), (bytes((len(_NAME),)) + b"\x80", True)):
        width = 4 if long else 1
        for found in re.finditer(re.escape(lengths) + (b"..." if long else b".") + _NAME, packet, re.DOTALL):
            length = int.from_bytes(packet[found.start() + 1 : found.start() + 1 + width], "big") & 0x7FFFFFFF
            return packet[found.end() : found.end() + length].decode("utf-8", "surrogateescape")
    return None


def _missing(path: str) -> str:
    if not path:
        return "nothing is named"
    with contextlib.suppress(OSError):
        try:
            walk(path)
        except Missing as end:
            return f"{end.folder} has no {os.path.basename(end.path)} (if PHP-FPM sees the files that we see)"
        return (
            "that file is there for us, so PHP-FPM sees other ones (a container, chroot =), or its user may not pass a "
            "folder above it"
        )
    return "it cannot be looked at from here"


def _root(failure: Failure) -> str:
    statement = failure.set_by("root", "alias")
    return f"here holds {as_written(statement)}" if statement is not None else "no root is set here, so it is html"


FAMILY: Final = Family((_BEGINS,), _key, _text)
