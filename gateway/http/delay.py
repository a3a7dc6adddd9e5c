"""A request that is made to wait: by limit_req, and by auth_delay before its refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.lane import current_fibre, park
from gateway.http.status import CLIENT_CLOSED

if TYPE_CHECKING:
    from gateway.http.module import Result
    from gateway.http.request import Request


async def wait_until(request: Request, until: float, result: Result) -> Result:
    """The result, at this time of the lane; a client that goes away meanwhile is not served (ngx_http_test_reading)."""
    fibre = current_fibre()
    assert fibre is not None
    request.on_client_event = fibre.wake
    try:
        while await park(until):
            if request.aborted or request.output.client_state():
                request.log("info", b"client prematurely closed connection")
                return CLIENT_CLOSED
    finally:
        request.on_client_event = None
    return result
