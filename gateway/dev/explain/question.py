"""What is asked: a method, a URL, fields of the request, and where the client is."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.upstream.exchange.http2_whole import request_frames

_PORTS: Final = {"http": 80, "https": 443}
_DEFAULT_AGENT: Final = "curl/8"
# A body that is only declared is made up of zeros, this much at a time, and no more than this of it.
_PIECE: Final = b"0" * 65536
MOST_MADE_UP: Final = 16 << 20


class BadQuestion(ValueError):
    """The words of the command line do not make a request; str() says which and why."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request as a client would send it."""

    method: str
    scheme: str  # "http" or "https"
    host: str  # as in the Host field, without the port
    port: int  # 0: any that is listened on
    target: str  # of the request line
    fields: tuple[tuple[str, str], ...]
    client: str  # its address
    data: bytes = b""  # the body, where there is one
    answer: tuple[tuple[str, str], ...] = ()  # fields that the application's answer has
    http: str = ""  # "1.1", "2" or "3"; else HTTP/2 where a browser would speak it
    early: bool = False  # as early data

    @property
    def authority(self) -> str:
        """The Host field."""
        if not self.port or self.port == _PORTS[self.scheme]:
            return self.host
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def all_fields(self) -> list[tuple[str, str]]:
        """Those that were given, and those that any client has; Host first, if it is not among them."""
        named = {name.lower() for name, _ in self.fields}
        found = list(self.fields)
        if "host" not in named:
            found.insert(0, ("Host", self.authority))
        if "user-agent" not in named:
            found.append(("User-Agent", _DEFAULT_AGENT))
        if "accept" not in named:
            found.append(("Accept", "*/*"))
        if self.data and not named & {"content-length", "transfer-encoding"}:
            found.append(("Content-Length", str(len(self.data))))
            if "content-type" not in named:
                found.append(("Content-Type", "application/x-www-form-urlencoded"))
        return found

    def head(self) -> bytes:
        """The request's head in HTTP/1.1."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *[f"{name}: {value}" for name, value in self.all_fields()]]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def frames(self) -> bytes:
        """The same in HTTP/2, up to the body; what is of HTTP/1's connection alone is not sent."""
        fields = self.all_fields()
        host = next(value for name, value in fields if name.lower() == "host")
        ends = next(self.body_in_http2(), None) is None
        return request_frames(self.method, self.target, host, fields, secure=self.scheme == "https", ends=ends)

    @property
    def declared(self) -> int:
        """The Content-Length that the fields say; 0 for none, and for what is no number."""
        named = {name.lower(): value for name, value in self.fields}
        text = named.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

    @property
    def cut(self) -> bool:
        """Whether less of the body is sent than is declared."""
        return self.declared > max(MOST_MADE_UP, len(self.data))

    def body(self) -> Iterator[bytes]:
        """What follows the head: the data, or as many zeros as the head declares, up to MOST_MADE_UP."""
        named = {name.lower(): value for name, value in self.fields}
        if "chunked" in named.get("transfer-encoding", "").lower():
            data = b"%x\r\n%b\r\n" % (len(self.data), self.data) if self.data else b""
            yield data + b"0\r\n\r\n"
            return
        left = min(self.declared, MOST_MADE_UP) - len(self.data)
        first = _PIECE[: max(0, left)]
        yield self.data + first
        left -= len(first)
        while left > 0:
            yield _PIECE[:left]
            left -= len(_PIECE)

    def body_in_http2(self) -> Iterator[bytes]:
        """The same without HTTP/1's framing; nothing at all of an empty one."""
        named = {name.lower(): value for name, value in self.fields}
        pieces = iter([self.data]) if "chunked" in named.get("transfer-encoding", "").lower() else self.body()
        return (piece for piece in pieces if piece)


def ask(
    words: list[str],
    fields: list[str],
    client: str,
    data: str = "",
    answer: Sequence[str] = (),
    http: str = "",
    *,
    early: bool = False,
) -> Question:
    """[METHOD] URL → a question; with data the method is POST unless it is said. Errors: BadQuestion."""
    if not 1 <= len(words) <= 2:
        raise BadQuestion("a URL is wanted, with the method before it if it is not GET")
    method = words[0] if len(words) == 2 else "POST" if data else "GET"
    if not method.replace("-", "").replace("_", "").isalpha() or not method.isupper():
        raise BadQuestion(f'"{method}" is no method; it is written in capitals, before the URL')
    scheme, host, port, target = _split(words[-1], "https" if http == "3" else "http")
    if early and scheme != "https":
        raise BadQuestion(f'"{words[-1]}" is no URL of https, and early data is a part of TLS')
    if http == "3" and scheme != "https":
        raise BadQuestion(f'"{words[-1]}" is no URL of https, and HTTP/3 is spoken over QUIC alone')
    try:
        zone = getattr(ipaddress.ip_address(client), "scope_id", None)
    except ValueError:
        raise BadQuestion(f'--from wants an IP address, not "{client}"') from None
    if zone is not None:
        raise BadQuestion(f'--from wants an IP address without a zone, not "{client}"')
    body = data.encode("utf-8", "surrogateescape")
    asked = tuple(_field("-H", text) for text in fields)
    answered = tuple(_field("--answer", text) for text in answer)
    return Question(method, scheme, host, port, target, asked, client, body, answered, http, early)


def _split(url: str, scheme: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and target; `scheme` is that of a URL which names none."""
    if url.startswith("/"):
        return scheme, "localhost", 0, _target(url.partition("#")[0])
    if not set(url) & set("./:") and url != "localhost":
        raise BadQuestion(f'"{url}" is no URL: a path begins with a slash, /{url}; a host ends with one, {url}/')
    if "://" not in url:
        url = f"{scheme}://{url}"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise BadQuestion(f'"{url}" is no URL: {error}') from None
    try:
        port = parts.port or 0
    except ValueError:
        raise BadQuestion(f'"{url}" is no URL: its port is no number from 1 to 65535') from None
    if parts.scheme not in _PORTS:
        raise BadQuestion(f'"{url}" is no URL of http or https')
    host = parts.netloc.rpartition("@")[2]
    if not host or host.startswith(":"):
        raise BadQuestion(f'"{url}" names no host')
    if port:
        host = host.rpartition(":")[0]
    target = parts.path or "/"
    if parts.query or url.partition("#")[0].endswith("?"):
        target += "?" + parts.query
    if any(character in host for character in " \r\n\0"):
        raise BadQuestion(f'"{host}" is no host: it has a space or a line break in it')
    return parts.scheme, host, port or _PORTS[parts.scheme], _target(target)


def _target(text: str) -> str:
    """What can stand in a request line, whose words a space ends."""
    if any(character in text for character in " \r\n\0"):
        raise BadQuestion(f'"{text}" has a space or a line break in it; write it as %20 or %0A')
    return text


def _field(option: str, text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(character in text for character in "\r\n\0"):
        raise BadQuestion(f'{option} wants "Name: value", not "{text}"')
    return name.strip(), value.strip()
