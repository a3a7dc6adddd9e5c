"""What has to hold when clients, upstreams or the machine misbehave: test_cases.py in short, __main__ at length."""

from __future__ import annotations

from tests.reliability import attacks, damage, exhaustion, fairness, fuzz, reloads, soak
from tests.reliability.figures import Case

CASES: tuple[Case, ...] = (
    *fairness.cases,
    *attacks.cases,
    *soak.cases,
    *reloads.cases,
    *damage.cases,
    *exhaustion.cases,
    *fuzz.cases,
)
