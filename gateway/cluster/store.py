"""The store, as this needs it: a connection for as long as it holds, with every call bounded in time.

What it is made of (coredis, on Trio) is the extra `gateway[cluster]`; nothing else imports it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from gateway.cluster.address import StoreAddress
from gateway.cluster.causes import said

if TYPE_CHECKING:
    import coredis

# What a connection imports on its way, which a worker may not be allowed to read any more.
NEEDED: Final = ("coredis", "coredis.patterns.pipeline", "anyio._backends._trio")

MISSING = 'Valkey and Redis need one package more: pip install "gateway[cluster]"'


class StoreError(Exception):
    """The store does not do what it should; str() says why, for the log."""


class WrongKeysError(StoreError):
    """Somebody else has put something of another type under our keys; the store is well."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        super().__init__("keys hold something else")
        self.keys = keys


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What `zone_sync_store` says. Times are in seconds."""

    address: StoreAddress
    prefix: str = "gateway"
    timeout: float = 1.0
    exact_timeout: float = 0.05  # for which a request waits
    trusted: str | None = None  # certificates in PEM; None: the system's


def available() -> bool:
    return find_spec("coredis") is not None


class Store:
    """One open connection to the store."""

    def __init__(self, client: Any, timeout: float) -> None:
        self._client = client
        self.timeout = timeout
        self._scripts: dict[str, Any] = {}
        # bytes of keys, arguments and answers, for whoever counts them
        self.sent = 0
        self.received = 0

    async def run(self, script: str, keys: Sequence[str | bytes], arguments: Sequence[str | bytes | int]) -> Any:
        """Run a Lua script, which the store keeps by its digest. Errors: StoreError, WrongKeysError."""
        found = self._scripts.get(script)
        if found is None:
            found = self._scripts[script] = self._client.register_script(script)
        self.sent += _size(keys) + _size(arguments)
        answer = await self._bounded(found, keys=keys, args=arguments, of=keys)
        self.received += _size(answer) if isinstance(answer, list) else _size([answer])
        return answer

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """One command by coredis' name of it. Errors: StoreError."""
        return await self._bounded(getattr(self._client, method), *arguments, **named)

    async def _bounded(self, work: Any, *arguments: Any, of: Sequence[str | bytes] = (), **named: Any) -> Any:
        import trio

        with translated(of):
            with trio.fail_after(self.timeout):
                return await work(*arguments, **named)


def _size(words: Sequence[Any]) -> int:
    """About what they take on the wire."""
    return sum(len(word) if isinstance(word, str | bytes) else 8 for word in words)


class translated:
    """Whatever goes wrong between us and the store is a StoreError, also out of a group of errors."""

    def __init__(self, keys: Sequence[str | bytes] = ()) -> None:
        self._keys = keys

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        import trio
        from coredis.exceptions import RedisError, WrongTypeError

        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, StoreError):
            raise error from None
        if isinstance(error, trio.TooSlowError):
            raise StoreError("no answer in time") from None
        if isinstance(error, RedisError) and self._keys and (
            isinstance(error, WrongTypeError) or "WRONGTYPE" in str(error)  # of old servers' scripts
        ):
            raise WrongKeysError(self._keys) from None
        if isinstance(error, (RedisError, OSError, trio.BrokenResourceError, trio.ClosedResourceError)):
            raise StoreError(said(error)) from None
        if isinstance(error, ExceptionGroup):
            known = (StoreError, RedisError, OSError, trio.BrokenResourceError, trio.ClosedResourceError)
            if error.split(known)[1] is None:
                raise StoreError("; ".join(sorted({said(each) for each in error.exceptions}))) from None


@asynccontextmanager
async def opened(settings: StoreSettings) -> AsyncIterator[Store]:
    """Connect. Errors: StoreError, also from inside when the connection breaks."""
    with translated():
        client, around = _client(settings)
        async with around, client:
            yield Store(client, settings.timeout)


def _client(settings: StoreSettings) -> tuple[coredis.Redis[bytes] | coredis.RedisCluster[bytes], Any]:
    """A client, and what has to be open around it."""
    from contextlib import AsyncExitStack

    import coredis
    from coredis.connection import TCPLocation
    from coredis.retry import NoRetryPolicy

    address = settings.address
    common: dict[str, Any] = {
        "username": address.user or None,
        "password": address.password or None,
        "retry_policy": NoRetryPolicy(),
        "connect_timeout": settings.timeout,
        "stream_timeout": settings.timeout,
    }
    if address.tls:
        common["ssl_context"] = ssl.create_default_context(cadata=settings.trusted)
    nothing = AsyncExitStack()
    if address.kind == "unix":
        return coredis.Redis(unix_socket_path=address.path, db=address.database, **common), nothing
    nodes = [TCPLocation(host, port) for host, port in address.hosts]
    if address.kind == "cluster":
        return coredis.RedisCluster(startup_nodes=nodes, **common), nothing
    if address.kind == "sentinel":
        sentinel = coredis.Sentinel(nodes, db=address.database, **common)
        return sentinel.primary_for(address.service), sentinel
    host, port = address.hosts[0]
    return coredis.Redis(host, port, address.database, **common), nothing
