"""Where the store is: `redis://`, `rediss://`, `unix://`, and through Sentinel or a cluster of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

# scheme: (TLS, what stands behind it)
_SCHEMES: Final = {
    "redis": (False, ""),
    "rediss": (True, ""),
    "valkey": (False, ""),
    "valkeys": (True, ""),
    "unix": (False, "unix"),
    "redis+sentinel": (False, "sentinel"),
    "rediss+sentinel": (True, "sentinel"),
    "redis+cluster": (False, "cluster"),
    "rediss+cluster": (True, "cluster"),
}
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A parsed URL; str() is it without the password, as logs show it."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    kind: str = ""  # "", unix, sentinel, cluster
    path: str = ""  # unix: the socket
    database: int = 0
    service: str = ""  # sentinel: the primary's name
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix://{self.path}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.scheme}://{hosts}/{self.service or self.database or ''}".rstrip("/")


def parse_address(url: str) -> StoreAddress:
    """Errors: ValueError, which says what is wrong with the URL."""
    scheme, colon, rest = url.partition("://")
    if not colon or scheme not in _SCHEMES:
        raise ValueError(f'a URL is expected that begins with one of {", ".join(f"{name}://" for name in _SCHEMES)}')
    tls, kind = _SCHEMES[scheme]
    authority, slash, last = rest.partition("/")
    user, _, password = authority.rpartition("@")[0].partition(":")
    user, password = unquote(user), unquote(password)
    if kind == "unix":
        if not slash:
            raise ValueError("the path of the socket is missing")
        path, _, query = f"/{last}".partition("?")
        database = _number(query.removeprefix("db=") or "0", "database")
        return StoreAddress(scheme, (), tls, kind, path, database, "", user, password)
    hosts = tuple(
        _host(each, _SENTINEL_PORT if kind == "sentinel" else _PORT) for each in authority.rpartition("@")[2].split(",")
    )
    if len(hosts) > 1 and not kind:
        raise ValueError(f"several hosts are for {scheme}+sentinel:// or {scheme}+cluster://")
    if kind == "sentinel":
        if not last:
            raise ValueError("the name of the primary that Sentinel watches is missing after the last slash")
        service, _, number = last.partition("/")
        return StoreAddress(scheme, hosts, tls, kind, "", _number(number or "0", "database"), service, user, password)
    if kind == "cluster" and last not in ("", "0"):
        raise ValueError("a cluster has only the database 0")
    return StoreAddress(scheme, hosts, tls, kind, "", _number(last or "0", "database"), "", user, password)


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    try:
        number = parts.port
    except ValueError:
        raise ValueError(f'invalid port in "{text}"') from None
    if not parts.hostname or parts.path:
        raise ValueError("no host")
    return parts.hostname, number or port


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'invalid {what} "{text}"')
    return int(text)
