"""Which application a folder has, read from its source: nothing of the application is imported here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.dev import interface

# Looked for in this order, as flask and gunicorn users name them.
FILES: Final = ("app.py", "wsgi.py", "main.py", "asgi.py")
CALLABLES: Final = ("app", "application", "wsgi_app", "asgi_app", "create_app()", "make_app()")
# Packages that have none, whatever they define.
_NO_APPLICATIONS: Final = frozenset({"tests", "test", "docs", "scripts", "migrations", "alembic", "venv"})


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
    def asgi(self) -> bool:
        """Whether it is an ASGI application, which takes an app server that speaks HTTP to gateway."""
        return interface.of(self.file, self.callable, self.folder) == interface.ASGI

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
        if interface.is_factory(source, name):
            name += "()"  # a function that takes nothing makes an application
        return Application(module, name, folder, source)
    if source is None:
        wanted = f"{module.replace('.', '/')}.py"
        raise NoApplication(f"there is no {wanted} in {folder}; for an installed module say {module}:app")
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
    # Django keeps it one level down, beside settings.py. It makes both, and most run the first.
    for name in ("wsgi", "asgi"):
        for file in sorted(folder.glob(f"*/{name}.py")):
            for found in _callables(file):
                return Application(f"{file.parent.name}.{name}", found, folder, file)
    packages = list(_packages(folder))
    if len(packages) > 1:
        names = " or ".join(f"gateway run {each.spec}" for each in packages[:4])
        raise NoApplication(f"{folder} has more than one package with an application; say which: {names}")
    for package in packages:
        return package
    raise NoApplication(
        f"no {', '.join(FILES[:-1])} or {FILES[-1]} in {folder}, and no package with one; "
        "say which: gateway run module:callable"
    )


def _packages(folder: Path) -> Iterator[Application]:
    """Packages of this folder, or below src/, that have an application at their top or in one of FILES."""
    for root in (folder, folder / "src"):
        for init in sorted(root.glob("*/__init__.py")):
            package = init.parent
            if package.name in _NO_APPLICATIONS or not package.name.isidentifier():
                continue
            for file in (init, *(package / name for name in FILES)):
                found = next(_callables(file), None) if file.is_file() else None
                if found is not None:
                    module = package.name if file is init else f"{package.name}.{file.stem}"
                    yield Application(module, found, root, file)
                    break


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
        elif isinstance(node, ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from (node.name, f"{node.name}()")
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _names(node.body)
            yield from _names(getattr(node, "orelse", []))
