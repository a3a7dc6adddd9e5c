"""From a URI to a file: `root` and `alias`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.cut import joined, rest

if TYPE_CHECKING:
    from gateway.http.request import Request


class NoPath(Exception):
    """A URI has no file name here; the reason is in the error log, the client gets a 500."""


def map_uri_to_path(request: Request, uri: bytes) -> bytes:
    """The file name of a URI in the present location; nginx's ngx_http_map_uri_to_path. Errors: NoPath."""
    core = request.location.core
    if core.alias is None:
        return joined(document_root(request), uri)
    if not request.valid_location:
        name = request.location.name
        request.log("alert", b'"alias" cannot be used in location "%s" where URI was rewritten' % name)
        raise NoPath
    base: bytes = core.alias_path if core.alias_path is not None else absolute(request, core.alias(request))
    length = core.alias_length
    if length < 0:
        # The alias of a regex location is the whole name, unless try_files found a file below it.
        return base + uri if request.add_uri_to_alias else base
    return base + rest(uri, length)


def document_root(request: Request) -> bytes:
    """$document_root: root's value, or alias's."""
    core = request.location.core
    if core.alias is not None:
        return absolute(request, core.alias(request))
    constant: bytes | None = core.root_path
    return constant if constant is not None else absolute(request, core.root(request))


def absolute(request: Request, path: bytes) -> bytes:
    """A path against the prefix that gateway was started with."""
    return path if path[:1] == b"/" else request.cycle.prefix + path
