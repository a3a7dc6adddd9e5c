"""Which responses a filter works on, by their Content-Type: `gzip_types` and its like; nginx's ngx_http_types_slot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET
from gateway.config.directive import Command
from gateway.config.text import to_bytes

if TYPE_CHECKING:
    from gateway.http.response import Response

HTML: Final = frozenset({b"text/html"})  # nginx's ngx_http_html_default_types


def set_types(conf: Any, command: Command) -> None:
    """Media types in `conf.types`: text/html is always among them, `*` means all."""
    found = set() if conf.types is UNSET else set(conf.types)
    found.add(b"text/html")
    for text in command.args:
        media_type = to_bytes(text.lower())
        if media_type in found:
            command.warn(f'duplicate MIME type "{text}"')
        found.add(media_type)
    conf.types = frozenset(found)


def is_of(types: frozenset[bytes]) -> Callable[[Response], bool]:
    """A test of a response; one without a type is among all types."""
    if b"*" in types:
        return lambda response: True

    def test(response: Response) -> bool:
        content_type = response.content_type
        return content_type is not None and content_type.lower() in types

    return test
