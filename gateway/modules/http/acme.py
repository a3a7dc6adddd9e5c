"""acme: certificates by ACME, with the directives and variables of nginx's own module for it (nginx-acme).

    acme_issuer NAME { uri URL; … }                     who issues them
    acme_certificate NAME [identifier …] [key=…];       in a server; the names are those of server_name
    ssl_certificate $acme_certificate;  ssl_certificate_key $acme_certificate_key;

As there: http-01 is answered on every server of this http block, and state is kept in files. Other than there:
`acme_shared_zone` is accepted and not needed, since workers share the files; names are asked of the system's resolver;
`challenge dns-01` with `hook PROGRAM` is ours, and `sync`, for one order of all nodes (cluster/certificates.py). Not
built: tls-alpn-01.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.cluster.sync import SYNCED, Synced
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import HTTP, SERVER, Command, Directive, at_least, take
from gateway.config.errors import ConfigError
from gateway.core.logs import LOG
from gateway.core.temp_files import TempPath
from gateway.core.variables import Variable
from gateway.http.module import NOTHING, OK, Contribution, HttpModule, Phase, Result
from gateway.http.setters import PATHS
from gateway.serving.cycle import LATE_IMPORTS

if TYPE_CHECKING:
    import trio

    from gateway.cluster.certificates import OneOrder
    from gateway.cluster.sync import Member, Sync
    from gateway.config.loader import Loader, Scope
    from gateway.config.parser import Statement
    from gateway.core.acme_store import Issuer, Keeper, Wanted
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.serving.worker import Worker

_PREFIX: Final = b"/.well-known/acme-challenge/"
_CHALLENGES: Final = {"http-01": "http-01", "http": "http-01", "dns-01": "dns-01", "dns": "dns-01"}
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


def _key(text: str) -> tuple[str, int] | None:
    kind, _, bits = text.partition(":")
    default = {"ecdsa": 256, "rsa": 2048}.get(kind)
    if default is None or (bits and not bits.isdigit()):
        return None
    found = kind, int(bits) if bits else default
    known = {"ecdsa": (256, 384, 521), "rsa": (2048, 3072, 4096)}
    return found if found[1] in known[kind] else None


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
        if not issuer.folder:
            issuer.folder = f"{self._command.loader.state}acme_{issuer.name}"
        issuer.wish = Wish(**self._more)
        return issuer

    def _uri(self, statement: Statement) -> None:
        if not statement.args[0].startswith("https://"):
            raise ConfigError(f'invalid value "{statement.args[0]}": an ACME server has https://', statement.where)
        self._more["directory"] = statement.args[0]

    def _account_key(self, statement: Statement) -> None:
        text = statement.args[0]
        key = _key(text)
        if key is None and not text.startswith(("ecdsa", "rsa")):
            self._issuer.account_key = self._command.loader.path(text, conf=True)
        elif key is None or (key[0] == "ecdsa" and key[1] != 256):  # ES256 is what all take
            raise ConfigError(f'invalid value "{text}": ecdsa, rsa, rsa:3072, rsa:4096 or a file', statement.where)
        else:
            self._issuer.account_key = key

    def _challenge(self, statement: Statement) -> None:
        kind = statement.args[0]
        if kind in ("tls-alpn-01", "tls-alpn"):
            raise ConfigError(f'"challenge {kind}" is not supported yet; http-01 is, and dns-01', statement.where)
        if kind not in _CHALLENGES:
            raise ConfigError(f'invalid value "{kind}"', statement.where)
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

    def _trusted(self, statement: Statement) -> None:
        self._issuer.trusted = self._command.loader.path(statement.args[0], conf=True)

    def _verify(self, statement: Statement) -> None:
        word = statement.args[0].lower()
        if word not in ("on", "off"):
            raise ConfigError(
                f'invalid value "{statement.args[0]}" in "ssl_verify" directive, it must be "on" or "off"',
                statement.where,
            )
        self._issuer.verify = word == "on"

    def _state(self, statement: Statement) -> None:
        if statement.args[0] == "off":
            raise ConfigError('"state_path off" is not supported: workers share these files', statement.where)
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


def set_certificate(conf: ServerConf, command: Command) -> None:
    if conf.asked is not UNSET:
        command.duplicate()
    name, *words = command.args
    asked = _Asked(command, name, [], ("ecdsa", 256))
    for word in words:
        if word.startswith("key="):
            key = _key(word[4:])
            if key is None:
                command.fail(f'invalid parameter "{word}"')
            asked.key = key
        else:
            asked.hosts.append(word)
    conf.asked = asked


def set_zone(conf: MainConf, command: Command) -> None:
    """zone=name:size: nginx's workers share certificates in it, ours the files."""
    word = command.args[0]
    name, colon, size = word.removeprefix("zone=").partition(":")
    if not word.startswith("zone=") or not name or not colon or not size:
        command.fail(f'invalid parameter "{word}"')


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
        loader.parts.get(PATHS).append(TempPath(issuer.folder))
    loader.parts.get(LATE_IMPORTS).update(("gateway.core.acme_store", "encodings.idna", "ssl", "trio._threads"))
    if not any(listening.address.text.endswith(":80") for listening in cycle.listenings):
        for issuer in used:
            if issuer.challenge == "http-01":
                loader.warn(f'acme issuer "{issuer.name}" asks on port 80, and no server listens there')
    keeping = _Keeping(used, scope.conf(module, "main").shared)
    cycle.on_worker_start.append(keeping.start)
    cycle.on_worker_stop.append(keeping.stop)


def _want(asked: _Asked, server: Any, issuers: dict[str, Issuer]) -> None:
    from gateway.core.acme_store import Wanted

    command = asked.command
    issuer = issuers.get(asked.issuer)
    if issuer is None:
        command.fail(f'acme issuer "{asked.issuer}" is not defined')
    hosts = asked.hosts or [
        name.name.decode("utf-8", "surrogateescape") for name in server.names if name.regex is None and name.name
    ]
    hosts = [host for host in hosts if host != "_"]
    if not hosts:
        command.fail("no names for the certificate: give the server a server_name, or name them here")
    for host in hosts:
        if (host.startswith("*.") and issuer.challenge == "dns-01" and "*" not in host[2:]) or _is_host(host):
            continue
        why = "wildcards need challenge dns-01" if "*" in host or host.startswith(".") else "it is no host name"
        command.fail(f'no certificate can be had for "{host}": {why}')
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

    def __init__(self, issuers: list[Issuer], shared: dict[str, OneOrder]) -> None:
        self._issuers = issuers
        self._shared = shared
        self._keepers: list[Keeper] = []
        self._scope: trio.CancelScope | None = None

    def start(self, worker: Worker) -> None:
        import trio

        from gateway.core.acme_store import Keeper

        def log(level: str, text: str) -> None:
            worker.log(level, text.encode("utf-8", "surrogateescape"))

        self._scope = trio.CancelScope()
        self._keepers = [Keeper(issuer, log, self._shared.get(issuer.name)) for issuer in self._issuers]
        worker.nursery.start_soon(self._run, self._scope)

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
    path = issuer.certificate(wanted)
    if not path:
        raise ValueError(f"{issuer.name} has issued no certificate for {', '.join(wanted.hosts)} yet (ACME)")
    return os.fsencode(path)


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
