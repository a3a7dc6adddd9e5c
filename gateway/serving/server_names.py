"""The servers of one address by their names, and nginx's choice among them: by the Host field, or by SNI."""

from __future__ import annotations

from typing import Any

from gateway.core.regex import MatchError, Regex


class ServerName:
    """One argument of server_name."""

    def __init__(self, name: bytes, server: Any, regex: Regex | None = None, where: Any = None) -> None:
        self.name = name
        self.server = server
        self.regex = regex
        self.where = where

    def no_wildcard(self) -> bool:
        """Whether it has an asterisk where none may be."""
        text = self.name
        if self.regex is not None or text.startswith(b".") or b"*" not in text:
            return False
        if text.startswith(b"*."):
            return b"*" in text[1:]
        return not text.endswith(b".*") or b"*" in text[:-1]


class ServerNames:
    """Compiled with the types of server_names.pxd."""

    def __init__(self) -> None:
        self.exact: dict[bytes, Any] = {}
        self.taken: set[bytes] = set()  # names without an asterisk that stood somewhere, in use or not
        self.leading: dict[bytes, Any] = {}  # *.example.com, kept as "example.com"; ".example.com" counts as both
        self.trailing: dict[bytes, Any] = {}  # www.example.*, kept as "www.example"
        self.regexes: list[ServerName] = []

    def add(self, name: ServerName) -> bool:
        """Register one name; False if it is there already, of this server or another one (nginx: conflicting server
        name, ignored)."""
        if name.regex is not None:
            self.regexes.append(name)
            return True
        text = name.name
        if text.startswith(b"*."):
            return _put(self.leading, text[2:], name.server)
        if text.endswith(b".*") and not text.startswith(b"."):
            return _put(self.trailing, text[:-2], name.server)
        bare = text.removeprefix(b".")
        if bare in self.taken:
            return False
        self.taken.add(bare)
        # as a whole: behind "*.example.com", ".example.com" is not there for example.com either
        if bare is not text and not _put(self.leading, bare, name.server):
            return False
        self.exact[bare] = name.server
        return True

    def find(self, host: bytes, request: Any) -> Any:
        """The server of this (validated, lower-case) name, None where none matches; captures go to `request`."""
        server = self.exact.get(host)
        if server is not None:
            return server
        if self.leading:
            rest = host
            while True:
                dot = rest.find(b".")
                if dot < 0:
                    break
                rest = rest[dot + 1 :]
                server = self.leading.get(rest)
                if server is not None:
                    return server
        if self.trailing:
            rest = host
            while True:
                dot = rest.rfind(b".")
                if dot < 0:
                    break
                rest = rest[:dot]
                server = self.trailing.get(rest)
                if server is not None:
                    return server
        for name in self.regexes:
            assert name.regex is not None
            try:
                captures = name.regex.search(host)
            except MatchError as error:
                name.server.error_log.alert(str(error))
                continue
            if captures is not None:
                if request is not None:
                    request.matched(captures)
                return name.server
        return None


def _put(names: dict[bytes, Any], name: bytes, server: Any) -> bool:
    if name in names:
        return False
    names[name] = server
    return True
