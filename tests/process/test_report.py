"""The outcome of a reload, and what an end still waits for, told to who asked for it."""

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


def test_what_is_left_is_heard_without_a_wait() -> None:
    with report.Asker() as asker:
        assert report.tell(os.getpid(), report.LEFT, "2 connections")
        assert asker.heard(os.getpid()) == "2 connections"
        report.tell(os.getpid(), report.LEFT, "x")
        assert asker.heard(os.getpid() + 1) == ""
    assert not report.tell(os.getpid(), report.LEFT, "x")


def test_who_asks() -> None:
    assert os.getpid() not in report.askers()
    with report.Asker():
        assert os.getpid() in report.askers()
    assert os.getpid() not in report.askers()
