"""Certificates by ACME that all nodes have: an `acme_issuer` with `sync`.

The files in the issuer's folder (core/acme_store.py) are what goes round, sealed with `ticket_key`: the account, each
certificate with its key, and what http-01 shows. Who orders holds a lock in the store, which ends by itself; before it
orders it takes what the others have, and before the authority is told that it may look, all nodes show the token.
"""

from __future__ import annotations

import contextlib
import os
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from gateway.cluster.maps import Map
from gateway.cluster.store import StoreError, opened
from gateway.cluster.tickets import Unsealed
from gateway.core import certify
from gateway.core.acme_files import write
from gateway.core.acme_store import Nodes
from gateway.core.keys import KeyProblem, PrivateKey
from gateway.core.logs import ERROR, NOTICE, WARN
from gateway.protocol import der

if TYPE_CHECKING:
    import datetime

    from gateway.cluster.maps import Entry
    from gateway.cluster.sync import Sync
    from gateway.cluster.tickets import Sealer
    from gateway.core.acme_store import Issuer
    from gateway.core.logs import Log

_ACCOUNT: Final = "account.key"
_CHALLENGES: Final = "challenges"
_CHALLENGE_MS: Final = 3600_000
_OLD_S: Final = 86400.0  # a token that somebody has left there
_FRESH_S: Final = 3.0  # as coarse as the times of folders may be
_LONGEST: Final = 65536

_LOCK_MS: Final = 60_000
_RENEW_S: Final = 15.0
_SPREAD_S: Final = 1.0  # in which the other nodes have had a round, at least

# KEYS: the lock. ARGV: the node, for how long (ms). Whether it is this node's.
_TAKE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_GIVE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class IssuerFiles:
    """The files of one issuer as entries that every node knows (maps.py)."""

    def __init__(self, issuer: Issuer, sealer: Sealer, log: Log) -> None:
        self.name = issuer.name
        self._issuer = issuer
        self._sealer = sealer
        self._log = log
        self._told: dict[str, bytes] | None = None  # digests of what the store has; None: not asked yet
        self._times: tuple[int, int] | None = None
        self._complained = False

    # -- the zone's side

    def take_changed(self) -> list[Entry]:
        if self._told is None:
            self._told = {}  # what the others have comes first
            return []
        times = self._folders()
        if times == self._times and time.time() - max(times) / 1e9 > _FRESH_S:
            return []
        self._times = times
        here = self._read()
        told = self._told
        changed = [self._entry(name, text) for name, text in here.items() if told.get(name) != _digest(text)]
        gone = [name for name in told if name not in here and name.startswith(_CHALLENGES)]
        told.update((name, _digest(text)) for name, text in here.items())
        for name in gone:
            del told[name]
        return changed + [(name.encode(), b"", 0) for name in gone]

    def give_back(self, changed: list[Entry]) -> None:
        self._times = None
        if self._told is not None:
            for field, payload, _ in changed:
                self._told[field.decode()] = b""
                if payload:
                    del self._told[field.decode()]

    def take_all(self) -> list[Entry]:
        here = self._read()
        self._told = {name: _digest(text) for name, text in here.items()}
        return [self._entry(name, text) for name, text in here.items()]

    def apply(self, entries: list[Entry]) -> None:
        for field, payload, _ in entries:
            name = field.decode("ascii", "replace")
            if not self._is_ours(name):
                continue
            if not payload:
                self._drop(name)
                continue
            try:
                whose, _, text = self._sealer.open(payload).decode("ascii").partition("\0")
            except (Unsealed, UnicodeDecodeError):
                self._complain()
                continue
            if whose != name:
                continue  # sealed for another file
            if self._told is not None:
                self._told[name] = _digest(text)
            self._times = None  # what is here may be better
            with contextlib.suppress(OSError, KeyProblem, der.Malformed, IndexError, ValueError):
                self._take(name, text)

    # -- files

    def _entry(self, name: str, text: str) -> Entry:
        field = name.encode()
        left = _CHALLENGE_MS if name.startswith(_CHALLENGES) else 0
        return field, self._sealer.seal(field + b"\0" + text.encode()), left

    def _certificates(self) -> dict[str, str]:
        """Names of files and of whom they are for."""
        return {f"{wanted.name}.pem": ", ".join(wanted.hosts) for wanted in self._issuer.wanted}

    def _is_ours(self, name: str) -> bool:
        folder, slash, token = name.partition("/")
        if slash:
            if folder != _CHALLENGES or token.startswith(".") or token.endswith(".new") or len(token) > 255:
                return False
            return token.encode("ascii", "replace").translate(None, b"-_.").isalnum()
        return name in self._certificates() or (name == _ACCOUNT and not isinstance(self._issuer.account_key, str))

    def _folders(self) -> tuple[int, int]:
        return _changed_ns(self._issuer.folder), _changed_ns(self._issuer.path(_CHALLENGES))

    def _read(self) -> dict[str, str]:
        """What there is. A file that cannot be read is none."""
        found = {}
        names = [_ACCOUNT, *self._certificates()]
        with contextlib.suppress(OSError):
            for token in os.listdir(self._issuer.path(_CHALLENGES)):
                path = self._issuer.path(_CHALLENGES, token)
                with contextlib.suppress(OSError):
                    if time.time() - os.stat(path).st_mtime > _OLD_S:
                        os.unlink(path)
                        continue
                names.append(f"{_CHALLENGES}/{token}")
        for name in names:
            if self._is_ours(name):
                with contextlib.suppress(OSError, UnicodeDecodeError), open(self._issuer.path(name), "rb") as file:
                    found[name] = file.read(_LONGEST).decode("ascii")
        return found

    def _take(self, name: str, text: str) -> None:
        """Another node's, or this one's own come back. Errors: what one has that is damaged; OSError."""
        path = self._issuer.path(name)
        if name == _ACCOUNT:
            PrivateKey.from_pem(text)
            had = _content(path)
            if not had:
                write(path, text)
            elif self._told is not None:
                self._told[name] = _digest(had)  # one of two stays; each node has an account that is good
        elif name.startswith(_CHALLENGES):
            os.makedirs(self._issuer.path(_CHALLENGES), mode=0o700, exist_ok=True)
            if _content(path) != text:
                write(path, text)
        else:
            PrivateKey.from_pem(text)
            offered = _rank(text)
            with contextlib.suppress(OSError, der.Malformed, IndexError):
                if _rank(_content(path)) >= offered:
                    return  # ours is newer, which the others hear in the next round, or the same
            self._issuer.keep(name, text)
            hosts = self._certificates()[name]
            self._say(NOTICE, f"acme: {self.name}: certificate for {hosts} came from another node")

    def _drop(self, name: str) -> None:
        if name.startswith(_CHALLENGES):
            if self._told is not None:
                self._told.pop(name, None)
            with contextlib.suppress(OSError):
                os.unlink(self._issuer.path(name))

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            self._say(ERROR, f'acme: {self.name}: what other nodes have was sealed with another "ticket_key"')

    def _say(self, level: int, text: str) -> None:
        self._log.write(level, text.encode("utf-8", "surrogateescape"))


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LONGEST).decode("ascii", "replace")
    except FileNotFoundError:
        return ""


def _rank(text: str) -> tuple[datetime.datetime, bytes]:
    """Of two certificates all nodes take the same. Errors: Malformed, IndexError."""
    return certify.read(der.unpem("CERTIFICATE", text)[0]).begins, _digest(text)


class OneOrder(Nodes):
    """One order for all nodes; what the keeper of an issuer calls in its thread (core/acme_store.py)."""

    def __init__(self, files: IssuerFiles, sync: Sync, log: Log) -> None:
        self.name = files.name
        self._files = files
        self._sync = sync
        self._log = log
        self._lock = f"{sync.settings.prefix}:{{acme:{files.name}}}:lock"
        self._held = False
        self._alone = False
        self._map: Map

    def begin(self, urgent: bool) -> bool:
        """Take the lock, and what the others have; not if another node has it, nor without a store if there is time."""
        found = self._in_trio(self._begin)
        if found is None:
            if urgent and not self._alone:
                words = f"acme: {self.name}: the store is gone; this node orders without asking the others"
                self._log.write(WARN, words.encode("utf-8", "surrogateescape"))
            self._alone = urgent
            return urgent
        self._alone = False
        self._held = bool(found)
        return self._held

    def tell(self) -> None:
        """What is in the folder now, for all nodes; when it returns they should have it."""
        if self._held and self._in_trio(self._exchange):
            time.sleep(max(_SPREAD_S, 5 * self._sync.interval))

    def end(self) -> None:
        if self._held:
            self._held = False
            self._in_trio(self._end)

    # -- in Trio

    def _in_trio(self, work: Any) -> Any:
        """None: the store does not answer, or this worker ends."""
        import trio

        try:
            return trio.from_thread.run(self._bounded, work)
        except (trio.RunFinishedError, trio.Cancelled):
            return None

    async def _bounded(self, work: Any) -> Any:
        try:
            async with opened(self._sync.settings) as store:
                return await work(store)
        except StoreError:
            return None

    async def _begin(self, store: Any) -> bool:
        if not await store.run(_TAKE, [self._lock], [self._sync.node, _LOCK_MS]):
            return False
        self._map = Map("acme", self._files, self._sync)
        for _ in range(2):  # what the others have, then what only this node has
            await self._map.round(store)
        return True

    async def _exchange(self, store: Any) -> bool:
        await store.run(_TAKE, [self._lock], [self._sync.node, _LOCK_MS])
        await self._map.round(store)
        return True

    async def _end(self, store: Any) -> bool:
        await self._map.round(store)
        await store.run(_GIVE, [self._lock], [self._sync.node])
        return True

    async def keep_lock(self) -> None:
        """The task beside the thread: an order may take longer than a lock lasts."""
        import trio

        async def renew(store: Any) -> None:
            await store.run(_TAKE, [self._lock], [self._sync.node, _LOCK_MS])

        while True:
            await trio.sleep(_RENEW_S)
            if self._held:
                await self._bounded(renew)
