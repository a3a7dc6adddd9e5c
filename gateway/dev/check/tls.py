"""Rules about TLS: what is weak, what does not work, what will soon not."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.check.block import Block
from gateway.dev.check.edits import added_behind, quoted, removed, replaced
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.parser import Statement

_OLD: Final = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
# Names, and parts of names, of ciphers.
_WEAK: Final = frozenset({
    "RC4", "DES", "3DES", "MD5", "NULL", "eNULL", "aNULL", "EXP", "EXPORT", "LOW", "ADH", "AECDH", "IDEA",
})  # fmt: skip
_SOON: Final = datetime.timedelta(days=14)


@rule("GW601", "old-protocols", "error")
def old_protocols(config: Block) -> Iterator[Problem]:
    """TLS before 1.2 is broken and given up (RFC 8996); nginx's default is TLSv1.2 TLSv1.3."""
    for _, statement in config.everywhere("ssl_protocols", "proxy_ssl_protocols"):
        old = [word for word in statement.args if word in _OLD]
        if old:
            kept = [word for word in statement.args if word not in _OLD] or ["TLSv1.2", "TLSv1.3"]
            text = f"{' '.join(old)} is broken: {' '.join(kept)}"
            yield Problem(statement.where, text, (replaced(statement, statement.name, *kept),))


@rule("GW602", "weak-ciphers", "error")
def weak_ciphers(config: Block) -> Iterator[Problem]:
    """RC4, DES, export and anonymous ciphers can be read or forged by others."""
    for _, statement in config.everywhere("ssl_ciphers"):
        words = [word for word in re.split(r"[:, ]", statement.args[0]) if word and word[0] not in "!-+"]
        weak = [word for word in words if not _WEAK.isdisjoint(re.split(r"[-+]", word))]
        if weak:
            yield Problem(
                statement.where,
                f"{', '.join(weak)} is weak: HIGH:!aNULL:!MD5, nginx's default, has none of it",
                (replaced(statement, "ssl_ciphers", quoted(_without(statement.args[0], weak))),),
            )


def _without(ciphers: str, weak: list[str]) -> str:
    kept = [word for word in re.split(r"[:, ]", ciphers) if word and word not in weak]
    return ":".join(kept) if any(word[0] not in "!-+@" for word in kept) else "HIGH:!aNULL:!MD5"


@rule("GW603", "certificate-over", "error")
def certificate_over(config: Block) -> Iterator[Problem]:
    """A certificate that is over, or will be within two weeks."""
    now = datetime.datetime.now(datetime.UTC)
    for _, statement in config.everywhere("ssl_certificate"):
        end = _end_of(statement.args[0])
        if end is None or end - now > _SOON:
            continue
        days = (end - now).days
        text = f"over since {end:%Y-%m-%d}" if days < 0 else f"over in {days} days, on {end:%Y-%m-%d}"
        yield Problem(statement.where, f"{statement.args[0]}: {text}")


def _end_of(path: str) -> datetime.datetime | None:
    """Until when the first certificate of a file is good; None if that cannot be said."""
    import ssl

    shown = _certificate(path)
    try:
        return datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), datetime.UTC)
    except (ValueError, KeyError):
        return None


def _certificate(path: str) -> dict[str, object]:
    """The first certificate of a file, as far as the standard library shows it."""
    import ssl

    if not path.startswith("/") or "$" in path:
        return {}
    try:
        return ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined, no-any-return]  # its only decoder
    except (OSError, ValueError, AttributeError):
        return {}


@rule("GW604", "stapling-without-resolver", "warn")
def stapling_without_resolver(config: Block) -> Iterator[Problem]:
    """`ssl_stapling on` asks the responder whose name is in the certificate, and looks that up by a `resolver`: without
    one there is no stapling."""
    for statement, servers in _stapling(config):
        if not all(server.effective("resolver") for server in servers):
            yield Problem(statement.where, "the responder's name cannot be looked up: there is no resolver")


def _stapling(config: Block) -> Iterator[tuple[Statement, list[Block]]]:
    """Each `ssl_stapling on` with the servers that ask responders because of it."""
    by_statement: dict[int, tuple[Statement, list[Block]]] = {}
    for server in config.walk("server"):
        (*_, statement) = server.effective("ssl_stapling") or (None,)
        given = server.effective("ssl_stapling_file", "ssl_stapling_responder")
        if statement is not None and statement.args == ["on"] and _secure(server) and not given:
            by_statement.setdefault(id(statement), (statement, []))[1].append(server)
    yield from by_statement.values()


@rule("GW605", "client-certificate-not-checked", "error")
def client_certificate_not_checked(config: Block) -> Iterator[Problem]:
    """`ssl_verify_client optional` lets everybody in, with or without a certificate, until somebody looks at
    `$ssl_client_verify`."""
    used = any(
        "$ssl_client_verify" in word for block in config.walk() for each in block.statements for word in each.args
    )
    for _, statement in config.everywhere("ssl_verify_client"):
        if statement.args[0] in ("optional", "optional_no_ca") and not used:
            yield Problem(
                statement.where, f"{statement.args[0]} refuses nobody, and nothing looks at $ssl_client_verify"
            )


@rule("GW606", "hsts-without-tls", "note")
def hsts_without_tls(config: Block) -> Iterator[Problem]:
    """Browsers take Strict-Transport-Security over https alone (RFC 6797, 8.1)."""
    for server in config.walk("server"):
        listens = server.all("listen")
        if not listens or any("ssl" in each.args or "quic" in each.args for each in listens):
            continue
        added = server.all("add_header")
        outer = server.outer.effective("add_header") if server.outer is not None else []
        for statement in added:
            if statement.args[0].lower() == "strict-transport-security":
                # the last one of a block lets those of the outer block in
                edits = (removed(statement),) if len(added) > 1 or not outer else ()
                yield Problem(
                    statement.where, "nobody looks at it without TLS: it belongs into the server of port 443", edits
                )


@rule("GW607", "hsts-missing", "note")
def hsts_missing(config: Block) -> Iterator[Problem]:
    """A site that is there over https alone can say so, `add_header Strict-Transport-Security max-age=…;`: the first
    request of a browser that was here before is not sent in the clear then. Of sites that an application answers for
    nothing is said: it may send the field itself."""
    plain = {
        name
        for server in config.walk("server")
        if not _secure(server) and not server.all("return")
        for line in server.all("server_name")
        for name in line.args
    }
    for server in config.walk("server"):
        names = {name for line in server.all("server_name") for name in line.args}
        if server.around("http") is None or not _secure(server) or names & plain or _passes_on(server):
            continue
        if server.all("return") or server.effective("ssl_reject_handshake", "security_headers"):
            continue
        fields = {each.args[0].lower() for _, each in server.everywhere("add_header", "more_set_headers")}
        fields |= {each.args[0].lower() for each in server.effective("add_header", "more_set_headers")}
        if not any(field.startswith("strict-transport-security") for field in fields):
            yield Problem(server.where, "it is there over https alone and does not say so: Strict-Transport-Security")


def _secure(server: Block) -> bool:
    return any("ssl" in each.args or "quic" in each.args for each in server.all("listen"))


def _passes_on(server: Block) -> bool:
    return any(block.passes() is not None for block in server.walk())


@rule("GW608", "misdirected-requests", "note")
def misdirected_requests(config: Block) -> Iterator[Problem]:
    """`ssl_reject_handshake on` refuses handshakes for unknown names. Who has a connection to another server of the
    address can still ask for such a name, and gets this server's files: `return 421;` says that it is wrong here."""
    for server in config.walk("server"):
        rejects = server.one("ssl_reject_handshake")
        if rejects is None or rejects.args != ["on"] or server.all("return", "root") or not _takes_others(server):
            continue
        roots = [each for each in server.inner if each.path == "/" and each.all("return", "deny")]
        if not roots:
            edits = (added_behind(rejects, "return 421;"),) if not list(server.walk("location")) else ()
            yield Problem(server.where, "a request for an unknown name on a connection of another server: 421", edits)


def _takes_others(server: Block) -> bool:
    """Whether requests for unknown names come here over connections of other servers: those of HTTP/2 and HTTP/3."""
    listens = [each.args for each in server.all("listen")]
    default = any("default_server" in args and {"ssl", "quic"} & set(args) for args in listens)
    return default and (server.value("http2", "off") == "on" or any({"http2", "quic"} & set(args) for args in listens))


@rule("GW609", "stapling-without-responder", "note")
def stapling_without_responder(config: Block) -> Iterator[Problem]:
    """A certificate that names no OCSP responder has nothing to staple: Let's Encrypt ended OCSP in 2025, others
    follow. nginx says so at each start."""
    for statement, servers in _stapling(config):
        files = {each.args[0] for server in servers for each in server.effective("ssl_certificate")}
        if files and all(_names_no_responder(file) for file in files):
            text = f"{min(files)} names no OCSP responder: there is nothing to staple"
            yield Problem(statement.where, text, (removed(statement),))


def _names_no_responder(path: str) -> bool:
    shown = _certificate(path)
    return "OCSP" not in shown if shown else "/letsencrypt/" in path
