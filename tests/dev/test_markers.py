from __future__ import annotations

from pathlib import Path

from gateway.dev.markers import write


def test_only_the_part_changes(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("a\n<!-- x: written by a program -->\nold\n<!-- end of x -->\nb\n")
    write(file, "x", "new")
    assert file.read_text() == "a\n<!-- x: written by a program -->\n\nnew\n\n<!-- end of x -->\nb\n"
