"""404 and 403 for a file: the rule that made its name, what is missing of it, or who may not pass where."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from gateway.core.descriptors import none_left
from gateway.dev.diagnosis.accounts import user_name, who_we_are
from gateway.dev.diagnosis.failure import Failure, Family, as_written
from gateway.dev.diagnosis.path_walk import PASS, READ, Missing, denied, my_groups, walk

if TYPE_CHECKING:
    from gateway.config.loader import Scope
    from gateway.config.parser import Statement

_LISTED: Final = 2000  # names of a folder that are looked at for a like one


def _path(failure: Failure) -> str:
    match = re.search(rb'"(.*)"', failure.message)
    return match[1].decode("utf-8", "surrogateescape") if match else ""


def _key(failure: Failure) -> Hashable:
    return id(failure.request.location), failure.errno, os.path.dirname(_path(failure))


def _text(failure: Failure) -> str | None:
    path = _path(failure)
    if failure.errno in (errno.EMFILE, errno.ENFILE):
        return none_left(failure.errno)
    found = _naming(failure, path)
    if found is not None:
        return _named_file(failure, path, found)
    if failure.message.startswith(b"directory index of"):
        return _no_index(failure, path)
    if failure.errno == errno.EACCES:
        return f"{_denial(path)}; {_rule(failure)}"
    if failure.errno in (errno.ENOENT, errno.ENOTDIR):
        parts = [_rule(failure), _missing(path)]
        if other := _other_rule(failure, path):
            parts.append(other)
        return "; ".join(part for part in parts if part)
    return None


def _named_file(failure: Failure, path: str, found: Statement) -> str:
    """A file that a directive names: `auth_basic_user_file` and its like."""
    named = f"{as_written(found)} names it"
    if failure.errno == errno.EACCES:
        return f"{named}: {_denial(path)}"
    return f"{named}: {_missing(path) or os.strerror(failure.errno)}"


def _naming(failure: Failure, path: str) -> Statement | None:
    """The directive that names this file, as `*_file` do."""
    scope: Scope | None = failure.request.location.scope
    while scope is not None:
        for statement in scope.statements:
            if statement.name.endswith("_file") and any(_names_it(word, path) for word in statement.args):
                return statement
        scope = scope.parent
    return None


def _names_it(word: str, path: str) -> bool:
    return bool(word) and "/" in path and (word == path or (not word.startswith("/") and path.endswith(f"/{word}")))


def _rule(failure: Failure) -> str:
    """Which line of the configuration made the name."""
    request = failure.request
    statement = failure.set_by("root", "alias")
    uri = request.uri.decode("utf-8", "replace")
    if statement is None:
        root = request.map_uri_to_path(b"").decode("utf-8", "replace")
        return f'the name is the URI "{uri}" below {root} (default of root)'
    if statement.name == "root":
        return f'the name is {as_written(statement)} and the URI "{uri}" behind it'
    if request.location.regex is not None:
        return f"the name is {as_written(statement)}"
    name = request.location.name.decode("utf-8", "replace")
    return f'the name is {as_written(statement)} in the place of "{name}" in the URI "{uri}"'


def _missing(path: str) -> str:
    try:
        walk(path)
    except Missing as end:
        name = os.path.basename(end.path)
        text = f"{end.folder} has no {name}"
        near = difflib.get_close_matches(name, _names(end.folder), 1, 0.75)
        return f"{text}, but {near[0]}" if near else text
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""


def _names(folder: str) -> list[str]:
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) >= _LISTED:
                    break
    except OSError:
        pass
    return names


def _other_rule(failure: Failure, path: str) -> str | None:
    """The usual mistakes with root and alias, where the other one would find a file, or a slash stands on one side."""
    request = failure.request
    location = request.location
    statement = failure.set_by("root", "alias")
    if statement is None or location.regex is not None or location.named or not location.name:
        return None
    name = location.name.decode("utf-8", "surrogateescape")
    uri = request.uri.decode("utf-8", "surrogateescape")
    value = statement.args[0]
    if statement.name == "alias":
        if name.endswith("/") and not value.endswith("/"):
            return f"the location ends in a slash and its alias does not: write alias {value}/;"
        if not name.endswith("/") and value.endswith("/") and "//" in path:
            return f"the alias ends in a slash and its location does not: write alias {value.rstrip('/')};"
        wanted = f"{value.rstrip('/')}{uri}"
        if os.path.exists(wanted):
            return f"{wanted} does exist: with root {value}; in the place of alias it would be found"
        return None
    if name == "/" or not path.endswith(uri):
        return None
    root = path[: len(path) - len(uri)]
    if os.path.exists(f"{root.rstrip('/')}/{uri[len(name) :].lstrip('/')}") and uri[len(name) :].strip("/"):
        slash = "/" if name.endswith("/") else ""
        return (
            f"{root.rstrip('/')}/{uri[len(name) :].lstrip('/')} does exist: root keeps {name} in the name; "
            f"alias {root.rstrip('/')}{slash}; in its place takes it away"
        )
    return None


def _denial(path: str) -> str:
    try:
        denial = denied(path, READ, os.geteuid(), my_groups())
    except (Missing, OSError):
        denial = None
    if denial is None:
        return (
            f"{who_we_are()} is let through by owner, group and mode of all components, so something else denies: "
            "SELinux (ls -Z; ausearch -m avc -ts recent), AppArmor, or an ACL (getfacl)"
        )
    user = user_name(os.geteuid())
    component = denial.component
    if denial.wanted == PASS:
        return (
            f"{who_we_are()} may not pass {component}: x is missing (setfacl -m u:{user}:x {component.path}, or keep "
            "such files in a folder that all may pass, as /srv or /var/www)"
        )
    return f"{who_we_are()} may not read {component} (setfacl -m u:{user}:r {component.path}, or chmod a+r)"


def _no_index(failure: Failure, path: str) -> str:
    index = failure.set_by("index")
    names = index.args if index is not None else ["index.html"]
    shown = as_written(index) if index is not None else "index index.html (default)"
    seen = [name for name in _names(path) if name.startswith(("index", "default", "home"))]
    also = f" (there is {', '.join(sorted(seen)[:3])})" if seen else ""
    lacks = "has none of them" if len(names) > 1 else "does not have it"
    return f"{shown}: {path} {lacks}{also}, and folders are not listed; {_rule(failure)}"


FAMILY: Final = Family((b'open() "', b'stat() "', b'"/', b'directory index of "'), _key, _text)
