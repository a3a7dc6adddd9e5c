"""gateway compat: what a configuration uses, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.config import known
from gateway.config.parser import parse
from gateway.dev.compat import uses

CONF = """
worker_processes 1;
events { accept_mutex on; }
http {
    tcp_nopush on;
    lua_package_path x;
    server { listen 8080; location / { return 200; nosuch; } set $a b; }
    map $a $b { include x; nosuch y; }
}
"""


def _states(text: str) -> dict[str, str]:
    return {one.name: one.state for one in uses(parse(text).statements.readable())}


def test_states() -> None:
    assert _states(CONF) == {
        "worker_processes": "done", "events": "done", "http": "done", "server": "done", "listen": "done",
        "location": "done", "return": "done", "set": "done", "map": "done",
        "accept_mutex": "no effect", "tcp_nopush": "no effect", "lua_package_path": "refused", "nosuch": "refused",
    }  # fmt: skip


def test_reasons() -> None:
    found = {one.name: one for one in uses(parse(CONF).statements.readable())}
    assert found["lua_package_path"].why == "Lua is not run"
    assert found["accept_mutex"].why == known.table()["accept_mutex"][0].no_effect
    assert [str(where) for where in found["nosuch"].places] == ["nginx.conf:7"]
    (misplaced,) = uses(parse("listen 80;").statements.readable())
    assert (misplaced.state, misplaced.why) == ("refused", "nginx does not allow it in main")


def test_what_stands_in_an_unknown_block_is_not_judged() -> None:
    text = "http { server { location / { if ($a) { return 204; } else { proxy_pass http://a; root /srv; } } } }"
    refused = {one.name: one.why for one in uses(parse(text).statements.readable()) if one.state == "refused"}
    assert list(refused) == ["else"] and refused["else"].startswith("there is no else: ")


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text("events {} http { server { listen 8080; } }")
    assert main(["compat", "-c", str(file)]) == 0
    assert capsys.readouterr().out == "4 directives: 4 done, 0 without effect here, 0 refused\n"
    assert main(["compat", "-c", str(file), "--all", "--json"]) == 0
    assert {each["name"] for each in json.loads(capsys.readouterr().out)} == {"events", "http", "server", "listen"}
    file.write_text("events {} http { pagespeed on; }")
    assert main(["compat", "-c", str(file)]) == 1
    assert (
        f"refused    pagespeed: pages are not rewritten; do it when they are built  ({file}:1)"
        in capsys.readouterr().out
    )
    file.write_text("events {} http {")
    assert main(["compat", "-c", str(file)]) == 1
    assert "read up to here: unexpected end of file" in capsys.readouterr().err


def test_csv_and_a_bug_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text("events {}\nhttp { server { listen 8080; set $token hunter2; server_name shop.acme.de; } }\n")
    assert main(["compat", "-c", str(conf), "--csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "state,name,module,why,place"
    assert f"done,listen,ngx_http_core_module,,{conf}:2" in rows
    assert main(["compat", "-c", str(conf), "--anonymize"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("# gateway ") and "hunter2" not in said and "shop.acme.de" in said
    assert main(["compat", "-c", str(conf), "--anonymize", "names"]) == 0
    assert "server_name host1.example;" in capsys.readouterr().out
    conf.write_text("events {}\nhttp { set $token hunter2 }\n")
    assert main(["compat", "-c", str(conf), "--anonymize"]) in (0, 1)
    said = capsys.readouterr().out
    assert "# GW005 in line 2\n" in said and "hunter2" not in said


# Known directives with words that are refused, and what is said of each.
WRONG = [
    ("server { listen 8080 http3; }", "listen", 'invalid parameter "http3"'),
    ("server { listen 8080; listen 8081 quick; }", "listen", 'invalid parameter "quick"'),
    ("upstream a { server 127.0.0.1:1 srun_id=x; } server { listen 8080; }", "server", 'invalid parameter "srun_id=x"'),
    ("sendfile yes; server { listen 8080; }", "sendfile", 'invalid value "yes" in "sendfile" directive'),
    ("server { listen 8080; client_max_body_size many; }", "client_max_body_size", '"client_max_body_size" directive'),
    ("server { listen 8080; return; }", "return", 'invalid number of arguments in "return" directive'),
    ("server { listen 8080; rewrite ^ /x lost; }", "rewrite", 'invalid parameter "lost"'),
    ("server { listen 8080; error_page 700 /x; }", "error_page", 'value "700" must be between'),
    ("server { listen 8080; return 200 ${nothing}; }", "return", 'unknown "nothing" variable'),
]


@pytest.mark.parametrize(("http", "name", "why"), WRONG)
def test_words_that_are_refused(
    http: str, name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(f"events {{}}\nhttp {{\n{http}\n}}\n")
    assert main(["compat", "-c", str(file)]) == 1
    first = capsys.readouterr().out.split("\n")[0]
    assert first.startswith(f"refused    {name}: ")
    assert why in first
    assert first.endswith(f"({file}:3)")


def test_all_that_is_refused_is_said_and_the_rest_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(
        "events {}\nhttp {\nserver {\nlisten 8080 http3;\nlisten 8081;\nlua_x y;\nsendfile yes;\n}\nserver {\n"
        "listen 8443 ssl;\nssl_certificate nowhere.pem;\nssl_certificate_key nowhere.pem;\nautoindex maybe;\n}\n}\n"
    )
    assert main(["compat", "-c", str(file), "--all", "--json"]) == 1
    said = [(each["state"], each["name"], each["places"]) for each in json.loads(capsys.readouterr().out)]
    assert sorted(each for each in said if each[0] == "refused") == [
        ("refused", "autoindex", [f"{file}:13"]),
        ("refused", "listen", [f"{file}:4"]),
        ("refused", "lua_x", [f"{file}:6"]),
        ("refused", "sendfile", [f"{file}:7"]),
    ]
    assert ("done", "listen", [f"{file}:5", f"{file}:10"]) in said
    assert ("done", "ssl_certificate", [f"{file}:11"]) in said  # that the file is missing here says nothing
    assert not any(state == "done" and name in ("autoindex", "sendfile") for state, name, _ in said)


def test_code_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ran.py").write_text("raise SystemExit(7)")
    file = tmp_path / "nginx.conf"
    file.write_text("events {}\nhttp { py_import ran; server { listen 8080; } }\n")
    main(["compat", "-c", str(file)])
