"""Each rule finds what it is for, nothing where there is nothing, and its way out is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli import main
from gateway.config.parser import Source
from gateway.dev.check.command import check, edited, read
from gateway.dev.check.rule import RULES
from tests import rule_pages
from tests.dev.check.cases import CASES, load
from tests.dev.check.outside import nginx_takes

PAGE = " ".join((Path(__file__).resolve().parents[3] / "docs" / "tools.md").read_text().split())


def _ids(source: Source) -> set[str]:
    return {found.rule.id for found in check(source)}


def test_each_rule_has_cases() -> None:
    assert sorted(CASES) == sorted(RULES)
    assert all(bad and good for bad, good in CASES.values())
    assert all(rule.reason and rule.name for rule in RULES.values())


BAD = [(id, text) for id, (bad, _) in CASES.items() for text in bad]
GOOD = [(id, text) for id, (_, good) in CASES.items() for text in good]


@pytest.mark.parametrize(("id", "text"), BAD)
def test_it_is_found_and_mended(id: str, text: str, site: Path, tmp_path: Path) -> None:
    source = load(tmp_path, site, text)
    found = [each for each in check(source) if each.rule.id == id]
    assert found
    assert all(each.problem.where.file == str(tmp_path / "nginx.conf") for each in found)
    if not any(each.problem.edits for each in found):
        return
    changes = edited(found)
    assert changes
    for file, (_, after) in changes.items():
        Path(file).write_text(after)
    mended = read(str(tmp_path / "nginx.conf"), str(tmp_path))
    nginx_takes(tmp_path)
    assert id not in _ids(mended), (tmp_path / "nginx.conf").read_text()


def test_a_host_that_is_empty_over_http3(site: Path, tmp_path: Path) -> None:
    """$http_host is the field, which clients of HTTP/3 do not send."""
    text = "server { listen 8080; %s location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $http_host; } }"
    tls = f"ssl_certificate {site}/cert.pem; ssl_certificate_key {site}/key.pem;"
    for more, told in ((f"listen 8443 quic; {tls}", ", and it is empty over HTTP/3;"), ("", "client wrote; $host")):
        (found,) = (each for each in check(load(tmp_path, site, text % more)) if each.rule.id == "GW203")
        assert told in found.problem.text


def test_a_parameter_beside_those_of_another_block_is_left_to_the_user(site: Path, tmp_path: Path) -> None:
    """One in the location, and none of those around holds there: PHP would lack REQUEST_METHOD."""
    text = "server { listen 8080; include fastcgi_params; location ~ \\.php$ { fastcgi_pass 127.0.0.1:9000; } }"
    (found,) = (each for each in check(load(tmp_path, site, text)) if each.rule.id == "GW326")
    assert not found.problem.edits
    assert f"{tmp_path}/fastcgi_params:" in found.problem.text


def test_most_rules_bring_an_edit(site: Path, tmp_path: Path) -> None:
    """docs/tools.md says how many there are, and of how many an edit is proposed in some case."""
    ids = set()
    for number, (id, text) in enumerate(BAD):
        (tmp_path / str(number)).mkdir()
        found = check(load(tmp_path / str(number), site, text))
        ids |= {each.rule.id for each in found if each.rule.id == id and each.problem.edits}
    assert 2 * len(ids) > len(RULES)
    assert f"{len(RULES)} rules over a configuration that loads, each with a reason, {len(ids)} with an edit" in PAGE


@pytest.mark.parametrize(("id", "text"), GOOD)
def test_no_false_alarm(id: str, text: str, site: Path, tmp_path: Path) -> None:
    assert id not in _ids(load(tmp_path, site, text))


# Directives, and a host, that nginx does not know.
OWN = ("dashboard", "metrics", "api ", "site.org")


def test_all_edits_together(site: Path, tmp_path: Path) -> None:
    """A configuration with nearly all faults that edits mend: nginx takes what --fix makes, and none of them is left.
    Where two edits change one line the second one is made when --fix is run again."""
    servers = [
        text
        for _, text in BAD
        if text.startswith("server {") and not any(word in text for word in ("8443", "443;", ":80", *OWN))
    ]
    names = (text.replace("8080", f"127.0.0.1:{9000 + number}") for number, text in enumerate(servers))
    source = load(tmp_path, site, "\n".join(names))
    found = [each for each in check(source) if each.problem.edits]
    assert len({each.rule.id for each in found}) > 25
    for _ in range(2):
        for file, (_, after) in edited(found).items():
            Path(file).write_text(after)
        nginx_takes(tmp_path)
        found = [each for each in check(read(str(tmp_path / "nginx.conf"), str(tmp_path))) if each.problem.edits]
    assert found == []


def test_each_rule_has_its_page() -> None:
    """Not so: python -m tests.rule_pages"""
    folder = rule_pages.FOLDER
    assert {file.name: file.read_text() for file in folder.glob("*.md")} == rule_pages.pages()


def test_what_others_find_is_found_or_has_a_reason() -> None:
    for theirs in rule_pages.OTHERS.values():
        for name, said in theirs.items():
            assert set(said["rules"]) <= set(RULES), name
            assert said["rules"] or said["not"], name


def test_help_shows_a_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "gw101"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("GW101 alias-traversal (error)\n")
    assert RULES["GW101"].reason in " ".join(shown.split())
    assert main(["help", "GW999"]) == 2
