"""The outcome of a reload, told to who asked for it."""

from __future__ import annotations

import os

import pytest

from gateway.process import report


def test_asker_hears_the_outcome() -> None:
    asker = report.Asker()
    report.tell(os.getpid(), report.BEGAN)
    report.tell(os.getpid(), report.FAILED, "it cannot bind")
    assert asker.wait(os.getpid()) == (report.FAILED, "it cannot bind")


def test_nobody_asked() -> None:
    report.tell(os.getpid(), report.DONE, "x")
    report.tell(0, report.DONE, "x")


def test_others_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_FIRST_ANSWER_S", 0.05)
    asker = report.Asker()
    report.tell(os.getpid(), report.DONE, "x")
    assert asker.wait(os.getpid() + 1) is None


def test_long_texts_are_cut() -> None:
    asker = report.Asker()
    report.tell(os.getpid(), report.DONE, "x" * 100_000)
    answer = asker.wait(os.getpid())
    assert answer is not None
    assert set(answer[1]) == {"x"}
