from __future__ import annotations

from tests.engine import load_http
from tests.stream_engine import load_stream


def test_what_to_listen_on() -> None:
    for cycle in (
        load_http("server { listen 81; listen 127.0.0.1:81; listen unix:/tmp/s; return 200 a; }"),
        load_stream("server { listen 81; listen 127.0.0.1:81; listen unix:/tmp/s; return a; }"),
    ):
        assert [address.text for address in cycle.listens] == ["0.0.0.0:81", "unix:/tmp/s"]
        assert all(address.owner.cycle is cycle for address in cycle.listens)
