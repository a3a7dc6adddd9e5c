"""stream_pass: `pass`, a connection handed to another listening socket of this worker, http's or stream's.

TLS that was put over it stays. What was read of a plain one, to look at it, goes with it (nginx only peeks there);
what was read and decrypted does not, nor do datagrams.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast.lane import sockaddr_text
from gateway._fast.stream import Stream
from gateway.config.conf import Conf, setting
from gateway.config.directive import Command, Context, Directive, take
from gateway.core.template import Template
from gateway.serving.listening import is_wildcard
from gateway.stream.module import INTERNAL_ERROR, NOTHING, SUCCESS, Contribution, StreamModule
from gateway.stream.setters import template
from gateway.upstream.peers.address import parse_target

if TYPE_CHECKING:
    from gateway.serving.listening import Listening
    from gateway.stream.servers import Server
    from gateway.stream.session import Session
    from gateway.upstream.peers.address import Address

# A connection that goes round in a circle ends.
_MAX_PASSES: Final = 10


@dataclass(slots=True)
class ServerConf(Conf):
    target: Address | Template | None = setting(None, inherit=False)  # an Address, or a Template


def set_pass(conf: ServerConf, command: Command) -> None:
    command.once(conf.target)
    command.scope.owner.content_by = module
    compiled = template(command, command.args[0])
    if compiled.constant is None:
        conf.target = compiled
        return
    try:
        target = parse_target(compiled.constant)
    except ValueError as error:
        command.fail(f'{error} in "{command.args[0]}" of the "pass" directive')
    if target.address is None:
        command.refuse("has no addresses")
    if not target.port and not target.address.is_unix:
        command.refuse("has no port")
    conf.target = target.address


def _address(session: Session, target: Address | Template) -> Address | None:
    if not isinstance(target, Template):
        return target
    text = target(session)
    try:
        found = parse_target(text)
    except ValueError as error:
        session.log("error", b'%b in pass "%b"' % (str(error).encode(), text))
        return None
    if found.address is None:
        session.log("error", b'no addresses in pass "%b"' % text)
    elif not found.port and not found.address.is_unix:
        session.log("error", b'no port in pass "%b"' % text)
    else:
        return found.address
    return None


def _find(session: Session, address: Address) -> Listening | None:
    """The listening socket of this address, in whichever block."""
    host, port = sockaddr_text(address.sockaddr)
    for cycle in session.worker.cycles:
        for listening in cycle.listenings:
            own = listening.address
            if own.datagram:
                continue
            if own.family == socket.AF_UNIX:
                if host == b"unix:" + os.fsencode(own.address):
                    return listening  # type: ignore[no-any-return]
            elif own.address[1] == port and not host.startswith(b"unix:"):
                same_family = (b":" in host) is (own.family == socket.AF_INET6)
                if same_family and (is_wildcard(own) or own.address[0].encode() == host):
                    return listening  # type: ignore[no-any-return]
    return None


def plan(conf: ServerConf, server: Server) -> Contribution:
    target = conf.target
    if target is None:
        return NOTHING

    async def hand_over(session: Session) -> int:
        session.action = b"passing connection to port"
        if session.protocol == b"UDP":
            session.log("error", b"cannot pass udp connection")
            return INTERNAL_ERROR
        if session.buffer and type(session.stream) is not Stream:
            session.log("error", b"cannot pass connection with preread data")
            return INTERNAL_ERROR
        address = _address(session, target)
        if address is None:
            return INTERNAL_ERROR
        if session.passes >= _MAX_PASSES:
            session.log("error", b"stream pass cycle")
            return INTERNAL_ERROR
        listening = _find(session, address)
        if listening is None:
            session.log("error", b'port not found for "%b"' % address.name)
            return SUCCESS
        worker, stream = session.worker, session.stream
        if not worker.admit():
            return INTERNAL_ERROR
        session.handed_over = True
        passes = session.passes + 1
        try:
            listening.cycle.take_over(worker, stream, session.buffer, session.raw_peer, listening, passes)
        except BaseException:
            session.handed_over = False
            raise
        return SUCCESS

    return Contribution(content=hand_over)


module = StreamModule(
    name="stream_pass",
    server=ServerConf,
    directives=(Directive("pass", Context.STREAM_SERVER, take(1), set_pass, level="server"),),
    plan=plan,
)
