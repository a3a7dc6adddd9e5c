"""The directives of TLS to upstreams, which proxy_ and uwsgi_ share, declared once, by their prefix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    EVERYWHERE,
    FLAG,
    Command,
    Directive,
    Setter,
    at_least,
    flag,
    number,
    string,
    take,
)
from gateway.config.errors import ConfigError, Where
from gateway.http.setters import template_setting

if TYPE_CHECKING:
    from gateway.upstream.exchange.tls import ClientTls

# The bits of core.tls_context, which is not loaded for a configuration without TLS.
PROTOCOLS = {"SSLv2": 1, "SSLv3": 2, "TLSv1": 4, "TLSv1.1": 8, "TLSv1.2": 16, "TLSv1.3": 32}


@dataclass(slots=True)
class TlsSettings(Conf):
    """What the `*_ssl_*` directives of one block say; a block without any shares those around it, and sessions too."""

    protocols: Any = setting(0)  # 0: the usual ones
    ciphers: Any = setting("DEFAULT")
    name: Any = setting(None)  # Template; None: the host of the `*_pass`
    server_name: Any = setting(False)
    verify: Any = setting(False)
    verify_depth: Any = setting(1)
    trusted_certificate: Any = setting("")
    crl: Any = setting("")
    certificate: Any = setting(None)  # Template, so is the key
    certificate_key: Any = setting(None)
    certificate_cache: Any = setting(None)  # (max, inactive_s, valid_s)
    passwords: Any = setting(())
    session_reuse: Any = setting(True)
    # made when a `*_pass` needs it
    made: Any = None
    conf_prefix: str = ""  # what relative paths begin at

    def client(self, prefix: str, places: dict[str, Where]) -> ClientTls:
        """What connections with these settings use. Errors: ConfigError."""
        if self.made is None:
            from gateway.core.tls_context import TlsError
            from gateway.upstream.exchange.tls import ClientTls

            try:
                self.made = ClientTls(self, prefix)
            except TlsError as error:
                names = (f"ssl_{name}" for name in (*error.about, "certificate", "trusted_certificate", "ciphers"))
                raise ConfigError(str(error), next((places[name] for name in names if name in places), None)) from None
        return self.made  # type: ignore[no-any-return]


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


def set_passwords(conf: Any, command: Command) -> None:
    from gateway.core.tls_context import TlsError, read_passwords

    if conf.passwords is not UNSET:
        command.duplicate()
    try:
        conf.passwords = tuple(read_passwords(command.loader.path(command.args[0], conf=True)))
    except TlsError as error:
        command.fail(str(error))


def set_path(field_name: str) -> Callable[[Any, Command], None]:
    """A file, relative to the configuration."""

    def set_one(conf: Any, command: Command) -> None:
        if getattr(conf, field_name) is not UNSET:
            command.duplicate()
        text = command.args[0]
        setattr(conf, field_name, command.loader.path(text, conf=True) if text else "")

    return set_one


def set_certificate_cache(conf: Any, command: Command) -> None:
    """off | max=N [inactive=time] [valid=time]."""
    if conf.certificate_cache is not UNSET:
        command.duplicate()
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
    conf.certificate_cache = None if off else (most, inactive_s, valid_s)


def _of_tls(field_name: str, setter: Setter) -> Setter:
    """The setter, on the block's TlsSettings, and a note of where it was."""

    def set_and_note(conf: Any, command: Command) -> None:
        if conf.tls is UNSET:
            conf.tls = TlsSettings()
            conf.tls.conf_prefix = command.loader.conf_prefix
        setter(conf.tls, command)
        conf.places[f"ssl_{field_name}"] = command.where

    return set_and_note


def tls_family(prefix: str) -> tuple[Directive, ...]:
    """`PREFIX_ssl_*`, for settings that are an UpstreamConf."""
    declared: list[tuple[str, Any, Setter]] = [
        ("session_reuse", FLAG, flag("session_reuse")),
        ("protocols", at_least(1), set_protocols),
        ("ciphers", take(1), string("ciphers")),
        ("name", take(1), template_setting("name")),
        ("server_name", FLAG, flag("server_name")),
        ("verify", FLAG, flag("verify")),
        ("verify_depth", take(1), number("verify_depth")),
        ("trusted_certificate", take(1), set_path("trusted_certificate")),
        ("crl", take(1), set_path("crl")),
        ("certificate", take(1), template_setting("certificate")),
        ("certificate_key", take(1), template_setting("certificate_key")),
        ("certificate_cache", take(1, 2, 3), set_certificate_cache),
        ("password_file", take(1), set_passwords),
    ]
    return tuple(
        Directive(f"{prefix}_ssl_{name}", EVERYWHERE, arguments, _of_tls(name, setter))
        for name, arguments, setter in declared
    )
