"""Values by host name, exact or with a wildcard at its beginning or end (nginx: ngx_hash.c)."""

from __future__ import annotations

from typing import Any


class NameConflict(ValueError):
    """A name that is in the table already."""


class NameTable:
    """Names are lower case. An exact name goes first, then the longest *.name, then the longest name.*."""

    __slots__ = ("_leading", "_trailing", "exact")

    def __init__(self) -> None:
        self.exact: dict[bytes, Any] = {}
        self._leading: dict[bytes, Any] = {}  # *.example.com by what follows "*."
        self._trailing: dict[bytes, Any] = {}  # www.example.* by what stands before ".*"

    @property
    def has_wildcards(self) -> bool:
        return bool(self._leading or self._trailing)

    def add(self, name: bytes, value: Any, wildcards: bool = True) -> None:
        """Add a name; with `wildcards`, also *.a, a.* and .a (for a and *.a).

        Errors: NameConflict; ValueError for what cannot be a name.
        """
        name = name.lower()
        if not wildcards:
            _put(self.exact, name, value)
            return
        if name.count(b"*") > 1 or b".." in name or b"\0" in name:
            raise ValueError(name)
        if len(name) > 1 and name.startswith(b"."):
            _put(self.exact, name[1:], value)
            _put(self._leading, name[1:], value)
        elif len(name) > 2 and name.startswith(b"*."):
            _put(self._leading, name[2:], value)
        elif len(name) > 2 and name.endswith(b".*"):
            _put(self._trailing, name[:-2], value)
        elif b"*" in name:
            raise ValueError(name)
        else:
            _put(self.exact, name, value)

    def find(self, name: bytes) -> Any:
        """The value for a lower-case name, or None."""
        value = self.exact.get(name)
        if value is not None:
            return value
        if self._leading:
            rest = name
            while (dot := rest.find(b".")) >= 0:
                rest = rest[dot + 1 :]
                value = self._leading.get(rest)
                if value is not None:
                    return value
        if self._trailing:
            rest = name
            while (dot := rest.rfind(b".")) >= 0:
                rest = rest[:dot]
                value = self._trailing.get(rest)
                if value is not None:
                    return value
        return None


def _put(table: dict[bytes, Any], name: bytes, value: Any) -> None:
    if name in table:
        raise NameConflict(name)
    table[name] = value
