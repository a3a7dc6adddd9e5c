"""Binary upgrade: listening sockets handed to a new binary by number (USR2), or to us by it or by systemd."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Final

from gateway.core.logs import Log
from gateway.process.environment import for_exec
from gateway.process.sockets import OpenSocket, adopt

VARIABLE: Final = "NGINX"
_FIRST_LISTEN_FD: Final = 3  # sd_listen_fds(3)


def inherited(environ: MutableMapping[str, str], log: Log) -> tuple[list[OpenSocket], bool]:
    """Sockets that came open into this process, and whether an older binary handed them over.

    The variables are consumed: children must not take them for theirs.
    """
    adopted: list[OpenSocket] = []
    text = environ.pop(VARIABLE, None)
    if text is not None:
        log.notice(f'using inherited sockets from "{text}"')
        adopted += adopt(_numbers(text, log), log)
    pid = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid == str(os.getpid()) and count.isdigit():
        log.notice(f"using {count} sockets from the service manager")
        fds = range(_FIRST_LISTEN_FD, _FIRST_LISTEN_FD + int(count))
        adopted += adopt(fds, log, foreign=True)
    return adopted, text is not None


def _numbers(text: str, log: Log) -> list[int]:
    fds: list[int] = []
    rest = text
    while rest:
        ends = [at for at in (rest.find(":"), rest.find(";")) if at >= 0]
        if not ends:
            log.emerg(f'invalid socket number "{rest}" in {VARIABLE} environment variable, ignoring')
            break
        word = rest[: min(ends)]
        if not (word.isascii() and word.isdigit()):
            log.emerg(
                f'invalid socket number "{rest}" in {VARIABLE} environment variable, ignoring the rest of the variable'
            )
            break
        fds.append(int(word))
        rest = rest[min(ends) + 1 :]
    return fds


def execute(
    sockets: Sequence[OpenSocket], env: Sequence[str], current: Mapping[str, str], log: Log
) -> int | None:
    """Fork and exec the same command line with these sockets; the new master's id, None after an alert."""
    variables = for_exec(env, current)
    fds = [listener.fd for listener in sockets]
    variables[VARIABLE] = "".join(f"{fd};" for fd in fds)
    argv = sys.orig_argv
    name = "new binary process"
    try:
        pid = os.fork()
    except OSError as error:
        log.alert(f'fork() failed while spawning "{name}"', errno=error.errno or 0)
        return None
    if pid == 0:
        try:
            for fd in fds:
                os.set_inheritable(fd, True)
            os.execve(sys.executable, argv, variables)
        except OSError as error:
            log.alert(f'execve() failed while executing {name} "{argv[0]}"', errno=error.errno or 0)
        finally:
            os._exit(1)
    log.notice(f"start {name} {pid}")
    return pid
