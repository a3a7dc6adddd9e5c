"""Nothing is imported once a worker has given up its privileges: it may not be allowed to read it any more."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import certificates
from tests.ocsp_responder import Authority, pem_of
from tests.process.running import Running, free_port, until

h2 = pytest.importorskip("h2.connection")

IMPORTING = (sys.executable, str(Path(__file__).with_name("importing.py")))
CONF = """
%(user)s daemon off; pid nginx.pid; error_log error.log info; events { }
stream { server { listen 127.0.0.1:%(stream)d; proxy_pass 127.0.0.1:%(plain)d; } }
http {
    request_history requests.ring;
    access_log access.log; resolver 127.0.0.1:%(none)d; resolver_timeout 100ms; ssi_types *;
    limit_req_zone $uri zone=r:64k rate=1000r/s; limit_conn_zone $uri zone=c:64k;
    proxy_cache_path cache keys_zone=k:64k;
    upstream u { zone u 64k; server 127.0.0.1:%(plain)d; server 127.0.0.1:%(none)d backup; keepalive 2; }
    upstream names { zone names 64k; server localhost.example:80 resolve; server 127.0.0.1:%(plain)d backup; }
    gzip on; gzip_min_length 1; gzip_types *;
    server {
        listen 127.0.0.1:%(plain)d; http2 on; root %(folder)s; status_zone s;
        location / { sub_filter a b; sub_filter_types *; add_header X $time_iso8601; expires 1h; limit_conn c 9; }
        location /ssi { ssi on; charset utf-8; }
        location /limited { limit_req zone=r burst=5; try_files /file =404; }
        location /cached { proxy_cache k; proxy_cache_valid 1h; proxy_pass http://u/file; }
        location /named { proxy_pass http://$http_x/; }
        location /names { proxy_pass http://names/file; }
        location /dead { proxy_pass http://127.0.0.1:%(none)d; }
        location /closes { uwsgi_pass 127.0.0.1:%(tls)d; uwsgi_read_timeout 300ms; }
        location /tls { proxy_pass https://127.0.0.1:%(tls)d/file; proxy_ssl_server_name on; }
        location /wrong { proxy_pass https://127.0.0.1:%(plain)d/file; }
        location /auth { auth_basic x; auth_basic_user_file passwords; try_files /file =404; }
        location /status { stub_status; }
        location /api { api; }
        location /metrics { metrics; }
        location /gw/ { dashboard app=u=127.0.0.1:%(none)d; }
        location /mirrored { mirror /limited; try_files /file =404; }
        location /list/ { autoindex on; alias %(folder)s/; }
    }
    server {
        listen 127.0.0.1:%(tls)d ssl http2; root %(folder)s;
        ssl_certificate server.pem; ssl_certificate_key server.key; ssl_verify_client optional_no_ca;
        location / { add_header Y "$ssl_client_s_dn $ssl_client_fingerprint $ssl_client_escaped_cert $ssl_ciphers"; }
    }
}
"""
LOCATIONS = ["file", "limited", "cached", "named", "names", "dead", "closes", "tls", "wrong", "auth", "status"]
LOCATIONS += ["cached", "api/9/http", "mirrored", "ssi", "list/", "none", "ssi/x", "metrics", "gw/", "gw/requests"]


def _with_tls(port: int, folder: Path, protocol: str) -> None:
    """A request over TLS with a client's certificate; another one as HTTP/2; a handshake that fails."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(folder / "client.pem", folder / "client.key")
    context.set_alpn_protocols([protocol])
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as stream:
        if protocol == "h2":
            client = h2.H2Connection()
            client.initiate_connection()
            fields = [(":method", "GET"), (":scheme", "https"), (":path", "/file"), (":authority", "a")]
            client.send_headers(1, fields, True)
            stream.sendall(client.data_to_send())
            assert stream.recv(100)
        else:
            stream.sendall(b"GET /file HTTP/1.0\r\n\r\n")
            assert stream.recv(100).startswith(b"HTTP/1.1 200")


def _let_in(folder: Path) -> None:
    """Whoever the workers are."""
    folder.chmod(0o755)
    for parent in folder.parents:
        with contextlib.suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o011)


def test_of_a_worker_that_does_a_bit_of_everything(tmp_path: Path) -> None:
    _let_in(tmp_path)
    for stem in ("server", "client"):
        certificates.write(tmp_path, stem=stem)
    (tmp_path / "file").write_text("aaa <!--# echo var='uri' -->" * 50)
    (tmp_path / "ssi").mkdir()
    (tmp_path / "ssi" / "x").write_text('<!--# include virtual="/file" --> \xc3\xa9')
    (tmp_path / "passwords").write_text("a:$apr1$abc$9tJ.jXpkYdUgUzFJAfI2j0\nb:$6$abc$x\n")
    names = ("plain", "tls", "stream", "none")
    values: dict[str, Any] = {**dict(zip(names, [free_port() for _ in names], strict=True)), "folder": tmp_path}
    values["user"] = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(CONF % values)
    with Running(tmp_path, IMPORTING) as running:
        running.environment["IMPORTED"] = str(tmp_path / "imported")
        assert running.run("-t").stderr.count("[emerg]") == 0
        running.start()
        plain, tls, stream = (int(values[name]) for name in names[:3])
        until(lambda: "200" in _status(plain, "file"), "the first answer")
        for location in LOCATIONS:
            _status(plain, location, b"X: a.example:80\r\nAuthorization: Basic YTp4\r\nAccept-Encoding: gzip\r\n")
        _status(plain, "auth", b"Authorization: Basic Yjp4\r\n")
        for protocol in ("http/1.1", "h2"):
            _with_tls(tls, tmp_path, protocol)
        _status(tls, "plain")
        _status(stream, "file")
        running.send(signal.SIGUSR1)
        running.end()
        assert not [line for line in running.log.splitlines() if "Traceback" in line]
    imported = (tmp_path / "imported").read_text().split()
    assert not imported


def test_of_a_worker_that_asks_a_responder(tmp_path: Path) -> None:
    """`localhost` is looked up, and found; there nobody listens."""
    _let_in(tmp_path)
    authority = Authority()
    (tmp_path / "authority.pem").write_text(pem_of(authority.certificate))
    for stem in ("server", "client"):
        pem, key, _ = authority.issue(stem)
        (tmp_path / f"{stem}.pem").write_text(pem)
        (tmp_path / f"{stem}.key").write_text(key)
    port, nobody = free_port(), free_port()
    (tmp_path / "nginx.conf").write_text(
        f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid nginx.pid; error_log error.log info; events {{ }}"
        f" http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl;"
        " ssl_certificate server.pem; ssl_certificate_key server.key; ssl_verify_client on;"
        f" ssl_client_certificate authority.pem; ssl_ocsp leaf; ssl_ocsp_responder http://localhost:{nobody}/; }} }}"
    )
    with Running(tmp_path, IMPORTING) as running:
        running.environment["IMPORTED"] = str(tmp_path / "imported")
        running.start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as stream:
            stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert stream.recv(100).startswith(b"HTTP/1.1 400")
        running.end()
        assert "OCSP responder cannot be asked" in running.log and "Traceback" not in running.log
    assert not (tmp_path / "imported").read_text().split()


def _status(port: int, path: str, fields: bytes = b"") -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(10)
        client.sendall(b"GET /%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b\r\n" % (path.encode(), fields))
        data = b""
        with contextlib.suppress(ConnectionError):
            while more := client.recv(65536):
                data += more
        return data[:15].decode("latin-1")
