"""geoip of the stream block."""

from __future__ import annotations

from pathlib import Path

from tests.mmdb import database
from tests.stream_engine import UNIX_PEER, serving


async def test_values(tmp_path: Path) -> None:
    record = {"country": {"iso_code": "DE", "names": {"en": "Germany"}}}
    (tmp_path / "country.mmdb").write_bytes(database({"127.0.0.0/8": record}))
    conf = f"""
        geoip_country {tmp_path}/country.mmdb;
        server {{ listen 1; return "$geoip_country_code $geoip_country_name [$geoip_city]"; }}
    """
    async with serving(conf) as engine:
        assert await engine.talk() == b"DE Germany []"
        assert await engine.talk(peer=UNIX_PEER) == b"  []"
