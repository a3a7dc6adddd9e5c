"""limit_rate for one stream of HTTP/2, counted as nginx counts it."""

from __future__ import annotations

from gateway.http.module import Count


class Pace:
    """Compiled with the types of h2_pace.pxd."""

    def __init__(self, rate: Count, free: Count, started: float) -> None:
        """`free`: bytes before the rate holds."""
        self.rate = rate
        self.free = free
        self.started = started
        self.until = 0.0  # nothing is sent before

    def allowed(self, sent: Count, now: float) -> Count:
        """How much may go out now, when so much has; 0: `until` says when some may."""
        # whole seconds, the first of which is free
        allowed = self.rate * (int(now - self.started) + 1) - (sent - self.free)
        if allowed <= 0:
            self.until = max(self.until, now - allowed / self.rate + 0.001)
        return 0 if self.until > now else allowed

    def charge(self, before: Count, sent: Count, now: float) -> None:
        """What went out beyond the free part must have taken its time before more goes."""
        count = max(sent - self.free, 0) - max(before - self.free, 0)
        if count * 1000 >= self.rate:
            self.until = now + count / self.rate
