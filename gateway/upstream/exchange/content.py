"""The content handler of a location that passes its requests on to one upstream, which the configuration names.

Where variables name it, and where there is a cache, it is a function (pass_target.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.part import Part
from gateway.upstream.exchange.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from gateway.http.module import Result
    from gateway.http.request import Request
    from gateway.upstream.exchange.codec import Codec
    from gateway.upstream.exchange.conf import UpstreamConf
    from gateway.upstream.peers.upstreams import Upstream


class Pass(Part):
    """Compiled with the types of content.pxd: one call of C's from the plan to the exchange."""

    def __init__(self, conf: UpstreamConf, codec: Codec, upstream: Upstream) -> None:
        self.conf = conf
        self.codec = codec
        self.upstream = upstream

    def run(self, request: Request) -> Result | Awaitable[Result]:
        exchange = Exchange.__new__(Exchange)  # what is called by name costs as much as some modules
        exchange.begin(request, self.conf, self.codec, self.upstream)
        return exchange.run()
