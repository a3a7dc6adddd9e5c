"""Rules about TLS: what is weak, what does not work, what will soon not."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Final

from gateway.dev.check.block import Block
from gateway.dev.check.edits import replaced
from gateway.dev.check.rule import Problem, rule

_OLD: Final = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
_WEAK: Final = re.compile(r"(?<![!\-A-Z])(?:RC4|DES|3DES|MD5|NULL|eNULL|aNULL|EXP|EXPORT|LOW|ADH|AECDH)(?![A-Z0-9])")
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
        words = [word for word in re.split(r"[:, ]", statement.args[0]) if word and word[0] not in "!-"]
        weak = [word for word in words if _WEAK.search(word)]
        if weak:
            yield Problem(
                statement.where, f"{', '.join(weak)} is weak: HIGH:!aNULL:!MD5, nginx's default, has none of it"
            )


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

    if not path.startswith("/") or "$" in path:
        return None
    try:
        shown = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]  # the only decoder of the standard library
        return datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), datetime.UTC)
    except (OSError, ValueError, KeyError, AttributeError):
        return None


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
        for statement in server.all("add_header"):
            if statement.args[0].lower() == "strict-transport-security":
                yield Problem(statement.where, "nobody looks at it without TLS: it belongs into the server of port 443")
