"""The settings of a `*_pass` that an exchange reads for each request.

A copy of UpstreamConf, made once at load: compiled, its fields are C values (settings.pxd), where reading an attribute
of a dataclass costs a look-up in its type each time; an exchange reads some twenty.
"""

from __future__ import annotations

from typing import Any

from gateway.upstream.exchange.response import Hidden


class ExchangeSettings:
    """Compiled with the types of settings.pxd: a field has its line there too."""

    def __init__(self, conf: Any) -> None:
        self.connect_timeout: float = conf.connect_timeout
        self.send_timeout: float = conf.send_timeout
        self.read_timeout: float = conf.read_timeout
        self.buffer_size: int = conf.buffer_size
        # how much is read at once while the head is not there: with a limit on the rate, what comes with it counts
        self.head_read: int = 65536 if conf.limit_rate is None else conf.buffer_size
        self.buffering: bool = conf.buffering
        self.change_buffering: bool = conf.change_buffering
        self.request_buffering: bool = conf.request_buffering
        self.stores: bool = bool(conf.store)
        self.outlives_client: bool = conf.outlives_client
        self.ignore_headers: int = conf.ignore_headers
        self.intercept_errors: bool = conf.intercept_errors
        self.next_upstream_tries: int = conf.next_upstream_tries
        self.pass_request_body: bool = conf.pass_request_body
        self.pass_trailers: bool = conf.pass_trailers
        self.force_ranges: bool = conf.force_ranges
        self.local: Any = conf.local
        self.socket_keepalive: bool = conf.socket_keepalive
        self.has_socket_options: bool = conf.has_socket_options
        self.passes_absence: bool = conf.passes_absence
        self.intercept_404: bool = conf.intercept_404
        self.unbuffered_types: frozenset[bytes] | None = conf.unbuffered_types
        self.hidden: frozenset[bytes] = conf.hidden
        self.hidden_fields = Hidden(conf.hidden)
