"""Whether an application is WSGI or ASGI, read from its source: nothing of it is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

WSGI, ASGI = "WSGI", "ASGI"

# What makes an ASGI application, by the last part of its name.
_MAKERS: Final = frozenset({
    "FastAPI", "Starlette", "Quart", "Litestar", "Sanic", "BlackSheep", "Esmerald", "Lilya", "Ravyn", "AsyncApp",
    "get_asgi_application", "get_default_application", "ProtocolTypeRouter", "WsgiToAsgi", "FastHTML", "asgi_app",
    "create_asgi_app", "ASGIApp", "Responder",
})  # fmt: skip
# Modules whose `app` is one wherever it comes from.
_PACKAGES: Final = frozenset({"fastapi", "starlette", "quart", "litestar", "blacksheep", "sanic", "channels"})

_ARGUMENTS: Final = 3  # scope, receive, send
_DEEPEST: Final = 3  # imports that are followed


def of(file: Path | None, name: str, folder: Path, depth: int = 0) -> str:
    """The interface of the callable of this name; `name()` is what it returns. WSGI where nothing says otherwise."""
    if file is None:
        return WSGI
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ASGI if file.name == "asgi.py" else WSGI
    found = _Module(tree, folder, file, depth).interface(name)
    return found or (ASGI if file.name == "asgi.py" else WSGI)


def is_factory(file: Path | None, name: str) -> bool:
    """Whether a function of this name takes nothing, so that it makes an application and is none."""
    if file is None or not name.isidentifier():
        return False
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            needed = len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
            return needed == 0 and not node.decorator_list
    return False


class _Module:
    def __init__(self, tree: ast.Module, folder: Path, file: Path, depth: int) -> None:
        self._tree = tree
        self._folder = folder
        self._file = file
        self._depth = depth

    def interface(self, name: str) -> str:
        called = name.endswith("()")
        name = name.removesuffix("()")
        for node in _top(self._tree.body):
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                    found = self._annotated(node) or self._value(node.value)
                    if found:
                        return found
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
                return self._function(node, called)
            elif isinstance(node, ast.ClassDef) and node.name == name:
                return self._class(node)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self._imported(node, alias.name + "()" * called)
        return ""

    def _annotated(self, node: ast.Assign | ast.AnnAssign) -> str:
        return ASGI if isinstance(node, ast.AnnAssign) and _last(node.annotation) in _MAKERS else ""

    def _value(self, value: ast.expr | None) -> str:
        """What an expression makes: the outermost call decides, and what it wraps if that is not known."""
        if isinstance(value, ast.Call):
            name = _last(value.func)
            if name in _MAKERS:
                return ASGI
            if isinstance(value.func, ast.Name):
                found = self.interface(f"{value.func.id}()")
                if found:
                    return found
            for argument in value.args:
                if found := self._value(argument):
                    return found
        elif isinstance(value, ast.Name):
            return self.interface(value.id)
        return ""

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, called: bool) -> str:
        if not called:
            arguments = len(node.args.posonlyargs) + len(node.args.args)
            return ASGI if isinstance(node, ast.AsyncFunctionDef) and arguments == _ARGUMENTS else WSGI
        if _last(node.returns) in _MAKERS:
            return ASGI
        made = {_last(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}
        return ASGI if made & _MAKERS else ""

    @staticmethod
    def _class(node: ast.ClassDef) -> str:
        """Its instances are called, or, of an application of ASGI 2, it is."""
        if any(_last(base) in _MAKERS for base in node.bases):
            return ASGI
        for each in node.body:
            if isinstance(each, ast.AsyncFunctionDef) and each.name == "__call__":
                return ASGI
        return ""

    def _imported(self, node: ast.ImportFrom, name: str) -> str:
        module = node.module or ""
        if module.partition(".")[0] in _PACKAGES:
            return ASGI
        if self._depth >= _DEEPEST:
            return ""
        folder = self._folder if node.level == 0 else self._file.parents[node.level - 1]
        path = folder.joinpath(*module.split(".")) if module else folder
        for file in (path.with_suffix(".py"), path / "__init__.py", path / f"{name.removesuffix('()')}.py"):
            if file.is_file():
                return of(file, name, self._folder, self._depth + 1)
        return ""


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported; the last binding of a name counts, so from the end."""
    for node in reversed(body):
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _top(getattr(node, "orelse", []))
            yield from _top(node.body)
        else:
            yield node


def _last(node: ast.expr | None) -> str:
    """The last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.rpartition(".")[2]
    return node.id if isinstance(node, ast.Name) else ""
