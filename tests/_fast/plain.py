"""The plain source of a compiled module, loaded beside the product, so that tests run on both."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import gateway._fast


def plain_twin(name: str, package: ModuleType = gateway._fast) -> ModuleType:
    assert package.__file__ is not None
    path = Path(package.__file__).with_name(name + ".py")
    spec = importlib.util.spec_from_file_location(f"plain_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
