"""A request that took place, explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway._fast.http1 import parse_head
from gateway._fast.ring_writer import front_of
from gateway.cli import main
from gateway.core.ring import Ring
from gateway.dev.explain.command import explain_past
from gateway.dev.explain.past import NotKept, Past
from gateway.modules.http.request_history_record import TAG_NOTES, TAG_UPSTREAM, UPSTREAM
from tests.dev.explain.told import one, texts

ENTRY = {
    "id": "5f" * 16, "time": "1795761484.718", "client": "10.1.2.3", "method": "POST", "uri": "/api/x?a=1",
    "scheme": "http", "host": "a.example", "port": "8080", "status": "502", "seconds": "0.005",
    "upstream": "127.0.0.1:9", "upstream_status": "502", "location": "/api (nginx.conf:1)",
    "asked": [["Host", "a.example:8080"], ["Cookie", "sid=****"], ["Content-Length", "0"]],
    "notes": ["[error] connect() failed (111: Connection refused)"],
}  # fmt: skip


def _put(ring: Ring, entry: dict[str, Any]) -> None:
    """Write what a worker would have."""
    writer = ring.writer()
    method, uri = entry["method"], entry["uri"]
    fields = "".join(f"{name}: {value}\r\n" for name, value in entry["asked"])
    head = parse_head(f"{method} {uri} HTTP/1.1\r\n{fields}\r\n".encode())
    assert head is not None
    writer.begin(
        float(entry["time"]), float(entry["seconds"]), 0, -1, int(entry["status"]), int(entry["port"]), 11, True,
        entry["id"].encode(), front_of(entry["location"].encode(), b""), entry["scheme"].encode(),
        entry["client"].encode(), None,
    )  # fmt: skip
    writer.tag(TAG_UPSTREAM)
    for key in UPSTREAM:
        writer.text(entry.get(key, "").encode(), 100)
    writer.tag(TAG_NOTES)
    writer.text("\n".join(entry["notes"]).encode(), 1000)
    writer.head(head, method.encode())
    writer.end()


def _conf(folder: Path, location: str = "/api") -> str:
    conf = folder / "nginx.conf"
    conf.write_text(
        f"events {{}} http {{ request_history {folder}/ring requests=5; server {{ listen 8080; server_name a.example;\n"
        f"location {location} {{ proxy_pass http://127.0.0.1:9; }} location / {{ return 204; }} }} }}"
    )
    ring = Ring.make(f"{folder}/ring", 5, 4096)
    _put(ring, ENTRY)
    ring.writer().put(b"not whole {")
    return str(conf)


def test_it_is_asked_again(tmp_path: Path) -> None:
    question, findings = explain_past(ENTRY["id"], _conf(tmp_path))  # type: ignore[arg-type]
    assert (question.method, question.url, question.client) == ("POST", "http://a.example:8080/api/x?a=1", "10.1.2.3")
    first = findings.all[0]
    assert (first.kind, first.data["status"]) == ("took place", "502")
    assert "error log: [error] connect() failed (111: Connection refused)" in first.details
    assert any(line.startswith("upstream: 127.0.0.1:9 (status 502") for line in first.details)
    assert ("Cookie", "sid=****") in one(findings, "upstream").data["parameters"]
    assert findings.of("differs") == []
    assert Ring.read_from(f"{tmp_path}/ring").last == 2  # nothing was written


@pytest.mark.parametrize(
    "declared", [["Content-Length", "5"], ["Content-Length", "900000"], ["Transfer-Encoding", "chunked"]]
)
def test_a_body_that_is_not_kept_is_made_up(tmp_path: Path, declared: list[str]) -> None:
    conf = _conf(tmp_path)
    entry = dict(ENTRY) | {"id": "ab" * 16, "asked": [["Host", "a.example:8080"], declared, ["Expect", "100-continue"]]}
    ring = Ring.make(f"{tmp_path}/ring", 5, 4096)
    _put(ring, entry)
    _, findings = explain_past("ab" * 16, conf)
    sent = one(findings, "upstream").data["parameters"]
    assert ("Content-Length", declared[1] if declared[0] == "Content-Length" else "0") in sent
    assert findings.of("differs") == []


def test_another_configuration(tmp_path: Path) -> None:
    _, findings = explain_past(ENTRY["id"], _conf(tmp_path, "/other"))  # type: ignore[arg-type]
    (text,) = texts(findings, "differs")
    assert text == "it ended in /api then, and would in location / now: the configuration has changed"


def test_who_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = _conf(tmp_path)
    with pytest.raises(NotKept, match="is not among the last 5 requests"):
        explain_past("00", conf)
    (tmp_path / "ring").unlink()
    with pytest.raises(NotKept, match="nothing can be read"):
        explain_past("00", conf)
    Path(conf).write_text("events {} http { server { listen 8080; } }")
    assert main(["explain", "-c", conf, "--id", "00"]) == 1
    assert "no requests are kept: request_history FILE;" in capsys.readouterr().err
    assert main(["explain", "-c", conf, "--id", "00", "/x"]) == 2


@pytest.mark.parametrize(
    ("protocol", "http"), [("HTTP/1.0", "1.1"), ("HTTP/1.1", "1.1"), ("HTTP/2.0", "2"), ("HTTP/3.0", "3")]
)
def test_what_it_came_over(protocol: str, http: str) -> None:
    assert Past({**ENTRY, "scheme": "https", "protocol": protocol}).question().http == http


def test_of_a_unix_socket() -> None:
    assert Past({**ENTRY, "client": "unix:", "port": ""}).question().client == "127.0.0.1"
