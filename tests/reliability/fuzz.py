"""Inputs that nobody means, made of a corpus that is kept (tests/data/fuzz): what raised once becomes a file there."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from gateway import modules
from gateway.config.directive import Context
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.counters import COUNTERS, Counters
from gateway.core.open_files import FILES
from tests.reliability.clients import at_once, beside
from tests.reliability.figures import Cases, Figure, between
from tests.reliability.server import Server, serving

cases = Cases("fuzz")

CORPUS = Path(__file__).resolve().parents[1] / "data" / "fuzz"
CONF = """
    client_header_timeout 1s; client_body_timeout 1s;
    server {
        listen 127.0.0.1:@0@; http2 on; root @HOME@/site; gzip on; gzip_types *;
        location = /small { return 200 small; }
        location = /status { stub_status; }
        location /body { client_body_buffer_size 16; proxy_pass http://127.0.0.1:@3@; }
        location /rewrite { rewrite ^/rewrite/(.*)$ /$1/?a=$1 last; }
        location ~ ^/(?<name>[^/]+)/x { add_header X $name; return 302 /$name; }
    }
"""
_ODD = (
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b"%00",
    b"%zz",
    b"//",
    b"/../",
    b"?",
    b"#",
    b"\xff",
    b"\x7f",
    b"1" * 30,
    b"chunked",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: b\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"a" * 9000,
    b";" * 100,
)


def mutated(data: bytes, chance: random.Random, odd: tuple[bytes, ...] = _ODD) -> bytes:
    """The same with a few places changed."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((0, 1, 5)))
        what = chance.randrange(4)
        if what == 0:
            data = data[:at] + chance.choice(odd) + data[end:]
        elif what == 1:
            data = data[:at] + data[end:]
        elif what == 2:
            data = data[:at] + bytes([chance.randrange(256)]) + data[end:]
        else:
            data = data[:end] + data[at:]
    return data


def corpus(kind: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((CORPUS / kind).iterdir())]


@cases
def requests(name: str, folder: Path, much: float) -> Iterator[Figure]:
    """Each ends with an answer or a close, and nothing of it stays."""
    inputs = corpus("requests")
    sent = 0
    with serving(name, folder, CONF) as server:
        (worker,) = server.workers
        with beside(server.port) as probe:
            for data in inputs:
                sent += _say(server, data)
            end = time.monotonic() + between(much, 2, 30)

            def client(number: int) -> None:
                nonlocal sent
                chance = random.Random(number)
                while time.monotonic() < end:
                    sent += _say(server, mutated(chance.choice(inputs), chance))

            at_once(4, client)
        yield Figure("inputs", sent, least=len(inputs))
        yield Figure("the same worker", server.workers == [worker], least=1)
        yield Figure("others' failures", sum(probe.failed.values()), most=0)
        server.settle()
        yield Figure("connections left", server.active() - 1, most=0)
        yield Figure("temporary files", server.files(), most=0)


def _say(server: Server, data: bytes) -> int:
    """In one piece, our side shut behind it; what is answered is read."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.settimeout(10)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    return 1


_ODD_WORDS = (
    b'"a\0b"',
    b"\xff",
    b'"\xed\xa0\x80"',
    "²".encode(),
    "٣".encode(),
    b"99999999999999999999",
    b"9223372036854775807",
    b"-1",
    b'""',
    b"unix:",
    b'"unix:/a\0b"',
    b"unix:\xff",
    b"[::",
    b"127.0.0.1:99999",
    b"1g",
    b"4294967296",
    b"$",
    b"${",
    b"$1",
    b"~(",
    b"=",
    b":",
    b"/",
    b"http://",
    b'"http://a\0b"',
    b"$uri",
    b"syslog:server=",
    b"zone=a:1m",
    b"keys_zone=a:9999999999g",
    b"levels=9",
    b"on",
    b"off",
    b"10.0.0.0/\xc2\xb2",
    "backlog=²".encode(),
    b"backlog=99999999999",
    b"rcvbuf=9999999999999",
    b"so_keepalive=1:2:-3",
    "max=²".encode(),
    b"weight=99999999999999999999",
    b"inactive=9223372036854775807",
    b"{",
    b"}",
    b";",
)


def load(text: bytes) -> bool:
    """Whether a configuration is taken; any other exception than a ConfigError is a defect."""
    source = parse(text, "nginx.conf", conf_prefix="/nowhere/")
    loader = Loader(modules.MODULES, prefix="/nowhere/", conf_prefix="/nowhere/", testing=True)
    loader.parts.put(COUNTERS, _counters)
    loader.parts.get(FILES)
    try:
        loader.walk(source.statements, Scope(Context.MAIN))
    except ConfigError as error:
        str(error)
        return False
    return source.error is None


_counters = Counters()


def odd_configurations(chance: random.Random) -> Iterator[bytes]:
    """Without an end: a text of the corpus with words in the places of others; a directive with odd arguments."""
    texts = corpus("configurations")
    names = sorted({name for table in Loader(modules.MODULES).allowed.values() for name in table})
    while True:
        words = chance.choice(texts).split(b" ")
        for _ in range(chance.choice((1, 1, 2))):
            words[chance.randrange(len(words))] = chance.choice(_ODD_WORDS)
        yield b" ".join(words)
        yield mutated(chance.choice(texts), chance, _ODD_WORDS)
        name = chance.choice(names).encode()
        line = b" ".join([name, *chance.choices(_ODD_WORDS, k=chance.randrange(4))]) + chance.choice((b";", b" { }"))
        place = chance.choice(
            (
                b"%b",
                b"events { %b }",
                b"http { %b server { } }",
                b"http { server { %b } }",
                b"http { server { location / { %b } } }",
                b"http { upstream u { %b server 127.0.0.1; } }",
                b"stream { %b }",
                b"stream { server { listen 127.0.0.1:1; %b } }",
            )
        )
        yield place % line


@cases
def configurations(name: str, folder: Path, much: float) -> Iterator[Figure]:
    """In this process, gateway's loader alone: taken, or refused with a ConfigError."""
    raised: list[str] = []
    taken = tried = 0
    end = time.monotonic() + between(much, 4, 40)
    source = odd_configurations(random.Random(2))
    waiting = corpus("configurations")
    while time.monotonic() < end or waiting:
        text = waiting.pop() if waiting else next(source)
        tried += 1
        try:
            taken += load(text)
        except Exception as error:
            raised.append(f"{type(error).__name__}: {error} in {text!r}")
    for line in raised[:5]:
        print(line)
    yield Figure("tried", tried, least=50)
    yield Figure("taken", taken, least=1)
    yield Figure("exceptions", len(raised), most=0)
