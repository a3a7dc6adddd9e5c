"""TLS as `openssl s_client` sees it, with the checks that testssl.sh has; and what is no TLS, or only its beginning."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import certificates
from tests.conformance.differences import nginx_version
from tests.conformance.pair import Pair, Side, get, pair, view
from tests.conformance.reference import NGINX
from tests.ocsp_responder import Authority, pem_of

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

WAIT_S = 60

# Ciphers of TLS 1.2 in an order that is neither the client's nor OpenSSL's, so that whose order holds is seen.
CIPHERS = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"
SHOWN = (
    "$ssl_protocol|$ssl_cipher|$ssl_ciphers|$ssl_curve|$ssl_curves|$ssl_server_name|$ssl_alpn_protocol|$ssl_session_reused|"
    "$ssl_early_data|$ssl_client_verify|$ssl_client_s_dn|$https|$scheme"
)
SERVERS = f"""
ssl_certificate @SITE@/server.pem; ssl_certificate_key @SITE@/server.key;
ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:1m;
server {{
    listen 127.0.0.1:@PORT@ ssl; server_name first.test;
    location / {{ return 200 "first {SHOWN}\\n"; }}
}}
server {{
    listen 127.0.0.1:@PORT@ ssl; server_name old.test;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0; ssl_ecdh_curve secp384r1;
    location / {{ return 200 "old {SHOWN}\\n"; }}
}}
server {{
    listen 127.0.0.1:@PORT@ ssl; server_name strict.test;
    ssl_ciphers {CIPHERS}; ssl_prefer_server_ciphers on; ssl_ecdh_curve secp384r1:prime256v1;
    ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256; ssl_session_tickets off; ssl_session_timeout 79s;
    location / {{ return 200 "strict {SHOWN}\\n"; }}
}}
server {{
    listen 127.0.0.1:@PORT@ ssl; server_name client.test;
    ssl_client_certificate @SITE@/ca.pem; ssl_verify_client on;
    location / {{ return 200 "client {SHOWN}\\n"; }}
}}
server {{
    listen 127.0.0.1:@PORT@ ssl; server_name optional.test;
    ssl_client_certificate @SITE@/ca.pem; ssl_verify_client optional_no_ca; ssl_verify_depth 0;
    location / {{ return 200 "optional {SHOWN}\\n"; }}
}}
server {{
    listen 127.0.0.1:@PORT@ ssl; server_name stapled.test;
    ssl_certificate @SITE@/stapled.pem; ssl_certificate_key @SITE@/stapled.key;
    ssl_stapling on; ssl_stapling_file @SITE@/stapled.der;
    location / {{ return 200 "stapled\\n"; }}
}}
server {{ listen 127.0.0.1:@PORT@ ssl; server_name none.test; ssl_reject_handshake on; }}
server {{
    listen 127.0.0.1:@PORT2@ ssl http2; ssl_early_data on;
    location / {{ return 200 "second {SHOWN}\\n"; }} }}
server {{ listen 127.0.0.1:@PORT3@; location / {{ return 200 "plain $scheme\\n"; }} }}
"""


# Before, a name's server could change its certificate only: protocols and ciphers were the default server's.
by_name = pytest.mark.skipif(
    NGINX is not None and nginx_version() < (1, 31), reason="the nginx to compare with is too old"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pair, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    certificates.write(folder)
    certificates.write(folder, "me@example.com", stem="client")
    certificates.write_authority(folder)
    authority = Authority()
    pem, key, made = authority.issue("stapled.test", "http://127.0.0.1:9/")
    (folder / "stapled.pem").write_text(pem.removeprefix("data:") + pem_of(authority.certificate))
    (folder / "stapled.key").write_text(key)
    (folder / "stapled.der").write_bytes(authority.answer(made))
    with pair(folder, SERVERS) as both:
        yield both, folder


def sides(both: Pair) -> tuple[Side, Side]:
    return both.theirs, both.ours


# What s_client says that is the server's doing; its own commentary, keys and times are left out.
_TOLD = re.compile(
    r"""^\s*(?:(?:Protocol\s*:|New,\ |Reused,\ |(?:Server|Peer)\ Temp\ Key:|Peer\ signing\ digest:|Peer\ signature
    |ALPN\ protocol:|No\ ALPN|subject=|\s*\d\ s:|Secure\ Renegotiation|Compression:|Early\ data\ was|Max\ Early\ Data:
    |OCSP\ response:|OCSP\ Response\ Status:|Cert\ Status:|Serial\ Number:|No\ client\ certificate|Acceptable\ client
    |Client\ Certificate\ Types:|Requested\ Signature|Shared\ Requested|Extended\ master|RENEGOTIATING
    |TLS\ session\ ticket\ lifetime|Verify\ return\ code:|HTTP/1|Location:|first|old|strict|client|optional|stapled
    |second|<title>|<center>).*|.*:SSL\ alert\ number\ \d+|.*no\ renegotiation).*$""",
    re.VERBOSE | re.MULTILINE,
)
_WHERE = re.compile(r"^.*:error:[0-9A-F]+:(SSL routines):[^:]*:([^:]*):.*?(SSL alert number \d+)?.*$")


def told(output: str) -> list[str]:
    """In the order of the alphabet, each line once: tickets come before or after an answer."""
    lines = (_WHERE.sub(r"\1: \2", match[0].strip()) for match in _TOLD.finditer(output))
    # what is left of a session's time may be a second less
    lines = (re.sub(r"(?<=hint: )\d+", lambda hint: str(round(int(hint[0]), -1)), line) for line in lines)
    return sorted({re.sub(r"nginx(?:/[0-9.]+)?|gateway(?:/[0-9.]+)?", "NAME", line) for line in lines})


def s_client(side: Side, name: str, *options: str, request: bytes = get("/", host="{name}"), stay: bool = False) -> str:
    """What it has said; with `stay` its input stays open until it ends by itself."""
    where = ("-connect", f"127.0.0.1:{side.ports[name == 'second.test']}")
    asked = ("-servername", name) if name else ("-noservername",)
    # line by line, since the answer's bytes go by the buffer that the rest is in
    command = ["stdbuf", "-oL", "openssl", "s_client", *where, *asked, *options, *([] if stay else ["-ign_eof"])]
    data = request.replace(b"{name}", name.encode() or b"first.test")
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        if not stay:
            return process.communicate(data, timeout=WAIT_S)[0].decode(errors="replace")
        process.stdin.write(data)
        process.stdin.flush()
        process.wait(WAIT_S)
        return process.stdout.read().decode(errors="replace")
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


OTHER_ORDER = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
MINE = ("-cert", "@SITE@/client.pem", "-key", "@SITE@/client.key")
ANOTHERS = ("-cert", "@SITE@/stapled.pem", "-key", "@SITE@/stapled.key")

# name of the check: (the name that is asked for, options of s_client)
CHECKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "as it is": ("first.test", ()),
    "no name": ("", ()),
    "a name that nobody has": ("other.test", ()),
    "TLS 1.3": ("first.test", ("-tls1_3",)),
    "TLS 1.2": ("first.test", ("-tls1_2",)),
    "TLS 1.1, refused": ("first.test", ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")),
    "TLS 1.0, refused": ("first.test", ("-tls1", "-cipher", "ALL:@SECLEVEL=0")),
    "TLS 1.1": ("old.test", ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")),
    "TLS 1.0": ("old.test", ("-tls1", "-cipher", "ALL:@SECLEVEL=0")),
    "TLS 1.3, refused by the name's server": ("old.test", ("-tls1_3",)),
    "the best that an old one has": ("old.test", ()),
    "RSA's cipher with a key on a curve": ("first.test", ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")),
    "NULL": ("first.test", ("-tls1_2", "-cipher", "NULL:@SECLEVEL=0")),
    "anonymous": ("first.test", ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0")),
    "AES-CBC": ("first.test", ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0")),
    "the client's order": ("first.test", ("-tls1_2", "-cipher", OTHER_ORDER)),
    "the server's order": ("strict.test", ("-tls1_2", "-cipher", OTHER_ORDER)),
    "the server's suites": ("strict.test", ("-tls1_3",)),
    "no shared suite": ("strict.test", ("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")),
    "X25519": ("first.test", ("-groups", "X25519")),
    "P-256": ("first.test", ("-groups", "P-256")),
    "P-521": ("first.test", ("-groups", "P-521")),
    "the server's curves": ("strict.test", ("-groups", "X25519:P-256:P-384")),
    "no shared curve": ("strict.test", ("-groups", "X25519")),
    "no shared curve, TLS 1.2": ("strict.test", ("-groups", "X25519", "-tls1_2")),
    "signature algorithms": ("first.test", ("-sigalgs", "ECDSA+SHA256")),
    "no shared signature algorithm": ("first.test", ("-sigalgs", "RSA+SHA256")),
    "no ticket": ("first.test", ("-tls1_2", "-no_ticket")),
    "tickets off, TLS 1.2": ("strict.test", ("-tls1_2",)),
    "compression": ("first.test", ("-tls1_2", "-comp")),
    "legacy renegotiation": ("first.test", ("-tls1_2", "-legacy_renegotiation")),
    "ALPN http/1.1": ("first.test", ("-alpn", "http/1.1")),
    "ALPN h2 where there is none": ("first.test", ("-alpn", "h2,http/1.1")),
    "ALPN h2 alone where there is none": ("first.test", ("-alpn", "h2")),
    "ALPN of nobody": ("first.test", ("-alpn", "foo,bar")),
    "ALPN h2": ("second.test", ("-alpn", "http/1.1,h2")),
    "ALPN http/1.1 where there is h2": ("second.test", ("-alpn", "http/1.1")),
    "fallback": ("first.test", ("-tls1_2", "-fallback_scsv")),
    "fallback of an old one": ("old.test", ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-fallback_scsv")),
    "stapled": ("stapled.test", ("-status",)),
    "stapled, TLS 1.2": ("stapled.test", ("-status", "-tls1_2")),
    "stapled and not asked for": ("stapled.test", ()),
    "not stapled": ("first.test", ("-status",)),
    "no certificate": ("client.test", ()),
    "no certificate, TLS 1.2": ("client.test", ("-tls1_2",)),
    "a certificate": ("client.test", MINE),
    "a certificate, TLS 1.2": ("client.test", ("-tls1_2", *MINE)),
    "another's certificate": ("client.test", ANOTHERS),
    "another's certificate that may be": ("optional.test", ANOTHERS),
    "none that may be": ("optional.test", ()),
    "rejected": ("none.test", ()),
    "rejected, TLS 1.2": ("none.test", ("-tls1_2",)),
    "early data": ("second.test", ()),
    "PSK that nobody knows": ("first.test", ("-psk", "001122", "-psk_identity", "x")),
    "small records": ("first.test", ("-max_send_frag", "512", "-split_send_frag", "512")),
    "records of 1 KiB asked for": ("first.test", ("-maxfraglen", "1024")),
    "middleboxes": ("first.test", ("-no_middlebox",)),
}  # fmt: skip


@by_name
def test_what_s_client_sees(site: tuple[Pair, Path]) -> None:
    both, folder = site

    def check(name: str) -> tuple[str, list[str], list[str]]:
        server, options = CHECKS[name]
        words = [word.replace("@SITE@", str(folder)) for word in options]
        theirs, ours = (told(s_client(side, server, *words)) for side in sides(both))
        return name, theirs, ours

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(check, CHECKS))
    assert {name: (theirs, ours) for name, theirs, ours in found if theirs != ours} == {}
    # the checks see something: an answer, or why there is none
    blind = [
        name for name, theirs, _ in found if not re.search(r"HTTP/1\.1 |SSL rou|ALPN protocol: h2", "\n".join(theirs))
    ]
    assert blind == []


def test_renegotiation_is_refused(site: tuple[Pair, Path]) -> None:
    both, _ = site
    theirs, ours = (told(s_client(each, "first.test", "-tls1_2", request=b"R\n", stay=True)) for each in sides(both))
    assert theirs == ours
    assert "RENEGOTIATING" in theirs and "SSL routines: no renegotiation" in theirs


# the name that is asked for, options of s_client
SESSIONS = {
    "a ticket": ("first.test", ("-tls1_2",)),
    "a ticket, TLS 1.3": ("first.test", ("-tls1_3",)),
    "the shared cache": ("first.test", ("-tls1_2", "-no_ticket")),
    "the shared cache where there are no tickets": ("strict.test", ("-tls1_2",)),
    "the shared cache where there are no tickets, TLS 1.3": ("strict.test", ("-tls1_3",)),
}


@by_name
@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_go_on(site: tuple[Pair, Path], name: str) -> None:
    both, _ = site
    server, options = SESSIONS[name]
    seen = []
    for side in sides(both):
        kept, request = side.folder / f"{server}.session", get("/", host=server)
        s_client(side, server, *options, "-sess_out", str(kept))
        seen.append(told(s_client(side, server, *options, "-sess_in", str(kept), request=request)))
        kept.unlink()
    theirs, ours = seen
    assert theirs == ours
    assert any(line.startswith("Reused, ") for line in theirs)
    assert any("|r|" in line for line in theirs)


# -- what is no TLS, or only its beginning


def hello(name: str = "first.test", extra: bytes = b"") -> bytes:
    """OpenSSL's, the same at each call but for what has to be random, with one more extension in front."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name or None).do_handshake()
    body = outgoing.read()[9:]
    at = 34
    for width in (1, 2, 1):  # session id, suites, compression
        at += width + int.from_bytes(body[at : at + width], "big")
    extensions = extra + body[at + 2 :]
    return records(body[:at] + struct.pack("!H", len(extensions)) + extensions)


def records(body: bytes, size: int = 16384) -> bytes:
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part for part in parts)


def server_name(name: bytes) -> bytes:
    """The extension with this name."""
    entry = b"\0" + struct.pack("!H", len(name)) + name
    return struct.pack("!HHH", 0, len(entry) + 2, len(entry)) + entry


def answer(side: Side, data: bytes, port: int = 0) -> list[str]:
    """The records that come back to bytes and a FIN: their types, and what alerts say."""
    received = b""
    with socket.create_connection(("127.0.0.1", side.ports[port]), WAIT_S) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    found = []
    while len(received) >= 5 and received[0] in (20, 21, 22, 23):
        size = int.from_bytes(received[3:5], "big")
        found.append(f"alert {received[5:7].hex()}" if received[0] == 21 and size == 2 else f"record {received[0]}")
        received = received[5 + size :]
    return [*found, view(received, side, head=data[:5] == b"HEAD ").decode("latin-1")] if received else found


def same(both: Pair, sent: dict[str, bytes], port: int = 0) -> dict[str, list[str]]:
    """What nginx answers, when that is what gateway answers."""

    def ask(name: str) -> tuple[str, list[str], list[str]]:
        theirs, ours = (answer(side, sent[name], port) for side in sides(both))
        return name, theirs, ours

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, sent))
    assert {name: (theirs, ours) for name, theirs, ours in found if theirs != ours} == {}
    return {name: theirs for name, theirs, _ in found}


def test_hellos_cut_anywhere(site: tuple[Pair, Path]) -> None:
    both, _ = site
    whole = hello()
    found = same(both, {str(size): whole[:size] for size in range(0, len(whole), 3)})
    assert not any("record 22" in each for each in found.values())
    assert "record 22" in same(both, {"": whole})[""]


def test_hellos_with_errors(site: tuple[Pair, Path]) -> None:
    """One byte of it is another, some are missing, or there are more."""
    both, _ = site
    chance = random.Random(10)
    whole = hello()
    sent: dict[str, bytes] = {}
    for number in range(300):
        data = bytearray(whole)
        at = chance.randrange(len(data))
        kind = number % 3
        if kind == 0:
            data[at] ^= chance.randrange(1, 256)
        elif kind == 1:
            del data[at : at + chance.randrange(1, 20)]
        else:
            data[at:at] = chance.randbytes(chance.randrange(1, 20))
        sent[f"{number}: {kind} at {at}"] = bytes(data)
    found = same(both, sent)
    assert len({tuple(each) for each in found.values()}) > 5


def test_long_names(site: tuple[Pair, Path]) -> None:
    """A 16 KiB name is none; so is one with a zero in it."""
    both, _ = site
    names = {f"{size}": b"a" * size for size in (0, 1, 63, 64, 254, 255, 256, 257, 1000, 16000, 16384, 60000)}
    names |= {
        "zero": b"first\0.test",
        "dots": b"..",
        "controls": b"\x01\x7f\xff",
        "space": b"a b",
        "port": b"first.test:1",
    }
    sent = {name: hello("", server_name(value)) for name, value in names.items()}
    sent["twice"] = hello("first.test", server_name(b"first.test"))
    found = same(both, sent)
    assert found["16384"] == found["16000"] == found["256"]
    assert "record 22" in found["255"] and "record 22" not in found["256"]


def test_one_protocol_on_the_others_port(site: tuple[Pair, Path]) -> None:
    """HTTP where TLS is wanted has 400 with its reason; TLS where HTTP is, an ordinary 400."""
    both, _ = site
    plain = {
        "a request": get("/"),
        "HTTP/1.0": get("/", version="1.0"),
        "HTTP/0.9": b"GET /\r\n",
        "HEAD": get("/", method="HEAD"),
        "a body": get("/", "Content-Length: 5", method="POST") + b"12345",
        "a bad one": b"GET / HTTP/9.9\r\n\r\n",
        "no method": b"\r\n\r\n",
        "half": b"GET / HT",
        "a byte": b"G",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"),
        "rubbish": bytes(range(1, 127)),
        "zeros": bytes(500),
        "SSL 2": b"\x80\x2e\x01\x00\x02" + bytes(43),
        "an alert": bytes.fromhex("15030300020228"),
        "application data": bytes.fromhex("1703030005") + b"hello",
    }
    found = same(both, plain)
    assert "The plain HTTP request was sent to HTTPS port" in found["a request"][0]
    same(both, plain, port=1)
    found = same(
        both, {"hello": hello(), "SSL 2": plain["SSL 2"], "long": hello("", server_name(b"a" * 16000))}, port=2
    )
    assert found["hello"][0].startswith("HTTP/1.1 400")
