"""EMFILE and ENFILE in words."""

from __future__ import annotations

import errno
import resource

from gateway.core.descriptors import none_left


def test_whose_limit_it_is() -> None:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert (none_left(errno.EMFILE) or "").startswith(f"this worker has {soft} descriptors at most")
    assert "fs.file-max" in (none_left(errno.ENFILE) or "")
    assert none_left(errno.EPERM) is None
