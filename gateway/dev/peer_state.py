"""Whether a peer of the configuration answers, and if not, why: in the words of the error log's causes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from gateway.dev.diagnosis import tcp, unix_sockets
from gateway.dev.diagnosis.mixups import other_protocol
from gateway.dev.probe import NoAnswer, ask_connection, ask_speech, ask_uwsgi

# An upstream that takes longer is as good as away for someone who waits for the prompt.
_PATIENCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Peer:
    """An address that requests are passed to."""

    protocol: str  # uwsgi, proxy, …: the directive's family
    name: str
    address: str | tuple[str, int]
    upstream: str = ""  # the block that it stands in
    tls: bool = False


class State(NamedTuple):
    """Whether it answers, a word about it, and the cause when it does not."""

    fine: bool
    word: str
    cause: str = ""


def state(peer: Peer, folder: Path) -> State:
    """Ask one peer; relative sockets are taken from the server's working directory."""
    address = peer.address
    if isinstance(address, str):
        address = str(folder / address)
    try:
        if peer.protocol == "uwsgi":
            return _uwsgi(peer, address)
        if peer.protocol == "proxy" and not peer.tls:
            return _http(peer, address)
        return State(True, f"takes connections ({ask_connection(address, _PATIENCE_S) * 1e3:.0f} ms)")
    except NoAnswer as why:
        return State(False, f"does not answer: {why}", _cause(address, why.errno))


def _uwsgi(peer: Peer, address: str | tuple[str, int]) -> State:
    try:
        seconds = ask_uwsgi(address, _PATIENCE_S)
    except NoAnswer as why:
        if why.errno:
            raise
        wrong = other_protocol(peer.protocol, peer.name, ask_speech(address, _PATIENCE_S))
        return State(False, f"does not answer: {why}", wrong or "")
    return State(True, f"answers uwsgi ({seconds * 1e3:.0f} ms)")


def _http(peer: Peer, address: str | tuple[str, int]) -> State:
    """HTTP, or at least a connection: an application may take its time with a first answer."""
    begin = time.monotonic()
    speech = ask_speech(address, _PATIENCE_S)
    if wrong := other_protocol(peer.protocol, peer.name, speech):
        return State(False, "speaks another protocol", wrong)
    took = f"{(time.monotonic() - begin) * 1e3:.0f} ms"
    return State(True, f"answers HTTP ({took})" if speech == "HTTP" else f"takes connections ({took})")


def _cause(address: str | tuple[str, int], code: int) -> str:
    if not code:
        return ""
    if isinstance(address, str):
        return unix_sockets.why(address, code) or ""
    host, port = address
    return tcp.why("127.0.0.1" if host == "localhost" else host, port, code, name=host) or ""


def states(found: list[Peer], folder: Path) -> list[State]:
    """The same for all, at once."""
    if not found:
        return []
    with ThreadPoolExecutor(min(16, len(found))) as pool:
        return list(pool.map(lambda peer: state(peer, folder), found))
