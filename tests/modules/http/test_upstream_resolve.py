from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.dns_server import dns_server
from tests.engine import load_http, serving
from tests.fakes import answer, farm
from tests.lanes import until


@pytest.mark.parametrize(
    ("outer", "inner", "words"),
    [
        ("", "server a.test resolve;", 'resolving names at run time requires upstream "u" in nginx.conf:2 to be in'),
        (
            "",
            "zone z 64k; server a.test resolve;",
            'no resolver defined to resolve names at run time in upstream "u" in nginx.conf:2',
        ),
        ("", "zone z 64k; server a.test service=x;", 'service upstream "a.test" requires "resolve" parameter'),
        ("", "server a.test:1 resolve service=x;", 'service upstream "a.test:1" may not have port'),
        ("", "server 127.0.0.1 resolve service=x;", 'service upstream "127.0.0.1" requires domain name'),
        ("", "server a.test resolve service=;", "service is empty"),
        ("", "resolver 127.0.0.1; resolver 127.0.0.1;", '"resolver" directive is duplicate'),
        ("", "resolver_timeout 1; resolver_timeout 1;", '"resolver_timeout" directive is duplicate'),
        ("", "resolver_timeout x;", '"resolver_timeout" directive invalid value'),
    ],
)
def test_refused(outer: str, inner: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"{outer} upstream u {{ {inner} }}")
    assert words in str(caught.value)


def test_settings_come_from_outside() -> None:
    text = """
        resolver 127.0.0.1; resolver_timeout 7s;
        upstream a { zone z 1m; server a.test resolve; }
        upstream b { zone z 1m; server a.test resolve; resolver 127.0.0.2; resolver_timeout 2s; }
        upstream c { server 127.0.0.1 resolve; }
    """
    found = {upstream.name: upstream for upstream in load_http(text).upstreams.all}
    assert (found[b"a"].resolver.servers[0].text, found[b"a"].resolver_timeout) == ("127.0.0.1:53", 7)
    assert (found[b"b"].resolver.servers[0].text, found[b"b"].resolver_timeout) == ("127.0.0.2:53", 2)
    assert [peer.name for peer in found[b"c"].group.peers] == [b"127.0.0.1:80"]


async def test_requests_go_where_dns_says(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers, dns_server() as dns:
        port = (await peers.tcp(answer())).rpartition(":")[2]
        dns.records["app.test", "A"] = ["127.0.0.1"]
        text = f"""
            upstream u {{ zone z 64k; server app.test:{port} resolve; resolver {dns.address}; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; add_header X-A $upstream_addr always; }} }}
        """
        async with serving(text) as engine:
            (upstream,) = engine.cycle.upstreams.all
            await until(lambda: len(upstream.shared.members()) == 2)
            reply = await engine.get("/")
            assert (reply.status, reply.header("x-a")) == (200, f"127.0.0.1:{port}".encode())
            asked = len(dns.asked)
            engine.worker.close_idle()
            assert upstream.shared._head[2] == 0, "a worker that ends gives its duty back"
            assert len(dns.asked) == asked
