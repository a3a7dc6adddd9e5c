"""Values that come from outside, in every line that they can reach. The right answers are nginx's.

nginx passes on, byte for byte, what a configuration names; what it escapes are the fields of a log and the names in a
certificate (tests/_fast/test_x509.py). A value with a line feed is then the configuration's choice: a capture and $uri
are decoded, $args and $request_uri are not, and a header field that has one is refused where it comes in.
"""

from __future__ import annotations

import datetime
import socket
import ssl
import struct
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.protocol.proxy_protocol import SIGNATURE
from tests import certificates
from tests.fakes import answer, farm
from tests.http2_client import http2
from tests.http2_server import Call, http2_server
from tests.http_peers import Heard, answering
from tests.modules.http.test_log import serving
from tests.speeches import FASTCGI, SCGI, UWSGI, Asked, Speech

PAYLOADS = {
    "CR": b"\r",
    "LF": b"\n",
    "CRLF and a field": b"\r\nX-Admin: 1",
    "NUL": b"\0",
    "colon": b": x",
    "UTF-8": "ü".encode(),
    "no UTF-8": b"\xff",
    "DEL and ESC": b"\x7f\x1b",
    "quote and backslash": b'"\\',
}
SOURCES = ("$named", "$request_body", "$http_x", "$cookie_x")
DEFAULT = {
    b"\0": rb"\x00",
    b"\r": rb"\x0D",
    b"\n": rb"\x0A",
    b'"': rb"\x22",
    b"\\": rb"\x5C",
    b"\x7f": rb"\x7F",
    b"\x1b": rb"\x1B",
}
JSON = {b"\0": rb"\u0000", b"\r": rb"\r", b"\n": rb"\n", b'"': rb"\"", b"\\": rb"\\", b"\x1b": rb"\u001B"}


def request(source: str, where: str, value: bytes) -> bytes:
    """One that brings the value by this way."""
    quoted = b"".join([b"%%%02x" % byte for byte in value])
    path = b"/%b/" % where.encode() + (quoted if source == "$named" else b"x")
    field = value if source in ("$http_x", "$cookie_x") else b"-"
    body = value if source == "$request_body" else b"-"
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: %b\r\nCookie: x=%b\r\n" % (path, field, field)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def possible(source: str, value: bytes) -> bool:
    """A line feed ends a field, a carriage return before none is no end, and a NUL is refused but in a body."""
    if source in ("$http_x", "$cookie_x"):
        return not set(value) & set(b"\r\n\0")
    return source == "$request_body" or b"\0" not in value


CASES = [
    pytest.param(source, value, id=f"{source} {name}")
    for source in SOURCES
    for name, value in PAYLOADS.items()
    if possible(source, value)
]


@pytest.mark.parametrize(("source", "value"), CASES)
async def test_to_an_http_upstream_and_to_the_client(source: str, value: bytes, tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", heard))
        text = f"""client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path};
            log_format d "[{source}]"; log_format j escape=json "[{source}]"; log_format n escape=none "[{source}]";
            access_log {tmp_path}/d d; access_log {tmp_path}/j j; access_log {tmp_path}/n n;
            server {{ listen 127.0.0.1:80; location ~ "^/up/(?<named>(?s:.*))$" {{
                proxy_set_header X-S "a{source};b"; add_header X-S "a{source};b"; proxy_pass http://{address}; }} }}"""
        async with serving(text) as engine:
            data = await engine.raw(request(source, "up", value))
    line = b"\r\nX-S: a" + value + b";b\r\n"
    assert line in b"\r\n" + heard[0].raw + b"\r\n" and line in data
    logged = {b"d": DEFAULT, b"j": JSON, b"n": {}}
    for name, escapes in logged.items():
        shown = b"".join([_shown(value[i : i + 1], escapes, name == b"d") for i in range(len(value))])
        assert (tmp_path / name.decode()).read_bytes() == b"[" + shown + b"]\n"


def _shown(byte: bytes, escapes: dict[bytes, bytes], ascii_only: bool) -> bytes:
    if byte in escapes:
        return escapes[byte]
    return b"\\x%02X" % byte[0] if ascii_only and byte >= b"\x7f" else byte


@pytest.mark.parametrize("speech", [UWSGI, SCGI, FASTCGI], ids=lambda speech: speech.name)
@pytest.mark.parametrize(("source", "value"), CASES)
async def test_to_a_param(source: str, value: bytes, speech: Speech, tmp_path: Path) -> None:
    if speech is SCGI and b"\0" in value:
        return  # it separates SCGI's parameters, and nginx sends it as well
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(speech.ok, asked=asked, speech=speech))
        text = f"""client_body_temp_path {tmp_path}; {speech.name}_temp_path {tmp_path};
            server {{ listen 127.0.0.1:80; location ~ "^/up/(?<named>(?s:.*))$" {{
                {speech.name}_param S "a{source};b"; {speech.name}_param CONTENT_LENGTH $content_length;
                {speech.passing(address)} }} }}"""
        async with serving(text) as engine:
            await engine.raw(request(source, "up", value))
    assert asked[0].params[b"S"] == b"a" + value + b";b"


@pytest.mark.parametrize("value", [value for value in PAYLOADS.values() if b"\0" not in value])
async def test_into_a_redirect(value: bytes, tmp_path: Path) -> None:
    text = """server { listen 127.0.0.1:80; location ~ "^/raw/((?s:.*))$" { return 302 http://h/$1; }
        location ~ "^/rewritten/" { rewrite "^/rewritten/((?s:.*))$" /y$1 redirect; } }"""
    async with serving(text) as engine:
        data = await engine.raw(request("$named", "raw", value))
        assert b"\r\nLocation: http://h/" + value + b"\r\n" in data
        data = await engine.raw(request("$named", "rewritten", value))
        assert b"\r\nX-Admin" not in data and data.startswith(b"HTTP/1.1 302 ")


# -- what does not come in a request of HTTP/1 -------------------------------------------------------------------------


def sinks(source: str, address: str, tmp_path: Path) -> str:
    """A location that writes the value into an upstream's request, a response head, and logs; others for the rest."""
    return f"""location /up {{ proxy_set_header X-S "a{source};b"; add_header X-S "a{source};b"; proxy_pass http://{address}; }}
        location /to {{ return 302 "http://h/{source}"; }}
        location /file {{ try_files "/{source}/x" =404; }} location /root {{ root "{tmp_path}/{source}"; }}"""  # noqa: E501


def logs(source: str, tmp_path: Path) -> str:
    return f"""log_format d "[{source}]"; log_format j escape=json "[{source}]"; log_format n escape=none "[{source}]";
        access_log {tmp_path}/d d; access_log {tmp_path}/j j; access_log {tmp_path}/n n;"""


def logged(value: bytes, tmp_path: Path) -> None:
    """What the three formats make of it, in their last lines."""
    for name, escapes in {"d": DEFAULT, "j": JSON, "n": {}}.items():
        shown = b"".join([_shown(value[i : i + 1], escapes, name == "d") for i in range(len(value))])
        assert (tmp_path / name).read_bytes().endswith(b"[" + shown + b"]\n")


@pytest.mark.parametrize("value", PAYLOADS.values(), ids=PAYLOADS)
async def test_a_tlv_of_the_proxy_protocol(value: bytes, tmp_path: Path) -> None:
    """Binary, whoever made the header is trusted: it goes on byte for byte."""
    source = "$proxy_protocol_tlv_0xe0"
    tlvs = struct.pack("!BH", 0xE0, len(value)) + value
    addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack("!HH", 1, 2)
    head = SIGNATURE + b"\x21\x11" + struct.pack("!H", len(addresses) + len(tlvs)) + addresses + tlvs
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", heard))
        text = f"""{logs(source, tmp_path)} proxy_temp_path {tmp_path};
            server {{ listen 127.0.0.1:80 proxy_protocol; {sinks(source, address, tmp_path)} }}"""
        async with serving(text) as engine:
            data = await engine.raw(head + b"GET /up HTTP/1.0\r\n\r\n")
            logged(value, tmp_path)
            assert b"\r\nLocation: http://h/" + value in await engine.raw(head + b"GET /to HTTP/1.0\r\n\r\n")
            for path in (b"/file", b"/root"):
                assert b" 404 Not Found\r\n" in await engine.raw(head + b"GET %b HTTP/1.0\r\n\r\n" % path)
    line = b"\r\nX-S: a" + value + b";b\r\n"
    assert line in b"\r\n" + heard[0].raw + b"\r\n" and line in data


@pytest.mark.parametrize("value", [value for value in PAYLOADS.values() if value.isascii() and b"\0" not in value])
async def test_the_name_that_a_client_hello_asks_for(value: bytes, tmp_path: Path) -> None:
    """libssl takes any byte but NUL; what names a server is looked at, $ssl_server_name is what came."""
    source, name = "$ssl_server_name", b"a" + value
    heard: list[Heard] = []
    chain, key = certificates.write(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", heard))
        text = f"""{logs(source, tmp_path)} proxy_temp_path {tmp_path};
            server {{ listen 127.0.0.1:443 ssl; ssl_certificate {chain}; ssl_certificate_key {key};
                {sinks(source, address, tmp_path)} }}"""
        async with serving(text) as engine:
            ask = b"GET /%b HTTP/1.0\r\n\r\n"
            data = await certificates.exchange(engine, context, ask % b"up", name.decode())
            logged(name, tmp_path)
            assert b"\r\nLocation: http://h/" + name in await certificates.exchange(
                engine, context, ask % b"to", name.decode()
            )
    line = b"\r\nX-S: a" + name + b";b\r\n"
    assert line in b"\r\n" + heard[0].raw + b"\r\n" and line in data


@pytest.mark.parametrize(("name", "value"), PAYLOADS.items(), ids=PAYLOADS)
async def test_a_name_in_a_certificate(name: str, value: bytes, tmp_path: Path) -> None:
    """Escaped (RFC 2253), wherever it goes."""
    if name == "no UTF-8":
        pytest.skip("a certificate's names are text")
    text = "x" + value.decode()
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 5, now, now + datetime.timedelta(days=2))
    own, own_key = tmp_path / "own.pem", tmp_path / "own.key"
    own.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    own_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = certificates.client_context()
    context.load_cert_chain(own, own_key)
    chain, chain_key = certificates.write(tmp_path)
    heard: list[Heard] = []
    source = "$ssl_client_s_dn"
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", heard))
        config = f"""{logs(source, tmp_path)} proxy_temp_path {tmp_path};
            server {{ listen 127.0.0.1:443 ssl; ssl_certificate {chain}; ssl_certificate_key {chain_key};
                ssl_verify_client optional_no_ca; {sinks(source, address, tmp_path)} }}"""
        async with serving(config) as engine:
            data = await certificates.exchange(engine, context, b"GET /up HTTP/1.0\r\n\r\n")
            moved = await certificates.exchange(engine, context, b"GET /to HTTP/1.0\r\n\r\n")
    escaped = {b'"': rb"\"", b"\\": rb"\\"}
    shown = b"CN=x" + b"".join(
        [
            escaped.get(byte) or (byte if b" " <= byte < b"\x7f" else b"\\%02X" % byte[0])
            for byte in (value[at : at + 1] for at in range(len(value)))
        ]
    )
    line = b"\r\nX-S: a" + shown + b";b\r\n"
    assert line in b"\r\n" + heard[0].raw + b"\r\n" and line in data
    assert b"\r\nLocation: http://h/" + shown + b"\r\n" in moved
    logged(shown, tmp_path)


@pytest.mark.parametrize("value", PAYLOADS.values(), ids=PAYLOADS)
async def test_a_field_of_an_upstreams_answer(value: bytes, tmp_path: Path) -> None:
    """What no field may have is refused where it comes in; the rest goes on."""
    async with farm(tmp_path) as peers:
        field = b"X-U: a" + value + b"b\r\n"
        address = await peers.tcp(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + field + b"\r\nok"))
        source = "$upstream_http_x_u"
        text = f"""{logs(source, tmp_path)} proxy_temp_path {tmp_path};
            server {{ listen 127.0.0.1:80; {sinks(source, address, tmp_path)} }}"""
        async with serving(text) as engine:
            data = await engine.raw(b"GET /up HTTP/1.0\r\n\r\n")
        if value in (b"\r", b"\0"):
            assert data.startswith(b"HTTP/1.1 502 ")
            assert any("upstream sent invalid header: " in line for line in engine.log.lines)
            return
    whole = b"a" + value + b"b"
    if b"\n" in value:  # two fields, which the upstream may well send
        assert b"\r\nX-U: a\r\n" in data and (value == b"\n" or b"\r\nX-Admin: 1b\r\n" in data)
        whole = b"a"
    assert b"\r\nX-S: a" + whole + b";b" in data
    logged(whole, tmp_path)


OVER_HTTP2 = [
    pytest.param(source, value, id=f"{source} {name}")
    for source in ("$http_x", "$cookie_x", "$named", "$request_uri")
    for name, value in PAYLOADS.items()
    # a capture goes on as it is, as in nginx, and the witnesses on either side end the connection for these
    if source != "$named" or not set(value) & set(b"\r\n")
]


@pytest.mark.parametrize(("source", "value"), OVER_HTTP2)
async def test_over_http2_to_grpc_and_back(source: str, value: bytes, tmp_path: Path) -> None:
    """HPACK has no line ends: what a field must not have is refused where it comes in."""

    async def serve(call: Call) -> None:
        await call.whole()
        await call.head([(b":status", b"200"), (b"content-type", b"application/grpc")], end=True)

    path, more = "/up/x", []
    if source == "$http_x":
        more = [(b"x", value)]
    elif source == "$cookie_x":
        more = [(b"cookie", b"x=" + value)]
    else:
        path = "/up/" + "".join([f"%{byte:02x}" for byte in value])
    async with http2_server(serve) as server:
        text = f"""{logs(source, tmp_path)}
            server {{ listen 127.0.0.1:80; http2 on; location ~ "^/up/(?<named>(?s:.*))$" {{
                grpc_set_header X-S "a{source};b"; add_header X-S "a{source};b";
                grpc_pass 127.0.0.1:{server.port}; }} }}"""
        async with serving(text) as engine, http2(engine) as client:
            answer = await client.get(path, *more)
    if set(value) & (set(b"\r\n\0") if more else {0}):
        assert answer.status == 400 and not server.calls
        return
    seen = value if source != "$request_uri" else path.encode()
    [call] = server.calls
    assert call.get(b"x-s") == answer.fields[b"x-s"] == b"a" + seen + b";b"
    logged(seen, tmp_path)
