"""explain tells the truth: what it says of a request is what nginx does with it, and what gateway itself does."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.dev.explain.command import explain
from gateway.dev.explain.question import Question, ask
from tests.certificates import write
from tests.conformance import explained_http2, explained_http3
from tests.conformance.explained import Asked, Case, Recorder, Truth, add_debug_log, kept, make, make_site, of_answer
from tests.conformance.explained_older import OF_NEWER, OLDEST, Version, comparable, may_be_asked, without_newer
from tests.conformance.explained_sites import APART, NAMES, make_files, mixed, site
from tests.conformance.reference import NGINX, free_port

# The whole, 321 configurations over three versions, is asked for by number: EXPLAIN_SEEDS=0-39.
_FIRST, _, _LAST = os.environ.get("EXPLAIN_SEEDS", "0-2").partition("-")
SEEDS = range(int(_FIRST), int(_LAST) + 1)
_OVER_HTTP2 = NAMES if "EXPLAIN_SEEDS" in os.environ else ("guards", "inherited", "passes", "single_page")
_APART = APART if "EXPLAIN_SEEDS" in os.environ else ("kept", "sso")
_BINARY = os.environ.get("EXPLAIN_NGINX", NGINX)
_ROOT = Path(__file__).resolve().parents[2]
_UNKNOWN = re.compile(r'\[emerg\] unknown "(\w+)" variable')
_REFUSED = re.compile(r"\[emerg\] (.*) in \S+:(\d+)")


def _version() -> Version:
    """Of an nginx that says what it does; () for none."""
    if _BINARY is None:
        return ()
    said = subprocess.run([_BINARY, "-V"], capture_output=True, text=True, check=False).stderr
    version = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, version.groups())) if version is not None and "--with-debug" in said else ()


VERSION = _version()
pytestmark = pytest.mark.skipif(VERSION < OLDEST, reason="needs an nginx of 1.22 or later, built with --with-debug")


@pytest.mark.parametrize("seed", SEEDS)
def test_small_ones_made_at_random(seed: int, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    make_site(folder)
    recorder, port = Recorder(tmp_path), free_port()
    _compare(make(seed, folder, recorder, port), tmp_path, recorder, port)


@pytest.mark.parametrize("name", NAMES)
def test_sites_as_people_write_them(name: str, tmp_path: Path) -> None:
    if OF_NEWER.get(name, OLDEST) > VERSION:
        pytest.skip("the nginx to compare with is too old")
    make_files(tmp_path)
    recorder, port = Recorder(tmp_path), free_port()
    _compare(site(name, tmp_path, recorder.paths, port), tmp_path, recorder, port)


@pytest.mark.skipif(VERSION < (1, 31, 0), reason="they use all of the language")
@pytest.mark.parametrize("http", ["1.1", "2", "3"])
@pytest.mark.parametrize("name", _APART)
def test_sites_apart_from_these(name: str, http: str, tmp_path: Path) -> None:
    make_files(tmp_path)
    recorder, port = Recorder(tmp_path), free_port()
    listen = "; http2 on" * (http == "2")
    if http == "3":
        pytest.importorskip("aioquic")
        chain, key = write(tmp_path, "localhost")
        listen = f" ssl; listen 127.0.0.1:{port} quic; ssl_certificate {chain}; ssl_certificate_key {key}"
    case = site(name, tmp_path, recorder.paths, port, listen)
    case = _of_many_streams(case) if http != "1.1" else case
    _compare(case, tmp_path, recorder, port, "https" if http == "3" else "http", http)


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_of_them_together(seed: int, tmp_path: Path) -> None:
    make_files(tmp_path)
    recorder, port = Recorder(tmp_path), free_port()
    _compare(mixed(seed, tmp_path, recorder.paths, port), tmp_path, recorder, port)


@pytest.mark.parametrize("name", ["single_page", "trust", "rails"])
def test_with_tls(name: str, tmp_path: Path) -> None:
    make_files(tmp_path)
    chain, key = write(tmp_path, "localhost")
    recorder, port = Recorder(tmp_path), free_port()
    listen = f" ssl; ssl_certificate {chain}; ssl_certificate_key {key}"
    _compare(site(name, tmp_path, recorder.paths, port, listen), tmp_path, recorder, port, "https")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", _OVER_HTTP2)
def test_over_http2(name: str, scheme: str, tmp_path: Path) -> None:
    make_files(tmp_path)
    chain, key = write(tmp_path, "localhost")
    recorder, port = Recorder(tmp_path), free_port()
    listen = " ssl" * (scheme == "https") + (" http2;" if VERSION < (1, 25, 1) else "; http2 on;")
    listen += f" ssl_certificate {chain}; ssl_certificate_key {key}" if scheme == "https" else ""
    case = site(name, tmp_path, recorder.paths, port, listen.removesuffix(";"))
    _compare(_of_many_streams(case), tmp_path, recorder, port, scheme, "2")


@pytest.mark.skipif(VERSION < (1, 25, 0), reason="HTTP/3 came with 1.25.0")
@pytest.mark.parametrize("name", _OVER_HTTP2)
def test_over_http3(name: str, tmp_path: Path) -> None:
    if OF_NEWER.get(name, OLDEST) > VERSION:
        pytest.skip("the nginx to compare with is too old")
    pytest.importorskip("aioquic")
    make_files(tmp_path)
    chain, key = write(tmp_path, "localhost")
    recorder, port = Recorder(tmp_path), free_port()
    listen = f" ssl; listen 127.0.0.1:{port} quic; ssl_certificate {chain}; ssl_certificate_key {key}"
    case = _of_many_streams(site(name, tmp_path, recorder.paths, port, listen))
    _compare(case, tmp_path, recorder, port, "https", "3")


def _of_many_streams(case: Case) -> Case:
    """Without how well a client compresses, and what goes on behind an answer's end, which no connection waits for."""
    case.http = re.sub(r"\bmirror [^;]*;", "", case.http.replace("$request_length", "-"))
    return case


def _compare(case: Case, folder: Path, recorder: Recorder, port: int, scheme: str = "http", http: str = "1.1") -> None:
    folder.chmod(0o755)
    _write(case, folder)
    questions = [_question(each, port, scheme, http) for each in case.requests if may_be_asked(each, VERSION)]
    theirs = _serve([str(_BINARY)], folder, recorder, port, questions)
    counts = [len(truth.packets) for truth in theirs]
    ours = _serve([sys.executable, "-m", "gateway"], folder, recorder, port, questions, counts)
    wrong = []
    for question, nginx, gateway in zip(questions, *_comparable(theirs, ours), strict=True):
        asked = f"{question.method} {question.url} {question.fields}\n"
        told = comparable(_told(folder / "nginx.conf", question, gateway.signature), VERSION)
        if told != nginx:
            wrong.append(asked + _difference(nginx, told, "explain"))
        if (gateway.status, gateway.fields, gateway.packets) != (nginx.status, nginx.fields, nginx.packets):
            wrong.append(asked + _difference(nginx, gateway, "gateway"))
    assert not wrong, f"{(folder / 'nginx.conf').read_text()}\n{len(wrong)} differ\n" + "\n".join(wrong)


def _comparable(*all_of_them: list[Truth]) -> list[list[Truth]]:
    return [[comparable(truth, VERSION) for truth in truths] for truths in all_of_them]


def _difference(nginx: Truth, other: Truth, name: str) -> str:
    lines = []
    for part in ("status", "fields", "packets", "locations", "file", "rewritten"):
        one, two = getattr(nginx, part), getattr(other, part)
        if one != two and (name == "explain" or part in ("status", "fields", "packets")):
            lines.append(f"  {part}\n    nginx:   {one}\n    {name}: {two}")
    return "\n".join([*lines, *nginx.complaints])


def _question(asked: Asked, port: int, scheme: str, http: str) -> Question:
    url = f"{scheme}://{asked.host}:{port}{asked.target}"
    fields = asked.fields if http in ("2", "3") else (*asked.fields, "Connection: close")
    return ask([asked.method, url], list(fields), "127.0.0.1", answer=asked.answer, http=http)


def _write(case: Case, folder: Path) -> None:
    """The configuration; parts that do not go together are left out, as nginx says it."""
    lines = [without_newer(line, VERSION) for line in case.http.splitlines()]
    temporary = "".join(f"{n}_temp_path {folder}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    head = (
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log debug;\n"
        f"events {{}}\nhttp {{ rewrite_log on; access_log off; {temporary}\n"
    )
    for _ in range(60):
        (folder / "nginx.conf").write_text(head + "\n".join(lines) + "\n}\n")
        command = [str(_BINARY), "-t", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", "-p", f"{folder}/"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode == 0:
            return
        unknown = _UNKNOWN.search(said.stderr)
        if unknown is not None:  # the part that sets it is not among them
            # one that says where a request goes: to the upstream, or a resolver is asked for a name that is none
            passed = any(re.search(rf"_pass [^;]*\${unknown[1]}\b", line) for line in lines)
            lines.insert(0, f'map "" ${unknown[1]} {{ default "{"app" if passed else "none"}"; }}')
            continue
        found = _REFUSED.search(said.stderr)
        assert found is not None, said.stderr
        at = int(found[2]) - 4  # the head has three lines
        assert lines[at].endswith(";"), (said.stderr, lines[at])
        del lines[at]
    raise AssertionError("nginx takes nothing of this configuration")


def _serve(
    command: list[str],
    folder: Path,
    recorder: Recorder,
    port: int,
    questions: list[Question],
    counts: Sequence[int] = (),
) -> list[Truth]:
    """Ask a server one after the other, and read what it wrote meanwhile; `counts`: of packets that each leads to."""
    log = folder / "error.log"
    log.write_bytes(b"")
    with _running(command, folder, port), recorder.listening():
        truths = []
        for number, question in enumerate(questions):
            recorder.taken()
            recorder.answer[:] = question.answer
            at = log.stat().st_size
            received = _fetch(port, question)
            if counts:
                recorder.wait_for(counts[number])
            while received.startswith(b"HTTP/1.1 100"):  # what comes before the answer
                received = received.partition(b"\r\n\r\n")[2]
            head = received.partition(b"\r\n\r\n")[0].decode(errors="backslashreplace")
            truth = of_answer(head, recorder.taken())
            if command[0] == _BINARY:
                with open(log, "rb") as lines:
                    lines.seek(at)
                    add_debug_log(truth, lines.read().decode(errors="backslashreplace"))
            truths.append(truth)
    return truths


@contextlib.contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    own = [*command, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", "-p", f"{folder}/"]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(own, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as process:
        try:
            for _ in range(600):
                assert process.poll() is None, process.communicate()[1].decode()
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=15)


def _fetch(port: int, question: Question) -> bytes:
    """The answer; nginx writes its log before it closes."""
    if question.http == "3":
        return explained_http3.asked(port, question)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        received = b""
        secured = _secured(plain, question) if question.scheme == "https" else contextlib.nullcontext(plain)
        with secured as connection, contextlib.suppress(ConnectionError):
            if question.http == "2":
                return explained_http2.asked(connection, question)
            connection.sendall(question.head() + b"".join(question.body()))
            while chunk := connection.recv(65536):
                received += chunk
        return received


def _secured(connection: socket.socket, question: Question) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"] if question.http == "2" else ["http/1.1"])
    return context.wrap_socket(connection, server_hostname=question.host)


def _told(conf: Path, question: Question, signature: bytes) -> Truth:
    findings = explain(question, str(conf), str(conf.parent))
    answer = findings.of("answer")[0]
    status = answer.data.get("status", 0)
    fields = kept(status, answer.details, signature)
    packets = [(each.data["line"], sorted(each.data["parameters"])) for each in findings.of("upstream")]
    files = [finding.data["path"] for finding in findings.of("file") if "path" in finding.data]
    # nginx's log does not name a location that it refuses because it is internal
    entered = [each for each in findings.of("location") if "refused" not in each.data]
    locations = [_as_nginx(finding.data["location"]) for finding in entered]
    rewritten = [each.data["became"] for each in findings.of("rewrite") if "became" in each.data]
    return Truth(status, fields, sorted(packets), signature, locations, files[-1] if files else None, rewritten)


def _as_nginx(name: str) -> str:
    """nginx's debug log has the name behind a sign of its own: = for exact, * for what has no name."""
    if name == "the server itself":
        return ""
    sign, _, rest = name.removeprefix("location ").partition(" ")
    if sign in ("=", "~", "~*", "^~"):
        return f"={rest}" if sign == "=" else rest
    return name.removeprefix("location ")
