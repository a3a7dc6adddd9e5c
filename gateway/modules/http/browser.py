"""browser: what kind of browser asks, by its User-Agent; `$modern_browser`, `$ancient_browser`, `$msie`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, Command, Directive, at_least, take
from gateway.config.text import to_bytes
from gateway.config.units import number_of
from gateway.core.variables import Getter, Variable, cached
from gateway.http.module import HttpModule
from gateway.http.user_agent import is_msie

if TYPE_CHECKING:
    from gateway.http.request import Request


class Kind(NamedTuple):
    """How a browser names itself: behind so many bytes of the field this word, and so much further its version."""

    skip: int
    version_at: int
    word: bytes


# In the order in which they are looked for: Opera says that it is others, too.
_KINDS: Final = {
    "opera": Kind(0, 6, b"Opera"),
    "msie": Kind(len("Mozilla/4.0 (compatible; "), 5, b"MSIE "),
    "gecko": Kind(len("Mozilla/5.0 ("), 3, b"rv:"),
    "safari": Kind(len("Mozilla/5.0 ("), 7, b"Safari/"),
    "konqueror": Kind(len("Mozilla/5.0 (compatible; "), 10, b"Konqueror/"),
}
_OPERA: Final = _KINDS["opera"]
# Of an Opera that is not listed: it must not pass for the MSIE that it names, so no version of it is modern.
_NEVER: Final = 4_001_000_000
_FIRST: Final = 1_000_000  # what a version's first number counts; each further one a hundredth
_NETSCAPE4: Final = re.compile(rb"Mozilla/[1-4].{5}", re.DOTALL)
_VERSION: Final = re.compile(rb"[0-9.]*")


def version_of(text: bytes) -> int:
    """The number that nginx makes of "5.01.2"."""
    total, scale = 0, _FIRST
    for number in text.split(b"."):
        total += number_of(number or b"0") * scale
        scale //= 100
    return total


@dataclass(slots=True)
class LocationConf(Conf):
    modern: list[tuple[Kind, int]] | None = setting(None)  # (Kind, least version), in the order of _KINDS
    unlisted: bool = setting(False)
    ancient: list[bytes] | None = setting(None)
    netscape4: bool = setting(False)
    modern_value: bytes = setting(b"1")
    ancient_value: bytes = setting(b"1")

    def merge(self, outer: LocationConf | None, nameless: bool = False) -> None:
        # a block's own list stands for both of a pair
        if self.modern is not UNSET or self.unlisted is not UNSET:
            self.modern = None if self.modern is UNSET else self._in_order()
            self.unlisted = self.unlisted is not UNSET
        if self.ancient is not UNSET or self.netscape4 is not UNSET:
            self.ancient = None if self.ancient is UNSET else self.ancient
            self.netscape4 = self.netscape4 is not UNSET
        Conf.merge(self, outer, nameless)

    def _in_order(self) -> list[tuple[Kind, int]]:
        listed = self.modern or []
        if not any(kind is _OPERA for kind, _ in listed):
            listed = [*listed, (_OPERA, _NEVER)]
        order = list(_KINDS.values())
        return sorted(listed, key=lambda item: order.index(item[0]))


def set_modern(conf: LocationConf, command: Command) -> None:
    """modern_browser NAME VERSION | unlisted."""
    name, *version = command.args
    if not version:
        if name != "unlisted":
            command.fail(f'invalid number of arguments in "{command.name}" directive')
        conf.unlisted = True
        return
    kind = _KINDS.get(name.lower())
    if kind is None:
        command.fail(f'unknown browser name "{name}"')
    if not re.fullmatch(r"[0-9.]*", version[0]):
        command.fail(f'invalid browser version "{version[0]}"')
    conf.modern = [*(conf.modern or ()), (kind, version_of(to_bytes(version[0])))]


def set_ancient(conf: LocationConf, command: Command) -> None:
    """ancient_browser STRING … | netscape4."""
    for word in command.args:
        if word == "netscape4":
            conf.netscape4 = True
        else:
            conf.ancient = [*(conf.ancient or ()), to_bytes(word)]


def _value(field_name: str) -> Any:
    def set_value(conf: LocationConf, command: Command) -> None:
        # the last one holds
        setattr(conf, field_name, to_bytes(command.args[0]))

    return set_value


def is_modern(settings: LocationConf, agent: bytes | None) -> bool:
    """nginx's judgement: the first kind of the list that the field names decides by its version."""
    if agent is None:
        return bool(settings.unlisted)
    if settings.modern is not None:
        for kind, least in settings.modern:
            at = agent.find(kind.word, kind.skip)
            if at < 0 or at + kind.version_at >= len(agent):
                continue
            found = _VERSION.match(agent, at + kind.version_at)
            assert found is not None
            return bool(version_of(found[0]) >= least)
        if not settings.unlisted:
            return False
    if settings.netscape4 and _NETSCAPE4.match(agent):
        return False
    if any(word in agent for word in settings.ancient or ()):
        return False
    return bool(settings.unlisted)


def _getter(name: str, modern: bool) -> Getter:
    def get(request: Request) -> bytes | None:
        settings: LocationConf = request.location.confs[module]
        if is_modern(settings, request.main.head.user_agent) is not modern:
            return b""
        value: bytes = settings.modern_value if modern else settings.ancient_value
        return value

    return cached(name, get)


def msie(request: Request) -> bytes | None:
    """$msie: "1" for what says that it is Internet Explorer, and not Opera."""
    agent: bytes = request.main.head.user_agent or b""
    return b"1" if is_msie(agent) else b""


module = HttpModule(
    name="browser",
    location=LocationConf,
    directives=(
        Directive("modern_browser", EVERYWHERE, take(1, 2), set_modern),
        Directive("ancient_browser", EVERYWHERE, at_least(1), set_ancient),
        Directive("modern_browser_value", EVERYWHERE, take(1), _value("modern_value")),
        Directive("ancient_browser_value", EVERYWHERE, take(1), _value("ancient_value")),
    ),
    variables=(
        Variable("modern_browser", _getter("modern_browser", True), changeable=True),
        Variable("ancient_browser", _getter("ancient_browser", False), changeable=True),
        Variable("msie", cached("msie", msie), changeable=True),
    ),
)
