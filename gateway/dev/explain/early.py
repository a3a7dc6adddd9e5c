"""A request that comes as early data (0-RTT; RFC 8446, 2.3): its client was here before, and does not wait."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from gateway.core.tls_variables import HTTP_VARIABLES, engine_of
from gateway.modules.http import ssl

if TYPE_CHECKING:
    from gateway.core.variables import Value
    from gateway.dev.explain.findings import Findings
    from gateway.http.servers import AddressServers

# What is otherwise then, where it is taken.
_VALUES: Final = {"ssl_early_data": b"1", "ssl_session_reused": b"r"}


@contextlib.contextmanager
def as_early_data() -> Iterator[None]:
    """What is loaded and asked in here takes each request for one. Python's ssl, which asks, cannot send any."""
    with contextlib.ExitStack() as after:
        for variable in HTTP_VARIABLES:
            if variable.name in _VALUES:
                real = variable.source
                variable.get = _early(_VALUES[variable.name], real)
                after.callback(setattr, variable, "get", real)
        yield


def _early(value: bytes, real: Value) -> Any:
    def get(request: Any) -> bytes | None:
        engine = engine_of(request)
        taken = engine is not None and engine.version() == b"TLSv1.3" and _takes(request.connection.servers)
        return value if taken else real.value(request)

    return get


def _takes(servers: AddressServers) -> bool:
    """Whether the server does that TLS begins with, which is the address's default."""
    conf: ssl.ServerConf = servers.default.confs[ssl.module]
    return conf.early_data


def tell(servers: AddressServers, findings: Findings) -> None:
    if _takes(servers):
        said = "early data (0-RTT): the handshake is not over, and who has recorded the request can send it once more"
    else:
        said = "no early data is taken here (ssl_early_data on;): it comes after the handshake"
    findings.tell("protocol", said)
