"""What a text with variables may be made into."""

from __future__ import annotations

import time

import pytest

from gateway.config.parser import parse
from gateway.dev.check.block import Block
from gateway.dev.check.values import NOTHING, condition_of, names_in, pieces, value_of, variable

TEXT = r"""
http {
    map $uri $mapped { ~^/m/(?<part>.+)$ x$part; ~^/n/([^/]*)$ $1; default ""; }
    map $mapped $again { a $mapped; default none; }
    server {
        server_name ~^(?<site>\w+)\.example$;
        set $twice $again;
        set $fixed "127.0.0.1:1";
        location ~ ^/x/(\W*)/(a|b)$ {
            set $third $1;
            return 301 /$1;
        }
        location / {
            if ($http_host ~ (.*)) { return 302 $1; }
            rewrite ^/r/([^/]+)$ /s/$1;
            proxy_pass http://127.0.0.1/$1;
        }
    }
}
"""
CONFIG = Block(None, list(parse(TEXT).statements), None)
SERVER = next(CONFIG.walk("server"))
REGEX, PREFIX = CONFIG.walk("location")
(CONDITION,) = CONFIG.walk("if")


def test_parts_of_a_text() -> None:
    assert names_in("a$b${c}d$1x$") == ["b", "c", "1"]
    assert pieces("http://$h/x${y}z") == [
        (False, "http://"), (True, "h"), (False, "/x"), (True, "y"), (False, "z"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "newline", "free", "slash"),
    [
        ("uri", True, True, True), ("request_uri", False, True, True), ("arg_x", False, True, False),
        ("mapped", True, True, False), ("again", True, True, False), ("twice", True, True, False),
        ("fixed", False, False, False), ("site", False, True, False), ("third", False, False, False),
        ("nothing_known", False, False, False),
    ],
)  # fmt: skip
def test_variables(name: str, newline: bool, free: bool, slash: bool) -> None:
    value = variable(name, SERVER if name != "site" else PREFIX)
    assert (value.newline, value.slash) == (newline, slash)
    if name != "site":
        assert value.free == free
    else:
        assert value.client and not value.free  # no dots in it


def test_groups_are_those_matched_last() -> None:
    assert value_of("/$1", REGEX, REGEX.statements[-1]).newline
    assert value_of("$2", REGEX, REGEX.statements[-1]).characters == value_of("ab", REGEX).characters
    assert not value_of("$1", CONDITION, CONDITION.statements[0]).newline  # of a field, which has none
    assert value_of("$1", PREFIX, PREFIX.statements[-1]).newline  # of the rewrite before it
    assert value_of("$1", SERVER, SERVER.statements[-1]) == NOTHING


def test_circles_end() -> None:
    config = Block(None, list(parse("http { server { set $a $b; set $b $a; location / { } } }").statements), None)
    (location,) = config.walk("location")
    assert variable("a", location) == NOTHING


def test_many_lines_that_add_to_a_variable_are_followed_once() -> None:
    """It took longer for each of them by as much as there are of them."""
    lines = " ".join(f'if ($arg_{each}) {{ set $a "$a.{each}"; set $b "$a$b"; }}' for each in "cdefghijklmnop")
    text = f"http {{ server {{ set $a $arg_x; {lines} location / {{ }} }} }}"
    (location,) = Block(None, list(parse(text).statements), None).walk("location")
    began = time.process_time()
    assert variable("a", location).client and variable("b", location).client
    assert time.process_time() - began < 2


def test_conditions() -> None:
    assert condition_of(CONDITION) == ("$http_host", "(.*)")
    assert condition_of(REGEX) is None
