"""listen in its forms, PROXY protocol, redirects to oneself, and stub_status."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.pair import Side, get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

SHOWN = (
    "$remote_addr|$remote_port|$server_addr|$server_port|$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|"
    "$proxy_protocol_server_port|$host|$binary_remote_addr"
)

LISTEN = f"""
server {{
    listen 127.0.0.1:@PORT@ default_server backlog=20 rcvbuf=64k sndbuf=64k so_keepalive=on deferred;
    listen unix:@OWN@/plain.sock; server_name localhost first.com;
    location / {{ return 200 "first $server_addr $server_port $remote_addr $host"; }}
}}
server {{
    listen 127.0.0.1:@PORT@; listen 127.0.0.1:@PORT2@ so_keepalive=30m::10 reuseport; server_name second.com;
    location / {{ return 200 "second $server_port $host"; }}
}}
server {{
    listen *:@PORT3@; server_name any.com; location / {{ return 200 "any $server_addr"; }}
}}
server {{
    listen 127.0.0.1:@PORT3@; server_name one.com; location / {{ return 200 "one $server_addr"; }}
}}
server {{
    listen [::1]:@PORT2@ ipv6only=on; server_name six.com; location / {{ return 200 "six $server_addr $remote_addr"; }}
}}
server {{
    listen unix:@OWN@/proxy.sock proxy_protocol;
    listen 127.0.0.2:@PORT@ proxy_protocol; server_name proxied;
    location / {{ return 200 "{SHOWN}"; }}
    location /deny {{ deny 192.0.2.1; allow all; return 403; }}
}}
server {{
    listen 127.0.0.3:@PORT@ proxy_protocol; server_name real;
    set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;
    location / {{ return 200 "{SHOWN}|$realip_remote_addr"; }}
    location /access/ {{ allow 192.0.2.1; deny all; root @SITE@; }}
}}
"""

REDIRECTS = """
server {
    listen 127.0.0.1:@PORT@; server_name name.com other.com; root @SITE@;
    location /r { return 301 /to; }
    location /w { rewrite ^/w(.*) /to$1 redirect; }
    location /slash/ { uwsgi_pass 127.0.0.1:1; }
    location /rel { absolute_redirect off; return 302 /to; }
    location /rel/ { absolute_redirect off; alias @SITE@/; }
    location /noport { port_in_redirect off; return 302 /to; }
    location /noport/ { port_in_redirect off; alias @SITE@/; }
    location /named { server_name_in_redirect on; return 302 /to; }
    location /named/ { server_name_in_redirect on; port_in_redirect off; alias @SITE@/; }
    location /full { return 302 http://x/y; }
    location /scheme { return 302 $scheme://$host/z; }
    location /page { error_page 404 /r; return 404; }
    location /none { return 302 ""; }
    location /word { return 302 word; }
    location /args { return 303 /to?$args; }
}
"""


def proxied(header: bytes) -> bytes:
    return header + get("/")


def second_version(family: int, addresses: bytes, *, command: int = 0x21, more: bytes = b"") -> bytes:
    data = addresses + more
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", command, family, len(data)) + data


V4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack("!HH", 1000, 2000)
V6 = b"".join(socket.inet_pton(socket.AF_INET6, f"2001:db8::{n}") for n in (1, 2)) + struct.pack("!HH", 1, 2)

HEADERS = (
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n", b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n",
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ff::1 ff::2 1 2\r\n", b"PROXY TCP4 192.0.2.1 192.0.2.2 1000\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 \r\n",
    b"PROXY TCP4 x 192.0.2.2 1000 2000\r\n", b"PROXY TCP4 192.0.2.1 192.0.2.2 70000 2000\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 x 2000\r\n",
    b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", b"PROXY\r\n", b"PROXY \r\n",
    b"proxy TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\n", b"PROXY TCP4 192.0.2.1  192.0.2.2 1000 2000\r\n", b"", b"X",
    b"PROXY TCP4 " + b"1" * 100 + b"\r\n",
    second_version(0x11, V4), second_version(0x21, V6), second_version(0x31, bytes(216)), second_version(0x00, b""),
    second_version(0x11, V4, command=0x20), second_version(0x11, V4, more=b"\x04\x00\x03abc"),
    second_version(0x11, V4[:8]),
    second_version(0x21, V6[:12]), second_version(0x12, V4), second_version(0x11, V4, command=0x31),
    second_version(0x41, V4),
    second_version(0x11, V4, command=0x22), b"\r\n\r\n\0\r\nQUIX\n" + b"\x21\x11\0\x0c" + V4,
)  # fmt: skip


def exchanged(side: Side, data: bytes, address: tuple[str, int] | str) -> bytes:
    """One request to any address of this side."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(10)
        connection.connect(address)
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionError:
            pass
    text = re.sub(rb"\r\n(Date|Server|Content-Length): [^\r]*", b"", received)
    text = re.sub(rb"(?<=<hr><center>)[^<]*", b"", text)
    for number, port in enumerate(side.ports):
        text = re.sub(rb"\b%d\b" % port, b"PORT%d" % number, text)
    # the client's own port is another for each
    return re.sub(rb"(127\.0\.0\.1)\|\d+\|", rb"\1|CLIENT|", text).replace(str(side.folder).encode(), b"OWN")


def addresses(side: Side) -> Iterator[tuple[bytes, tuple[str, int] | str]]:
    for host in ("localhost", "first.com", "second.com", "any.com", "one.com", "six.com", "x"):
        for number in range(3):
            yield get("/", host=host), ("127.0.0.1", side.ports[number])
        yield get("/", host=host), ("127.0.0.9", side.ports[2])
        yield get("/", host=host), ("::1", side.ports[1])
        yield get("/", host=host), str(side.folder / "plain.sock")
    for header in HEADERS:
        yield proxied(header), ("127.0.0.2", side.ports[0])
        yield proxied(header), ("127.0.0.3", side.ports[0])
        yield proxied(header), str(side.folder / "proxy.sock")
    for header in HEADERS[:2]:
        yield header + get("/deny"), ("127.0.0.2", side.ports[0])
        yield header + get("/access/f"), ("127.0.0.3", side.ports[0])
        yield header + header + get("/"), ("127.0.0.2", side.ports[0])


def test_addresses_and_proxy_protocol(tmp_path: Path) -> None:
    (tmp_path / "access").mkdir()
    (tmp_path / "access" / "f").write_text("f")
    different = []
    with pair(tmp_path, LISTEN) as both:
        for theirs, ours in zip(addresses(both.theirs), addresses(both.ours), strict=True):
            wanted, found = exchanged(both.theirs, *theirs), exchanged(both.ours, *ours)
            if wanted != found:
                different.append(f"{ours}\n  nginx: {wanted!r}\n  gateway: {found!r}")
    assert not different, "\n".join(different)


def test_redirects(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    paths = (
        "/r", "/w", "/w/a?b", "/slash", "/slash?a=b", "/rel", "/rel/dir", "/noport", "/noport/dir", "/named",
        "/named/dir", "/dir", "/dir?a", "/full",
        "/scheme", "/page", "/none", "/word", "/args?a=b", "/args",
    )  # fmt: skip
    requests = [get(path, host=host, method=method) for path in paths for host in ("name.com", "other.com", "o:99",
    "") for method in ("GET", "HEAD", "POST")]
    requests += [f"GET {path} HTTP/1.0\r\n\r\n".encode() for path in paths]
    with pair(tmp_path, REDIRECTS) as both:
        both.compare(requests)


def test_stub_status(tmp_path: Path) -> None:
    text = """server { listen 127.0.0.1:@PORT@; location / { return 200; } location /status { stub_status; }
        location /v { return 200 "$connections_active $connections_reading $connections_waiting $connections_writing";
            } }"""
    with pair(tmp_path, text) as both:
        seen = []
        for side in (both.theirs, both.ours):
            with socket.create_connection(("127.0.0.1", side.port)) as idle:
                idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert idle.recv(4096)
                answers = [side.fetch(get(path, method=method)) for path in ("/status", "/v") for method in ("GET",
                "HEAD", "POST", "PUT")]
                seen.append([re.sub(rb"\r\n(Date|Server|Content-Length): [^\r]*|<center>[^<]*</center>", b"",
                answer) for answer in answers])
        assert seen[0] == seen[1]
