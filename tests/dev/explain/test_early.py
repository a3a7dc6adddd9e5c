"""Early data: what is otherwise then, where it is taken, and that nothing of it is left for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev.explain.command import explain
from gateway.dev.explain.findings import Findings
from gateway.dev.explain.question import BadQuestion, ask
from tests.certificates import write
from tests.dev.explain.told import one, texts

TAKEN = "early data (0-RTT): the handshake is not over, and who has recorded the request can send it once more"


def told(folder: Path, url: str, http: str = "", *, early: bool = True) -> Findings:
    chain, key = write(folder, "localhost")
    file = folder / "nginx.conf"
    file.write_text(f"""events {{}} http {{
        ssl_certificate {chain}; ssl_certificate_key {key};
        server {{ listen 8443 ssl; {"listen 8443 quic;" if http == "3" else ""} http2 on; ssl_early_data on;
            location / {{ if ($ssl_early_data) {{ return 425; }} return 200 "early $ssl_session_reused"; }}
            location /app {{ proxy_pass http://192.0.2.1; proxy_set_header Early-Data $ssl_early_data; }} }}
        server {{ listen 9443 ssl; return 200 "$ssl_early_data$ssl_session_reused"; }}
        server {{ listen 9443 ssl; server_name a; ssl_early_data on; return 200 "a$ssl_early_data"; }}
    }}""")
    return explain(ask([url], [], "127.0.0.1", http=http, early=early), str(file), str(folder))


@pytest.mark.parametrize("http", ["1.1", "2", "3"])
def test_where_it_is_taken(http: str, tmp_path: Path) -> None:
    if http == "3":
        pytest.importorskip("aioquic")
    found = told(tmp_path, "https://localhost:8443/", http)
    assert TAKEN in texts(found, "protocol")
    assert one(found, "answer").data["status"] == 425
    (packet,) = told(tmp_path, "https://localhost:8443/app", http).of("upstream")
    assert "Early-Data: 1" in packet.details
    after = told(tmp_path, "https://localhost:8443/", http, early=False)
    assert one(after, "answer").data["status"] == 200 and TAKEN not in texts(after, "protocol")


def test_the_server_that_tls_begins_with_decides(tmp_path: Path) -> None:
    for host, text in (("localhost", '200 "."'), ("a", '200 "a"')):
        found = told(tmp_path, f"https://{host}:9443/")
        assert texts(found, "protocol")[0] == (
            "no early data is taken here (ssl_early_data on;): it comes after the handshake"
        )
        assert one(found, "return").text == text


def test_it_is_a_part_of_tls() -> None:
    with pytest.raises(BadQuestion, match="is no URL of https, and early data is a part of TLS"):
        ask(["http://a/"], [], "127.0.0.1", early=True)
