"""The resolver: names to addresses over DNS without waiting in the lane; nginx's ngx_resolver.c.

A name that is asked for is one question, however many wait for it: a Trio task with a socket of its own, so that each
question comes from a port that nobody can guess (RFC 5452). It asks the next server when one has been silent for five
seconds, or refuses. Answers are kept as long as their TTL or `valid=` says; failures are not kept, as in nginx.
"""

from __future__ import annotations

import ipaddress
import random
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.protocol import dns

if TYPE_CHECKING:
    import trio

    from gateway.core.resolver_counts import ResolverCounts

# A server that has not answered by then has not got the question, or its answer was lost.
_RESEND_S: Final = 5.0
# What nobody has asked for since is forgotten.
_UNUSED_S: Final = 30.0
# How long the failure of a name holds for who asks regularly.
_FAILED_S: Final = 10.0
_MAX_CNAMES: Final = 50
# The kernel's: nobody is to guess an ident. (`secrets` would have more imported for it.)
_DICE: Final = random.SystemRandom()

TIMED_OUT: Final = 110

_WORDS: Final = {
    1: "Format error",
    2: "Server failure",
    3: "Host not found",
    4: "Unimplemented",
    5: "Operation refused",
    TIMED_OUT: "Operation timed out",
}


def words_of(code: int) -> str:
    """A failure as nginx logs it: `3: Host not found`."""
    return f"{code}: {_WORDS.get(code, 'Unknown error')}"


@dataclass(frozen=True, slots=True)
class NameServer:
    """The address of a server, numeric, and as the configuration names it."""

    family: int
    address: tuple[str, int]
    text: str


class Lookup:
    """Somebody waits for a name. Once `done`: `hosts`, or the `code` of the failure, and until when that holds."""

    # fmt: off
    __slots__ = (
        "_question", "_resolver", "callback", "code", "depth", "done", "hosts", "name", "names", "services", "until",
    )
    # fmt: on

    def __init__(self, resolver: Resolver, name: bytes, callback: Callable[[], object] | None) -> None:
        self._resolver = resolver
        self._question: _Question | None = None
        self.name = name
        self.callback = callback
        self.depth = 0
        self.done = False
        self.code = 0
        self.hosts: list[str] = []  # numeric addresses
        self.services: list[dns.Service] = []
        self.names: list[bytes] = []  # of an address
        self.until = 0.0  # in trio.current_time()

    def time_out(self) -> None:
        """The time for this lookup is over, unless it is done."""
        if not self.done:
            if self._resolver.counts is not None:
                self._resolver.counts.timed_out()
            self.cancel()

    def cancel(self) -> None:
        """Wait no longer; the question goes on as long as others wait for it."""
        if not self.done:
            self.done = True
            self.code = TIMED_OUT
            self.until = self._resolver.now + self._resolver.lifetime(_FAILED_S)
            if self._question is not None:
                self._question.lookups.remove(self)
                self._question = None


class _Entry:
    """What is known of a name."""

    __slots__ = ("cname", "names", "services", "until", "used", "v4", "v6")

    def __init__(self, until: float) -> None:
        self.until = until
        self.used = 0.0
        self.v4: list[str] = []
        self.v6: list[str] = []
        self.services: list[dns.Service] = []
        self.names: list[bytes] = []
        self.cname: bytes | None = None

    def hosts(self, *, rotate: bool) -> list[str]:
        """All addresses; from the cache each time from another one on, so that load spreads."""
        if not rotate:
            return self.v4 + self.v6
        return _turned(_turned(self.v4) + _turned(self.v6))


def _turned(hosts: list[str]) -> list[str]:
    at = random.randrange(len(hosts)) if len(hosts) > 1 else 0
    return hosts[at:] + hosts[:at]


# A name, and what is asked of it: A stands for its addresses of both families.
Key = tuple[bytes, int]


class _Question:
    """What is asked of the servers now, and who waits for it."""

    def __init__(self, key: Key, kinds: Sequence[int], server: int) -> None:
        self.key = key
        self.name = key[0]
        self.open = {kind: _DICE.randrange(65536) for kind in kinds}  # type of record -> ident
        self.tcp: set[int] = set()  # types whose answer did not fit into a datagram
        self.server = server
        self.lookups: list[Lookup] = []
        self.code = 0
        self.ttl = 1 << 31
        self.addresses: dict[int, list[bytes]] = {}
        self.services: list[dns.Service] = []
        self.names: list[bytes] = []
        self.cname: bytes | None = None


class Resolver:
    """A `resolver` directive; its state is each worker's own."""

    def __init__(
        self,
        servers: Sequence[NameServer],
        *,
        valid: int = 0,
        ipv4: bool = True,
        ipv6: bool = True,
        log: Callable[[str], object] | None = None,
        counts: ResolverCounts | None = None,
    ) -> None:
        self.servers = tuple(servers)
        self.valid = valid  # seconds that an answer holds, whatever its TTL; 0: as the TTL says
        self.kinds = (dns.A,) * ipv4 + (dns.AAAA,) * ipv6
        self.log = log or (lambda message: None)
        self.counts = counts
        self.nursery: trio.Nursery | None = None  # of the worker
        self._questions: dict[Key, _Question] = {}
        self._cache: OrderedDict[Key, _Entry] = OrderedDict()  # the least recently used first
        self._next_server = 0

    @property
    def now(self) -> float:
        import trio  # late, as everywhere: -t and the bind need none of it

        return trio.current_time()

    def lifetime(self, ttl: float) -> float:
        return self.valid or ttl

    def look_up(self, name: bytes, callback: Callable[[], object] | None = None, *, service: bool = False) -> Lookup:
        """Ask for a name's addresses, or its services. What is known is there at once, the rest when `callback` comes.

        The lookup must be cancelled if it is not waited for to its end.
        """
        if self.counts is not None:
            self.counts.request(service=service)
        return self._begin(name.lower().removesuffix(b"."), dns.SRV if service else dns.A, callback)

    def look_up_address(self, host: str, callback: Callable[[], object] | None = None) -> Lookup:
        """Ask for the names of a numeric address."""
        if self.counts is not None:
            self.counts.address()
        return self._begin(ipaddress.ip_address(host).reverse_pointer.encode(), dns.PTR, callback)

    def _begin(self, name: bytes, kind: int, callback: Callable[[], object] | None) -> Lookup:
        lookup = Lookup(self, name, callback)
        now = self.now
        self._look_up(lookup, name, kind, now)
        self._forget(now)
        return lookup

    async def wait(self, name: bytes, timeout_s: float, *, service: bool = False) -> Lookup:
        """A lookup that is done, for Trio tasks. Cancelled: nothing is left."""
        import trio

        event = trio.Event()
        lookup = self.look_up(name, event.set, service=service)
        try:
            if not lookup.done:
                with trio.move_on_after(timeout_s or float("inf")):
                    await event.wait()
                lookup.time_out()
        finally:
            lookup.cancel()
        return lookup

    # -- what is known -------------------------------------------------------------------------------------------

    def _look_up(self, lookup: Lookup, name: bytes, kind: int, now: float) -> None:
        key = (name, kind)
        entry = self._cache.get(key)
        if entry is not None:
            if now < entry.until:
                entry.used = now
                self._cache.move_to_end(key)
                self._use(lookup, entry, kind, now, rotate=True)
                return
            del self._cache[key]
        question = self._questions.get(key)
        if question is None:
            question = self._ask(key)
            if question is None:
                self._finish(lookup, dns.NXDOMAIN)
                return
        lookup._question = question
        question.lookups.append(lookup)

    def _use(self, lookup: Lookup, entry: _Entry, kind: int, now: float, *, rotate: bool) -> None:
        """Give the lookup what is known of its name, or go on with the name that it stands for."""
        if entry.cname is not None:
            lookup.depth += 1
            if lookup.depth > _MAX_CNAMES:
                self._finish(lookup, dns.NXDOMAIN)
            else:
                self._look_up(lookup, entry.cname, kind, now)
            return
        lookup.hosts = entry.hosts(rotate=rotate)
        lookup.services = entry.services
        lookup.names = entry.names
        self._finish(lookup, 0, entry.until)

    def _finish(self, lookup: Lookup, code: int, until: float = 0.0) -> None:
        lookup._question = None
        lookup.done = True
        lookup.code = code
        lookup.until = until or self.now + self.lifetime(_FAILED_S)

    def _forget(self, now: float) -> None:
        """Drop one or two names that nobody has asked for."""
        cache = self._cache
        for _ in range(2):
            key = next(iter(cache), None)
            if key is None or cache[key].used + _UNUSED_S >= now:
                return
            del cache[key]

    # -- asking --------------------------------------------------------------------------------------------------

    def _ask(self, key: Key) -> _Question | None:
        """Begin to ask; None for what cannot be a name."""
        name, kind = key
        try:
            dns.query(0, name, dns.A)
        except ValueError:
            return None
        question = _Question(key, self.kinds if kind == dns.A else (kind,), self._next_server)
        self._next_server = (self._next_server + 1) % len(self.servers)
        assert self.nursery is not None, "the resolver belongs to no worker yet"
        self._questions[key] = question
        self.nursery.start_soon(self._work, question)
        return question

    async def _work(self, question: _Question) -> None:
        """Ask server after server until there is an answer, or nobody waits. Cancelled: who waits is not told."""
        import trio

        refused = 0
        try:
            while question.lookups:
                began = trio.current_time()
                with trio.move_on_after(_RESEND_S) as silence:
                    await self._ask_server(question, self.servers[question.server])
                if not question.open:
                    break
                question.server = (question.server + 1) % len(self.servers)
                if not silence.cancelled_caught:
                    refused += 1
                    if refused % len(self.servers) == 0:
                        await trio.sleep_until(began + _RESEND_S)
        except Exception as error:
            # a bug: who waits is told that it failed
            self.log(f"resolving {_text(question.name)} failed: {error!r}")
            question.open.clear()
            question.code = dns.SERVFAIL
        finally:
            del self._questions[question.key]
        if not question.open:
            self._conclude(question)

    async def _ask_server(self, question: _Question, server: NameServer) -> None:
        """Put the open questions to one server; returns when all are answered, or the server cannot be reached."""
        import trio

        async with trio.open_nursery() as nursery:
            for kind in question.tcp & set(question.open):
                nursery.start_soon(self._over_tcp, question, server, kind)
            if set(question.open) - question.tcp:
                nursery.start_soon(self._over_udp, question, server, nursery)

    async def _over_udp(self, question: _Question, server: NameServer, nursery: trio.Nursery) -> None:
        import trio

        with trio.socket.socket(server.family, socket.SOCK_DGRAM) as wire:
            try:
                await wire.connect(server.address)
                for kind in [kind for kind in question.open if kind not in question.tcp]:
                    await wire.send(dns.query(question.open[kind], question.name, kind))
                while set(question.open) - question.tcp:
                    kind = self._read(question, await wire.recv(65535), tcp=False)
                    if kind in question.open and kind not in question.tcp:
                        question.tcp.add(kind)
                        nursery.start_soon(self._over_tcp, question, server, kind)
            except OSError as error:
                self._failed("recv()", server, error)

    async def _over_tcp(self, question: _Question, server: NameServer, kind: int) -> None:
        import trio

        with trio.socket.socket(server.family, socket.SOCK_STREAM) as wire:
            try:
                await wire.connect(server.address)
                message = dns.query(question.open[kind], question.name, kind)
                await trio.SocketStream(wire).send_all(struct.pack("!H", len(message)) + message)
                received = b""
                while kind in question.open:
                    data = await wire.recv(65535)
                    if not data:
                        return
                    received += data
                    while len(received) >= 2:
                        end = 2 + int.from_bytes(received[:2], "big")
                        if len(received) < end:
                            break
                        self._read(question, received[2:end], tcp=True)
                        received = received[end:]
            except (OSError, trio.BrokenResourceError) as error:
                cause = error if isinstance(error, OSError) else error.__cause__
                self._failed("connect()", server, cause if isinstance(cause, OSError) else OSError())

    def _failed(self, call: str, server: NameServer, error: OSError) -> None:
        self.log(f"{call} failed ({error.errno}: {error.strerror}) while resolving, resolver: {server.text}")

    # -- answers -------------------------------------------------------------------------------------------------

    def _read(self, question: _Question, data: bytes, *, tcp: bool) -> int:
        """Take what a server sent; the type of record when its answer was cut, else 0."""
        try:
            answer = dns.parse(data, tcp=tcp)
        except dns.DnsError as error:
            self.log(str(error))
            return 0
        if self.counts is not None and not answer.truncated:
            self.counts.response(answer.code)
        if not answer.type:
            name = f', name:"{_text(question.name)}"' if answer.ident in question.open.values() else ""
            self.log(f"DNS error ({words_of(answer.code)}), query id:{answer.ident}{name}")
            return 0
        expected = question.open.get(answer.type)
        if answer.name != question.name or expected is None:
            self.log(f"unexpected DNS response for {_text(answer.name)}")
        elif answer.ident != expected:
            self.log(f"wrong ident {answer.ident} in DNS response for {_text(answer.name)}, expect {expected}")
        elif answer.truncated:
            return answer.type
        elif answer.type == dns.PTR and not answer.names and (answer.unexpected or answer.cname is not None):
            self.log("no PTR type in DNS response")  # nor a name to go on with: as if nothing had come
        else:
            self._take(question, answer)
        return 0

    def _take(self, question: _Question, answer: dns.Answer) -> None:
        del question.open[answer.type]
        for kind in answer.unexpected:
            self.log(f"unexpected RR type {kind} in DNS response")
        question.code = question.code or answer.code
        question.ttl = min(question.ttl, answer.ttl)
        question.addresses[answer.type] = answer.addresses
        question.services += answer.services
        question.names += answer.names
        question.cname = answer.cname  # as in nginx, the last answer says whether there is one

    def _conclude(self, question: _Question) -> None:
        """All answers are there: keep what they say, and tell who waits."""
        _, kind = question.key
        code = question.code
        entry = _Entry(self.now + self.lifetime(question.ttl))
        entry.v4 = [socket.inet_ntop(socket.AF_INET, packed) for packed in question.addresses.get(dns.A, ())]
        entry.v6 = [socket.inet_ntop(socket.AF_INET6, packed) for packed in question.addresses.get(dns.AAAA, ())]
        entry.services = sorted(question.services, key=lambda found: found.priority)
        entry.names = question.names
        found = entry.v4 or entry.v6 or entry.services or entry.names
        if not found:
            entry.cname = question.cname
            if entry.cname is None:
                code = code or dns.NXDOMAIN
        if not code:
            entry.used = self.now
            self._cache[question.key] = entry
        lookups, question.lookups = question.lookups, []
        for lookup in lookups:
            lookup._question = None
            if code:
                self._finish(lookup, code)
            else:
                self._use(lookup, entry, kind, self.now, rotate=False)
            if lookup.done and lookup.callback is not None:
                lookup.callback()


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


__all__ = ["TIMED_OUT", "Lookup", "NameServer", "Resolver", "words_of"]
