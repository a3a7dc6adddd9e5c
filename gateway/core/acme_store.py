"""What ACME keeps, and who does it: one folder for each issuer, the workers' own, or memory that they share.

account.key     the account
NAME.pem        a certificate: its key, then its chain, written whole or not at all
NAME.next       when it is looked at again, if the authority said so
NAME.crt, .key  the same apart, for other programs
NAME.waits      how far the first one is, as long as there is none (core/acme_waiting.py)
challenges/     what http-01 and tls-alpn-01 show, for all workers
ISSUER.lock     held by the worker that has the duty; several issuers may have one folder
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ipaddress
import os
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.core import certify
from gateway.core.acme_client import AcmeClient, AcmeProblem, LookUp, Solver, Wish, certificate_id, encoded
from gateway.core.acme_files import Files, Folder, Memory
from gateway.core.acme_waiting import Waiting
from gateway.core.event_log import the_events
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
    memory: Memory | None = None  # in the folder's place
    _files: Files | None = field(default=None, init=False, repr=False)

    @property
    def files(self) -> Files:
        if self._files is None:
            self._files = self.memory or Folder(self.folder)
        return self._files

    def path(self, *names: str) -> str:
        return "/".join((self.folder, *names))

    def certificate(self, wanted: Wanted) -> str:
        """What has the key and the chain, for ssl_certificate; nothing as long as there is none."""
        name = f"{wanted.name}.pem"
        return self.files.reference(name) if self.files.has(name) else ""

    def keep(self, name: str, text: str) -> None:
        """A new key with its chain, in the file of this name, and apart for other programs. Errors: OSError."""
        self.files.write(name, text)
        if self.memory is None:
            key, begin, chain = text.partition("-----BEGIN CERTIFICATE-----")
            self.files.write(f"{name.removesuffix('.pem')}.key", key)
            self.files.write(f"{name.removesuffix('.pem')}.crt", begin + chain)

    def waiting(self, wanted: Wanted) -> Waiting | None:
        """How far the first certificate is; None where nobody says."""
        try:
            return Waiting.loaded(self.files.read(f"{wanted.name}.waits"))
        except OSError:
            return None

    def shown(self, token: bytes) -> bytes | None:
        """What http-01 shows for a token."""
        if not token or not token.replace(b"-", b"").replace(b"_", b"").isalnum():
            return None
        try:
            return self.files.read(f"challenges/{os.fsdecode(token)}").encode()
        except (OSError, ValueError):
            return None

    def proof(self, name: bytes) -> str | None:
        """What tls-alpn-01 shows for a name: a certificate and its key."""
        if not name or name[:1] == b"." or not name.translate(None, b".-_").isalnum():
            return None
        try:
            return f"data:{self.files.read(f'challenges/{os.fsdecode(name.lower())}.pem')}"
        except (OSError, ValueError):
            return None

    def make_challenges(self) -> None:
        """Where what proves a name is to stand. Errors: OSError."""
        if self.memory is None:
            os.makedirs(self.path("challenges"), mode=0o700, exist_ok=True)

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
        self._issuer.make_challenges()
        self._issuer.files.write(f"challenges/{token}", authorization)
        self._nodes.tell()
        return ""

    def hide(self, host: str, token: str, authorization: str) -> None:
        self._issuer.files.remove(f"challenges/{token}")

    def needs(self, host: str) -> str:
        return f"port 80 of {host} has to lead here, from outside"


class AlpnSolver:
    """tls-alpn-01 (RFC 8737): a certificate signed by itself, by the name that the authority asks for."""

    kind = "tls-alpn-01"

    def __init__(self, issuer: Issuer, nodes: Nodes | None = None) -> None:
        self._issuer = issuer
        self._nodes = nodes or Nodes()

    def show(self, host: str, token: str, authorization: str) -> str:
        self._issuer.make_challenges()
        key = PrivateKey.make()
        digest = hashlib.sha256(authorization.encode()).digest()
        proof = der.pem("CERTIFICATE", certify.challenge(host, digest, key))
        self._issuer.files.write(self._file(host), key.pem() + proof)
        self._nodes.tell()
        return ""

    def hide(self, host: str, token: str, authorization: str) -> None:
        self._issuer.files.remove(self._file(host))

    def needs(self, host: str) -> str:
        return f"port 443 of {host} has to lead here, from outside"

    def _file(self, host: str) -> str:
        """Of an address the authority asks by its name in the reverse tree (RFC 8738)."""
        with contextlib.suppress(ValueError):
            host = ipaddress.ip_address(host).reverse_pointer
        return f"challenges/{host.lower()}.pem"


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

    def needs(self, host: str) -> str:
        return f"everybody has to find the TXT record _acme-challenge.{host.removeprefix('*.')}"

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
        self._client: AcmeClient | None = None
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def take_duty(self) -> bool:
        """Whether this worker is the one that does it. The kernel gives the lock back when it ends."""
        try:
            return self.issuer.files.take_duty(self.issuer.name)
        except OSError as error:
            self._log("error", f"acme: {self.issuer.folder} cannot be used ({error.errno}: {error.strerror})")
            return False

    def drop_duty(self) -> None:
        self.going = False
        self.issuer.files.drop_duty()

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
                self._step(wanted, "another node orders it, or the store does not say")
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
            the_events().tell("error", "certificate", hosts, f"was not got; {kept}, next try in {wait:.0f} s", words)
            self._client = None
            self._waits(wanted, problem=words, next_s=float(wait))
            with contextlib.suppress(OSError):
                self.issuer.files.remove(f"{name}.next")  # what it says may be why
            return float(wait)

    def _renew(self, wanted: Wanted) -> float:
        kind = self.issuer.challenge
        what = f"acme: {self.issuer.name}: asking {self.issuer.wish.directory} for a certificate"
        self._log("notice", f"{what} of {', '.join(wanted.hosts)}, which are proved by {kind}")
        self._issue(wanted)
        self._failures.pop(wanted.name, None)
        self._log("notice", f"acme: {self.issuer.name}: new certificate for {', '.join(wanted.hosts)}")
        the_events().tell("notice", "certificate", ", ".join(wanted.hosts), f"is new, from {self.issuer.name}")
        return self._due(wanted)

    # -- how far the first one is

    def _step(self, wanted: Wanted, step: str) -> None:
        self._log("info", f"acme: {self.issuer.name}: {', '.join(wanted.hosts)}: {step}")
        self._waits(wanted, step)

    def _waits(self, wanted: Wanted, step: str = "", problem: str = "", next_s: float = 0.0) -> None:
        """Written down for others; nothing depends on it."""
        if self.issuer.certificate(wanted):
            return
        before = self.issuer.waiting(wanted)
        now = Waiting(before.since if before is not None else time.time(), step, problem)
        if next_s:
            now.next = time.time() + next_s
        elif before is not None:
            now.problem = before.problem
        with contextlib.suppress(OSError):
            self.issuer.files.write(f"{wanted.name}.waits", now.dumped())

    def _is_urgent(self, wanted: Wanted) -> bool:
        """Whether half of the time for renewing it is over, or for a minute there has been none at all."""
        try:
            leaf = certify.read(der.unpem("CERTIFICATE", self.issuer.files.read(f"{wanted.name}.pem"))[0])
        except (OSError, der.Malformed, IndexError):
            return time.monotonic() - self._began > _PATIENCE_S
        left = leaf.ends - datetime.datetime.now(datetime.UTC)
        return left < (leaf.ends - leaf.begins) / (2 * _LEFT)

    def _due(self, wanted: Wanted) -> float:
        """Seconds until a new certificate is asked for; 0: now."""
        if not self.issuer.files.has(f"{wanted.name}.pem"):
            return 0.0
        try:
            chain = der.unpem("CERTIFICATE", self.issuer.files.read(f"{wanted.name}.pem"))
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
        name = f"{wanted.name}.next"
        try:
            whose, moment, again = self.issuer.files.read(name).split()
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
        self.issuer.files.write(name, f"{certificate_id(leaf)} {moment_s.isoformat()} {time.time() + again_s:.0f}\n")
        return moment_s

    def _issue(self, wanted: Wanted) -> None:
        self._step(wanted, f"the authority is asked for its directory and an account: {self.issuer.wish.directory}")
        client = self._logged_in()
        client.tell = lambda step: self._step(wanted, step)
        key = PrivateKey.make(*wanted.key)
        solver = SOLVERS[self.issuer.challenge](self.issuer, self.nodes)
        chain = client.certificate(list(wanted.hosts), key, solver, self._replaced(wanted))
        if not der.unpem("CERTIFICATE", chain):
            raise AcmeProblem("what was sent is no certificate")
        self.issuer.keep(f"{wanted.name}.pem", key.pem() + chain)
        with contextlib.suppress(OSError):
            self.issuer.files.remove(f"{wanted.name}.waits")

    def _replaced(self, wanted: Wanted) -> str:
        """The certificate that a new one takes the place of, if the authority keeps account of that."""
        try:
            return self.issuer.files.read(f"{wanted.name}.next").split()[0]
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
        kind, files = self.issuer.account_key, self.issuer.files
        if isinstance(kind, str):
            with open(kind) as file:
                return PrivateKey.from_pem(file.read())
        with contextlib.suppress(FileNotFoundError):
            return PrivateKey.from_pem(files.read("account.key"))
        made = PrivateKey.make(*kind)
        files.write("account.key", made.pem())
        return made
