from __future__ import annotations

from typing import Any

import pytest

from gateway.core.regex import Regex
from gateway.serving.server_names import ServerName, ServerNames


def names(*wanted: str) -> ServerNames:
    made = ServerNames()
    for name in wanted:
        regex = Regex(name[1:], caseless=True) if name.startswith("~") else None
        assert made.add(ServerName(name.encode(), name, regex))
    return made


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("a.example", "a.example"),
        ("x.a.example", "*.a.example"),
        ("y.x.a.example", "*.a.example"),
        ("b.example", ".b.example"),
        ("x.b.example", ".b.example"),
        ("www.c.org", "www.c.*"),
        ("api7.d", "~^api(?<number>\\d+)"),
        ("nobody", None),
        ("", None),
    ],
)
def test_the_choice(host: str, server: str | None) -> None:
    made = names("a.example", "*.a.example", ".b.example", "www.c.*", "~^api(?<number>\\d+)")
    assert made.find(host.encode(), None) == server


def test_captures_go_to_who_asks() -> None:
    class PeerTry:
        captures: Any = None

        def matched(self, captures: Any) -> None:
            self.captures = captures

    asking = PeerTry()
    names("~^api(?<number>\\d+)").find(b"api42", asking)
    assert asking.captures.group("number") == b"42"


def test_a_name_that_is_there_already() -> None:
    made = names("a", "*.a", "b.*")
    for name in ("a", "*.a", "b.*", ".a"):
        assert not made.add(ServerName(name.encode(), "other"))
    assert made.find(b"a", None) == "a" and made.find(b"x.a", None) == "*.a"


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        # what nginx 1.31.5 answers: a name that is there already is ignored as a whole, also by its own server
        (("x.example", ".x.example"), {"x.example": 0, "www.x.example": None}),
        ((".x.example", "x.example"), {"x.example": 0, "www.x.example": 0}),
        (("*.x.example", ".x.example", "x.example"), {"x.example": None, "www.x.example": 0}),
        ((".x.example", "*.x.example"), {"x.example": 0, "www.x.example": 0}),
        (("x.example", "*.x.example"), {"x.example": 0, "www.x.example": 1}),
    ],
)
def test_a_leading_dot_is_two_names(wanted: tuple[str, ...], chosen: dict[str, int | None]) -> None:
    made = ServerNames()
    for number, name in enumerate(wanted):
        made.add(ServerName(name.encode(), number))
    assert {host: made.find(host.encode(), None) for host in chosen} == chosen
