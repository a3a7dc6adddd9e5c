"""What stands at a place of a text that is being written."""

from __future__ import annotations

import pytest

from gateway.config.parser import parse
from gateway.dev.lsp.places import blocks_around, context_of_file, look, offset, whole_of


@pytest.mark.parametrize(
    ("text", "blocks", "words", "begun", "word"),
    [
        ("|", [], [], "", ""),
        ("ht|tp {", [], [], "ht", "http"),
        ("http { server { lis|", ["http", "server"], [], "lis", "lis"),
        ("http { } ev|", [], [], "ev", "ev"),
        ("http { gzip on; serv|er {", ["http"], [], "serv", "server"),
        ("a 'b c' d|e;", [], ["a", "b c"], "d", "de"),
        ("a {$x|}", ["a"], [], "$x", "$x"),
        ("a ${x|y};", [], ["a"], "${x", "${xy"),
        ('a "b c|', [], ["a"], '"b c', '"b c'),
        ("a b |c;", [], ["a", "b"], "", "c"),
        ("# x {\nser|ver", [], [], "ser", "server"),
        ("location ~ \\.php$ { fast|", ["location"], [], "fast", "fast"),
    ],
)
def test_a_place(text: str, blocks: list[str], words: list[str], begun: str, word: str) -> None:
    before, _, after = text.partition("|")
    at = look(before + after, len(before))
    assert at is not None
    assert (at.blocks, at.words, at.begun, at.word) == (blocks, words, begun, word)


def test_in_a_comment_there_is_nothing() -> None:
    assert look("a; # ser", 8) is None


def test_offsets() -> None:
    lines = ["ab", "cd", ""]
    assert [offset(lines, *at) for at in ((0, 0), (0, 2), (1, 1), (2, 0))] == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("", "main"), ("events {} http {}", "main"), ("user x;", "http"), ("server { listen 1; }", "http"),
        ("server_name a; listen 1;", "server"), ("proxy_pass http://x;", "location"), ("gzip on;", "http"),
        ("ssl_protocols TLSv1.3;", "http"), ("server 127.0.0.1; ip_hash;", "upstream"),
        ("preread_timeout 1;", "stream"), ("no_such 1;", "http"), ("server {", "http"),
    ],
)  # fmt: skip
def test_what_a_file_alone_is_meant_for(text: str, context: str) -> None:
    assert context_of_file(text) == context


@pytest.mark.parametrize("context", ["http", "server", "location", "stream", "stream server", "upstream"])
def test_a_whole_has_the_file_in_its_context(context: str, tmp_path: object) -> None:
    file = f"{tmp_path}/x"
    with open(file, "w") as opened:
        opened.write("here 1;")
    source = parse(whole_of(context, file))
    around = []
    statements = list(source.statements)
    while statements[-1].block is not None:
        around.append(statements[-1].name)
        statements = list(statements[-1].block)
    assert [each.name for each in statements] == ["here"] and around == blocks_around(context)
