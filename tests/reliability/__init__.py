"""What has to hold when clients, upstreams or the machine misbehave: test_cases.py in short, __main__ at length."""

from __future__ import annotations

import importlib.util

from tests.reliability import attacks, damage, exhaustion, fairness, fuzz, reloads, soak, tls
from tests.reliability.figures import Case

# Without the extra there is no QUIC.
QUIC: tuple[Case, ...] = ()
if importlib.util.find_spec("aioquic"):
    from tests.reliability import quic

    QUIC = tuple(quic.cases)

CASES: tuple[Case, ...] = (
    *fairness.cases,
    *attacks.cases,
    *QUIC,
    *soak.cases,
    *tls.cases,
    *reloads.cases,
    *damage.cases,
    *exhaustion.cases,
    *fuzz.cases,
)
