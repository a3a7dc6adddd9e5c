"""Build the compiled parts in place, as `build_ext --inplace` does, but several at a time."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed

from setuptools import Distribution, Extension


def distribution() -> Distribution:
    warnings.simplefilter("ignore")  # ext-modules in pyproject.toml is called experimental
    found = Distribution({"script_name": "build"})
    found.parse_config_files()
    return found


def build(name: str) -> str:
    """One extension, in a process of its own: translating takes as long as compiling."""
    found = distribution()
    found.ext_modules = [extension for extension in found.ext_modules or [] if extension.name == name]
    for extension in found.ext_modules:
        # Debugging information is a fifth of the work; profilers need only the symbols. (Not in CFLAGS: setuptools
        # takes those instead of Python's own flags, so that nothing would be optimised.)
        extension.extra_compile_args.append("-g0")
    command = found.get_command_obj("build_ext")
    command.inplace = True
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
        command.ensure_finalized()
        command.run()
    return name


def size(extension: Extension) -> int:
    return sum(os.path.getsize(source) for source in extension.sources)


def main() -> int:
    extensions = sorted(distribution().ext_modules or [], key=size, reverse=True)
    jobs = int(os.environ.get("JOBS") or len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(build, extension.name): extension.name for extension in extensions}
        for count, each in enumerate(as_completed(waiting), 1):
            try:
                each.result()
            except BaseException as error:
                print(f"{waiting[each]} does not build: {error}", file=sys.stderr)
                pool.shutdown(cancel_futures=True)
                return 1
            if sys.stderr.isatty():
                print(f"\r{count} of {len(extensions)} built", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
