"""Logging in at a mail server for a client that has shown who it is; then what the server said last is the client's."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway._fast import uri
from gateway.mail.dialogue import NONE
from gateway.mail.session import InternalError
from gateway.protocol import mail_replies
from gateway.protocol.mail_replies import Reply

if TYPE_CHECKING:
    from gateway.mail.session import Session
    from gateway.modules.mail.proxy import ServerConf, Wire


async def pop3(session: Session, wire: Wire, conf: ServerConf) -> bytes:
    """Errors: InternalError, Rejected."""
    password = session.password or b""
    if b"\n" in session.login + password or b"\r" in session.login + password:
        session.log("error", b"a login or password with a line's end cannot go into a command of POP3")
        raise InternalError
    await wire.reply(mail_replies.pop3)
    await wire.send(b"USER %b\r\n" % session.login, b"sending user name to upstream")
    await wire.reply(mail_replies.pop3)
    await wire.send(b"PASS %b\r\n" % password, b"sending password to upstream")
    return await wire.reply(mail_replies.pop3)


async def imap(session: Session, wire: Wire, conf: ServerConf) -> bytes:
    """By literals, which may have anything in them. Errors: InternalError, Rejected."""
    reader: Any = session.dialogue.reader
    tag: bytes = reader.tag
    password = session.password or b""

    def wanted(start: bytes) -> Callable[[bytes], Reply]:
        return lambda data: mail_replies.imap(data, start)

    await wire.reply(wanted(b"* OK"))
    await wire.send(b"%bLOGIN {%d}\r\n" % (tag, len(session.login)), b"sending LOGIN command to upstream")
    await wire.reply(wanted(b"+"))
    await wire.send(b"%b {%d}\r\n" % (session.login, len(password)), b"sending user name to upstream")
    await wire.reply(wanted(b"+"))
    await wire.send(password + b"\r\n", b"sending password to upstream")
    return await wire.reply(wanted(tag + b"OK"))


async def smtp(session: Session, wire: Wire, conf: ServerConf) -> bytes:
    """With XCLIENT, AUTH, or the client's MAIL and RCPT, as the server is told. Errors: InternalError, Rejected."""
    dialogue: Any = session.dialogue

    def code(*codes: bytes) -> Callable[[bytes], Reply]:
        return lambda data: mail_replies.smtp(data, *codes)

    await wire.reply(code(b"220"))
    word = b"EHLO" if dialogue.extended or conf.xclient else b"HELO"
    await wire.send(b"%b %b\r\n" % (word, session.server.name), b"sending HELO/EHLO to upstream")
    await wire.reply(code(b"250"))
    if conf.xclient:
        await wire.send(_xclient(session, conf), b"sending XCLIENT to upstream")
        await wire.reply(code(b"220", b"250"))
        if dialogue.helo:
            word = b"EHLO" if dialogue.extended else b"HELO"
            await wire.send(b"%b %b\r\n" % (word, dialogue.helo), b"sending client HELO/EHLO to upstream")
            await wire.reply(code(b"250"))
    if session.method == NONE:
        await wire.send(dialogue.mail + b"\r\n", b"sending MAIL FROM to upstream")
        await wire.reply(code(b"250"))
        await wire.send(dialogue.recipient + b"\r\n", b"sending RCPT TO to upstream")
        return await wire.reply(code())
    if conf.smtp_auth:
        if session.password is None:
            session.log("error", b"no password available")
            raise InternalError
        plain = base64.b64encode(b"\0%b\0%b" % (session.login, session.password))
        await wire.send(b"AUTH PLAIN %b\r\n" % plain, b"sending AUTH to upstream")
        await wire.reply(code(b"235"))
    return b"235 2.0.0 OK\r\n"


def _xclient(session: Session, conf: ServerConf) -> bytes:
    """Whose connection it is (Postfix's XCLIENT)."""
    address = session.peer[0]
    line = b"XCLIENT ADDR=%b%b" % (b"IPV6:" if b":" in address and b"unix:" not in address else b"", address)
    if session.login and not conf.smtp_auth:
        line += b" LOGIN=" + uri.escape(session.login, "mail_xtext")
    return line + b" NAME=%b\r\n" % session.host


LOGINS = {"pop3": pop3, "imap": imap, "smtp": smtp}
