"""`listen`: its parameters, and how the servers of a block are put together on their addresses."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.config import units
from gateway.config.conf import UNSET
from gateway.core.addresses import AddressError, parse_listen
from gateway.serving.listening import Listening, is_wildcard, local_key

if TYPE_CHECKING:
    from gateway.config.directive import Command
    from gateway.config.errors import Where
    from gateway.config.loader import Loader
    from gateway.core.listening import ListenAddress
    from gateway.serving.cycle import BlockCycle

_INT_MAX = 2**31 - 1

Key = tuple[int, Any, bool]  # a ListenAddress's


@dataclass(slots=True)
class Listen:
    """One address of one `listen` directive."""

    address: ListenAddress
    server: Any
    where: Where | None = None
    options: set[str] = field(default_factory=set)  # that set something on the socket, which then is its own
    default_server: bool = False
    proxy_protocol: bool = False
    ssl: bool = False
    http2: bool = False
    quic: bool = False


@dataclass(frozen=True, slots=True)
class SetListen:
    """The setter of a block's `listen`; the settings are a list `listens`."""

    own: Mapping[str, Callable[[Listen, Command], None]] = field(default_factory=dict)  # what no other block knows
    needs_port: bool = False  # there is no port that would be meant if none is said
    unknown: frozenset[str] = frozenset()  # what other blocks know and this one does not
    one_server: bool = False  # an address has but one
    check: Callable[[Listen, Command], None] | None = None  # of datagrams, where the block has its own words

    def __call__(self, conf: Any, command: Command) -> None:
        if conf.listens is UNSET:
            conf.listens = []
        text = command.args[0]
        try:
            addresses = parse_listen(text)
        except AddressError as error:
            command.fail(f'{error} in "{text}" of the "listen" directive')
        if self.needs_port and not has_port(text):
            command.fail(f'no port in "{text}" of the "listen" directive')
        for address in addresses:
            listen = Listen(address, command.scope.owner, command.where)
            for word in command.args[1:]:
                self._set(listen, word, command)
            if address.datagram:
                (self.check or _check_datagram)(listen, command)
            if not self.one_server and any(other.address.key == address.key for other in conf.listens):
                command.fail(f"a duplicate listen {address.text}")
            conf.listens.append(listen)
            same = _of_the_address(listen, command)
            if self.one_server and same:
                command.fail(f'duplicate "{address.text}" address and port pair')
            _check_others(listen, same, command)

    def _set(self, listen: Listen, word: str, command: Command) -> None:
        """One parameter behind the address."""
        if word.partition("=")[0] in self.unknown:
            command.fail(f'invalid parameter "{word}"')
        if word in self.own:
            self.own[word](listen, command)
        elif word in _FLAGS:
            setattr(listen, word, True)
        else:
            _set_option(listen, word, command)


def _of_the_address(listen: Listen, command: Command) -> list[Listen]:
    """Those that named this address before."""
    outer = command.scope.parent
    assert outer is not None
    same: list[Listen] = outer.owner.listens_of.setdefault(listen.address.key, [])
    same.append(listen)
    return same[:-1]


def _check_others(listen: Listen, same: list[Listen], command: Command) -> None:
    """Whether a server before this one has said the same of the address."""
    if listen.options and any(other.options for other in same):
        command.fail(f"duplicate listen options for {listen.address.text}")
    if listen.default_server and any(other.default_server for other in same):
        command.fail(f"a duplicate default server for {listen.address.text}")


def _check_datagram(listen: Listen, command: Command) -> None:
    """What a socket of datagrams cannot have, in nginx's order."""
    address = listen.address
    wrong = {
        "fastopen": address.fastopen is not None,
        "backlog": "backlog" in listen.options,
        "deferred": address.deferred,
        "multipath": address.multipath,
        "ssl": listen.ssl,
        "so_keepalive": "so_keepalive" in listen.options,
        "proxy_protocol": listen.proxy_protocol,
    }
    for name, given in wrong.items():
        if given:
            command.refuse(f'"{name}" parameter is incompatible with "udp"')


# Of the server; what else there is concerns the socket.
_FLAGS = frozenset({"default_server", "proxy_protocol", "ssl"})


def has_port(text: str) -> bool:
    return text.startswith("unix:") or text.isdigit() or ":" in text.rpartition("]")[2]


def _set_option(listen: Listen, word: str, command: Command) -> None:
    address, seen = listen.address, listen.options
    name, equals, value = word.partition("=")
    if word == "bind":
        seen.add(word)
    elif word in ("deferred", "reuseport", "multipath"):
        setattr(address, word, True)
        seen.add(word)
    elif word.startswith("ipv6only=o"):
        # On an address of another family it is taken and means nothing.
        if value not in ("on", "off"):
            command.fail(f'invalid ipv6only flags "{value}"')
        address.ipv6only = value == "on"
        seen.add(name)
    elif name == "backlog" and equals:
        number = _kernel_number(value)
        if not number:
            command.fail(f'invalid backlog "{word}"')
        address.backlog = number
        seen.add(name)
    elif name in ("rcvbuf", "sndbuf") and equals:
        try:
            setattr(address, name, min(units.parse_size(value), _INT_MAX))
        except ValueError:
            command.fail(f'invalid {name} "{word}"')
        seen.add(name)
    elif name == "fastopen" and equals:
        length = _kernel_number(value)
        if length is None:
            command.fail(f'invalid fastopen "{word}"')
        address.fastopen = length
        seen.add(name)
    elif name == "so_keepalive" and equals:
        _keepalive(address, value, command)
        seen.add(name)
    elif name == "accept_filter" and equals:
        # nginx says this as an [emerg] and goes on.
        command.warn(f'accept filters "{word}" are not supported on this platform, ignored')
    else:
        command.fail(f'invalid parameter "{word}"')


def _kernel_number(text: str) -> int | None:
    """A number for the kernel, which takes an int; None if it is none."""
    try:
        return min(units.parse_number(text), _INT_MAX)
    except ValueError:
        return None


def _keepalive(address: ListenAddress, value: str, command: Command) -> None:
    """so_keepalive=on|off|[idle]:[interval]:[count]."""
    if value in ("on", "off"):
        address.keepalive = value == "on"
        return
    parts = value.split(":")
    try:
        if len(parts) != 3 or parts == ["", "", ""]:
            raise ValueError(value)
        address.keepidle = min(units.parse_seconds(parts[0]), _INT_MAX) if parts[0] else 0
        address.keepintvl = min(units.parse_seconds(parts[1]), _INT_MAX) if parts[1] else 0
        address.keepcnt = min(units.parse_number(parts[2]), _INT_MAX) if parts[2] else 0
    except ValueError:
        command.fail(f'invalid so_keepalive value: "{value}"')
    address.keepalive = True


def place(
    cycle: BlockCycle,
    listens: Iterable[Listen],
    loader: Loader,
    make: Callable[[ListenAddress, BlockCycle], Listening],
    servers_of: Callable[[list[Listen], Loader], Any],
) -> None:
    """Put the servers on their addresses; several addresses of a port go to its wildcard socket where nginx does so.

    `servers_of` makes what stands for one address of all that listen there.
    """
    sockets: dict[Key, list[Listen]] = {}
    for listen in listens:
        sockets.setdefault(listen.address.key, []).append(listen)
    leading = {key: _leading(group) for key, group in sockets.items()}
    wildcards = {
        (listen.address.family, listen.address.address[1], listen.address.datagram): key
        for key, listen in leading.items()
        if listen.address.family != socket.AF_UNIX and is_wildcard(listen.address)
    }
    listenings: dict[Key, Listening] = {}
    for key, group in sockets.items():
        address = leading[key].address
        own = key
        if address.family != socket.AF_UNIX and not leading[key].options:
            own = wildcards.get((address.family, address.address[1], address.datagram), key)
        listening = listenings.get(own)
        if listening is None:
            listening = listenings[own] = make(leading[own].address, cycle)
        listening.servers[local_key(address)] = servers_of(group, loader)
        listening.proxy_protocol = listening.proxy_protocol or any(listen.proxy_protocol for listen in group)
    for listening in listenings.values():
        listening.settle()
    cycle.listenings = list(listenings.values())


def _leading(group: list[Listen]) -> Listen:
    """The listen of an address whose options hold."""
    return next((listen for listen in group if listen.options), group[0])


def default_of(group: list[Listen]) -> Any:
    """The server of an address that is taken when no name decides."""
    return next((listen for listen in group if listen.default_server), group[0]).server
