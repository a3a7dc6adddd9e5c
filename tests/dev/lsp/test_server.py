"""The language server as an editor has it, over standard input and output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.dev.lsp.server import path_of
from tests.dev.lsp.editor import ROOT, Editor, editor

MAIN = """events {} worker_processes auto;
http {
    include conf.d/*.conf;
    upstream app { server 127.0.0.1:3031; }
    limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/s;
    map $http_upgrade $connection_upgrade { default upgrade; }
    server {
        listen 127.0.0.1:8080;
        location / { uwsgi_pass app; include uwsgi_params; error_page 404 @lost; limit_req zone=slow burst=9 nodelay; }
        location @lost { return 204; }
    }
}
"""
OTHER = """server {
    listen 127.0.0.1:8080;
    server_name b.example;
    location / { return 200 ok; }
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.conf").write_text(OTHER)
    (tmp_path / "nginx.conf").write_text(MAIN)
    (tmp_path / "uwsgi_params").write_text((ROOT / "gateway" / "conf" / "uwsgi_params").read_text())
    return tmp_path


def words(found: list[dict[str, object]]) -> list[object]:
    return [each["label"] for each in found]


def test_the_edits_of_check_are_offered(folder: Path) -> None:
    listen = "listen 127.0.0.1:8080;"
    wrong = MAIN.replace(listen, f"{listen}\n        add_header X-A: $connection_upgrade;")
    with editor(folder) as vi:
        vi.open("nginx.conf", wrong)
        found = {each.get("code"): each for each in vi.told("nginx.conf")}
        document = {"uri": vi.uri("nginx.conf")}
        asked = {"textDocument": document, "range": found["GW804"]["range"], "context": {"diagnostics": []}}
        (action,) = vi.ask("textDocument/codeAction", **asked)
        assert action["kind"] == "quickfix" and action["title"].startswith("colon-in-field-name")
        (edit,) = action["edit"]["changes"][vi.uri("nginx.conf")]
        assert edit["newText"] == "        add_header X-A $connection_upgrade;\n"
        assert edit["range"]["start"] == {"line": 8, "character": 0} and edit["range"]["end"]["line"] == 9
        shown = vi.ask("textDocument/hover", **vi.at("nginx.conf", 8, 30))["contents"]["value"]
        assert "map $http_upgrade $connection_upgrade" in shown and "nginx.conf:6" in shown
        vi.change("nginx.conf", wrong + "# other\n")
        assert vi.ask("textDocument/codeAction", **asked) == []  # until it is looked at again


def test_mistakes_come_and_go_with_what_is_typed(folder: Path) -> None:
    with editor(folder) as vi:
        vi.open("nginx.conf", MAIN)
        assert vi.told("nginx.conf") == []
        vi.change("nginx.conf", MAIN.replace("uwsgi_pass app", "uwsgi_paas app"))
        (one,) = vi.told("nginx.conf")
        assert one["code"] == "GW001" and one["severity"] == 1 and one["source"] == "gateway"
        assert one["message"].startswith('unknown directive "uwsgi_paas"\ndid you mean "uwsgi_pass"?')
        assert one["range"] == {"start": {"line": 8, "character": 21}, "end": {"line": 8, "character": 31}}
        vi.change("nginx.conf", MAIN)
        assert vi.told("nginx.conf") == []


def test_a_file_that_is_included_is_read_in_its_place(folder: Path) -> None:
    """Its text as it is typed, in the block that includes it; mistakes of others are told there."""
    with editor(folder) as vi:
        vi.open("conf.d/b.conf", OTHER.replace("return 200 ok", "uwsgi_pass app; alias"))
        (one,) = vi.told("conf.d/b.conf")
        assert one["message"].startswith('invalid number of arguments in "alias" directive')
        vi.open("nginx.conf", MAIN.replace("upstream app", "upstreem app"))
        vi.until(lambda: any("upstreem" in each["message"] for each in vi.diagnostics.get("nginx.conf", [])))
        assert len(vi.diagnostics["conf.d/b.conf"]) == 1


def test_what_check_finds(folder: Path) -> None:
    with editor(folder) as vi:
        vi.open("nginx.conf", MAIN.replace("uwsgi_pass app;", "uwsgi_pass app; proxy_read_timeout 9s;"))
        found = vi.told("nginx.conf")
        assert [each["severity"] for each in found] == [2] and found[0]["code"].startswith("GW")


def test_a_file_that_stands_alone(tmp_path: Path) -> None:
    """Nothing includes it, and what it lacks for that reason is no mistake."""
    with editor(tmp_path) as vi:
        vi.open("site.conf", OTHER.replace("return 200 ok", "uwsgi_pass other.invalid:1; set $a $nobody_knows"))
        assert vi.told("site.conf") == []
        vi.change("site.conf", "proxy_set_header Host $host;\nproxy_pass http://nobody.invalid;\nproxy_pas x;\n")
        (one,) = vi.told("site.conf")
        assert 'did you mean "proxy_pass"?' in one["message"] and one["range"]["start"]["line"] == 2


def test_a_missing_semicolon_is_shown_where_it_is_missing(folder: Path) -> None:
    with editor(folder) as vi:
        vi.open("nginx.conf", MAIN.replace("listen 127.0.0.1:8080;", "listen 127.0.0.1:8080"))
        vi.until(lambda: bool(vi.diagnostics.get("nginx.conf")))
        first = vi.diagnostics["nginx.conf"][0]
        assert first["range"]["start"] == {"line": 7, "character": 29}
        assert first["relatedInformation"][0]["message"] == '";" is missing here'


def test_code_of_the_folder_is_not_run(folder: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    with editor(folder) as vi:
        vi.open("nginx.conf", MAIN.replace("include conf.d/*.conf;", f"py_path {folder}; py_import evil;"))
        (one,) = vi.told("nginx.conf")
        assert "an editor does not load it" in one["message"] and one["severity"] == 3
    assert not (folder / "ran").exists()


def test_what_a_directive_is(folder: Path) -> None:
    with editor(folder) as vi:
        vi.open("nginx.conf", MAIN)
        for line, character in ((8, 25), (8, 35)):  # its name, its argument
            shown = vi.ask("textDocument/hover", **vi.at("nginx.conf", line, character))["contents"]["value"]
            assert "uwsgi_pass [protocol://]address;" in shown
        assert vi.ask("textDocument/hover", **vi.at("nginx.conf", 1, 6)) is None


def test_what_is_offered(folder: Path) -> None:
    with editor(folder) as vi:

        def offered(text: str, name: str = "nginx.conf") -> list[object]:
            before, _, after = text.partition("|")
            lines = before.split("\n")
            vi.change(name, before + after)
            return words(vi.ask("textDocument/completion", **vi.at(name, len(lines) - 1, len(lines[-1]))))

        vi.open("nginx.conf", MAIN)
        vi.open("conf.d/b.conf", OTHER)
        found = offered(MAIN.replace("location / { ", "location / { |"))
        assert {"uwsgi_pass", "include", "proxy_pass"} <= set(found)
        assert not {"upstream", "events", "listen"} & set(found)
        found = offered(MAIN.replace("uwsgi_pass app;", "uwsgi_pass_|"))
        assert found == ["uwsgi_pass_header", "uwsgi_pass_request_body", "uwsgi_pass_request_headers"]
        assert offered(MAIN.replace("uwsgi_pass app", "uwsgi_pass |")) == ["app"]
        assert offered(MAIN.replace("error_page 404 @lost", "error_page 404 @|")) == ["@lost"]
        assert "$connection_upgrade" in offered(MAIN.replace("return 204", "return 200 $conn|"))
        assert offered(MAIN.replace("listen", "gzip |; listen")) == ["on", "off"]
        assert offered(MAIN.replace("conf.d/*.conf", "conf.d/|")) == ["conf.d/b.conf"]
        assert offered(MAIN.replace("default upgrade", "defa|")) == []  # data, no directives
        assert offered(MAIN.replace("listen", "# upst|\n listen")) == []
        inside = offered("serv|", "conf.d/b.conf")  # in http, since there it is included
        assert "server" in inside and "server_tokens" in inside and "server_name" not in inside


def test_the_way_to_what_is_named(folder: Path) -> None:
    with editor(folder) as vi:
        vi.open("nginx.conf", MAIN)

        def goes(line: int, word: str) -> list[tuple[str, int]]:
            at = vi.at("nginx.conf", line, MAIN.split("\n")[line].index(word) + 1)
            found = vi.ask("textDocument/definition", **at)
            return [(each["uri"].rpartition("/")[2], each["range"]["start"]["line"]) for each in found]

        assert goes(2, "conf.d") == [("b.conf", 0)]
        assert goes(8, "app;") == [("nginx.conf", 3)]
        assert goes(8, "@lost") == [("nginx.conf", 9)]
        assert goes(8, "zone=slow") == [("nginx.conf", 4)]
        vi.change("nginx.conf", MAIN.replace("return 204", "return 200 $connection_upgrade"))
        at = vi.at("nginx.conf", 9, 40)
        assert vi.ask("textDocument/definition", **at)[0]["range"]["start"]["line"] == 5


def test_the_outline_and_the_form(folder: Path) -> None:
    with editor(folder) as vi:
        vi.open("nginx.conf", MAIN)
        document = {"textDocument": {"uri": vi.uri("nginx.conf")}}
        _, http = vi.ask("textDocument/documentSymbol", **document)
        assert [each["name"] for each in http["children"]] == [
            "upstream app", "map $http_upgrade $connection_upgrade", "server",
        ]  # fmt: skip
        assert [each["name"] for each in http["children"][2]["children"]] == ["location /", "location @lost"]
        options = {"tabSize": 4, "insertSpaces": True}
        (edit,) = vi.ask("textDocument/formatting", **document, options=options)
        assert "upstream app {\n        server 127.0.0.1:3031;\n    }" in edit["newText"]
        vi.change("nginx.conf", edit["newText"])
        assert vi.ask("textDocument/formatting", **document, options=options) == []
        vi.change("nginx.conf", 'http { "')
        refused = vi.whole_answer("textDocument/formatting", **document, options=options)["error"]
        assert "unexpected end" in refused["message"]


def test_what_is_not_spoken(folder: Path) -> None:
    with editor(folder) as vi:
        assert vi.whole_answer("textDocument/rename", textDocument={"uri": vi.uri("x")})["error"]["code"] == -32601
        assert vi.whole_answer("nonsense")["error"]["code"] == -32601
        assert vi.whole_answer("textDocument/hover", **vi.at("x", 0, 0))["error"]["code"] == -32600
        assert "error" in vi.whole_answer("textDocument/hover")
        vi.open("nginx.conf", MAIN)
        assert vi.told("nginx.conf") == []  # and goes on


def test_it_ends_with_its_editor(folder: Path) -> None:
    made = Editor(folder)
    made.ask("initialize", capabilities={})
    assert made.process.stdin is not None and made.process.stdout is not None
    made.process.stdin.close()
    assert made.process.wait(60) == 1
    made.process.stdout.close()


def test_names_of_files() -> None:
    assert path_of("file:///a%20b/../c.conf") == "/c.conf"
    assert path_of("untitled:x") == "untitled:x"


NEOVIM = """
local id = vim.lsp.start_client({ name = "gateway", cmd = { %s, "-m", "gateway", "lsp" }, root_dir = "." })
vim.lsp.buf_attach_client(0, id)
vim.wait(50000, function() return #vim.diagnostic.get(0) > 0 end)
vim.fn.writefile(vim.split(vim.diagnostic.get(0)[1].message, "\\n"), "said")
"""


@pytest.mark.skipif(shutil.which("nvim") is None, reason="neovim is missing")
def test_neovim(folder: Path) -> None:
    """Somebody else's client."""
    (folder / "nginx.conf").write_text(MAIN.replace("uwsgi_pass app", "uwsgi_paas app"))
    (folder / "client.lua").write_text(NEOVIM % json.dumps(sys.executable))
    command = ["nvim", "--headless", "-u", "NONE", "-i", "NONE", "nginx.conf", "-c", "luafile client.lua", "-c", "qa!"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60, check=False)
    assert (folder / "said").exists(), done.stderr
    assert (folder / "said").read_text().startswith('unknown directive "uwsgi_paas"\ndid you mean "uwsgi_pass"?')
