"""A request that is kept, as a curl command for a shell: what it would send, and what of the request it lacks."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from gateway.config.text import to_bytes
from gateway.modules.http.request_history_body import text_of
from gateway.modules.http.request_history_record import MASK

# Fields that curl sends by itself, or that are of the one connection.
_OF_CURL: Final = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "expect")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_GLOB: Final = re.compile(r"[\[\]{}]")
_DOTS: Final = re.compile(r"/\.{1,2}(?:[/?]|$)")


@dataclass(frozen=True, slots=True)
class Curl:
    """`lacks`: what was not kept, or cannot be written."""

    command: str
    lacks: tuple[str, ...]


def curl(entry: dict[str, Any]) -> Curl:
    """What to type. Nothing in it is read from a file or a pattern (@, [ ], { }), whatever the client has sent."""
    method, target = str(entry.get("method") or "GET"), str(entry.get("uri") or "/")
    words, lacks = ["curl", "-i"], []
    if method == "HEAD":
        words.append("-I")  # with -X it waits for a body
    elif method != "GET":
        words += ["-X", method]
    fields: list[tuple[str, str]] = list(entry.get("asked", ()))
    for name, value in fields:
        if name.lower() in _OF_CURL:
            continue
        if MASK in value or _NO_TEXT.search(value) or not _TOKEN.fullmatch(name):
            lacks.append(name)
        else:
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
    words += _body(entry, fields, lacks)
    if MASK in target:
        lacks.append("what is masked in its URI")
    if entry.get("cut"):
        lacks.append("what there was no room for")
    if _GLOB.search(target):
        words.append("-g")
    if _DOTS.search(target):
        words.append("--path-as-is")
    words.append(f"{entry.get('scheme', 'http')}://{_host(entry)}{_written(target)}")
    return Curl(shlex.join(words), tuple(dict.fromkeys(lacks)))


def _body(entry: dict[str, Any], fields: list[tuple[str, str]], lacks: list[str]) -> list[str]:
    body = entry.get("body")
    named = {name.lower(): value.strip() for name, value in fields}
    if body is None:
        if named.get("content-length", "0").strip("0") or "transfer-encoding" in named:
            lacks.append("its body")
        return []
    text = None if body.why_not_whole else text_of(body.data)
    if text is None or "\0" in text:
        lacks.append("its body")
        return []
    # --data would take what begins with "@" for the name of a file
    return [*(() if "content-type" in named else ("-H", "Content-Type:")), "--data-raw", text]


def _host(entry: dict[str, Any]) -> str:
    port = str(entry.get("port", ""))
    standard = port in ("", "443" if entry.get("scheme") == "https" else "80")
    return str(entry.get("host") or "localhost") + ("" if standard else f":{port}")


def _written(target: str) -> str:
    """Bytes that are no ASCII as curl's caller can type them; the server takes both for the same."""
    return quote(to_bytes(target), safe="".join(map(chr, range(0x21, 0x7F))))
