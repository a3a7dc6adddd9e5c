"""What ACME keeps on disk, and who does it: one folder for each issuer, the workers' own.

account.key     the account
NAME.pem        a certificate: its key, then its chain, written whole or not at all
NAME.next       when it is looked at again, if the authority said so
NAME.crt, .key  the same apart, for other programs
challenges/     what http-01 and tls-alpn-01 show, for all workers
ISSUER.lock     held by the worker that has the duty; several issuers may have one folder
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import ipaddress
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.core import certify
from gateway.core.acme_client import AcmeClient, AcmeProblem, LookUp, Solver, Wish, certificate_id, encoded
from gateway.core.keys import PrivateKey
from gateway.protocol import der

# After a failure: twice as long each time.
_FIRST_WAIT_S: Final = 60.0
_LONGEST_WAIT_S: Final = 6 * 3600.0
# How often it is looked whether something is due, at the latest.
_LOOK_S: Final = 3600.0
# Without a word from the authority: when a third of the time is left.
_LEFT: Final = 3
_HOOK_S: Final = 300.0
# While another node orders, or the store does not say whether one does: how often it is looked, and for how long.
_OTHERS_S: Final = 5.0
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One certificate: for these names, with this kind of key."""

    hosts: tuple[str, ...]
    key: tuple[str, int] = ("ecdsa", 256)

    @property
    def name(self) -> str:
        digest = hashlib.sha256(repr((sorted(self.hosts), self.key)).encode()).hexdigest()[:10]
        first = self.hosts[0].replace("*", "_").replace(":", "-")
        return f"{first}-{digest}"


@dataclass(slots=True)
class Issuer:
    """What an acme_issuer block says, and the certificates that servers want of it."""

    name: str
    folder: str = ""
    wish: Wish = field(default_factory=lambda: Wish(""))
    account_key: tuple[str, int] | str = ("ecdsa", 256)  # or a file
    challenge: str = "http-01"
    hook: str = ""
    trusted: str = ""
    verify: bool = True
    wanted: list[Wanted] = field(default_factory=list)

    def path(self, *names: str) -> str:
        return "/".join((self.folder, *names))

    def certificate(self, wanted: Wanted) -> str:
        """The file with the key and the chain, or nothing as long as there is none."""
        path = self.path(f"{wanted.name}.pem")
        return path if os.path.exists(path) else ""

    def keep(self, name: str, text: str) -> None:
        """A new key with its chain, in the file of this name, and apart for other programs. Errors: OSError."""
        key, begin, chain = text.partition("-----BEGIN CERTIFICATE-----")
        write(self.path(name), text)
        write(self.path(f"{name.removesuffix('.pem')}.key"), key)
        write(self.path(f"{name.removesuffix('.pem')}.crt"), begin + chain)

    def shown(self, token: bytes) -> bytes | None:
        """What http-01 shows for a token."""
        if not token or not token.replace(b"-", b"").replace(b"_", b"").isalnum():
            return None
        try:
            with open(os.fsencode(self.path("challenges/")) + token, "rb") as file:
                return file.read()
        except OSError:
            return None

    def proof(self, name: bytes) -> str | None:
        """What tls-alpn-01 shows for a name: a certificate and its key."""
        if not name or name[:1] == b"." or not name.translate(None, b".-_").isalnum():
            return None
        try:
            with open(os.fsencode(self.path("challenges/")) + name.lower() + b".pem") as file:
                return f"data:{file.read()}"
        except OSError:
            return None

    def tls(self) -> ssl.SSLContext:
        """For asking the authority. Errors: OSError."""
        context = ssl.create_default_context(cafile=self.trusted or None)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Nodes:
    """Who else may order what this node wants: nobody, unless an issuer has `sync` (cluster/certificates.py)."""

    def begin(self, urgent: bool) -> bool:
        """Whether this node orders now, or is to look again soon. `urgent`: it cannot wait for who does not answer."""
        return True

    def tell(self) -> None:
        """The files are as they are: all others have them when it returns."""

    def end(self) -> None:
        """The order is over."""


class HttpSolver:
    """http-01: a file that all workers see."""

    kind = "http-01"

    def __init__(self, issuer: Issuer, nodes: Nodes | None = None) -> None:
        self._issuer = issuer
        self._nodes = nodes or Nodes()

    def show(self, host: str, token: str, authorization: str) -> str:
        os.makedirs(self._issuer.path("challenges"), mode=0o700, exist_ok=True)
        write(self._issuer.path("challenges", token), authorization)
        self._nodes.tell()
        return ""

    def hide(self, host: str, token: str, authorization: str) -> None:
        os.unlink(self._issuer.path("challenges", token))


class AlpnSolver:
    """tls-alpn-01 (RFC 8737): a certificate signed by itself, by the name that the authority asks for."""

    kind = "tls-alpn-01"

    def __init__(self, issuer: Issuer, nodes: Nodes | None = None) -> None:
        self._issuer = issuer
        self._nodes = nodes or Nodes()

    def show(self, host: str, token: str, authorization: str) -> str:
        os.makedirs(self._issuer.path("challenges"), mode=0o700, exist_ok=True)
        key = PrivateKey.make()
        digest = hashlib.sha256(authorization.encode()).digest()
        write(self._file(host), key.pem() + der.pem("CERTIFICATE", certify.challenge(host, digest, key)))
        self._nodes.tell()
        return ""

    def hide(self, host: str, token: str, authorization: str) -> None:
        os.unlink(self._file(host))

    def _file(self, host: str) -> str:
        """Of an address the authority asks by its name in the reverse tree (RFC 8738)."""
        with contextlib.suppress(ValueError):
            host = ipaddress.ip_address(host).reverse_pointer
        return self._issuer.path("challenges", f"{host.lower()}.pem")


class HookSolver:
    """dns-01: a program that puts a TXT record into the zone: PROGRAM add|remove NAME VALUE."""

    kind = "dns-01"

    def __init__(self, issuer: Issuer, nodes: Nodes | None = None) -> None:
        self._issuer = issuer  # the other nodes see the zone as it is

    def show(self, host: str, token: str, authorization: str) -> str:
        # A shell's script goes on behind a command that fails, and ends as its last one does.
        said = self._call("add", host, authorization)
        return f"{self._issuer.hook} ended well, but said: {said}" if said else ""

    def hide(self, host: str, token: str, authorization: str) -> None:
        self._call("remove", host, authorization)

    def _call(self, what: str, host: str, authorization: str) -> str:
        """The last line of what it said of errors."""
        value = encoded(hashlib.sha256(authorization.encode()).digest())
        command = [self._issuer.hook, what, f"_acme-challenge.{host.removeprefix('*.')}", value]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_HOOK_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise AcmeProblem(f"{' '.join(command)} took longer than {_HOOK_S:.0f} s") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise AcmeProblem(f"{' '.join(command)} ended with {done.returncode}{f': {said[-1]}' if said else ''}")
        return (done.stderr.strip().splitlines() or [""])[-1]


SOLVERS: Final[dict[str, Callable[[Issuer, Nodes], Solver]]] = {
    solver.kind: solver for solver in (HttpSolver, AlpnSolver, HookSolver)
}


def write(path: str, text: str) -> None:
    """Whole or not at all, for nobody else. Errors: OSError."""
    new = f"{path}.{os.getpid()}-{threading.get_native_id()}.new"  # issuers with one folder have a thread each
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    os.rename(new, path)


def _words(why: Exception) -> str:
    """What failed; of the authority's certificate as nginx says it of an upstream's."""
    if isinstance(why, ssl.SSLCertVerificationError):
        return f"upstream SSL certificate verify error: ({why.verify_code}:{why.verify_message})"
    return str(why) if isinstance(why, (AcmeProblem, OSError)) else f"{type(why).__name__} {why}"


class Keeper:
    """Does what an issuer's certificates need; one worker at a time, in a thread."""

    def __init__(
        self,
        issuer: Issuer,
        log: Callable[[str, str], None],
        nodes: Nodes | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        self.issuer = issuer
        self.nodes = nodes or Nodes()
        self._began = time.monotonic()
        self.going = True  # false: this worker ends
        self._log = log  # level, text
        self._look_up = look_up
        self._lock = -1
        self._client: AcmeClient | None = None
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def take_duty(self) -> bool:
        """Whether this worker is the one that does it. The kernel gives the lock back when it ends."""
        if self._lock < 0:
            try:
                path = self.issuer.path(f"{self.issuer.name}.lock")
                self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                self._log("error", f"acme: {self.issuer.folder} cannot be used ({error.errno}: {error.strerror})")
                return False
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def drop_duty(self) -> None:
        self.going = False
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def turn(self) -> float:
        """Whatever is due; seconds until the next look."""
        wait = _LOOK_S
        for wanted in self.issuer.wanted:
            if not self.going:
                break
            wait = min(wait, self._look_at(wanted))
        return max(wait, 1.0)

    def _look_at(self, wanted: Wanted) -> float:
        name = wanted.name
        late = self._not_before.get(name, 0.0) - time.monotonic()
        if late > 0:
            return late
        try:
            due = self._due(wanted)
            if due > 0:
                return due
            if not self.nodes.begin(self._is_urgent(wanted)):
                return _OTHERS_S
            try:
                return self._due(wanted) or self._renew(wanted)
            finally:
                self.nodes.end()
        except Exception as why:  # also of an answer that has another form: the worker serves, whatever is wrong here
            if not self.going:
                return _LOOK_S
            count = self._failures[name] = self._failures.get(name, 0) + 1
            asked = why.retry_after_s if isinstance(why, AcmeProblem) else 0.0
            wait = max(min(_FIRST_WAIT_S * 2 ** (count - 1), _LONGEST_WAIT_S), asked)
            self._not_before[name] = time.monotonic() + wait
            words = _words(why)
            kept = "the old certificate goes on" if self.issuer.certificate(wanted) else "there is no certificate yet"
            hosts = ", ".join(wanted.hosts)
            self._log("error", f"acme: {self.issuer.name}: {hosts}: {words}; {kept}, next try in {wait:.0f} s")
            self._client = None
            with contextlib.suppress(OSError):
                os.unlink(self.issuer.path(f"{name}.next"))  # what it says may be why
            return float(wait)

    def _renew(self, wanted: Wanted) -> float:
        self._issue(wanted)
        self._failures.pop(wanted.name, None)
        self._log("notice", f"acme: {self.issuer.name}: new certificate for {', '.join(wanted.hosts)}")
        return self._due(wanted)

    def _is_urgent(self, wanted: Wanted) -> bool:
        """Whether half of the time for renewing it is over, or for a minute there has been none at all."""
        try:
            with open(self.issuer.path(f"{wanted.name}.pem")) as file:
                leaf = certify.read(der.unpem("CERTIFICATE", file.read())[0])
        except (OSError, der.Malformed, IndexError):
            return time.monotonic() - self._began > _PATIENCE_S
        left = leaf.ends - datetime.datetime.now(datetime.UTC)
        return left < (leaf.ends - leaf.begins) / (2 * _LEFT)

    def _due(self, wanted: Wanted) -> float:
        """Seconds until a new certificate is asked for; 0: now."""
        path = self.issuer.certificate(wanted)
        if not path:
            return 0.0
        try:
            with open(path) as file:
                chain = der.unpem("CERTIFICATE", file.read())
            leaf = certify.read(chain[0])
        except (OSError, der.Malformed, IndexError):
            return 0.0  # damaged: another one
        now = datetime.datetime.now(datetime.UTC)
        moment = leaf.ends - (leaf.ends - leaf.begins) / _LEFT
        if moment > now:
            moment = min(moment, self._asked_for(wanted, chain[0], moment))
        left: float = (moment - now).total_seconds()
        return max(left, 0.0)

    def _asked_for(self, wanted: Wanted, leaf: bytes, otherwise: datetime.datetime) -> datetime.datetime:
        """When the authority wants it renewed; asked no oftener than it says."""
        path = self.issuer.path(f"{wanted.name}.next")
        try:
            with open(path) as file:
                whose, moment, again = file.read().split()
            if whose == certificate_id(leaf) and float(again) > time.time():
                return datetime.datetime.fromisoformat(moment)
        except (OSError, ValueError):
            pass
        try:
            found = self._logged_in().renewal(leaf)
        except (AcmeProblem, OSError):
            return otherwise  # nothing depends on it
        if found is None:
            return otherwise
        moment_s, again_s = found
        write(path, f"{certificate_id(leaf)} {moment_s.isoformat()} {time.time() + again_s:.0f}\n")
        return moment_s

    def _issue(self, wanted: Wanted) -> None:
        client = self._logged_in()
        key = PrivateKey.make(*wanted.key)
        solver = SOLVERS[self.issuer.challenge](self.issuer, self.nodes)
        chain = client.certificate(list(wanted.hosts), key, solver, self._replaced(wanted))
        if not der.unpem("CERTIFICATE", chain):
            raise AcmeProblem("what was sent is no certificate")
        self.issuer.keep(f"{wanted.name}.pem", key.pem() + chain)

    def _replaced(self, wanted: Wanted) -> str:
        """The certificate that a new one takes the place of, if the authority keeps account of that."""
        path = self.issuer.path(f"{wanted.name}.next")
        try:
            with open(path) as file:
                return file.read().split()[0]
        except (OSError, IndexError):
            return ""

    def _logged_in(self) -> AcmeClient:
        if self._client is None:
            issuer = self.issuer
            self._client = AcmeClient(
                issuer.wish, self._account_key(), issuer.tls(), go_on=lambda: self.going, look_up=self._look_up
            )
        return self._client

    def _account_key(self) -> PrivateKey:
        kind = self.issuer.account_key
        path = kind if isinstance(kind, str) else self.issuer.path("account.key")
        try:
            with open(path) as file:
                return PrivateKey.from_pem(file.read())
        except FileNotFoundError:
            if isinstance(kind, str):
                raise
        made = PrivateKey.make(*kind)
        write(path, made.pem())
        return made
