"""The rule that refused: allow and deny by the first that holds the client, limits by their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.diagnosis.asking import cause, causes, explaining


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ("deny all;", "deny all (nginx.conf:4)"),
        ("allow 10.0.0.0/8; deny 127.0.0.0/8; deny all;", "deny 127.0.0.0/8 (nginx.conf:4)"),
        ("deny ::1; deny unix:; allow 1.2.3.4; deny all;", "deny all (nginx.conf:4)"),
    ],
)
async def test_the_first_that_holds(tmp_path: Path, rules: str, named: str) -> None:
    async with explaining(f"diagnosis_page local; {rules} location / {{ root {tmp_path}; }}", tmp_path) as engine:
        assert (await engine.get("/x")).status == 403
        assert cause(engine) == f"{named} is the first allow or deny of its block that holds 127.0.0.1"


async def test_an_inner_block_has_its_own(tmp_path: Path) -> None:
    async with explaining("diagnosis_page local; deny 127.0.0.1;\nlocation / { deny all; }", tmp_path) as engine:
        assert (await engine.get("/x")).status == 403
        assert cause(engine).startswith("deny all (nginx.conf:5) is the first")


async def test_a_limit(tmp_path: Path) -> None:
    zone = "limit_req_zone $remote_addr zone=one:1m rate=1r/m;"
    text = "diagnosis_page local; limit_req zone=one; location / { return 204; }\nlocation /x/ { }"
    async with explaining(text, tmp_path, zone) as engine:
        await engine.get("/x/")
        assert (await engine.get("/x/")).status == 503
        assert "limit_req zone=one (nginx.conf:4) is spent" in causes(engine)


async def test_no_second_line_in_production(tmp_path: Path) -> None:
    async with explaining("deny all; location / { }", tmp_path) as engine:
        assert (await engine.get("/x")).status == 403
        assert len(engine.log.lines) == 1 and "access forbidden by rule" in engine.log.lines[0]
