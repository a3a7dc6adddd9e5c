"""The diagnosis at work: once a minute for each cause, few of a family, and never a failure of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import trio

from gateway.core.ring import Ring
from gateway.dev.diagnosis.explainer import Explainer
from gateway.dev.diagnosis.failure import Failure, Family
from gateway.dev.diagnosis.heard import Heard
from gateway.modules.http.request_history_record import unpacked
from tests.dev.diagnosis.asking import causes, explaining
from tests.dev.diagnosis.test_question import UWSGI, peer
from tests.fakes import answer, farm
from tests.speeches import HTTP


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def said(explainer: Explainer, message: bytes = b"bad x") -> bytes | None:
    request: Any = None
    return explainer.explain(request, message, None)


def test_a_cause_is_named_again_after_a_minute() -> None:
    clock = Clock()
    explainer = Explainer((Family((b"bad",), lambda failure: 1, lambda failure: "why"),), Heard(clock))
    assert said(explainer) == b"why"
    clock.now = 59.0
    assert said(explainer) is None
    clock.now = 61.0
    assert said(explainer) == b"why"


def test_a_family_speaks_ten_times_a_minute() -> None:
    clock = Clock()
    asked: list[bytes] = []

    def key(failure: Failure) -> bytes:
        asked.append(failure.message)
        return failure.message

    explainer = Explainer((Family((b"bad",), key, lambda failure: "why"),), Heard(clock))
    assert [said(explainer, b"bad %d" % number) for number in range(20)] == [b"why"] * 10 + [None] * 10
    assert len(asked) == 10  # not even the key is made after that
    clock.now = 61.0
    assert said(explainer, b"bad 30") == b"why"


def test_the_first_family_that_knows_the_line() -> None:
    families = (
        Family((b"a",), lambda failure: 1, lambda failure: "one"),
        Family((b"a b",), lambda failure: 1, lambda failure: "two"),
    )
    explainer = Explainer(families, Heard(Clock()))
    assert said(explainer, b"a b") == b"one"
    assert said(explainer, b"b") is None


def test_a_mistake_in_a_family_fails_nothing() -> None:
    def text(failure: Failure) -> str:
        raise KeyError("x")

    explainer = Explainer((Family((b"bad",), lambda failure: 1, text),), Heard(Clock()))
    assert said(explainer) == b"not found out (KeyError: 'x')"


def test_nothing_to_say() -> None:
    assert said(Explainer((Family((b"bad",), lambda failure: 1, lambda failure: None),), Heard(Clock()))) is None


async def test_a_record_has_the_cause_of_each_request(tmp_path: Path) -> None:
    """The log has it once a minute, and a second request that failed so is no less a failure."""
    text = f"location /a {{ root {tmp_path}; }}"
    async with explaining(text, tmp_path, f"request_history {tmp_path}/ring requests=8;") as engine:
        for _ in range(3):
            await engine.get("/a")
        assert len(causes(engine)) == 1
    ring = Ring.read_from(str(tmp_path / "ring"))
    kept = [unpacked(data)["notes"] for _, data in ring.newest()]
    assert len(kept) == 3
    assert all(f"(cause: the name is root {tmp_path}" in note for (note,) in kept)


async def test_a_record_has_what_an_odd_answer_tells(tmp_path: Path) -> None:
    refusal = answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", speech=HTTP)
    async with farm(tmp_path) as peers:
        address = await peers.tcp(refusal)
        history = f"request_history {tmp_path}/ring requests=8;"
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path, history) as engine:
            for _ in range(2):
                await engine.get("/a")
            assert len(causes(engine)) == 1
    kept = [unpacked(data).get("notes", []) for _, data in Ring.read_from(str(tmp_path / "ring")).newest()]
    assert len(kept) == 2
    for (note,) in kept:
        assert f"{address} answered 413. cause: the limit is" in note


def test_records_do_not_ask_for_more_causes_than_a_machine_can_bear() -> None:
    asked = []
    explainer = Explainer((Family((b"bad",), lambda failure: 1, lambda failure: asked.append(1) or "why"),), Heard())
    request: Any = None
    said = [explainer.reason(request, b"bad", None) for _ in range(200)]
    assert said[0] == b"why" and said[-1] is None
    assert explainer.reason(request, b"good", None) is None
    assert len(asked) < 150


async def test_what_is_found_out_by_asking_knows_its_request(tmp_path: Path) -> None:
    """The peer is asked some time after its failure; for a program the cause belongs to the same request."""
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer(**UWSGI))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            vars(engine.log)["form"] = "json"
            engine.cycle.servers[0].root.core.error_log.has_forms = True
            await engine.get("/x")
            with trio.fail_after(10):
                while not any("speaks uwsgi" in line for line in engine.log.lines):
                    await trio.sleep(0.01)
    failed, told = (json.loads(line) for line in engine.log.lines if '"level":"error"' in line)
    assert "cause: " in told["message"]
    assert (told["request_id"], told["request"]) == (failed["request_id"], "GET /x HTTP/1.1")
