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
from gateway.http.credentials import given_credentials, parse_credentials
from gateway.http.module import NOTHING, OK, Contribution, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.http.setters import template, template_setting

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.http.locations import Location
    from gateway.http.request import Request

_FORBIDDEN: Final = 403
_FAILED: Final = 500

# What is remembered of those who were let in: so many files, and of each so many fields.
_MOST_FILES: Final = 64
_MOST: Final = 256
_LONGEST: Final = 256
_LARGEST: Final = 1 << 20


@dataclass(slots=True)
class LocationConf(Conf):
    realm: Template | None = setting(None)
    user_file: tuple[Template, bytes] | None = setting(None)  # (template, folder of the configuration)


def set_user_file(conf: LocationConf, command: Command) -> None:
    """auth_basic_user_file file; a relative path begins in the configuration's folder."""
    command.once(conf.user_file)
    conf.user_file = (template(command, command.args[0]), to_bytes(command.loader.conf_prefix))


class UserFile:
    """A file as it was when somebody was let in, and the fields of those who were: they ask again and again.

    It is read each time, as nginx does, so that a change of it holds at once; while it is the same, so is the answer.
    """

    def __init__(self) -> None:
        self.text = b""
        self.let_in: set[bytes] = set()

    def remember(self, text: bytes, given: bytes) -> None:
        if len(given) > _LONGEST or len(text) > _LARGEST:
            return
        if text != self.text or len(self.let_in) >= _MOST:
            self.text = text
            self.let_in.clear()
        self.let_in.add(given)


_FILES: Final[dict[bytes, UserFile]] = {}


class Authenticate(Part):
    """The handler of one location."""

    def __init__(self, realm: Template, path: Template, folder: bytes) -> None:
        self.realm = realm
        self.path = path
        self.folder = folder
        self.files = _FILES  # the same for all locations
        constant = path.constant
        self.absolute: bytes | None = None if constant is None else os.path.join(folder, constant)

    def run(self, request: Request) -> Result:
        realm: bytes = self.realm.value(request)
        if realm == b"off":
            return None
        given = request.head.get_authorization()
        if request.method == b"CONNECT":
            given = given_credentials(request)
        path = self.absolute
        if path is None:
            path = os.path.join(self.folder, self.path.value(request))
        file = self.files.get(path)
        if given is not None and file is not None and given in file.let_in:
            text = _read(request, path)
            if isinstance(text, int):
                return text
            if text == file.text:
                return OK
        return self._decide(request, realm, given, path)

    def _decide(self, request: Request, realm: bytes, given: bytes | None, path: bytes) -> Result:
        found = parse_credentials(given)
        if found is None:
            request.log("info", b"no user/password was provided for basic authentication")
            return _challenge(request, realm)
        user, password = found
        text = _read(request, path)
        if isinstance(text, int):
            return text
        stored = _find(text, user)
        if stored is None:
            request.log("error", b'user "%b" was not found in "%b"' % (user, path))
            return _challenge(request, realm)
        try:
            if matches(password, stored):
                assert given is not None
                _let_in(path, text, given)
                return OK
        except CryptError as error:
            request.log("crit", str(error))
            return _FAILED
        request.log("error", b'user "%b": password mismatch' % user)
        return _challenge(request, realm)


def _let_in(path: bytes, text: bytes, given: bytes) -> None:
    file = _FILES.get(path)
    if file is None:
        if len(_FILES) >= _MOST_FILES:
            _FILES.clear()
        file = _FILES[path] = UserFile()
    file.remember(text, given)


def plan(settings: LocationConf, location: Location) -> Contribution:
    if settings.realm is None or settings.user_file is None or settings.realm.constant == b"off":
        return NOTHING
    return Contribution(handlers={Phase.ACCESS: Authenticate(settings.realm, *settings.user_file)})


def _read(request: Request, path: bytes) -> bytes | int:
    """The file's text; a status if it cannot be read."""
    opened = open_path(path)
    if isinstance(opened, int):
        missing = opened == errno.ENOENT
        error = OSError(opened, os.strerror(opened))
        request.log("error" if missing else "crit", b'open() "%b" failed' % path, error)
        return _FORBIDDEN if missing else _FAILED
    try:
        file = opened
        if file.is_file:
            return file.content()
        if file.is_dir:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        parts: list[bytes] = []
        while part := os.read(file.fd, 65536):
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
