"""What the tests of check share: the site that its cases name, and its names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dev.check.cases import make_site, names_of_cases


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files and certificates of the cases."""
    folder = tmp_path_factory.mktemp("site")
    make_site(folder)
    return folder


@pytest.fixture(autouse=True)
def names() -> Iterator[None]:
    """Names below site.org are there."""
    with names_of_cases():
        yield
