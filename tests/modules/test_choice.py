from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.parser import Source, parse
from gateway.http.setters import locations_of
from gateway.modules.choice import ALWAYS, _add_names, chosen, wanted
from gateway.modules.http import HTTP_MODULES, ORDER, named
from tests.engine import load_http


def of_text(text: str) -> list[str]:
    source = read(text)
    names: set[str] = set()
    _add_names(source.statements.readable(), names)
    return wanted(source, names)


def read(text: str) -> Source:
    return parse("http { server { listen 127.0.0.1:80; " + text + " } }", "nginx.conf", conf_prefix="/")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        ("# gzip on;\n", set()),
        ("gzip on;", {"gzip"}),
        ("location / { if ($host) { gzip on; } }", {"gzip"}),
        ('return 200 "$Limit_req_status";', {"limit_req"}),
        ("return 200 ${limit_req_status}s;", {"limit_req"}),
        ("listen 127.0.0.1:81 ssl;", {"ssl"}),
        ("listen 127.0.0.1:81 quic;", {"ssl", "v3"}),
        ("} limit_req_zone $uri zone=a:1m rate=1r/s sync; server {", {"limit_req", "zone_sync"}),
        ("} upstream u { server a resolve; } server {", {name for name in ORDER if name.startswith("upstream_")}),
        ("add_before_body /x;", {"addition", "postpone"}),
        ("slice 1m;", {"slice", "postpone"}),
        ("ssi on;", set(ORDER)),
        ("py_content a:b;", set(ORDER)),
    ],
)
def test_what_names_a_module(text: str, names: set[str]) -> None:
    assert set(of_text(text)) - ALWAYS == names - ALWAYS


def test_includes_count(tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text("gzip on;")
    assert "gzip" in of_text(f"include {tmp_path}/more.conf;")


def test_all_of_stream_and_mail_or_nothing() -> None:
    blocks = [module.name for module in chosen(parse("events {} stream {}"))]  # type: ignore[attr-defined]
    assert "stream" in blocks and "http" not in blocks and "mail" not in blocks
    blocks = [module.name for module in chosen(parse("events {} mail {} http {}"))]  # type: ignore[attr-defined]
    assert "mail" in blocks and "http" in blocks and "stream" not in blocks


TEXTS = {
    "nothing": "server { listen 127.0.0.1:80; }",
    "files": "server { root /srv; index a.html b.html; location /b/ { alias /c/; } location ~ x { if ($uri) { } } }",
    "limited": "server { location / { limit_except GET { deny all; } error_page 404 /x; } }",
    "proxied": "upstream u { server 127.0.0.1:81; } server { location / { proxy_pass http://u; } }",
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_others_have_no_part_in_any_location(name: str) -> None:
    """What does something although nothing names it belongs to ALWAYS."""
    source = parse("http { " + TEXTS[name] + " }")
    names: set[str] = set()
    _add_names(source.statements.readable(), names)
    taken = named(wanted(source, names))
    for location in locations_of(load_http(TEXTS[name])):
        for module in HTTP_MODULES:
            if module in taken:
                continue
            part = module.plan(location.confs.get(module), location) if module.plan else None
            assert part is None or (not part.handlers and part.content is part.head_filter is None), module.name
            if module.server_plan is not None:
                assert module.server_plan(location.confs.get(module), location) is None, module.name


def test_hooks_of_the_others_are_known() -> None:
    """What these do when the block is read, they do for their own directives alone, or block.py does it (folders)."""
    known = {
        *("acme", "api", "charset", "health_check", "otel", "py", "referer", "request_history", "ssl", "status_zone"),
        *("stub_status", "upstream_queue", "upstream_resolve", "upstream_state", "v3", "zone_sync"),
        *("proxy", "fastcgi", "scgi", "uwsgi"),
    }
    modules = dict(zip(ORDER, HTTP_MODULES, strict=True))
    hooked = {name for name, module in modules.items() if module.preconfigure or module.settle or module.prepare}
    assert hooked - ALWAYS == known


CONF = "events {} http { access_log off; server { listen 127.0.0.1:80; location / { return 200 a; } } }"


def test_what_is_not_used_is_not_imported(tmp_path: Path) -> None:
    """Neither a module of http, nor another block, nor what they import."""
    (tmp_path / "nginx.conf").write_text(CONF)
    program = (
        "import sys\n"
        "from gateway.process.load import load\n"
        "from gateway.process.options import resolve\n"
        f"load(resolve(conf_file='nginx.conf', prefix={str(tmp_path)!r} + '/'), None)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    loaded = {name.rpartition(".")[2] for name in names if name.startswith("gateway.modules.http.")}
    assert loaded >= ALWAYS
    assert not loaded & {"proxy", "fastcgi", "gzip", "api", "acme", "health_check", "limit_req", "ssl", "py"}
    assert not [name for name in names if name.startswith(("gateway.modules.stream.", "gateway.modules.mail."))]
