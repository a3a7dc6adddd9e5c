"""limit_req with `exact`: what the node itself would let in waits for what the store says (cluster/exact.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cluster.exact import Question
from gateway.core.lane import current_fibre, park
from gateway.http.status import CLIENT_CLOSED

if TYPE_CHECKING:
    from gateway.cluster.exact import Exact
    from gateway.http.module import Result
    from gateway.http.request import Request
    from gateway.modules.http.limit_req import Check, Limit
    from gateway.modules.http.limit_req_bucket import Bucket


async def ask_store(
    check: Check,
    request: Request,
    passed: list[tuple[Limit, bytes]],
    asked: list[Bucket],
    worst: int,
    excess: int,
    limited: Limit,
) -> Result:
    """Go on as `let_in` would if all zones with `exact` have room for the request; `passed` are limits and their keys.

    One that refuses leaves the others as if it had not been asked for.
    """
    for limit, key in passed:
        bucket = limit.bucket
        assert bucket is not None
        name = bucket.withhold(key) if limit.exact and bucket.exact is not None else None
        if name is None:
            continue  # decided here; so is what the zone had to forget meanwhile
        question = await _answer(request, bucket, name, limit.burst)
        if question is None:
            return CLIENT_CLOSED
        if question.allowed is None:
            continue
        bucket.correct(name, question.excess, question.allowed, int(request.connection.lane.fresh() * 1000))
        if not question.allowed:
            for other, its_key in passed:
                if other is not limit:
                    assert other.bucket is not None
                    other.bucket.take_back(its_key)
            return check.refuse_full(request, bucket, question.excess)
        delay = (question.excess - limit.delay) * 1000 // bucket.rate
        if delay > worst:
            worst, excess, limited = delay, question.excess, limit
    result = check.let_in(request, asked, worst, excess, limited)
    return result if result is None or isinstance(result, int) else await result


async def _answer(request: Request, bucket: Bucket, name: bytes, burst: int) -> Question | None:
    """The question, answered or given up; None when the client has gone meanwhile."""
    fibre = current_fibre()
    exact: Exact | None = bucket.exact
    assert fibre is not None and exact is not None
    question = Question(bucket, name, burst, fibre.wake)
    until = request.connection.lane.fresh() + exact.bound
    exact.put(question)
    request.on_client_event = fibre.wake
    try:
        while question.waiting and await park(until):
            if question.waiting and (request.aborted or request.output.client_state()):
                request.log("info", b"client prematurely closed connection")
                return None
    finally:
        request.on_client_event = None
        exact.give_up(question)
    return question
