"""A configuration with mistakes is explained without them, and up to where it can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.dev.explain.command import explain, main
from gateway.dev.explain.question import ask
from tests.dev.explain.told import one, texts, told

SERVER = "server {{ listen 8080; {} location /a {{ return 200 a; }} {} }}"


@pytest.mark.parametrize(
    ("before", "behind", "said"),
    [
        ("gzip_foo on;", "", ['unknown directive "gzip_foo"']),
        ("gzip maybe; gzip_foo;", "tcp_nodelay 3;", ['invalid value "maybe"', "gzip_foo", 'invalid value "3"']),
        ("", "location /b { return 200; } location /b { return 201; }", ['duplicate location "/b"']),
        ("", "location /b { return 200 b }", ['unexpected "}"']),
    ],
)
def test_the_lines_that_are_wrong_are_left_out(before: str, behind: str, said: list[str], tmp_path: Path) -> None:
    found = told(tmp_path, SERVER.format(before, behind), "/a")
    assert one(found, "answer").data["status"] == 200
    mistakes = texts(found, "mistake")
    assert len(mistakes) == len(said) and all(words in text for words, text in zip(said, mistakes, strict=True))
    assert all(each.where is not None and each.where.line == 3 for each in found.of("mistake"))
    assert [each.kind for each in found.all[len(said) :][:2]] == ["listen", "server"]


def test_what_is_behind_the_error_is_not_known(tmp_path: Path) -> None:
    found = told(tmp_path, "server { listen 8080; location /a { return 200; }\n location /b { return 200 b } } }", "/b")
    assert one(found, "answer").data["status"] != 200


def test_nothing_is_left(tmp_path: Path) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text("events {")
    with pytest.raises(ConfigError, match="unexpected end of file"):
        explain(ask(["/"], [], "127.0.0.1"), str(conf))
    conf.write_text("http { server { listen 8080; return 204; } }")
    with pytest.raises(ConfigError, match='no "events" section'):
        explain(ask(["/"], [], "127.0.0.1"), str(conf))


def test_the_exit_code_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text("events {} http { server { listen 8080; nothing; return 204; } }")
    assert main(["-c", str(conf), "/"]) == 1
    shown = capsys.readouterr().out
    assert 'mistake    unknown directive "nothing"' in shown and "HTTP/1.1 204" in shown


def test_backup_peers_are_named(tmp_path: Path) -> None:
    http = """upstream u { server 127.0.0.1:1; server 127.0.0.1:2 backup; }
        server { listen 8080; location / { proxy_pass http://u; } }"""
    assert one(told(tmp_path, http, "/"), "peers").details == ["127.0.0.1:1", "127.0.0.1:2 backup"]
