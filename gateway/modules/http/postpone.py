"""postpone: puts responses in order in which subrequests have a part (http/postponed.py).

It stands behind the filters that insert subrequests and before those that work on the response as a whole, and only in
the plans of locations that have one of the former.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.http.subrequest import postpone
from gateway.modules.http import addition, slice, ssi

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request


def filter_head(request: Request) -> BodyFilter | None:
    return postpone(request) if request.parent is None else None


_CONTRIBUTION = Contribution(head_filter=filter_head)


def plan(settings: Any, location: Location) -> Contribution:
    confs = location.confs
    inserts = addition.adds(confs[addition.module]) or confs[ssi.module].enable or confs[slice.module].size
    return _CONTRIBUTION if inserts else NOTHING


module = HttpModule(name="postpone", plan=plan)
