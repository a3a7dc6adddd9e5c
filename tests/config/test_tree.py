"""The tree of a configuration: servers by address, locations in nginx's order, what holds where."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import gateway.modules.http
from gateway.config import tree
from gateway.config.parser import Statement, parse


def http_of(text: str) -> list[Statement]:
    return tree.block_of(parse(f"http {{ {text} }}").statements[0])


def test_servers_behind_addresses() -> None:
    http = http_of(
        "server { listen 80; listen 127.0.0.1; server_name a b; } server { listen 80 default_server; }"
        "server { listen [::]:443 ssl; server_name c; } server { listen unix:/s; }"
    )
    found = tree.listens(http)
    assert [(each.address, each.tls, len(each.servers)) for each in found] == [
        ("*:80", False, 2), ("127.0.0.1:80", False, 1), ("[::]:443", True, 1), ("unix:/s", False, 1),
    ]  # fmt: skip
    assert [tree.names(each.first) for each in found] == ["_", "a b", "c", "_"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("location = /a {}", ("=", "/a")), ("location =/a {}", ("=", "/a")), ("location ^~ /a {}", ("^~", "/a")),
        ("location ~ x {}", ("~", "x")), ("location ~*x {}", ("~*", "x")), ("location /a {}", ("", "/a")),
        ("location @a {}", ("@", "@a")),
    ],
)  # fmt: skip
def test_kinds_of_locations(text: str, found: tuple[str, str]) -> None:
    (one,) = tree.locations(parse(text).statements)
    assert (one.kind, one.path) == found


def test_locations_in_their_order() -> None:
    names = ("/", "~ z", "/aa", "= /b", "^~ /c", "~* a", "@d")
    text = "".join(f"location {name} {{}}" for name in names)
    order = [f"{each.kind}{each.path}" for each in tree.locations(parse(text).statements)]
    assert order == ["=/b", "^~/c", "~z", "~*a", "/aa", "/", "@@d"]


def test_every_content_handler_is_an_end() -> None:
    folder = Path(gateway.modules.http.__file__).parent
    answering = [path.stem for path in folder.glob("*.py") if re.search(r"\bcontent=", path.read_text())]
    assert {"metrics", "proxy", "py"} <= set(answering)
    for name in answering:
        module = importlib.import_module(f"gateway.modules.http.{name}").module
        written = "".join(f"{each.name};" for each in module.directives)
        assert tree.ends(parse(f"location / {{ {written} }}").statements[0].block or []), name


def test_what_holds_and_what_is_hidden() -> None:
    http = http_of(
        "gzip on; add_header A 1; access_log off;"
        "server { add_header B 2; add_header C 3; return 204; set $x 1; root /r;"
        "location / { add_header D 4; proxy_pass http://a; location /i { } } }"
    )
    server = next(tree.inside(http, "server"))
    outer = next(tree.inside(tree.block_of(server), "location"))
    inner = next(tree.inside(tree.block_of(outer), "location"))
    chain = [http, tree.block_of(server), tree.block_of(outer)]
    assert [tree.words(each) for each in tree.holding(chain)] == ["gzip on", "access_log off", "root /r"]
    assert [tree.words(each) for each in tree.hidden(chain)] == ["add_header B 2", "add_header C 3"]
    chain.append(tree.block_of(inner))
    held = [tree.words(each) for each in tree.holding(chain)]
    assert held == ["gzip on", "access_log off", "root /r", "add_header D 4"]


@pytest.mark.parametrize(
    ("name", "held"),
    [("gzip", True), ("proxy_set_header", True), ("proxy_pass", False), ("return", False), ("try_files", False),
     ("alias", False), ("listen", False), ("set", False), ("more_set_headers", True), ("no_such_word", False)],
)  # fmt: skip
def test_what_is_inherited(name: str, held: bool) -> None:
    assert tree.inherits(name) is held


def test_words_are_quoted_where_one_would_not_see_their_end() -> None:
    (one,) = parse("""log_format main '$a $b' "" x$y;""").statements
    assert tree.words(one) == 'log_format main "$a $b" "" x$y'
