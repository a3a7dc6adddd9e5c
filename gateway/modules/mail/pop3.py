"""pop3: what POP3 clients may say before they are logged in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import Context, Directive, at_least, bitmask
from gateway.mail.dialogue import (
    APOP,
    CRAM_MD5,
    EXTERNAL,
    INVALID,
    LOG_IN,
    LOGIN,
    METHODS,
    PLAIN,
    Answer,
    Dialogue,
    announced,
)
from gateway.mail.module import MailModule, Protocol
from gateway.modules.mail.capabilities import Capabilities, set_capabilities
from gateway.protocol.mail_commands import POP3, LineReader

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.mail.cycle import MailCycle
    from gateway.mail.session import Session
    from gateway.protocol.mail_commands import Command, Event

_GREETING: Final = b"+OK POP3 ready"
_OK: Final = b"+OK\r\n"
_DEFAULT: Final = ("TOP", "USER", "UIDL")
# What nginx gives a client for its command; names and passwords are shorter.
_CLIENT_BUFFER: Final = 128
_WHERE: Final = Context.MAIL | Context.MAIL_SERVER


@dataclass(slots=True)
class ServerConf(Conf):
    capabilities: tuple[str, ...] = setting(())
    methods: int = setting(PLAIN)
    texts: Capabilities | None = None
    mechanisms: bytes = b""  # what AUTH alone is answered


class Pop3Dialogue(Dialogue):
    """POP3's authorization state (RFC 1939, 4)."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.conf: ServerConf = session.server.confs[module]
        self.methods = self.conf.methods
        self.reader = LineReader(POP3, _CLIENT_BUFFER)
        self.has_user = False  # USER was said: PASS is next

    async def greet(self) -> None:
        salt = b" " + self.salt() if self.methods & (APOP | CRAM_MD5) else b""
        await self.session.send(_GREETING + salt + b"\r\n")

    def restart(self) -> None:
        super().restart()
        self.has_user = False

    def invalid(self, event: Event | None = None) -> bytes:
        self.restart()
        return b"-ERR invalid command\r\n"

    def refused(self, message: bytes, code: bytes) -> bytes:
        return b"-ERR " + message + b"\r\n"

    def answer(self, command: Command) -> bytes | Answer:
        if self.challenged is not None:
            return self.challenged(command)
        name = command.name
        if name == b"QUIT":
            self.session.quit = True
            return _OK
        if name == b"NOOP":
            return _OK
        if name == b"CAPA":
            assert self.conf.texts is not None
            return self.conf.texts.plain if self.has_user else self.conf.texts.of(self.session)
        if self.has_user:
            return self._password(command) if name == b"PASS" else INVALID
        if name == b"STLS":
            return self._start_tls()
        if self.starttls_only():
            return INVALID
        if name == b"USER":
            return self._user(command)
        if name == b"APOP":
            return self._apop(command)
        if name == b"AUTH":
            if not command.args:
                self.restart()
                return self.conf.mechanisms
            return self.authenticate(command)
        return INVALID

    def _user(self, command: Command) -> bytes | Answer:
        if len(command.args) != 1:
            return INVALID
        self.session.login = command.args[0]
        self.has_user = True
        return _OK

    def _password(self, command: Command) -> Answer:
        if len(command.args) != 1:
            return INVALID
        self.session.password = command.args[0]
        return LOG_IN

    def _apop(self, command: Command) -> Answer:
        if len(command.args) != 2 or not self.methods & APOP:
            return INVALID
        self.session.login, self.session.password = command.args
        self.session.method = APOP
        return LOG_IN

    def _start_tls(self) -> bytes | Answer:
        if not self.session.server.starttls or self.session.secure:
            return INVALID
        self.session.upgrade = True
        return _OK


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: MailCycle = scope.owner
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        if conf.methods & PLAIN:
            conf.methods |= LOGIN
        mechanisms = announced(conf.methods)
        words = conf.capabilities or _DEFAULT
        with_sasl = (*words, " ".join(("SASL", *mechanisms)))
        without_user = [word for word in words if word.upper() != "USER"]
        conf.texts = Capabilities(_listed(*with_sasl), _listed(*with_sasl, "STLS"), _listed(*without_user, "STLS"))
        conf.mechanisms = _lines("+OK methods supported:", *mechanisms, ".")


def _listed(*words: str) -> bytes:
    return _lines("+OK Capability list follows", *words, ".")


def _lines(*lines: str) -> bytes:
    return b"".join(line.encode("utf-8", "surrogateescape") + b"\r\n" for line in lines)


PROTOCOL: Final = Protocol(
    name="pop3",
    ports=(110, 995),
    internal_error=b"-ERR internal server error\r\n",
    certificate_error=b"-ERR SSL certificate error\r\n",
    no_certificate=b"-ERR No required SSL certificate\r\n",
    dialogue=Pop3Dialogue,
)

_AUTH: Final = {name: bit for name, bit in METHODS.items() if bit in (PLAIN, APOP, CRAM_MD5, EXTERNAL)}

module = MailModule(
    name="pop3",
    server=ServerConf,
    protocol=PROTOCOL,
    prepare=prepare,
    directives=(
        Directive("pop3_capabilities", _WHERE, at_least(1), set_capabilities, level="server"),
        Directive("pop3_auth", _WHERE, at_least(1), bitmask("methods", _AUTH), level="server"),
    ),
)
