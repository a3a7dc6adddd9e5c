"""otel: what becomes a span, what is said in it, and what goes on to upstreams; a collector keeps what it is sent."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.config.errors import ConfigError
from tests.collector import Collector
from tests.engine import Engine, load_http, serving
from tests.fakes import farm
from tests.http_peers import Heard, answering
from tests.protocol.test_otlp import attributes_of

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b9c7c989f97918e1"
ASKED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "congo=t61rcWkgMzE"}


@asynccontextmanager
async def traced(text: str, collector: Collector, http: str = "", block: str = "") -> AsyncIterator[Engine]:
    """A server on port 8080; when it has ended, the collector has all spans."""
    exporter = f"otel_exporter {{ endpoint 127.0.0.1:{collector.port}; {block or 'interval 60s;'} }}"
    async with serving(f"{exporter} {http} server {{ listen 127.0.0.1:8080; server_name shop; {text} }}") as engine:
        yield engine


async def test_a_span(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("hello")
    before = time.time_ns()
    with Collector().serving() as collector:
        text = f"""root {tmp_path}; otel_trace on; location /p {{ }} location ~ ^/r(.) {{ return 503; }}
            location = /e {{ return 204; }}"""
        async with traced(text, collector) as engine:
            assert (await engine.get("/page?a=1", {"User-Agent": "me"})).body == b"hello"
            assert (await engine.request("POST", "/rx", body=b"abc")).status == 503
            assert (await engine.get("/e")).status == 204
            assert (await engine.get("/none")).status == 404
    page, regex, exact, missing = collector.spans
    told = attributes_of(page)
    assert told.pop("net.host.port") == 0  # a socket pair has none
    assert told == {
        "http.method": "GET", "http.target": "/page?a=1", "http.route": "/p", "http.scheme": "http",
        "http.flavor": "1.1", "http.user_agent": "me", "http.request_content_length": 0,
        "http.response_content_length": 5, "http.status_code": 200, "net.host.name": "shop",
        "net.sock.peer.addr": "127.0.0.1", "net.sock.peer.port": 40000,
    }  # fmt: skip
    assert (page.name, page.kind, page.parent_span_id, page.status.code) == ("/p", 2, b"", 0)
    assert len(page.trace_id) == 16 and len(page.span_id) == 8
    assert before <= page.start_time_unix_nano + 10**9 and page.start_time_unix_nano <= page.end_time_unix_nano
    assert page.end_time_unix_nano <= time.time_ns() + 10**9
    told = attributes_of(regex)
    assert (regex.name, told["http.route"], told["http.status_code"], regex.status.code) == ("^/r(.)", "^/r(.)", 503, 2)
    assert told["http.request_content_length"] == 3
    assert (exact.name, attributes_of(exact)["http.status_code"]) == ("/e", 204)
    told = attributes_of(missing)
    assert (missing.name, told["http.status_code"], "http.route" in told) == ("", 404, False)
    assert len({span.trace_id for span in collector.spans}) == len({span.span_id for span in collector.spans}) == 4
    resource = collector.requests[0].resource_spans[0].resource
    assert [(each.key, each.value.string_value) for each in resource.attributes] == [
        ("service.name", "unknown_service:gateway")
    ]


async def test_what_is_said_besides() -> None:
    http = "otel_service_name shop; otel_resource_attr zone eu; otel_resource_attr zone us; otel_span_attr who all;"
    text = """otel_trace on; otel_span_name "$request_method of $server_name";
        location /own { otel_span_name $uri; otel_span_attr x $arg_x; otel_span_attr http.response.header.a $arg_x;
            return 200; }
        location / { return 200; }"""
    with Collector().serving() as collector:
        async with traced(text, collector, http, "interval 60s; header X-Key k;") as engine:
            await engine.get("/own?x=%C3%BC")
            await engine.get("/")
    own, other = collector.spans
    assert (own.name, other.name) == ("/own", "GET of shop")
    assert (attributes_of(own)["x"], attributes_of(own)["http.response.header.a"]) == ("%C3%BC", ["%C3%BC"])
    assert "who" not in attributes_of(own) and attributes_of(other)["who"] == "all"
    resource = collector.requests[0].resource_spans[0].resource
    assert {each.key: each.value.string_value for each in resource.attributes} == {"service.name": "shop", "zone": "us"}
    assert collector.fields[0]["x-key"] == "k"


@pytest.mark.parametrize(
    ("how", "sent", "parent"),
    [("ignore", ASKED, ""), ("extract", ASKED, PARENT), ("inject", None, ""), ("propagate", None, PARENT)],
)
async def test_the_context_of_others(tmp_path: Path, how: str, sent: dict[str, str] | None, parent: str) -> None:
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(heard=heard))
        with Collector().serving() as collector:
            text = f"otel_trace on; otel_trace_context {how}; location / {{ proxy_pass http://{address}; }}"
            async with traced(text, collector) as engine:
                await engine.get("/", {**ASKED, "X-Other": "1"})
                await engine.get("/")
    first, second = collector.spans
    assert first.parent_span_id.hex() == parent and second.parent_span_id == b""
    assert (first.trace_id.hex() == TRACE) == bool(parent)
    assert first.trace_state == (ASKED["tracestate"] if parent else "")
    fields = heard[0].fields
    assert fields[b"x-other"] == b"1"
    if sent is not None:
        assert {name: fields[name.encode()].decode() for name in sent} == sent
        assert b"traceparent" not in heard[1].fields
        return
    for span, request in ((first, heard[0]), (second, heard[1])):
        line = f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
        assert request.fields[b"traceparent"].decode() == line
    assert fields.get(b"tracestate", b"").decode() == (ASKED["tracestate"] if parent else "")


@pytest.mark.parametrize(
    "line",
    [
        f"00-{TRACE}-{PARENT}", f"01-{TRACE}-{PARENT}-01", f"00-{TRACE[1:]}-{PARENT}-01", f"00-{TRACE}-{PARENT}-0x",
        f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-x", "", "x" * 1000,
    ],
)  # fmt: skip
async def test_a_parent_that_is_none(line: str) -> None:
    with Collector().serving() as collector:
        text = "otel_trace on; otel_trace_context extract; location / { return 200 $otel_trace_id; }"
        async with traced(text, collector) as engine:
            reply = await engine.get("/", {"traceparent": line})
    assert re.fullmatch(rb"[0-9a-f]{32}", reply.body)
    assert reply.body.decode() == collector.spans[0].trace_id.hex() != TRACE


async def test_variables() -> None:
    say = 'return 200 "$otel_trace_id $otel_span_id $otel_parent_id $otel_parent_sampled";'
    text = f"""location /with {{ otel_trace on; otel_trace_context extract; {say} }}
        location /only {{ otel_trace_context extract; {say} }} location /without {{ {say} }}"""
    with Collector().serving() as collector:
        async with traced(text, collector) as engine:
            trace, span, *rest = (await engine.get("/with", ASKED)).body.decode().split(" ")
            assert (trace, rest) == (TRACE, [PARENT, "1"])
            unsampled = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
            trace, _, *rest = (await engine.get("/only", unsampled)).body.decode().split(" ")
            assert (trace, rest) == (TRACE, [PARENT, "0"])
            trace, _, *rest = (await engine.get("/without", ASKED)).body.decode().split(" ")
            assert trace != TRACE and rest == ["", "0"]
    assert [each.span_id.hex() for each in collector.spans] == [span]


async def test_who_is_traced() -> None:
    http = "map $arg_t $traced { yes on; one 1; default no; }"
    text = """location /if { otel_trace $traced; return 200; }
        location /parent { otel_trace $otel_parent_sampled; otel_trace_context extract; return 200; }
        location /off { otel_trace off; return 200; }
        location /inner { otel_trace on; return 404; error_page 404 /off; }
        location /outer { return 404; error_page 404 /if?t=yes; }
        location /again { otel_trace on; rewrite ^ /off last; }"""
    with Collector().serving() as collector:
        async with traced(text, collector, http) as engine:
            for target in ("if?t=yes", "if?t=one", "if?t=on", "if", "parent", "off", "inner", "outer", "again"):
                await engine.get(f"/{target}")
            await engine.get("/parent", ASKED)
    # the first location decides, and the last one has its name
    assert [(attributes_of(each)["http.target"], each.name) for each in collector.spans] == [
        ("/if?t=yes", "/if"), ("/if?t=one", "/if"), ("/inner", "/off"), ("/again", "/off"), ("/parent", "/parent"),
    ]  # fmt: skip


async def test_more_than_is_kept() -> None:
    with Collector().serving() as collector:
        port = collector.port
    gone = Collector()
    gone.port = port
    text = "otel_trace on; location / { return 200; }"
    async with traced(text, gone, block="batch_size 1; batch_count 1; interval 1ms;") as engine:
        for words in ("OTel dropped records: ", "OTel export failure: connect() to"):
            while not any(words in line for line in engine.log.lines):
                await engine.get("/")
        assert (await engine.get("/")).status == 200


async def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    pair = certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes()
    with Collector().serving(tls=pair) as collector:
        where = f"endpoint https://localhost:{collector.port}; trusted_certificate {tmp_path}/ca.pem;"
        text = f"""otel_exporter {{ {where} }} otel_trace on;
            server {{ listen 127.0.0.1:8080; location / {{ return 200; }} }}"""
        async with serving(text) as engine:
            await engine.get("/")
    assert len(collector.spans) == 1


def test_nothing_where_nothing_is_asked() -> None:
    """Without otel_exporter, or without an otel_trace, no location has a step of this module."""
    from gateway.modules.http import otel

    for http in ("", "otel_exporter { endpoint 127.0.0.1; }"):
        cycle = load_http(f"{http} server {{ listen 127.0.0.1:80; location / {{ return 200; }} }}")
        location: Any = cycle.servers[0].root
        assert otel.plan(location.confs[otel.module], location) is otel.NOTHING


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("otel_trace on;", '"otel_exporter" block is missing'),
        ("server { location / { otel_trace off; } }", '"otel_exporter" block is missing'),
        ("otel_exporter { }", '"otel_exporter" requires "endpoint"'),
        ("otel_exporter { endpoint http://; }", '"otel_exporter" requires "endpoint"'),
        ("otel_exporter { endpoint a:1; endpoint b:1; }", '"endpoint" directive of "otel_exporter" is duplicate'),
        ("otel_exporter { endpoint a:x; }", "has an invalid port"),
        ("otel_exporter { endpoint a:70000; }", "has an invalid port"),
        ("otel_exporter { endpoint a:1; } otel_exporter { endpoint a:1; }", '"otel_exporter" directive is duplicate'),
        ("otel_exporter { endpont a:1; }", 'unknown directive "endpont" in "otel_exporter"'),
        ("otel_exporter { endpoint a b; }", 'invalid number of arguments in "endpoint" directive of "otel_exporter"'),
        ("otel_exporter { endpoint a; interval x; }", '"interval" directive of "otel_exporter" invalid value'),
        ("otel_exporter { endpoint a; batch_size 0; }", '"batch_size" directive of "otel_exporter" invalid value'),
        ('otel_exporter { endpoint a; header "a b" c; }', "has invalid header name"),
        ("otel_exporter { endpoint a; header a ü; }", "has invalid header value"),
        ("otel_exporter { endpoint a; trusted_certificate none.pem; }", 'failed to open "/none.pem" (2: '),
        ("otel_exporter { endpoint https://a; trusted_certificate /dev/null; }", "has no certificate"),
        ("otel_trace_context all;", 'invalid value "all"'),
        ("otel_span_name a; otel_span_name b;", '"otel_span_name" directive is duplicate'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_http(text)
