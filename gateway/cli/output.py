"""Standard output: what could not be written is told in one line; that nobody reads it any more is no mistake."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FAILED: Final = 1  # as the core utilities
_PIPE_ENDED: Final = 128 + 13  # what a shell says of a program that SIGPIPE has ended


class _Output(io.FileIO):
    """It remembers that it failed: whoever wrote may have taken that for nothing, as argparse does with its help."""

    def __init__(self) -> None:
        super().__init__(1, "w", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


def written(command: Callable[[], int]) -> int:
    """The exit code of what writes to standard output: its own, unless not all was written."""
    output = _observed()
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
            if output is not None and output.failure is not None:
                raise output.failure
    except OSError:
        if output is None or output.failure is None:
            raise
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in the buffer
    if isinstance(output.failure, BrokenPipeError):  # `gateway … | head` has seen enough
        return _PIPE_ENDED
    from gateway.core.logs import say

    say(f"cannot write to standard output: {output.failure.strerror}")
    return _FAILED


def _observed() -> _Output | None:
    """Python's own standard output, on a file that remembers; None: somebody else took its place, or it is closed."""
    stream = sys.stdout
    if stream is not sys.__stdout__ or not isinstance(stream, io.TextIOWrapper):
        return None
    output = _Output()
    sys.stdout = io.TextIOWrapper(
        output if stream.write_through else io.BufferedWriter(output),  # as python -u has it
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return output
