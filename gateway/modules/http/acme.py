"""acme: certificates by ACME, with the directives and variables of nginx's own module for it (nginx-acme).

    acme_issuer NAME { uri URL; … }                     who issues them
    acme_certificate NAME [identifier …] [key=…];       in a server; the names are those of server_name
    ssl_certificate $acme_certificate;  ssl_certificate_key $acme_certificate_key;

As there: http-01 is answered on every server of this http block, tls-alpn-01 on every `listen … ssl`, and state is kept
in files, or with `state_path off` in memory. Other than there: `acme_shared_zone` is accepted and not needed, since
workers share what is kept; without a `resolver` the system is asked for the authority's address; `challenge dns-01`
with `hook PROGRAM` is ours, and `sync`, for one order of all nodes (cluster/certificates.py).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.cluster.sync import SYNCED, Synced
from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import HTTP, SERVER, Command, Directive, at_least, take
from gateway.config.errors import ConfigError
from gateway.core.logs import LOG
from gateway.core.temp_files import TempPath
from gateway.core.variables import Variable
from gateway.http.module import NOTHING, OK, Contribution, HttpModule, Phase, Result
from gateway.http.setters import PATHS
from gateway.modules.http import core
from gateway.serving.cycle import LATE_IMPORTS

if TYPE_CHECKING:
    import trio

    from gateway.cluster.certificates import OneOrder
    from gateway.cluster.sync import Member, Sync
    from gateway.config.loader import Loader, Scope
    from gateway.config.parser import Statement
    from gateway.core.acme_store import Issuer, Keeper, Wanted
    from gateway.core.resolver import Resolver
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.serving.worker import Worker

_PREFIX: Final = b"/.well-known/acme-challenge/"
_CHALLENGES: Final = {name: kind for kind in ("http-01", "tls-alpn-01", "dns-01") for name in (kind, kind[:-3])}
# Where authorities ask.
_PORTS: Final = {"http-01": 80, "tls-alpn-01": 443}
_SMALLEST_ZONE: Final = 8 * 4096
# How soon a worker without the duty looks whether it is free.
_AGAIN_S: Final = 5.0


@dataclass(slots=True)
class MainConf(Conf):
    issuers: dict[Any, Any] = setting(factory=dict)
    shared: dict[Any, Any] = setting(factory=dict)  # by issuers with `sync`: a OneOrder


@dataclass(slots=True)
class ServerConf(Conf):
    asked: Any = setting(None, inherit=False)  # what acme_certificate says: an _Asked


@dataclass(slots=True)
class _Asked:
    command: Command
    issuer: str
    hosts: list[str]
    key: tuple[str, int]
    made: tuple[Issuer, Wanted] | None = None


# -- directives


# The first is what is meant without a number.
_SIZES: Final = {"ecdsa": (256, 384, 521), "rsa": (2048, 3072, 4096)}


def _key(text: str) -> tuple[str, int]:
    """Errors: ValueError with the words."""
    kind, colon, bits = text.partition(":")
    sizes = _SIZES.get(kind)
    if sizes is None:
        raise ValueError(f'unsupported key algorithm "{kind}": ecdsa and rsa are known')
    if not colon:
        return kind, sizes[0]
    if not (bits.isascii() and bits.isdigit()) or int(bits) not in sizes:
        what = "curve" if kind == "ecdsa" else "key size"
        raise ValueError(f'unsupported {what} "{bits}": {", ".join(map(str, sizes))} are known')
    return kind, int(bits)


def set_issuer(conf: Any, command: Command) -> None:
    from gateway.core.acme_store import Issuer

    name = command.args[0]
    if conf.issuers is UNSET:
        conf.issuers = {}
    if name in conf.issuers:
        command.fail(f'duplicate acme issuer "{name}"')
    issuer = Issuer(name)
    if conf.shared is UNSET:
        conf.shared = {}
    reader = _Block(command, issuer, conf.shared)
    for statement in command.lines():
        reader.read(statement)
    conf.issuers[name] = reader.finish()


class _Block:
    """Reads what stands in an acme_issuer."""

    def __init__(self, command: Command, issuer: Issuer, shared: dict[str, OneOrder]) -> None:
        self._command = command
        self._shared = shared
        self._issuer = issuer
        self._seen: set[str] = set()
        self._more: dict[str, Any] = {"directory": "", "contacts": ()}
        self._directives: dict[str, tuple[Callable[[Statement], None], int, int]] = {
            "uri": (self._uri, 1, 1),
            "account_key": (self._account_key, 1, 1),
            "challenge": (self._challenge, 1, 1),
            "contact": (self._contact, 1, 1),
            "external_account_key": (self._external, 2, 2),
            "preferred_chain": (self._chain, 1, 1),
            "profile": (self._profile, 1, 2),
            "common_name_in_csr": (self._common_name, 1, 1),
            "ssl_trusted_certificate": (self._trusted, 1, 1),
            "ssl_verify": (self._verify, 1, 1),
            "state_path": (self._state, 1, 1),
            "accept_terms_of_service": (self._agree, 0, 0),
            "hook": (self._hook, 1, 1),
            "sync": (self._sync, 0, 0),
        }

    def read(self, statement: Statement) -> None:
        name = statement.name
        if name not in self._directives:
            raise ConfigError(f'unknown directive "{name}"', statement.where)
        take_it, least, most = self._directives[name]
        if not least <= len(statement.args) <= most:
            raise ConfigError(f'invalid number of arguments in "{name}" directive', statement.where)
        if name in self._seen and name != "contact":
            raise ConfigError(f'"{name}" directive is duplicate', statement.where)
        self._seen.add(name)
        take_it(statement)

    def finish(self) -> Issuer:
        from gateway.core.acme_client import Wish

        issuer = self._issuer
        if not self._more["directory"]:
            self._command.fail(f'"uri" is missing in acme issuer "{issuer.name}"')
        if issuer.challenge == "dns-01" and not issuer.hook:
            self._command.fail(f'"challenge dns-01" needs "hook" in acme issuer "{issuer.name}"')
        if issuer.memory is not None and "sync" in self._seen:
            self._command.fail(f'"sync" needs files, and acme issuer "{issuer.name}" has "state_path off"')
        if not issuer.folder and issuer.memory is None:
            issuer.folder = f"{self._command.loader.state}acme_{issuer.name}"
        issuer.wish = Wish(**self._more)
        return issuer

    def _uri(self, statement: Statement) -> None:
        if not statement.args[0].startswith("https://"):
            raise ConfigError(f'invalid value "{statement.args[0]}": an ACME server has https://', statement.where)
        self._more["directory"] = statement.args[0]

    def _account_key(self, statement: Statement) -> None:
        from gateway.core.keys import KeyProblem, PrivateKey

        text = statement.args[0]
        if text.partition(":")[0] in _SIZES:
            try:
                self._issuer.account_key = _key(text)
            except ValueError as why:
                raise ConfigError(str(why), statement.where) from None
            return
        path = self._command.loader.path(text, conf=True)
        try:
            with open(path) as file:
                PrivateKey.from_pem(file.read())
        except (OSError, KeyProblem) as error:
            words = f"{error.errno}: {error.strerror}" if isinstance(error, OSError) else error
            raise ConfigError(f'cannot load account key "{path}" ({words})', statement.where) from None
        self._issuer.account_key = path

    def _challenge(self, statement: Statement) -> None:
        kind = statement.args[0]
        if kind not in _CHALLENGES:
            words = ", ".join(dict.fromkeys(_CHALLENGES.values()))
            raise ConfigError(f'unsupported challenge "{kind}": {words} are known', statement.where)
        self._issuer.challenge = _CHALLENGES[kind]

    def _contact(self, statement: Statement) -> None:
        text = statement.args[0]
        self._more["contacts"] += (text if ":" in text else f"mailto:{text}",)

    def _external(self, statement: Statement) -> None:
        from gateway.core.acme_client import decoded

        name, path = statement.args
        text = path.removeprefix("data:")
        try:
            if text == path:
                with open(self._command.loader.path(path, conf=True)) as file:
                    text = file.read().strip()
            self._more["external"] = name, decoded(text)
        except OSError as error:
            raise ConfigError(f'open() "{path}" failed ({error.errno}: {error.strerror})', statement.where) from None
        except ValueError:
            raise ConfigError(f'the key in "{path}" is no base64url', statement.where) from None

    def _chain(self, statement: Statement) -> None:
        self._more["preferred_chain"] = statement.args[0]

    def _profile(self, statement: Statement) -> None:
        if statement.args[1:] not in ([], ["require"]):
            raise ConfigError(f'invalid parameter "{statement.args[1]}"', statement.where)
        self._more["profile"] = statement.args[0]
        self._more["profile_required"] = len(statement.args) == 2

    def _trusted(self, statement: Statement) -> None:
        self._issuer.trusted = self._command.loader.path(statement.args[0], conf=True)

    def _verify(self, statement: Statement) -> None:
        self._issuer.verify = _flag(statement)

    def _common_name(self, statement: Statement) -> None:
        self._more["common_name"] = _flag(statement)

    def _state(self, statement: Statement) -> None:
        if statement.args[0] == "off":
            from gateway.core.acme_files import memory_of

            self._issuer.memory = memory_of(self._issuer.name)
            return
        self._issuer.folder = self._command.loader.path(statement.args[0])

    def _agree(self, statement: Statement) -> None:
        self._more["agrees"] = True

    def _sync(self, statement: Statement) -> None:
        from gateway.cluster.certificates import IssuerFiles, OneOrder
        from gateway.cluster.maps import Map

        issuer, loader = self._issuer, self._command.loader

        def join(sync: Sync) -> Member:
            if sync.sealer is None:
                why = '"sync" of an acme issuer needs "ticket_key" in "zone_sync_store", to seal keys with'
                raise ConfigError(why, statement.where)
            sealer, log = sync.sealer.for_use(b"acme"), loader.parts.get(LOG)
            self._shared[issuer.name] = OneOrder(IssuerFiles(issuer, sealer, log), sync, log)
            return Map("acme", IssuerFiles(issuer, sealer, log), sync)

        loader.parts.get(SYNCED).append(Synced(statement.where, join))

    def _hook(self, statement: Statement) -> None:
        path = self._command.loader.path(statement.args[0], conf=True)
        if not os.access(path, os.X_OK):
            raise ConfigError(f'"{path}" is no program that can be started', statement.where)
        self._issuer.hook = path


def _flag(statement: Statement) -> bool:
    word = statement.args[0].lower()
    if word not in ("on", "off"):
        raise ConfigError(
            f'invalid value "{statement.args[0]}" in "{statement.name}" directive, it must be "on" or "off"',
            statement.where,
        )
    return word == "on"


def set_certificate(conf: ServerConf, command: Command) -> None:
    if conf.asked is not UNSET:
        command.duplicate()
    name, *words = command.args
    asked = _Asked(command, name, [], ("ecdsa", 256))
    for word in words:
        if word.startswith("key="):
            try:
                asked.key = _key(word[4:])
            except ValueError as why:
                command.fail(f'invalid parameter "{word}": {why}')
        else:
            asked.hosts.append(word)
    conf.asked = asked


def set_zone(conf: MainConf, command: Command) -> None:
    """zone=name:size: nginx's workers share certificates in it, ours the files."""
    word = command.args[0]
    if not word.startswith("zone="):
        command.refuse('must have "zone" parameter')
    name, colon, size = word.removeprefix("zone=").partition(":")
    try:
        if not name or not colon or units.parse_size(size) < _SMALLEST_ZONE:
            raise ValueError(size)
    except ValueError:
        command.fail(f'invalid zone size "{word}"')


# -- what is made of them


def prepare(scope: Scope, loader: Loader) -> None:
    issuers: dict[str, Issuer] = scope.conf(module, "main").issuers
    cycle = scope.owner
    for server in cycle.servers:
        asked: _Asked | None = server.confs[module].asked
        if asked is not None:
            _want(asked, server, issuers)
    used = [issuer for issuer in issuers.values() if issuer.wanted]
    if not used:
        return
    for issuer in used:
        if issuer.memory is not None:
            continue
        loader.parts.get(PATHS).append(TempPath(issuer.folder))
    loader.parts.get(LATE_IMPORTS).update(("gateway.core.acme_store", "encodings.idna", "ssl", "trio._threads"))
    for issuer in used:
        port = _PORTS.get(issuer.challenge)
        if port and not any(listening.address.text.endswith(f":{port}") for listening in cycle.listenings):
            loader.warn(f'acme issuer "{issuer.name}" asks on port {port}, and no server listens there')
    proving = [issuer for issuer in used if issuer.challenge == "tls-alpn-01"]
    if proving:
        cycle.name_proof = lambda name: next(filter(None, (issuer.proof(name) for issuer in proving)), None)
    main = scope.conf(core.module, "location")
    keeping = _Keeping(used, scope.conf(module, "main").shared, main.resolver, main.resolver_timeout)
    cycle.on_worker_start.append(keeping.start)
    cycle.on_worker_stop.append(keeping.stop)


def _want(asked: _Asked, server: Any, issuers: dict[str, Issuer]) -> None:
    from gateway.core.acme_store import Wanted

    command = asked.command
    issuer = issuers.get(asked.issuer)
    if issuer is None:
        command.fail(f'acme issuer "{asked.issuer}" is missing')
    names = asked.hosts or [
        name.name.decode("utf-8", "surrogateescape") for name in server.names if name.regex is None and name.name
    ]
    hosts: list[str] = []
    for name in names:
        if name == "_":
            continue
        # ".example.org" is two names, as in nginx's module: certificates have no such form
        hosts += [f"www{name}", name[1:]] if name.startswith(".") else [name]
    if not hosts:
        command.fail("no identifiers for the certificate: give the server a server_name, or name them here")
    for host in hosts:
        if (host.startswith("*.") and issuer.challenge == "dns-01" and _is_host(host[2:])) or _is_host(host):
            continue
        why = "wildcards need challenge dns-01" if "*" in host else "it is no host name"
        command.fail(f'invalid server name "{host}" for a certificate: {why}')
    wanted = Wanted(tuple(dict.fromkeys(hosts)), asked.key)
    if wanted not in issuer.wanted:
        issuer.wanted.append(wanted)
    asked.made = issuer, wanted


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(text) and all(part.replace("-", "").isalnum() for part in text.split("."))
    return True


class _Keeping:
    """The task of a worker: who has the duty does what is due, in a thread."""

    def __init__(
        self, issuers: list[Issuer], shared: dict[str, OneOrder], resolver: Resolver | None, timeout_s: float
    ) -> None:
        self._issuers = issuers
        self._shared = shared
        self._resolver = resolver
        self._timeout_s = timeout_s
        self._keepers: list[Keeper] = []
        self._scope: trio.CancelScope | None = None

    def start(self, worker: Worker) -> None:
        import trio

        from gateway.core.acme_store import Keeper

        def log(level: str, text: str) -> None:
            worker.log(level, text.encode("utf-8", "surrogateescape"))

        self._scope = trio.CancelScope()
        look_up = self._look_up if self._resolver is not None else None
        self._keepers = [Keeper(issuer, log, self._shared.get(issuer.name), look_up) for issuer in self._issuers]
        worker.nursery.start_soon(self._run, self._scope)

    def _look_up(self, host: str) -> list[str]:
        """The addresses of a name, for the thread; none where it has none."""
        import trio

        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        assert self._resolver is not None
        lookup = trio.from_thread.run(self._resolver.wait, host.encode(), self._timeout_s)
        return lookup.hosts

    def stop(self) -> None:
        """The worker ends: another one may have the duty."""
        if self._scope is not None:
            self._scope.cancel()
        for keeper in self._keepers:
            keeper.drop_duty()

    async def _run(self, scope: trio.CancelScope) -> None:
        import trio

        with scope:
            async with trio.open_nursery() as nursery:
                for keeper in self._keepers:
                    nursery.start_soon(self._keep, keeper)
                for order in self._shared.values():
                    nursery.start_soon(order.keep_lock)

    @staticmethod
    async def _keep(keeper: Keeper) -> None:
        import trio

        while not keeper.take_duty():
            await trio.sleep(_AGAIN_S)
        while True:
            await trio.sleep(await trio.to_thread.run_sync(keeper.turn, abandon_on_cancel=True))


# -- requests


def plan(conf: Any, location: Location) -> Contribution:
    issuers: dict[str, Issuer] = location.scope.enclosing(HTTP).conf(module, "main").issuers  # type: ignore[union-attr]
    asked = [issuer for issuer in issuers.values() if issuer.wanted and issuer.challenge == "http-01"]
    if not asked:
        return NOTHING

    def answer(request: Request) -> Result:
        if not request.uri.startswith(_PREFIX):
            return None
        for issuer in asked:
            text = issuer.shown(request.uri[len(_PREFIX) :])
            if text is not None:
                wrong = request.discard_body()
                if wrong:
                    return wrong
                request.respond(200, text, b"text/plain")
                return request.finalize(OK)  # this phase has no other way to say that it was answered
        return None

    return Contribution(handlers={Phase.POST_READ: answer})


def _file(request: Request) -> bytes:
    """The file that has the key and the chain. Errors: ValueError, which the handshake's log has."""
    asked: _Asked | None = request.server.confs[module].asked
    if asked is None or asked.made is None:
        raise ValueError('"$acme_certificate" in a server without "acme_certificate"')
    issuer, wanted = asked.made
    found = issuer.certificate(wanted)
    if not found:
        waiting = issuer.waiting(wanted)
        far = f": {waiting.words()}" if waiting is not None else ""
        raise ValueError(f"{issuer.name} has issued no certificate for {', '.join(wanted.hosts)} yet (ACME){far}")
    return os.fsencode(found)


module = HttpModule(
    name="acme",
    main=MainConf,
    server=ServerConf,
    directives=(
        Directive("acme_issuer", HTTP, take(1), set_issuer, level="main", block=True),
        Directive("acme_shared_zone", HTTP, take(1), set_zone, level="main"),
        Directive("acme_certificate", SERVER, at_least(1), set_certificate, level="server"),
    ),
    variables=(Variable("acme_certificate", _file), Variable("acme_certificate_key", _file)),
    plan=plan,
    prepare=prepare,
)
