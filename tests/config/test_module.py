"""Modules outside of the http block, as the loader uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import MAIN, Directive, string, take
from gateway.config.loader import Loader, Scope
from gateway.config.module import CoreModule
from gateway.config.parser import parse


@dataclass
class Main(Conf):
    word: Any = setting("none")


MODULE = CoreModule("one", Main, (Directive("word", MAIN, take(1), string("word"), level="main"),))


@pytest.mark.parametrize(("text", "value"), [("word x;", "x"), ("", UNSET)])
def test_a_module_has_its_settings(text: str, value: object) -> None:
    scope = Scope(MAIN)
    Loader([MODULE]).walk(parse(text).statements, scope)
    assert scope.conf(MODULE, "main").word is value or scope.conf(MODULE, "main").word == value


def test_a_module_without_settings_has_directives() -> None:
    said: list[Any] = []
    directive = Directive("note", MAIN, take(1), lambda conf, command: said.append((conf, command.args)), level="main")
    Loader([CoreModule("two", directives=(directive,))]).walk(parse("note a;").statements, Scope(MAIN))
    assert said == [(None, ["a"])]


def test_modules_are_told_apart_by_identity() -> None:
    """Settings are kept by module, so that two of the same words are still two."""
    assert CoreModule("a") != CoreModule("a")
    assert len({CoreModule("a"), CoreModule("a")}) == 2
