"""What the modules of CGI-like protocols (uwsgi, FastCGI, SCGI) have in common: the rules of `*_param`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.conf import UNSET, setting
from gateway.config.directive import Command
from gateway.config.loader import Loader, Scope
from gateway.config.text import to_bytes
from gateway.http.common_variables import host_and_port
from gateway.http.module import NOTHING, Contribution
from gateway.http.setters import default_temp_path, template
from gateway.protocol.params import header_param
from gateway.upstream.cache import preconditions
from gateway.upstream.exchange.conf import UpstreamConf

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.http.locations import Location
    from gateway.http.module import HttpModule
    from gateway.protocol.params import Param
    from gateway.upstream.exchange.codec import Codec
    from gateway.upstream.exchange.pass_target import PassTarget


@dataclass(slots=True)
class ParamsConf(UpstreamConf):
    passing: PassTarget | None = setting(None, inherit=False)  # what *_pass said
    params: tuple[tuple[bytes, Template, bool], ...] = setting(())  # (name, Template, if_not_empty)


def add_param(conf: ParamsConf, command: Command) -> None:
    """`*_param name value [if_not_empty]`."""
    name, value, *rest = command.args
    if rest and rest[0] != "if_not_empty":
        command.fail(f'invalid parameter "{rest[0]}"')
    earlier = () if conf.params is UNSET else conf.params
    conf.params = (*earlier, (to_bytes(name), template(command, value), bool(rest)))


def settle(scope: Scope, loader: Loader, module: HttpModule) -> None:
    """Where the http block is read: the defaults that need the prefix."""
    default_temp_path(scope, loader, module, "temp_path", f"{module.name}_temp")


def params_of(conf: ParamsConf, *, caching: bool = False) -> list[Param]:
    """The params of a location as an encoder wants them, with nginx's own HTTP_HOST.

    `caching`: the client's conditions are replaced by those of the cache.
    """
    params: list[Param] = [(name, value.shortest, skip) for name, value, skip in conf.params]
    own: list[Param] = [(b"HTTP_HOST", host_and_port, True)]
    if caching:
        own += [(header_param(name), value, True) for name, value in preconditions.FIELDS]
    given = {name.upper() for name, _, _ in params}
    return params + [param for param in own if param[0] not in given]


def plan_with(codec: Callable[..., Codec]) -> Callable[[Any, Location], Contribution]:
    """The `plan` of a module whose `*_pass` names an address alone: requests go there with this codec."""

    def plan(conf: ParamsConf, location: Location) -> Contribution:
        passing: PassTarget | None = conf.passing
        if passing is None:
            return NOTHING
        caching = codec(conf, caching=True) if conf.cache is not None else None
        plain = passing.handler(conf, codec(conf), caching_codec=caching)
        if not passing.secure:
            return Contribution(content=plain)
        tls = conf.client_tls
        caching = codec(conf, caching=True, tls=tls) if conf.cache is not None else None
        secured = passing.handler(conf, codec(conf, tls=tls), caching_codec=caching)
        return Contribution(content=passing.by_scheme(plain, secured))

    return plan
