"""imap: what IMAP clients may say before they are logged in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import Context, Directive, at_least, bitmask, size, take
from gateway.mail.dialogue import (
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
from gateway.protocol.imap_commands import ImapReader

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.mail.cycle import MailCycle
    from gateway.mail.session import Session
    from gateway.protocol.mail_commands import Command, Event

_GREETING: Final = b"* OK IMAP4 ready\r\n"
_OK: Final = b"OK completed\r\n"
_INVALID: Final = b"BAD invalid command\r\n"
_DEFAULT: Final = ("IMAP4", "IMAP4rev1", "UIDPLUS")
_WHERE: Final = Context.MAIL | Context.MAIL_SERVER


@dataclass(slots=True)
class ServerConf(Conf):
    client_buffer: int = setting(4096)
    capabilities: tuple[str, ...] = setting(())
    methods: int = setting(PLAIN)
    texts: Capabilities | None = None


class ImapDialogue(Dialogue):
    """IMAP4rev1's not authenticated state (RFC 3501, 6.1 and 6.2)."""

    reader: ImapReader

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        conf: ServerConf = session.server.confs[module]
        assert conf.texts is not None
        self.texts: Capabilities = conf.texts
        self.methods = conf.methods
        self.reader = ImapReader(conf.client_buffer)

    async def greet(self) -> None:
        await self.session.send(_GREETING)

    def literal(self) -> bytes:
        return b"+ OK\r\n"

    def invalid(self, event: Event | None = None) -> bytes:
        # what answered a name that was asked for is told without a tag, as nginx does it
        bare = self.challenged is not None and self.challenged == self._login_name
        tag = self._take_tag()
        self.restart()
        return _INVALID if bare and event is None else tag + _INVALID

    def refused(self, message: bytes, code: bytes) -> bytes:
        return self.reader.tag + b"NO " + message + b"\r\n"

    def answer(self, command: Command) -> bytes | Answer:
        if self.challenged is not None:
            return self.challenged(command)
        name = command.name
        if name == b"LOGIN":
            return self._log_in(command)
        if name == b"AUTHENTICATE":
            return self.authenticate(command)
        if name == b"CAPABILITY":
            return self.texts.of(self.session) + self._done()
        if name == b"LOGOUT":
            self.session.quit = True
            return b"* BYE\r\n" + self._done()
        if name == b"STARTTLS":
            if not self.session.server.starttls or self.session.secure:
                return INVALID
            self.session.upgrade = True
        return self._done()  # NOOP

    def _done(self) -> bytes:
        return self._take_tag() + _OK

    def _take_tag(self) -> bytes:
        tag, self.reader.tag = self.reader.tag, b""
        return tag or b"* "

    def _log_in(self, command: Command) -> Answer:
        if self.starttls_only() or len(command.args) != 2 or not command.args[0]:
            return INVALID
        self.session.login, self.session.password = command.args
        return LOG_IN


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: MailCycle = scope.owner
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        words = ["* CAPABILITY", *(conf.capabilities or _DEFAULT)]
        methods = [f"AUTH={name}" for name in announced(conf.methods)]
        conf.texts = Capabilities(
            _line(*words, *methods), _line(*words, *methods, "STARTTLS"), _line(*words, "STARTTLS", "LOGINDISABLED")
        )


def _line(*words: str) -> bytes:
    return " ".join(words).encode("utf-8", "surrogateescape") + b"\r\n"


PROTOCOL: Final = Protocol(
    name="imap",
    ports=(143, 993),
    internal_error=b"* BAD internal server error\r\n",
    certificate_error=b"* BYE SSL certificate error\r\n",
    no_certificate=b"* BYE No required SSL certificate\r\n",
    dialogue=ImapDialogue,
)

_AUTH: Final = {name: bit for name, bit in METHODS.items() if bit in (PLAIN, LOGIN, CRAM_MD5, EXTERNAL)}

module = MailModule(
    name="imap",
    server=ServerConf,
    protocol=PROTOCOL,
    prepare=prepare,
    directives=(
        Directive("imap_client_buffer", _WHERE, take(1), size("client_buffer"), level="server"),
        Directive("imap_capabilities", _WHERE, at_least(1), set_capabilities, level="server"),
        Directive("imap_auth", _WHERE, at_least(1), bitmask("methods", _AUTH), level="server"),
    ),
)
