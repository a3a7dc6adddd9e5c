"""known: the table of nginx's directives."""

from __future__ import annotations

import pytest

from gateway.config.known import Known, allowed_in, find, foreign, nearest, refusal, table

BAD_FLAG = 'invalid value "x" in "accept_mutex" directive, it must be "on" or "off"'


def test_the_table_is_whole() -> None:
    everything = [known for group in table().values() for known in group]
    assert len(everything) > 750
    assert len(table()) > 600
    for known in everything:
        assert known.contexts and all(known.contexts), known
        assert known.arguments, known
        assert any(known.takes(count) for count in range(4)), known


def test_one_name_in_several_places() -> None:
    http, upstream = find("server", "http"), find("server", "upstream")
    assert http and upstream
    assert http.block and not upstream.block
    assert find("server", "location") is None
    assert find("include", "location")
    assert allowed_in("uwsgi_pass") == ["location", "if in location"]


@pytest.mark.parametrize(
    ("name", "args", "block", "context", "message"),
    [
        ("uwsgi_paas", ["x"], False, "location", 'unknown directive "uwsgi_paas"'),
        ("Server", [], True, "http", 'unknown directive "Server"'),
        ("server", [], True, "main", '"server" directive is not allowed here'),
        ("server", [], False, "http", 'directive "server" has no opening "{"'),
        ("root", ["/"], True, "http", 'directive "root" is not terminated by ";"'),
        ("root", [], False, "http", 'invalid number of arguments in "root" directive'),
        ("image_filter", ["size"], False, "location", '"image_filter" directive is not supported yet'),
        ("accept_mutex", ["on"], False, "events", ""),
        ("accept_mutex", ["ON"], False, "events", ""),
        ("accept_mutex", ["x"], False, "events", BAD_FLAG),
        ("use", ["epoll"], False, "events", ""),
        ("use", ["kqueue2"], False, "events", 'invalid event type "kqueue2"'),
        ("debug_points", ["go"], False, "main", 'invalid value "go"'),
        ("map_hash_max_size", ["1k"], False, "http", '"map_hash_max_size" directive invalid number'),
        ("postpone_output", ["1k"], False, "http", ""),
        ("postpone_output", ["x"], False, "http", '"postpone_output" directive invalid value'),
        ("directio", ["4m"], False, "http", ""),
        ("directio", ["on"], False, "http", '"directio" directive invalid value'),
        ("aio", ["threads=x"], False, "http", ""),
        ("aio", ["x"], False, "http", '"aio" directive invalid value'),
        ("timer_resolution", ["1y"], False, "main", '"timer_resolution" directive invalid value'),
        ("accept_mutex", [], False, "events", 'invalid number of arguments in "accept_mutex" directive'),
    ],
)
def test_refusal(name: str, args: list[str], block: bool, context: str, message: str) -> None:
    assert refusal(name, args, block, context) == message


@pytest.mark.parametrize(
    ("arguments", "counts"),
    [
        ("noargs", {0}),
        ("flag", {1}),
        ("take12", {1, 2}),
        ("noargs take12", {0, 1, 2}),
        ("2more", {2, 3, 4}),
        ("any", {0, 1, 2, 3, 4}),
    ],
)
def test_arguments(arguments: str, counts: set[int]) -> None:
    known = Known("x", "m", frozenset({"http"}), arguments, False, "")
    assert {count for count in range(5) if known.takes(count)} == counts


def test_nearest() -> None:
    assert nearest("uwsgi_paas", "location") == "uwsgi_pass"
    assert nearest("serve_name", "server") == "server_name"
    assert nearest("lua_package_path") == ""


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("zone_sync", '"zone_sync_store" in http says where'),
        ("zone_sync_server", '"zone_sync_store redis://HOST"'),
        ("zone_sync_interval", '"interval="'),
        ("zone_sync_timeout", '"timeout="'),
        ("zone_sync_connect_timeout", '"timeout="'),
        ("zone_sync_connect_retry_interval", "tried again by itself"),
        ("zone_sync_buffers", "no such buffers"),
        ("zone_sync_recv_buffer_size", "no such buffer"),
        ("zone_sync_ssl", "the URL's"),
        ("zone_sync_ssl_ciphers", "the URL's"),
        ("zone_sync_ssl_conf_command", "the URL's"),
        ("zone_sync_ssl_crl", "the URL's"),
        ("zone_sync_ssl_protocols", "the URL's"),
        ("zone_sync_ssl_certificate", '"password_file="'),
        ("zone_sync_ssl_certificate_key", '"password_file="'),
        ("zone_sync_ssl_password_file", '"password_file="'),
        ("zone_sync_ssl_name", "the host in"),
        ("zone_sync_ssl_server_name", "is sent"),
        ("zone_sync_ssl_trusted_certificate", '"trusted_certificate="'),
        ("zone_sync_ssl_verify", "always verified"),
        ("zone_sync_ssl_verify_depth", "always verified"),
    ],
)
def test_the_words_of_zone_sync_say_what_to_write_instead(name: str, instead: str) -> None:
    assert foreign(name).startswith(f'"{name}" belongs to NGINX Plus; here ')
    assert instead in foreign(name)
