from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

HEAD = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
PARAMETERS = f"""{HEAD}
<xsl:output method="html"/><xsl:param name="a"/><xsl:param name="b"/>
<xsl:template match="/">a=<xsl:value-of select="$a"/>,b=<xsl:value-of select="$b"/>,r=<xsl:value-of
select="/r"/></xsl:template>
</xsl:stylesheet>"""
COPY = f"""{HEAD}<xsl:output encoding="ISO-8859-1" media-type="text/plain"/>
<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
</xsl:stylesheet>"""
FIRST = f'{HEAD}<xsl:template match="/"><r>first <xsl:value-of select="/r"/></r></xsl:template></xsl:stylesheet>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("p.xsl", PARAMETERS), ("c.xsl", COPY), ("f.xsl", FIRST)):
        (tmp_path / name).write_text(text)
    (tmp_path / "x.xml").write_text("<r>data</r>")
    (tmp_path / "secret").write_text("hidden")
    (tmp_path / "e.dtd").write_text('<!ENTITY known "from the dtd">')
    return tmp_path


def conf(folder: Path, more: str) -> str:
    return f"server {{ listen 80; default_type text/xml; location / {{ root {folder}; types {{ }} {more} }} }}"


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ("xslt_stylesheet p.xsl;", b"a=,b=,r=data"),
        ("xslt_stylesheet p.xsl a='one':b=/r;", b"a=one,b=data,r=data"),
        ("xslt_stylesheet p.xsl a='%33' b='$arg_x';", b"a=3,b=y,r=data"),
        ("xslt_param a /r; xslt_string_param b /r; xslt_stylesheet p.xsl;", b"a=data,b=/r,r=data"),
        ("xslt_stylesheet f.xsl; xslt_stylesheet p.xsl;", b"a=,b=,r=first data"),
    ],
)
async def test_parameters(folder: Path, more: str, body: bytes) -> None:
    text = conf(folder, more.replace("xslt_stylesheet ", f"xslt_stylesheet {folder}/"))
    async with serving(text) as engine:
        reply = await engine.get("/x.xml?x=y")
        assert reply.status == 200 and reply.body.strip() == body
        assert reply.header("content-type") == b"text/html"
        assert reply.header("last-modified") is None and reply.header("etag") is None
        assert reply.header("accept-ranges") is None


async def test_type_and_encoding(folder: Path) -> None:
    (folder / "x.xml").write_text("<r>caf\u00e9</r>")
    async with serving(conf(folder, f"xslt_last_modified on; xslt_stylesheet {folder}/c.xsl;")) as engine:
        reply = await engine.get("/x.xml")
        assert reply.header("content-type") == b"text/plain; charset=ISO-8859-1"
        assert b"caf\xe9" in reply.body
        assert reply.header("last-modified") and (reply.header("etag") or b"").startswith(b"W/")


async def test_a_large_document(folder: Path) -> None:
    (folder / "x.xml").write_text("<r>" + "<x/>" * 20000 + "</r>")
    async with serving(conf(folder, f"xslt_stylesheet {folder}/c.xsl;")) as engine:
        reply = await engine.get("/x.xml")
        assert reply.body.count(b"<x/>") == 20000


async def test_other_types_pass(folder: Path) -> None:
    async with serving(conf(folder, f"default_type text/plain; xslt_stylesheet {folder}/c.xsl;")) as engine:
        assert (await engine.get("/x.xml")).body == b"<r>data</r>"


async def test_entities(folder: Path) -> None:
    sheet = f"xslt_stylesheet {folder}/c.xsl;"
    (folder / "k").write_text("<!DOCTYPE r><r>&known;</r>")
    (folder / "s").write_text(f'<!DOCTYPE r [<!ENTITY s SYSTEM "file://{folder}/secret">]><r>&s;</r>')
    async with serving(conf(folder, f"xml_entities {folder}/e.dtd; {sheet}")) as engine:
        assert b"from the dtd" in (await engine.get("/k")).body
        assert b"hidden" not in (await engine.get("/s")).body
        assert any("[warn]" in line and "external entity ignored" in line for line in engine.log.lines)
        (folder / "n").write_text(f'<!DOCTYPE r SYSTEM "file://{folder}/secret"><r>&known;</r>')
        assert b"from the dtd" in (await engine.get("/n")).body
    async with serving(conf(folder, f"xml_external_entities on; {sheet}")) as engine:
        assert b"hidden" in (await engine.get("/s")).body
        assert (await engine.get("/k")).status == 500


@pytest.mark.parametrize("text", ["<r>", "no xml", "", "<r>" + "&#0;" + "</r>"])
async def test_what_is_no_xml(folder: Path, text: str) -> None:
    (folder / "x.xml").write_text(text)
    async with serving(conf(folder, f"xslt_stylesheet {folder}/c.xsl;")) as engine:
        assert (await engine.get("/x.xml")).status == 500


async def test_an_expression_that_is_none(folder: Path) -> None:
    async with serving(conf(folder, f"xslt_stylesheet {folder}/p.xsl a=$arg_a;")) as engine:
        assert (await engine.get("/x.xml?a=((")).status == 500
        assert any("xsltApplyStylesheet() failed" in line for line in engine.log.lines)


async def test_billions_of_laughs(folder: Path) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    (folder / "x.xml").write_text(f"<!DOCTYPE r [{entities}]><r>&l11;</r>")
    async with serving(conf(folder, f"xslt_stylesheet {folder}/c.xsl;")) as engine:
        assert (await engine.get("/x.xml")).status == 500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xslt_stylesheet /none.xsl;", 'xsltParseStylesheetFile("/none.xsl") failed'),
        ("xml_entities /none.dtd;", "xmlParseDTD() failed"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"server {{ location / {{ {text} }} }}")
    assert str(caught.value).startswith(message)
