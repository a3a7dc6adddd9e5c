"""Why no file and no socket can be opened any more."""

from __future__ import annotations

import errno
import resource  # before there is none left for reading it


def none_left(code: int) -> str | None:
    """The cause of EMFILE and ENFILE with what helps; None for any other number."""
    if code == errno.ENFILE:
        return "the whole machine has no descriptor left (sysctl fs.file-max)"
    if code != errno.EMFILE:
        return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        f"this worker has {soft} descriptors at most and all are in use; a connection that is passed on takes two: "
        "write worker_rlimit_nofile 65536; at the top of the configuration (systemd: LimitNOFILE=), at least twice "
        "worker_connections"
    )
