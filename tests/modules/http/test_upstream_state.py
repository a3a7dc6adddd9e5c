from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http


def test_servers_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("server 127.0.0.1:81 weight=3;\nserver unix:/x backup;\n")
    upstream = load_http("upstream u { zone z 64k; state s; }", prefix=f"{tmp_path}/").upstreams.all[0]
    assert [peer.name for peer in upstream.shared.members()] == [b"127.0.0.1:81", b"unix:/x"]
    assert upstream.group.peers[0].weight == 3 and upstream.state == f"{tmp_path}/s"


def test_no_file_yet(tmp_path: Path) -> None:
    upstream = load_http(f"upstream u {{ zone z 64k; state {tmp_path}/s; }}").upstreams.all[0]
    assert upstream.shared.members() == []


@pytest.mark.parametrize(
    ("lines", "text", "words"),
    [
        ("state {};", "", '"state" directive requires "zone" in the upstream'),
        ("zone z 64k; server 127.0.0.1; state {};", "", '"state" directive is incompatible with "server" directives'),
        ("zone z 64k; state {}; server 127.0.0.1;", "", '"server" directive is incompatible with "state"'),
        ("zone z 64k; state {0}; state {0};", "", '"state" directive is duplicate'),
        ("zone z 64k; state {};", "keepalive 3;", '"keepalive" directive is not allowed in a state file'),
        ("zone z 64k; state {};", "server 127.0.0.1 weight=0;", 'invalid parameter "weight=0"'),
        ("zone z 64k; state {};", "server 127.0.0.1", "unexpected end of file"),
    ],
)
def test_refused(tmp_path: Path, lines: str, text: str, words: str) -> None:
    (tmp_path / "s").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_http(f"upstream u {{ {lines.format(tmp_path / 's')} }}")
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"open\(\) .* failed \(21: Is a directory\)"):
        load_http(f"upstream u {{ zone z 64k; state {tmp_path}; }}")
