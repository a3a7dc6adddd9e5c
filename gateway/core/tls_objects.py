"""Certificates, keys and lists of revoked ones by their names: each file is loaded once for a configuration.

A reload takes what did not change on disk over from the configuration before (`ssl_object_cache_inheritable`).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import x509
from gateway._fast.errors import TlsError
from gateway.config.parts import Part

if TYPE_CHECKING:
    from gateway._fast.x509 import Chain, Key, Revoked
    from gateway.config.loader import Loader

Identity = tuple[int, int] | None  # of a file: its inode and when it was changed


def _identity(name: str) -> Identity:
    if name.startswith(("data:", "engine:", "store:")):
        return None
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_ino, int(found.st_mtime)


def load_chain(name: str) -> Chain:
    try:
        return x509.load_chain(name)
    except TlsError as error:
        raise TlsError(f'cannot load certificate "{name}": {error}', *error.about) from None


def load_authorities(name: str) -> Chain:
    try:
        return x509.load_authorities(name)
    except TlsError as error:
        raise TlsError(f'cannot load certificate "{name}": {error}', *error.about) from None


def load_revoked(name: str) -> Revoked:
    try:
        return x509.load_revoked(name)
    except TlsError as error:
        raise TlsError(f'cannot load CRL "{name}": {error}', "crl") from None


def load_key(name: str, passwords: Sequence[bytes] | None) -> Key:
    try:
        return x509.load_key(name, passwords)
    except TlsError as error:
        raise TlsError(f'cannot load certificate key "{name}": {error}', *error.about) from None


class Objects:
    """Those of one configuration. Errors: TlsError, in nginx's words."""

    def __init__(self, earlier: Objects | None = None) -> None:
        self.inheritable = True
        self._earlier = earlier
        self._kept: dict[tuple[str, str], tuple[Identity, Any]] = {}

    def chain(self, name: str) -> Chain:
        return self._get("chain", name, lambda: load_chain(name))  # type: ignore[no-any-return]

    def authorities(self, name: str) -> Chain:
        return self._get("authorities", name, lambda: load_authorities(name))  # type: ignore[no-any-return]

    def revoked(self, name: str) -> Revoked:
        return self._get("revoked", name, lambda: load_revoked(name))  # type: ignore[no-any-return]

    def key(self, name: str, passwords: Sequence[bytes] | None) -> Key:
        """None: the terminal is asked for the password of an encrypted one."""
        return self._get("key", name, lambda: load_key(name, passwords))  # type: ignore[no-any-return]

    def finish(self) -> None:
        """A block of the configuration is complete: the next configuration may take over from this one."""
        global _latest
        _latest = self

    def forget_earlier(self) -> None:
        self._earlier = None

    def _get(self, kind: str, name: str, load: Callable[[], Any]) -> Any:
        kept = self._kept.get((kind, name))
        if kept is not None:
            return kept[1]
        identity = _identity(name)
        made: Any = None
        if self._earlier is not None and self._earlier.inheritable:
            before = self._earlier._kept.get((kind, name))
            if before is not None and (before[0] == identity if identity is not None else name.startswith("data:")):
                made = before[1]
        if made is None:
            made = load()
            if getattr(made, "encrypted", False):
                return made  # it is loaded anew each time: nobody without its password gets it
        self._kept[kind, name] = identity, made
        return made


_latest: Objects | None = None


def loaded_chain(name: str) -> Chain | None:
    """One that the configuration in force has loaded."""
    found = _latest._kept.get(("chain", name)) if _latest is not None else None
    return found[1] if found is not None else None


def objects_of(loader: Loader) -> Objects:
    """Those of the configuration that is being loaded."""
    return loader.parts.get(TLS_OBJECTS)


def _next_objects() -> Objects:
    if _latest is not None:
        _latest.forget_earlier()
    return Objects(_latest)


TLS_OBJECTS: Final = Part("certificates and keys", _next_objects)


class ObjectCache:
    """`*_ssl_certificate_cache`: certificates and keys that variables name, kept for a while.

    At most `most`, each believed for `valid_s` and then until its file changes, or until nobody asked for it for
    `inactive_s`.
    """

    def __init__(self, most: int, inactive_s: float, valid_s: float) -> None:
        self.most = most
        self.inactive_s = inactive_s
        self.valid_s = valid_s
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def chain(self, name: str, now: float, *, anew: bool = False) -> Chain:
        return self._get("chain", name, now, anew, lambda: load_chain(name))  # type: ignore[no-any-return]

    def key(self, name: str, passwords: Sequence[bytes], now: float, *, anew: bool = False) -> Key:
        return self._get("key", name, now, anew, lambda: load_key(name, passwords))  # type: ignore[no-any-return]

    def _get(self, kind: str, name: str, now: float, anew: bool, load: Callable[[], Any]) -> Any:
        kept = self._kept
        found = kept.get((kind, name))
        if found is not None:
            anew = anew and not name.startswith("data:")
            if anew or (now - found.made > self.valid_s and not name.startswith("data:")):
                identity = _identity(name)
                if anew or identity is None or identity != found.identity:
                    del kept[kind, name]  # for the case that it cannot be loaded any more
                    found.value, found.identity = load(), identity
                    if getattr(found.value, "encrypted", False):
                        return found.value
                    kept[kind, name] = found
                found.made = now
        else:
            identity = _identity(name)
            found = _Kept(load(), identity, now)
            if getattr(found.value, "encrypted", False):
                return found.value  # nobody without its password gets it
            self._expire(now)
            kept[kind, name] = found
        found.used = now
        kept.move_to_end((kind, name))
        return found.value

    def _expire(self, now: float) -> None:
        kept = self._kept
        while kept and now - next(iter(kept.values())).used > self.inactive_s:
            kept.popitem(last=False)
        if len(kept) >= self.most:
            kept.popitem(last=False)


class _Kept:
    __slots__ = ("identity", "made", "used", "value")

    def __init__(self, value: Any, identity: Identity, now: float) -> None:
        self.value = value
        self.identity = identity
        self.made = self.used = now


def pair_for(
    cache: ObjectCache | None, names: tuple[str, str], passwords: Sequence[bytes], now: float, use: Callable[..., None]
) -> None:
    """Give `use` the certificate and key of these names; once more without the cache if they do not belong together.

    Of two files that were replaced one after the other the cache may have an old and a new one. Errors: TlsError.
    """
    for anew in (False, True):
        if cache is None:
            chain, key = load_chain(names[0]), load_key(names[1], passwords)
        else:
            chain = cache.chain(names[0], now, anew=anew)
            key = cache.key(names[1], passwords, now, anew=anew)
        try:
            use(chain, key)
            return
        except TlsError as error:
            if anew or cache is None or "mismatch" not in error.about:
                raise
