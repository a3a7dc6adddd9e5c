"""/http/keyvals of the API: what the pairs of a `keyval_zone` are, and how they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from gateway.modules.http.keyval import Keyval, KeyvalError
from gateway.upstream.peers.api_objects import ApiError

if TYPE_CHECKING:
    from gateway.modules.http.api import Call


def keyvals(call: Call, path: list[str]) -> Any:
    """The answer to a path below it. Errors: ApiError."""
    zones = {zone.name: zone.data for zone in call.main.zones or () if isinstance(zone.data, Keyval)}
    if not path:
        return call.only("GET", lambda: {name: keyval.show() for name, keyval in zones.items()})
    keyval = zones.get(unquote(path[0]))
    if keyval is None or len(path) > 1:
        raise ApiError(404, "keyval not found", "KeyvalNotFound")
    method = call.permit("GET POST PATCH DELETE")
    if method == "OPTIONS":
        return {}
    if method in ("GET", "HEAD"):
        return _shown(call, keyval)
    try:
        if method == "DELETE":
            keyval.reset()
        elif method == "POST":
            _put(call, keyval.add, keyval)
            call.status = 201
        else:
            _put(call, keyval.change, keyval)
            call.status = 204
    except KeyvalError as error:
        raise ApiError(error.status, str(error), error.code) from None
    keyval.save()
    return None


def _shown(call: Call, keyval: Keyval) -> dict[str, str]:
    """All pairs, or that of `?key=`."""
    wanted = parse_qs(call.request.args.decode("utf-8", "surrogateescape"), errors="surrogateescape").get("key")
    pairs = keyval.show()
    if wanted is None:
        return pairs
    if wanted[0] not in pairs:
        raise ApiError(404, f'key "{wanted[0]}" not found', "KeyvalKeyNotFound")
    return {wanted[0]: pairs[wanted[0]]}


def _put(call: Call, put: Callable[[str, Any], None], keyval: Keyval) -> None:
    pairs = call.parameters()
    if not pairs:
        raise ApiError(400, "no pair", "KeyvalFormatError")
    if len(pairs) > 1:
        raise ApiError(400, "only one pair can be added or changed", "KeyvalFormatError")
    for key, value in pairs.items():
        put(key, value)
