from __future__ import annotations

from pathlib import Path

import pytest

from gateway.upstream.peers import state
from gateway.upstream.peers.address import unix_address
from gateway.upstream.peers.peers import UpstreamServer
from tests.upstream.peers.test_zone import mapped, shared_of, upstream
from tests.upstream.recorded import server


def test_lines() -> None:
    name = UpstreamServer(b"app.example", resolve=True, service=b"http")
    odd = UpstreamServer(b"unix:/run/a b", [unix_address(b"/run/a b")])
    made = upstream(b"a", server("1 weight=2 backup"), server("2 drain"), odd)
    made.servers.append(name)
    mapped(made)
    shared = shared_of(made)
    shared.add(name, made.group.peers[0].address, parent=2)
    assert state.lines(shared).splitlines() == [
        "server 127.0.0.2:80 drain;",
        'server "unix:/run/a b";',
        "server app.example resolve service=http;",
        "server 127.0.0.1:80 weight=2 backup;",
    ]


def test_save(tmp_path: Path) -> None:
    made = upstream(b"a", server("1"))
    mapped(made)
    file = tmp_path / "state"
    file.write_text("old")
    state.save(shared_of(made), str(file))
    assert file.read_text() == "server 127.0.0.1:80;\n" and file.stat().st_mode & 0o777 == 0o644
    with pytest.raises(OSError):
        state.save(shared_of(made), str(tmp_path / "none" / "state"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        state.save(shared_of(made), str(tmp_path / "folder"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "state"]
