"""Parts of a page that programs write: between two comments that bear the part's name."""

from __future__ import annotations

from pathlib import Path


def replaced(text: str, name: str, part: str) -> str:
    """The text with another part; ValueError when it has no place for one."""
    begin, end = f"<!-- {name}: written by a program -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"no place for {name}")
    return f"{before}{begin}\n\n{part.strip()}\n\n{end}{after}"


def write(file: Path, name: str, part: str) -> None:
    """Put the part into a file."""
    file.write_text(replaced(file.read_text("utf-8"), name, part), "utf-8")
