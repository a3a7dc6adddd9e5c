"""What is offered and explained; test_server.py has an editor that asks."""

from __future__ import annotations

from gateway.config.parser import parse
from gateway.dev.lsp.places import At
from gateway.dev.lsp.words import completions, directives, hover, made_by, made_here, variables


def test_hover() -> None:
    assert "uwsgi_pass [protocol://]address;" in hover(At([], [], "", "uwsgi_pass"))
    assert "unknown-directive" in hover(At([], [], "", "GW001"))
    assert "$host  (a variable of http's" in hover(At([], ["return", "200"], "$h", "$host"))
    assert "$request_uri" in hover(At([], ["return", "200"], "x-${host}-$re", "x-${host}-$request_uri"))
    assert "$http_NAME" in hover(At([], ["return", "200"], "$http_x", "$http_x_y"))
    assert hover(At([], ["gzip"], "$own", "$own_name")) == "" and hover(At([], [], "", "nonsense")) == ""


def test_directives_of_a_context() -> None:
    names = [entry.name for entry in directives("location")]
    assert len(names) == len(set(names)) and {"alias", "include", "dashboard", "proxy_pass"} <= set(names)
    assert not {"listen", "worker_processes", "upstream"} & set(names)


def test_what_a_block_is_offered_with() -> None:
    (server,) = [each for each in completions(At([], [], "serve", ""), ["http"], "/", []) if each["label"] == "server"]
    assert server["insertText"] == "server {" and server["documentation"] and server["detail"] == "server { … }"


def test_variables() -> None:
    made = parse("set $a 1; map $b $c {} geo $d {} auth_request_set $e $f; set x;").statements
    assert [made_by(each) for each in made] == ["a", "c", "d", "e", ""]
    assert {"a", "c", "d", "e", "host", "request_uri", "request_location"} <= set(variables(made))


def test_where_a_variable_is_made() -> None:
    statements = parse("set $a 1; map $b $c {} map $b $C {}").statements
    assert made_here("a", statements) == "```text\n$a is made by\nset $a 1  (nginx.conf:1)\n```"
    assert made_here("c", statements).count("map $b") == 2 and made_here("z", statements) == ""


def test_arguments() -> None:
    def offered(blocks: list[str], *words: str) -> list[str]:
        at = At(blocks, list(words[:-1]), words[-1], "")
        return [each["label"] for each in completions(at, [], "/nowhere", parse("upstream u {}").statements)]

    assert offered(["http"], "gzip", "o") == ["on", "off"]
    assert offered(["http", "server", "location"], "proxy_pass", "") == ["http://u"]
    assert offered(["http", "server"], "listen", "443", "s") == ["ssl"]
    assert offered(["http", "server"], "listen", "4") == ["443"]
    assert offered(["http"], "include", "") == [] and offered(["http", "map"], "a", "") == []
