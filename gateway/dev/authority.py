"""One certificate authority for each user, for HTTPS in development, which is believed after `gateway trust`."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import hashlib
import os
import socket
from pathlib import Path
from typing import Final

from gateway._fast.openssl import OpenSslError
from gateway.core import certify
from gateway.core.keys import KeyProblem, PrivateKey
from gateway.protocol import der

_YEARS: Final = 10 * 365.0
# Browsers believe no server's certificate that is longer valid than 825 days (Apple), or 398 of a known authority.
_LEAF_DAYS: Final = 90.0
_RENEW_BEFORE: Final = datetime.timedelta(days=10)


class NoAuthority(Exception):
    """It cannot be made or read; the text says why."""


class Authority:
    """The authority in a folder; made at the first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        self._key_file = folder / "authority.key"
        self._believed_file = folder / "believed"

    @classmethod
    def of_user(cls) -> Authority:
        """Errors: NoAuthority."""
        data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
        if not data.startswith("/"):
            raise NoAuthority("there is no home folder for the authority's key; name one with XDG_DATA_HOME")
        return cls(Path(data) / "gateway")

    @property
    def exists(self) -> bool:
        return self.file.exists() and self._key_file.exists()

    @property
    def name(self) -> str:
        """As trust stores list it: the same for this authority for ever, another one for each."""
        return f"gateway local authority {hashlib.sha256(self.file.read_bytes()).hexdigest()[:12]}"

    @property
    def believed(self) -> bool:
        """Whether `gateway trust` has put it into a store, and nobody has taken it back."""
        return self._believed_file.exists()

    @believed.setter
    def believed(self, yes: bool) -> None:
        with contextlib.suppress(OSError):
            if yes:
                self._believed_file.touch()
            else:
                self._believed_file.unlink(missing_ok=True)

    def make(self) -> None:
        """Errors: NoAuthority."""
        if self.exists:
            return
        try:
            key = PrivateKey.make()
            try:
                user = getpass.getuser()
            except (OSError, KeyError):  # a container's, by number, that no passwd knows
                user = f"uid {os.getuid()}"
            whose = f"{user}@{socket.gethostname()}"
            subject = certify.name("gateway local authority", whose)
            text = der.pem("CERTIFICATE", certify.authority(subject, key, _YEARS))
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self._key_file, key.pem())
            _write(self.file, text, 0o644)
        except (KeyProblem, OpenSslError) as error:
            raise NoAuthority(str(error)) from None
        except OSError as error:
            raise NoAuthority(f"{error.filename}: {error.strerror}") from None

    def certificate(self, hosts: list[str]) -> tuple[Path, Path]:
        """The chain and the key for these hosts, kept until shortly before they end. Errors: NoAuthority."""
        self.make()
        stem = hashlib.sha256(" ".join(hosts).encode()).hexdigest()[:16]
        chain, key_file = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        try:
            authority = self.file.read_text()
            if _good(chain, key_file, authority):
                return chain, key_file
            own = PrivateKey.from_pem(self._key_file.read_text())
            subject = certify.read(der.unpem("CERTIFICATE", authority)[0]).subject
            key = PrivateKey.make()
            leaf = certify.server(hosts, key, certify.Issuer(subject, own), _LEAF_DAYS)
            _write(key_file, key.pem())
            _write(chain, der.pem("CERTIFICATE", leaf) + authority, 0o644)
        except (KeyProblem, OpenSslError, der.Malformed, IndexError) as error:
            raise NoAuthority(f"{self.folder}: {error}; remove that folder for a new authority") from None
        except OSError as error:
            raise NoAuthority(f"{error.filename}: {error.strerror}") from None
        return chain, key_file


def _good(chain: Path, key: Path, authority: str) -> bool:
    """Whether there is a certificate of this authority that is valid for some days."""
    try:
        text = chain.read_text()
        ends = certify.read(der.unpem("CERTIFICATE", text)[0]).ends
    except (OSError, der.Malformed, IndexError):
        return False
    return key.exists() and text.endswith(authority) and ends - _RENEW_BEFORE > datetime.datetime.now(datetime.UTC)


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Whole or not at all, and a key is never readable by others."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    new.rename(path)
