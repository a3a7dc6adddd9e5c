"""auth_basic: access by user and password (RFC 7617), from files as htpasswd makes them."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast.files import open_path
from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, LIMIT_EXCEPT, Command, Directive, take
from gateway.config.text import to_bytes
from gateway.core.passwords import CryptError, matches
from gateway.http.credentials import credentials
from gateway.http.module import NOTHING, OK, Contribution, HttpModule, Phase, Result
from gateway.http.setters import template, template_setting

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.http.locations import Location
    from gateway.http.request import Request

_FORBIDDEN: Final = 403
_FAILED: Final = 500


@dataclass(slots=True)
class LocationConf(Conf):
    realm: Template | None = setting(None)
    user_file: tuple[Template, bytes] | None = setting(None)  # (template, folder of the configuration)


def set_user_file(conf: LocationConf, command: Command) -> None:
    """auth_basic_user_file file; a relative path begins in the configuration's folder."""
    command.once(conf.user_file)
    conf.user_file = (template(command, command.args[0]), to_bytes(command.loader.conf_prefix))


def plan(settings: LocationConf, location: Location) -> Contribution:
    if settings.realm is None or settings.user_file is None:
        return NOTHING
    realm_of = settings.realm
    if realm_of.constant == b"off":
        return NOTHING
    path_of, folder = settings.user_file

    def check(request: Request) -> Result:
        realm = realm_of(request)
        if realm == b"off":
            return None
        found = credentials(request)
        if found is None:
            request.log("info", b"no user/password was provided for basic authentication")
            return _challenge(request, realm)
        user, password = found
        path = path_of(request)
        if not path.startswith(b"/"):
            path = os.path.join(folder, path)
        text = _read(request, path)
        if isinstance(text, int):
            return text
        stored = _find(text, user)
        if stored is None:
            request.log("error", b'user "%b" was not found in "%b"' % (user, path))
            return _challenge(request, realm)
        try:
            if matches(password, stored):
                return OK
        except CryptError as error:
            request.log("crit", str(error))
            return _FAILED
        request.log("error", b'user "%b": password mismatch' % user)
        return _challenge(request, realm)

    return Contribution(handlers={Phase.ACCESS: check})


def _read(request: Request, path: bytes) -> bytes | int:
    """The file's text; a status if it cannot be read."""
    opened = open_path(path)
    if isinstance(opened, int):
        missing = opened == errno.ENOENT
        error = OSError(opened, os.strerror(opened))
        request.log("error" if missing else "crit", b'open() "%b" failed' % path, error)
        return _FORBIDDEN if missing else _FAILED
    try:
        if opened.is_file:
            return opened.content()
        if opened.is_dir:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        parts: list[bytes] = []
        while part := os.read(opened.fd, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError as error:
        request.log("crit", b'pread() "%b" failed' % path, error)
        return _FAILED


def _find(text: bytes, user: bytes) -> bytes | None:
    """What stands behind the user's name, up to the next colon; a file of many users is searched, not taken apart."""
    if user.startswith(b"#") or b"\n" in user:
        return None  # a comment; and a name is within one line
    wanted = user + b":"
    if text.startswith(wanted):
        start = len(wanted)
    else:
        line = text.find(b"\n" + wanted)
        if line < 0:
            return None
        start = line + 1 + len(wanted)
    end = text.find(b"\n", start)
    stored = text[start:] if end < 0 else text[start:end]
    return stored.partition(b"\r")[0].partition(b":")[0]


def _challenge(request: Request, realm: bytes) -> int:
    value = b'Basic realm="%b"' % realm
    if request.method == b"CONNECT":
        request.response.fields.append((b"Proxy-Authenticate", value))
        return 407
    request.response.fields.append((b"WWW-Authenticate", value))
    return 401


module = HttpModule(
    name="auth_basic",
    location=LocationConf,
    directives=(
        Directive("auth_basic", EVERYWHERE | LIMIT_EXCEPT, take(1), template_setting("realm")),
        Directive("auth_basic_user_file", EVERYWHERE | LIMIT_EXCEPT, take(1), set_user_file),
    ),
    plan=plan,
)
