"""The environment of workers and of a new binary."""

from __future__ import annotations

from gateway.process.environment import environment, for_exec

CURRENT = {"A": "1", "B": "2", "TZ": "UTC", "PYTHONPATH": "/x"}


def test_only_what_is_listed_and_tz() -> None:
    assert environment([], CURRENT) == {"TZ": "UTC"}
    assert environment(["A", "NONE"], CURRENT) == {"A": "1", "TZ": "UTC"}


def test_values_are_set_over_what_is_there() -> None:
    assert environment(["A=x=y", "TZ=CET", "C="], CURRENT) == {"A": "x=y", "TZ": "CET", "C": ""}


def test_no_tz_of_its_own() -> None:
    assert environment([], {"A": "1"}) == {}


def test_a_new_binary_finds_its_interpreter_s_paths() -> None:
    assert for_exec(["A"], CURRENT) == {"A": "1", "TZ": "UTC", "PYTHONPATH": "/x"}
