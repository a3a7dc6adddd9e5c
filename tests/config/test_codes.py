"""codes: each of nginx's messages has a kind of its own, and each kind an example that loads when it is mended."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from gateway.config import codes
from gateway.config.codes import KINDS, kind_of
from gateway.config.errors import ConfigError
from gateway.dev.check.command import read
from tests import mistake_pages
from tests.conformance.test_mistakes import MISTAKES
from tests.mistake_pages import EXAMPLES, as_file


def test_codes_are_given_once() -> None:
    assert len({kind.code for kind in KINDS}) == len({kind.name for kind in KINDS}) == len(KINDS)
    assert [kind.code for kind in KINDS] == sorted(kind.code for kind in KINDS)


def test_nginxs_messages_have_kinds() -> None:
    """Of the messages of 1,200 wrong configurations, none is of no kind, and each kind that they can show is there."""
    counts = Counter(kind_of(re.sub(r" in FILE:\d+$", "", each.ours)).code for each in MISTAKES if each.ours)
    assert counts.pop("GW099", 0) == 0
    assert len(counts) >= 20
    assert sum(counts.values()) > 1200


def test_each_kind_has_an_example() -> None:
    assert list(EXAMPLES) == [kind.code for kind in KINDS if kind.name != "other"]


def _says(text: str, folder: Path) -> tuple[str, ConfigError | None]:
    (folder / "nginx.conf").write_text(as_file(text))
    try:
        read(str(folder / "nginx.conf"))
    except ConfigError as error:
        return str(error).replace(str(folder / "nginx.conf"), "FILE").replace(str(folder), "FOLDER"), error
    return "", None


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples(code: str, tmp_path: Path) -> None:
    example = EXAMPLES[code]
    assert kind_of(re.sub(r" in FILE:\d+$", "", example["says"])).code == code
    if example["wrong"]:
        said, error = _says(example["wrong"], tmp_path)
        assert example["says"] in said
        assert error is not None and kind_of(error.message).code == code
    if example["mended"]:
        assert _says(example["mended"], tmp_path)[0] == ""


def test_help() -> None:
    assert codes.about("gw001").startswith("GW001 unknown-directive\n")
    assert codes.about("unknown-directive") == codes.about("GW001")
    assert "mistakes.md#gw001-unknown-directive" in codes.about("GW001")
    assert codes.about("GW000") == ""


def test_the_page_is_as_written() -> None:
    assert mistake_pages.PAGE.read_text() == mistake_pages.text(), "python -m tests.mistake_pages"
