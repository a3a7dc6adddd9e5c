from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.core.zones import Zone
from gateway.modules.stream import status_zone
from gateway.modules.stream.status_zone import Table
from tests.stream_engine import load_stream, serving


async def test_what_is_counted() -> None:
    conf = """
        server { listen 1; status_zone a; return hello; }
        server { listen 2; status_zone a; deny all; return x; }
        server { listen 3; status_zone b; preread_timeout 1s; ssl_preread on; return y; }
        server { listen 4; return z; }
    """
    async with serving(conf) as engine:
        assert await engine.talk() == b"hello"
        assert await engine.talk(b"", 1) == b""
        assert await engine.talk(b"", 3) == b"z"
        async with engine.connect(2) as client:
            await client.send_all(b"\x16")
            assert status_zone.show(engine.cycle)["b"]["processing"] == 1
        await engine.ended()
        assert status_zone.show(engine.cycle)["a"] == {
            "processing": 0,
            "connections": 2,
            "sessions": {"2xx": 1, "4xx": 1, "5xx": 0, "total": 2},
            "discarded": 0,
            "received": 0,
            "sent": 5,
        }
        assert status_zone.show(engine.cycle)["b"]["processing"] == 0
        status_zone.reset(engine.cycle, "a")
        assert status_zone.show(engine.cycle)["a"]["connections"] == 0


def test_each_worker_counts_for_itself_and_a_reload_goes_on() -> None:
    def mapped(names: str, old: Zone | None = None) -> tuple[Table, Zone]:
        table = Table()
        table.counts = {name: status_zone.Counts() for name in names}
        zone = Zone(status_zone.ZONE, table.size, "stream status_zone", reuse=False)
        table.declare(zone)
        zone.map(old, 3)
        return table, zone

    def session(status: int) -> Any:
        return SimpleNamespace(received=10, status=status, stream=SimpleNamespace(sent=100))

    first, zone = mapped("ab")
    old = first.counts["b"]
    for worker in (0, 1, 2, 1):  # 1 died, and another one has come in its place
        old.use(worker)
        for status in (200, 403, 0)[: worker + 1]:
            old.count(session(status))
    sessions = {"2xx": 4, "4xx": 3, "5xx": 0, "total": 7}
    expected = {"processing": 0, "connections": 8, "sessions": sessions, "discarded": 1, "received": 80, "sent": 800}
    assert old.show() == expected
    second, _ = mapped("bc", zone)
    counts = second.counts["b"]
    assert counts.show() == expected
    assert second.counts["c"].show()["connections"] == 0
    old.count(session(500))  # what has begun before the reload ends in the old workers
    assert (counts.show()["connections"], counts.show()["sessions"]["5xx"]) == (9, 1)


def test_without_a_zone() -> None:
    assert status_zone.show(load_stream("server { listen 1; return x; }")) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('status_zone "";', 'invalid zone name ""'),
        ("status_zone a; status_zone b;", '"status_zone" directive is duplicate'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_stream(f"server {{ listen 1; {text} return x; }}")
    assert str(caught.value).startswith(message)
