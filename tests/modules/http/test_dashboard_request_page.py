"""The dashboard's pages of requests, piece by piece."""

from __future__ import annotations

import re

import pytest

from gateway.modules.http import dashboard_request_page as page
from gateway.modules.http.dashboard_curl import Curl
from gateway.modules.http.dashboard_page import cell
from gateway.modules.http.dashboard_replay import Again
from gateway.modules.http.request_history_body import Body


@pytest.mark.parametrize(("value", "shown"), [("0.750", "750"), ("12.003", "12003"), ("-", ""), (None, ""), ("", "")])
def test_milliseconds(value: object, shown: str) -> None:
    assert page.milliseconds(value) == shown


def test_a_request_with_nothing_kept() -> None:
    shown = page.request({}, "explain", Curl("curl", ("<u>",)), base="/gw/")
    assert "none kept" in shown and "whole request" in shown and "The command lacks: &lt;u&gt;." in shown


def test_a_location_in_the_list_has_its_file_without_the_path() -> None:
    places = {
        "/a (/etc/nginx/sites enabled/a.conf:3)": "/a (a.conf:3)",
        "~ ^/(x|y) (nginx.conf:12)": "~ ^/(x|y) (nginx.conf:12)",
        "@named": "@named",
    }
    for place, short in places.items():
        shown = page.listed([{"location": place}], "/gw/", "")
        assert cell(short, "place") in shown


def test_hostile_words_in_a_replay() -> None:
    made = Again("<b>", left_out=["<i>"], target="/<u>", differs=["<s>"])
    for shown in (
        page.replay_form(made, "t", [{"id": "<q>"}], "/gw/"),
        page.replay_asked({"id": "<q>"}, made, "t", "/"),
    ):
        assert not {"<b>", "<i>", "<u>", "<s>", "<q>"} & set(re.findall("<[a-z]>", shown))
    assert "<b>" not in page.replay_form(Again("GET", why_not="<b>"), "t", [], "/gw/")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (Body(b"<b>&\n", 5), ('<pre id="body">&lt;b&gt;&amp;\n</pre>', "5 bytes")),
        (Body(b"\x00<b>", 4), ("binary", "00 3c 62 3e", ".&lt;b&gt;")),
        (Body(b"", 70_000, passed=True), ("70,000 bytes", "went on as it came")),
    ],
)
def test_a_body_is_escaped(body: Body, words: tuple[str, ...]) -> None:
    shown = page.request({"body": body}, "explain", Curl("curl", ("<u>",)), base="/gw/")
    assert "<b>" not in shown.replace('<li><b>', "") and all(word in shown for word in words)
