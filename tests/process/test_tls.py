"""TLS of a gateway with several workers, as openssl's and Python's clients see it."""

from __future__ import annotations

import base64
import datetime
import http.server
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import certificates
from tests.ocsp_responder import NOW, Authority, pem_of
from tests.process.running import GATEWAY, Running, free_port, until

CONF = """
{user} {main} worker_processes {workers}; pid nginx.pid; error_log error.log info;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    ssl_certificate {chain}; ssl_certificate_key {key};
    {http}
    server {{
        listen 127.0.0.1:{port} ssl; keepalive_timeout 3600; ssl_early_data {early};
        {server}
        location / {{ return 200 "$pid $ssl_session_reused $ssl_early_data $ssl_protocol"; }}
    }}
}}
"""


class Site:
    def __init__(self, folder: Path, running: Running) -> None:
        self.running = running
        self.port = free_port()
        self.chain, self.key = certificates.write(folder)

    def start(self, http: str = "", server: str = "", workers: int = 1, early: str = "off", main: str = "") -> None:
        user = "user root;" if os.geteuid() == 0 else ""
        text = CONF.format(
            user=user, workers=workers, chain=self.chain, key=self.key, http=http, server=server, port=self.port,
            early=early, main=main,
        )  # fmt: skip
        (self.running.folder / "nginx.conf").write_text(text)
        self.running.start("-g", "daemon off;")
        until(lambda: len(self.running.workers) == workers, "the workers")

    def connect(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return context.wrap_socket(plain, server_hostname="localhost", session=session)

    def ask(
        self, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> tuple[int, str, ssl.SSLSession | None]:
        """The pid of the worker that answered, `r` if it knew the session, and the session to go on with."""
        with self.connect(context, session) as client:
            client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
            pid, reused = answer.rpartition(b"\r\n\r\n")[2].split()[:2]
            return int(pid), reused.decode(), client.session

    def s_client(self, *options: str, input: str) -> str:
        where = ("-connect", f"127.0.0.1:{self.port}", "-servername", "localhost")
        run = subprocess.run(
            ["openssl", "s_client", *where, *options], input=input, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
        return run.stdout + run.stderr


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Running(tmp_path, GATEWAY) as running:
        yield Site(tmp_path, running)


def client(version: ssl.TLSVersion, *, tickets: bool = True) -> ssl.SSLContext:
    context = certificates.client_context()
    context.minimum_version = context.maximum_version = version
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    return context


KINDS = {
    "tickets": (ssl.TLSVersion.TLSv1_3, "ssl_session_cache shared:tls:1m;"),
    "tickets-1.2": (ssl.TLSVersion.TLSv1_2, "ssl_session_cache shared:tls:1m;"),
    "cache": (ssl.TLSVersion.TLSv1_2, "ssl_session_cache shared:tls:1m; ssl_session_tickets off;"),
    "cache-1.3": (ssl.TLSVersion.TLSv1_3, "ssl_session_cache shared:tls:1m; ssl_session_tickets off;"),
    "key": (ssl.TLSVersion.TLSv1_3, "ssl_session_ticket_key tickets.key;"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_goes_on_at_another_worker(site: Site, kind: str) -> None:
    """And after a reload, whose workers are all new."""
    version, directives = KINDS[kind]
    (site.running.folder / "tickets.key").write_bytes(bytes(range(48)))
    site.start(directives, workers=3)
    context = client(version)
    first, reused, session = site.ask(context)
    assert reused == "."
    others: set[int] = set()
    deadline = time.monotonic() + 15
    while not others - {first} and time.monotonic() < deadline:
        pid, reused, renewed = site.ask(context, session)
        assert reused == "r"
        session = renewed or session  # TLS 1.3 gives a new one each time
        others.add(pid)
    assert others - {first}, "no other worker has accepted"
    old = site.running.workers
    site.running.send(signal.SIGHUP)
    until(lambda: len(site.running.workers) == 3 and not set(site.running.workers) & set(old), "the new workers")
    pid, reused, _ = site.ask(context, session)
    assert (pid in old, reused) == (False, "r")
    site.running.end()
    site.running.no_alerts()


@pytest.mark.parametrize("early", ["on", "off"])
def test_early_data(site: Site, early: str) -> None:
    """What a client sends with its hello is a request, and is told from others; where it is not wanted it waits."""
    session, request = site.running.folder / "session", site.running.folder / "request"
    request.write_bytes(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
    site.start("ssl_session_cache shared:tls:1m;", early=early)
    # the session comes with the answer
    first = site.s_client("-sess_out", str(session), "-ign_eof", input=request.read_text())
    assert re.search(r"\d+ \.  TLSv1\.3", first), first
    if early == "on":
        # twice: as with nginx it is for the application to refuse what must not be repeated ($ssl_early_data, 425)
        for _ in range(2):
            again = site.s_client("-sess_in", str(session), "-early_data", str(request), "-ign_eof", input="")
            assert "Early data was accepted" in again and re.search(r"\d+ r 1 TLSv1\.3", again), again
    else:
        again = site.s_client("-sess_in", str(session), "-ign_eof", input=request.read_text())
        assert re.search(r"\d+ r  TLSv1\.3", again), again
    site.running.end()


def test_handshakes_leave_nothing(site: Site) -> None:
    """Full ones, resumed ones, and such as break off: a worker is as large afterwards as after the first of them."""
    site.start("ssl_session_cache shared:tls:1m;")
    (worker,) = site.running.workers
    context = client(ssl.TLSVersion.TLSv1_3)

    def many() -> int:
        session = None
        for number in range(300):
            _, _, got = site.ask(context, session)
            session = got if number % 3 else None
            with socket.create_connection(("127.0.0.1", site.port)) as plain:
                plain.sendall(b"\x16\x03\x01\x02\x00" + os.urandom(number))
        status = Path(f"/proc/{worker}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0])

    many()
    sizes, descriptors = [many()], len(os.listdir(f"/proc/{worker}/fd"))
    for _ in range(4):  # what is lost is lost each time; an allocator's new arena comes once
        sizes.append(many())
        if sizes[-1] - sizes[-2] < 400:
            break
    else:
        pytest.fail(f"it grows: {sizes} KiB")
    until(lambda: len(os.listdir(f"/proc/{worker}/fd")) <= descriptors, "the last connections to be closed", 30)
    site.running.end()


def test_idle_connections(site: Site) -> None:
    """What one costs the worker after a request: 15 KiB with OpenSSL 3.0, 30 with 3.5; with buffers kept, 34 more."""
    count = 300
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1024:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1024), hard))
    site.start()
    (worker,) = site.running.workers

    def size() -> int:
        text = Path(f"/proc/{worker}/smaps_rollup").read_text()
        return int(re.findall(r"Pss:\s+(\d+)", text)[0])

    context = client(ssl.TLSVersion.TLSv1_3)
    site.ask(context)
    before = size()
    clients = [site.connect(context) for _ in range(count)]
    for one in clients:
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"TLSv1.3" in one.recv(4096)
    each = (size() - before) / count
    for one in clients:
        one.close()
    assert each < 45, f"{each:.1f} KiB"
    site.running.end()


@pytest.mark.parametrize("inheritable", ["on", "off"])
def test_a_certificate_replaced_on_disk_is_used_after_a_reload(site: Site, inheritable: str) -> None:
    """Unless it may be inherited and looks as before."""
    site.start(workers=2, main=f"ssl_object_cache_inheritable {inheritable};")

    def serial() -> int:
        with site.connect(client(ssl.TLSVersion.TLSv1_3)) as one:
            known = one.getpeercert()
            assert known is not None
            return int(str(known["serialNumber"]), 16)

    def renew() -> str:
        renewed = certificates.authority().issue_cert("localhost")
        site.chain.write_bytes(b"".join(blob.bytes() for blob in renewed.cert_chain_pems))
        site.key.write_bytes(renewed.private_key_pem.bytes())
        return renewed.private_key_pem.bytes().decode().splitlines()[2]

    def reload() -> None:
        old = site.running.workers
        site.running.send(signal.SIGHUP)
        until(lambda: len(site.running.workers) == 2 and not set(site.running.workers) & set(old), "the new workers")

    before = serial()
    times = [(file, file.stat()) for file in (site.chain, site.key)]
    secret = renew()
    for file, known in times:
        os.utime(file, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert serial() == before
    reload()
    assert (serial() == before) == (inheritable == "on")
    second = serial()
    secrets = [secret, renew()]
    for file, known in times:
        os.utime(file, (known.st_atime + 5, known.st_mtime + 5))
    reload()
    assert serial() not in (before, second)
    assert "PRIVATE KEY" not in site.running.log and not [one for one in secrets if one in site.running.log]
    site.running.end()


def test_ktls(site: Site) -> None:
    """`Options KTLS` is taken, as by nginx, and an answer is the same: what the kernel cannot seal OpenSSL does."""
    body = os.urandom(300_000)
    (site.running.folder / "big").write_bytes(body)
    site.start("sendfile on; ssl_conf_command Options KTLS;", f"location /big {{ root {site.running.folder}; }}")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with site.connect(client(version)) as one:
            one.sendall(b"GET /big HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = b"".join(iter(lambda: one.recv(65536), b""))
        assert answer.partition(b"\r\n\r\n")[2] == body
    site.running.end()
    site.running.no_alerts()


class Responder(http.server.BaseHTTPRequestHandler):
    """`openssl ocsp` on loopback, since by itself it listens everywhere."""

    def do_GET(self) -> None:
        folder: Path = self.server.folder  # type: ignore[attr-defined]
        (folder / "question").write_bytes(base64.b64decode(unquote(self.path[1:])))
        files = ["-index", "index", "-rsigner", "ca.pem", "-rkey", "ca.key", "-CA", "ca.pem", "-ndays", "1"]
        argv = ["openssl", "ocsp", *files, "-reqin", "question", "-respout", "answer"]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=10)
        answer = (folder / "answer").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/ocsp-response")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_stapling(site: Site) -> None:
    """`openssl s_client -status` sees what `openssl ocsp` has answered."""
    folder = site.running.folder
    authority = Authority()
    with http.server.HTTPServer(("127.0.0.1", 0), Responder) as server:
        server.folder = folder  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pem, key, made = authority.issue("localhost", f"http://127.0.0.1:{server.server_port}/")
        site.chain.write_text(pem + pem_of(authority.certificate))
        site.key.write_text(key)
        (folder / "ca.pem").write_text(pem_of(authority.certificate))
        secret = authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "ca.key").write_bytes(secret)
        ends = (NOW + datetime.timedelta(days=9)).strftime("%y%m%d%H%M%SZ")
        digits = f"{made.serial_number:X}"
        serial = digits.zfill(len(digits) + len(digits) % 2)
        (folder / "index").write_text(f"V\t{ends}\t\t{serial}\tunknown\t/CN=localhost\n")
        site.start(f"ssl_stapling on; ssl_stapling_verify on; ssl_trusted_certificate {folder}/ca.pem;")
        deadline = time.monotonic() + 20
        told = ""
        while "Cert Status: good" not in told and time.monotonic() < deadline:
            told = site.s_client("-status", input="")
        server.shutdown()
    assert "OCSP Response Status: successful" in told and "Cert Status: good" in told, told + site.running.log
    assert serial in told
    site.running.end()
    site.running.no_alerts()
