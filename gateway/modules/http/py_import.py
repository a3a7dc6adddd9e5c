"""py_import, py_path: where the modules of Python handlers come from, and which function is meant.

All of it happens while the configuration is read, before workers are forked: a function that is not there is a mistake
of the configuration. A reload reads the code in the folders of py_path, and of files, anew.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from gateway.config.errors import ConfigError, Where

# What a package has in its metadata for modules that py_import finds by a name of its own.
GROUP: Final = "gateway.handlers"

# Of the folders of py_path, by an earlier configuration of this process: read anew for the next one.
_ours: set[str] = set()


@dataclass(slots=True)
class Function:
    """A function that a directive names; `call` is there once the configuration has been read."""

    directive: str
    name: str
    where: Where
    waits: bool = False  # whether the directive takes what has to wait
    call: Callable[..., Any] = field(default=lambda *_: None)

    def __str__(self) -> str:
        return f"{self.directive} {self.name}"


@dataclass(slots=True)
class Import:
    """One py_import."""

    name: str
    source: str
    where: Where


@dataclass(slots=True)
class Imports:
    """What one configuration says."""

    folders: list[str] = field(default_factory=list)
    wanted: list[Import] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)

    def load(self, conf_prefix: str) -> None:
        """Import the modules and find the functions. Errors: ConfigError."""
        folders = [os.path.join(conf_prefix, folder) for folder in self.folders] or [conf_prefix or os.curdir]
        with _searching(folders):
            modules = {each.name: _import(each, folders, conf_prefix) for each in self.wanted}
        for function in self.functions:
            function.call = _find(function, modules)


@contextmanager
def _searching(folders: list[str]) -> Iterator[None]:
    """With these folders before all others; what comes from them is remembered, to be read anew next time."""
    for name in _ours:
        sys.modules.pop(name, None)
    _ours.clear()
    importlib.invalidate_caches()
    before, written = set(sys.modules), sys.dont_write_bytecode
    path = list(sys.path)
    sys.path[:0] = folders
    sys.dont_write_bytecode = True  # nothing is left in folders that may be root's, or another's
    try:
        yield
    finally:
        sys.dont_write_bytecode = written
        sys.path[:] = path
        roots = [Path(folder).resolve() for folder in folders]
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and "site-packages" not in file and any(root in Path(file).resolve().parents for root in roots):
                _ours.add(name)


def _import(wanted: Import, folders: list[str], conf_prefix: str) -> Any:
    source = wanted.source
    try:
        if source.endswith(".py"):
            return _from_file(wanted.name, os.path.join(conf_prefix, source))
        if PathFinder.find_spec(source.partition(".")[0], folders) is None:
            for point in entry_points(group=GROUP, name=source):
                return point.load()
        return importlib.import_module(source)
    except (Exception, SystemExit) as error:
        raise ConfigError(f'py_import "{source}" failed: {_reason(error)}', wanted.where) from error


def _from_file(name: str, path: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _reason(error: BaseException) -> str:
    """The exception, and the last line of the user's that it came from."""
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SyntaxError):
        return f"{said} ({error.filename}:{error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    frames = [frame for frame in frames if frame.filename != __file__]
    return f"{said} ({frames[-1].filename}:{frames[-1].lineno})" if frames else said


def _find(function: Function, modules: dict[str, Any]) -> Callable[..., Any]:
    module_name, _, name = function.name.rpartition(".")
    module = modules.get(module_name)
    if module is None:
        known = f"; there is py_import {', '.join(sorted(modules))}" if modules else ""
        raise ConfigError(f'{function}: no py_import has the name "{module_name}"{known}', function.where)
    found = getattr(module, name, None)
    if not callable(found):
        what = "no such function" if found is None else f"{type(found).__name__} is no function"
        raise ConfigError(f'{function}: {what} in "{module_name}"', function.where)
    if not function.waits and _may_wait(found):
        raise ConfigError(f"{function}: {function.directive} takes a plain function, this one is async", function.where)
    call: Callable[..., Any] = found
    return call


def _may_wait(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
