"""Sees that source files changed, by asking for their times: no dependency, and it works on every file system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# Folders that are not the application's own code.
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})
# A folder with more files is not walked further: looking each second must stay cheap.
_MOST: Final = 5000


class Watcher:
    """The files of some suffixes below a folder, and single files beside them."""

    def __init__(self, folder: Path, files: tuple[Path, ...] = (), suffixes: tuple[str, ...] = (".py",)) -> None:
        self._folder = folder
        self._files = files
        self._suffixes = suffixes
        self._seen = self._look()

    def changed(self) -> list[Path]:
        """The files that changed, came or went since the last call."""
        now = self._look()
        before, self._seen = self._seen, now
        return [Path(name) for name in sorted(now.keys() | before.keys()) if now.get(name) != before.get(name)]

    def _look(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        waiting = [str(self._folder)] if self._suffixes else []
        while waiting and len(found) < _MOST:
            try:
                with os.scandir(waiting.pop()) as listed:
                    entries = list(listed)
            except OSError:  # a folder that just went, or that is not ours to read
                continue
            if any(entry.name == "pyvenv.cfg" for entry in entries):
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and not entry.name.startswith("."):
                        waiting.append(entry.path)
                elif entry.name.endswith(self._suffixes):
                    self._add(found, entry.path)
        for file in self._files:
            self._add(found, str(file))
        return found

    @staticmethod
    def _add(found: dict[str, tuple[int, int]], name: str) -> None:
        try:
            status = os.stat(name)
        except OSError:
            return
        found[name] = (status.st_mtime_ns, status.st_size)
