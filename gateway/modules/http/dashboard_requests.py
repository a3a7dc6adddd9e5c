"""The dashboard's requests: those that request_history keeps, found, shown, and sent again."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

from gateway.core.lane import in_trio
from gateway.core.turns import Work
from gateway.http.body import read_body
from gateway.modules.http import dashboard_filters as filters
from gateway.modules.http import dashboard_replay as replay
from gateway.modules.http import dashboard_request_page as page
from gateway.modules.http.dashboard_curl import curl
from gateway.modules.http.request_history_record import unpacked

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.modules.http.dashboard_listings import Asked
    from gateway.modules.http.request_history import History

_LISTED: Final = 80
_PORTION: Final = 50  # records that are read in one turn
_LOOKED_AT: Final = 500  # of the newest requests, for a peer's last failure


@dataclass(frozen=True, slots=True)
class Said:
    """What a form is answered with: a page, or the place of another."""

    here: str
    body: str = ""
    status: int = 200
    location: str = ""


class Requests:
    """What a history has, for one request of the dashboard; `secret` signs forms, b"" where there are none."""

    def __init__(
        self, request: Request, history: History, secret: bytes, base: str, explain: Sequence[str]
    ) -> None:
        self.request = request
        self.history = history
        self.secret = secret
        self.base = base
        self.explain = explain

    def address(self, asked: Asked, page: int = 0) -> str:
        """Of the list with this filter, or of another page of it."""
        number = page or asked.page
        fields = {"q": asked.words, "page": str(number) if number > 1 else ""}
        said = {name: value for name, value in fields.items() if value}
        return f"{self.base}requests{'?' if said else ''}{urlencode(said, errors='surrogateescape')}"

    def found(self, asked: Asked, *, part: bool) -> Work[str]:
        """A page of those that the filter leaves, the newest first."""
        wrong = ""
        test = None
        try:
            test = filters.compiled(asked.words)
        except filters.BadFilter as why:
            wrong = str(why)
        first = (asked.page - 1) * _LISTED
        count = 0
        found = []
        for number, entry in enumerate(self.all()):
            if number % _PORTION == _PORTION - 1:
                yield
            if test is not None and test(entry):
                count += 1
                if count > first + _LISTED:
                    break
                if count > first:
                    found.append(entry)
        newer = self.address(asked, asked.page - 1) if asked.page > 1 else ""
        older = self.address(asked, asked.page + 1) if count > first + _LISTED else ""
        shown = page.listed(found, self.base, wrong, first=first, newer=newer, older=older)
        return shown if part else page.search(self.base, asked.words) + shown

    def gone(self, id: str) -> str:
        """Instead of a page of one that made way for newer ones."""
        said = f"{id} is not among the last {self.history.requests:,} requests."
        return page.notice(said, f"{self.base}requests")

    def all(self) -> Iterator[dict[str, Any]]:
        if self.history.ring is not None:
            self.request.connection.lane.settle()
            for _, data in self.history.ring.newest():
                with contextlib.suppress(ValueError):
                    yield unpacked(data)

    def find(self, id: str) -> Work[tuple[dict[str, Any] | None, list[dict[str, Any]]]]:
        """The request of this id, and what has been sent again of it."""
        later: list[dict[str, Any]] = []
        for number, entry in enumerate(self.all()):
            if entry.get("id") == id:
                return entry, later
            if entry.get("replay") == id:
                later.append(entry)
            if number % _PORTION == _PORTION - 1:
                yield
        return None, []

    def failures(self) -> Work[dict[str, str]]:
        """What the error log said last of each peer, by its address."""
        found: dict[str, str] = {}
        for number, entry in enumerate(self.all()):
            if number == _LOOKED_AT:
                break
            if number % _PORTION == _PORTION - 1:
                yield
            notes = entry.get("notes", ())
            errors = [note for note in notes if note.startswith("[error]")] or notes
            if errors:
                servers, statuses = (
                    str(entry.get(key, "")).replace(" : ", ", ").split(", ") for key in ("upstream", "upstream_status")
                )
                for server, status in zip(servers, statuses, strict=False):
                    if status == "-" or status.startswith("5"):
                        found.setdefault(server, f"{page.clock(entry)} {errors[0]}")
        return found

    def one(self, entry: dict[str, Any], later: list[dict[str, Any]], said: str = "") -> str:
        """The page of one request."""
        form = ""
        if self.secret:
            made = replay.again(entry, self.request.cycle, self.request.connection, self.history.size)
            form = page.replay_form(made, replay.token(self.secret, str(entry["id"])), later, self.base)
        explain = shlex.join([*self.explain, "--id", str(entry["id"])])
        return page.request(entry, explain, curl(entry), base=self.base, form=form, said=said)

    def whole(self, entry: dict[str, Any], asked: Asked) -> str:
        """What that page has only the beginning of."""
        return page.whole(entry, curl(entry), self.base, asked)

    async def replay(self, id: str) -> Said | int:
        """The form of a request's page: send it again; what may change something is asked for once more."""
        if self.request.head.get(b"origin") is None:
            return 403
        form = await read_form(self.request)
        if isinstance(form, int):
            return form
        await in_trio()
        if not replay.is_token(self.secret, id, form.get("token", "")):
            said = "This page is older than the server's configuration, or not the server's: nothing was sent."
            return Said("request", page.notice(said, f"{self.base}requests/{id}"), 403)
        entry, later = await _whole(self.find(id))
        if entry is None:
            said = f"{id} is not among the last requests any more: nothing was sent."
            return Said("request", page.notice(said, f"{self.base}requests"), 404)
        made = replay.again(entry, self.request.cycle, self.request.connection, self.history.size)
        if made.why_not:
            return Said("request", self.one(entry, later, f"Nothing was sent: {made.why_not}."))
        if not made.safe and form.get("sure") != "yes":
            signed = replay.token(self.secret, id)
            return Said("replay", page.replay_asked(entry, made, signed, self.base))
        try:
            number = await replay.send(self.request, self.history, entry, made)
        except replay.Busy:
            said = "Nothing was sent: too much is under way."
            return Said("request", self.one(entry, later, said), 503)
        ring = self.history.ring
        data = ring.get(number) if ring is not None and number else None
        if data is None:
            said = "It was sent, and is not in the list yet: it takes longer, or its location keeps no requests."
            return Said("request", self.one(entry, later, said))
        return Said("", status=303, location=f"{self.base}requests/{unpacked(data)['id']}")


async def read_form(request: Request) -> dict[str, str] | int:
    """What a form has sent; a status when it has not."""
    status = await read_body(request)
    if status is not None:
        return int(status)
    pieces = request.body.pieces() if request.body is not None else ()
    data = b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in pieces)
    return {key: values[0] for key, values in parse_qs(data.decode("utf-8", "replace")).items()}


async def _whole(work: Work[Any]) -> Any:
    """What takes long, in a Trio task: others have their turns between."""
    import trio

    try:
        while True:
            next(work)
            await trio.lowlevel.checkpoint()
    except StopIteration as end:
        return end.value
