from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests import terminal_pictures
from tests.terminal_pictures import FOLDER, PICTURES


@pytest.mark.parametrize("name", PICTURES)
def test_they_show_what_the_commands_say(name: str) -> None:
    command, words = PICTURES[name]
    svg = terminal_pictures.drawn(command, words)
    ElementTree.fromstring(svg)
    assert (FOLDER / f"{name}.svg").read_text("utf-8") == svg, "python -m tests.terminal_pictures"
    assert f"images/{name}.svg" in (FOLDER.parent / "tools.md").read_text("utf-8")


def test_what_is_in_them() -> None:
    said = terminal_pictures.said(PICTURES["check"][0])
    assert any("GW101" in line and line.startswith("/srv/shop/nginx.conf:8: error: ") for line in said)
    assert "+        location /static/ { alias static/; }" in said
