"""The diagnosis at work: which family explains a line, and how often it may speak."""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final

from gateway.core.logs import ERROR, LEVELS
from gateway.dev.diagnosis import answers, mixups, question, refusals
from gateway.dev.diagnosis.failure import Failure, Family
from gateway.dev.diagnosis.heard import Heard
from gateway.dev.diagnosis.redirect_trails import Trails
from gateway.http.cycle import fields_of
from gateway.modules.http.diagnosis import OFF, ON
from gateway.modules.http.diagnosis import module as probe

if TYPE_CHECKING:
    from gateway.dev.diagnosis.pages import Pages
    from gateway.dev.diagnosis.question import Speech
    from gateway.http.request import Request
    from gateway.upstream.exchange.exchange import Exchange

# Of one family in a minute: a scanner that asks for a thousand files gets as many lines, and not as many causes.
_MOST: Final = 10
# How soon a failure of the same kind is looked into again: its cause may be another one by now.
_AGAIN_S: Final = 1.0
# How long what a peer said of its protocol is taken for true.
_SPEAKS_S: Final = 10.0
_REASONS: Final = 50  # causes in a second that are looked for on behalf of records
_KEPT: Final = 1000  # kinds of failures that are remembered
_FIGURES: Final = re.compile(r"\d+(\.\d+)?( (ms|s|bytes)\b)?")


class Explainer:
    """What gateway.http.diagnosis asks for; one for each configuration in a process. All workers share `heard`."""

    def __init__(self, families: tuple[Family, ...], heard: Heard, *, ask_all: bool = False) -> None:
        self.pages: Pages | None = None  # where causes are shown to clients
        self._families = families
        self._heard = heard
        self._ask_all = ask_all  # whatever diagnosis_probe says of peers elsewhere
        self._trails = Trails()
        self._looked: dict[Hashable, float] = {}  # when a kind of failure was looked into
        self._second, self._reasons = -1.0, 0  # when causes for records were counted anew, and how many there were
        self._speech: dict[bytes | None, tuple[Speech | None, float]] = {}  # what peers said, and when

    def explain(self, request: Request, message: bytes, error: OSError | None) -> bytes | None:
        """The cause, once a minute for each cause."""
        family = self._family(message)
        self._note_for_page(family, request, message, error)
        if family is None or self._heard.count("family", family.begins) >= _MOST:
            return None
        try:
            failure = Failure(request, message, error)
            key = family.begins, family.key(failure)
            if not self._heard.first_time(*key) and not self._due(key):
                return None
            text = family.text(failure)
            if text is not None and family.doubtful(failure) and self._may_ask(failure.exchange):
                failure.spoken = True
                spoken = family.text(failure) or text
                failure.spoken, failure.silent = False, True
                silent = family.text(failure) or text
                self._ask(failure.exchange, _Line(self, key, failure.figures(), silent, spoken))
                return None
        except Exception as bug:  # a diagnosis that fails must not be one failure more
            text = f"not found out ({type(bug).__name__}: {bug})"
        if text is None or not self.is_news(key, text):
            return None
        return text.encode("utf-8", "surrogateescape")

    def reason(self, request: Request, message: bytes, error: OSError | None) -> bytes | None:
        """See gateway.http.diagnosis."""
        family = self._family(message)
        if family is None or not self._has_time():
            return None
        text = self._for_page(family, Failure(request, message, error))
        return text.encode("utf-8", "surrogateescape") if text is not None else None

    def _has_time(self) -> bool:
        """Whether one more cause may be looked for in this second, for a record alone."""
        now = time.monotonic()
        if now - self._second >= 1.0:
            self._second, self._reasons = now, 0
        self._reasons += 1
        return self._reasons <= _REASONS

    def overhear(self, request: Request, message: bytes, error: OSError | None) -> None:
        """See gateway.http.diagnosis."""
        if self.pages is not None:
            self._note_for_page(self._family(message), request, message, error)

    def _note_for_page(self, family: Family | None, request: Request, message: bytes, error: OSError | None) -> None:
        if self.pages is not None:
            self.pages.note(request, message, error, lambda: self._for_page(family, Failure(request, message, error)))

    def _for_page(self, family: Family | None, failure: Failure) -> str | None:
        """The cause for whoever waits for it, however often it was named; with what the peer said, once it has."""
        if family is None:
            return None
        try:
            if family.doubtful(failure):
                name = failure.attempt.name
                speech, until = self._speech.get(name, (None, 0.0))
                if until >= time.monotonic():
                    certain = mixups.other_protocol(failure.family, failure.peer, speech, secure=failure.secure)
                    if certain:
                        return f"{certain}; {failure.figures()}"
                    failure.spoken = right(speech, failure.family)
            return family.text(failure)
        except Exception as bug:
            return f"not found out ({type(bug).__name__}: {bug})"

    def _due(self, key: Hashable) -> bool:
        now = time.monotonic()
        if now - self._looked.get(key, -_AGAIN_S) < _AGAIN_S:
            return False
        if len(self._looked) >= _KEPT:
            self._looked.clear()
        self._looked[key] = now
        return True

    def is_news(self, key: tuple[Any, Hashable], text: str) -> bool:
        """Whether nobody has said this of such a failure in the last minute, whatever the figures in it were."""
        if not self._heard.first_time("said", key, _FIGURES.sub("", text)):
            return False
        self._heard.add("family", key[0])
        return True

    def _may_ask(self, exchange: Exchange) -> bool:
        """Whether the peer is one that may be asked what it speaks."""
        if exchange.connection is None:
            return False
        allowed = exchange.request.location.confs[probe].probe
        return self._ask_all or allowed == ON or (allowed != OFF and is_local(exchange.connection.sockaddr))

    def _ask(self, exchange: Exchange, line: Callable[[str | None, bool], str | None]) -> None:
        """Ask the peer what it speaks, and write the line that follows from it, some tenths of a second later."""
        request = exchange.request
        log, number = request.location.core.error_log, request.connection.number
        lane, family = exchange.lane, exchange.conf.prefix
        name, secure = exchange.attempt.name, exchange.codec.tls is not None
        peer = (name or b"").decode("utf-8", "surrogateescape")
        address = exchange.connection.sockaddr if exchange.connection is not None else None
        fields = fields_of(request) if log.has_forms else ()

        async def find_out() -> None:
            speech, until = self._speech.get(name, (None, 0.0))
            if until < time.monotonic():
                speech = await question.ask(lane, address) if address is not None else None
                self._speech[name] = speech, time.monotonic() + _SPEAKS_S
            text = line(mixups.other_protocol(family, peer, speech, secure=secure), right(speech, family))
            if text is not None:
                log.write(ERROR, text, connection=number, fields=fields)

        # Not from inside of the fibre that has just failed.
        lane.call_later(0.0, lambda: lane.spawn(find_out()))

    def answered(self, exchange: Exchange) -> None:
        """See gateway.http.diagnosis."""
        for level, key, text in answers.on_head(exchange, self._trails):
            self._note(exchange, level, key, text)
        if self.pages is not None and (told := refusals.mounted(exchange)) is not None:
            self._note(exchange, "notice", ("mounted", id(exchange.conf), exchange.request.uri), lambda: told)
        if answers.doubtful(exchange) and self._heard.first_time("doubtful", exchange.attempt.name):
            status = exchange.attempt.status
            own = answers.own_failure(exchange)

            def line(certain: str | None, right: bool) -> str | None:
                cause = certain or own
                return f"upstream answered {status}. cause: {cause}" if cause else None

            if self._may_ask(exchange):
                self._ask(exchange, line)
            elif own is not None:
                exchange.request.log("error", f"upstream answered {status}. cause: {own}")

    def buffers(self, exchange: Exchange) -> None:
        """See gateway.http.diagnosis."""
        if b"event-stream" in (exchange.request.response.content_type or b""):
            for level, key, text in answers.on_buffering(exchange):
                self._note(exchange, level, key, text)

    def _note(self, exchange: Exchange, level: str, key: Hashable, text: Callable[[], str]) -> None:
        """A line of our own, where nginx has none."""
        request = exchange.request
        if LEVELS[level] > request.location.core.error_log.level:
            return
        if self._heard.first_time(key):
            request.log(level, text())
        elif request.cycle.history is not None and self._has_time():
            request.cycle.history.note(request, level, text().encode("utf-8", "surrogateescape"), None)

    def _family(self, message: bytes) -> Family | None:
        for family in self._families:
            if family.knows(message):
                return family
        return None


class _Line:
    """What is said of a failure once its peer was asked: the certain cause with what was seen, else the likely ones."""

    def __init__(self, explainer: Explainer, key: tuple[Any, Hashable], figures: str, silent: str, spoken: str) -> None:
        self._explainer = explainer
        self._key = key
        self._figures = figures
        self._silent = silent  # the likely ones of a peer that said nothing
        self._spoken = spoken  # the likely ones of a peer that does speak what its location speaks

    def __call__(self, certain: str | None, right: bool) -> str | None:
        text = certain or (self._spoken if right else self._silent)
        if not self._explainer.is_news(self._key, text):
            return None
        return f"cause: {certain}; {self._figures}" if certain else f"cause: {text}"


def right(speech: Speech | None, family: str) -> bool:
    """Whether a peer speaks what its location does."""
    return speech is not None and speech == {"uwsgi": "uwsgi", "proxy": "HTTP", "fastcgi": "FastCGI"}.get(family)


def is_local(sockaddr: bytes) -> bool:
    """Whether an address is on this machine for sure: a unix socket, or loopback."""
    family = int.from_bytes(sockaddr[:2], sys.byteorder)
    if family == socket.AF_INET:
        return sockaddr[4] == 127
    if family == socket.AF_INET6:
        return ipaddress.IPv6Address(sockaddr[8:24]).is_loopback
    return family == socket.AF_UNIX
