"""GATEWAY_PURE: the plain sources in the place of what was compiled of them, for tests and for debugging.

What is written in Cython itself (name.pyx) has no plain source and runs compiled; where it has a twin in Python
(protocol.uwsgi, protocol.http1_client), the twin runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType

_PACKAGE = __name__.partition(".")[0] + "."


class PlainSources:
    """Finds name.py where the usual finder would take the extension beside it."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(_PACKAGE) or path is None:
            return None
        last = name.rpartition(".")[2]
        for folder in path:
            source = os.path.join(folder, last + ".py")
            if os.path.exists(source) and any(
                os.path.exists(os.path.join(folder, last + suffix)) for suffix in EXTENSION_SUFFIXES
            ):
                return spec_from_file_location(name, source)
        return None


def install() -> None:
    if PlainSources not in sys.meta_path:
        sys.meta_path.insert(0, PlainSources)
