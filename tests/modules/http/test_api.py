from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http import stub_status
from tests import certificates
from tests.dns_server import dns_server
from tests.engine import Engine, load_http, read_reply, serving
from tests.fakes import answer, farm
from tests.http.test_handshake import site

CONF = """
    upstream a { zone a 64k; server 127.0.0.1:81 weight=3 max_conns=5 fail_timeout=1m; server 127.0.0.1:82 backup; }
    upstream b { zone b 64k; ip_hash; server 127.0.0.1:83 down route=r; server 127.0.0.2:83 drain; }
    upstream c { server 127.0.0.1:84; }
    server { listen 127.0.0.1:8080; location /api { api write=on; } location /read/ { api; } }
"""


class Client:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def __call__(self, method: str, path: str, value: Any = None, base: str = "/api/9/") -> tuple[int, Any]:
        body = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        reply = await self.engine.request(method, base + path, body=body)
        self.reply = reply
        return reply.status, json.loads(reply.body) if reply.body else None


@asynccontextmanager
async def client(text: str = CONF) -> AsyncIterator[Client]:
    async with serving(text) as engine:
        yield Client(engine)


async def test_paths() -> None:
    async with client() as call:
        assert await call("GET", "", base="/api") == (200, [1, 2, 3, 4, 5, 6, 7, 8, 9])
        status, names = await call("GET", "")
        assert status == 200
        for name in names:
            assert (await call("GET", name))[0] == 200
        status, names = await call("GET", "http/")
        for name in names:
            assert (await call("GET", f"http/{name}"))[0] == 200
        assert call.reply.header("content-type") == b"application/json"
        assert call.reply.header("cache-control") == b"no-cache"


async def test_process_and_connections() -> None:
    async with client() as call:
        _, nginx = await call("GET", "nginx")
        assert nginx["version"] == "1.31.5" and nginx["generation"] >= 1 and nginx["ppid"] > 0
        assert nginx["timestamp"] >= nginx["load_timestamp"] and nginx["load_timestamp"].endswith("Z")
        _, connections = await call("GET", "connections")
        assert set(connections) == {"accepted", "dropped", "active", "idle"}
        assert set((await call("GET", "http/requests"))[1]) == {"total", "current"}
        _, slabs = await call("GET", "slabs")
        assert set(slabs) == {"a", "b"} and slabs["a"]["pages"]["free"] > 8 and slabs["a"]["pages"]["used"] >= 1
        assert (await call("GET", "connections?fields=idle,active"))[1].keys() == {"idle", "active"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "text"),
    [
        ("GET", "nothing", 404, "PathNotFound", "path not found"),
        ("GET", "http/upstreams/x", 404, "UpstreamNotFound", "upstream not found"),
        ("GET", "http/upstreams/c", 404, "UpstreamNotFound", "upstream not found"),
        ("GET", "http/upstreams/a/what", 404, "PathNotFound", "path not found"),
        ("GET", "http/upstreams/a/servers/9", 404, "UpstreamServerNotFound", 'server with ID "9" does not exist'),
        ("GET", "http/upstreams/a/servers/x", 400, "UpstreamBadServerId", "invalid server ID"),
        ("GET", "http/upstreams/a/servers/" + "0" * 5000 + "7", 404, "UpstreamServerNotFound", None),
        ("GET", "http/upstreams/a/servers/" + "9" * 5000, 404, "UpstreamServerNotFound", None),
        ("GET", "slabs/x", 404, "SlabNotFound", "slab not found"),
        ("GET", "workers/7", 404, "WorkerNotFound", "worker not found"),
        ("GET", "resolvers/x", 404, "ResolverZoneNotFound", "resolver zone not found"),
        ("GET", "http/server_zones/x", 404, "ServerZoneNotFound", "server zone not found"),
        ("DELETE", "http/location_zones/x", 404, "LocationZoneNotFound", "location zone not found"),
        ("GET", "http/limit_reqs/x", 404, "LimitReqNotFound", "limit_req not found"),
        ("GET", "http/limit_conns/x", 404, "LimitConnNotFound", "limit_conn not found"),
        ("GET", "http/caches/x", 404, "CacheNotFound", "cache not found"),
        ("GET", "connections/x", 404, "PathNotFound", "path not found"),
        ("DELETE", "slabs", 405, "MethodDisabled", "method DELETE disabled"),
        ("DELETE", "nginx", 405, "MethodDisabled", "method DELETE disabled"),
        ("POST", "http/upstreams/a", 405, "MethodDisabled", "method POST disabled"),
    ],
)
async def test_errors(method: str, path: str, status: int, code: str, text: str | None) -> None:
    async with client() as call:
        found, answered = await call(method, path)
        assert found == status
        said = text or f'server with ID "{path.rpartition("/")[2]}" does not exist'
        assert answered["error"] == {"status": status, "text": said, "code": code}
        assert len(answered["request_id"]) == 32 and answered["href"].startswith("https://")


async def test_versions() -> None:
    async with client() as call:
        assert (await call("GET", "nginx", base="/api/3/"))[0] == 200
        assert (await call("GET", "nginx", base="/api/10/"))[1]["error"]["code"] == "UnknownVersion"


async def test_read_only() -> None:
    async with client() as call:
        path = "http/upstreams/a/servers"
        assert (await call("GET", path, base="/read/9/"))[0] == 200
        status, answered = await call("POST", path, {"server": "127.0.0.1:99"}, base="/read/9/")
        assert (status, answered["error"]["code"]) == (405, "MethodDisabled")
        assert call.reply.header("allow") == b"GET, HEAD, OPTIONS"
        status, _ = await call("OPTIONS", path)
        assert (status, call.reply.header("allow")) == (200, b"GET, HEAD, OPTIONS, POST")
        assert len((await call("GET", path))[1]) == 2


async def test_servers_as_configured() -> None:
    async with client() as call:
        usual = {"max_fails": 1, "slow_start": "0s", "route": "", "down": False}
        _, servers = await call("GET", "http/upstreams/a/servers/")
        assert servers == [
            {
                "id": 0,
                "server": "127.0.0.1:81",
                "weight": 3,
                "max_conns": 5,
                "fail_timeout": "60s",
                "backup": False,
                **usual,
            },
            {
                "id": 1,
                "server": "127.0.0.1:82",
                "weight": 1,
                "max_conns": 0,
                "fail_timeout": "10s",
                "backup": True,
                **usual,
            },
        ]
        _, server = await call("GET", "http/upstreams/b/servers/0")
        assert (server["down"], server["route"]) == (True, "r")
        assert (await call("GET", "http/upstreams/b/servers/1"))[1]["drain"] is True


async def test_upstreams() -> None:
    async with client() as call:
        _, upstreams = await call("GET", "http/upstreams")
        assert list(upstreams) == ["a", "b"]
        assert upstreams["a"]["zone"] == "a" and upstreams["a"]["zombies"] == 0
        assert [peer["state"] for peer in upstreams["b"]["peers"]] == ["down", "draining"]
        peer = upstreams["a"]["peers"][0]
        assert peer["state"] == "up" and peer["max_conns"] == 5 and peer["health_checks"]["checks"] == 0
        assert peer["responses"] == {"1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, "codes": {}, "total": 0}
        assert "downstart" not in peer and "selected" not in peer
        assert (await call("GET", "http/upstreams?fields="))[1] == ["a", "b"]
        assert (await call("GET", "http/upstreams?fields=zone"))[1] == {"a": {"zone": "a"}, "b": {"zone": "b"}}
        assert (await call("GET", "http/upstreams/a?fields=zone,zombies"))[1] == {"zone": "a", "zombies": 0}


async def test_statistics(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        good = await peers.tcp(answer(b"Content-Length: 2\r\n\r\nok"))
        bad = await peers.refusing()
        text = f"""
            upstream u {{ zone u 64k; server {bad} fail_timeout=1h; server {good}; queue 3; }}
            server {{ listen 127.0.0.1:8080; location /api {{ api write=on; }} location / {{ uwsgi_pass u; }} }}
        """
        async with client(text) as call:
            for _ in range(3):
                assert (await call.engine.get("/")).status == 200
            _, upstream = await call("GET", "http/upstreams/u")
            assert upstream["queue"] == {"size": 0, "max_size": 3, "overflows": 0}
            one, two = upstream["peers"]
            assert (one["state"], one["fails"], one["unavail"], one["requests"]) == ("unavail", 1, 1, 1)
            assert one["downstart"] and two["selected"] >= one["selected"]
            assert (two["state"], two["requests"], two["active"]) == ("up", 3, 0)
            assert two["responses"]["2xx"] == two["responses"]["total"] == 3
            assert (two["responses"]["codes"], one["responses"]["codes"]) == ({"200": 3}, {})
            assert two["sent"] > 0 and two["received"] > 0
            assert await call("DELETE", "http/upstreams/u") == (204, None)
            _, upstream = await call("GET", "http/upstreams/u")
            assert [peer["requests"] for peer in upstream["peers"]] == [0, 0]
            assert [peer["responses"]["codes"] for peer in upstream["peers"]] == [{}, {}]


async def test_servers_come_and_go() -> None:
    async with client() as call:
        path = "http/upstreams/a/servers"
        status, made = await call(
            "POST",
            path + "/",
            {
                "server": "127.0.0.1",
                "weight": 2,
                "max_conns": 7,
                "max_fails": 0,
                "fail_timeout": "5s",
                "slow_start": "10s",
                "route": "x",
                "down": True,
            },
        )
        assert status == 201
        assert (call.reply.header("location") or b"").endswith(b"/api/9/http/upstreams/a/servers/2")
        assert made == {
            "id": 2,
            "server": "127.0.0.1:80",
            "weight": 2,
            "max_conns": 7,
            "max_fails": 0,
            "fail_timeout": "5s",
            "slow_start": "10s",
            "route": "x",
            "backup": False,
            "down": True,
        }
        assert await call("GET", path + "/2") == (200, made)
        status, changed = await call("PATCH", path + "/2", {"down": False, "weight": 9})
        assert status == 200 and (changed["down"], changed["weight"], changed["max_conns"]) == (False, 9, 7)
        status, changed = await call("PATCH", path + "/2", {"drain": True})
        assert status == 200 and changed["drain"] is True
        status, changed = await call("PATCH", path + "/2", {"server": "[::1]:90", "route": "y", "drain": False})
        assert (changed["server"], changed["route"], changed["weight"], changed["id"]) == ("[::1]:90", "y", 9, 2)
        upstream = call.engine.cycle.upstreams.all[0]
        assert [peer.name for peer in upstream.group.peers] == [b"127.0.0.1:81", b"[::1]:90"]
        status, left = await call("DELETE", path + "/0")
        assert status == 200 and [server["id"] for server in left] == [1, 2]
        assert [server["id"] for server in (await call("GET", path))[1]] == [1, 2]
        status, _ = await call("POST", path, {"server": "unix:/run/x.sock", "backup": True})
        assert status == 201
        assert (await call("GET", "http/upstreams/a"))[1]["peers"][2]["backup"] is True


@pytest.mark.parametrize(
    ("value", "status", "code", "text"),
    [
        ({}, 400, "UpstreamConfFormatError", 'missing "server" argument'),
        ([], 400, "UpstreamConfFormatError", "invalid parameter value"),
        (b"{", 415, "JsonError", "json error"),
        (b"[" * 5000, 415, "JsonError", "json error"),
        ({"server": "127.0.0.1", "route": "\ud800"}, 400, "UpstreamConfFormatError", "invalid parameter value"),
        ({"server": "127.0.0.1", "service": "\ud800"}, 400, "UpstreamConfFormatError", "invalid parameter value"),
        ({"server": 1}, 400, "UpstreamConfFormatError", "invalid parameter value"),
        ({"server": "127.0.0.1", "what": 1}, 400, "UpstreamConfFormatError", 'unknown parameter "what"'),
        ({"server": "127.0.0.1", "id": 1}, 400, "UpstreamConfFormatError", 'unknown parameter "id"'),
        ({"server": {}}, 400, "UpstreamConfFormatError", "nested object or list"),
        ({"server": "127.0.0.1:0"}, 400, "UpstreamBadAddress", 'invalid port in upstream "127.0.0.1:0"'),
        ({"server": "a.example"}, 400, "UpstreamConfNoResolver", 'no resolver defined to resolve "a.example"'),
        ({"server": "127.0.0.1", "weight": 0}, 400, "UpstreamBadWeight", "invalid weight"),
        ({"server": "127.0.0.1", "weight": "1"}, 400, "UpstreamBadWeight", "invalid weight"),
        ({"server": "127.0.0.1", "max_conns": -1}, 400, "UpstreamBadMaxConns", "invalid max_conns"),
        ({"server": "127.0.0.1", "max_fails": True}, 400, "UpstreamBadMaxFails", "invalid max_fails"),
        ({"server": "127.0.0.1", "fail_timeout": "x"}, 400, "UpstreamBadFailTimeout", "invalid fail_timeout"),
        ({"server": "127.0.0.1", "slow_start": "x"}, 400, "UpstreamBadSlowStart", "invalid slow_start"),
        ({"server": "127.0.0.1", "route": "r" * 33}, 400, "UpstreamBadRoute", "route is too long"),
        ({"server": "127.0.0.1", "service": ""}, 400, "UpstreamBadService", '"service" is empty'),
        ({"server": "127.0.0.1", "service": "h"}, 400, "UpstreamBadAddress", None),
        ({"server": "a.b:1", "service": "h"}, 400, "UpstreamBadAddress", 'service upstream "a.b:1" may not have port'),
        ({"server": "127.0.0.1", "backup": True}, 400, "UpstreamNoBackup", 'upstream "b" has no backup'),
    ],
)
async def test_refused_servers(value: Any, status: int, code: str, text: str | None) -> None:
    async with client() as call:
        found, answered = await call("POST", "http/upstreams/b/servers", value)
        assert (found, answered["error"]["code"]) == (status, code)
        assert text is None or answered["error"]["text"] == text
        assert len((await call("GET", "http/upstreams/b/servers"))[1]) == 2


async def test_what_cannot_be_changed() -> None:
    async with client() as call:
        status, answered = await call("PATCH", "http/upstreams/a/servers/0", {"backup": True})
        assert (status, answered["error"]["text"]) == (400, '"backup" cannot be changed')
        assert (await call("PATCH", "http/upstreams/a/servers/0", {"backup": False}))[0] == 200


async def test_names_are_added_for_the_resolver() -> None:
    text = CONF.replace("zone a 64k;", "zone a 64k; resolver 127.0.0.1:1;")
    async with client(text) as call:
        status, made = await call("POST", "http/upstreams/a/servers", {"server": "app.example"})
        assert (status, made["server"]) == (201, "app.example:80")
        shared = call.engine.cycle.upstreams.all[0].shared
        assert list(shared.templates()) == [2]
        assert [peer["id"] for peer in (await call("GET", "http/upstreams/a"))[1]["peers"]] == [0, 1]


async def test_a_full_zone() -> None:
    async with client(CONF.replace("zone a 64k", "zone a 32k")) as call:
        for _ in range(100):
            status, answered = await call("POST", "http/upstreams/a/servers", {"server": "127.0.0.1"})
            if status != 201:
                break
        assert (status, answered["error"]["code"]) == (500, "UpstreamOutOfMemory")


async def test_the_state_file(tmp_path: Path) -> None:
    file = tmp_path / "servers.conf"
    text = f"""
        upstream u {{ zone u 64k; state {file}; }}
        server {{ listen 127.0.0.1:8080; location /api {{ api write=on; }} location / {{ uwsgi_pass u; }} }}
    """
    async with client(text) as call:
        assert (await call.engine.get("/")).status == 502
        path = "http/upstreams/u/servers"
        await call("POST", path, {"server": "127.0.0.1:81", "weight": 5})
        await call("POST", path, {"server": "127.0.0.2:81", "backup": True, "down": True, "slow_start": "1500ms"})
        await call("PATCH", path + "/0", {"max_fails": 0, "fail_timeout": "1m", "route": "r", "max_conns": 3})
        assert file.read_text() == (
            "server 127.0.0.1:81 weight=5 max_conns=3 max_fails=0 fail_timeout=60s route=r;\n"
            "server 127.0.0.2:81 slow_start=1500ms backup down;\n"
        )
        before = (await call("GET", path))[1]
    async with client(text) as call:
        assert (await call("GET", path))[1] == before
        await call("DELETE", path + "/1")
        assert file.read_text().count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["servers.conf"]


async def test_a_state_file_that_cannot_be_written(tmp_path: Path) -> None:
    text = CONF + f"upstream u {{ zone u 64k; state {tmp_path}/none/servers.conf; }}"
    async with client(text) as call:
        assert (await call("POST", "http/upstreams/u/servers", {"server": "127.0.0.1"}))[0] == 201
        assert [line for line in call.engine.log.lines if "writing state file" in line and "failed (2:" in line]


@pytest.mark.parametrize("line", ["api what;", "api write=maybe;"])
def test_bad_parameters(line: str) -> None:
    with pytest.raises(ConfigError, match="invalid parameter"):
        load_http(f"server {{ listen 127.0.0.1:8080; location / {{ {line} }} }}")


async def test_resolvers() -> None:
    async with dns_server() as dns:
        dns.records["app.test", "A"] = ["127.0.0.1"]
        text = f"""
            resolver {dns.address} ipv6=off status_zone=outer; resolver_timeout 5s;
            server {{ listen 127.0.0.1:8080; location /api {{ api; }} location / {{ uwsgi_pass app.test$arg_port; }} }}
        """
        async with client(text) as call:
            assert (await call.engine.get("/?port=:1")).status == 502
            status, found = await call("GET", "resolvers")
            assert status == 200 and list(found) == ["outer"]
            assert found["outer"]["requests"]["name"] == found["outer"]["responses"]["noerror"] == 1
            assert await call("GET", "resolvers/outer") == (200, found["outer"])
            assert (await call("GET", "resolvers/other"))[0] == 404


async def test_limit_reqs() -> None:
    text = """
        limit_req_zone $arg_a zone=a:64k rate=1r/m; limit_req_zone $arg_b zone=b:64k rate=1r/m;
        server { listen 127.0.0.1:8080;
            location /api { api write=on; }
            location / { limit_req zone=a; limit_req zone=b burst=2 nodelay; }
            location /dry { limit_req zone=a; limit_req_dry_run on; } }
    """
    async with client(text) as call:
        for target in ("/?a=1", "/?a=1", "/?b=1", "/?b=1", "/?a=2&b=2", "/dry?a=1", "/"):
            await call.engine.get(target)
        a = {"passed": 2, "delayed": 0, "rejected": 1, "delayed_dry_run": 0, "rejected_dry_run": 1}
        b = {"passed": 3, "delayed": 0, "rejected": 0, "delayed_dry_run": 0, "rejected_dry_run": 0}
        assert await call("GET", "http/limit_reqs") == (200, {"a": a, "b": b})
        assert await call("GET", "http/limit_reqs/b") == (200, b)
        assert await call("DELETE", "http/limit_reqs/b") == (204, None)
        assert await call("GET", "http/limit_reqs") == (200, {"a": a, "b": dict.fromkeys(b, 0)})
        assert set((await call("GET", "slabs"))[1]) == {"a", "b"}


async def test_workers_and_what_can_be_counted_anew() -> None:
    text = """server { listen 127.0.0.1:8080; status_zone s;
        location /api { api write=on; } location / { status_zone l; return 204; } }"""
    async with client(text) as call:
        counters = call.engine.cycle.scope.conf(stub_status.module, "main").counters
        call.engine.worker.counters = counters.claim(number=3)
        for _ in range(3):
            await call.engine.get("/")
        _, (worker,) = await call("GET", "workers")
        assert (worker["id"], worker["pid"]) == (3, os.getpid())
        assert worker["http"] == {"requests": {"total": 4, "current": 1}}
        assert worker["connections"]["accepted"] == 4
        assert (await call("GET", "workers/3"))[1]["id"] == 3
        assert (await call("GET", "http/location_zones/l"))[1]["requests"] == 3
        for path in ("workers/3", "http/server_zones/s", "http/location_zones/l", "http/requests", "connections"):
            assert await call("DELETE", path) == (204, None)
        assert (await call("GET", "http/requests"))[1]["total"] == 2
        assert (await call("GET", "http/location_zones/l"))[1]["requests"] == 0
        assert (await call("GET", "http/server_zones/s"))[1] | {"received": 0, "sent": 0} == {
            "processing": 1,
            "requests": 6,
            "responses": {"1xx": 0, "2xx": 6, "3xx": 0, "4xx": 0, "5xx": 0, "codes": {"200": 2, "204": 4}, "total": 6},
            "discarded": 0,
            "received": 0,
            "sent": 0,
        }
        assert await call("OPTIONS", "processes") == (200, {})
        assert call.reply.header("allow") == b"GET, HEAD, OPTIONS, DELETE"


async def test_tls(tmp_path: Path) -> None:
    listens = "127.0.0.1:8443 ssl"
    text = site(tmp_path, "location /api { api write=on; } client_header_timeout 5s;", listens)
    async with serving(text) as engine:

        async def shown(method: bytes = b"GET") -> tuple[int, Any]:
            request = method + b" /api/9/ssl HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            reply = read_reply(await certificates.exchange(engine, certificates.client_context(), request))
            return reply.status, json.loads(reply.body) if reply.body else None

        assert await shown(b"DELETE") == (204, None)
        await engine.raw(b"\x16\x03\x01\x00\x05hello")
        _, counts = await shown()
        assert (counts["handshakes"], counts["session_reuses"], counts["handshake_timeout"]) == (1, 0, 0)
        assert counts["handshakes_failed"] == 1


async def test_caches(tmp_path: Path) -> None:
    text = f"""
        proxy_cache_path {tmp_path}/a keys_zone=a:1m max_size=10m; proxy_cache_path {tmp_path}/b keys_zone=b:1m;
        server {{ listen 127.0.0.1:8080; location /api {{ api; }} location / {{ proxy_pass http://127.0.0.1:81; }} }}
    """
    async with client(text) as call:
        status, caches = await call("GET", "http/caches")
        assert status == 200 and caches.keys() == {"a", "b"}
        assert caches["a"]["size"] == 0 and isinstance(caches["a"]["cold"], bool)
        assert caches["a"]["max_size"] == 10 << 20 and "max_size" not in caches["b"]
        assert (await call("GET", "http/caches/b"))[1] == caches["b"]


STREAM = """
    }
    stream {
        limit_conn_zone $remote_addr zone=sc:64k;
        upstream s { zone s 64k; server 127.0.0.1:91; server 127.0.0.1:92 backup; }
        server { listen 127.0.0.1:9001; status_zone sz; limit_conn sc 5; proxy_pass s; }
"""


async def test_stream() -> None:
    async with client(CONF + STREAM) as call:
        status, names = await call("GET", "stream")
        assert status == 200 and names == ["server_zones", "limit_conns", "upstreams"]
        for name in names:
            assert (await call("GET", f"stream/{name}"))[0] == 200
        _, found = await call("GET", "stream/upstreams/s")
        assert [peer["server"] for peer in found["peers"]] == ["127.0.0.1:91", "127.0.0.1:92"]
        assert found["peers"][0]["connections"] == 0 and "requests" not in found["peers"][0]
        status, made = await call("POST", "stream/upstreams/s/servers", {"server": "127.0.0.1:93"})
        assert status == 201 and made["server"] == "127.0.0.1:93"
        assert (await call("PATCH", f"stream/upstreams/s/servers/{made['id']}", {"down": True}))[1]["down"] is True
        assert (await call("DELETE", f"stream/upstreams/s/servers/{made['id']}"))[0] == 200
        assert (await call("GET", "stream/upstreams/a"))[0] == 404
        assert (await call("GET", "stream/server_zones/sz"))[1]["sessions"]["total"] == 0
        assert (await call("DELETE", "stream/server_zones/sz"))[0] == 204
        assert (await call("GET", "stream/limit_conns"))[1].keys() == {"sc"}


async def test_without_a_stream_block() -> None:
    async with client() as call:
        assert (await call("GET", "stream/upstreams")) == (200, {})
        assert (await call("GET", "stream/server_zones")) == (200, {})
