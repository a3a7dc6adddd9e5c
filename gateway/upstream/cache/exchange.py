"""The way of a request through a location with a cache: answered from a file, or asked, and the answer kept.

What is found and fresh is answered in place, without a fibre and without a look at any upstream; the rest is Exchange's
work, with what a cache does besides at a few points of it. Compiled with the types of exchange.pxd.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway._fast.http1_response import parse_response_head
from gateway.core.lane import current_fibre, park
from gateway.core.pieces import FileSlice
from gateway.http.module import DONE, OK, Result
from gateway.http.output import CONNECTION_CLOSED, GIVEN_UP
from gateway.http.subrequest import Subrequest, clone
from gateway.upstream.cache import clock
from gateway.upstream.cache import entry as entries
from gateway.upstream.cache.entry import BUSY, FAILED, FRESH, MISSING, UNWANTED, Entry
from gateway.upstream.cache.freshness import judge
from gateway.upstream.cache.purge import purge
from gateway.upstream.cache.ranges import begins_before
from gateway.upstream.cache.update import CacheUpdate
from gateway.upstream.exchange.codec import Codec
from gateway.upstream.exchange.exchange import CLIENT_CLOSED, Exchange
from gateway.upstream.exchange.next_upstream import BY_STATUS, Condition
from gateway.upstream.exchange.peer_try import ClientGone
from gateway.upstream.exchange.response import Ignore, UpstreamHead

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.cache.conf import CacheConf
    from gateway.upstream.cache.file_cache import FileCache
    from gateway.upstream.exchange.conf import UpstreamConf
    from gateway.upstream.peers.upstreams import Upstream

# $upstream_cache_status
MISS: Final = b"MISS"
BYPASS: Final = b"BYPASS"
EXPIRED: Final = b"EXPIRED"
STALE: Final = b"STALE"
UPDATING: Final = b"UPDATING"
REVALIDATED: Final = b"REVALIDATED"
HIT: Final = b"HIT"

_UPDATING: Final = int(Condition.UPDATING)
_X_ACCEL_REDIRECT: Final = int(Ignore.X_ACCEL_REDIRECT)
_LOOK_AGAIN_S: Final = 0.5  # for a lock that another worker holds

# What look_up says besides a result.
_ASK: Final = -101
_WAIT: Final = -102

# The last step before asking, where the upstream is found by variables: it, or a status.
Find = Callable[[], Awaitable["Upstream | int"]]


def _in_background(request: Request) -> bool:
    return isinstance(request, Subrequest) and request.background


class CachingExchange(Exchange):
    """One request in a location with a cache; at first nobody is asked."""

    def __init__(
        self,
        request: Request,
        conf: UpstreamConf,
        codec: Codec,
        caching_codec: Codec,
        upstream: Upstream | None,
        find: Find | None = None,
    ) -> None:
        Exchange.__init__(self, request, conf, codec, upstream)
        self.caching_codec = caching_codec  # of requests whose answer is to be kept
        self.find = find
        self.cache_status: bytes | None = None
        self.cacheable = False
        self.entry: Entry | None = None
        self.updated_by_other = False

    # -- before anybody is asked -----------------------------------------------------------------------------------

    def _begin(self) -> Result | Awaitable[Result]:
        """The request's body is here: answer from the cache, or ask."""
        result = self.look_up()
        if result == _ASK:
            return self._ask()
        if result == _WAIT:
            return self._wait_for_lock()
        self._let_go()
        self.request = None  # type: ignore[assignment]
        return result

    def _ask(self) -> Result | Awaitable[Result]:
        if self.find is not None:
            return self._find_and_ask(self.find)
        if self.cacheable:
            self.codec = self.caching_codec
        try:
            result: Result | Awaitable[Result] = Exchange._begin(self)
        except BaseException:
            self._let_go()
            raise
        if isinstance(result, int) and result != DONE:
            self._let_go()  # also of a request that could not be written
        return result

    async def _find_and_ask(self, find: Find) -> Result:
        """Where the upstream is named by variables, it is found only now."""
        self.find = None
        try:
            found = await find()
        except BaseException:
            self._let_go()
            raise
        if isinstance(found, int):
            status = self._failed_with(found)
            self._let_go()
            self.request = None  # type: ignore[assignment]
            return status
        self.upstream = found
        result = self._ask()
        return result if result is None or isinstance(result, int) else await result

    def _end(self) -> None:
        Exchange._end(self)
        self._let_go()

    def _let_go(self) -> None:
        """What is held in the cache is given back, and no cycle is left for the garbage collector."""
        self.find = None
        if self.entry is not None and not self.updated_by_other:
            self.entry.close()

    def look_up(self) -> int:
        """ngx_http_upstream_cache: the result, _ASK or _WAIT."""
        request = self.request
        conf: CacheConf = self.conf
        entry = self.entry
        if entry is None:
            purges = conf.purges(request)
            if request.method not in conf.cache_methods and not purges:
                return _ASK
            try:
                assert conf.cache is not None
                cache = conf.cache.find(request)
            except LookupError as error:
                request.log("error", b'cache "%b" not found' % error.args[0])
                return 500
            if cache is None:
                return _ASK
            key = conf.cache_key(request) if conf.cache_key is not None else self.codec.cache_key(request)  # type: ignore[attr-defined]
            if purges:
                return purge(cache, key, request)
            bypasses = conf.bypasses(request)
            if not bypasses and self._send_known(cache, key):
                return OK
            entry = self.entry = Entry(request, cache, key, conf.cache_min_uses)
            self.cacheable = True
            if bypasses:
                self.cache_status = BYPASS
                return _ASK
            entry.lock = conf.cache_lock
            entry.lock_timeout_s = conf.cache_lock_timeout
            entry.lock_age_ms = int(conf.cache_lock_age * 1000)
            self.cache_status = MISS
        verdict = entry.open()
        if verdict == FRESH:
            self.cache_status = HIT
            return self._answer_from_file()
        if (
            verdict in (entries.EXPIRED, entries.UPDATING)
            and (conf.cache_use_stale & _UPDATING or entry.stale_updating)
            and not _in_background(request)
        ):
            if verdict == entries.UPDATING:
                self.cache_status = UPDATING
                return self._answer_from_file()
            if conf.cache_background_update:
                if not self._update_in_background(entry):
                    return 500
                self.cache_status = STALE
                return self._answer_from_file()
        if verdict in (entries.EXPIRED, entries.UPDATING):
            entry.expire()
            self.cache_status = EXPIRED
        elif verdict == UNWANTED:
            self.cacheable = False
        elif verdict == BUSY:
            return _WAIT
        elif verdict == FAILED:
            return 500
        elif verdict != MISSING:
            self.cache_status = HIT  # an error that is remembered
            return verdict
        if not self._range_may_be_kept():
            self.cacheable = False
        return _ASK

    def _send_known(self, cache: FileCache, text: bytes) -> bool:
        """Send an answer that this worker has sent before; False if there is none."""
        now = clock.now()
        answer = cache.known.get(text, now)
        if answer is None or not cache.index.use(answer.key, now, cache.inactive):
            return False
        request = self.request
        self.cache_status = HIT
        self.cacheable = True
        head = self.head = answer.head
        head.apply_controls(request, self.settings.ignore_headers)
        head.copy(request, self.conf, self.settings)
        self._fit_response(cached=True)
        if not request.send_head():
            request.send([answer.body] if answer.body else [], True)
        return True

    def _update_in_background(self, entry: Entry) -> bool:
        """Have another request ask, which nobody waits for; False if there may be none."""
        request = self.request
        update = clone(request)
        if update is None:
            return False
        # That others need not ask as well is ours to take back, when the update has ended.
        self.updated_by_other = True
        update.on_done = entry.close
        request.main.cleanups.append(entry.close)
        return True

    def _answer_from_file(self) -> int:
        entry = self.entry
        assert entry is not None
        result = self.send_from_file()
        if result is None:
            self.cache_status = MISS
            entry.expire()
            return _ASK
        return result

    def _range_may_be_kept(self) -> bool:
        """Whether the range that is asked for begins before `*_cache_max_range_offset`."""
        limit = self.conf.cache_max_range_offset
        head = self.request.head
        if not self.cacheable or limit == (1 << 63) - 1 or not head.has_range:
            return True
        if not limit:
            return False
        return begins_before(head.range or b"", limit)

    async def _wait_for_lock(self) -> Result:
        """Another request asks for this answer: look again when it is done. Cancelled: nothing is held."""
        fibre = current_fibre()
        assert fibre is not None
        request = self.request
        entry = self.entry
        lane = self.lane
        assert entry is not None
        if not entry.wait_until:
            entry.wait_until = lane.fresh() + entry.lock_timeout_s
        waiting = entry.cache.waiting
        request.on_client_event = fibre.wake
        asks = False
        try:
            while True:
                now = lane.fresh()
                if now >= entry.wait_until:
                    request.log("info", b"cache lock timeout")
                    entry.lock_timeout_s = 0.0
                    left = 0
                else:
                    left = entry.index.locked_for(entry.record, clock.now_ms())
                if not left:
                    result = self.look_up()
                    if result != _WAIT:
                        asks = result == _ASK
                        break
                    continue
                waiting.setdefault(entry.record, []).append(fibre.wake)
                await park(min(entry.wait_until, now + min(left / 1000, _LOOK_AGAIN_S)))
                wakers = waiting.get(entry.record)
                if wakers is not None and fibre.wake in wakers:
                    wakers.remove(fibre.wake)
                if request.aborted:
                    return CLIENT_CLOSED
        finally:
            request.on_client_event = None
            if not asks:
                self._let_go()
                self.request = None  # type: ignore[assignment]
        if not asks:
            return result
        asked = self._ask()
        return asked if asked is None or isinstance(asked, int) else await asked

    # -- an answer from a file -------------------------------------------------------------------------------------

    def send_from_file(self) -> int | None:
        """Answer with the file that was found (ngx_http_upstream_cache_send); None: it is no answer."""
        request = self.request
        entry = self.entry
        assert entry is not None
        file = entry.file
        assert file is not None
        if entry.body == entry.start:
            request.http_version = 9
        else:
            try:
                parsed = parse_response_head(entry.data, entry.start)
                head = UpstreamHead(parsed, request) if parsed is not None and parsed.version != 9 else None
            except HeadError:
                head = None
            if head is None:
                request.log("crit", b'cache file "%b" contains invalid header' % entry.path)
                return None
            self.head = head
            ignored = self.settings.ignore_headers
            if self.cache_status is not HIT:
                self.cacheable = judge(entry, head, ignored, clock.now())
            head.apply_controls(request, ignored)
            if head.redirect is not None and not ignored & _X_ACCEL_REDIRECT:
                entry.close()
                return self._redirect(head)
            head.copy(request, self.conf, self.settings)
            self._fit_response(cached=True)
        if request.send_head():
            return OK
        body, size = entry.body, file.size
        if size == body:
            request.send([], True)
        elif len(entry.data) == size:
            if self.cache_status is HIT and self.head is not None:
                entry.cache.known.sent(entry, self.head, file)
            request.send([entry.data[body:]], True)
        else:
            request.send([FileSlice(file.fd, body, size - body, file)], True)
        return OK

    def _fit_response(self, cached: bool) -> None:
        """What the client may ask of an answer that is in the cache, or will be: conditions and ranges."""
        response = self.request.response
        response.disable_not_modified = not self.cacheable
        if self.settings.force_ranges:
            response.single_range = not cached
        elif (cached or self.cacheable) and response.get(b"accept-ranges") is not None:
            response.remove(b"accept-ranges")
            response.accept_ranges = True
            response.single_range = not cached

    # -- points of an exchange -------------------------------------------------------------------------------------

    def check_client(self) -> None:
        """An answer for the cache is wanted also when its client is gone, which gets nothing more."""
        if not self.cacheable:
            Exchange.check_client(self)
            return
        request = self.request
        output = request.output
        state = output.client_state()
        if request.aborted or state == CONNECTION_CLOSED:
            request.aborted = True
            raise ClientGone
        if state and state != GIVEN_UP and not self.settings.outlives_client:
            self.log("info", b"epoll_wait() reported that client prematurely closed connection", self.asking())
            output.give_up()

    def _next(self, condition: Condition) -> int | None:
        status: int | None = Exchange._next(self, condition)
        return None if status is None else self._failed_with(status, condition)

    def _failed_with(self, status: int, condition: Condition | None = None) -> int:
        """Nobody answers: an old answer may do; else the error may be remembered."""
        entry = self.entry
        if entry is None:
            return status
        if (
            condition is not None
            and condition != Condition.OWN_SIDE
            and self.cache_status is EXPIRED
            and (self.conf.cache_use_stale & condition or entry.stale_error)
        ):
            return self._answer_with(STALE)
        if self.cacheable and status in (502, 504):
            self._remember(status)
        return status

    def _remember(self, status: int) -> None:
        entry = self.entry
        assert entry is not None
        if not entry.valid:
            seconds = self.conf.valid_for(status)
            if not seconds:
                return
            entry.valid = clock.now() + seconds
        entry.remembered = status

    def _answer_with(self, status: bytes) -> int:
        """The answer in the cache instead of the one that came."""
        self.cache_status = status
        result = self.send_from_file()
        return 500 if result is None else result

    def _answer(self) -> Result | Awaitable[Result]:
        entry = self.entry
        head = self.head
        assert head is not None
        if entry is None:
            return Exchange._answer(self)
        if self.cache_status is EXPIRED:
            condition = BY_STATUS.get(head.status)
            if condition is not None and self.conf.cache_use_stale & condition:
                self._begin_body(head)
                return self._answer_with(STALE)
            if head.status == 304 and self.conf.cache_revalidate:
                self._begin_body(head)
                return self._revalidate(entry, head)
        entry.expire()
        if not judge(entry, head, self.settings.ignore_headers, clock.now()):
            self.cacheable = False
        return Exchange._answer(self)

    def _revalidate(self, entry: Entry, head: UpstreamHead) -> int:
        """304: the answer in the cache is still good, for as long as this one says, else as it says itself."""
        now = clock.now()
        entry.expire()
        judge(entry, head, self.settings.ignore_headers, now)
        before = entry.valid, entry.updating, entry.error
        result = self._answer_with(REVALIDATED)
        if before[0]:
            entry.valid, entry.updating, entry.error = before
        if not entry.valid and self.head is not None:
            seconds = self.conf.valid_for(self.head.status)
            if seconds:
                entry.valid = now + seconds
        if entry.valid and not entry.done:
            entry.date = now
            entry.rewrite_head()
        return result

    def intercepted(self, head: UpstreamHead) -> None:
        if self.entry is not None and self.cacheable:
            self._remember(head.status)

    def copy_head(self, head: UpstreamHead) -> None:
        request = self.request
        head.copy(request, self.conf, self.settings)
        if self.entry is None:
            return
        self._fit_response(cached=False)
        if request.output.client_state() == GIVEN_UP:
            # as in nginx, where a head that nobody can be sent is the end of it
            request.log_status = request.response.status
            request.aborted = True
            raise ClientGone

    def keeps(self, head: UpstreamHead, buffering: bool) -> bool:
        entry = self.entry
        if entry is None:
            return False
        entry.file = None  # a new answer came: the old one is of no use any more
        if buffering and self._may_keep(entry, head):
            if self.request.header_only:
                self.request.output.send(self.request, [], False, True)  # all that the client gets
            return True
        self.cacheable = False
        entry.close()
        return False

    def _may_keep(self, entry: Entry, head: UpstreamHead) -> bool:
        conf: CacheConf = self.conf
        if conf.refuses_to_keep(self.request):
            return False
        if self.cache_status is BYPASS and not entry.create():
            return False
        if not self.cacheable:
            return False
        now = clock.now()
        if not entry.valid:
            seconds = conf.valid_for(head.status)
            if not seconds:
                return False
            entry.valid = now + seconds
        entry.date = now
        entry.last_modified = -1
        entry.etag = b""
        if head.status in (200, 206):
            response = self.request.response
            entry.last_modified = response.last_modified
            entry.etag = head.head.get(b"etag") or b""
        return entry.settle_variant()

    def begin_file(self) -> Any:
        assert self.entry is not None
        return CacheUpdate(self, self.entry)


__all__ = ["BYPASS", "EXPIRED", "HIT", "MISS", "REVALIDATED", "STALE", "UPDATING", "CachingExchange", "Find"]
