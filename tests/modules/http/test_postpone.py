"""postpone: filters behind it work on the whole response, those before it on each part."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from gateway.http.locations import Location
from gateway.http.part import FunctionPart, Part
from tests.engine import Engine, serving


def _module_of(part: Part) -> str:
    """The name of the module whose head filter it is."""
    named = part.function.function if isinstance(part, FunctionPart) else type(part)
    return named.__module__.rpartition(".")[2]


async def test_the_whole_is_compressed_once(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('[<!--#include virtual="/part.html" -->]')
    (tmp_path / "part.html").write_text("part" * 1000)
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; types {{ text/html html; }} gzip on; gzip_min_length 1;
        location / {{ ssi on; add_after_body /part.html; }} location /part {{ add_header X-Part 1; expires 1h; }} }}"""
    async with serving(text) as engine:
        reply = await engine.get("/page.html", {"Accept-Encoding": "gzip"})
        assert gzip.decompress(reply.body) == b"[%b]%b" % (b"part" * 1000, b"part" * 1000)
        assert reply.header("x-part") is None and reply.header("expires") is None
        # a part that the client asks for itself is a response like any other
        assert (await engine.get("/part.html")).header("x-part") == b"1"


async def test_a_location_that_inserts_nothing_has_no_part_in_it(tmp_path: Path) -> None:
    text = "server { listen 127.0.0.1:80; location / { return 200 x; } location /ssi { ssi on; return 200 x; } }"
    async with serving(text) as engine:
        for target, count in (("/", 0), ("/ssi", 1)):
            assert (await engine.get(target)).body == b"x"
            location = next(location for location in _locations(engine) if location.name == target.encode())
            assert location.plan is not None
            names = [_module_of(head_filter) for head_filter in location.plan.head_filters]
            assert names.count("postpone") == count


def _locations(engine: Engine) -> Iterator[Location]:
    waiting = [server.root for server in engine.cycle.servers]
    while waiting:
        location = waiting.pop()
        waiting += location.children
        yield location
