"""At the terminal of a start: how far the certificates are that ACME is to bring, until each has come.

It runs in the process that shows the start block, which is nobody's child: it ends with the master, and when there is
nothing to wait for.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway.core.acme_store import Issuer, Wanted
    from gateway.core.acme_waiting import Waiting

_LOOK_S: Final = 0.25
# While nothing changes.
_AGAIN_S: Final = 15.0


def missing(http: Any) -> list[tuple[Issuer, Wanted]]:
    """Those that no server has yet, of an http block's cycle."""
    acme = sys.modules.get("gateway.modules.http.acme")  # which a configuration without it does not import
    if http is None or acme is None:
        return []
    issuers: dict[str, Issuer] = http.scope.conf(acme.module, "main").issuers
    found = [(issuer, wanted) for issuer in issuers.values() for wanted in issuer.wanted]
    return [(issuer, wanted) for issuer, wanted in found if not issuer.certificate(wanted)]


def announced(waited_for: list[tuple[Issuer, Wanted]]) -> list[str]:
    """Before anything is known of them: what is asked of whom, and what a client has until then."""
    return [
        f"certificate  {', '.join(wanted.hosts)}: none yet; {issuer.name} ({issuer.wish.directory}) is asked for it, "
        f"by {issuer.challenge}. Until it is here, handshakes for these names fail"
        for issuer, wanted in waited_for
    ]


class Follower:
    """What there is to say, turn by turn."""

    def __init__(self, waited_for: list[tuple[Issuer, Wanted]], say: Callable[[str], None]) -> None:
        self.left = waited_for
        self._say = say
        self._said: dict[str, tuple[str, float, float]] = {}  # by names of files: what, of which try, when
        self._since = time.time()

    def look(self) -> None:
        for issuer, wanted in list(self.left):
            hosts = ", ".join(wanted.hosts)
            if issuer.certificate(wanted):
                self.left.remove((issuer, wanted))
                self._say(f"certificate  {hosts}: it is here, after {time.time() - self._since:.0f} s")
                continue
            waiting = issuer.waiting(wanted)
            if waiting is not None and self._is_news(wanted.name, waiting):
                if not waiting.next:
                    waiting.problem = ""  # stands above
                self._say(f"certificate  {hosts}: {waiting.words()}")

    def _is_news(self, name: str, waiting: Waiting) -> bool:
        now = time.monotonic()
        step, until, when = self._said.get(name, ("", 0.0, 0.0))
        if (step, until) == (waiting.step, waiting.next) and (waiting.next or now - when < _AGAIN_S):
            return False
        self._said[name] = waiting.step, waiting.next, now
        return True


def follow(waited_for: list[tuple[Issuer, Wanted]], say: Callable[[str], None], going: Callable[[], bool]) -> None:
    """Until all are here, or `going` says that nobody waits for them any more. Errors: OSError of `say`."""
    follower = Follower(waited_for, say)
    while follower.left and going():
        follower.look()
        time.sleep(_LOOK_S)
