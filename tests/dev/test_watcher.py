from __future__ import annotations

import os
from pathlib import Path

from gateway.dev.watcher import Watcher


def touch(path: Path, time: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    os.utime(path, (time, time))


def test_sees_changed_new_and_removed_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "sub" / "b.py"
    touch(first, 1)
    watcher = Watcher(tmp_path)
    assert watcher.changed() == []
    touch(first, 2)
    touch(second, 1)
    assert watcher.changed() == [first, second]
    assert watcher.changed() == []
    second.unlink()
    assert watcher.changed() == [second]


def test_looks_only_at_the_applications_code(tmp_path: Path) -> None:
    touch(tmp_path / "env" / "pyvenv.cfg", 1)
    watcher = Watcher(tmp_path)
    for name in ("data.txt", "env/lib/x.py", ".git/x.py", "__pycache__/x.py", "node_modules/x.py"):
        touch(tmp_path / name, 1)
    assert watcher.changed() == []


def test_single_files(tmp_path: Path) -> None:
    conf = tmp_path / "conf" / "nginx.conf"
    touch(conf, 1)
    watcher = Watcher(tmp_path / "code", (conf,))
    touch(conf, 2)
    assert watcher.changed() == [conf]
