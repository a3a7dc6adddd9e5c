"""Warnings of `-t` that nginx does not give: what will be accepted and fail later, or have no effect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.config.errors import ConfigError
from gateway.config.parser import Statement
from gateway.dev.diagnosis.accounts import user_name
from gateway.dev.diagnosis.path_walk import PASS, WRITE, Denial, Missing, denied
from gateway.dev.diagnosis.unix_sockets import PRIVATE

_FAMILIES: Final = ("proxy", "uwsgi", "fastcgi", "scgi", "grpc", "memcached")
_PASSES: Final = frozenset(f"{family}_pass" for family in _FAMILIES)
_TIMEOUT: Final = re.compile(f"({'|'.join(_FAMILIES)})_(?:connect|send|read)_timeout")


def advice(statements: list[Statement], uid: int, gids: set[int]) -> Iterator[ConfigError]:
    """All warnings for a configuration whose workers run as this user."""
    seen: set[str] = set()
    for statement in _all(statements):
        path = _socket(statement)
        if path is not None and path not in seen:
            seen.add(path)
            yield from _about_socket(statement, path, uid, gids)
        if statement.block is not None:
            yield from _about_timeouts(statement.block)


def _all(statements: list[Statement]) -> Iterator[Statement]:
    waiting = statements[::-1]
    while waiting:
        statement = waiting.pop()
        yield statement
        if statement.block is not None:
            waiting += reversed(statement.block)


def _socket(statement: Statement) -> str | None:
    """The unix socket that requests are passed to here, as a path without variables."""
    if (statement.name not in _PASSES and statement.name != "server") or not statement.args:
        return None
    target = statement.args[0]
    target = target.partition("://")[2] or target
    if not target.startswith("unix:/") or "$" in target:
        return None
    path = target.removeprefix("unix:")
    # An URL goes on behind a second colon.
    return path.partition(":")[0] if statement.name == "proxy_pass" else path


def _about_socket(statement: Statement, path: str, uid: int, gids: set[int]) -> Iterator[ConfigError]:
    for place in PRIVATE:
        if not path.startswith(place):
            continue
        yield _warning(
            f'"{path}" is under {place[:-1]}: a service that systemd starts with PrivateTmp=true has a '
            "folder of its own there, and the two will not meet; use /run/NAME (RuntimeDirectory=NAME)",
            statement,
        )
    denial = _denial(path, uid, gids)
    if denial is not None and denial.component.is_folder:
        name = user_name(uid)
        yield _warning(
            f'"{path}" cannot be reached by uid {uid} ({name}), as which the workers run: {denial.component} does not '
            f"let it pass (setfacl -m u:{name}:x {denial.component.path}, or a folder for both, as /run/NAME)",
            statement,
        )


def _denial(path: str, uid: int, gids: set[int]) -> Denial | None:
    """Who stops this user on the way to a socket that need not exist yet."""
    try:
        return denied(path, WRITE, uid, gids)
    except Missing as end:
        folder = end.folder  # as far as there is something
    except OSError:
        return None
    try:
        return denied(folder, PASS, uid, gids)
    except (Missing, OSError):
        return None


def _about_timeouts(block: list[Statement]) -> Iterator[ConfigError]:
    """Timeouts of a family that nothing inside of the block passes requests with, while another one is used."""
    timeouts = [each for each in block if each.name.endswith("_timeout") and _TIMEOUT.fullmatch(each.name)]
    if not timeouts:
        return
    used = {statement.name.removesuffix("_pass") for statement in _all(block) if statement.name in _PASSES}
    for statement in timeouts:
        family, _, rest = statement.name.partition("_")
        if used and family not in used:
            other = min(used)
            yield _warning(
                f'"{statement.name}" says nothing about "{other}_pass", which is what is used here: '
                f"{other}_{rest} does",
                statement,
            )


def _warning(message: str, statement: Statement) -> ConfigError:
    return ConfigError(message, statement.where, level="warn")
