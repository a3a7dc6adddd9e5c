"""What functions are given: fields both ways, variables, the query, subrequests, state."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import Engine, Reply, serving


async def asked(
    folder: Path, code: str, target: str = "/x", headers: dict[str, str] | None = None, more: str = ""
) -> Reply:
    """What this body of a function says."""
    lines = "\n".join(f"    {line}" for line in code.strip().splitlines())
    kind = "async def" if "await " in code else "def"
    (folder / "h.py").write_text(f"{kind} f(r):\n{lines}\ndef first(r):\n    r.state['n'] = 5\n")
    text = f"py_import h; server {{ listen 127.0.0.1:80; location / {{ py_access h.first; py_content h.f; }} {more} }}"
    async with serving(text, prefix=f"{folder}/") as engine:
        reply = await engine.get(target, headers)
        _forget(engine)
        return reply


def _forget(engine: Engine) -> None:
    engine.log.lines[:] = [line for line in engine.log.lines if "Traceback" not in line]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("return r.method + r.uri", "GET/a b"),
        ("return r.query", "x=1&y=%C3%BC&x=2"),
        ("return repr(r.args)", "{'x': '2', 'y': 'ü'}"),
        ("return r.http_version", "1.1"),
        ("return r.remote_address", "127.0.0.1"),
        ("return r.headers_in['X-One']", "ä"),
        ("return repr(r.headers_in.get('x-none'))", "None"),
        ("return repr('x-ONE' in r.headers_in)", "True"),
        ("return repr(sorted(r.headers_in))", "['connection', 'host', 'x-one']"),
        ("return repr(r.headers_in.get_all('x-one'))", "['ä']"),
        ("return r.variables['request_method']", "GET"),
        ("return r.variables['http_x_one']", "ä"),
        ("return repr(r.variables.get('none_such'))", "None"),
        ("r.variables['mine'] = 'new'; return r.variables['mine']", "new"),
        ("return str(r.state['n'])", "5"),
        ("return repr(r.body)", "b''"),
        ("r.headers_out['X-A'] = ['1', '2']; return repr(r.headers_out['x-a'])", "['1', '2']"),
        ("r.headers_out['X-A'] = '1'; del r.headers_out['x-a']; return repr('x-a' in r.headers_out)", "False"),
        ("r.headers_out['Content-Type'] = 'a/b'; return repr(dict(r.headers_out))", "{'content-type': 'a/b'}"),
        ("return repr(r.headers_out.get('etag'))", "None"),
    ],
)
async def test_what_it_has(tmp_path: Path, code: str, said: str) -> None:
    reply = await asked(
        tmp_path, code, "/a%20b?x=1&y=%C3%BC&x=2", {"X-One": "ä".encode().decode("latin-1")}, more="set $mine '';"
    )
    assert (reply.status, reply.body.decode()) == (200, said)


@pytest.mark.parametrize(
    "code",
    [
        "r.headers_out['X-A'] = 'a\\r\\nX-Evil: 1'",
        "r.headers_out['X-A'] = ['fine', 'a\\nb']",
        "r.headers_out['X A'] = 'a'",
        "r.headers_out['X:'] = 'a'",
        "r.headers_out[''] = 'a'",
        "r.variables['request_method'] = 'PUT'",
        "r.variables['unknown_one'] = 'x'",
        "del r.variables['mine']",
        "list(r.variables)",
        "r.status = 99",
        "r.status = True",
        "return 20",
        "return 200, 5",
        "del r.headers_out['X-None']",
    ],
)
async def test_what_it_refuses(tmp_path: Path, code: str) -> None:
    reply = await asked(tmp_path, code)
    assert reply.status == 500
    assert b"x-evil" not in dict(reply.headers)


async def test_a_subrequest(tmp_path: Path) -> None:
    code = """
        reply = await r.subrequest("/other", "q=1")
        gone = await r.subrequest("/gone")
        return f"{reply.status} {reply.headers['content-type']} {reply.body.decode()} {gone.status}"
    """
    more = "location /other { default_type text/x; return 200 $args; } location /gone { return 404; }"
    reply = await asked(tmp_path, "\n".join(line.strip() for line in code.strip().splitlines()), more=more)
    assert reply.body == b"200 text/x q=1 404"


async def test_lines_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "h.py").write_text("def f(r):\n    r.log('one'); r.warn('two'); r.error('three')\n    return 'x'\n")
    text = "py_import h; server { listen 127.0.0.1:80; location / { py_content h.f; } }"
    async with serving(text, prefix=f"{tmp_path}/") as engine:
        await engine.get("/")
        lines = [line for line in engine.log.lines if any(word in line for word in ("one", "two", "three"))]
        assert [word in line for word, line in zip(("[info]", "[warn]", "[error]"), lines, strict=True)] == [True] * 3
