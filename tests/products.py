"""What is compiled: the table of all products, their dependencies, their fields; `python -m tests.products` writes it.

A product comes of name.pyx, which is Cython, or of name.py with name.pxd, which is plain Python compiled as it stands.
"""

from __future__ import annotations

import ast
import functools
import re
import sysconfig
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway import together

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "gateway"
TABLE = SOURCES / "_fast" / "PRODUCTS.md"
_SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")

# In Cython only, with a twin in Python that GATEWAY_PURE takes, and that tests compare.
TWINS = {
    "gateway._fast.uwsgi": "protocol.uwsgi.PlainEncoder",
    "gateway._fast.http1_request": "protocol.http1_client.PlainRequestEncoder",
    "gateway.modules.http.request_history_direct": "modules.http.request_history.Keep",
}


@dataclass(frozen=True)
class Product:
    name: str
    source: Path

    @property
    def plain(self) -> bool:
        return self.source.suffix == ".py"

    @property
    def types(self) -> Path:
        return self.source.with_suffix(".pxd")

    @property
    def built(self) -> Path:
        return self.source.with_name(self.source.stem + _SUFFIX)

    @property
    def test(self) -> str:
        """Its test file, below tests/; of what is in _fast, it may be in any folder."""
        name = f"test_{self.source.stem}.py"
        own = ROOT / "tests" / self.source.relative_to(SOURCES).parent / name
        found = [own] if own.exists() else sorted((ROOT / "tests").rglob(name)) if "_fast" in self.name else []
        return str(found[0].relative_to(ROOT / "tests")) if found else "by those of its callers"

    @property
    def purpose(self) -> str:
        """The first sentence of its docstring."""
        text = re.search(r'"""(.*?)"""', self.source.read_text("utf-8"), re.DOTALL)
        return re.split(r"\.\s|\n\n", text[1].strip())[0].replace("\n", " ").rstrip(".") if text else ""


@functools.cache
def products() -> list[Product]:
    """All that pyproject.toml has compiled."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return sorted(
        (Product(each["name"], ROOT / each["sources"][0]) for each in asked["tool"]["setuptools"]["ext-modules"]),
        key=lambda product: product.name,
    )


def compilable() -> set[Path]:
    """The sources that are there to be compiled."""
    return {*SOURCES.rglob("*.pyx"), *(path.with_suffix(".py") for path in SOURCES.rglob("*.pxd"))} - {
        path.with_suffix(".py") for path in SOURCES.rglob("*.pyx")
    } - {path for path in (path.with_suffix(".py") for path in SOURCES.rglob("*.pxd")) if not path.exists()}


# -- freshness -------------------------------------------------------------------------------------------------------

_CIMPORT = re.compile(r"^\s*(?:from\s+(gateway[\w.]*)\s+cimport|cimport\s+(gateway[\w.]*))", re.MULTILINE)


@functools.cache
def _cimports(path: Path) -> tuple[Path, ...]:
    """The .pxd files that this one asks for, directly."""
    found = _CIMPORT.findall(path.read_text("utf-8")) if path.exists() else []
    names = {first or second for first, second in found}
    return tuple(ROOT / (name.replace(".", "/") + ".pxd") for name in sorted(names))


def inputs(product: Product) -> set[Path]:
    """The files that the product is made of."""
    seen: set[Path] = set()
    waiting = [product.source, product.types]
    while waiting:
        path = waiting.pop()
        if path not in seen and path.exists():
            seen.add(path)
            waiting += _cimports(path)
    if product.name == together.HOLDER:
        seen.update(each.built for each in products() if each.name in together.NAMES)
    return seen


def stale() -> str | None:
    """One sentence where a product is missing or older than what it is made of."""
    for product in products():
        if not product.built.exists():
            return f"{product.built.relative_to(ROOT)} is not there: `make ext` builds it"
        made = product.built.stat().st_mtime
        for path in inputs(product):
            if path.stat().st_mtime > made:
                return (
                    f"{path.relative_to(ROOT)} is newer than {product.built.name}: "
                    "`make ext`, or the tests would try what it was before"
                )
    return None


# -- fields ----------------------------------------------------------------------------------------------------------

_CLASS = re.compile(r"^cdef class (\w+)(?:\(([\w.]+)\))?:$")
_FIELD = re.compile(r"^    cdef (?:[\w.]+ )+\**(\w+(?:, \**\w+)*)$")
_METHOD = re.compile(r"^    (?:cdef|cpdef) .*?(\w+)\(self")


@dataclass
class Declared:
    """A class of a .pxd."""

    name: str
    base: str | None
    fields: set[str]
    methods: set[str]


def declared(types: Path) -> list[Declared]:
    classes: list[Declared] = []
    for line in types.read_text("utf-8").splitlines():
        line = line.split("#")[0].rstrip()
        if found := _CLASS.match(line):
            classes.append(Declared(found[1], found[2], set(), set()))
        elif line and not line.startswith(" "):
            classes.append(Declared("", None, set(), set()))  # what follows is no class's
        elif classes and (found := _METHOD.match(line)):
            classes[-1].methods.add(found[1])
        elif classes and (found := _FIELD.match(line)):
            classes[-1].fields |= {name.strip() for name in found[1].split(",")}
    return [each for each in classes if each.name]


def assigned(node: ast.ClassDef) -> set[str]:
    """The attributes of self that the class sets in its methods."""
    found = set()
    for inner in ast.walk(node):
        targets: list[ast.expr] = []
        if isinstance(inner, ast.Assign):
            targets = inner.targets
        elif isinstance(inner, ast.AnnAssign | ast.AugAssign):
            targets = [inner.target]
        for target in targets:
            for each in ast.walk(target):
                if (
                    isinstance(each, ast.Attribute)
                    and isinstance(each.ctx, ast.Store)
                    and isinstance(each.value, ast.Name)
                    and each.value.id == "self"
                ):
                    found.add(each.attr)
    return found


def differences() -> Iterator[str]:
    """Where a .pxd and its .py say different things: of which a class's fields, then its methods."""
    everything: dict[str, list[Declared]] = {}
    for path in SOURCES.rglob("*.pxd"):
        for each in declared(path):
            everything.setdefault(each.name, []).append(each)
    for product in products():
        if not product.plain or not product.types.exists():
            continue
        tree = ast.parse(product.source.read_text("utf-8"))
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        for each in declared(product.types):
            where = f"{product.types.relative_to(ROOT)}: {each.name}"
            node = classes.get(each.name)
            if node is None:
                yield f"{where} is not in the source"
                continue
            own = assigned(node)
            inherited: set[str] = set()
            base = each.base
            while base is not None:
                above = everything.get(base.rpartition(".")[2], [])
                inherited |= {field for one in above for field in one.fields}
                base = above[0].base if above else None
            setters = {
                inner.name
                for inner in node.body
                if isinstance(inner, ast.FunctionDef)
                and any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in inner.decorator_list)
            }
            if missing := own - each.fields - inherited - setters:
                yield f"{where}.{', '.join(sorted(missing))} is set in the source and not declared"
            if stale := each.fields - own:
                yield f"{where}.{', '.join(sorted(stale))} is declared and never set in the source"
            methods = {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)}
            if stale := each.methods - methods:
                yield f"{where}.{', '.join(sorted(stale))}() is declared and not in the source"


# -- the table -------------------------------------------------------------------------------------------------------


def table() -> str:
    rows = ["| product | made of | plain | its test | what it is |", "| --- | --- | --- | --- | --- |"]
    for product in products():
        plain = "the same source" if product.plain else TWINS.get(product.name, "none")
        made = f"{product.source.name}, .pxd" if product.plain and product.types.exists() else product.source.name
        name = product.name.removeprefix("gateway.")
        rows.append(f"| {name} | {made} | {plain} | {product.test} | {product.purpose} |")
    count = sum(product.plain for product in products())
    return f"""# What is compiled

Of {len(products())} products {count} are plain Python (.py) compiled where it stands, with types in a .pxd beside it;
{len(products()) - count} are written in Cython (.pyx), in `_fast`, and [__init__.py](__init__.py) says what each
of those replaces, why, and the times. GATEWAY_PURE=1 runs the plain source of each that has one.

Written by `python -m tests.products`; a test holds it.

""" + "\n".join([*rows, ""])


if __name__ == "__main__":
    TABLE.write_text(table(), "utf-8")
