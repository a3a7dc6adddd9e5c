"""Edits of configuration files."""

from __future__ import annotations

import pytest

from gateway.config.parser import Statement, parse
from gateway.dev.check.edits import Edit, added_behind, apply, diff, quoted, removed, replaced

TEXT = """events {}
http {
    # a comment; with a semicolon
    server_name  "a;b"
        c;  # behind
    location /x { root html; }
}
"""


def _statement(name: str) -> Statement:
    todo = list(parse(TEXT).statements)
    while todo:
        each = todo.pop(0)
        if each.name == name:
            return each
        todo += list(each.block or ())
    raise KeyError(name)


@pytest.mark.parametrize(
    ("edit", "line", "becomes"),
    [
        (
            replaced(_statement("server_name"), "server_name", "z"),
            '    server_name  "a;b"\n        c;',
            "    server_name z;",
        ),
        (replaced(_statement("root"), "root", "other"), "root html;", "root other;"),
        (replaced(_statement("location"), "location", "/y/"), "location /x {", "location /y/ {"),
        (added_behind(_statement("root"), "index a;"), "root html;", "root html; index a;"),
        (added_behind(_statement("root"), "a;", "b;"), "root html;", "root html; a; b;"),
        (added_behind(_statement("server_name"), "a;"), "        c;  # behind", "        c;  # behind\n    a;"),
        (added_behind(_statement("location"), "deny all;"), "location /x {", "location /x { deny all;"),
        (added_behind(_statement("http"), "a;"), "http {", "http {\n    a;"),
        (removed(_statement("root")), "{ root html; }", "{  }"),
    ],
)
def test_one_edit(edit: Edit, line: str, becomes: str) -> None:
    assert apply(TEXT, [edit]) == TEXT.replace(line, becomes)


def test_a_statement_is_edited_once() -> None:
    first, second = (replaced(_statement("root"), "root", name) for name in ("one", "two"))
    assert "root one;" in apply(TEXT, [first, second])


def test_several_edits_do_not_move_each_other() -> None:
    after = apply(
        TEXT, [removed(_statement("server_name")), replaced(_statement("root"), "root", "much/longer/than/before")]
    )
    assert "server_name" not in after
    assert "{ root much/longer/than/before; }" in after
    assert "# a comment; with a semicolon" in after


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("a", "a"), ("a b", '"a b"'), ("", '""'), ('a"b', '"a\\"b"'), ("$x;", '"$x;"'),
        (r"\.php$", r"\.php$"), (r"\n", r"\\n"), ("a\\", r"a\\"), (r"\\", r"\\\\"), (r"\d{2}", r'"\d{2}"'),
        (r'\"', r'"\\\""'),
    ],
)  # fmt: skip
def test_words(word: str, written: str) -> None:
    assert quoted(word) == written
    assert next(iter(parse(f"name {written};").statements)).args == [word]


def test_the_diff_names_the_file() -> None:
    shown = diff("/etc/nginx/nginx.conf", "a;\nb;\n", "a;\nc;\n")
    assert shown.startswith("--- a/etc/nginx/nginx.conf\n+++ b/etc/nginx/nginx.conf\n")
    assert "-b;\n+c;\n" in shown


def test_two_additions_behind_one_statement() -> None:
    first, second = (added_behind(_statement("root"), f"index {name};") for name in ("one", "two"))
    after = apply(TEXT, [first, second, first])
    assert after.count("index one;") == after.count("index two;") == 1


def test_lines_of_a_replacement_stand_below_each_other() -> None:
    text = "location / {\n    root a;\n}\n"
    (location,) = parse(text).statements
    assert location.block is not None
    (root,) = location.block
    after = apply(text, [Edit(root.where, "index b;\nroot c")])
    assert after == "location / {\n    index b;\n    root c;\n}\n"
    after = apply(text, [Edit(root.where, 'add_header a "b\nc"')])
    assert after == 'location / {\n    add_header a "b\nc";\n}\n'


def test_a_comment_stays_with_its_line() -> None:
    """certbot finds the lines that are its own by their comments."""
    before = "server {  # shop\n    listen 443 ssl http2; # managed by Certbot\n}\n"
    (server,) = parse(before).statements
    assert server.block is not None
    listen = Edit(server.block[0].where, "listen 443 ssl;\nhttp2 on")
    assert apply(before, [listen, added_behind(server, "root /srv;")]) == (
        "server {  # shop\n    root /srv;\n    listen 443 ssl; # managed by Certbot\n    http2 on;\n}\n"
    )
