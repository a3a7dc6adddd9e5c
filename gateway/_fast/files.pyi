"""Open and stat a file in one call; the object closes its descriptor when its last user drops it."""

READ: int

class OpenedFile:
    """What fstat() said of a file when it was opened; -1 as descriptor for directories and for stat_path()."""

    @property
    def fd(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def allocated(self) -> int: ...
    @property
    def mtime(self) -> int: ...
    @property
    def uniq(self) -> int: ...
    @property
    def mode(self) -> int: ...
    @property
    def is_dir(self) -> bool: ...
    @property
    def is_file(self) -> bool: ...
    @property
    def is_exec(self) -> bool: ...
    def content(self) -> bytes:
        """The whole file; shorter if it is no longer as long as it was."""
    def make_etag(self) -> bytes:
        """nginx's ETag: the time of the last change and the size, in hexadecimal."""
    def same(self, other: OpenedFile) -> bool:
        """Whether both describe the same, unchanged file."""

def open_path(path: bytes, flags: int = ..., mode: int = 0) -> OpenedFile | int:
    """OpenedFile (a directory's has no descriptor), or the errno of open()."""

def adopt(fd: int) -> OpenedFile | int:
    """OpenedFile that owns this descriptor, or the errno of fstat(); the descriptor is closed then."""

def stat_path(path: bytes) -> OpenedFile | int:
    """OpenedFile without a descriptor, or the errno of stat()."""

class FileIdentity:
    """Which file a descriptor is of, and in which state; OSError of fstat()."""

    def __init__(self, fd: int) -> None: ...
    def still(self, path: bytes) -> bool:
        """Whether this path names that file, and it was not written since."""

def write_line(fd: int, data: bytes) -> int:
    """write(), once: how much was taken. Errors: OSError."""
