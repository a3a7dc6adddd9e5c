"""What a server says that it can: with TLS, before STARTTLS, and where STARTTLS has to come first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.conf import UNSET

if TYPE_CHECKING:
    from gateway.config.directive import Command
    from gateway.mail.session import Session


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The three answers to the question, made when the configuration is read."""

    plain: bytes
    starttls: bytes
    starttls_only: bytes

    def of(self, session: Session) -> bytes:
        server = session.server
        if session.secure or not server.starttls:
            return self.plain
        return self.starttls_only if server.starttls_only else self.starttls


def set_capabilities(conf: Any, command: Command) -> None:
    """Several directives of a block add up."""
    earlier = conf.capabilities
    conf.capabilities = (*(() if earlier is UNSET else earlier), *command.args)
