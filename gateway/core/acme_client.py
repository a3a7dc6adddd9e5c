"""A client of ACME (RFC 8555): an account, an order, its challenges, the certificate, and when to renew it (RFC 9773).

It waits, so it runs in a thread of the worker that has the duty. What fails is an AcmeProblem, whose text names the
step and has the authority's own words.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import random
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urljoin, urlsplit

import gateway
from gateway.core import certify
from gateway.core.keys import PrivateKey
from gateway.protocol import der

_TIMEOUT_S: Final = 30.0
# An answer with more than this is no answer.
_MOST: Final = 1 << 20
_TRIES: Final = 20  # with a nonce that the authority does not take any more: each refusal brings a new one
_POLL_S: Final = 1.0
_LONGEST_POLL_S: Final = 15.0
# Names of hosts to addresses, by the `resolver` of the configuration.
LookUp = Callable[[str], list[str]]

# How long an authority may take over challenges, and over the certificate.
_PATIENCE_S: Final = 180.0


class AcmeProblem(Exception):
    """What did not go as it should; `retry_after_s` is the authority's wish."""

    def __init__(self, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Solver(Protocol):
    """Shows what an authority looks at; gateway.core.acme_store has them."""

    kind: str  # http-01, tls-alpn-01, dns-01

    def show(self, host: str, token: str, authorization: str) -> str:
        """What there is to say of it where the authority then sees nothing. Errors: OSError."""

    def hide(self, host: str, token: str, authorization: str) -> None:
        """It has been looked at, or is not any more."""

    def needs(self, host: str) -> str:
        """What has to be so for the authority to see it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an account is made with, and what orders ask for besides names."""

    directory: str
    contacts: tuple[str, ...] = ()
    agrees: bool = False  # to the terms of service
    external: tuple[str, bytes] | None = None  # key identifier and MAC key
    profile: str = ""
    profile_required: bool = False
    common_name: bool = False  # in requests for certificates
    preferred_chain: str = ""


@dataclass(slots=True)
class _Answer:
    status: int
    fields: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise AcmeProblem(f"the answer is no JSON object: {self.body[:80]!r}")
        return found

    def retry_after_s(self, otherwise: float) -> float:
        text = self.fields.get("Retry-After", "")
        return float(text) if text.isascii() and text.isdigit() else otherwise


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Errors: ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def jwk(key: PrivateKey) -> dict[str, str]:
    """The public key, with its members in the order of RFC 7638."""
    if key.is_ec:
        x, y = key.point()
        return {"crv": key.curve, "kty": "EC", "x": encoded(x), "y": encoded(y)}
    modulus, exponent = key.numbers()
    return {"e": encoded(exponent), "kty": "RSA", "n": encoded(modulus)}


def thumbprint(key: PrivateKey) -> str:
    return encoded(hashlib.sha256(_json(jwk(key))).digest())


class _Connection(http.client.HTTPConnection):
    """To the authority, whose name is asked of `look_up`, if there is one."""

    def __init__(self, netloc: str, tls: ssl.SSLContext | None, look_up: LookUp | None) -> None:
        self.default_port = http.client.HTTP_PORT if tls is None else http.client.HTTPS_PORT
        super().__init__(netloc, timeout=_TIMEOUT_S)
        self._tls = tls
        self._look_up = look_up

    def connect(self) -> None:
        plain = self._reach()
        self.sock = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)

    def _reach(self) -> socket.socket:
        hosts = [self.host] if self._look_up is None else self._look_up(self.host)
        if not hosts:
            raise OSError(f"{self.host} could not be resolved")
        for host in hosts[:-1]:
            with contextlib.suppress(OSError):
                return socket.create_connection((host, self.port), _TIMEOUT_S)
        return socket.create_connection((hosts[-1], self.port), _TIMEOUT_S)


class AcmeClient:
    """One account at one authority. All methods: AcmeProblem, OSError."""

    def __init__(
        self,
        wish: Wish,
        key: PrivateKey,
        tls: ssl.SSLContext | None,
        *,
        go_on: Callable[[], bool] = lambda: True,
        look_up: LookUp | None = None,
    ) -> None:
        self.wish = wish
        self.account = ""  # its URL
        self.tell: Callable[[str], None] = lambda step: None  # what is waited for now
        self._key = key
        self._tls = tls
        self._go_on = go_on
        self._look_up = look_up
        self._urls: dict[str, Any] = {}
        self._nonce = ""

    # -- the parts of the protocol

    def _directory(self, name: str) -> str:
        if not self._urls:
            self._urls = self._get(self.wish.directory, "the directory").json()
        url = self._urls.get(name)
        if not isinstance(url, str):
            raise AcmeProblem(f"{self.wish.directory} has no {name}: is it an ACME directory?")
        return url

    def _exchange(self, method: str, url: str, body: bytes | None = None) -> _Answer:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise AcmeProblem(f"{url!r} is no URL")
        tls = (self._tls or ssl.create_default_context()) if parts.scheme == "https" else None
        connection = _Connection(parts.netloc, tls, self._look_up)
        headers = {"User-Agent": f"gateway/{gateway.__version__}"}
        if body is not None:
            headers["Content-Type"] = "application/jose+json"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            data = response.read(_MOST + 1)
        except http.client.HTTPException as error:
            raise AcmeProblem(f"{url}: {type(error).__name__} {error}") from None
        finally:
            connection.close()
        if len(data) > _MOST:
            raise AcmeProblem(f"{url}: the answer is too long")
        self._nonce = response.headers.get("Replay-Nonce", self._nonce)
        return _Answer(response.status, response.headers, data)

    def _get(self, url: str, what: str) -> _Answer:
        return _fine(self._exchange("GET", url), what)

    def _post(self, url: str, payload: object, what: str, *, first: bool = False) -> _Answer:
        """`payload` None: POST-as-GET. `first`: there is no account yet, the key itself stands in it."""
        for _ in range(_TRIES):
            self._check()
            if not self._nonce:
                self._exchange("HEAD", self._directory("newNonce"))
            nonce, self._nonce = self._nonce, ""
            protected: dict[str, object] = {"alg": self._key.signature_name, "nonce": nonce, "url": url}
            protected |= {"jwk": jwk(self._key)} if first else {"kid": self.account}
            head = encoded(_json(protected))
            body = "" if payload is None else encoded(_json(payload))
            signature = self._key.sign_raw(f"{head}.{body}".encode())
            signed = _json({"protected": head, "payload": body, "signature": encoded(signature)})
            answer = self._exchange("POST", url, signed)
            if answer.status != 400 or b"badNonce" not in answer.body:
                return _fine(answer, what)
        raise AcmeProblem(f"{what}: the authority takes none of its own nonces")

    def _check(self) -> None:
        if not self._go_on():
            raise AcmeProblem("this worker ends")

    def _poll(self, url: str, what: str, until: tuple[str, ...]) -> dict[str, Any]:
        """Ask again until the status is one of these."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._post(url, None, what)
            found = answer.json()
            if found.get("status") in until:
                return found
            if found.get("status") == "invalid":
                raise AcmeProblem(f"{what}: {_reasons(found)}")
            if time.monotonic() > end:
                raise AcmeProblem(f"{what}: still {found.get('status')} after {_PATIENCE_S:.0f} s")
            wait = time.monotonic() + min(answer.retry_after_s(_POLL_S), _LONGEST_POLL_S)
            while time.monotonic() < wait:
                self._check()
                time.sleep(0.05)

    # -- what is done with it

    def log_in(self) -> None:
        """Find or make the account."""
        if self.account:
            return
        url = self._directory("newAccount")
        payload: dict[str, object] = {}
        if self.wish.agrees:
            payload["termsOfServiceAgreed"] = True
        if self.wish.contacts:
            payload["contact"] = list(self.wish.contacts)
        if self.wish.external is not None:
            name, secret = self.wish.external
            head = encoded(_json({"alg": "HS256", "kid": name, "url": url}))
            body = encoded(_json(jwk(self._key)))
            mac = hmac.digest(secret, f"{head}.{body}".encode(), "sha256")
            payload["externalAccountBinding"] = {"protected": head, "payload": body, "signature": encoded(mac)}
        answer = self._post(url, payload, "the account", first=True)
        self.account = answer.fields.get("Location", "")
        if not self.account:
            raise AcmeProblem("the account: the answer names none")

    def certificate(self, hosts: list[str], key: PrivateKey, solver: Solver, replaces: str = "") -> str:
        """The chain in PEM."""
        self.log_in()
        payload: dict[str, object] = {"identifiers": [_identifier(host) for host in hosts]}
        if self.wish.profile and self._has_profile(self.wish.profile):
            payload["profile"] = self.wish.profile
        if replaces:
            payload["replaces"] = replaces
        self.tell("the certificate is ordered")
        answer = self._post(self._directory("newOrder"), payload, "the order")
        order_url = answer.fields.get("Location", "")
        order = answer.json()
        for url in order.get("authorizations", ()):
            self._authorize(url, solver)
        self.tell("the names are proved, the authority makes the certificate")
        if order.get("status") != "ready":
            order = self._poll(order_url, "the order", ("ready", "valid"))
        request = encoded(certify.request(hosts, key, common_name=self.wish.common_name))
        self._post(order["finalize"], {"csr": request}, "the request for the certificate")
        order = self._poll(order_url, "the certificate", ("valid",))
        return self._download(order["certificate"])

    def _has_profile(self, name: str) -> bool:
        """Whether the authority has it; AcmeProblem where it must."""
        meta = self._urls.get("meta")
        known = meta.get("profiles") if isinstance(meta, dict) else None
        if isinstance(known, dict) and name in known:
            return True
        if self.wish.profile_required:
            has = f"it has {', '.join(known)}" if isinstance(known, dict) and known else "it has none"
            raise AcmeProblem(f'the authority has no profile "{name}": {has}')
        return False

    def _authorize(self, url: str, solver: Solver) -> None:
        found = self._post(url, None, "the authorization").json()
        if found.get("status") == "valid":
            return
        host = found["identifier"]["value"]
        offered = [each for each in found.get("challenges", ()) if each.get("type") == solver.kind]
        if not offered:
            kinds = ", ".join(each.get("type", "?") for each in found.get("challenges", ()))
            raise AcmeProblem(f"{host}: the authority offers {kinds}, and not {solver.kind}")
        token = offered[0]["token"]
        if not _is_token(token):
            raise AcmeProblem(f"{host}: the token {token!r} has characters that no token has")
        authorization = f"{token}.{thumbprint(self._key)}"
        said = solver.show(host, token, authorization) or solver.needs(host)
        self.tell(f"the authority looks by {solver.kind} whether {host} is here: {solver.needs(host)}")
        try:
            self._post(offered[0]["url"], {}, f"{host}: {solver.kind}")
            self._poll(url, f"{host}: {solver.kind}", ("valid",))
        except AcmeProblem as problem:
            raise AcmeProblem(f"{problem}; {said}", problem.retry_after_s) from None
        finally:
            solver.hide(host, token, authorization)

    def _download(self, url: str) -> str:
        answer = self._post(url, None, "the certificate")
        chains = [answer.body.decode("ascii", "replace")]
        if self.wish.preferred_chain:
            for other in answer.fields.get_all("Link", []):
                target, _, parameters = other.partition(">")
                if 'rel="alternate"' in parameters:
                    link = urljoin(url, target.strip().removeprefix("<"))
                    chains.append(self._post(link, None, "another chain").body.decode("ascii", "replace"))
        for chain in chains:
            if self.wish.preferred_chain and self.wish.preferred_chain in _issuers(chain):
                return chain
        return chains[0]

    def renewal(self, certificate: bytes) -> tuple[datetime.datetime, float] | None:
        """When the authority would have it renewed, and how soon to ask again; None where it does not say."""
        self._directory("newOrder")
        base = self._urls.get("renewalInfo")
        name = certificate_id(certificate)
        if not isinstance(base, str) or not name:
            return None
        answer = self._get(f"{base.rstrip('/')}/{name}", "the renewal")
        window: Any = answer.json().get("suggestedWindow")
        try:
            begin, end = (datetime.datetime.fromisoformat(window[side]) for side in ("start", "end"))
        except (TypeError, KeyError, ValueError):
            raise AcmeProblem("the renewal: no window of time") from None
        # Each certificate has its own moment in the window, and keeps it.
        share = random.Random(name).random()
        return begin + (end - begin) * share, answer.retry_after_s(6 * 3600)


def certificate_id(certificate: bytes) -> str:
    """As RFC 9773 names one: the key of the authority, and the serial number."""
    found = certify.read(certificate)
    return f"{encoded(found.authority_key)}.{encoded(found.serial)}" if found.authority_key else ""


def _identifier(host: str) -> dict[str, str]:
    kind = "ip" if ":" in host or host.replace(".", "").isdigit() else "dns"
    return {"type": kind, "value": host}


def _is_token(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def _issuers(chain: str) -> str:
    """The names in a chain, for looking one up in them."""
    names = []
    for data in der.unpem("CERTIFICATE", chain):
        fields = der.parts(der.parts(der.read(data)[0].body)[0].body)
        names.append(fields[3 if fields[0].tag == 0xA0 else 2].body.decode("utf-8", "replace"))
    return "\n".join(names)


def _fine(answer: _Answer, what: str) -> _Answer:
    if answer.status < 300:
        return answer
    try:
        problem = answer.json()
    except AcmeProblem:
        problem = {}
    words = problem.get("detail") or answer.body[:200].decode("utf-8", "replace").strip()
    kind = str(problem.get("type", "")).rpartition(":")[2]
    text = f"{what}: {answer.status} {kind}{' ' if kind else ''}{words}".rstrip()
    raise AcmeProblem(text, answer.retry_after_s(0.0))


def _reasons(found: dict[str, Any]) -> str:
    """Why an authority did not believe it."""
    words = [each["error"].get("detail", "") for each in found.get("challenges", ()) if each.get("error")]
    if found.get("error"):
        words.append(found["error"].get("detail", ""))
    return "; ".join(filter(None, words)) or "the authority says no more than that it is invalid"
