"""IP addresses as numbers, networks in CIDR notation, and tables of them (nginx: ngx_inet.c, ngx_radix_tree.c)."""

from __future__ import annotations

import socket
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

from gateway.config.units import number_of

IPV4: Final = 4
IPV6: Final = 6
UNIX: Final = 0

_BITS: Final = {IPV4: 32, IPV6: 128}
_MAPPED: Final = 0xFFFF  # ::ffff:0:0/96


class IpAddress(NamedTuple):
    """The version (4, 6, or 0 for a unix socket) and the number."""

    version: int
    number: int

    @property
    def plain(self) -> IpAddress:
        """An IPv4 address that is mapped into IPv6 as the IPv4 address that it is."""
        if self.version == IPV6 and self.number >> 32 == _MAPPED:
            return IpAddress(IPV4, self.number & 0xFFFFFFFF)
        return self


class Network(NamedTuple):
    """An address with the number of bits that count."""

    version: int
    number: int
    bits: int

    def holds(self, address: IpAddress) -> bool:
        if address.version != self.version:
            return False
        shift = _BITS.get(self.version, 0) - self.bits
        return address.number >> shift == self.number >> shift


UNIX_ADDRESS: Final = IpAddress(UNIX, 0)
UNIX_NETWORK: Final = Network(UNIX, 0, 0)


def parse_ipv4(text: bytes) -> int | None:
    """Four numbers with dots; 255.255.255.255 is none, as in ngx_inet_addr()."""
    parts = text.split(b".")
    if len(parts) != 4:
        return None
    number = 0
    for part in parts:
        value = 0
        for byte in part:
            if not 48 <= byte <= 57:
                return None
            value = value * 10 + byte - 48
            if value > 255:
                return None
        number = number << 8 | value
    return number if number != 0xFFFFFFFF else None


def plain_ipv4(host: bytes) -> str | None:
    """What the system calls an IPv4 literal as configurations may write it (127..0.01); None for what is a name."""
    number = parse_ipv4(host)
    return None if number is None else socket.inet_ntop(socket.AF_INET, number.to_bytes(4, "big"))


@lru_cache(maxsize=4096)
def parse_address(text: bytes) -> IpAddress | None:
    """An address without a port; None for what is none. A client's "unix:" is UNIX_ADDRESS."""
    number = parse_ipv4(text)
    if number is not None:
        return IpAddress(IPV4, number)
    if text[:5] == b"unix:":
        return UNIX_ADDRESS
    try:
        return IpAddress(IPV6, int.from_bytes(socket.inet_pton(socket.AF_INET6, text.decode("ascii")), "big"))
    except (OSError, ValueError):
        return None


def address_text(address: IpAddress) -> bytes:
    """As the system writes it."""
    if address.version == IPV4:
        return socket.inet_ntop(socket.AF_INET, address.number.to_bytes(4, "big")).encode()
    return socket.inet_ntop(socket.AF_INET6, address.number.to_bytes(16, "big")).encode()


def parse_address_port(text: bytes) -> tuple[IpAddress, int] | None:
    """An address and perhaps a port (else 0), as X-Forwarded-For carries it: 1.2.3.4:80, [::1]:80, ::1."""
    address = parse_address(text) if text[:5] != b"unix:" else None
    if address is not None:
        return address, 0
    if text[:1] == b"[":
        host, bracket, port = text[1:].partition(b"]:")
        if not bracket:
            host, bracket, port = text[1:].partition(b"]")
            address = parse_address(host) if bracket and not port and host[:5] != b"unix:" else None
            return None if address is None else (address, 0)
    else:
        host, colon, port = text.rpartition(b":")
        if not colon:
            return None
    address = parse_address(host) if host[:5] != b"unix:" else None
    if address is None or not port.isdigit() or not 1 <= number_of(port) <= 65535:
        return None
    return address, number_of(port)


def parse_network(text: str) -> tuple[Network, bool]:
    """A network, and whether all bits beyond its mask are zero (they are ignored). Errors: ValueError."""
    name, slash, bits = text.partition("/")
    address = parse_address(name.encode("utf-8", "surrogateescape")) if not name.startswith("unix:") else None
    if address is None:
        raise ValueError(text)
    width = _BITS[address.version]
    if not slash:
        return Network(*address, width), True
    if not bits.isascii() or not bits.isdigit() or int(bits) > width:
        raise ValueError(text)
    shift = width - int(bits)
    number = address.number >> shift << shift
    return Network(address.version, number, int(bits)), number == address.number


def find_forwarded(
    address: IpAddress, fields: Iterable[bytes], proxies: Iterable[Network], recursive: bool
) -> tuple[IpAddress, int] | None:
    """The address behind trusted proxies, from X-Forwarded-For; None if this address is not one of the proxies.

    nginx's ngx_http_get_forwarded_addr: the last address counts, `recursive` the last one that is no proxy itself.
    """
    trusted = tuple(proxies)
    found: tuple[IpAddress, int] | None = None
    for field in reversed(list(fields)):
        for word in reversed(field.replace(b",", b" ").split(b" ")):
            if not word:
                continue
            plain = (found[0] if found is not None else address).plain
            if not any(network.holds(plain) for network in trusted):
                return found
            parsed = parse_address_port(word)
            if parsed is None:
                return found
            found = parsed
            if not recursive:
                return found
    return found


# Each `geo` and each location with real_ip_from knows what so many clients have.
_REMEMBERED: Final = 1024
_LONGEST: Final = 256  # of the fields that are remembered, so that nobody fills the memory with them

Found = TypeVar("Found")
Finder = Callable[["bytes | None", tuple[bytes, ...]], Found]


def remembered(find: Finder[Found]) -> Finder[Found]:
    """The same, which looks up an address with its X-Forwarded-For once: clients ask again and again."""
    known = lru_cache(maxsize=_REMEMBERED)(find)

    def get(address: bytes | None, fields: tuple[bytes, ...]) -> Found:
        return known(address, fields) if not fields or sum(map(len, fields)) <= _LONGEST else find(address, fields)

    return get


class NetworkTable:
    """Values by network; the longest network that holds an address gives its value."""

    def __init__(self) -> None:
        self._values: dict[int, dict[int, dict[int, Any]]] = {IPV4: {}, IPV6: {}}  # version, bits, prefix
        self._lengths: dict[int, tuple[int, ...]] = {IPV4: (), IPV6: ()}  # longest first

    def __bool__(self) -> bool:
        return any(self._lengths.values())

    def get(self, network: Network) -> Any:
        """The value of exactly this network, or None."""
        shift = _BITS[network.version] - network.bits
        return self._values[network.version].get(network.bits, {}).get(network.number >> shift)

    def put(self, network: Network, value: Any) -> None:
        by_length = self._values[network.version]
        if network.bits not in by_length:
            by_length[network.bits] = {}
            self._lengths[network.version] = tuple(sorted(by_length, reverse=True))
        by_length[network.bits][network.number >> _BITS[network.version] - network.bits] = value

    def delete(self, network: Network) -> bool:
        """Take a network out; False if it is not there."""
        prefixes = self._values[network.version].get(network.bits, {})
        return prefixes.pop(network.number >> _BITS[network.version] - network.bits, None) is not None

    def find(self, address: IpAddress) -> Any:
        """The value for an address, or None."""
        version, number = address
        width = _BITS[version]
        by_length = self._values[version]
        for bits in self._lengths[version]:
            value = by_length[bits].get(number >> width - bits)
            if value is not None:
                return value
        return None


class Overlap(ValueError):
    """A range that covers another one in part; `start` and `end` are the other one's."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(f"{dotted(start)}-{dotted(end)}")
        self.start = start
        self.end = end


class RangeTable:
    """Values by ranges of IPv4 addresses, each kept in pieces within a /16, as nginx's geo does.

    A range inside another one cuts a hole into it.
    """

    def __init__(self) -> None:
        self._pieces: dict[int, list[tuple[int, int, Any]]] = {}  # by the upper 16 bits; sorted

    @staticmethod
    def _split(start: int, end: int) -> Iterable[tuple[int, int, int]]:
        for high in range(start >> 16, (end >> 16) + 1):
            yield high, max(start, high << 16), min(end, high << 16 | 0xFFFF)

    def add(self, start: int, end: int, value: Any) -> Any:
        """Add a range; gives the value of a piece that was there with the same limits, else None. Errors: Overlap."""
        replaced = None
        for high, first, last in self._split(start, end):
            pieces = self._pieces.setdefault(high, [])
            i = bisect_right(pieces, first, key=_start) - 1
            if i >= 0 and pieces[i][1] >= first:
                left, right, old = pieces[i]
                if last > right:
                    raise Overlap(left, right)
                if (first, last) == (left, right):
                    replaced = old
                parts = [(left, first - 1, old), (first, last, value), (last + 1, right, old)]
                pieces[i : i + 1] = [piece for piece in parts if piece[0] <= piece[1]]
                continue
            if i + 1 < len(pieces) and pieces[i + 1][0] <= last:
                raise Overlap(*pieces[i + 1][:2])
            pieces.insert(i + 1, (first, last, value))
        return replaced

    def delete(self, start: int, end: int) -> bool:
        """Take out the pieces with exactly these limits; False if one of them is not there."""
        complete = True
        for high, first, last in self._split(start, end):
            pieces = self._pieces.get(high, [])
            i = bisect_right(pieces, first, key=_start) - 1
            if i >= 0 and pieces[i][:2] == (first, last):
                del pieces[i]
            else:
                complete = False
        return complete

    def find(self, number: int) -> Any:
        """The value for an address, or None."""
        pieces = self._pieces.get(number >> 16)
        if pieces is None:
            return None
        i = bisect_right(pieces, number, key=_start) - 1
        return pieces[i][2] if i >= 0 and number <= pieces[i][1] else None


def _start(piece: tuple[int, int, Any]) -> int:
    return piece[0]


def dotted(number: int) -> str:
    """An IPv4 address as text."""
    return socket.inet_ntop(socket.AF_INET, number.to_bytes(4, "big"))
