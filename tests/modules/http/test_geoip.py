"""geoip: variables from databases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http.geoip import text_at
from tests.engine import load_http, serving, warnings_of
from tests.mmdb import database

CITY: dict[str, Any] = {
    "continent": {"code": "EU"},
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}],
    "city": {"names": {"en": "Berlin", "de": "Berlin"}},
    "postal": {"code": "10115"},
    "location": {"latitude": 52.5, "longitude": -13.25, "metro_code": 7},
}
CONF = """
geoip_country %s/country.mmdb;
geoip_city %s/city.mmdb utf8;
geoip_org %s/org.mmdb;
geoip_proxy 127.0.0.0/8;
geoip_proxy_recursive %s;
server {
    listen 127.0.0.1:80;
    location /country { return 200 "$geoip_country_code $geoip_country_name [$geoip_country_code3]"; }
    location /city {
        return 200 "$geoip_city|$geoip_region|$geoip_region_name|$geoip_postal_code|$geoip_latitude|$geoip_longitude|\
$geoip_dma_code|$geoip_city_continent_code|$geoip_city_country_code|$geoip_city_country_name";
    }
    location /org { return 200 "$geoip_org"; }
}
"""


def conf(tmp_path: Path, recursive: str = "off") -> str:
    france = {"country": {"iso_code": "FR", "names": {"en": "France"}}}
    (tmp_path / "country.mmdb").write_bytes(database({"192.0.2.0/24": CITY, "198.51.100.0/24": france}))
    (tmp_path / "city.mmdb").write_bytes(database({"192.0.2.0/24": CITY}))
    (tmp_path / "org.mmdb").write_bytes(database({"192.0.2.0/25": {"autonomous_system_organization": "Some AS"}}))
    return CONF % (tmp_path, tmp_path, tmp_path, recursive)


async def test_values(tmp_path: Path) -> None:
    async with serving(conf(tmp_path)) as engine:

        async def get(target: str, client: str) -> str:
            return (await engine.get(target, {"X-Forwarded-For": client})).body.decode()

        assert await get("/country", "192.0.2.9") == "DE Germany []"
        assert await get("/country", "192.0.2.9, 198.51.100.1") == "FR France []"
        assert await get("/country", "203.0.113.1") == "  []"
        assert await get("/country", "2001:db8::1") == "  []"
        assert (await engine.get("/country")).body == b"  []"
        values = "Berlin|BE|Land Berlin|10115|52.5000|-13.2500|7|EU|DE|Germany"
        assert (await get("/city", "192.0.2.9")).replace("\\\n", "") == values
        assert await get("/org", "192.0.2.9") == "Some AS"
        assert await get("/org", "192.0.2.200") == ""


async def test_recursive(tmp_path: Path) -> None:
    async with serving(conf(tmp_path, "on")) as engine:
        reply = await engine.get("/country", {"X-Forwarded-For": "192.0.2.9, 127.0.0.5"})
        assert reply.body == b"DE Germany []"


def test_bits_behind_the_mask_are_a_warning() -> None:
    assert warnings_of("geoip_proxy 10.0.0.1/8;") == [
        "low address bits of 10.0.0.1/8 are meaningless in nginx.conf:2"
    ]


def test_text_at() -> None:
    assert text_at(CITY, ("subdivisions", 1, "iso_code")) is None
    assert text_at(CITY, ("city",)) is None
    assert text_at(None, ("city",)) is None


def test_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.mmdb").write_bytes(b"no database")
    for text, message in (
        ("geoip_country /x/GeoIP.dat;", "the .dat format has had its day, give it the .mmdb file instead"),
        ("geoip_country /none.mmdb;", "open.. \"/none.mmdb\" failed"),
        (f"geoip_city {tmp_path}/bad.mmdb;", "is no database"),
        ("geoip_city /none.mmdb latin1;", 'invalid parameter "latin1"'),
        ("geoip_proxy nowhere;", 'invalid network "nowhere"'),
    ):
        with pytest.raises(ConfigError, match=message):
            load_http(text)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(ConfigError, match=r"needs the package maxminddb: pip install 'gateway\[geoip\]'"):
        load_http("geoip_country a.mmdb;")
