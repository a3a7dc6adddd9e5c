"""Names of upstreams that come out of variables. (Without a resolver, and empty ones: test_real_peers.)"""

from __future__ import annotations

from pathlib import Path

from gateway.dev.diagnosis.resolving import nameservers
from tests.dev.diagnosis.asking import cause, explaining


async def test_a_target_without_its_scheme(tmp_path: Path) -> None:
    async with explaining("location / { set $u 127.0.0.1:80; proxy_pass $u; }", tmp_path) as engine:
        assert (await engine.get("/")).status == 500
        said = cause(engine)
        assert "has to begin with http:// or https://" in said and "$u is '127.0.0.1:80'" in said


def test_the_servers_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("# x\nsearch a.b\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n")
    assert nameservers(str(tmp_path / "resolv.conf")) == ["192.0.2.1", "[2001:db8::1]"]
    assert nameservers(str(tmp_path / "none")) == []
