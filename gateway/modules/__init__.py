"""The ordered table of modules: handlers run in this order within a phase, head and body filters too."""

from __future__ import annotations

from typing import Final

from gateway.http.module import HttpModule
from gateway.modules import http, http_core, http_listen, location

HTTP_MODULES: Final[tuple[HttpModule, ...]] = (
    http_core.module,
    http_listen.module,
    location.module,
)


class HttpBlock:
    """The `http` directive, in the form of a module of the main context."""

    name = "http"
    main = server = location = None
    directives = http.directives(HTTP_MODULES)


# All that have directives; the modules of the main context come first.
MODULES: Final[tuple[object, ...]] = (HttpBlock, *HTTP_MODULES)
