"""report: what a person sees of an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError, Where, format_for_terminal
from gateway.config.parser import parse
from tests.config.cases import BAD, first_error


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad(path: Path) -> None:
    error = first_error(path)
    assert error is not None
    text = format_for_terminal(error).replace(f"{path.parent}/", "") + "\n"
    assert text == path.with_suffix(".txt").read_text("utf-8")


def test_every_bad_case_names_its_place() -> None:
    for path in BAD:
        error = first_error(path)
        assert error is not None
        assert error.where is not None or error.level == "crit", path


def test_color_is_only_added() -> None:
    error = parse("user x").error
    assert error
    colored = format_for_terminal(error, color=True)
    assert "\x1b[" in colored
    plain = colored
    for code in ("\x1b[1;31m", "\x1b[36m", "\x1b[0m"):
        plain = plain.replace(code, "")
    assert plain == format_for_terminal(error)


def test_without_a_place_there_is_a_code_alone() -> None:
    error = ConfigError("no servers are inside upstream")
    first = "gateway: [emerg] no servers are inside upstream"
    (said, code) = format_for_terminal(error).splitlines()
    assert said == first and code.startswith("  GW") and code.endswith(" says more")


def test_a_file_that_cannot_be_read_again() -> None:
    error = ConfigError('unknown directive "x"', Where("/nonexistent/nginx.conf", 3))
    first = 'gateway: [emerg] unknown directive "x" in /nonexistent/nginx.conf:3'
    assert format_for_terminal(error).splitlines() == [first, "  GW001: gateway help GW001 says more"]


def test_error_of_an_argument_points_at_it() -> None:
    source = parse("http {\n\tclient_max_body_size  10x;\n}")
    [http] = source.statements
    error = ConfigError('"client_max_body_size" directive invalid value "10x"', (http.block or [])[0].where)
    error.source = source
    assert format_for_terminal(error).splitlines()[2] == "      | \t                      ^^^"


def test_stream_has_its_own_contexts() -> None:
    source = parse("stream {\n  server {\n    proxy_pas x;\n  }\n}")
    [stream] = source.statements
    [server] = stream.block or []
    error = ConfigError('unknown directive "proxy_pas"', (server.block or [])[0].where)
    error.source = source
    assert format_for_terminal(error).splitlines()[-2] == "  allowed in: stream server"


def test_control_characters_do_not_reach_the_terminal() -> None:
    source = parse("us\x1b[31mer \udcff x;\n}")
    assert source.error
    error = ConfigError('unknown directive "us"', source.statements[0].where)
    error.source = source
    assert "\x1b" not in format_for_terminal(error).partition("\n")[2]
