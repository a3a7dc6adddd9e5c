"""Why a page is one of a failure although the error log says nothing: the line of the configuration that answers so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.diagnosis.failure import as_written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.config.loader import Scope
    from gateway.config.parser import Statement
    from gateway.http.locations import Location
    from gateway.http.request import Request

_ACCESS: Final = frozenset({401, 403})


def answered_by(request: Request, status: int) -> str | None:
    """Of a request whose failure has no line in the error log; None where nothing certain is known."""
    location: Location = request.location
    if status == 404 and location.internal and not request.internal:
        return (
            f"this location is internal ({location.scope.where()}): only error_page, try_files, X-Accel-Redirect and "
            "the like lead into it, and no client"
        )
    own = _own(location)
    returns = [each for each in _within(own.statements) if _returns(each, status)]
    if returns:
        one = "" if len(returns) == 1 else f", or another of its {len(returns)}"
        return f"{as_written(returns[0])}{one}"
    tried = next((each for each in own.statements if each.name == "try_files"), None)
    if tried is not None and tried.args[-1] == f"={status}":
        return f"{as_written(tried)}: none of its files is there{_root(own)}"
    if status in _ACCESS:
        asked = own.set_by("auth_request")
        if asked is not None and asked.args != ["off"]:
            return f"{as_written(asked)} was answered with {status}"
    if status == 405 and location.content is None:
        return (
            f"{request.method.decode('latin-1')} came to what serves files{_root(own)}, and those are read by GET and "
            "HEAD alone: a location with the application's *_pass does not match this URI"
        )
    return None


def _own(location: Location) -> Scope:
    """The block with a name of its own: `if` and limit_except belong to it."""
    while location.nameless and location.parent is not None:
        location = location.parent
    scope: Scope = location.scope
    return scope


def _within(statements: Iterable[Statement]) -> Iterator[Statement]:
    """The statements of a block and of its `if` blocks."""
    for each in statements:
        yield each
        if each.name == "if" and each.block is not None:
            yield from _within(each.block)


def _returns(statement: Statement, status: int) -> bool:
    return statement.name == "return" and statement.args[0] == str(status)


def _root(scope: Scope) -> str:
    statement = scope.set_by("alias", "root")
    return f" ({as_written(statement)})" if statement is not None else ""
