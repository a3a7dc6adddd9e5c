"""Every example is given to gateway's loader, in the place where its directives may stand."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from gateway.config.directive import MAIN
from gateway.config.loader import CONTEXT_NAMES, Loader, Scope
from gateway.config.parser import parse
from gateway.core.logs import LOG, Log
from gateway.core.open_files import FILES
from gateway.core.zones import ZONES
from gateway.dev import notes, reference
from gateway.dev.reference import Entry
from gateway.modules import MODULES
from tests import certificates
from tests.engine import MemorySink
from tests.mmdb import database

# What stands around an example, by the outermost context that all its directives may stand in.
AROUND = {
    "main": "{main}",
    "http": "http {{ {} }}",
    "server": "http {{ server {{ listen 127.0.0.1:8080; {} }} }}",
    "location": "http {{ server {{ listen 127.0.0.1:8080; location / {{ {} }} }} }}",
    "stream": "stream {{ {} }}",
    "stream server": "stream {{ server {{ listen 127.0.0.1:15000; return x; {} }} }}",
    "mail": "mail {{ auth_http http://127.0.0.1:9000/auth; {} server {{ listen 127.0.0.1:10199; protocol imap; }} }}",
    "mail server": "mail {{ server {{ listen 127.0.0.1:10143; {} }} }}",
}

HELLO = "def f(*given):\n    return ''\n\n\nteam = content = signed_in = stamp = shout = f\n"
STYLE = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>'


ENTRIES = list(dict.fromkeys(entry for name in reference.names() for entry in reference.entries(name)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("examples")
    certificates.write(found, stem="cert")
    (found / "cert.key").rename(found / "key.pem")
    certificates.write_authority(found)
    for name in ("handlers", "logs", "conf.d", "cache", "temp", "acme"):
        (found / name).mkdir()
    (found / "handlers" / "hello.py").write_text(HELLO)
    (found / "style.xslt").write_text(STYLE)
    (found / "entities.dtd").write_text('<!ENTITY shop "shop">')
    (found / "passwords.txt").write_text("secret\n")
    (found / "ticket.key").write_bytes(bytes(range(80)))
    (found / "places.mmdb").write_bytes(database({"10.0.0.0/8": {"country": {"iso_code": "DE"}}}))
    (found / "host.key").write_bytes(bytes(range(32)))
    return found


@functools.cache
def _contexts(name: str, area: str) -> frozenset[str]:
    return frozenset(context for entry in reference.entries(name) if entry.area == area for context in entry.contexts)


def _placed(entry: Entry) -> str:
    text = entry.note.example
    names = [statement.name for statement in parse(text, "example").statements]
    allowed = frozenset(AROUND)  # an include of nothing may stand anywhere
    for name in names:
        allowed &= _contexts(name, entry.area)
    context = next((context for context in AROUND if context in allowed), None)
    assert context is not None, f"{text} may not stand in one place"
    return AROUND[context].replace("{main}", "{}").format(text)


def _load(text: str, folder: Path) -> None:
    prefix = f"{folder}/"
    loader = Loader(MODULES, prefix=prefix, conf_prefix=prefix, testing=True)
    loader.parts.get(FILES)
    loader.parts.put(LOG, Log(MemorySink()))
    source = parse(text, f"{folder}/nginx.conf", conf_prefix=prefix)
    loader.walk(source.statements, Scope(MAIN))
    if source.error is not None:
        raise source.error
    loader.parts.get(ZONES).map()


@pytest.mark.parametrize("entry", ENTRIES, ids=[f"{entry.area}-{entry.name}" for entry in ENTRIES])
def test_the_example_loads_and_shows_the_directive(entry: Entry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)  # of xml_entities
    if " quic" in entry.note.example:
        pytest.importorskip("aioquic")
    note = entry.note
    assert note.example, "has no example"
    assert note.purpose.endswith("."), "does not say what it is for"
    assert any(f"{before}{entry.name}{after}" in f" {note.example}" for before in " {" for after in " ;"), note.example
    assert entry.syntax
    _load(_placed(entry), folder)


def test_contexts_of_the_test_are_gateways() -> None:
    assert set(AROUND) <= set(CONTEXT_NAMES.values())


def test_all_are_of_directives_that_there_are() -> None:
    names = set(reference.names())
    assert {name for name, _ in notes.table()} <= names


def test_families() -> None:
    assert notes.note("scgi_pass", "http").example == "location / { scgi_pass 127.0.0.1:4000; }"
    assert "15432" in notes.note("proxy_pass", "stream").example


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert notes.note("no_such_directive", "http") == notes.Note("", "")
