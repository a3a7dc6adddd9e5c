"""The `ssl_*` directives of servers, which http, stream and mail share; some setters are those of upstreams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    FLAG,
    Arguments,
    Command,
    Context,
    Directive,
    Setter,
    at_least,
    enum_,
    flag,
    number,
    seconds,
    string,
    take,
)
from gateway.core.template import Template
from gateway.core.zone_directives import add_zone
from gateway.core.zones import Zone

if TYPE_CHECKING:
    from gateway.core.tls_objects import ObjectCache

# The bits of `*_ssl_protocols`. The first two are taken, as by nginx, and OpenSSL has neither any more.
PROTOCOLS: Final = {"SSLv2": 1, "SSLv3": 2, "TLSv1": 4, "TLSv1.1": 8, "TLSv1.2": 16, "TLSv1.3": 32}
DEFAULT_PROTOCOLS: Final = PROTOCOLS["TLSv1.2"] | PROTOCOLS["TLSv1.3"]

# ssl_verify_client
OFF, ON, OPTIONAL, OPTIONAL_NO_CA = range(4)
_VERIFY: Final = {"off": OFF, "on": ON, "optional": OPTIONAL, "optional_no_ca": OPTIONAL_NO_CA}
# ssl_ocsp
LEAF, CHAIN = 1, 2
_OCSP: Final = {"off": 0, "on": CHAIN, "leaf": LEAF}

# How `ssl_session_cache` keeps sessions in a worker, besides a number of them.
NO_CACHE: Final = -2  # off: clients are told so
NONE_CACHE: Final = -3  # none: they are not
NO_BUILTIN: Final = -4  # in a zone alone
DEFAULT_BUILTIN: Final = -5
_SMALLEST_CACHE: Final = 8 * 4096


@dataclass(slots=True)
class TlsConf(Conf):
    """What the `ssl_*` directives of one server say."""

    certificates: tuple[str | Named, ...] = setting(())
    keys: tuple[str | Named, ...] = setting(())
    passwords: tuple[bytes, ...] | None = setting(None)  # None: there is no file of them
    certificate_cache: ObjectCache | None = setting(None)  # a tls_objects.ObjectCache
    certificate_compression: bool = setting(False)
    protocols: int = setting(0)  # 0: DEFAULT_PROTOCOLS
    ciphers: str = setting("HIGH:!aNULL:!MD5")
    prefer_server_ciphers: bool = setting(False)
    ecdh_curve: str = setting("auto")
    dhparam: str = setting("")
    conf_commands: tuple[tuple[str, str], ...] = setting(())
    ech_files: tuple[str, ...] = setting(())
    builtin: int = setting(NONE_CACHE)
    zone: Zone | None = setting(None)
    session_timeout: int = setting(300)
    session_tickets: bool = setting(True)
    ticket_keys: tuple[str, ...] = setting(())
    reject_handshake: bool = setting(False)
    verify: int = setting(OFF)
    verify_depth: int = setting(1)
    client_certificate: str = setting("")
    trusted_certificate: str = setting("")
    crl: str = setting("")
    ocsp: int = setting(0)
    ocsp_responder: str = setting("")
    ocsp_cache: Zone | None = setting(None)
    stapling: bool = setting(False)
    stapling_verify: bool = setting(False)
    stapling_file: str = setting("")
    stapling_responder: str = setting("")

    @property
    def wanted(self) -> bool:
        """Whether anything is to be made of it: what a server asks of clients holds also without a certificate."""
        return bool(self.certificates or self.reject_handshake or self.verify)


class Named:
    """A certificate, or a key, that variables name; hashed by its text, so that equal servers share."""

    def __init__(self, value: Template, prefix: str) -> None:
        self.value = value
        self.prefix = prefix

    def __str__(self) -> str:
        return self.value.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))

    def __call__(self, request: Any) -> str:
        return complete(self.value(request).decode("utf-8", "surrogateescape"), self.prefix)


def complete(name: str, prefix: str) -> str:
    """A path relative to the configuration's folder made absolute; what is no path stays."""
    return name if name.startswith(("/", "data:", "engine:", "store:")) else prefix + name


def set_protocols(conf: Any, command: Command) -> None:
    bits = 0 if conf.protocols is UNSET else conf.protocols
    folded = {name.lower(): bit for name, bit in PROTOCOLS.items()}
    for word in command.args:
        bit = folded.get(word.lower(), 0)
        if not bit:
            command.fail(f'invalid value "{word}"')
        if bits & bit:
            command.warn(f'duplicate value "{word}"')
        bits |= bit
    conf.protocols = bits


# nginx: NGX_SSL_PASSWORD_BUFFER_SIZE. A named pipe may stand for the file; a device that never ends is read no further.
_LONGEST_PASSWORD: Final = 4096
_MOST: Final = 1024 * 1024


def set_passwords(conf: Any, command: Command) -> None:
    command.once(conf.passwords)
    conf.passwords = tuple(_read_passwords(command, command.loader.path(command.args[0], conf=True)))


def _read_passwords(command: Command, path: str) -> list[bytes]:
    try:
        with open(path, "rb") as opened:
            data = opened.read(_MOST)
    except OSError as error:
        # nginx can open a directory
        call = "read()" if isinstance(error, IsADirectoryError) else "open()"
        command.fail(f'{call} "{path}" failed ({error.errno}: {error.strerror})')
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if any(len(line) >= _LONGEST_PASSWORD for line in lines):
        command.fail(f'too long line in "{path}"')
    return [line for line in lines if line]


def set_path(field_name: str) -> Callable[[Any, Command], None]:
    """A file, relative to the configuration."""

    def set_one(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        text = command.args[0]
        setattr(conf, field_name, command.loader.path(text, conf=True) if text else "")

    return set_one


def add_path(field_name: str) -> Setter:
    """One more file."""

    def add(conf: Any, command: Command) -> None:
        earlier = getattr(conf, field_name)
        name = command.loader.path(command.args[0], conf=True)
        setattr(conf, field_name, (*(() if earlier is UNSET else earlier), name))

    return add


def set_certificate_cache(conf: Any, command: Command) -> None:
    """off | max=N [inactive=time] [valid=time]."""
    command.once(conf.certificate_cache)
    most, inactive_s, valid_s = 0, 10.0, 60.0
    off = False
    for word in command.args:
        key, equals, value = word.partition("=")
        try:
            if word == "off":
                off = True
            elif key == "max" and equals:
                most = units.parse_number(value)
                if not most:
                    raise ValueError(word)
            elif key == "inactive" and equals:
                inactive_s = units.parse_seconds(value)
            elif key == "valid" and equals:
                valid_s = units.parse_seconds(value)
            else:
                raise ValueError(word)
        except ValueError:
            command.fail(f'invalid parameter "{word}"')
    if not off and not most:
        command.fail(f'"{command.name}" must have the "max" parameter')
    from gateway.core.tls_objects import ObjectCache

    conf.certificate_cache = None if off else ObjectCache(most, inactive_s, valid_s)


def add_conf_command(conf: Any, command: Command) -> None:
    """A name and a value for SSL_CONF_cmd(), in the order of the directives."""
    earlier = conf.conf_commands
    conf.conf_commands = (*(() if earlier is UNSET else earlier), (command.args[0], command.args[1]))


def _add_named(field_name: str, template: Callable[[Command, str], Template] | None) -> Setter:
    """One more certificate or key: a path, `data:…`, `engine:…`, `store:…`, or variables that name one."""

    def add(conf: Any, command: Command) -> None:
        earlier = getattr(conf, field_name)
        text = command.args[0]
        name: Any = text
        if "$" in text and template is not None:
            name = Named(template(command, text), command.loader.conf_prefix)
        elif not text.startswith(("data:", "engine:", "store:")):
            name = command.loader.path(text, conf=True)
        setattr(conf, field_name, (*(() if earlier is UNSET else earlier), name))

    return add


def _zone(command: Command, word: str, what: str, owner: str) -> Zone:
    """The zone of `shared:NAME:SIZE`."""
    _, _, rest = word.partition(":")
    name, colon, length = rest.partition(":")
    try:
        if not name or not colon:
            raise ValueError(word)
        size = units.parse_size(length)
    except ValueError:
        command.fail(f'invalid {what} "{word}"')
    if size < _SMALLEST_CACHE:
        command.fail(f'{what} "{word}" is too small')
    return add_zone(command, name, size, owner)


def _set_session_cache(owner: str) -> Setter:
    def set_session_cache(conf: Any, command: Command) -> None:
        """off | none | [builtin[:size]] [shared:name:size]."""
        for word in command.args:
            kind, colon, rest = word.partition(":")
            if word in ("off", "none"):
                conf.builtin = NO_CACHE if word == "off" else NONE_CACHE
            elif word == "builtin":
                conf.builtin = DEFAULT_BUILTIN
            elif kind == "builtin" and rest.isdigit():
                conf.builtin = int(rest)
            elif kind == "shared" and colon:
                conf.zone = _zone(command, word, "session cache", owner)
                if conf.zone.user is None:
                    from gateway.core.tls_sessions import SessionCache

                    conf.zone.user = SessionCache()
            else:
                command.fail(f'invalid session cache "{word}"')
        if conf.zone is not UNSET and conf.builtin is UNSET:
            conf.builtin = NO_BUILTIN

    return set_session_cache


def _set_ech_file(conf: Any, command: Command) -> None:
    from gateway._fast import openssl

    command.warn(f'"{command.name}" needs OpenSSL 4.0 with ECH, this is {openssl.version()}, ignored')


# Of http and stream, not of mail.
STAPLING: Final = (
    ("stapling", FLAG, flag("stapling")),
    ("stapling_verify", FLAG, flag("stapling_verify")),
    ("stapling_file", take(1), set_path("stapling_file")),
    ("stapling_responder", take(1), string("stapling_responder")),
)


def _set_ocsp_cache(owner: str) -> Setter:
    def set_ocsp_cache(conf: Any, command: Command) -> None:
        """off | shared:name:size."""
        command.once(conf.ocsp_cache)
        word = command.args[0]
        if word == "off":
            conf.ocsp_cache = None
            return
        if not word.startswith("shared:"):
            command.fail(f'invalid OCSP cache "{word}"')
        conf.ocsp_cache = _zone(command, word, "OCSP cache", owner)
        if conf.ocsp_cache.user is None:
            from gateway.core.ocsp_cache import OcspCache

            conf.ocsp_cache.user = OcspCache()

    return set_ocsp_cache


def server_directives(
    block: str, where: Context, template: Callable[[Command, str], Template] | None
) -> tuple[Directive, ...]:
    """Those of `block`, which stand in `where`; `template` compiles an argument with its variables, if it has any."""
    declared: list[tuple[str, Arguments, Setter]] = [
        ("certificate", take(1), _add_named("certificates", template)),
        ("certificate_key", take(1), _add_named("keys", template)),
        ("certificate_compression", FLAG, flag("certificate_compression")),
        ("password_file", take(1), set_passwords),
        ("protocols", at_least(1), set_protocols),
        ("ciphers", take(1), string("ciphers")),
        ("prefer_server_ciphers", FLAG, flag("prefer_server_ciphers")),
        ("ecdh_curve", take(1), string("ecdh_curve")),
        ("dhparam", take(1), set_path("dhparam")),
        ("conf_command", take(2), add_conf_command),
        ("session_cache", take(1, 2), _set_session_cache(f"{block}_ssl")),
        ("session_timeout", take(1), seconds("session_timeout")),
        ("session_tickets", FLAG, flag("session_tickets")),
        ("session_ticket_key", take(1), add_path("ticket_keys")),
        ("verify_client", take(1), enum_("verify", _VERIFY)),
        ("verify_depth", take(1), number("verify_depth")),
        ("client_certificate", take(1), set_path("client_certificate")),
        ("trusted_certificate", take(1), set_path("trusted_certificate")),
        ("crl", take(1), set_path("crl")),
    ]
    if block != "mail":
        declared += STAPLING
        declared += [
            ("certificate_cache", take(1, 2, 3), set_certificate_cache),
            ("ech_file", take(1), _set_ech_file),
            ("reject_handshake", FLAG, flag("reject_handshake")),
            ("ocsp", take(1), enum_("ocsp", _OCSP)),
            ("ocsp_responder", take(1), string("ocsp_responder")),
            ("ocsp_cache", take(1), _set_ocsp_cache(f"{block}_ssl_ocsp")),
        ]
    return tuple(
        Directive(f"ssl_{name}", where, arguments, setter, level="server") for name, arguments, setter in declared
    )
