"""What the diagnosis of failures may do.

diagnosis_probe: which upstreams may be asked, after a failure without an answer, what protocol they speak. This is
gateway's own: nginx asks nobody. The question is a connection of its own, with some bytes of uwsgi's ping, of HTTP, or
of TLS, so by default only peers on this machine hear it (`local`: unix sockets and loopback); `on` asks all, `off`
none.

diagnosis_page: whether the page of a failure says its cause. `local`, which `gateway run` has: to browsers on this
machine; `on`: to everybody; `off`, what holds anywhere else: to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import HTTP, LOCATION, SERVER, Directive, enum_, take
from gateway.http.module import HttpModule

LOCAL: Final = "local"
ON: Final = "on"
OFF: Final = "off"
_WORDS: Final = {word: word for word in (LOCAL, ON, OFF)}


@dataclass(slots=True)
class LocationConf(Conf):
    probe: str = setting(LOCAL)
    page: str = setting("")  # nobody has said: what starts the server may


module = HttpModule(
    name="diagnosis",
    location=LocationConf,
    directives=(
        Directive("diagnosis_probe", HTTP | SERVER | LOCATION, take(1), enum_("probe", _WORDS)),
        Directive("diagnosis_page", HTTP | SERVER | LOCATION, take(1), enum_("page", _WORDS)),
    ),
)
