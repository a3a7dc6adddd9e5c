"""Compiled modules that lie in one file: what every connection meets, and what looks on.

Each product has pages, a table of calls and constants of its own. Those of the modules below, in turn with OpenSSL's,
are more than a core's caches and its table of pages hold; side by side they take fewer of all, also those that only a
site with status_zone and request_history has. `.ci/build.py` links them a second time, into the product of
`_fast/together.pyx`. Where that is not there, the import system finds each one beside its source.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from types import ModuleType
from typing import Final

# No two may have the same last part: in one file, it alone tells them apart.
_BY_PACKAGE: Final = {
    "gateway._fast": """
        cut fibre files handled head_writer header_line http1 lane openssl openssl_memory poller
        request_head request_line ring_writer sender stream timers tls tls_callbacks tls_engine tls_wire value watcher
        zone_counts zones""",
    "gateway.http": """
        client connection final_head h1_framing h1_head handshake listening locations output part paths
        redirects request request_record response""",
    "gateway.modules.http": """
        index not_modified range request_history request_history_direct static status_zone types""",
    "gateway.serving": """
        worker""",
}
NAMES: Final = frozenset(f"{package}.{name}" for package, names in _BY_PACKAGE.items() for name in names.split())
HOLDER: Final = "gateway._fast.together"
PRODUCT: Final = os.path.join(os.path.dirname(__file__), "_fast", "together" + EXTENSION_SUFFIXES[0])


class Together:
    """Finds them there."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in NAMES:
            return None
        spec = ModuleSpec(name, ExtensionFileLoader(name, PRODUCT), origin=PRODUCT)
        spec.has_location = True
        return spec


def install() -> None:
    if Together not in sys.meta_path and os.path.exists(PRODUCT):
        sys.meta_path.insert(0, Together)
