"""The directives of TLS to upstreams, which proxy_ and uwsgi_ share, declared once, by their prefix."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    EVERYWHERE,
    FLAG,
    Command,
    Context,
    Directive,
    Setter,
    at_least,
    flag,
    number,
    string,
    take,
)
from gateway.config.errors import ConfigError, Where
from gateway.core.tls_settings import (
    add_conf_command,
    set_certificate_cache,
    set_passwords,
    set_path,
    set_protocols,
)
from gateway.http.setters import template, template_setting
from gateway.upstream.exchange.rewriting import constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.template import Template
    from gateway.core.tls_objects import ObjectCache
    from gateway.upstream.exchange.tls import ClientTls


@dataclass(slots=True)
class ClientTlsConf(Conf):
    """What the `*_ssl_*` directives of one block say; a block without any shares those around it, and sessions too."""

    protocols: int = setting(0)  # 0: the usual ones
    ciphers: str = setting("DEFAULT")
    name: Template | None = setting(None)  # Template; None: the host of the `*_pass`
    server_name: bool = setting(False)
    verify: bool = setting(False)
    verify_depth: int = setting(1)
    trusted_certificate: str = setting("")
    crl: str = setting("")
    certificate: Template | None = setting(None)  # Template, so is the key
    certificate_key: Template | None = setting(None)
    certificate_cache: ObjectCache | None = setting(None)  # a tls_objects.ObjectCache
    conf_commands: tuple[tuple[str, str], ...] = setting(())
    alpn: tuple[Callable[[Any], bytes], ...] = setting(())  # Templates
    passwords: tuple[bytes, ...] | None = setting(None)  # None: there is no file of them
    session_reuse: bool = setting(True)
    # made when a `*_pass` needs it
    made: Any = None
    conf_prefix: str = ""  # what relative paths begin at
    objects: Any = None  # the tls_objects.Objects of the configuration

    def offering(self, protocols: tuple[bytes, ...]) -> ClientTlsConf:
        """The same with these protocols for ALPN, which no directive names."""
        if not protocols:
            return self
        other = copy.copy(self)
        other.alpn = tuple(constant(name) for name in protocols)
        other.made = None
        return other

    def client(self, prefix: str, places: dict[str, Where]) -> ClientTls:
        """What connections with these settings use. Errors: ConfigError."""
        if self.made is None:
            from gateway._fast.errors import TlsError
            from gateway._fast.openssl import OpenSslError
            from gateway.upstream.exchange.tls import ClientTls

            try:
                self.made = ClientTls(self, prefix)
            except (TlsError, OpenSslError) as error:
                about = error.about if isinstance(error, TlsError) else ()
                names = (f"ssl_{name}" for name in (*about, "certificate", "trusted_certificate", "ciphers"))
                raise ConfigError(str(error), next((places[name] for name in names if name in places), None)) from None
        return self.made  # type: ignore[no-any-return]


def merge_with_tls(conf: Any, outer: Any, nameless: bool) -> None:
    """Conf.merge of settings with a `tls` and `places`: a block with a `*_ssl_*` directive takes over the others."""
    if outer is not None:
        conf.places = {**outer.places, **conf.places}
    if conf.tls is not UNSET:
        conf.tls.merge(None if outer is None else outer.tls)
    Conf.merge(conf, outer, nameless)
    if outer is None and conf.tls.protocols is UNSET:
        conf.tls.merge(None)


def _of_tls(field_name: str, setter: Setter) -> Setter:
    """The setter, on the block's TlsConf, and a note of where it was."""

    def set_and_note(conf: Any, command: Command) -> None:
        if conf.tls is UNSET:
            from gateway.core.tls_objects import objects_of

            conf.tls = ClientTlsConf()
            conf.tls.objects = objects_of(command.loader)
            conf.tls.conf_prefix = command.loader.conf_prefix
        setter(conf.tls, command)
        conf.places[f"ssl_{field_name}"] = command.where

    return set_and_note


def set_alpn(conf: Any, command: Command) -> None:
    """What connections to the upstream offer."""
    command.once(conf.alpn)
    for name in command.args:
        if len(name.encode()) > 255:
            command.fail(f'"{command.name}" directive protocol too long')
    conf.alpn = tuple(template(command, name) for name in command.args)


def tls_family(prefix: str, where: Context = EVERYWHERE, level: str = "location") -> tuple[Directive, ...]:
    """`PREFIX_ssl_*`, for settings with a `tls` and `places`; the stream block has one more."""
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
        ("conf_command", take(2), add_conf_command),
    ]
    if level == "server":
        declared.append(("alpn", at_least(1), set_alpn))
    return tuple(
        Directive(f"{prefix}_ssl_{name}", where, arguments, _of_tls(name, setter), level=level)
        for name, arguments, setter in declared
    )
