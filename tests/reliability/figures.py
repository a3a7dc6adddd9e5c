"""What a case found: figures with their bounds, for the tests and for RESULTS.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TIMED: Final = frozenset({"s", "ms", "µs", "/s", "MB/s"})


@dataclass(frozen=True)
class Figure:
    """A measured value; `most` or `least` is what it may be at the most or least."""

    what: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool:
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    @property
    def timed(self) -> bool:
        """Whether a machine that has other work breaks its bound, too."""
        return self.unit in _TIMED

    @property
    def bound(self) -> str:
        if self.most is not None:
            return f"≤ {shown(self.most)}"
        return "" if self.least is None else f"≥ {shown(self.least)}"

    def __str__(self) -> str:
        return f"{self.what}: {shown(self.value)} {self.unit}".rstrip() + (f" ({self.bound})" if self.bound else "")


def shown(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Case:
    """`run(name of the server, its folder, how much)` with how much from 0 to 1: 0 is a second or two."""

    area: str
    name: str
    run: Callable[[str, Path, float], Iterable[Figure]]
    root: bool = False  # whether it needs the superuser


class Cases(list[Case]):
    """The cases of one area, in the order of their definition."""

    def __init__(self, area: str) -> None:
        super().__init__()
        self.area = area

    def __call__(
        self, function: Callable[[str, Path, float], Iterable[Figure]]
    ) -> Callable[[str, Path, float], Iterable[Figure]]:
        self.append(Case(self.area, function.__name__.replace("_", " "), function))
        return function


def between(much: float, little: float, long: float) -> float:
    """From `little` at 0 to `long` at 1."""
    return little + (long - little) * much
