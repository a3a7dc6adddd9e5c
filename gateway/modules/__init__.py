"""All modules: those of the main context, and the tables of the blocks.

`MODULES` is all of them, imported when somebody asks for it; what serves has the choice of `gateway.modules.choice`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.modules import core, events, load_module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.directive import Directive
    from gateway.http.module import HttpModule
    from gateway.mail.module import MailModule
    from gateway.stream.module import StreamModule

    MODULES: tuple[object, ...]


class BlockDirective:
    """A block's own directives, in the form of a module of the main context."""

    main = server = location = None

    def __init__(self, name: str, directives: tuple[Directive, ...]) -> None:
        self.name = name
        self.directives = directives


def table(
    http: Sequence[HttpModule], stream: Sequence[StreamModule], mail: Sequence[MailModule]
) -> tuple[object, ...]:
    """All that have directives; the modules of the main context come first. A block without modules is unknown."""
    modules: list[object] = [core.module, load_module.module, events.module]
    if http:
        from gateway.modules.http import block as http_block

        modules += (BlockDirective("http", http_block.directives(http)), *http)
    if stream:
        from gateway.modules.stream import block as stream_block

        modules += (BlockDirective("stream", stream_block.directives(stream)), *stream)
    if mail:
        from gateway.modules.mail import block as mail_block

        modules += (BlockDirective("mail", mail_block.directives(mail)), *mail)
    return tuple(modules)


if not TYPE_CHECKING:

    def __getattr__(name):
        """MODULES, all of them: for who asks."""
        if name != "MODULES":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from gateway.modules.http import HTTP_MODULES
        from gateway.modules.mail import MAIL_MODULES
        from gateway.modules.stream import STREAM_MODULES

        globals()[name] = found = table(HTTP_MODULES, STREAM_MODULES, MAIL_MODULES)
        return found
