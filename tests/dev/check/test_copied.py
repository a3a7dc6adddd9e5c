"""Sites as those write them who have copied half of it: what check finds, or what `-t` says, with the way out.

A file ends in what is wanted of it: `# finds GW325 in 11`, each of them and no others; or `# says …`, a line or a part
of one of what `-t` prints.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError, format_for_terminal
from gateway.dev.check.command import check, read
from tests.dev.check.outside import nginx_says
from tests.dev.check.sites import COPIED, settle


def _wanted(kept: Path, word: str) -> list[str]:
    return re.findall(rf"^# {word} (.*)$", kept.read_text(), re.M)


@pytest.mark.parametrize("kept", [each for each in COPIED if _wanted(each, "finds")], ids=lambda kept: kept.stem)
def test_it_is_found(kept: Path, site: Path, tmp_path: Path) -> None:
    found = check(read(str(settle(kept, tmp_path, site)), str(tmp_path)))
    assert [f"{each.rule.id} in {each.problem.where.line}" for each in found] == _wanted(kept, "finds")
    assert "[emerg]" not in nginx_says(tmp_path)


@pytest.mark.parametrize("kept", [each for each in COPIED if _wanted(each, "says")], ids=lambda kept: kept.stem)
def test_it_is_refused_with_a_way_out(kept: Path, site: Path, tmp_path: Path) -> None:
    file = settle(kept, tmp_path, site)
    with pytest.raises(ConfigError) as caught:
        read(str(file), str(tmp_path))
    said = "\n".join(format_for_terminal(each) for each in [caught.value, *caught.value.further])
    said = said.replace(f"{tmp_path}/", "")
    assert [words for words in _wanted(kept, "says") if words not in said] == [], said
    # its first line is nginx's
    nginx = nginx_says(tmp_path).replace(f"{tmp_path}/", "").splitlines()
    assert not nginx or said.splitlines()[0].removeprefix("gateway") == nginx[0].removeprefix("nginx")


def test_each_is_wanted_something_of() -> None:
    assert len(COPIED) > 30
    assert all(bool(_wanted(each, "finds")) != bool(_wanted(each, "says")) for each in COPIED)
