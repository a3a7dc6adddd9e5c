"""connect() to a unix socket failed: what denies it, what is missing, or why nobody takes it."""

from __future__ import annotations

import difflib
import errno
import os
import stat
from collections.abc import Collection, Hashable
from typing import Final

from gateway.dev.diagnosis.accounts import group_name, primary_group, user_name, who_we_are
from gateway.dev.diagnosis.failure import Failure, Family
from gateway.dev.diagnosis.listeners import unix_listeners
from gateway.dev.diagnosis.path_walk import PASS, WRITE, Component, Denial, Missing, denied, my_groups, walk

# Each service that systemd starts with PrivateTmp=true has its own of these.
PRIVATE: Final = ("/tmp/", "/var/tmp/")
_LIKE: Final = 0.6
# Groups of Debian and Fedora that are as good as the superuser, or read what is secret: a web server joins none.
_POWERS: Final = frozenset(
    {"adm", "admin", "disk", "docker", "incus-admin", "kmem", "kvm", "libvirt", "lxd", "root", "shadow", "staff"}
    | {"sudo", "systemd-journal", "wheel"}
)


def _key(failure: Failure) -> Hashable:
    return failure.peer, failure.errno


def _text(failure: Failure) -> str | None:
    return why(failure.peer.removeprefix("unix:"), failure.errno)


def why(path: str, code: int, uid: int | None = None, gids: Collection[int] | None = None) -> str | None:
    """The cause behind an errno of connect(); None where there is nothing to add to its name."""
    if code == errno.EACCES:
        return permission(path, os.geteuid() if uid is None else uid, my_groups() if gids is None else gids)
    if code == errno.ENOENT:
        return missing(path)
    if code == errno.ECONNREFUSED:
        return refused(path)
    if code == errno.EAGAIN:
        return (
            f"the queue of {path} is full: the application server does not accept as fast as requests come; more "
            "processes or threads there, or a longer queue (uWSGI: listen, gunicorn: --backlog, and net.core.somaxconn)"
        )
    if code == errno.ENOTSOCK:
        return f"{path} is no socket but {_kind(path) or 'something else'}"
    return None


def permission(path: str, uid: int, gids: Collection[int]) -> str:
    """Which component denies, and the narrow way to open it."""
    us = who_we_are() if uid == os.geteuid() else f"uid {uid} ({user_name(uid)})"
    try:
        denial = denied(path, WRITE, uid, gids)
    except (Missing, OSError):
        denial = None
    if denial is None:
        return (
            f"{us} is let through by owner, group and mode of {path} and all folders above it ({_listing(path)}), so "
            "something else denies: SELinux (ausearch -m avc -ts recent), AppArmor, or an ACL (getfacl)"
        )
    return f"{us} {_what(denial)}; {_fix(denial, user_name(uid))}"


def _what(denial: Denial) -> str:
    if denial.wanted == PASS:
        return f"may not pass {denial.component}: x is missing"
    return f"may not write to {denial.component}, and connecting needs w"


def _fix(denial: Denial, user: str) -> str:
    component = denial.component
    if denial.wanted == PASS:
        return (
            f"let {user} alone pass (setfacl -m u:{user}:x {component.path}), or put the socket into a folder "
            "for both, as /run/NAME"
        )
    owner, group, ours = user_name(component.uid), group_name(component.gid), primary_group(user)
    joins = component.gid and group not in _POWERS
    join = f"let {user} be in its group (usermod -aG {group} {user}, and start again), or " if joins else ""
    if component.mode >> 3 & WRITE:
        return f"{join}give the socket {user}'s group (uWSGI: chown-socket = {owner}:{ours}; gunicorn: --group {ours})"
    return (
        f"give the socket a group with {user} in it, and mode 660 (uWSGI: chmod-socket = 660 and chown-socket = "
        f"{owner}:{ours}; gunicorn: --umask 007 and --group {ours})"
    )


def _listing(path: str) -> str:
    try:
        return ", ".join(str(component) for component in walk(path))
    except (Missing, OSError) as error:
        return str(error)


def missing(path: str) -> str:
    """The socket that is not there, and those that it may have been."""
    listening = unix_listeners()
    parts: list[str] = []
    private = path.startswith(PRIVATE)
    if path in listening:
        # The kernel's table knows names as they were bound, whatever folder tree their process sees.
        parts.append(
            f"somebody listens on a socket that was bound as {path}, and we do not see the file: "
            + (
                "one of the two services has a /tmp of its own (systemd: PrivateTmp=true); put the socket into "
                "/run/NAME (RuntimeDirectory=NAME)"
                if private
                else "it was deleted or replaced since, or its process sees another folder tree (a container, a chroot)"
            )
        )
    else:
        parts.append(f"nobody listens on {path}: {_ends(path)}")
        if private:
            parts.append(
                "if the application does run: a service that systemd starts with PrivateTmp=true has a /tmp of its own"
            )
    if like := similar(path, listening):
        parts.append(f"there {'is' if len(like) == 1 else 'are'} {', '.join(like)}")
    return "; ".join(parts)


def _ends(path: str) -> str:
    try:
        walk(path)
    except Missing as end:
        if end.path == path:
            return "the file does not exist, so the application is not running, or it listens elsewhere"
        return f"the folder {end.path} does not exist"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return "it is there now"


def similar(path: str, listening: Collection[str], limit: int = 3) -> list[str]:
    """Sockets with like names, or in the same folder, each with whether anybody listens."""
    folder, name = os.path.split(path)
    found = set(listening)
    for place in {folder, "/run", "/var/run", "/tmp", os.path.join("/run", name.partition(".")[0])}:
        found.update(_sockets(place))
    found.discard(path)
    ranked = sorted(found, key=lambda other: (-_likeness(path, other), other))
    near = [other for other in ranked if _likeness(path, other) >= _LIKE or os.path.dirname(other) == folder]
    return [f"{other} ({_state(other, listening)})" for other in near[:limit]]


def _likeness(path: str, other: str) -> float:
    name, candidate = os.path.basename(path), os.path.basename(other)
    return 1.0 if name == candidate else difflib.SequenceMatcher(None, name, candidate).ratio()


def _state(path: str, listening: Collection[str]) -> str:
    if path not in listening:
        return "nobody listens"
    return "listens" if os.path.exists(path) else "listens, but the file is not there for us"


def _sockets(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)]
    except OSError:
        return []


def refused(path: str) -> str:
    """The file is there, and nobody behind it; or it is no socket, which the kernel says by the same number."""
    kind = _kind(path)
    if kind is not None:
        return f"{path} is no socket but {kind}: the name of the socket itself has to stand there{_inside(path)}"
    if path in unix_listeners():
        return f"somebody listens under the name {path}, but on another file: this one is older; delete it and restart"
    text = f"{path} is left over: nobody listens on it, so the application is not running, or it listens elsewhere"
    like = similar(path, unix_listeners())
    return f"{text}; there {'is' if len(like) == 1 else 'are'} {', '.join(like)}" if like else text


def _kind(path: str) -> str | None:
    """What stands there in the place of a socket; None for a socket, and where that cannot be seen."""
    try:
        component: Component = walk(path)[-1]
    except (Missing, OSError):
        return None
    if stat.S_ISSOCK(component.mode):
        return None
    return "a folder" if component.is_folder else f"a file ({stat.filemode(component.mode)})"


def _inside(folder: str) -> str:
    """The sockets of a folder that was named in their place."""
    inside = sorted(_sockets(folder))[:3]
    return f"; there {'is' if len(inside) == 1 else 'are'} {', '.join(inside)}" if inside else ""


FAMILY: Final = Family((b"connect() to unix:",), _key, _text)
