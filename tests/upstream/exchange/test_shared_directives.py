from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http

SERVER = "server { listen 127.0.0.1:8080; location / { uwsgi_pass 127.0.0.1:1; %s } }"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("uwsgi_bind nowhere;", 'invalid address "nowhere"'),
        ("uwsgi_bind 127.0.0.1 x;", 'invalid parameter "x"'),
        ("uwsgi_bind 127.0.0.1; uwsgi_bind off;", '"uwsgi_bind" directive is duplicate'),
        ("uwsgi_next_upstream http_418;", 'invalid value "http_418"'),
        ("uwsgi_ignore_headers X-Accel-Nothing;", 'invalid value "X-Accel-Nothing"'),
        ("uwsgi_buffers 8;", 'invalid number of arguments in "uwsgi_buffers" directive'),
        ("uwsgi_read_timeout 1x;", '"uwsgi_read_timeout" directive invalid value'),
        ("uwsgi_limit_rate x;", '"uwsgi_limit_rate" directive invalid value'),
        ("uwsgi_buffers 8 1k;", '"uwsgi_busy_buffers_size" must be less than the size of all "uwsgi_buffers"'),
    ],
)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(SERVER % line)
    assert words.replace('"uwsgi_read_timeout" directive ', "").replace('"uwsgi_limit_rate" directive ', "") in str(
        caught.value
    )


def test_accepted() -> None:
    cycle = load_http(
        SERVER
        % """
        uwsgi_buffering off; uwsgi_request_buffering off; uwsgi_ignore_client_abort on; uwsgi_bind $arg_a transparent;
        uwsgi_socket_keepalive on; uwsgi_socket_rcvbuf 8k; uwsgi_socket_sndbuf 8k; uwsgi_connect_timeout 5s;
        uwsgi_send_timeout 1500ms; uwsgi_read_timeout 1m; uwsgi_buffer_size 8k; uwsgi_buffers 4 8k;
        uwsgi_busy_buffers_size 16k; uwsgi_max_temp_file_size 0; uwsgi_temp_file_write_size 64k; uwsgi_temp_path x 1 2;
        uwsgi_limit_rate $arg_r; uwsgi_pass_request_headers off; uwsgi_pass_request_body off; uwsgi_intercept_errors on;
        uwsgi_force_ranges on; uwsgi_next_upstream error http_503 non_idempotent; uwsgi_next_upstream_tries 3;
        uwsgi_next_upstream_timeout 10s; uwsgi_pass_header Date; uwsgi_hide_header X-A; uwsgi_hide_header X-B;
        uwsgi_ignore_headers X-Accel-Expires Vary;
    """
    )
    location = cycle.servers[0].locations.find(None, b"/")  # type: ignore[arg-type]
    assert location is not None
    conf = next(conf for module, conf in location.confs.items() if module.name == "uwsgi")
    assert conf.send_timeout == 1.5 and conf.read_timeout == 60
    assert conf.transparent and not conf.buffering
    assert {b"x-a", b"x-b"} <= conf.hidden
    assert conf.places["read_timeout"].line == 5
