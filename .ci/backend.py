"""How `pip install` builds: setuptools' backend, several compilers at a time, no debugging information.

Python's own flags ask for debugging information, which is four fifths of what would be installed.
"""

from __future__ import annotations

import contextlib
import os
import sysconfig
import tempfile
from collections.abc import Iterator
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def flags() -> str:
    """For CFLAGS, which setuptools takes in the place of Python's own flags: those, and what is ours."""
    return f"{sysconfig.get_config_var('CFLAGS') or ''} {os.environ.get('CFLAGS', '')} -O2 -g0"


@contextlib.contextmanager
def _quick() -> Iterator[None]:
    jobs = os.environ.get("JOBS") or len(os.sched_getaffinity(0))
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        config.write(f"[build_ext]\nparallel = {jobs}\n")
        config.flush()
        before = {name: os.environ.get(name) for name in ("CFLAGS", "DIST_EXTRA_CONFIG")}
        os.environ.update(CFLAGS=flags(), DIST_EXTRA_CONFIG=config.name)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def build_wheel(*args: Any, **options: Any) -> str:
    with _quick():
        return build_meta.build_wheel(*args, **options)  # type: ignore[no-any-return]


def build_editable(*args: Any, **options: Any) -> str:
    with _quick():
        return build_meta.build_editable(*args, **options)  # type: ignore[no-any-return]
