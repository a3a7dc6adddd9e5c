"""The diagnosis at work: which family explains a line, and how often it may speak."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final

from gateway.core.logs import ERROR, LEVELS
from gateway.dev.diagnosis import answers, mixups, question
from gateway.dev.diagnosis.failure import Failure, Family
from gateway.dev.diagnosis.heard import Heard

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.exchange.exchange import Exchange

# Of one family in a minute: a scanner that asks for a thousand files gets as many lines, and not as many causes.
_MOST: Final = 10


class Explainer:
    """What gateway.http.diagnosis asks for; one for each configuration in a process. All workers share `heard`."""

    def __init__(self, families: tuple[Family, ...], heard: Heard) -> None:
        self._families = families
        self._heard = heard
        self._known: set[bytes | None] = set()  # peers that do speak what their location speaks: asked no more

    def explain(self, request: Request, message: bytes, error: OSError | None) -> bytes | None:
        """The cause, once a minute for each cause."""
        family = self._family(message)
        if family is None or self._heard.count("family", family.begins) >= _MOST:
            return None
        try:
            failure = Failure(request, message, error)
            if not self._heard.first_time(family.begins, family.key(failure)):
                return None
            self._heard.add("family", family.begins)
            text = family.text(failure)
            if text is not None and family.doubtful(failure) and failure.attempt.name not in self._known:
                self._ask(failure.exchange, _either(failure.figures(), text))
                return None
        except Exception as bug:  # a diagnosis that fails must not be one failure more
            text = f"not found out ({type(bug).__name__}: {bug})"
        if text is None:
            return None
        return text.encode("utf-8", "surrogateescape")

    def _ask(self, exchange: Exchange, line: Callable[[str | None], str | None]) -> None:
        """Ask the peer what it speaks, and write the line that follows from it, some tenths of a second later."""
        request = exchange.request
        log, number = request.location.core.error_log, request.connection.number
        lane, family = exchange.lane, exchange.conf.prefix
        name = exchange.attempt.name
        peer = (name or b"").decode("utf-8", "surrogateescape")
        address = exchange.connection.sockaddr if exchange.connection is not None else None

        async def find_out() -> None:
            speech = await question.ask(lane, address) if address is not None else None
            if speech == {"uwsgi": "uwsgi", "proxy": "HTTP"}.get(family, ""):
                self._known.add(name)
            text = line(mixups.other_protocol(family, peer, speech))
            if text is not None:
                log.write(ERROR, text, connection=number)

        # Not from inside of the fibre that has just failed.
        lane.call_later(0.0, lambda: lane.spawn(find_out()))

    def answered(self, exchange: Exchange) -> None:
        """See gateway.http.diagnosis."""
        for level, key, text in answers.on_head(exchange):
            self._note(exchange, level, key, text)
        if answers.doubtful(exchange) and self._heard.first_time("doubtful", exchange.attempt.name):
            status = exchange.attempt.status
            self._ask(exchange, lambda certain: f"upstream answered {status}. cause: {certain}" if certain else None)

    def buffers(self, exchange: Exchange) -> None:
        """See gateway.http.diagnosis."""
        if b"event-stream" in (exchange.request.response.content_type or b""):
            for level, key, text in answers.on_buffering(exchange):
                self._note(exchange, level, key, text)

    def _note(self, exchange: Exchange, level: str, key: Hashable, text: Callable[[], str]) -> None:
        """A line of our own, where nginx has none."""
        if LEVELS[level] <= exchange.request.location.core.error_log.level and self._heard.first_time(key):
            exchange.request.log(level, text())

    def _family(self, message: bytes) -> Family | None:
        for family in self._families:
            if message.startswith(family.begins):
                return family
        return None


def _either(figures: str, likely: str) -> Callable[[str | None], str]:
    """The certain cause with what was seen, else the likely ones."""
    return lambda certain: f"cause: {certain}; {figures}" if certain else f"cause: {likely}"
