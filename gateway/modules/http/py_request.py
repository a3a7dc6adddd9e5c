"""What Python handlers are given: the request, its fields both ways, its variables.

Names are njs's in Python's spelling. Text is UTF-8 with surrogates for what is none, both ways: nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from gateway.config.text import to_bytes, to_str
from gateway.core.lane import current_fibre, park
from gateway.core.pieces import data_of
from gateway.http.subrequest import in_memory
from gateway.modules.http.headers_more import put

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.http.response import Response

_TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class HeadersIn(Mapping[str, str]):
    """Of the request; names in any case. Fields that came more than once are joined by a comma."""

    def __init__(self, request: Request) -> None:
        self._head = request.head

    def __getitem__(self, name: str) -> str:
        value = self._head.combined(to_bytes(name.lower()))
        if value is None:
            raise KeyError(name)
        return to_str(value)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(to_str(name).lower() for name, _ in self._head.fields()))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def get_all(self, name: str) -> list[str]:
        """Each field of this name as it came."""
        return [to_str(value) for value in self._head.get_all(to_bytes(name.lower()))]


class HeadersOut(MutableMapping[str, "str | list[str]"]):
    """Of the response. A list makes a field of each; without a value it is not sent."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def __getitem__(self, name: str) -> str | list[str]:
        found = [value for each, value in self._fields() if each == name.lower()]
        if not found:
            raise KeyError(name)
        return found[0] if len(found) == 1 else found

    def __setitem__(self, name: str, value: str | list[str]) -> None:
        key = to_bytes(name)
        if not key or not _TOKEN.issuperset(key):
            raise ValueError(f"{name!r} is no name of a field")
        values = [to_bytes(each) for each in ([value] if isinstance(value, str) else value)]
        for each in values:
            if b"\r" in each or b"\n" in each or b"\0" in each:
                raise ValueError(f"the value of {name} has a line's end in it")
        put(self._response, key, values[0] if values else b"")
        self._response.fields += [(key, each) for each in values[1:]]

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        put(self._response, to_bytes(name), b"")

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._fields()))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _fields(self) -> list[tuple[str, str]]:
        response = self._response
        length = b"%d" % response.content_length if response.content_length >= 0 else None
        apart = (
            ("content-type", response.full_content_type),
            ("content-length", length),
            ("location", response.location),
            ("etag", response.etag),
            ("last-modified", response.last_modified_value),
            ("server", response.server),
            ("content-encoding", response.content_encoding),
        )
        found = [(name, to_str(value)) for name, value in apart if value]
        listed = {name for name, _ in found} | {to_str(name) for name in response.listed or ()}
        for name, value in response.fields:
            lower = to_str(name).lower()
            if lower not in listed:
                found.append((lower, to_str(value)))
        return found


class Variables(MutableMapping[str, str]):
    """All of nginx's, by name without the dollar; those that `set` may change can be set."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __getitem__(self, name: str) -> str:
        variable = self._request.cycle.variables.find(name)
        value = variable.get(self._request) if variable is not None else None
        if value is None:
            raise KeyError(name)
        return to_str(value)

    def __setitem__(self, name: str, value: str) -> None:
        variable = self._request.cycle.variables.find(name)
        if variable is None:
            raise KeyError(f"${name} is not known: write set ${name} ''; in the configuration")
        data = to_bytes(value)
        if variable.set is not None:
            variable.set(self._request, data)
        elif variable.changeable:
            self._request.values[variable.name] = data
        else:
            raise KeyError(f"${name} cannot be changed")

    def __delitem__(self, name: str) -> None:
        raise TypeError("variables cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        raise TypeError("variables cannot be listed: families as $http_… have no end")

    def __len__(self) -> int:
        raise TypeError("variables cannot be counted")


class Reply:
    """What a subrequest was answered."""

    def __init__(self, status: int, headers: HeadersOut, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Redirect:
    """What a content handler returns to have another URI, or `@name`, serve the request."""

    def __init__(self, target: str) -> None:
        self.target = target


class PyRequest:
    """One request, for all the handlers that it meets; `state` is theirs."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.headers_in = HeadersIn(request)
        self.variables = Variables(request)
        self.state: dict[str, Any] = {}

    @property
    def headers_out(self) -> HeadersOut:
        return HeadersOut(self._request.response)

    @property
    def method(self) -> str:
        return to_str(self._request.method)

    @property
    def uri(self) -> str:
        """The path, decoded, as locations are chosen by it."""
        return to_str(self._request.uri)

    @property
    def query(self) -> str:
        """What stands behind the question mark, as it came."""
        return to_str(self._request.args)

    @property
    def args(self) -> dict[str, str]:
        """The query's names and values, the last of each name."""
        return dict(parse_qsl(self.query, keep_blank_values=True, errors="surrogateescape"))

    @property
    def http_version(self) -> str:
        return to_str(self._request.head.protocol).partition("/")[2]

    @property
    def remote_address(self) -> str:
        return to_str(self._request.connection.remote()[0])

    @property
    def body(self) -> bytes:
        """Of the request; for py_content it has been read, wherever it was kept."""
        body = self._request.body
        return b"".join(data_of(body.pieces())) if body is not None else b""

    @property
    def status(self) -> int:
        """Of the response."""
        return self._request.response.status

    @status.setter
    def status(self, status: int) -> None:
        request = self._request
        request.response.status = check_status(status)
        request.response.status_text = None
        if request.err_status:
            request.err_status = status

    def internal_redirect(self, target: str) -> Redirect:
        """For `return`."""
        return Redirect(target)

    async def subrequest(self, uri: str, query: str = "") -> Reply:
        """Ask this server for another URI."""
        request = self._request
        subrequest = in_memory(request, to_bytes(uri), to_bytes(query))
        if subrequest is None:
            raise RuntimeError("no more subrequests: there are too many, one within the other")
        fibre = current_fibre()
        assert fibre is not None
        subrequest.on_done = fibre.wake
        try:
            while not subrequest.done:
                await park()
        finally:
            subrequest.on_done = None
        return Reply(subrequest.response.status, HeadersOut(subrequest.response), subrequest.memory or b"")

    def log(self, text: str) -> None:
        """A line in the error log, level info."""
        self._request.log("info", text)

    def warn(self, text: str) -> None:
        self._request.log("warn", text)

    def error(self, text: str) -> None:
        self._request.log("error", text)


def check_status(status: int) -> int:
    """A status that may be sent. Errors: ValueError."""
    if type(status) is not int or not 200 <= status <= 999:
        raise ValueError(f"{status!r} is no status of an answer")
    return status
