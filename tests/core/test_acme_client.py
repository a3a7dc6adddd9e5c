"""The client against pebble and against authorities that misbehave."""

from __future__ import annotations

import datetime
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core import certify
from gateway.core.acme_client import AcmeClient, AcmeProblem, Wish, certificate_id, decoded, encoded, jwk, thumbprint
from gateway.core.keys import PrivateKey
from tests.acme_authority import needs_pebble, pebble


class _Nobody:
    """Shows nothing."""

    kind = "http-01"

    def show(self, host: str, token: str, authorization: str) -> str:
        return ""

    def hide(self, host: str, token: str, authorization: str) -> None: ...

    def needs(self, host: str) -> str:
        return ""


Answers = dict[str, tuple[int, dict[str, str], object]]


@pytest.fixture
def authority() -> Iterator[Callable[[Answers], str]]:
    """An authority with fixed answers, over plain HTTP; gives its URL."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(answers: Answers) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, fields, value = answers.get(self.path, (404, {}, {"detail": "nothing here"}))
                data = value if isinstance(value, bytes) else json.dumps(value).replace("URL", url).encode()
                self.send_response(status)
                for name, text in {"Replay-Nonce": "n", "Content-Length": str(len(data)), **fields}.items():
                    self.send_header(name, text.replace("URL", url))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_POST = do_HEAD = do_GET

            def log_message(self, *_: object) -> None: ...

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return url

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


DIRECTORY = {name: f"URL/{name}" for name in ("newNonce", "newAccount", "newOrder", "renewalInfo")}
ACCOUNT: tuple[int, dict[str, str], object] = (201, {"Location": "URL/account"}, {})


def _client(url: str, **more: Any) -> AcmeClient:
    return AcmeClient(Wish(f"{url}/dir"), PrivateKey.make(), None, **more)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"/dir": (200, {}, b"no json")}, "the answer is no JSON object"),
        ({"/dir": (200, {}, {})}, "has no newAccount: is it an ACME directory?"),
        ({"/dir": (503, {"Retry-After": "7"}, {})}, "the directory: 503"),
        ({"/dir": (200, {}, b"x" * (1 << 20) + b"y")}, "the answer is too long"),
        ({"/dir": (200, {}, DIRECTORY), "/newAccount": (201, {}, {})}, "the answer names none"),
        ({"/dir": (200, {}, DIRECTORY),
          "/newAccount": (400, {}, {"type": "urn:ietf:params:acme:error:badNonce"})}, "takes none of its own nonces"),
        ({"/dir": (200, {}, DIRECTORY),
          "/newAccount": (403, {}, {"type": "urn:x:userActionRequired", "detail": "agree first"})},
         "the account: 403 userActionRequired agree first"),
        ({"/dir": (200, {}, DIRECTORY), "/newAccount": ACCOUNT, "/newOrder": (201, {}, {"authorizations": ["URL/a"]}),
          "/a": (200, {}, {"status": "pending", "identifier": {"value": "a.example"},
                           "challenges": [{"type": "dns-01"}]})},
         "a.example: the authority offers dns-01, and not http-01"),
        ({"/dir": (200, {}, DIRECTORY), "/newAccount": ACCOUNT, "/newOrder": (201, {}, {"authorizations": ["URL/a"]}),
          "/a": (200, {}, {"status": "pending", "identifier": {"value": "a.example"},
                           "challenges": [{"type": "http-01", "token": "../x", "url": "URL/c"}]})},
         "characters that no token has"),
        ({"/dir": (200, {}, DIRECTORY), "/newAccount": ACCOUNT,
          "/newOrder": (201, {"Location": "URL/o"}, {"authorizations": []}),
          "/o": (200, {}, {"status": "invalid", "error": {"detail": "no more today"}})}, "the order: no more today"),
    ],
)  # fmt: skip
def test_an_authority_that_does_not_do_it(authority: Callable[[Answers], str], answers: Answers, says: str) -> None:
    with pytest.raises(AcmeProblem) as problem:
        _client(authority(answers)).certificate(["a.example"], PrivateKey.make(), _Nobody())
    assert says in str(problem.value)
    assert problem.value.retry_after_s == (7 if "503" in says else 0)


@pytest.mark.parametrize(
    ("has", "required", "says"),
    [
        ({"profiles": {"short": "x"}}, False, "profile is short"),
        ({"profiles": {"long": "x"}}, False, "no profile"),
        ({}, False, "no profile"),
        ({"profiles": {"long": "x"}}, True, 'the authority has no profile "short": it has long'),
        ({}, True, 'the authority has no profile "short": it has none'),
    ],
)
def test_profiles(
    authority: Callable[[Answers], str], has: object, required: bool, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = authority({"/dir": (200, {}, {**DIRECTORY, "meta": has}), "/newAccount": ACCOUNT})
    client = AcmeClient(Wish(f"{url}/dir", profile="short", profile_required=required), PrivateKey.make(), None)
    sent = client._post

    def post(url: str, payload: Any, what: str, **more: Any) -> Any:
        if what == "the order":
            raise AcmeProblem(f"profile is {payload['profile']}" if "profile" in payload else "no profile")
        return sent(url, payload, what, **more)

    monkeypatch.setattr(client, "_post", post)
    with pytest.raises(AcmeProblem) as problem:
        client.certificate(["a.example"], PrivateKey.make(), _Nobody())
    assert str(problem.value) == says


def test_a_nonce_that_is_refused_is_followed_by_another(
    authority: Callable[[Answers], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _client(authority({"/dir": (200, {}, DIRECTORY), "/newAccount": ACCOUNT}))
    sent = client._exchange
    refused: list[str] = []

    def exchange(method: str, url: str, body: bytes | None = None) -> Any:
        answer = sent(method, url, body)
        if method == "POST" and len(refused) < 12:
            refused.append(url)
            answer.status, answer.body = 400, b'{"type": "urn:ietf:params:acme:error:badNonce"}'
        return answer

    monkeypatch.setattr(client, "_exchange", exchange)
    client.log_in()
    assert len(refused) == 12
    assert client.account.endswith("/account")


def test_names_by_the_configuration_s_resolver(authority: Callable[[Answers], str]) -> None:
    url = authority({"/dir": (200, {}, DIRECTORY), "/newAccount": ACCOUNT})
    port = url.rpartition(":")[2]
    asked: list[str] = []
    found = [["127.0.0.2", "127.0.0.1"], []]

    def look_up(host: str) -> list[str]:
        asked.append(host)
        return found[len(asked) > 3]

    client = AcmeClient(Wish(f"http://ca.example:{port}/dir"), PrivateKey.make(), None, look_up=look_up)
    assert client._get(f"http://ca.example:{port}/dir", "x").status == 200
    assert asked == ["ca.example"]
    asked += [""] * 3
    with pytest.raises(OSError, match=r"ca\.example could not be resolved"):
        client._get(f"http://ca.example:{port}/dir", "x")


def test_a_worker_that_ends(authority: Callable[[Answers], str]) -> None:
    client = _client(authority({"/dir": (200, {}, DIRECTORY)}), go_on=lambda: False)
    with pytest.raises(AcmeProblem, match="this worker ends"):
        client.log_in()


@pytest.mark.parametrize("url", ["ftp://x/dir", "https:///dir", "nonsense"])
def test_no_url(url: str) -> None:
    with pytest.raises(AcmeProblem, match="is no URL"):
        AcmeClient(Wish(url), PrivateKey.make(), None).log_in()


def _leaf() -> bytes:
    key = PrivateKey.make()
    return certify.server(["a.example"], PrivateKey.make(), certify.Issuer(certify.name("x"), key), 90)


def test_when_to_renew(authority: Callable[[Answers], str]) -> None:
    leaf = _leaf()
    window = {"start": "2030-01-01T00:00:00Z", "end": "2030-01-03T00:00:00Z"}
    answers: Answers = {
        "/dir": (200, {}, DIRECTORY),
        f"/renewalInfo/{certificate_id(leaf)}": (200, {"Retry-After": "600"}, {"suggestedWindow": window}),
    }
    url = authority(answers)
    found = _client(url).renewal(leaf)
    assert found is not None
    assert found == _client(url).renewal(leaf)  # the same moment each time
    begin = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    assert begin <= found[0] <= begin + datetime.timedelta(days=2)
    assert found[1] == 600
    with pytest.raises(AcmeProblem, match="the renewal: 404"):
        _client(url).renewal(_leaf())
    without = {name: value for name, value in DIRECTORY.items() if name != "renewalInfo"}
    assert _client(authority({"/dir": (200, {}, without)})).renewal(leaf) is None
    answers[f"/renewalInfo/{certificate_id(leaf)}"] = (200, {}, {"suggestedWindow": {"start": "soon"}})
    with pytest.raises(AcmeProblem, match="no window of time"):
        _client(url).renewal(leaf)


def test_the_certificates_name_in_rfc_9773() -> None:
    """The example of its section 4.1: the key identifier, a dot, the serial number with its leading zero."""
    key = decoded("aYhba4dGQEHhs3uEe6CuLN4ByNQ")
    assert encoded(key) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ"
    assert encoded(bytes.fromhex("0087654321")) == "AIdlQyE"


def test_thumbprints() -> None:
    assert set(jwk(PrivateKey.make())) == {"crv", "kty", "x", "y"}
    rsa = PrivateKey.make("rsa", 2048)
    assert jwk(rsa)["e"] == "AQAB"
    assert len(decoded(jwk(rsa)["n"])) == 256
    assert thumbprint(rsa) == thumbprint(PrivateKey.from_pem(rsa.pem()))


@needs_pebble
@pytest.mark.parametrize("kind", [("ecdsa", 256), ("rsa", 2048)])
def test_an_account(tmp_path: Path, kind: tuple[str, int]) -> None:
    with pebble(tmp_path) as running:
        tls = ssl.create_default_context(cafile=running.trusted)
        key = PrivateKey.make(*kind)
        wish = Wish(running.directory, ("mailto:a@example.org",), agrees=True)
        first = AcmeClient(wish, key, tls)
        first.log_in()
        second = AcmeClient(wish, key, tls)
        second.log_in()
        assert first.account == second.account
        with pytest.raises(AcmeProblem, match=r"the account: 403 \w+"):
            AcmeClient(Wish(running.directory), PrivateKey.make(), tls).log_in()
