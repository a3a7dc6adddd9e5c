"""The line of each directive: it loads where the directive may stand, but for what the line alone cannot have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import modules
from gateway.config import known
from gateway.config.directive import Context
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.logs import LOG, Log
from gateway.dev import examples, reference
from tests.engine import MemorySink

AROUND = {
    "main": "{} events {{}}",
    "events": "events {{ {} }}",
    "http": "events {{}} http {{ {} server {{ listen 8080; }} }}",
    "server": "events {{}} http {{ server {{ {} }} }}",
    "location": "events {{}} http {{ server {{ location / {{ {} }} }} }}",
    "upstream": "events {{}} http {{ upstream u {{ server 127.0.0.1:1; {} }} server {{ listen 8080; }} }}",
    "match": "events {{}} http {{ match m {{ {} }} server {{ listen 8080; }} }}",
    "stream": "events {{}} stream {{ {} server {{ listen 8080; return x; }} }}",
    "stream server": "events {{}} stream {{ server {{ listen 8080; {} return x; }} }}",
    "stream upstream": "events {{}} stream {{ upstream u {{ server 127.0.0.1:1; {} }} }}",
    "mail": "events {{}} mail {{ auth_http 127.0.0.1:9; {} server {{ listen 8080; protocol imap; }} }}",
    "mail server": "events {{}} mail {{ server {{ auth_http 127.0.0.1:9; listen 8080; {} }} }}",
}
# What a line of one directive cannot bring: files, and what other directives define.
LACKING = re.compile(
    r'open\(\) ".*" failed \(2: No such file|zone "pages" is unknown|no "ssl_certificate" is defined|py_import'
    r'|acme issuer ".*" is missing|unknown "(purge|memcached_key)" variable|xmlParseDTD|xsltParse|needs a proxy_pass'
    r'|"events" directive is duplicate|is incompatible with "server" directives|the duplicate "connection" variable'
)


def problem(text: str, folder: Path) -> str:
    source = parse(text, "nginx.conf", conf_prefix=f"{folder}/")
    loader = Loader(modules.MODULES, prefix=f"{folder}/", conf_prefix=f"{folder}/")
    loader.parts.put(LOG, Log(MemorySink()))
    try:
        loader.walk(source.statements, Scope(Context.MAIN))
    except ConfigError as error:
        return str(error)
    return str(source.error or "")


def test_each_line_is_right(tmp_path: Path) -> None:
    wrong = {}
    for name in reference.names():
        contexts = {context for entry in known.table().get(name, ()) for context in entry.contexts}
        contexts |= {context for each in reference.declared(name) for context in reference._names(each)}
        line = examples.example(name)
        said = [problem(AROUND[context].format(line), tmp_path) for context in AROUND if context in contexts]
        if said and all(said) and not any(LACKING.search(each) for each in said):
            wrong[name] = said
    assert not wrong


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gzip", "gzip on;"),
        ("internal", "internal;"),
        ("uwsgi_read_timeout", "uwsgi_read_timeout 300s;"),
        ("limit_except", "limit_except GET { deny all; }"),
    ],
)
def test_lines(name: str, line: str) -> None:
    assert examples.example(name) == line


def test_nothing_is_there_for_nobody() -> None:
    assert set(examples._OWN) <= set(reference.names())
    ends = {name.partition("_")[2] for name in reference.names() if name.partition("_")[0] in examples._FAMILIES}
    assert set(examples._OF_FAMILIES) <= ends
