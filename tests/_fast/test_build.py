"""What is told of the compiled parts."""

from __future__ import annotations

from gateway._fast.build import COMPILER, OPTIMIZED


def test_a_compiler_and_whether_it_optimized() -> None:
    name, _, version = COMPILER.partition(" ")
    assert (name == "gcc" and version[:1].isdigit()) or "lang" in COMPILER or "unknown" in COMPILER
    assert type(OPTIMIZED) is bool
