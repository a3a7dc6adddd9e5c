from __future__ import annotations

import pytest

from gateway.mail.session import Session
from tests.mail_engine import serving


async def test_a_bug_ends_its_session_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(session: Session) -> None:
        raise RuntimeError("oh")

    async with serving("server { listen 1; protocol imap; }") as engine:
        with monkeypatch.context() as patch:
            patch.setattr(Session, "_serve", broken)
            async with engine.client() as client:
                assert await client.ended()
        (line,) = engine.logged("internal error")
        assert "[alert]" in line and "RuntimeError: oh" in line
        engine.log.lines.clear()
        async with engine.client() as client:
            assert await client.line() == b"* OK IMAP4 ready"
