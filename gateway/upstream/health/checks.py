"""What a `health_check` directive says of a check, and its `match`; health.py does the work, in the workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config import units
from gateway.config.conf import UNSET
from gateway.config.directive import Command, Context, Setter
from gateway.config.loader import Scope
from gateway.config.text import to_bytes
from gateway.upstream.peers.address import Address, with_port

if TYPE_CHECKING:
    from gateway.upstream.health.probes import Probe
    from gateway.upstream.peers.peers import Peer

# The method of the service that gRPC servers have for this (grpc.health.v1).
GRPC_CHECK: Final = b"/grpc.health.v1.Health/Check"


@dataclass(eq=False, slots=True)
class HealthCheck:
    """A `health_check` directive."""

    name: bytes = b""  # of its match
    interval_s: float = 5.0
    jitter_s: float = 0.0
    fails: int = 1
    passes: int = 1
    mandatory: bool = False
    persistent: bool = False
    port: int = 0  # 0: the peer's own
    probe: Probe | None = None  # made in the worker

    def address(self, peer: Peer) -> Address:
        return with_port(peer.address, self.port) if self.port else peer.address

    def set_parameter(self, word: str) -> bool:
        """One of those that checks of every block have; False if it is none of them. Errors: ValueError."""
        key, equals, value = word.partition("=")
        if not equals and key in ("mandatory", "persistent"):
            setattr(self, key, True)
        elif not value:
            return False
        elif key == "interval":
            self.interval_s = units.parse_time_ms(value) / 1000
            if not self.interval_s:
                raise ValueError(word)
        elif key == "jitter":
            self.jitter_s = units.parse_time_ms(value) / 1000
        elif key in ("fails", "passes", "port"):
            number = units.parse_number(value)
            if number < 1 or (key == "port" and number > 65535):
                raise ValueError(word)
            setattr(self, key, number)
        else:
            return False
        return True


def match_block(context: Context, kind: Callable[[bytes], Any]) -> Setter:
    """The setter of `match NAME { }`, for a conf with `matches`; what `kind` makes owns the block, a `context`."""

    def set_match(conf: Any, command: Command) -> None:
        if conf.matches is UNSET:
            conf.matches = {}
        name = command.args[0]
        if name in conf.matches:
            command.fail(f'duplicate match "{name}"')
        match = conf.matches[name] = kind(to_bytes(name))
        command.loader.walk(command.block, Scope(context, command.scope, owner=match, level="main"))

    return set_match
