"""smtp: what SMTP clients may say before they are logged in, or before a recipient is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import Context, Directive, at_least, bitmask, size, take, time_s
from gateway.mail.dialogue import (
    CRAM_MD5,
    EXTERNAL,
    INVALID,
    LOG_IN,
    LOGIN,
    METHODS,
    NONE,
    PLAIN,
    Answer,
    Dialogue,
    announced,
)
from gateway.mail.module import MailModule, Protocol
from gateway.modules.mail.capabilities import Capabilities, set_capabilities
from gateway.modules.mail.client_host import find_host
from gateway.protocol.mail_commands import SMTP, LineReader

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.mail.cycle import MailCycle
    from gateway.mail.session import Session
    from gateway.protocol.mail_commands import Command, Event

_OK: Final = b"250 2.0.0 OK\r\n"
_BAD_ARGUMENT: Final = b"501 5.5.4 Invalid argument\r\n"
_BAD_SEQUENCE: Final = b"503 5.5.1 Bad sequence of commands\r\n"
_TOO_EARLY: Final = b"503 5.5.0 Improper use of SMTP command pipelining\r\n"
_LOGIN_FAILED: Final = b"535 5.7.0"
_WHERE: Final = Context.MAIL | Context.MAIL_SERVER


@dataclass(slots=True)
class ServerConf(Conf):
    client_buffer: int = setting(4096)
    greeting_delay: float = setting(0.0)
    capabilities: tuple[str, ...] = setting(())
    methods: int = setting(PLAIN | LOGIN)
    texts: Capabilities | None = None


class SmtpDialogue(Dialogue):
    """SMTP until AUTH is done, or until RCPT where `smtp_auth none` wants no login (RFC 5321, RFC 4954)."""

    challenge_prefix = b"334 "

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.conf: ServerConf = session.server.confs[module]
        self.methods = self.conf.methods
        self.reader = LineReader(SMTP, self.conf.client_buffer)
        self.extended = False  # the client has said EHLO
        self.forget()

    def forget(self) -> None:
        """All that the client has said of itself."""
        self.helo = b""
        self.mail = b""  # its MAIL command, and RCPT, as they were written
        self.recipient = b""

    async def greet(self) -> None:
        session = self.session
        await find_host(session)
        delay_s: float = self.conf.greeting_delay
        if delay_s:
            session.action = b"in delay pipelining state"
            early = await session.early_words(session.lane.now + delay_s, self.reader.size)
            if early:
                self._log(b"client was rejected before greeting", early)
                session.quit = True
                await session.send(_TOO_EARLY)
                return
        await session.send(b"220 %b ESMTP ready\r\n" % session.server.name)

    def invalid(self, event: Event | None = None) -> bytes:
        self.restart()
        return b"500 5.5.1 Invalid command\r\n"

    def refused(self, message: bytes, code: bytes) -> bytes:
        return b"%b %b\r\n" % (code or _LOGIN_FAILED, message)

    def answer(self, command: Command) -> bytes | Answer:
        if self.challenged is not None:
            return self.challenged(command)
        name = command.name
        if name in (b"HELO", b"EHLO"):
            return self._hello(command)
        if name == b"AUTH":
            return self._authenticate(command)
        if name == b"QUIT":
            self.session.quit = True
            return b"221 2.0.0 Bye\r\n"
        if name == b"MAIL":
            return self._mail(command)
        if name == b"RCPT":
            return self._recipient(command)
        if name == b"RSET":
            self.mail = self.recipient = b""
            return _OK
        if name == b"NOOP":
            return _OK
        return self._start_tls() if name == b"STARTTLS" else INVALID

    def _hello(self, command: Command) -> bytes:
        if len(command.args) != 1:
            return _BAD_ARGUMENT
        self.forget()
        self.helo = command.args[0]
        if command.name == b"HELO":
            return b"250 %b\r\n" % self.session.server.name
        self.extended = True
        assert self.conf.texts is not None
        return self.conf.texts.of(self.session)

    def _authenticate(self, command: Command) -> bytes | Answer:
        if self.starttls_only():
            return INVALID
        if not command.args:
            self.restart()
            return _BAD_ARGUMENT
        return self.authenticate(command)

    def _mail(self, command: Command) -> bytes:
        if not self.methods & NONE:
            self._log(b"client was rejected", self.reader.shown)
            return b"530 5.7.1 Authentication required\r\n"
        if self.mail:
            return _BAD_SEQUENCE
        if not command.args:
            return _BAD_ARGUMENT
        self.mail = command.text
        self.session.login, self.session.password = b"", None
        return _OK

    def _recipient(self, command: Command) -> bytes | Answer:
        if not self.mail:
            return _BAD_SEQUENCE
        if not command.args:
            return _BAD_ARGUMENT
        self.recipient = command.text
        self.session.method = NONE
        return LOG_IN

    def _start_tls(self) -> bytes | Answer:
        if not self.session.server.starttls or self.session.secure:
            return INVALID
        # what was said in the clear may have been said by anybody (RFC 3207)
        self.forget()
        self.session.upgrade = True
        return b"220 2.0.0 Start TLS\r\n"

    def _log(self, what: bytes, words: bytes) -> None:
        shown = words.replace(b"\r", b"_").replace(b"\n", b"_")
        self.session.log("info", b'%b: "%b"' % (what, shown))


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: MailCycle = scope.owner
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        words = [server.name.decode("utf-8", "surrogateescape"), *conf.capabilities]
        mechanisms = announced(conf.methods)
        auth = [" ".join(("AUTH", *mechanisms))] if mechanisms else []
        conf.texts = Capabilities(
            _reply(*words, *auth), _reply(*words, *auth, "STARTTLS"), _reply(*words, "STARTTLS")
        )


def _reply(*lines: str) -> bytes:
    """A reply of 250 in as many lines."""
    texts = [line.encode("utf-8", "surrogateescape") for line in lines]
    return b"".join(b"250-%b\r\n" % text for text in texts[:-1]) + b"250 %b\r\n" % texts[-1]


PROTOCOL: Final = Protocol(
    name="smtp",
    ports=(25, 465, 587),
    internal_error=b"451 4.3.2 Internal server error\r\n",
    certificate_error=b"421 4.7.1 SSL certificate error\r\n",
    no_certificate=b"421 4.7.1 No required SSL certificate\r\n",
    dialogue=SmtpDialogue,
)

_AUTH: Final = {name: bit for name, bit in METHODS.items() if bit in (PLAIN, LOGIN, CRAM_MD5, EXTERNAL, NONE)}

module = MailModule(
    name="smtp",
    server=ServerConf,
    protocol=PROTOCOL,
    prepare=prepare,
    directives=(
        Directive("smtp_client_buffer", _WHERE, take(1), size("client_buffer"), level="server"),
        Directive("smtp_greeting_delay", _WHERE, take(1), time_s("greeting_delay"), level="server"),
        Directive("smtp_capabilities", _WHERE, at_least(1), set_capabilities, level="server"),
        Directive("smtp_auth", _WHERE, at_least(1), bitmask("methods", _AUTH), level="server"),
    ),
)
