"""Redirects that lead in a circle over several URLs, as the requests of one client tell them: A to B, and B to A."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

_CLIENTS: Final = 64
_STEPS: Final = 16  # of each
_WITHIN_S: Final = 20.0
_ROUNDS: Final = 2  # once round may be a login that came in between; nobody goes round twice for that

# Where a URL leads, when it last did, and how many times.
_Step = tuple[bytes, float, int]


class Trails:
    """The last redirects of the last clients."""

    def __init__(self) -> None:
        self._of: dict[Hashable, dict[bytes, _Step]] = {}

    def circle(self, client: Hashable, asked: bytes, target: bytes, now: float) -> list[bytes]:
        """The URLs of the circle that this redirect goes on in, `asked` first; none where it leads elsewhere.

        `client` tells apart whose answers may differ: its address and cookies. `now` is the lane's time.
        """
        steps = self._of[client] = self._of.pop(client, {})
        if len(self._of) > _CLIENTS:
            del self._of[next(iter(self._of))]
        before = steps.pop(asked, None)
        again = before is not None and before[0] == target and now - before[1] <= _WITHIN_S
        steps[asked] = target, now, (before[2] + 1 if before is not None and again else 1)
        if len(steps) > _STEPS:
            del steps[next(iter(steps))]
        found: list[bytes] = []
        at = asked
        while at not in found:
            step = steps.get(at)
            if step is None or step[2] < _ROUNDS or now - step[1] > _WITHIN_S:
                return []
            found.append(at)
            at = step[0]
        return found if at == asked and len(found) > 1 else []
