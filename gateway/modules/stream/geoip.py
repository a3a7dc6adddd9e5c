"""stream_geoip: where the client of a session is at home, see http's geoip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.config.directive import Context, Directive, take
from gateway.core.variables import Getter, Variable, cached
from gateway.modules.http.geoip import FIELDS, Databases, Path, database_setter, record_of, text_at
from gateway.stream.module import StreamModule

if TYPE_CHECKING:
    from gateway.stream.session import Session

_WHERE: Final = Context.STREAM


def _getter(name: str, which: str, path: Path) -> Getter:
    def get(session: Session) -> bytes | None:
        settings: Databases = session.listening.cycle.scope.conf(module, "main")
        host = session.remote()[0]
        address = None if host.startswith(b"unix:") else host.decode("latin-1")
        return text_at(record_of(getattr(settings, which), address), path)

    return cached(name, get)


module = StreamModule(
    name="stream_geoip",
    main=Databases,
    directives=(
        Directive("geoip_country", _WHERE, take(1, 2), database_setter("country"), level="main"),
        Directive("geoip_org", _WHERE, take(1, 2), database_setter("org"), level="main"),
        Directive("geoip_city", _WHERE, take(1, 2), database_setter("city"), level="main"),
    ),
    variables=tuple(Variable(name, _getter(name, which, path)) for name, which, path in FIELDS),
)
