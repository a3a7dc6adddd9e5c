"""Parts: made by whoever comes first, found by all others, typed by their names."""

import pytest

from gateway.config.parts import Part, Parts

NAMES: Part[list[str]] = Part("names", list)
EVENTS: Part[int] = Part("events")


def test_who_comes_first_makes_it_and_all_others_find_it() -> None:
    parts = Parts()
    assert parts.find(NAMES) is None
    parts.get(NAMES).append("a")
    assert parts.get(NAMES) == ["a"]
    assert parts.find(NAMES) is parts.get(NAMES)


def test_each_configuration_has_its_own() -> None:
    one, two = Parts(), Parts()
    one.get(NAMES).append("a")
    assert two.get(NAMES) == []


def test_what_only_its_directive_makes() -> None:
    parts = Parts()
    with pytest.raises(LookupError, match="no events yet"):
        parts.get(EVENTS)
    parts.put(EVENTS, 0)
    assert parts.get(EVENTS) == parts.find(EVENTS) == 0


def test_parts_of_one_name_are_still_two() -> None:
    parts = Parts()
    other: Part[list[str]] = Part("names", list)
    parts.get(NAMES).append("a")
    assert parts.get(other) == []
    assert repr(other) == "Part('names')"
