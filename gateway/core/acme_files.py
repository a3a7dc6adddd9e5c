"""Where what ACME keeps lies: in a folder, or, with `state_path off`, in memory that all workers share.

Both have names with texts, and a duty that one process at a time may have, which the kernel takes back when it ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from typing import Final, Protocol

_WORD: Final = 8
# Two ranges of the file, locked apart: what is in it, and the duty.
_CONTENT, _DUTY = 0, 1


class Files(Protocol):
    """All methods: OSError."""

    def reference(self, name: str) -> str:
        """What ssl_certificate takes for it."""

    def has(self, name: str) -> bool: ...

    def read(self, name: str) -> str: ...

    def write(self, name: str, text: str) -> None:
        """Whole or not at all."""

    def remove(self, name: str) -> None: ...

    def take_duty(self, name: str) -> bool:
        """Whether this process has it."""

    def drop_duty(self) -> None: ...


class Folder:
    """Files that nobody else may read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = -1

    def reference(self, name: str) -> str:
        return f"{self.path}/{name}"

    def has(self, name: str) -> bool:
        return os.path.exists(self.reference(name))

    def read(self, name: str) -> str:
        with open(self.reference(name)) as file:
            return file.read()

    def write(self, name: str, text: str) -> None:
        write(self.reference(name), text)

    def remove(self, name: str) -> None:
        os.unlink(self.reference(name))

    def take_duty(self, name: str) -> bool:
        if self._lock < 0:
            self._lock = os.open(self.reference(f"{name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def drop_duty(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class Memory:
    """A file without a name (memfd_create), made before the workers are: they all have it, and no disk does.

    It begins with a number that grows with each change, so that who reads it often parses it seldom. Its locks are
    those of processes (POSIX), since nobody can open it anew; threads of one have `_turn`.
    """

    def __init__(self) -> None:
        self._fd = os.memfd_create("acme")
        os.pwrite(self._fd, bytes(_WORD) + b"{}", 0)
        self._turn = threading.Lock()
        self._seen = b""
        self._texts: dict[str, str] = {}

    def reference(self, name: str) -> str:
        return f"data:{self.read(name)}"

    def has(self, name: str) -> bool:
        return name in self._read()

    def read(self, name: str) -> str:
        text = self._read().get(name)
        if text is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return text

    def write(self, name: str, text: str) -> None:
        self._change(name, text)

    def remove(self, name: str) -> None:
        self.read(name)
        self._change(name, None)

    def take_duty(self, name: str) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _DUTY)
        except OSError:
            return False
        return True

    def drop_duty(self) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, _DUTY)

    def _read(self) -> dict[str, str]:
        if os.pread(self._fd, _WORD, 0) == self._seen:
            return self._texts
        with self._locked(fcntl.LOCK_SH):
            return self._parsed()

    def _parsed(self) -> dict[str, str]:
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        self._seen, self._texts = data[:_WORD], json.loads(data[_WORD:])
        return self._texts

    def _change(self, name: str, text: str | None) -> None:
        with self._locked(fcntl.LOCK_EX):
            texts = dict(self._parsed())
            if text is None:
                texts.pop(name, None)
            else:
                texts[name] = text
            data = json.dumps(texts).encode()
            os.pwrite(self._fd, data, _WORD)
            os.ftruncate(self._fd, _WORD + len(data))
            # Last, so that who finds the new number finds the new texts; who looks in between waits for the lock.
            os.pwrite(self._fd, (int.from_bytes(self._seen, "big") + 1).to_bytes(_WORD, "big"), 0)

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with self._turn:
            fcntl.lockf(self._fd, how, 1, _CONTENT)
            try:
                yield
            finally:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, _CONTENT)


# By issuers' names: a reload goes on with what there is.
_kept: dict[str, Memory] = {}


def memory_of(issuer: str) -> Memory:
    """The master's, who keeps it for the workers of the next configuration."""
    return _kept.setdefault(issuer, Memory())


def write(path: str, text: str) -> None:
    """Whole or not at all, for nobody else. Errors: OSError."""
    new = f"{path}.{os.getpid()}-{threading.get_native_id()}.new"  # issuers with one folder have a thread each
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    os.rename(new, path)
