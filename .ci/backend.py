"""How `pip install` builds: setuptools' backend, in several processes, without debugging information.

Python's own flags ask for debugging information, which is four fifths of what would be installed; names of static
functions, which only a profiler reads, are a seventh of the rest. In place (`make ext`, `pip install -e`) they stay.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_sdist,
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

_STRIPPED = "-Wl,-s"


def flags() -> str:
    """For CFLAGS, which setuptools takes in the place of Python's own flags: those, and what is ours."""
    return f"{sysconfig.get_config_var('CFLAGS') or ''} {os.environ.get('CFLAGS', '')} -O2 -g0"


def lacking() -> str:
    """The one sentence for who cannot compile; nothing when all is there."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    missing, packages = [], []
    if shutil.which(compiler) is None:
        missing.append(f"a C compiler ({compiler})")
        packages.append("gcc libc6-dev")
    if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
        missing.append("Python.h")
        packages.append("python3-dev")
    if not missing:
        return ""
    return (
        f"gateway is compiled when it is installed from source, and {' and '.join(missing)} cannot be found: "
        f"on Debian or Ubuntu `sudo apt-get install {' '.join(packages)}`, or install a wheel (`make wheel` makes it)."
    )


def _ask_for_compiler() -> None:
    sentence = lacking()
    if sentence:
        print(sentence, file=sys.stderr, flush=True)
        sys.exit(1)  # pip shows what was printed; a traceback would only hide it


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    _ask_for_compiler()  # before anything is downloaded
    return build_meta.get_requires_for_build_wheel(config_settings)  # type: ignore[no-any-return]


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    _ask_for_compiler()
    return build_meta.get_requires_for_build_editable(config_settings)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _quick(base: str = "build", link: str = "") -> Iterator[None]:
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        config.write(f"[build]\nbuild_base = {base}\n")
        config.flush()
        before = {name: os.environ.get(name) for name in ("CFLAGS", "LDFLAGS", "DIST_EXTRA_CONFIG")}
        os.environ.update(CFLAGS=flags(), DIST_EXTRA_CONFIG=config.name)
        os.environ["LDFLAGS"] = f"{os.environ.get('LDFLAGS', '')} {link}".strip()
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _terminal() -> Any:
    """Where progress goes: pip keeps what a build prints to itself, and shows it only when it fails."""
    if sys.stderr.isatty():
        return sys.stderr
    try:
        return open("/dev/tty", "w")
    except OSError:
        return sys.stderr


def compile_all(*, inplace: bool, base: str = "build") -> None:
    """Everything that is not up to date; what setuptools does afterwards finds nothing left to compile."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import build

    with _quick(base, "" if inplace else _STRIPPED):
        if build.compile_all(inplace=inplace, terminal=_terminal()):
            sys.exit(1)


def build_wheel(*args: Any, base: str = "build", **options: Any) -> str:
    _ask_for_compiler()
    # What an earlier build left there of modules that are no more would be installed, too.
    shutil.rmtree(os.path.join(base, f"bdist.{sysconfig.get_platform()}"), ignore_errors=True)
    compile_all(inplace=False, base=base)
    with _quick(base, _STRIPPED):
        return build_meta.build_wheel(*args, **options)  # type: ignore[no-any-return]


def build_editable(*args: Any, **options: Any) -> str:
    _ask_for_compiler()
    compile_all(inplace=True)
    with _quick():
        return build_meta.build_editable(*args, **options)  # type: ignore[no-any-return]
