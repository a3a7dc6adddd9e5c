"""The dashboard's HTML, piece by piece."""

from __future__ import annotations

import pytest

from gateway.modules.http import dashboard_page as page
from gateway.modules.http.dashboard_tables import STATES


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


def test_states_have_a_sign_and_a_word() -> None:
    """Colour is never the only one."""
    assert all(word[0] in "▲◆■▼◇" and len(word) > 3 for _, word in STATES.values())
    assert all(sign in page.LEGEND for sign in "▲◆■▼◇")
