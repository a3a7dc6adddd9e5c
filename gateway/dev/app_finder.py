"""Which WSGI application a folder has, read from its source: nothing of the application is imported here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Looked for in this order, as flask and gunicorn users name them.
FILES: Final = ("app.py", "wsgi.py", "main.py")
CALLABLES: Final = ("app", "application", "wsgi_app", "create_app()", "make_app()")


class NoApplication(Exception):
    """There is none, or it is not where it was said to be; the text is for the user."""


@dataclass(frozen=True, slots=True)
class Application:
    """A module and what in it is called."""

    module: str
    callable: str
    folder: Path  # goes on sys.path
    file: Path | None  # None when the module is installed somewhere else

    @property
    def spec(self) -> str:
        """The form in which uWSGI and gunicorn take it."""
        return f"{self.module}:{self.callable}"


def find(spec: str | None, folder: Path) -> Application:
    """`module:callable`, `module`, `file.py`, or nothing: then the first of FILES that has an application."""
    if spec is None:
        return _search(folder)
    module, _, name = spec.partition(":")
    if module.endswith(".py") or "/" in module:
        file = (folder / module).resolve()
        if file.is_dir():
            return _search(file)
        if not file.is_file():
            raise NoApplication(f"there is no file {file}")
        folder, module = file.parent, file.stem
    if not all(part.isidentifier() for part in module.split(".")):
        raise NoApplication(f'"{spec}" is no application: it should look like app:app (module:callable)')
    source = _source_of(module, folder)
    if name:
        return Application(module, name, folder, source)
    if source is None:
        raise NoApplication(f"there is no {module}.py in {folder}; for an installed module say {module}:app")
    for found in _callables(source):
        return Application(module, found, folder, source)
    raise NoApplication(f"{source} has none of {', '.join(CALLABLES)} at its top level; say which: {module}:NAME")


def _search(folder: Path) -> Application:
    seen = [folder / name for name in FILES if (folder / name).is_file()]
    for file in seen:
        for found in _callables(file):
            return Application(file.stem, found, folder, file)
    if seen:
        raise NoApplication(
            f"{' and '.join(file.name for file in seen)} in {folder}: no {', '.join(CALLABLES)} at the top level; "
            f"say which: gateway run {seen[0].stem}:NAME"
        )
    # Django keeps it one level down, beside settings.py.
    for file in sorted(folder.glob("*/wsgi.py")):
        for found in _callables(file):
            return Application(f"{file.parent.name}.wsgi", found, folder, file)
    raise NoApplication(f"no {' or '.join(FILES)} in {folder}; say which: gateway run module:callable")


def _source_of(module: str, folder: Path) -> Path | None:
    path = folder.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def _callables(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        # The app server shows the error with its traceback; any name does to get there.
        yield CALLABLES[0]
        return
    names = set(_names(tree.body))
    yield from (c for c in CALLABLES if c in names)


def _names(body: list[ast.stmt]) -> Iterator[str]:
    """What a module binds at its top level; a function also as its call."""
    for node in body:
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                name = alias.asname or alias.name
                yield from (name, f"{name}()")
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from (node.name, f"{node.name}()")
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _names(node.body)
            yield from _names(getattr(node, "orelse", []))
