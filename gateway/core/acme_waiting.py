"""A certificate that is waited for: since when, what is under way, what was wrong, when it is tried again.

The worker that has the duty writes it beside the certificates; handshakes that fail, the terminal and the dashboard
read it. A terminal and the log are told by it, too.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Waiting:
    """All times are those of time.time()."""

    since: float
    step: str = ""
    problem: str = ""  # of the last try
    next: float = 0.0  # the next try; 0: one is under way

    def words(self, now: float | None = None) -> str:
        """In a line, without whose certificate it is."""
        now = time.time() if now is None else now
        asked = f"waited for since {duration(now - self.since)}"
        if self.next:
            return f"{asked}; the last try failed: {self.problem}; next try in {duration(max(self.next - now, 0.0))}"
        before = f" (the last try failed: {self.problem})" if self.problem else ""
        return f"{asked}; {self.step}{before}" if self.step else asked

    def dumped(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> Waiting | None:
        """None: it is none."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


def duration(seconds: float) -> str:
    """For people: 12 s, 5 min, 3 h."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
