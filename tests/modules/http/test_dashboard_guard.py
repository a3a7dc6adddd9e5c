"""dashboard_guard: a page of another site does not look, by whatever name it reaches this machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.core.regex import Regex
from gateway.http.servers import AddressServers
from gateway.modules.http.dashboard_guard import refused
from gateway.serving.server_names import ServerName


def request(host: bytes, *, local: bytes = b"127.0.0.1", names: tuple[bytes, ...] = (), **fields: str) -> Any:
    """What a browser asks with, of a server with these names that was asked at this address."""
    head = {name.replace("_", "-").encode(): value.encode() for name, value in fields.items()}
    server, servers = SimpleNamespace(), AddressServers()
    for name in names or (b"",):
        servers.add(ServerName(name, server, Regex(name[1:].decode()) if name[:1] == b"~" else None))
    connection = SimpleNamespace(scheme=b"http", local_address=lambda: (local, 80), servers=servers)
    get = SimpleNamespace(get=head.get, host=host)
    bare = host if host.startswith(b"[") else host.partition(b":")[0]
    return cast(
        "Any",
        SimpleNamespace(head=get, connection=connection, host=bare, server=server, method=b"GET"),
    )


@pytest.mark.parametrize("local", [b"127.0.0.1", b"127.1.2.3", b"::1", b"::ffff:127.0.0.1"])
@pytest.mark.parametrize("names", [(), (b"_",), (b"localhost",), (b"app.test", b"*.app.test"), (b"",)])
def test_a_name_of_another_site_that_leads_here(local: bytes, names: tuple[bytes, ...]) -> None:
    for host in (b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"evil.example:8080"):
        said = refused(request(host, local=local, names=names, origin="http://" + host.decode()))
        assert said is not None and host.partition(b":")[0].decode() in said and "server_name" in said


@pytest.mark.parametrize(
    "host", [b"localhost", b"app.localhost", b"127.0.0.1", b"[::1]", b"192.0.2.7", b"", b"app.test", b"www.app.test"]
)
def test_the_names_of_this_machine_and_of_the_server(host: bytes) -> None:
    names = (b"app.test", b"*.app.test")
    assert refused(request(host, names=names)) is None
    if host:
        assert refused(request(host, names=names, origin="http://" + host.decode())) is None


def test_a_regular_expression_is_a_name() -> None:
    assert refused(request(b"a1.dev.test", names=(rb"~^\w+\.dev\.test$",))) is None
    assert refused(request(b"a1.dev.test.evil.example", names=(rb"~^\w+\.dev\.test$",))) is not None


def test_where_others_reach_it_anyway_a_name_is_as_good_as_another() -> None:
    assert refused(request(b"ops.internal", local=b"192.0.2.7")) is None
    assert refused(request(b"ops.internal", local=b"unix:")) is None


def test_a_page_of_another_site() -> None:
    assert refused(request(b"localhost", origin="http://evil.example")) is not None
    assert refused(request(b"localhost", origin="null")) is not None
    assert refused(request(b"localhost:8080", origin="http://localhost:8081")) is not None
    assert refused(request(b"localhost:8080", origin="http://localhost:8080")) is None
    assert refused(request(b"localhost", sec_fetch_site="same-site")) is not None
    assert refused(request(b"localhost", sec_fetch_site="cross-site", sec_fetch_mode="navigate")) is None
