"""Settings objects: what directives store, and how an inner block inherits from the outer one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Final, Self, TypeVar, overload

Value = TypeVar("Value")


class _Unset:
    """The value of a setting that no directive has set in this block."""

    _only: ClassVar[_Unset | None] = None

    def __new__(cls) -> _Unset:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


# Of no type that mypy would compare: a field has its own type, since who reads it does so after the merging.
UNSET: Final[Any] = _Unset()


@overload
def setting(default: None, *, inherit: bool = True) -> Any: ...
@overload
def setting(default: Value, *, inherit: bool = True) -> Value: ...
@overload
def setting(*, factory: Callable[[], Value], inherit: bool = True) -> Value: ...
def setting(default: Any = None, *, factory: Callable[[], Any] | None = None, inherit: bool = True) -> Any:
    """A field that is UNSET until a directive sets it, then inherited, then `default`.

    The field's annotation says what it is once the settings are merged.

    `inherit=False` is for what belongs to one block alone (a location's handler, `alias`).
    """
    return dataclasses.field(default=UNSET, metadata={"default": default, "factory": factory, "inherit": inherit})


class Conf:
    """Base of all settings: a dataclass whose fields are made with `setting`."""

    __slots__ = ()
    _plan: ClassVar[tuple[tuple[str, Any, Callable[[], Any] | None, bool], ...]]

    @classmethod
    def settings(cls) -> tuple[tuple[str, Any, Callable[[], Any] | None, bool], ...]:
        """(name, default, factory, inherits) of each field made with `setting`."""
        plan = cls.__dict__.get("_plan")
        if plan is None:
            plan = tuple(
                (f.name, f.metadata["default"], f.metadata["factory"], f.metadata["inherit"])
                for f in dataclasses.fields(cls)  # type: ignore[arg-type]
                if "default" in f.metadata
            )
            cls._plan = plan
        return plan

    def merge(self, outer: Self | None, nameless: bool = False) -> None:
        """Fill what is unset from the outer block, else with the default; nginx's merge_loc_conf.

        `nameless`: an `if` or `limit_except` block, which inherits also what belongs to its location alone.
        """
        for name, default, factory, inherit in self.settings():
            if getattr(self, name) is UNSET:
                if outer is not None and (inherit or nameless):
                    setattr(self, name, getattr(outer, name))
                else:
                    setattr(self, name, factory() if factory is not None else default)

    def check_together(self) -> None:
        """What settings have to be together, asked of those that a server uses: nginx merges into servers only, so that
        what stands in http alone, without a server, may be anything."""

    def shareable(self) -> bool:
        """Whether an inner block without directives of this module may use this very object."""
        return all(
            inherit or getattr(self, name) == (factory() if factory is not None else default)
            for name, default, factory, inherit in self.settings()
        )
