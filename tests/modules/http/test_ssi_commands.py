"""The commands of server side includes, in documents of one line each."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.engine import Engine, serving

ERROR = "[an error occurred while processing the directive]"


@asynccontextmanager
async def documents(folder: Path, pages: dict[str, str], inside: str = "") -> AsyncIterator[Engine]:
    """Serve these documents."""
    for name, page in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(page)
    text = f"""server {{ listen 127.0.0.1:80; root {folder}; types {{ }} default_type text/html; ssi on;
        location / {{ }}
        location = /args {{ return 200 "$args"; }}
        location = /missing {{ return 404; }}
        location = /empty {{ return 200 ""; }}
        location = /closed {{ return 444; }}
        {inside} }}"""
    async with serving(text) as engine:
        yield engine


async def render(folder: Path, page: str, inside: str = "", target: str = "/page") -> tuple[str, list[str]]:
    """What becomes of a document, and what the log says."""
    async with documents(folder, {"page": page}, inside) as engine:
        reply = await engine.get(target)
        assert reply.status == 200
        return reply.body.decode("latin-1"), [line for line in engine.log.lines if "[error]" in line]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        # echo
        ('<!--#echo var="arg_a" -->', "1"),
        ('<!--#echo var="nothing" -->', "(none)"),
        ('<!--#echo var="nothing" default="" -->|', "|"),
        ('<!--#echo var="nothing" default="<d>" -->', "&lt;d&gt;"),
        ('<!--#echo var="x" default="<" encoding="none" --><!--#echo var="x" default="<" -->', "<<"),
        ('<!--#echo var="x" default="<a b>" encoding="url" -->', "%3Ca%20b%3E"),
        # set, variables in values, quoting
        ('<!--#set var="V" value="$arg_a-${arg_a}2-$none." --><!--#echo var="v" -->', "1-12-."),
        ('<!--#set var="v" value="\\$a \\\\ \\x \\"" --><!--#echo var="v" encoding="none" -->', '$a \\ \\x "'),
        ('<!--#set var="v" value="1" --><!--#set var="v" value="$v$v" --><!--#echo var="v" -->', "11"),
        # if
        ('<!--#if expr="$arg_a" -->y<!--#else -->n<!--#endif -->', "y"),
        ('<!--#if expr="$arg_b" -->y<!--#else -->n<!--#endif -->', "n"),
        ('<!--#if expr="$arg_a = 1" -->y<!--#endif -->', "y"),
        ('<!--#if expr="$arg_a=1" -->y<!--#endif -->', "y"),
        ('<!--#if expr="$arg_a != 1" -->y<!--#elif expr="$arg_a" -->e<!--#else -->n<!--#endif -->', "e"),
        ('<!--#if expr="1" -->y<!--#elif expr="1" -->e<!--#else -->n<!--#endif -->|', "y|"),
        ('<!--#if expr="$arg_b" --><!--#if expr="1" -->x<!--#endif -->a<!--#endif -->', "a" + ERROR),
        ('<!--#if expr="ABC = abc" -->y<!--#endif -->', "y"),
        ('<!--#if expr="$uri = \\/page" -->y<!--#endif -->', "y"),
        ('<!--#if expr="$uri = /^.p(.)(?P<rest>.*)/" --><!--#echo var="1" -->,<!--#echo var="REST" -->', "a,ge"),
        ('<!--#if expr="$uri != /x/" -->y<!--#endif --><!--#echo var="1" -->', "y(none)"),
        ('<!--#if expr="$uri = /$arg_re/" -->y<!--#else -->n<!--#endif -->', "y"),
        # blocks and stubs
        ('<!--#block name="b" -->x<!--#echo var="y" default="z"--><!--#endblock -->|', "|"),
        ('<!--#block name="b" -->stub<!--#endblock --><!--#include virtual="/missing" stub="b" -->|', "stub|"),
        ('<!--#block name="b" -->stub<!--#endblock --><!--#include virtual="/empty" stub="b" -->|', "stub|"),
        ('<!--#block name="b" -->stub<!--#endblock --><!--#include virtual="/args?a" stub="b" -->|', "a|"),
        (
            '<!--#block name="b" -->s<!--#endblock --><!--#include virtual="/empty" stub="b" -->'
            '<!--#include virtual="/empty" stub="b" -->',
            "ss",
        ),
        # include
        ('[<!--#include virtual="/args?x=$arg_a&y" -->]', "[x=1&y]"),
        ('[<!--#include virtual="ar%67s?%20" -->]', "[%20]"),
        ('[<!--#include file="args?f" -->]', "[f]"),
        ('[<!--#include virtual="/args?w" wait="YES" -->]', "[w]"),
        ('<!--#include virtual="/args?v" set="s" -->[<!--#echo var="S" -->]', "[v]"),
        ('<!--#set var="s" value="0" --><!--#include virtual="/missing" set="s" --><!--#echo var="s" -->', "0"),
        ('<!--#include virtual="/empty" set="s" -->[<!--#echo var="s" -->]', "[]"),
        # config
        ('<!--#config timefmt="%s" --><!--#if expr="$date_gmt = /^[0-9]{10}/" -->y<!--#endif -->', "y"),
        ('<!--#config timefmt="%Z" --><!--#echo var="date_gmt" -->', "GMT"),
        ('<!--#config errmsg="oh" --><!--#nothing -->', "oh"),
    ],
)
async def test_commands(tmp_path: Path, page: str, expected: str) -> None:
    body, _ = await render(tmp_path, page, target="/page?a=1&re=^/p")
    assert body == expected


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<!--#nothing -->", 'invalid SSI command: "nothing"'),
        ("<!--#echo -->", 'mandatory "var" parameter is absent in "echo" SSI command'),
        ('<!--#echo var="a" var="b" -->', 'duplicate "var" parameter in "echo" SSI command'),
        ('<!--#echo vär="a" -->', 'invalid parameter name: "vär" in "echo" SSI command'),
        ("<!--#else -->", 'invalid context of SSI command: "else"'),
        ("<!--#endif -->", 'invalid context of SSI command: "endif"'),
        ("<!--#echo" + ' var="a"' * 17 + " -->", 'too many SSI command parameters: "echo"'),
        ("<!--#echo x -->", 'unexpected "-" symbol after "x" parameter in "echo" SSI command'),
        ('<!--#set var="a" value="$" -->', 'invalid variable name in "$"'),
        ('<!--#set var="a" value="${" -->', 'invalid variable name in "${"'),
        ('<!--#set var="a" value="$-" -->', 'invalid variable name in "$-"'),
        ('<!--#set var="a" value="${b" -->', 'the closing bracket in "b" variable is missing'),
        ('<!--#if expr="a ~ b" --><!--#endif -->', 'invalid expression in "a ~ b"'),
        ('<!--#if expr="a = /b" --><!--#endif -->', 'invalid expression in "a = /b"'),
        ('<!--#if expr="a = /(/" --><!--#endif -->', 'missing closing parenthesis in "("'),
        ("<!--#include -->", 'no parameter in "include" SSI command'),
        ('<!--#include virtual="a" file="b" -->', 'inclusion may be either virtual="a" or file="b"'),
        ('<!--#include file="b" wait="yes" -->', '"wait" cannot be used with file="b"'),
        ('<!--#include virtual="b" wait="oui" -->', 'invalid value "oui" in the "wait" parameter'),
        ('<!--#include virtual="b" set="x" stub="y" -->', '"set" and "stub" cannot be used together in "include" SSI'),
        ('<!--#include virtual="b" stub="y" -->', '"stub"="y" for "include" not found'),
        ('<!--#include virtual="/../b" -->', 'unsafe URI "/../b" was detected'),
    ],
)
async def test_mistakes(tmp_path: Path, page: str, message: str) -> None:
    body, lines = await render(tmp_path, page + "|")
    assert body.startswith(ERROR)
    assert [line for line in lines if message in line.encode("latin-1").decode("utf-8", "replace")]


async def test_a_mistake_that_is_only_logged(tmp_path: Path) -> None:
    body, lines = await render(tmp_path, '<!--#echo var="uri" encoding="rot13" -->')
    assert body == "/page"
    assert [line for line in lines if 'unknown encoding "rot13" in the "echo" command' in line]
    assert (await render(tmp_path, "<!--#nothing -->|", "ssi_silent_errors on;"))[0] == "|"


async def test_an_if_within_an_if(tmp_path: Path) -> None:
    body, lines = await render(tmp_path, '<!--#if expr="1" --><!--#if expr="1" -->a<!--#endif -->b')
    assert body == ERROR + "ab"
    assert [line for line in lines if 'the "if" command inside the "if" command' in line]


async def test_documents_share_variables_and_blocks(tmp_path: Path) -> None:
    pages = {
        "page": '<!--#include virtual="/sets" wait="yes" --><!--#echo var="v" --><!--#include virtual="/uses" -->',
        "sets": '<!--#set var="v" value="set" --><!--#block name="b" -->stub<!--#endblock -->',
        "uses": '<!--#echo var="v" --><!--#include virtual="/empty" stub="b" -->',
    }
    async with documents(tmp_path, pages) as engine:
        assert (await engine.get("/page")).body == b"setsetstub"


async def test_nested_in_memory(tmp_path: Path) -> None:
    page = '<!--#include virtual="/in" set="v" --><!--#echo var="v" -->'
    pages = {"page": page, "in": '<!--#include virtual="/x" -->'}
    async with documents(tmp_path, pages) as engine:
        assert (await engine.get("/page")).body == ERROR.encode()
        assert [line for line in engine.log.lines if 'nested in-memory subrequest "/x"' in line]


async def test_dates_without_a_document() -> None:
    text = 'server { listen 127.0.0.1:80; location / { return 200 "$date_gmt|$date_local"; } }'
    async with serving(text) as engine:
        body = (await engine.get("/")).body
    assert re.fullmatch(rb"\w+, \d\d-\w+-\d{4} \d\d:\d\d:\d\d GMT\|\w+, \d\d-\w+-\d{4} \d\d:\d\d:\d\d [-+\w]+", body)
