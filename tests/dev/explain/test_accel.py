"""accel: what an application's X-Accel-* fields do, by the engine that does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.dev.explain.command import explain
from gateway.dev.explain.findings import Finding, Findings
from gateway.dev.explain.question import ask
from tests.dev.explain.told import texts

_PASSES = {
    "proxy": "proxy_pass http://127.0.0.1:9;",
    "uwsgi": "uwsgi_pass 127.0.0.1:9;",
    "fastcgi": "fastcgi_pass 127.0.0.1:9;",
    "scgi": "scgi_pass 127.0.0.1:9;",
}


def _told(folder: Path, inside: str, *answer: str, method: str = "GET", server: str = "") -> Findings:
    (folder / "kept").mkdir(exist_ok=True)
    (folder / "kept/7.pdf").write_text("pdf")
    file = folder / "nginx.conf"
    file.write_text(
        "events {} http { types { application/pdf pdf; } server { listen 8080;\n"
        f"location / {{ {inside} }}\nlocation /protected/ {{ internal; alias {folder}/kept/; }}\n{server} }} }}"
    )
    return explain(ask([method, "/a"], [], "127.0.0.1", "", answer), str(file), str(folder))


def _accel(findings: Findings) -> Finding:
    (finding,) = findings.of("x-accel")
    return finding


@pytest.mark.parametrize("name", sorted(_PASSES))
def test_a_redirect_leads_to_the_file(tmp_path: Path, name: str) -> None:
    findings = _told(
        tmp_path,
        _PASSES[name],
        "X-Accel-Redirect: /protected/7.pdf",
        "Content-Type: text/plain",
        "X-Own: 1",
        method="POST",
    )
    finding = _accel(findings)
    assert finding.text == "X-Accel-Redirect: /protected/7.pdf: another location answers, to GET"
    assert finding.details == [
        "of the application's answer go on: Content-Type", "of it do not: its status, its body, X-Own",
    ]  # fmt: skip
    assert finding.data == {"field": "X-Accel-Redirect", "acts": True, "to": "/protected/7.pdf"}
    locations = texts(findings, "location")
    assert [text.partition(",")[0] for text in locations] == ["location /", "location /protected/"]
    assert any(f"{tmp_path}/kept/7.pdf" in text for text in texts(findings, "file"))
    (answer,) = findings.of("answer")
    assert answer.data["status"] == 200 and "Content-Type: text/plain" in answer.details
    assert "Content-Length: 3" in answer.details and "X-Own: 1" not in answer.details


def test_by_http2(tmp_path: Path) -> None:
    findings = _told(
        tmp_path, "grpc_pass grpc://127.0.0.1:9;", "X-Accel-Redirect: /protected/7.pdf", "X-Long: " + "v" * 500
    )
    assert _accel(findings).data["acts"]
    assert findings.of("answer")[0].data["status"] == 200


def test_the_type_that_is_made_up_is_said(tmp_path: Path) -> None:
    findings = _told(tmp_path, _PASSES["proxy"], "X-Accel-Redirect: /protected/7.pdf")
    assert "its Content-Type goes on" in _accel(findings).details[0]


def test_a_location_that_is_not_internal(tmp_path: Path) -> None:
    findings = _told(tmp_path, _PASSES["proxy"], "X-Accel-Redirect: /open/x", server="location /open/ { return 204; }")
    assert "location /open/ is not internal: a client may ask for it itself" in _accel(findings).details


def test_a_named_location_and_a_second_upstream(tmp_path: Path) -> None:
    """The second answers without the fields, so that it is no circle."""
    server = "location @other { proxy_pass http://127.0.0.1:8; }"
    findings = _told(tmp_path, _PASSES["uwsgi"], "X-Accel-Redirect: @other", server=server)
    assert _accel(findings).data["acts"]
    assert [finding.data["protocol"] for finding in findings.of("upstream")] == ["uwsgi", "http"]
    assert findings.of("answer")[0].data["status"] == 200


def test_an_unsafe_target(tmp_path: Path) -> None:
    findings = _told(tmp_path, _PASSES["proxy"], "X-Accel-Redirect: /protected/../../etc/passwd")
    assert _accel(findings).text.endswith("leads nowhere: 404")
    assert findings.of("answer")[0].data["status"] == 404


def test_one_that_is_ignored(tmp_path: Path) -> None:
    inside = f"{_PASSES['proxy']}\nproxy_ignore_headers X-Accel-Redirect;"
    findings = _told(tmp_path, inside, "X-Accel-Redirect: /protected/7.pdf")
    finding = _accel(findings)
    assert finding.text == "X-Accel-Redirect: /protected/7.pdf is ignored" and not finding.data["acts"]
    assert finding.where is not None and finding.where.line == 3
    assert [text.partition(",")[0] for text in texts(findings, "location")] == ["location /"]


@pytest.mark.parametrize(
    ("inside", "field", "words", "acts"),
    [
        ("", "X-Accel-Limit-Rate: 1000", "the client gets 1000 bytes a second", True),
        ("", "X-Accel-Limit-Rate: off", "as fast as it takes it", True),
        ("", "X-Accel-Limit-Rate: fast", "no number, no effect", False),
        ("", "X-Accel-Buffering: no", "goes to the client at once", True),
        ("", "X-Accel-Buffering: yes", "as it is configured", False),
        ("proxy_buffering off;", "X-Accel-Buffering: yes", "it is buffered", True),
        ("", "X-Accel-Buffering: perhaps", "neither yes nor no", False),
        ("", "X-Accel-Charset: koi8-r", "no effect without charset", False),
        ("charset utf-8;", "X-Accel-Charset: koi8-r", "in place of the one that is configured", True),
        ("", "X-Accel-Expires: 60", "no effect without proxy_cache", False),
        ("proxy_cache c;", "X-Accel-Expires: 60", "for so many seconds", True),
        ("proxy_cache c;", "X-Accel-Expires: @1", "until that time", True),
        ("proxy_cache c;", "X-Accel-Expires: 0", "is not kept", True),
    ],
)
def test_the_others(tmp_path: Path, inside: str, field: str, words: str, acts: bool) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(
        f"events {{}} http {{ proxy_cache_path {tmp_path}/cache keys_zone=c:1m; server {{ listen 8080;\n"
        f"location / {{ {_PASSES['proxy']} {inside} }} }} }}"
    )
    findings = explain(ask(["/a"], [], "127.0.0.1", "", [field]), str(file), str(tmp_path))
    finding = _accel(findings)
    assert words in finding.text and finding.data["acts"] is acts


def test_where_one_may_lead(tmp_path: Path) -> None:
    """Without --answer; error pages, which are internal as well, are not meant."""
    inner = "location /a/b/ { internal; proxy_pass http://127.0.0.1:8; }"
    server = f"location = /50x.html {{ internal; }} location /a/ {{ {inner} }}"
    findings = _told(tmp_path, _PASSES["proxy"], server=server)
    finding = _accel(findings)
    assert [detail.partition(" (")[0] for detail in finding.details] == ["location /protected/", "location /a/b/"]
    assert finding.details[0].endswith(f": alias {tmp_path}/kept/") and ":3)" in finding.details[0]
    assert not _told(tmp_path, "return 204;").of("x-accel")
