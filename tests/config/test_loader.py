"""loader: statements find their directives, or the error that nginx would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gateway.config.conf import Conf, setting
from gateway.config.directive import FLAG, HTTP, MAIN, NOARGS, SERVER, Command, Context, Directive, flag, string, take
from gateway.config.errors import ConfigError
from gateway.config.loader import CONTEXT_NAMES, Loader, Scope
from gateway.config.parser import parse
from gateway.config.parts import Part


@dataclass
class Main(Conf):
    user: Any = setting("nobody")


@dataclass
class Location(Conf):
    etag: Any = setting(True)
    root: Any = setting("html")


SCOPES: Part[dict[str, list[Scope]]] = Part("scopes", dict)
FINISHED: Part[list[str]] = Part("finished", list)


def open_block(context: Context) -> Any:
    def set_block(conf: Any, command: Command) -> None:
        scope = Scope(context, command.scope, level="location")
        command.loader.parts.get(SCOPES).setdefault(command.name, []).append(scope)
        command.loader.walk(command.block, scope)
        command.loader.parts.get(FINISHED).append(command.name)

    return set_block


class Module:
    name = "test"
    main = Main
    server = None
    location = Location
    directives = (
        Directive("user", MAIN, take(1, 2), string("user"), level="main"),
        Directive("http", MAIN, NOARGS, open_block(HTTP), block=True),
        Directive("server", HTTP, NOARGS, open_block(SERVER), block=True),
        Directive("etag", HTTP | SERVER, FLAG, flag("etag")),
        Directive("root", HTTP | SERVER, take(1), string("root")),
    )


def load(text: str) -> tuple[Loader, Scope]:
    loader, scope = Loader([Module], prefix="/prefix/", conf_prefix="/conf/"), Scope(MAIN)
    loader.walk(parse(text).statements, scope)
    return loader, scope


def test_each_block_has_its_own_settings() -> None:
    loader, scope = load("user me;\nhttp { root a; server { root b; etag off; } server { } }")
    assert scope.conf(Module, "main").user == "me"
    [http] = loader.parts.get(SCOPES)["http"]
    one, two = loader.parts.get(SCOPES)["server"]
    assert http.conf(Module, "location").root == "a"
    assert one.conf(Module, "location").root == "b"
    assert not two.conf(Module, "location").root
    assert two.enclosing(HTTP) is http
    assert two.enclosing(Context.UPSTREAM) is None
    assert two.conf(Module, "main") is scope.conf(Module, "main")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("usr me;", 'unknown directive "usr" in nginx.conf:1'),
        ("root /;", '"root" directive is not allowed here in nginx.conf:1'),
        ("proxy_pass x;", '"proxy_pass" directive is not allowed here in nginx.conf:1'),
        ("user;", 'invalid number of arguments in "user" directive in nginx.conf:1'),
        ("user a\nb\nc\n;", 'invalid number of arguments in "user" directive in nginx.conf:4'),
        ("user a { }", 'directive "user" is not terminated by ";" in nginx.conf:1'),
        ("http;", 'directive "http" has no opening "{" in nginx.conf:1'),
        ("http { image_filter_buffer 1m; }", '"image_filter_buffer" directive is not supported yet in nginx.conf:1'),
        ("thread_pool;", 'invalid number of arguments in "thread_pool" directive in nginx.conf:1'),
        # What was read before the error of reading comes first, and what is wrong after it never comes up.
        ("usr me;\n}", 'unknown directive "usr" in nginx.conf:1'),
        ("http {\n usr me;\n root", 'unknown directive "usr" in nginx.conf:2'),
        ("http {\n root a;\n", 'unexpected end of file, expecting "}" in nginx.conf:3'),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert str(caught.value) == message


def test_nothing_is_checked_after_an_unfinished_block() -> None:
    loader, scope = Loader([Module]), Scope(MAIN)
    with pytest.raises(ConfigError):
        loader.walk(parse("http { server { } server {").statements, scope)
    assert loader.parts.get(FINISHED) == ["server"]


def test_directives_without_effect() -> None:
    loader, _ = load("thread_pool a threads=2;\nhttp { map_hash_max_size 10; }")
    assert loader.warnings == []


def test_path() -> None:
    loader = Loader([], prefix="/prefix/", conf_prefix="/conf/")
    assert loader.path("/x") == "/x"
    assert loader.path("x") == "/prefix/x"
    assert loader.path("x", conf=True) == "/conf/x"


def test_every_context_of_the_table_has_a_name() -> None:
    from gateway.config import known

    used = {context for entries in known.table().values() for entry in entries for context in entry.contexts}
    # "match" has only directives of NGINX Plus
    assert used | {"match", "stream match"} == set(CONTEXT_NAMES.values())


def test_the_statement_that_holds_is_the_innermost_blocks() -> None:
    loader, _ = load("user me;\nhttp {\n root a;\n server {\n root b; etag off; }\n server { } }")
    first, second = loader.parts.get(SCOPES)["server"]
    for scope, name, line in ((first, "root", 5), (second, "root", 3), (second, "user", 1)):
        by = scope.set_by(name)
        assert by is not None and str(by.where) == f"nginx.conf:{line}"
    assert second.set_by("etag") is None
    by = first.set_by("alias", "etag")
    assert by is not None and by.args == ["off"]


def gathered(text: str) -> list[str]:
    loader, scope = Loader([Module], prefix="/prefix/", conf_prefix="/conf/"), Scope(MAIN)
    mistakes: list[ConfigError] = []
    loader.mistakes = mistakes
    try:
        loader.walk(parse(text).statements, scope)
    except ConfigError as error:
        assert mistakes, error
    assert loader.parts.get(FINISHED) == ([] if mistakes else ["server", "http"])
    return [str(mistake) for mistake in mistakes]


def test_all_mistakes_are_gathered_and_no_block_with_one_is_used() -> None:
    assert gathered("usr me;\nhttp {\n  etag maybe;\n  server {\n    rot x;\n  }\n  server { user x; }\n}") == [
        'unknown directive "usr" in nginx.conf:1',
        'invalid value "maybe" in "etag" directive, it must be "on" or "off" in nginx.conf:3',
        'unknown directive "rot" in nginx.conf:5',
        '"user" directive is not allowed here in nginx.conf:7',
    ]


def test_without_mistakes_all_is_done() -> None:
    assert gathered("http { server { } }") == []


def test_a_block_that_was_not_opened_ends_the_gathering() -> None:
    assert gathered("http;\n usr me;") == ['directive "http" has no opening "{" in nginx.conf:1']


class Kernel:
    name = "kernel"
    main = None

    def wrong(conf: Any, command: Command) -> None:
        raise OverflowError("Python int too large to convert to C long")

    directives = (Directive("number", MAIN, take(1), wrong), Directive("block", MAIN, NOARGS, wrong, block=True))


def test_what_a_setter_did_not_foresee_has_its_place() -> None:
    loader = Loader([Kernel])
    with pytest.raises(ConfigError, match=r'invalid value in "number" directive: Python int .* in nginx.conf:2'):
        loader.walk(parse("\nnumber 1;").statements, Scope(Context.MAIN))
    with pytest.raises(OverflowError):  # of a block it may be anything: a bug that must be seen
        loader.walk(parse("block { }").statements, Scope(Context.MAIN))


def test_a_path_with_a_nul_byte() -> None:
    with pytest.raises(ValueError, match="NUL byte"):
        Loader([]).path("a\0b")
