"""The settings that proxy_, fastcgi_, scgi_ and uwsgi_ share: one class, named after its prefix."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self

from gateway.config.conf import UNSET, setting
from gateway.config.errors import LateError, Note, Where
from gateway.core.template import Template
from gateway.upstream.cache.conf import CacheConf
from gateway.upstream.exchange.next_upstream import Condition
from gateway.upstream.exchange.settings import ExchangeSettings
from gateway.upstream.exchange.tls_settings import ClientTlsConf, merge_with_tls
from gateway.upstream.peers.address import Address, parse_local

if TYPE_CHECKING:
    from gateway.core.temp_files import TempPath
    from gateway.http.request import Request
    from gateway.http.setters import Number

_PAGE: Final = resource.getpagesize()  # of which nginx makes its buffers
_GIB: Final = 1 << 30


class Local:
    """The address that `*_bind` names, constant or by variables; called with a request."""

    __slots__ = ("constant", "template")

    def __init__(self, constant: Address | None, template: Any) -> None:
        self.constant = constant
        self.template = template

    def __call__(self, request: Any) -> Address | None:
        if self.template is None:
            return self.constant
        text: bytes = self.template(request)
        if not text:
            return None
        address = parse_local(text)
        if address is None:
            request.log("error", b'invalid local address "%b"' % text)
        return address


class Passing(Protocol):
    """What all that a `*_pass` says have in common."""

    @property
    def secure(self) -> object:
        """Whether its target is, or may be, spoken to over TLS."""


@dataclass(slots=True)
class UpstreamConf(CacheConf):
    """Times are seconds, sizes bytes. A subclass sets `prefix` and `default_hidden`."""

    prefix: ClassVar[str] = ""
    # X-Accel-Buffering can change `buffering`
    change_buffering: ClassVar[bool] = True
    # a 404 is answered by the gateway itself
    intercept_404: ClassVar[bool] = False
    # an answer without Server or Date that may pass (`*_pass_header`) gets none from us either
    passes_absence: ClassVar[bool] = False
    # a cache does without `*_cache_key`
    has_default_key: ClassVar[bool] = False
    # fields of an answer that are not passed on unless `*_pass_header` names them, in lower case
    default_hidden: ClassVar[tuple[bytes, ...]] = (
        b"x-accel-expires",
        b"x-accel-redirect",
        b"x-accel-limit-rate",
        b"x-accel-buffering",
        b"x-accel-charset",
    )

    passing: Passing | None = setting(None, inherit=False)  # what `*_pass` said; a subclass says of which kind it is
    connect_timeout: float = setting(60.0)
    send_timeout: float = setting(60.0)
    read_timeout: float = setting(60.0)
    buffering: bool = setting(True)
    unbuffered_types: frozenset[bytes] | None = setting(None)  # of responses that are passed on as they come
    request_buffering: bool = setting(True)
    buffer_size: int = setting(_PAGE)
    buffers: tuple[int, int] = setting((8, _PAGE))
    busy_buffers_size: int = setting(-1)
    temp_file_write_size: int = setting(-1)
    max_temp_file_size: int = setting(_GIB)
    temp_path: TempPath = setting(None)
    limit_rate: Number | None = setting(None)
    ignore_client_abort: bool = setting(False)
    intercept_errors: bool = setting(False)
    ignore_headers: int = setting(0)
    hide_headers: tuple[bytes, ...] = setting(())
    pass_headers: tuple[bytes, ...] = setting(())
    next_upstream: int = setting(int(Condition.ERROR | Condition.TIMEOUT))
    next_upstream_tries: int = setting(0)
    next_upstream_timeout: float = setting(0.0)
    pass_request_headers: bool = setting(True)
    pass_request_body: bool = setting(True)
    pass_trailers: bool = setting(False)
    force_ranges: bool = setting(False)
    local: Local | None = setting(None)
    transparent: bool = setting(False)
    socket_keepalive: bool = setting(False)
    socket_rcvbuf: int = setting(0)
    socket_sndbuf: int = setting(0)
    store: bool | Template = setting(False)  # True: the file that the URI names; or a Template of a path
    store_access: int = setting(0o600)
    tls: ClientTlsConf = setting(factory=ClientTlsConf)  # the *_ssl_ directives, of those protocols that have them
    # made when settings are merged
    hidden: frozenset[bytes] = frozenset()
    busy: int = 0  # how much may be under way to the client while the answer goes on
    temp_file_write: int = 0  # how much is written to the temporary file at once
    has_socket_options: bool = False
    hot: Any = None  # ExchangeSettings: what is read for each request
    client_tls: Any = None  # a ClientTls, where the `*_pass` may lead to TLS
    outlives_client: bool = False  # the exchange goes on when the client is gone
    # which directive set a field, and where: for diagnosis, and for errors that concern several directives
    places: dict[str, Where] = field(default_factory=dict)

    def merge(self, outer: Self | None, nameless: bool = False) -> None:
        if self.local is not UNSET and self.transparent is UNSET:
            self.transparent = False  # they are one directive
        # the inner one of the two counts
        if self.store:
            self.cache = None
        if self.cache:
            self.store = False
        merge_with_tls(self, outer, nameless)
        if self.cache is not None:
            self.settle_cache()
            if self.cache.zone is not None and self.cache.zone.user is None:
                raise LateError(f'"{self.prefix}_cache" zone "{self.cache.zone.name}" is unknown')
            if self.cache_key is None and not self.has_default_key:
                self.cache.warn(f'no "{self.prefix}_cache_key" for "{self.prefix}_cache"')
        twice = 2 * max(self.buffer_size, self.buffers[1])
        self.busy = twice if self.busy_buffers_size < 0 else self.busy_buffers_size
        self.temp_file_write = twice if self.temp_file_write_size < 0 else self.temp_file_write_size
        if outer is not None:
            self.check_together()
        self.outlives_client = self.ignore_client_abort or bool(self.store)
        self.has_socket_options = bool(self.socket_rcvbuf or self.socket_sndbuf)
        if self.next_upstream & Condition.OFF:
            self.next_upstream = int(Condition.OFF)
        shown = {name.lower() for name in self.pass_headers}
        self.hidden = frozenset(
            name for name in (*self.default_hidden, *(name.lower() for name in self.hide_headers)) if name not in shown
        )
        self.hot = ExchangeSettings(self)
        if self.passing is not None and self.passing.secure:
            self.client_tls = self.tls.offering(self.protocols()).client(self.prefix, self.places)

    def protocols(self) -> tuple[bytes, ...]:
        """What is offered to the peer by ALPN."""
        return ()

    def rewrite_field(self, request: Request, lower: bytes, value: bytes) -> bytes | None:
        """What becomes of Location, Refresh or Set-Cookie, None: it stays; proxy has rules for them."""
        return None

    def check_together(self) -> None:
        """What nginx asks of the sizes together. -1 is a size that follows from the others."""
        prefix = self.prefix
        count, each = self.buffers
        if count < 2:
            self._refuse(f'there must be at least 2 "{prefix}_buffers"', "buffers")
        largest = max(self.buffer_size, each)
        of_the_largest = f'the maximum of the value of "{prefix}_buffer_size" and one of the "{prefix}_buffers"'
        if self.busy < largest:
            self._refuse(
                f'"{prefix}_busy_buffers_size" must be equal to or greater than {of_the_largest}', "busy_buffers_size"
            )
        if self.busy > (count - 1) * each:
            self._refuse(
                f'"{prefix}_busy_buffers_size" must be less than the size of all "{prefix}_buffers" minus one buffer',
                "busy_buffers_size",
            )
        if self.temp_file_write < largest:
            self._refuse(
                f'"{prefix}_temp_file_write_size" must be equal to or greater than {of_the_largest}',
                "temp_file_write_size",
            )
        if self.max_temp_file_size and self.max_temp_file_size < largest:
            self._refuse(
                f'"{prefix}_max_temp_file_size" must be equal to zero to disable temporary files usage '
                f"or must be equal to or greater than {of_the_largest}",
                "max_temp_file_size",
            )

    def _refuse(self, message: str, field_name: str) -> None:
        """nginx names the last line of http, where it merges; the note names the directive's."""
        for name in (field_name, "buffer_size", "buffers"):
            if name in self.places:
                raise LateError(message, notes=(Note("it follows from this line", self.places[name]),))
        raise LateError(message)
