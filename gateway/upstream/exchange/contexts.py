"""`*_ssl_certificate_cache`: contexts whose certificate is named by variables, kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class ContextCache(Generic[Made]):
    """At most `most` contexts, each for `valid_s`, or until nobody asked for it for `inactive_s`."""

    def __init__(self, most: int, inactive_s: float, valid_s: float) -> None:
        self.most = most
        self.inactive_s = inactive_s
        self.valid_s = valid_s
        self._kept: OrderedDict[Hashable, _Kept[Made]] = OrderedDict()

    def get(self, key: Hashable, now: float, make: Callable[[], Made]) -> Made:
        """The context for this certificate and key; what `make` raises passes through."""
        kept = self._kept
        while kept:
            oldest = next(iter(kept))
            if now - kept[oldest].used <= self.inactive_s and len(kept) <= self.most:
                break
            del kept[oldest]
        found = kept.get(key)
        if found is None or now - found.made > self.valid_s:
            found = _Kept(make(), now)
            kept.pop(key, None)
            if len(kept) >= self.most:
                kept.popitem(last=False)
            kept[key] = found
        found.used = now
        kept.move_to_end(key)
        return found.context


class _Kept(Generic[Made]):
    __slots__ = ("context", "made", "used")

    def __init__(self, context: Made, now: float) -> None:
        self.context = context
        self.made = self.used = now
