"""Build the compiled parts in place, as `build_ext --inplace` does, but several at a time.

`build.py pyx`: only those that no plain source can stand in for, which is what the first `make demo` waits for.
"""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import sys
import sysconfig
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, Final, TextIO

from setuptools import Distribution, Extension

# What is linked a second time, into one file.
_TOGETHER: Final = runpy.run_path(os.path.join(os.path.dirname(__file__), "..", "gateway", "together.py"))
NAMES: Final[frozenset[str]] = _TOGETHER["NAMES"]
HOLDER: Final[str] = _TOGETHER["HOLDER"]
# Each product is few pages, then: head, code and constants in one piece, and all addresses looked up when it is loaded,
# so that they need no table beside. (zig's linker lays them out so, and knows no name for it.)
_LINK: Final = ["-Wl,-z,noseparate-code", "-Wl,-z,now"]
# How often something is said where a line cannot be written over.
_SAY_EACH_S: Final = 20.0


def distribution() -> Distribution:
    warnings.simplefilter("ignore")  # ext-modules in pyproject.toml is called experimental
    found = Distribution({"script_name": "build"})
    found.parse_config_files()
    return found


def build(name: str, inplace: bool = True) -> str:
    """One extension, in a process of its own: translating takes as long as compiling."""
    found = distribution()
    found.ext_modules = [extension for extension in found.ext_modules or [] if extension.name == name]
    for extension in found.ext_modules:
        # Debugging information is a fifth of the work; profilers need only the symbols. With -O3, which is what many a
        # Python was made with, the code is a tenth more, takes a quarter longer, and is no faster (bench/PROFILE.md); a
        # wheel's is -O2, too. (Not in CFLAGS: setuptools takes those instead of Python's own flags.)
        extension.extra_compile_args += ["-O2", "-g0"]
        if "zig" not in (os.environ.get("CC") or sysconfig.get_config_var("CC") or ""):
            extension.extra_link_args += _LINK
    command = found.get_command_obj("build_ext")
    command.inplace = inplace
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            command.ensure_finalized()
            for extension in found.ext_modules:
                prepare(extension, command)
            command.run()
    except BaseException:
        print(said.getvalue(), file=sys.stderr)
        raise
    return name


def prepare(extension: Extension, command: Any) -> None:
    """See that the objects are there of what lies together, and that the one that holds them is linked of them."""
    if extension.name in NAMES and not os.path.exists(object_of(extension, command)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(command.build_lib, command.get_ext_filename(extension.name)))
    if extension.name == HOLDER:
        parts = [each for each in distribution().ext_modules or [] if each.name in NAMES]
        # `depends`, so that it is linked anew when one of them is newer
        extension.extra_objects = extension.depends = sorted(object_of(part, command) for part in parts)


def object_of(extension: Extension, command: Any) -> str:
    return os.path.join(command.build_temp, os.path.splitext(extension.sources[0])[0] + ".o")


def size(extension: Extension) -> int:
    return sum(os.path.getsize(source) for source in extension.sources)


def stale(extensions: list[Extension], folder: str = "gateway") -> list[str]:
    """Products of modules that are no more, with their C: they would be imported in the place of their sources."""
    named = {os.path.splitext(extension.sources[0])[0] for extension in extensions}
    found = []
    for path, _, names in os.walk(folder):
        for name in names:
            made = name.endswith((".so", ".c"))
            if made and os.path.join(path, name.partition(".")[0]) not in named:
                found.append(os.path.join(path, name))
    return sorted(found)


def compile_all(*, inplace: bool, terminal: TextIO, below: str = "") -> int:
    """The exit code; how far it is goes to the terminal. `below`: only what has its sources there."""
    extensions = sorted(distribution().ext_modules or [], key=size, reverse=True)
    if inplace:
        for name in stale(extensions):
            os.unlink(name)
    extensions = [extension for extension in extensions if extension.sources[0].startswith(below)]
    holders = [extension.name for extension in extensions if extension.name == HOLDER and not below]
    extensions = [extension for extension in extensions if extension.name != HOLDER]
    jobs = int(os.environ.get("JOBS") or len(os.sched_getaffinity(0)))
    over = terminal.isatty()
    said = began = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(build, extension.name, inplace): extension.name for extension in extensions}
        for count, each in enumerate(as_completed(waiting), 1):
            try:
                each.result()
            except BaseException as error:
                print(f"{waiting[each]} does not build: {error}", file=sys.stderr)
                pool.shutdown(cancel_futures=True)
                return 1
            now = time.monotonic()
            left = (now - began) * (len(extensions) - count) / count
            if over:
                text = f"gateway: {count} of {len(extensions)} compiled"
                text += f", {left:.0f} s left" if count > jobs else ""
                print(f"\r\x1b[K{text}", end="", file=terminal, flush=True)
            elif now - said > _SAY_EACH_S:
                said = now
                print(f"gateway: {count} of {len(extensions)} compiled", file=terminal, flush=True)
    if over:
        print("\r\x1b[K", end="", file=terminal, flush=True)
    for name in holders:
        try:
            build(name, inplace)
        except BaseException as error:
            print(f"{name} does not build: {error}", file=sys.stderr)
            return 1
    return 0


def main() -> int:
    return compile_all(inplace=True, terminal=sys.stderr, below="gateway/_fast/" if sys.argv[1:] == ["pyx"] else "")


if __name__ == "__main__":
    sys.exit(main())
