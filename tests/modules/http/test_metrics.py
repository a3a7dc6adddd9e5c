"""metrics: Prometheus reads it, and it says what the clients counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from gateway.config.errors import ConfigError
from gateway.core.ring import Ring
from gateway.modules.http.request_history_record import unpacked
from tests.engine import Engine, load_http, serving
from tests.fakes import answer, farm
from tests.speeches import HTTP

CONF = """
    limit_req_zone $arg_k zone=slow:1m rate=1r/m;
    server {
        listen 127.0.0.1:1;
        status_zone site;
        location /metrics { metrics; }
        location /ok { status_zone here; return 200 ok; }
        location /no { return 404; }
        location /limited { limit_req zone=slow; stub_status; }
    }
"""

# What dashboards and alerts ask for.
NAMES = {
    "nginxplus_up", "gateway_build_info",
    "nginxplus_connections_accepted", "nginxplus_connections_dropped", "nginxplus_connections_active",
    "nginxplus_connections_idle", "nginxplus_http_requests", "nginxplus_http_requests_current",
    "nginxplus_server_zone_processing", "nginxplus_server_zone_requests", "nginxplus_server_zone_responses",
    "nginxplus_server_zone_discarded", "nginxplus_server_zone_received", "nginxplus_server_zone_sent",
    "nginxplus_location_zone_requests", "nginxplus_location_zone_responses", "nginxplus_location_zone_discarded",
    "nginxplus_location_zone_received", "nginxplus_location_zone_sent",
    "nginxplus_limit_request_passed", "nginxplus_limit_request_delayed", "nginxplus_limit_request_rejected",
    "nginxplus_limit_request_delayed_dry_run", "nginxplus_limit_request_rejected_dry_run",
    "gateway_server_zone_request_seconds", "gateway_location_zone_request_seconds",
}  # fmt: skip

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def _samples(engine: Engine) -> tuple[set[str], Samples]:
    reply = await engine.get("/metrics")
    assert reply.status == 200
    assert reply.header("content-type") == b"text/plain; version=0.0.4"
    families = list(text_string_to_metric_families(reply.body.decode()))
    # the parser names counters as OpenMetrics does
    samples = {
        (s.name.removesuffix("_total"), tuple(sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }
    return {family.name for family in families}, samples


async def test_names() -> None:
    async with serving(CONF) as engine:
        names, _ = await _samples(engine)
        assert names - {name for name in names if "_worker_" in name} == NAMES


async def test_figures() -> None:
    async with serving(CONF) as engine:
        for path in ("/ok", "/ok", "/no", "/limited?k=a", "/limited?k=a"):
            await engine.get(path)
        _, samples = await _samples(engine)
        zone = ("server_zone", "site")
        assert samples["nginxplus_server_zone_responses", (("code", "2xx"), zone)] == 3
        assert samples["nginxplus_server_zone_responses", (("code", "4xx"), zone)] == 1
        assert samples["nginxplus_server_zone_responses", (("code", "5xx"), zone)] == 1
        assert samples["nginxplus_location_zone_requests", (("location_zone", "here"),)] == 2
        assert samples["nginxplus_limit_request_rejected", (("zone", "slow"),)] == 1


async def test_upstreams(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(speech=HTTP))
        text = f"""
        upstream app {{ zone app 64k; server {address} max_conns=7; server 127.0.0.1:1 backup; }}
        server {{ listen 127.0.0.1:1; location / {{ proxy_pass http://app; }} location /metrics {{ metrics; }} }}
        """
        async with serving(text) as engine:
            await engine.get("/x")
            _, samples = await _samples(engine)
            one = (("server", address), ("upstream", "app"))
            assert samples["nginxplus_upstream_server_requests", one] == 1
            assert samples["nginxplus_upstream_server_limit", one] == 7
            assert samples["nginxplus_upstream_server_state", one] == 1
            assert samples["nginxplus_upstream_server_responses", (("code", "2xx"), *one)] == 1


async def test_times(tmp_path: Path) -> None:
    """Buckets are cumulative; an example of each is a request that request_history kept."""
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(speech=HTTP))
        text = f"""
        request_history {tmp_path}/ring;
        server {{
            listen 127.0.0.1:1; status_zone site; add_header I $request_id;
            location / {{ proxy_pass http://{address}; }}
            location /here {{ return 204; }}
            location /metrics {{ metrics; }}
        }}
        """
        async with serving(text) as engine:
            await engine.get("/x")
            await engine.get("/here")
            _, samples = await _samples(engine)
            zone = ("server_zone", "site")
            whole, upstream = (f"gateway_server_zone_{what}_seconds" for what in ("request", "upstream"))
            assert samples[f"{whole}_count", (zone,)] == samples[f"{whole}_bucket", (("le", "+Inf"), zone)] == 2
            assert samples[f"{upstream}_count", (zone,)] == 1
            bounds = [value for (name, _), value in samples.items() if name == f"{whole}_bucket"]
            assert bounds == sorted(bounds) and len(bounds) == 12
            reply = await engine.get("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
            assert (reply.header("content-type") or b"").startswith(b"application/openmetrics-text; version=1.0.0")
            parsed = openmetrics.text_string_to_metric_families(reply.body.decode())  # type: ignore[no-untyped-call]
            families = list(parsed)
            examples = [s.exemplar.labels for family in families for s in family.samples if s.exemplar is not None]
            kept = {unpacked(data)["id"] for _, data in Ring.read_from(f"{tmp_path}/ring").newest()}
            assert examples and {labels["request_id"] for labels in examples} <= kept


async def test_hostile_names() -> None:
    text = 'server { listen 127.0.0.1:1; status_zone "a\\"b\\\\c\nd"; location / { metrics; } }'
    async with serving(text) as engine:
        reply = await engine.get("/")
        families = text_string_to_metric_families(reply.body.decode())
        labels = {s.labels["server_zone"] for family in families for s in family.samples if "server_zone" in s.labels}
        assert labels == {'a"b\\c\nd'}


async def test_only_reading() -> None:
    async with serving(CONF) as engine:
        assert (await engine.request("POST", "/metrics", body=b"x")).status == 405
        assert (await engine.request("HEAD", "/metrics")).status == 200


def test_duplicate() -> None:
    with pytest.raises(ConfigError, match='"metrics" directive is duplicate'):
        load_http("server { listen 127.0.0.1:1; location / { metrics; metrics; } }")
