"""Steps of rewrite, set, if, return and break."""

from __future__ import annotations

from pathlib import Path

from tests.dev.explain.told import one, texts, told

HTTP = """
server {
    listen 8080;
    set $scheme_name plain;
    location /old/ { rewrite ^/old/(.*)$ /new/$1?from=old last; }
    location /new/ {
        rewrite ^/nowhere /x;
        if ($arg_from) { set $came $arg_from; }
        if ($came = other) { return 403; }
        break;
    }
    location /moved { rewrite ^ http://b.example$uri? permanent; }
    location /text { return 200 "$came at $scheme_name"; }
}
"""


def test_a_rewrite_is_told_with_both_uris(tmp_path: Path) -> None:
    found = told(tmp_path, HTTP, "/old/page")
    first, second = found.of("rewrite")
    assert first.text == (
        '"^/old/(.*)$" matches "/old/page", which becomes "/new/page?from=old"; the location is chosen anew'
    )
    assert first.where is not None and first.where.line == 7
    assert second.text == '"^/nowhere" does not match "/new/page"'
    assert [finding.data["location"] for finding in found.of("location")][:2] == ["location /old/", "location /new/"]


def test_conditions_and_values(tmp_path: Path) -> None:
    found = told(tmp_path, HTTP, "/old/page")
    assert texts(found, "if") == ["($arg_from) is true", "($came = other) is false"]
    assert texts(found, "set") == ['$scheme_name = "plain"', '$came = "old"']
    assert texts(found, "break") == ["the rest of these steps is left out"]


def test_redirect_and_text(tmp_path: Path) -> None:
    assert '301 to "http://b.example/moved"' in one(told(tmp_path, HTTP, "/moved"), "rewrite").text
    assert one(told(tmp_path, HTTP, "/text"), "return").text == '200 " at plain"'


def test_what_is_told_changes_nothing(tmp_path: Path) -> None:
    """The answer is the one that the steps give without being told."""
    answer = one(told(tmp_path, HTTP, "/new/x?from=other"), "answer")
    assert answer.data["status"] == 403
