"""The dashboard's HTML, piece by piece."""

from __future__ import annotations

import re

import pytest

from gateway.modules.http import dashboard_page as page
from gateway.modules.http.dashboard_replay import Again


@pytest.mark.parametrize(
    ("value", "shown"),
    [("<b>", "&lt;b&gt;"), ("\"'&", "&quot;&#x27;&amp;"), ("a\0\ud800b", "a\ufffd\ufffdb"), (7, "7")],
)
def test_everything_is_escaped(value: object, shown: str) -> None:
    assert page.text(value) == shown
    assert page.cell(value) == f"<td>{shown}</td>"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (200 << 20, "200 MiB"), (5 << 40, "5120 GiB")]
)
def test_sizes(count: int, shown: str) -> None:
    assert page.size(count) == shown


@pytest.mark.parametrize(("value", "shown"), [("0.750", "750"), ("12.003", "12003"), ("-", ""), (None, ""), ("", "")])
def test_milliseconds(value: object, shown: str) -> None:
    assert page.milliseconds(value) == shown


def test_a_request_with_nothing_kept() -> None:
    shown = page.request({}, "explain", "curl", base="/gw/")
    assert "none kept" in shown and "whole request" in shown


def test_states_have_a_sign_and_a_word() -> None:
    """Colour is never the only one."""
    assert all(word[0] in "▲◆■▼◇" and len(word) > 3 for _, word in page._STATES.values())
    assert all(sign in page.LEGEND for sign in "▲◆■▼◇")


def test_a_location_in_the_list_has_its_file_without_the_path() -> None:
    places = {
        "/a (/etc/nginx/sites enabled/a.conf:3)": "/a (a.conf:3)",
        "~ ^/(x|y) (nginx.conf:12)": "~ ^/(x|y) (nginx.conf:12)",
        "@named": "@named",
    }
    for place, short in places.items():
        shown = page.listed([{"location": place}], "/gw/", "")
        assert page.cell(short, "place") in shown


def test_hostile_words_in_a_replay() -> None:
    made = Again("<b>", left_out=["<i>"], target="/<u>", differs=["<s>"])
    for shown in (
        page.replay_form(made, "t", [{"id": "<q>"}], "/gw/"),
        page.replay_asked({"id": "<q>"}, made, "t", "/"),
    ):
        assert not {"<b>", "<i>", "<u>", "<s>", "<q>"} & set(re.findall("<[a-z]>", shown))
    assert "<b>" not in page.replay_form(Again("GET", why_not="<b>"), "t", [], "/gw/")
