"""All modules: those of the main context, and the tables of the blocks."""

from __future__ import annotations

from typing import Final

from gateway.modules import core, events, load_module
from gateway.modules.http import HTTP_MODULES
from gateway.modules.http import block as http
from gateway.modules.mail import MAIL_MODULES
from gateway.modules.mail import block as mail
from gateway.modules.stream import STREAM_MODULES
from gateway.modules.stream import block as stream

__all__ = ["HTTP_MODULES", "MAIL_MODULES", "MODULES", "STREAM_MODULES"]


class HttpBlock:
    """The `http` directive, in the form of a module of the main context."""

    name = "http"
    main = server = location = None
    directives = http.directives(HTTP_MODULES)


class StreamBlock:
    """The `stream` directive, in the same form."""

    name = "stream"
    main = server = location = None
    directives = stream.directives(STREAM_MODULES)


class MailBlock:
    """The `mail` directive, in the same form."""

    name = "mail"
    main = server = location = None
    directives = mail.directives(MAIL_MODULES)


# All that have directives; the modules of the main context come first.
MODULES: Final[tuple[object, ...]] = (
    core.module,
    load_module.module,
    events.module,
    HttpBlock,
    *HTTP_MODULES,
    StreamBlock,
    *STREAM_MODULES,
    MailBlock,
    *MAIL_MODULES,
)
