"""What was probably meant by the name of a zone, a cache or a log's format."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError, format_for_terminal
from gateway.core.logs import Log
from gateway.process.load import load
from gateway.process.options import resolve

MADE = """
limit_req_zone $binary_remote_addr zone=login:1m rate=1r/s;
limit_conn_zone $binary_remote_addr zone=addr:1m;
proxy_cache_path CACHE keys_zone=static:1m;
log_format short '$status';
"""
HTTP = "events {}\nhttp {\n%s\nserver {\nlisten 127.0.0.1:1;\nlocation / {\n%s\n}\n}\n}\n"


def said(folder: Path, text: str) -> list[str]:
    """What a terminal shows of a configuration with which no server starts."""
    file = folder / "nginx.conf"
    file.write_text(text.replace("CACHE", str(folder / "cache")))
    with pytest.raises(ConfigError) as caught:
        load(resolve(conf_file=str(file), prefix=str(folder), test=True, quiet=True), Log()).share(None)
    return format_for_terminal(caught.value).replace(f"{folder}/", "").splitlines()


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("limit_req zone=logn;", 'did you mean "login"?'),
        ("limit_req zone=LOGIN burst=5;", 'did you mean "login"?'),
        ("limit_req zone=api;", "limit_req_zone makes login, and none of this name"),
        ("limit_conn adr 1;", 'did you mean "addr"?'),
        ("proxy_cache statik; proxy_pass http://127.0.0.1:1;", 'did you mean "static"?'),
        ("proxy_cache on; proxy_pass http://127.0.0.1:1;", "proxy_cache wants the name of a zone that proxy"),
        ("uwsgi_cache a; uwsgi_pass 127.0.0.1:1;", "http stands uwsgi_cache_path /var/cache/gateway keys_zone=a:10m;"),
        ("access_log x.log sort;", 'did you mean "short"?'),
        ("access_log x.log error;", '"error" is a level of error_log'),
        ("access_log x.log 32k;", "a buffer is named: buffer=32k, behind the format"),
        ("limit_conn zone=addr 1;", "limit_conn takes the name alone: limit_conn addr 1;"),
        ("limit_req zone=login,burst=5;", "a space stands between parameters: limit_req zone=login burst=5;"),
        ("limit_req zone=login:1m;", "the size stands in limit_req_zone alone; here is the name: login"),
        ("limit_req login burst=5;", "the name stands behind zone=: limit_req zone=login burst=5;"),
        ("limit_req zone=login:1m rate=1r/s;", "here is the name: limit_req zone=login;"),
        ("limit_req zone=login burst;", "it has a number: burst=10"),
        ("limit_conn addr;", "limit_conn addr 10;"),
    ],
)  # fmt: skip
def test_of_who_uses_it(tmp_path: Path, line: str, hint: str) -> None:
    shown = said(tmp_path, HTTP % (MADE, line))
    assert [each for each in shown if hint in each], shown


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("limit_req_zone $binary_remote_addr zone=a rate=1r/s;", "a zone is made of a name and a size: zone=a:10m"),
        ("proxy_cache_path CACHE keys_zone=a;", "a zone is made of a name and a size: keys_zone=a:10m"),
        ("proxy_cache_path CACHE zone=a:1m;", "it is called keys_zone=a:1m here"),
        ("proxy_cache_path CACHE;", "cache keys_zone=NAME:10m;"),
        ("limit_req_zone zone=a:1m rate=1r/s;", "comes first: limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;"),
        ("limit_req_zone $uri zone=a:1m;", "limit_req_zone $uri zone=a:1m rate=10r/s;"),
        ("limit_req_zone $uri zone=a:1m burst=5;", "burst stands where the zone is used: limit_req zone=NAME burst=5;"),
        ("limit_conn_zone zone=a:1m;", "comes first: limit_conn_zone $binary_remote_addr zone=a:1m;"),
        ("ssl_session_cache shared;", "a name and a size: ssl_session_cache shared:SSL:10m;"),
        ("ssl_session_cache shared:SSL;", "a name and a size: ssl_session_cache shared:SSL:10m;"),
        ("ssl_session_cache shared:SSL:10;", "a letter behind it, and is 8k at least"),
        ("upstream u { zone u; server 127.0.0.1:1; }", "says its size: zone u 64k;"),
    ],
)
def test_of_who_makes_it(tmp_path: Path, line: str, hint: str) -> None:
    shown = said(tmp_path, HTTP % (line, "return 204;"))
    assert [each for each in shown if hint in each], shown


def test_nginx_names_no_place_and_the_report_does(tmp_path: Path) -> None:
    first, *rest = said(tmp_path, HTTP % (MADE, "limit_req zone=logn;"))
    assert first == 'gateway: [emerg] zero size shared memory zone "logn"'
    assert "   12 | limit_req zone=logn;" in rest
    assert "      |           ^^^^^^^^^ it is used here" in rest


def test_the_end_of_a_block_is_not_shown_where_the_line_is_known(tmp_path: Path) -> None:
    first, *rest = said(tmp_path, HTTP % ("", "proxy_cache x;\nproxy_pass http://127.0.0.1:1;"))
    assert first == 'gateway: [emerg] "proxy_cache" zone "x" is unknown in nginx.conf:11'
    assert rest[0] == "    7 | proxy_cache x;"


def test_a_zone_of_stream_is_made_in_stream(tmp_path: Path) -> None:
    server = "server { listen 127.0.0.1:1; limit_conn adr 1; proxy_pass 127.0.0.1:1; }"
    made = "http { limit_conn_zone $binary_remote_addr zone=adrs:1m; }"
    shown = said(tmp_path, f"events {{}}\n{made}\nstream {{ {server} }}\n")
    assert shown[-2] == "  nothing makes it: in stream stands limit_conn_zone $binary_remote_addr zone=adr:10m;"


def test_a_format_below_its_use(tmp_path: Path) -> None:
    shown = said(tmp_path, "events {}\nhttp { server { access_log x.log main; }\nlog_format main x;\n}\n")
    assert [each for each in shown if each.endswith("has to stand above where it is used: log_format main")], shown


def test_who_has_the_name_already(tmp_path: Path) -> None:
    shown = said(tmp_path, HTTP % (MADE, "limit_conn login 1;"))
    assert [each for each in shown if each.endswith("the other one of this name stands here")], shown


def test_an_upstream_of_nearly_this_name(tmp_path: Path) -> None:
    upstream = "upstream backend { server 127.0.0.1:1; }"
    shown = said(tmp_path, HTTP % (upstream, "proxy_pass http://backnd;"))
    assert [each for each in shown if each.endswith('did you mean "backend"?')], shown
