"""The part of a protocol that comes before a login, and what the three of them share: the ways to log in."""

from __future__ import annotations

import base64
import binascii
import enum
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.protocol.mail_commands import CommandReader

if TYPE_CHECKING:
    from gateway.mail.session import Session
    from gateway.protocol.mail_commands import Command, Event


class Answer(enum.Enum):
    """What is no reply."""

    LOG_IN = 0  # the session has a login, and is to ask whether that is one
    INVALID = 1


LOG_IN, INVALID = Answer.LOG_IN, Answer.INVALID

# *_auth, as bits; PLAIN, LOGIN, … in the order in which they are announced.
METHODS: Final = {"plain": 2, "login": 4, "apop": 8, "cram-md5": 16, "external": 32, "none": 64}
PLAIN, LOGIN, APOP, CRAM_MD5, EXTERNAL, NONE = METHODS.values()
_DIGEST: Final = 32  # of CRAM-MD5, in hexadecimal digits


def announced(methods: int) -> list[str]:
    """The names of SASL's mechanisms among them."""
    return [name.upper() for name, bit in METHODS.items() if methods & bit and bit not in (APOP, NONE)]


Challenge = Callable[["Command"], "bytes | Answer"]


class Dialogue:
    """One client's; the session reads commands with `reader` and sends what is answered."""

    methods: int
    reader: CommandReader
    # How a challenge begins, and the words for name and password in base64.
    challenge_prefix = b"+ "

    def __init__(self, session: Session) -> None:
        self.session = session
        self.challenged: Challenge | None = None  # AUTH goes on with this

    async def greet(self) -> None:
        """Send what the server says first."""
        raise NotImplementedError

    def answer(self, command: Command) -> bytes | Answer:
        """A command, or an answer to a challenge."""
        raise NotImplementedError

    def invalid(self, event: Event | None = None) -> bytes:
        """What a client is told that has sent nothing sensible; the dialogue begins anew."""
        raise NotImplementedError

    def literal(self) -> bytes:
        """A client may send a literal (IMAP)."""
        raise NotImplementedError

    def refused(self, message: bytes, code: bytes) -> bytes:
        """What a client is told that may not log in, in the words of who decided that."""
        raise NotImplementedError

    def restart(self) -> None:
        """The next line is a command."""
        self.challenged = None
        self.reader.restart()

    # -- AUTH ----------------------------------------------------------------------------------------------------

    def authenticate(self, command: Command) -> bytes | Answer:
        """AUTH with its mechanism: a challenge, LOG_IN, or INVALID."""
        args = command.args
        mechanism = args[0].upper() if args else b""
        initial = args[1] if len(args) == 2 else None
        if len(args) > 2 or self.starttls_only():
            return INVALID
        if mechanism == b"LOGIN":
            if initial is None:
                return self.challenge(b"Username:", self._login_name)
            return self._login_name(command, 1)
        if mechanism == b"PLAIN":
            return self.challenge(b"", self._plain) if initial is None else self._plain(command, 1)
        if mechanism == b"CRAM-MD5" and initial is None and self.methods & CRAM_MD5:
            return self.challenge(self.salt(), self._cram_md5)
        if mechanism == b"EXTERNAL" and self.methods & EXTERNAL:
            return self.challenge(b"Username:", self._external) if initial is None else self._external(command, 1)
        return INVALID

    def challenge(self, text: bytes, answered: Challenge) -> bytes:
        self.challenged = answered
        return self.challenge_prefix + base64.b64encode(text) + b"\r\n"

    def starttls_only(self) -> bool:
        session = self.session
        return session.server.starttls_only and not session.secure

    def salt(self) -> bytes:
        """A text that is no other connection's, for APOP and CRAM-MD5."""
        session = self.session
        if not session.salt:
            words = (secrets.randbits(31), int(session.lane.wall), session.server.name)
            session.salt = b"<%d.%d@%b>" % words
        return session.salt

    def _decoded(self, command: Command, at: int, mechanism: bytes) -> bytes | None:
        """Base64 of an answer as nginx takes it: what is behind a padding counts for nothing."""
        text = command.args[at]
        made = decode_base64(text)
        if made is None:
            self._said(b"base64 encoding", mechanism)
        return made

    def _said(self, what: bytes, mechanism: bytes) -> None:
        self.session.log("info", b"client sent invalid %b in AUTH %b command" % (what, mechanism))

    def _plain(self, command: Command, at: int = 0) -> Answer:
        text = self._decoded(command, at, b"PLAIN")
        if text is None:
            return INVALID
        _, first, rest = text.partition(b"\0")
        if not first or not rest:
            self._said(b"login", b"PLAIN")
            return INVALID
        login, second, password = rest.partition(b"\0")
        if not second:
            self._said(b"password", b"PLAIN")
            return INVALID
        self.session.login, self.session.password = login, password
        return LOG_IN

    def _login_name(self, command: Command, at: int = 0) -> bytes | Answer:
        name = self._decoded(command, at, b"LOGIN")
        if name is None:
            return INVALID
        self.session.login = name
        return self.challenge(b"Password:", self._login_password)

    def _login_password(self, command: Command) -> Answer:
        password = self._decoded(command, 0, b"LOGIN")
        if password is None:
            return INVALID
        self.session.password = password
        return LOG_IN

    def _cram_md5(self, command: Command) -> Answer:
        text = self._decoded(command, 0, b"CRAM-MD5")
        if text is None:
            return INVALID
        login, _, digest = text.partition(b" ")
        self.session.login = login
        if len(digest) != _DIGEST:
            self._said(b"CRAM-MD5 hash", b"CRAM-MD5")
            return INVALID
        self.session.password = digest
        self.session.method = CRAM_MD5
        return LOG_IN

    def _external(self, command: Command, at: int = 0) -> Answer:
        login = self._decoded(command, at, b"EXTERNAL")
        if login is None:
            return INVALID
        self.session.login = login
        self.session.method = EXTERNAL
        return LOG_IN


def decode_base64(text: bytes) -> bytes | None:
    """nginx's reading of base64: it ends at the first `=`, and one letter alone is none."""
    letters = text.partition(b"=")[0]
    if len(letters) % 4 == 1:
        return None
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except binascii.Error:
        return None
