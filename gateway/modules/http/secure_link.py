"""secure_link: links that carry a digest of themselves; `$secure_link`, `$secure_link_expires`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, Directive, string, take
from gateway.config.errors import LateError
from gateway.config.text import to_bytes
from gateway.core.variables import Variable, cached
from gateway.http.module import HttpModule
from gateway.http.setters import template_setting

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.http.request import Request

_MIXED: Final = '"secure_link_secret" cannot be mixed with "secure_link" and "secure_link_md5"'
_BASE64URL: Final = re.compile(rb"[A-Za-z0-9_-]{22}")
_MAX_DIGEST: Final = 24
_TIME: Final = re.compile(rb"[0-9]{1,18}")
# /PREFIX/DIGEST/link, as the client wrote it
_OLD: Final = re.compile(rb".[^/]*/([0-9A-Fa-f]{32})/(.+)", re.DOTALL)


@dataclass(slots=True)
class LocationConf(Conf):
    link: Template | None = setting(None)
    md5: Template | None = setting(None)
    secret: str | None = setting(None)  # the old way

    def merge(self, outer: LocationConf | None, nameless: bool = False) -> None:
        if self.secret is not UNSET:
            if self.link is not UNSET or self.md5 is not UNSET:
                raise LateError(_MIXED, None)
            self.link = self.md5 = None
            return
        own = self.link is not UNSET or self.md5 is not UNSET
        Conf.merge(self, outer, nameless)
        if own or self.link is not None or self.md5 is not None:
            self.secret = None


def secure_link(request: Request) -> bytes | None:
    """$secure_link: "1" for a link that holds, "0" when its time is over; the link itself the old way."""
    settings: LocationConf = request.location.confs[module]
    if settings.secret is not None:
        return _old_link(request, to_bytes(settings.secret))
    if settings.link is None or settings.md5 is None:
        return None
    digest, comma, time = settings.link(request).partition(b",")
    expires = 0
    if comma:
        if not _TIME.fullmatch(time) or int(time) == 0:
            return None
        expires = int(time)
        request.state[module] = time
    if len(digest) > _MAX_DIGEST:
        return None
    digest = digest.partition(b"=")[0]
    if not _BASE64URL.fullmatch(digest):
        return None
    expected = hashlib.md5(settings.md5(request), usedforsecurity=False).digest()
    if not hmac.compare_digest(base64.urlsafe_b64decode(digest + b"=="), expected):
        return None
    return b"0" if expires and expires < int(request.connection.lane.wall) else b"1"


def _old_link(request: Request, secret: bytes) -> bytes | None:
    match = _OLD.fullmatch(request.head.target)
    if match is None:
        return None
    expected = hashlib.md5(match[2] + secret, usedforsecurity=False).hexdigest()
    return match[2] if hmac.compare_digest(match[1].lower(), expected.encode()) else None


def secure_link_expires(request: Request) -> bytes | None:
    """$secure_link_expires: the time that a link brought, once $secure_link was asked for."""
    time: bytes | None = request.state.get(module)
    return time


module = HttpModule(
    name="secure_link",
    location=LocationConf,
    directives=(
        Directive("secure_link", EVERYWHERE, take(1), template_setting("link")),
        Directive("secure_link_md5", EVERYWHERE, take(1), template_setting("md5")),
        Directive("secure_link_secret", EVERYWHERE, take(1), string("secret")),
    ),
    variables=(
        Variable("secure_link", cached("secure_link", secure_link)),
        Variable("secure_link_expires", secure_link_expires),
    ),
)
