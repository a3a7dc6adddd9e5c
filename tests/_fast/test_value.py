"""value: functions as values, in C where they are compiled; what stands one after the other."""

from __future__ import annotations

from typing import Any

import pytest

from gateway._fast.value import Getter, Joined, Value, value_of
from gateway.http import common_variables
from gateway.http.stand_in import stand_in
from tests.engine import serving


class Asked:
    """What a plain function may be asked for."""

    name = b"x"


def test_a_function_is_called() -> None:
    getter = value_of(lambda request: request.name)
    assert isinstance(getter, Getter)
    assert getter(Asked()) == getter.value(Asked()) == b"x"


def test_a_value_stays_what_it_is() -> None:
    getter = value_of(lambda request: None)
    assert value_of(getter) is getter
    assert getter(Asked()) is None


def test_one_that_python_overrides() -> None:
    class Own(Value):
        def value(self, request: Any) -> bytes:
            return b"own"

    assert Own()(None) == b"own"
    assert Joined([b"<", Own(), b">"])(None) == b"<own>"


def test_nothing_is_overridden() -> None:
    with pytest.raises(NotImplementedError):
        Value()(None)


async def test_a_compiled_function_asks_for_its_type() -> None:
    getter = value_of(common_variables.uri)
    async with serving("server { listen 127.0.0.1:80; }") as engine:
        asked = stand_in(engine.cycle, engine.worker, engine.cycle.servers[0].root, b"GET", b"/path", b"host")
        assert [getter(asked) for _ in range(3)] == [b"/path"] * 3
    for wrong in (Asked(), None, b"text", 1):
        with pytest.raises((TypeError, AttributeError)):
            getter(wrong)


def test_what_a_function_raises_goes_on() -> None:
    def broken(request: Any) -> bytes:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        Joined([b"a", broken])(None)


def test_parts_are_joined_and_what_is_not_found_is_empty() -> None:
    joined = Joined([b"a", lambda request: request, b"-", lambda request: None, b"z"])
    assert joined(b"middle") == b"amiddle-z"
    assert Joined([])(None) == b""


def test_a_part_that_is_no_bytes_is_refused() -> None:
    wrong: Any = len
    with pytest.raises(TypeError):
        Joined([b"a", wrong])("text")
