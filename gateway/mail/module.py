"""What a mail module declares: settings, directives, and the protocol that it speaks, if it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import Conf
from gateway.config.directive import Directive

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.core.variables import PrefixVariable, Variable
    from gateway.mail.dialogue import Dialogue
    from gateway.mail.session import Session


@dataclass(frozen=True, slots=True)
class Protocol:
    """One of the three: its name, the ports that stand for it, and what a client is told before it is cut off."""

    name: str
    ports: tuple[int, ...]
    internal_error: bytes
    certificate_error: bytes
    no_certificate: bytes
    dialogue: Callable[[Session], Dialogue]

    @property
    def alpn(self) -> bytes:
        return self.name.encode()


@dataclass(frozen=True, eq=False, slots=True)
class MailModule:
    """One module; `prepare` is called once for each cycle, when all settings are merged."""

    name: str
    directives: tuple[Directive, ...] = ()
    main: type[Conf] | None = None
    server: type[Conf] | None = None
    protocol: Protocol | None = None
    variables: tuple[Variable | PrefixVariable, ...] = ()  # the block has none
    preconfigure: Callable[[Scope, Loader], None] | None = None
    settle: Callable[[Scope, Loader], None] | None = None
    prepare: Callable[[Scope, Loader], None] | None = None
