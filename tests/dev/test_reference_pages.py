from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from gateway.dev import reference, reference_pages


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference_pages.pages()


def test_a_page_for_each_directive(pages: dict[str, str]) -> None:
    for name in reference.names():
        text = pages[reference_pages.page(name)]
        assert text.startswith(f"# {name}\n")
        assert text.count("| State here | ") == len(reference.entries(name))
        assert f"[`{name}`]({reference_pages.page(name)})" in pages["index.md"]


def test_links_lead_to_pages(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            assert target in pages, f"{name}: {target}"


def test_what_a_page_says(pages: dict[str, str]) -> None:
    text = pages["limit_req_zone.md"]
    assert "limit_req_zone key zone=name:size rate=rate [sync];" in text
    assert "| Context | http |" in text
    assert "| Module | [nginx's http_limit_req](module-http_limit_req.md) |" in text
    assert "| State here | built; also takes `sync`, which open nginx does not |" in text
    assert "| Since | nginx 1.3.15 |" in pages["limit_req_status.md"]
    assert "| Default | `limit_req_status 503;` |" in pages["limit_req_status.md"]
    assert "| Default | `listen *:80;` or `listen *:8000;` |" in pages["listen.md"]
    assert "| Default | `proxy_buffers 8 4k;` or `proxy_buffers 8 8k;` |" in pages["proxy_buffers.md"]
    assert "| Default | `gzip_buffers 32 4k;` or `gzip_buffers 16 8k;` |" in pages["gzip_buffers.md"]
    assert "## nginx's stream_core" in pages["listen.md"]
    assert pages["index-directive.md"].startswith("# index\n")


def test_a_variable_leads_to_its_module(pages: dict[str, str]) -> None:
    both = "| Module | [http_core](module-http_core.md), [stream_core](module-stream_core.md) |"
    assert both in pages["variable-hostname.md"]
    assert "[realip](module-http_realip.md)" in pages["variable-realip_remote_addr.md"]
    assert "[acme](module-of-the-nginx-acme-module.md)" in pages["variable-acme_certificate.md"]
    bare = [name for name, text in pages.items() if name.startswith("variable-") and "| Module | [" not in text]
    assert bare == []


def test_no_page_lacks_a_word_that_the_directive_takes(pages: dict[str, str]) -> None:
    lacking = []
    for name in reference.names():
        for directive in reference.declared(name):
            setter = directive.set
            made_of = inspect.getclosurevars(setter).nonlocals if inspect.isfunction(setter) else {}
            for word in made_of.get("folded", ()):
                if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", pages[reference_pages.page(name)], re.I):
                    lacking.append((name, word))
    assert lacking == []


def test_modules(pages: dict[str, str]) -> None:
    text = pages["module-of-gateway.md"]
    assert "| [`py_content`](py_content.md) |" in text
    assert "accepted, without effect" in pages["module-nginx.md"]


def test_the_program_writes_them(tmp_path: Path, pages: dict[str, str]) -> None:
    assert reference_pages.main([str(tmp_path / "new")]) == 0
    assert {file.name for file in (tmp_path / "new").iterdir()} == set(pages)
