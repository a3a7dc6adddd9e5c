"""nginx's command line."""

from __future__ import annotations

import re

import pytest

from gateway.cli.options import UsageError, parse


def test_values_joined_and_apart() -> None:
    line = parse(["-tq", "-c/etc/x.conf", "-p", "/srv", "-estderr", "-g", "daemon off;"])
    assert line.test
    assert line.quiet
    assert not line.dump
    assert (line.conf_file, line.prefix, line.error_log, line.globals_text) == (
        "/etc/x.conf", "/srv", "stderr", "daemon off;",
    )  # fmt: skip


def test_flag_and_value_in_one_word() -> None:
    line = parse(["-tc", "x"])
    assert line.test
    assert line.conf_file == "x"


def test_capital_t_tests_and_dumps() -> None:
    line = parse(["-T"])
    assert line.test
    assert line.dump


@pytest.mark.parametrize("name", ["stop", "quit", "reopen", "reload"])
def test_signals(name: str) -> None:
    assert parse(["-s", name]).signal == name
    assert parse([f"-s{name}"]).signal == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x"], 'invalid option: "x"'),
        (["-x"], 'invalid option: "x"'),
        (["-tx"], 'invalid option: "x"'),
        (["-p"], 'option "-p" requires directory name'),
        (["-e"], 'option "-e" requires file name'),
        (["-c"], 'option "-c" requires file name'),
        (["-g"], 'option "-g" requires parameter'),
        (["-s"], 'option "-s" requires parameter'),
        (["-s", "boo"], 'invalid option: "-s boo"'),
    ],
)
def test_refusals(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        parse(arguments)
