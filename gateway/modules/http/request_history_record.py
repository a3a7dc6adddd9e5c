"""What request_history keeps of a request: what is masked in it, and what a record's bytes say.

A worker writes a record as bytes (_fast/ring_writer); here they are read, by the dashboard and `gateway explain --id`.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.ring_writer import FIGURES, id_of
from gateway.config.text import to_bytes, to_str
from gateway.modules.http import request_history_body

if TYPE_CHECKING:
    from collections.abc import Callable

MASK: Final = "****"
_SECRET: Final = re.compile(r"token|secret|passw|api-?key|session|signature|credential", re.I)
_SECRET_ARGUMENT: Final = re.compile(
    r"([?&][^=&#\s]*(?:token|secret|passw|api_?key|session|signature)[^=&#\s]*=)[^&#\s]+", re.I
)
_COOKIE_VALUE: Final = re.compile(r"=[^;,]*")
_COOKIE_VALUE_SET: Final = re.compile(r"=[^;]*")  # a date has a comma
# A record: these texts, each behind its length; the figures; the id, if it has one of its own; two texts more; then
# what has a letter before it, in any order.
_FRONT: Final = ("location", "server")
_FIGURES: Final = struct.Struct("=dqqQfHHBB")
_TEXTS: Final = ("client", "content_type")
_COMPLETE: Final = 1
_SECURE: Final = 2
_NAMED: Final = 4
_CUT: Final = 8
_PROTOCOLS: Final = {20: "HTTP/2.0", 30: "HTTP/3.0"}
# what the others are called that ask of an upstream: one text each behind the letter U
UPSTREAM: Final = {
    "upstream": "upstream_addr", "upstream_status": "upstream_status", "connect": "upstream_connect_time",
    "header": "upstream_header_time", "response": "upstream_response_time", "cache": "upstream_cache_status",
}  # fmt: skip
TAG_UPSTREAM: Final = ord("U")
TAG_NOTES: Final = ord("N")
TAG_REPLAY: Final = ord("P")
TAG_BODY: Final = ord("B")
_HEAD: Final = ord("H")
_ANSWERED: Final = ord("R")
_LENGTH: Final = struct.Struct("=I")
_LENGTHS: Final = struct.Struct("=BBHI")
assert _FIGURES.size == FIGURES


class _Reader:
    """A record's bytes, from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def left(self) -> bool:
        return self.at < len(self.data)

    def text(self) -> str:
        if len(self.data) - self.at < _LENGTH.size:  # what had no room
            self.at = len(self.data)
            return ""
        (length,) = _LENGTH.unpack_from(self.data, self.at)
        begin = self.at + _LENGTH.size
        self.at = begin + length
        return to_str(self.data[begin : self.at])

    def figures(self) -> tuple[Any, ...]:
        begin = self.at
        self.at += _FIGURES.size
        return _FIGURES.unpack_from(self.data, begin)

    def field(self) -> tuple[str, str]:
        _, _, name, value = _LENGTHS.unpack_from(self.data, self.at)
        begin = self.at + _LENGTHS.size
        behind = begin + name
        self.at = behind + value
        return to_str(self.data[begin : begin + name]), to_str(self.data[behind : self.at])


def unpacked(data: bytes) -> dict[str, Any]:
    """What a record says. Errors: ValueError, for bytes that are none."""
    asked: list[tuple[str, str]] = []
    answered: list[tuple[str, str]] = []
    try:
        reader = _Reader(data)
        front = {key: reader.text() for key in _FRONT}
        at, sent, length, id, seconds, status, port, version, flags = reader.figures()
        found: dict[str, Any] = {"id": reader.text() if flags & _NAMED else id_of(id)}
        found |= {"time": f"{at:.3f}", "status": f"{status:03d}", "bytes": str(sent), "seconds": f"{seconds:.3f}"}
        found["scheme"] = "https" if flags & _SECURE else "http"
        if port:
            found["port"] = str(port)
        if flags & _COMPLETE:
            found["completion"] = "OK"
        if flags & _CUT:
            found["cut"] = True
        found |= front
        for key in _TEXTS:
            found[key] = reader.text()
        if kind := found.pop("content_type"):
            answered.append(("Content-Type", kind))
        if length >= 0:
            answered.append(("Content-Length", str(length)))
        while reader.left():
            tag = data[reader.at]
            if tag == _ANSWERED:
                answered.append(reader.field())
                continue
            reader.at += 1
            if tag == _HEAD:
                line, *lines = reader.text().split("\r\n")
                asked += map(_field_of, lines)
                found |= line_of(line)
            elif tag == TAG_UPSTREAM:
                found |= {key: reader.text() for key in UPSTREAM}
            elif tag == TAG_NOTES:
                found["notes"] = reader.text().split("\n")
            elif tag == TAG_REPLAY:
                found["replay"] = reader.text()
            elif tag == TAG_BODY:
                found["body"] = request_history_body.read(to_bytes(reader.text()))
            else:
                raise ValueError("not a record")
    except struct.error:
        raise ValueError("not a record") from None
    found.setdefault("uri", "")
    found["protocol"] = found.get("protocol") or _PROTOCOLS.get(version, "")
    found["host"] = host_of(found.get("host"), asked) or found["server"]
    needed = ("location", "uri")
    return {key: value for key, value in found.items() if value or key in needed} | {
        "asked": asked,
        "answered": answered,
    }


def line_of(line: str) -> dict[str, str]:
    """Method, target and protocol of a request's line; of a target in absolute form the host by itself."""
    method, _, rest = line.partition(" ")
    target, _, protocol = rest.strip(" ").rpartition(" ")
    if not protocol.startswith("HTTP/"):  # a line that ends with its target
        target, protocol = rest.strip(" "), ""
    found = {"method": method, "uri": target.rstrip(" "), "protocol": protocol}
    if target[:1] != "/" and method != "CONNECT":
        _, slashes, behind = target.partition("://")
        if slashes:
            end = min((at for at in (behind.find("/"), behind.find("?")) if at >= 0), default=len(behind))
            found["uri"] = behind[end:]
            found["host"] = behind[:end]
    return found


def host_of(authority: str | None, asked: list[tuple[str, str]]) -> str:
    """The name that was asked for, without its port."""
    if not authority:
        authority = next((value for name, value in asked if name.lower() == "host"), "")
    name, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        name = authority
    return name.lower().rstrip(".")


def _field_of(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" ")


def mask_uri(text: bytes) -> bytes:
    """A URI, or lines with some, without the values of arguments that are named like secrets."""
    return to_bytes(masked_uri(to_str(text)))


def mask(name: bytes, value: bytes) -> bytes:
    """A field's value as it may be kept."""
    return to_bytes(masked(to_str(name), to_str(value))[1])


def masked(name: str, value: str) -> tuple[str, str]:
    """A field as it may be kept."""
    how = _ways.get(name)
    if how is None:
        if len(_ways) >= _MOST_WAYS:  # clients make names up
            _ways.clear()
        how = _ways[name] = _way(name.lower())
    return name, value if how is _as_it_is else how(value)


def _way(low: str) -> Callable[[str], str]:
    """How the value of a field of this name is kept."""
    if low in ("authorization", "proxy-authorization"):
        return _scheme_alone
    if low == "cookie":
        return _names_of_cookies
    if low == "set-cookie":
        return _name_of_cookie
    if _SECRET.search(low):
        return _nothing
    return masked_uri if low in ("referer", "location") else _as_it_is


def _as_it_is(value: str) -> str:
    return value


def _nothing(value: str) -> str:
    return MASK


def _scheme_alone(value: str) -> str:
    return f"{value.partition(' ')[0]} {MASK}" if " " in value.strip() else MASK


def _names_of_cookies(value: str) -> str:
    return _COOKIE_VALUE.sub(f"={MASK}", value)


def _name_of_cookie(value: str) -> str:
    return _COOKIE_VALUE_SET.sub(f"={MASK}", value, count=1)


_MOST_WAYS: Final = 1000
_ways: dict[str, Callable[[str], str]] = {}


def masked_uri(uri: str) -> str:
    """A URI without the values of arguments that are named like secrets."""
    return _SECRET_ARGUMENT.sub(rf"\1{MASK}", uri) if "=" in uri else uri
