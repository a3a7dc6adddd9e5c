from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import known
from gateway.dev import facts

PAGE = """<module name="m"><section><!-- <directive name="gone"><syntax>x</syntax></directive> -->
<directive name="return">
<syntax><literal>{code}</literal> [<value>text</value>]</syntax><syntax><value>URL</value></syntax>
<default/>
<context>server</context>
<para>words that are not taken <default>not this</default></para>
</directive>
<directive name="gzip_vary">
<syntax><literal>on</literal> |
  <literal>off</literal></syntax>
<default>off</default>
<context>http</context>
<appeared-in>9.9.9</appeared-in>
<para/>
</directive>
</section></module>"""


def test_every_directive_that_nginx_documents() -> None:
    found = facts.table()
    undocumented = [
        (entry.name, entry.module)
        for entries in known.table().values()
        for entry in entries
        if (entry.name, entry.module) not in found
    ]
    assert len(undocumented) <= 20
    assert all(entry.syntax for entry in found.values())


@pytest.mark.parametrize(
    ("key", "syntax", "default", "since"),
    [
        (("limit_req_status", "ngx_http_limit_req_module"), ("code",), ("503",), "1.3.15"),
        (("ip_hash", "ngx_http_upstream_ip_hash_module"), ("",), (), ""),
        (("early_hints", "ngx_http_core_module"), ("string ...",), (), "1.29.0"),
        (("try_files", "ngx_http_try_files_module"), ("file ... uri", "file ... =code"), (), ""),
    ],
)
def test_facts(key: tuple[str, str], syntax: tuple[str, ...], default: tuple[str, ...], since: str) -> None:
    found = facts.table()[key]
    assert (found.syntax, found.default, found.since) == (syntax, default, since)


def test_made_of_the_sources(tmp_path: Path) -> None:
    (tmp_path / "http").mkdir()
    (tmp_path / "http" / "ngx_http_rewrite_module.xml").write_text(PAGE)
    lines = facts.made(tmp_path).splitlines()
    assert lines[2:] == [
        facts.HEAD,
        "gzip_vary\tngx_http_core_module\ton | off\toff\t9.9.9",
        "return\tngx_http_rewrite_module\t{code} [text] ¦ URL\t\t",
    ]


def test_the_program_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "TABLE", tmp_path / "made.tsv")
    assert facts.main([str(tmp_path)]) == 0
    assert (tmp_path / "made.tsv").read_text().splitlines()[-1] == facts.HEAD


def test_area() -> None:
    modules = ("ngx_http_core_module", "ngx_stream_geo_module", "ngx_mail_core_module", "ngx_event")
    assert [facts.area_of(module) for module in modules] == ["http", "stream", "mail", "core"]
