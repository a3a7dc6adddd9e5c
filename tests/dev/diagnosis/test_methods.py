from __future__ import annotations

import pytest

from gateway.dev.diagnosis.methods import misread_method


@pytest.mark.parametrize(("size", "words"), [(21573, '"ET" of GET'), (16709, '"EA" of HEAD'), (21589, '"UT" of PUT')])
def test_what_uwsgi_made_of_a_method(size: int, words: str) -> None:
    assert misread_method(size) == words


def test_other_sizes_are_sizes() -> None:
    assert misread_method(6168) is None
