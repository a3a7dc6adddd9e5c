"""uwsgi: `uwsgi_pass` and its family: requests to an application server over the uwsgi protocol.

Beyond nginx: a packet over 65,535 bytes is answered with 431, not 500, and the log says what the protocol allows. Not
built yet: uwsgi_ssl_conf_command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from gateway.config.conf import setting
from gateway.config.directive import (
    EVERYWHERE,
    LIF,
    LOCATION,
    Command,
    Directive,
    number,
    string,
    take,
)
from gateway.config.loader import Loader, Scope
from gateway.http.module import HttpModule
from gateway.modules.http.uwsgi_codec import SECURE, UwsgiCodec
from gateway.upstream.exchange import params
from gateway.upstream.exchange.params import ParamsConf, add_param, plan_with
from gateway.upstream.exchange.pass_target import set_pass_target
from gateway.upstream.exchange.shared_directives import family
from gateway.upstream.exchange.tls_settings import tls_family

SCHEMES: Final = (b"uwsgi://",)


@dataclass(slots=True)
class LocationConf(ParamsConf):
    prefix: ClassVar[str] = "uwsgi"

    modifier1: int = setting(0)
    modifier2: int = setting(0)
    string: str = setting("")


def set_pass(conf: LocationConf, command: Command) -> None:
    set_pass_target(conf, command, SCHEMES, SECURE, redirects="fixed")


def settle(scope: Scope, loader: Loader) -> None:
    params.settle(scope, loader, module)


module = HttpModule(
    name="uwsgi",
    location=LocationConf,
    directives=(
        Directive("uwsgi_pass", LOCATION | LIF, take(1), set_pass),
        Directive("uwsgi_modifier1", EVERYWHERE, take(1), number("modifier1", minimum=0, maximum=255)),
        Directive("uwsgi_modifier2", EVERYWHERE, take(1), number("modifier2", minimum=0, maximum=255)),
        Directive("uwsgi_param", EVERYWHERE, take(2, 3), add_param),
        Directive("uwsgi_string", EVERYWHERE, take(1), string("string")),
        *tls_family("uwsgi"),
        *family("uwsgi"),
    ),
    passes=True,
    plan=plan_with(UwsgiCodec),
    settle=settle,
)
