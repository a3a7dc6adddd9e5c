"""Which part of a path stops whom: owner, group and mode of each component, as namei -l shows them."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from gateway.dev.diagnosis.accounts import group_name, user_name

_MAX_LINKS: Final = 16
READ: Final = 4
WRITE: Final = 2
PASS: Final = 1


@dataclass(frozen=True, slots=True)
class Component:
    """One step of the path; a directory has to be passed, the last step allows what is wanted."""

    path: str
    mode: int
    uid: int
    gid: int

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def allows(self, wanted: int, uid: int, gids: Collection[int]) -> bool:
        """Whether the mode gives this user READ, WRITE or PASS; the superuser is not asked."""
        if uid == 0:
            return True
        shift = 6 if uid == self.uid else 3 if self.gid in gids else 0
        return bool(self.mode >> shift & wanted)

    def __str__(self) -> str:
        mode = stat.filemode(self.mode)
        return f"{self.path} ({mode} {user_name(self.uid)} {group_name(self.gid)} {self.mode & 0o7777:o})"


class Missing(Exception):
    """The path ends before it should: the component that does not exist, and the last that does."""

    def __init__(self, path: str, folder: str) -> None:
        super().__init__(path)
        self.path = path
        self.folder = folder


def walk(path: str) -> list[Component]:
    """The components from / on, symbolic links followed. Errors: Missing; OSError where not even stat is allowed."""
    found: list[Component] = []
    names = [name for name in path.split("/") if name]
    at = "/" if path.startswith("/") else ""
    found.append(_component(at or "."))
    links = 0
    while names:
        name = names.pop(0)
        if name == ".":
            continue
        if name == "..":
            at = os.path.dirname(at.rstrip("/")) or "/"
            continue
        step = os.path.join(at, name)
        try:
            info = os.lstat(step)
        except (FileNotFoundError, NotADirectoryError):
            raise Missing(step, at or ".") from None
        if stat.S_ISLNK(info.st_mode) and links < _MAX_LINKS:
            links += 1
            target = os.readlink(step)
            if target.startswith("/"):
                at = "/"
            names[:0] = [part for part in target.split("/") if part]
            continue
        found.append(Component(step, info.st_mode, info.st_uid, info.st_gid))
        at = step
    return found


def _component(path: str) -> Component:
    info = os.stat(path)
    return Component(path, info.st_mode, info.st_uid, info.st_gid)


@dataclass(frozen=True, slots=True)
class Denial:
    """The component that denies, and what it does not allow."""

    component: Component
    wanted: int


def denied(path: str, wanted: int, uid: int, gids: Collection[int]) -> Denial | None:
    """The first component that stops this user; None when the modes would let it through. Errors: Missing, OSError."""
    try:
        components = walk(path)
    except PermissionError as error:
        # What lies behind a folder that we may not pass cannot even be looked at: that folder is it.
        folder = os.path.dirname(str(error.filename)) or "/"
        return Denial(_component(folder), PASS)
    for component in components[:-1]:
        if not component.allows(PASS, uid, gids):
            return Denial(component, PASS)
    last = components[-1]
    return None if last.allows(wanted, uid, gids) else Denial(last, wanted)


def my_groups() -> set[int]:
    """The groups of this process."""
    return {os.getegid(), *os.getgroups()}
