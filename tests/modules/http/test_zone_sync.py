"""zone_sync_store: what it takes, and who takes part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http import zone_sync
from tests.engine import load_http, serving

LIMIT = "limit_req_zone $arg_k zone=one:64k rate=1r/s sync;"


def test_who_takes_part() -> None:
    cycle = load_http(
        f"""{LIMIT} limit_conn_zone $arg_k zone=two:64k sync; keyval_zone zone=three:64k timeout=1h sync;
        upstream up {{ zone four 64k sync; server 127.0.0.1:1;
                       sticky learn create=$upstream_cookie_a lookup=$cookie_a zone=five:64k sync; }}
        zone_sync_store redis://127.0.0.1:1/2 prefix=site interval=50ms timeout=2s;
        server {{ listen 127.0.0.1:8080; }}"""
    )
    sync = cycle.scope.conf(zone_sync.module, "main").sync
    assert [(type(member).__name__, member.name) for member in sync.members] == [
        ("Rates", "one"), ("Counts", "two"), ("Map", "three"), ("Map", "up"), ("Map", "five"),
    ]  # fmt: skip
    assert (sync.interval, sync.settings.timeout, sync.settings.prefix) == (0.05, 2.0, "site")
    assert str(sync.settings.address) == "redis://127.0.0.1:1/2"


async def test_a_cache_takes_part_and_metrics_say_how_it_goes(tmp_path: Path) -> None:
    text = f"""proxy_cache_path {tmp_path}/c keys_zone=kept:64k sync; zone_sync_store redis://127.0.0.1:1;
        server {{ location / {{ metrics; }} }}"""
    cycle = load_http(text)
    assert [type(member).__name__ for member in cycle.scope.conf(zone_sync.module, "main").sync.members] == ["Purges"]
    async with serving(text) as engine:
        body = (await engine.get("/")).body
    assert b"gateway_zone_sync_up 0\n" in body and b"gateway_zone_sync_rounds 0\n" in body


def test_a_password_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    cycle = load_http(f"zone_sync_store redis://a password_file={tmp_path}/secret;")
    assert cycle.scope.conf(zone_sync.module, "main").sync.settings.address.password == "s3cret"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LIMIT, '"sync" needs to know where: "zone_sync_store" is missing in nginx.conf:2'),
        ("zone_sync_store redis://a; zone_sync_store redis://a;", "is duplicate"),
        ("zone_sync_store http://a;", 'invalid URL in "zone_sync_store": a URL is expected'),
        ("zone_sync_store redis://a interval=0;", 'invalid interval "0"'),
        ("zone_sync_store redis://a else=1;", 'invalid parameter "else=1"'),
        ("zone_sync_store redis://a password_file=/nowhere;", 'cannot read "/nowhere"'),
        ("zone_sync_store rediss://a trusted_certificate=/nowhere;", 'cannot read "/nowhere"'),
        ("zone_sync_store rediss://a trusted_certificate=/etc/hostname;", 'no certificates in "/etc/hostname"'),
        ("limit_conn_zone $arg_k zone=two:64k else;", 'invalid number of arguments in "limit_conn_zone"'),
        ("upstream up { zone four 64k else; server 127.0.0.1:1; }", 'invalid number of arguments in "zone"'),
    ],
)
def test_configuration_errors(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert message in str(caught.value)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_sync, "available", lambda: False)
    with pytest.raises(ConfigError, match=r'pip install "gateway\[cluster\]"'):
        load_http("zone_sync_store redis://a;")


async def test_the_api_tells_how_it_goes() -> None:
    site = "server { listen 127.0.0.1:8080; location /api/ { api; } }"
    async with serving(site) as engine:
        assert json.loads((await engine.get("/api/9/http/zone_sync")).body) == {}
    async with serving(f"{LIMIT} zone_sync_store redis://127.0.0.1:1; {site}") as engine:
        shown = json.loads((await engine.get("/api/9/http/zone_sync")).body)
        assert (shown["store"], shown["online"], shown["zones"]) == ("redis://127.0.0.1:1", False, ["one"])
