"""part: handlers as parts of a plan."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.http.module import OK
from gateway.http.part import FunctionPart, MainOnly, Part, part_of
from tests.engine import serving

SITE = "server { listen 127.0.0.1:80; location / { return 200; } }"


def test_a_part_stays_what_it_is() -> None:
    part = part_of(lambda request: 200)
    assert isinstance(part, FunctionPart)
    assert part_of(part) is part


async def test_parts_of_all_kinds_are_run() -> None:
    class Own(Part):
        def run(self, request: Any) -> int:
            return 204

    seen: list[Any] = []
    async with serving(SITE) as engine:
        location = engine.cycle.servers[0].root.children[0]
        assert (await engine.get("/")).status == 200
        assert location.plan is not None
        plan = type(location.plan)([None, lambda request: seen.append(request), Own()], [], [])
        location.plan = plan
        assert (await engine.get("/")).status == 204
    assert len(seen) == 1
    assert [step(seen[0]) for step in plan.steps if step is not None] == [None, 204]


def test_one_that_does_nothing() -> None:
    with pytest.raises((NotImplementedError, TypeError)):
        Part()(SimpleNamespace())  # type: ignore[arg-type]


async def test_the_access_phase_is_of_main_requests() -> None:
    results: list[Any] = [None, OK, 403]
    answered: list[Any] = []
    async with serving(SITE) as engine:
        location = engine.cycle.servers[0].root.children[0]
        assert (await engine.get("/")).status == 200
        assert location.plan is not None
        check = MainOnly(lambda request: results[len(answered)])

        def ask(request: Any) -> int:
            answered.append(check(request))
            return 204

        location.plan = type(location.plan)([None, ask], [], [])
        for _ in results:
            assert (await engine.get("/")).status == 204
    assert answered == [None, None, 403]
