"""keyval: variables from pairs that the API sets while gateway runs; NGINX Plus's `keyval_zone` and `keyval`."""

from __future__ import annotations

import ipaddress
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.peers import wall_ms
from gateway.cluster.maps import Map
from gateway.cluster.sync import SYNCED, Synced
from gateway.config import units
from gateway.config.directive import HTTP, Command, Directive, at_least, take
from gateway.config.text import to_bytes
from gateway.core.logs import ERROR, LOG, Log
from gateway.core.shared_map import LONGEST, SharedMap
from gateway.core.variables import acyclic
from gateway.core.zone_directives import add_zone, name_and_size
from gateway.core.zones import Zone, ZoneError
from gateway.http.module import HttpModule
from gateway.http.setters import cycle_of, template, variable_name

if TYPE_CHECKING:
    from gateway.http.request import Request

_OWNER: Final = "keyval"
_MODE: Final = 0o644
_TYPES: Final = ("string", "ip", "prefix")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class KeyvalError(Exception):
    """A pair that cannot be; str() says why, and `code` is NGINX Plus's."""

    def __init__(self, text: str, status: int = 400, code: str = "KeyvalFormatError") -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class Keyval(SharedMap):
    """What a zone is used for."""

    def __init__(self, name: str, kind: str, timeout_ms: int, synced: bool, state: str, log: Log) -> None:
        super().__init__(name, timeout_ms, synced)
        self.kind = kind
        self.state = state
        self.log = log
        self.find: Callable[[bytes], bytes | None]  # how a key is looked up
        self.find = {"string": self.get, "ip": self._find_network, "prefix": self._find_prefix}[kind]
        self._built = -1  # the version that these are made of
        self._prefixes: dict[bytes, tuple[bytes, int]] = {}
        self._networks: list[tuple[Network, bytes]] = []

    def attach(self, zone: Zone, old: SharedMap | None) -> None:
        if isinstance(old, Keyval) and old.kind != self.kind:
            raise ZoneError(f'keyval zone "{self.name}" has type "{self.kind}" while previously it had "{old.kind}"')
        super().attach(zone, old)
        if old is None and self.state:
            self._load()

    def _find_network(self, key: bytes) -> bytes | None:
        """The value of the smallest network that holds the address."""
        try:
            address = ipaddress.ip_address(key.decode("ascii"))
        except ValueError:
            return None
        if self.version != self._built:
            self._built = self.version
            networks = []
            for name, _, _ in self.items():
                with suppress(ValueError):  # of another node, whose zone has another type
                    networks.append((ipaddress.ip_network(name.decode("ascii")), name))
            self._networks = sorted(networks, key=lambda each: -each[0].prefixlen)
        for network, name in self._networks:
            if address in network:
                value = self.get(name)
                if value is not None:
                    return value
        return None

    def _find_prefix(self, key: bytes) -> bytes | None:
        """The value of the longest key that this one begins with."""
        if self.version != self._built:
            self._built = self.version
            self._prefixes = {name: (value, ends) for name, value, ends in self.items()}
        for length in range(len(key), 0, -1):
            if key[:length] in self._prefixes:
                value = self.get(key[:length])
                if value is not None:
                    return value
        return None

    # -- the API ------------------------------------------------------------------------------------------------------

    def show(self) -> dict[str, str]:
        """/http/keyvals/NAME of the API."""
        return {_text(key): _text(value) for key, value, _ in self.items()}

    def add(self, key: str, value: Any) -> None:
        """POST: a pair that is not there yet. Errors: KeyvalError."""
        if self.get(self._checked(key)) is not None:
            raise KeyvalError(f'key "{key}" already exists', 409, "KeyvalKeyExists")
        self.put(key, value)

    def change(self, key: str, value: Any) -> None:
        """PATCH: another value for a key; None removes it. Errors: KeyvalError."""
        if self.get(self._checked(key)) is None:
            raise KeyvalError(f'key "{key}" not found', 404, "KeyvalKeyNotFound")
        self.put(key, value)

    def put(self, key: str, value: Any) -> None:
        """`value`: a string, None, or {"value": string, "expire": milliseconds}. Errors: KeyvalError."""
        name = self._checked(key)
        ends: int | None = None
        if isinstance(value, dict):
            if value.keys() - {"value", "expire"}:
                raise KeyvalError('only "value" and "expire" are known')
            after = value.get("expire")
            if after is not None:
                if not isinstance(after, int) or isinstance(after, bool) or after < 0:
                    raise KeyvalError('"expire" is milliseconds')
                if not self.timeout_ms:
                    raise KeyvalError(f'zone "{self.name}" has no "timeout"', 400, "KeyvalFormatError")
                ends = wall_ms() + after
            value = value.get("value")
        if value is None:
            self.remove(name)
        elif not isinstance(value, str):
            raise KeyvalError("a value is a string")
        else:
            data = _bytes(value)
            if len(name) + len(data) > LONGEST:
                raise KeyvalError("key and value are too long", 413, "KeyvalTooLong")
            try:
                self.set(name, data, ends)
            except MemoryError:
                raise KeyvalError(f'keyval zone "{self.name}" is full', 500, "KeyvalOutOfMemory") from None

    def _checked(self, key: str) -> bytes:
        if self.kind == "ip":
            try:
                ipaddress.ip_network(key)
            except ValueError:
                raise KeyvalError(f'key "{key}" is no address or network') from None
        return _bytes(key)

    def reset(self) -> None:
        """DELETE: all pairs go."""
        self.clear()

    # -- the state file -----------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the state file, whole or not at all."""
        if not self.state:
            return
        pairs = {_text(key): {"value": _text(value), "ends": ends} for key, value, ends in self.items()}
        folder = os.path.dirname(self.state) or "."
        name = ""
        try:
            fd, name = tempfile.mkstemp(prefix=os.path.basename(self.state) + ".", dir=folder)
            with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
                json.dump(pairs, file, ensure_ascii=True, indent=1)
                os.fchmod(fd, _MODE)
            os.rename(name, self.state)
        except OSError as error:
            words = f'cannot write keyval state "{self.state}": {error}'
            self.log.write(ERROR, words.encode("utf-8", "surrogateescape"))
            with suppress(OSError):
                os.unlink(name)

    def _load(self) -> None:
        try:
            with open(self.state, encoding="utf-8", errors="surrogateescape") as file:
                pairs = json.load(file)
            for key, pair in pairs.items():
                if not pair["ends"] or pair["ends"] > wall_ms():
                    self.set(self._checked(key), pair["value"].encode("utf-8", "surrogateescape"), int(pair["ends"]))
        except FileNotFoundError:
            pass
        except MemoryError:
            raise ZoneError(f'keyval zone "{self.name}" is too small for "{self.state}"') from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, KeyvalError) as error:
            raise ZoneError(f'keyval state "{self.state}" cannot be read: {error}') from None


def _bytes(text: str) -> bytes:
    """Errors: KeyvalError."""
    try:
        return to_bytes(text)
    except UnicodeEncodeError:  # half of a surrogate pair that stands for no byte
        raise KeyvalError("what is no text cannot be kept") from None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def set_zone(conf: Any, command: Command) -> None:
    """keyval_zone zone=NAME:SIZE [state=FILE] [timeout=TIME] [type=string|ip|prefix] [sync]."""
    name, size, state, timeout_ms, kind, synced = "", 0, "", 0, "string", False
    for word in command.args:
        parameter, _, value = word.partition("=")
        if parameter == "zone":
            name, size = name_and_size(command, word)
        elif parameter == "state" and value:
            state = command.loader.path(value)
        elif parameter == "timeout" and value:
            try:
                timeout_ms = units.parse_time_ms(value)
            except ValueError:
                timeout_ms = 0
            if not timeout_ms:
                command.fail(f'invalid timeout "{word}"')
        elif parameter == "type" and value in _TYPES:
            kind = value
        elif word == "sync":
            synced = True
        else:
            command.fail(f'invalid parameter "{word}"')
    if not name:
        command.fail(f'"{command.name}" must have "zone" parameter')
    if synced and not timeout_ms:
        command.fail(f'"{command.name}" with "sync" needs "timeout"')
    zone = add_zone(command, name, size, _OWNER)
    if zone.user is not None:
        command.fail(f'{command.name} "{name}" is already there')
    zone.user = keyval = Keyval(name, kind, timeout_ms, synced, state, command.loader.parts.get(LOG))
    if synced:
        command.loader.parts.get(SYNCED).append(Synced(command.where, partial(Map, "keyval", keyval)))


def set_variable(conf: Any, command: Command) -> None:
    """keyval KEY $VARIABLE zone=NAME."""
    key = template(command, command.args[0])
    name = variable_name(command, command.args[1])
    word = command.args[2]
    if not word.startswith("zone=") or len(word) == 5:
        command.fail(f'invalid parameter "{word}"')
    zone = add_zone(command, word[5:], 0, _OWNER)


    def get(request: Request) -> bytes | None:
        found: bytes | None = zone.data.find(key(request))
        return found

    cycle_of(command).variables.define(name, acyclic(name, get), command.where)


module = HttpModule(
    name="keyval",
    directives=(
        Directive("keyval_zone", HTTP, at_least(1), set_zone, level="main"),
        Directive("keyval", HTTP, take(3), set_variable, level="main"),
    ),
)
