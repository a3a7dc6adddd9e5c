"""explain tells the truth: what it says of a request is what nginx says that it does with it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from gateway.dev.explain.command import explain
from gateway.dev.explain.question import ask
from tests.conformance.explained import Case, Recorder, Truth, make, make_site, of_debug_log
from tests.conformance.reference import NGINX, fetch, free_port

# The whole, 40 configurations, is asked for by number: EXPLAIN_SEEDS=0-39.
_FIRST, _, _LAST = os.environ.get("EXPLAIN_SEEDS", "0-5").partition("-")
SEEDS = range(int(_FIRST), int(_LAST) + 1)
_BINARY = os.environ.get("EXPLAIN_NGINX", NGINX)


def _debugs() -> bool:
    if _BINARY is None:
        return False
    said = subprocess.run([_BINARY, "-V"], capture_output=True, text=True, check=False)
    return "--with-debug" in said.stderr


pytestmark = pytest.mark.skipif(not _debugs(), reason="needs an nginx that was built with --with-debug")


@pytest.mark.parametrize("seed", SEEDS)
def test_what_nginx_does(seed: int, tmp_path: Path) -> None:
    site = tmp_path / "site"
    make_site(site)
    tmp_path.chmod(0o755)
    recorder = Recorder(tmp_path)
    port = free_port()
    case = make(seed, site, recorder, port)
    wrong = []
    for (method, target, host), truth in zip(case.requests, _nginx(case, tmp_path, recorder, port), strict=True):
        told = _told(tmp_path / "nginx.conf", method, target, host, port)
        if told != truth:
            wrong.append(f"{method} {target} {host}\n  nginx:   {truth}\n  explain: {told}")
    assert not wrong, f"{case.http}\n" + "\n".join(wrong)


def _nginx(case: Case, folder: Path, recorder: Recorder, port: int) -> list[Truth]:
    """Ask nginx one after the other, and read what it wrote meanwhile."""
    log = folder / "error.log"
    temporary = "".join(f"{n}_temp_path {folder}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {log} debug;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{case.http}\n}}\n"
    )
    command = [str(_BINARY), "-e", str(log), "-c", f"{folder}/nginx.conf", "-p", f"{folder}/"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    truths = []
    try:
        with recorder.listening():
            _wait(port, process)
            for method, target, host in case.requests:
                recorder.taken()
                at = log.stat().st_size
                head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: curl/8\r\nAccept: */*\r\n"
                answer = fetch(port, head.encode() + b"Connection: close\r\n\r\n")
                status = int(answer[9:12])
                with open(log, "rb") as lines:
                    lines.seek(at)
                    text = lines.read().decode(errors="replace")
                truths.append(_clean(of_debug_log(text, status, recorder.taken())))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
    return truths


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    from tests.conformance.reference import _wait_for

    _wait_for(port, process)


def _told(conf: Path, method: str, target: str, host: str, port: int) -> Truth:
    question = ask([method, f"http://{host}:{port}{target}"], ["Connection: close"], "127.0.0.1")
    findings = explain(question, str(conf), str(conf.parent))
    locations = [_as_nginx(finding.data["location"]) for finding in findings.of("location")]
    files = [finding.data["path"] for finding in findings.of("file") if "path" in finding.data]
    packets = [
        (finding.data["line"], sorted((name, value) for name, value in finding.data["parameters"]))
        for finding in findings.of("upstream")
    ]
    (answer,) = findings.of("answer")
    return _clean(Truth(answer.data["status"], locations, files[-1] if files else None, packets))


def _as_nginx(name: str) -> str:
    """nginx's debug log has the name behind a sign of its own: = for exact, * for what has no name."""
    words = name.removeprefix("location ").split(" ", 1)
    if name == "the server itself":
        return ""
    if len(words) == 2:
        return f"={words[1]}" if words[0] == "=" else words[1]
    return words[0]


def _clean(truth: Truth) -> Truth:
    """Named locations are no choice of nginx's, which tells them otherwise; a file of a redirect is asked for twice."""
    truth.locations = [name for name in truth.locations if not name.startswith("@")]
    return truth
