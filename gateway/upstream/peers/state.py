"""state: the servers of an upstream in a file, which the API writes and a start or reload reads; NGINX Plus's."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from typing import TYPE_CHECKING, Final

from gateway.upstream.peers.api_objects import duration, text_of
from gateway.upstream.peers.peers import DOWN, DRAINING, TEMPLATE, UpstreamServer

if TYPE_CHECKING:
    from gateway.upstream.peers.zone import SharedPeers

_MODE: Final = 0o644


def lines(shared: SharedPeers) -> str:
    """The servers as `server` directives, each parameter only where it is not the default."""
    usual = UpstreamServer(b"")
    text = ""
    for peer in shared.members():
        if peer.parent >= 0:
            continue
        words = [text_of(peer.name or peer.server)]
        if peer.slot == TEMPLATE:
            words.append("resolve")
        if peer.service:
            words.append(f"service={text_of(peer.service)}")
        for word in ("weight", "max_conns", "max_fails"):
            if getattr(peer, word) != getattr(usual, word):
                words.append(f"{word}={getattr(peer, word)}")
        if peer.fail_timeout != usual.fail_timeout:
            words.append(f"fail_timeout={peer.fail_timeout}s")
        if peer.slow_start:
            words.append(f"slow_start={duration(peer.slow_start)}")
        if peer.route:
            words.append(f"route={text_of(peer.route)}")
        if shared.is_backup(peer):
            words.append("backup")
        if peer.down & DOWN:
            words.append("down")
        elif peer.down & DRAINING:
            words.append("drain")
        text += "server " + " ".join(_quoted(word) for word in words) + ";\n"
    return text


def _quoted(word: str) -> str:
    if word and not any(char in " \t\r\n;{}\"'\\#$" for char in word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def save(shared: SharedPeers, path: str) -> None:
    """Write the file whole or not at all; of several workers the last one writes what is true then. Errors: OSError."""
    folder = os.path.dirname(path) or "."
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        text = lines(shared)
        fd, name = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=folder)
        try:
            with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
                os.fchmod(fd, _MODE)
            os.rename(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    finally:
        os.close(directory)
