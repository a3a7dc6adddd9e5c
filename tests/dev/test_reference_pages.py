from __future__ import annotations

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


def test_modules(pages: dict[str, str]) -> None:
    text = pages["module-of-gateway.md"]
    assert "| [`py_content`](py_content.md) |" in text
    assert "accepted, without effect" in pages["module-nginx.md"]


def test_the_program_writes_them(tmp_path: Path, pages: dict[str, str]) -> None:
    assert reference_pages.main([str(tmp_path / "new")]) == 0
    assert {file.name for file in (tmp_path / "new").iterdir()} == set(pages)
