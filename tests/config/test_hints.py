"""What was probably meant by a directive that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError, format_for_terminal
from gateway.core.logs import Log
from gateway.process.load import load
from gateway.process.options import resolve

SERVER = "events {}\nhttp {\n    server {\n        listen 127.0.0.1:1;\n        %s\n    }\n}\n"
LOCATION = SERVER % "location / { %s }"


def said(folder: Path, text: str) -> str:
    """What a terminal shows of a configuration that does not load."""
    file = folder / "nginx.conf"
    file.write_bytes(text.encode())
    with pytest.raises(ConfigError) as caught:
        load(resolve(conf_file=str(file), prefix=str(folder), test=True, quiet=True), Log())
    return "\n".join(format_for_terminal(each) for each in [caught.value, *caught.value.further])


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("proxy_pass localhost:8000;", 'begins with "http://" or "https://": proxy_pass http://localhost:8000;'),
        ("proxy_pass unix:/run/a.sock;", "proxy_pass http://unix:/run/a.sock;"),
        ("proxy_pass /run/a.sock;", "proxy_pass http://unix:/run/a.sock;"),
        ("proxy_pass uwsgi://127.0.0.1:1;", "to a server that speaks uwsgi it is: uwsgi_pass 127.0.0.1:1;"),
        ("uwsgi_pass /run/a.sock;", 'a path needs "unix:" in front: uwsgi_pass unix:/run/a.sock;'),
        ("uwsgi_pass http://127.0.0.1:1;", "uwsgi_pass 127.0.0.1:1; or, to an HTTP server, proxy_pass http://127.0.0.1:1;"),
        ("fastcgi_pass http://127.0.0.1:1;", "fastcgi_pass speaks fastcgi and takes no http://"),
        ("proxy_pass http://nobody.invalid;", '"nobody.invalid" is asked of DNS when the configuration is read'),
        ("client_max_body_size 10 M;", "no space stands before the unit: client_max_body_size 10m;"),
        ("client_max_body_size 10mb;", "client_max_body_size 10m;"),
        ("proxy_read_timeout 5 min;", "proxy_read_timeout 5m;"),
        ("proxy_read_timeout 60sec;", "one letter behind them, as 512k, 10m, 60s, 1h: proxy_read_timeout 60s;"),
        ("proxy_set_header Host=$host;", "a space stands between the name and its value: proxy_set_header Host $host;"),
        ("proxy_set_header X $hosst;", 'did you mean "$host"?'),
        ("proxy_set_header X $hosst;", "it is used here"),
        ("root ${WWW_ROOT};", "nginx does not read the environment"),
        ("proxy_set_header Connection $connection_upgrade;", "map $http_upgrade $connection_upgrade {"),
        ("root = /srv;", 'there is no "=" between a directive and its value: root /srv;'),
        ("try_files $uri;", "the last word is what happens when no file is there: try_files $uri =404;"),
        ("include uwsgi_parms;", "gateway has a uwsgi_params: include /"),
        ("include mime.typs;", 'did you mean "mime.types"?'),
        ("include none/x;", "there is no folder "),
        ("add_header X \u201ca b\u201d;", 'there is \u201c (U+201C) in it, which means nothing to nginx: write "'),
        ("gzip\u00a0on;", "a no-break space (U+00A0)"),
        ("return 200\uff1b", "there is \uff1b (U+FF1B) in it, which means nothing to nginx: write ;"),
        ("proxy_pass http:/run/a.sock;", "proxy_pass http://unix:/run/a.sock;"),
        ("proxy_pass http:127.0.0.1:8000;", "proxy_pass http://127.0.0.1:8000;"),
        ("resolver ::1;", "an IPv6 address stands in brackets: resolver [::1];"),
        ("resolver 2001:db8::1;", "an IPv6 address stands in brackets: resolver [2001:db8::1];"),
        ("rewrite ^/a$ /b [R=301,L];", "rewrite ^/a$ /b permanent;"),
        ("RewriteRule ^ index.php;", "this is Apache's, from a .htaccess"),
        ("if ($host == a) { return 204; }", 'one "=" compares: if ($a = b)'),
        ("if ($host = a && $uri = b) { return 204; }", "a condition has no && and no ||"),
        ("if($host = a) { return 204; }", "a space is missing: if ( … )"),
        ("if ($host = a) { return 204; } else { return 200; }", "there is no else"),
    ],
)
def test_in_a_location(tmp_path: Path, line: str, hint: str) -> None:
    (tmp_path / "mime.types").write_text("")
    (tmp_path / "uwsgi_temp").mkdir()
    assert hint in said(tmp_path, LOCATION % line)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("server_name {{ domain }};", "a template's {{ … }} is still in it"),
        ("location ~ ^/[0-9]{4}/ { return 200; }", "a pattern with braces needs quotes around it"),
        ("location { return 200; }", "a location needs its path: location / { … }"),
        ("listen http://127.0.0.1:1;", "listen takes an address and a port: listen 127.0.0.1:1;"),
        ("listen localhost:80:80;", "no second port as Docker does"),
        ("listen ${PORT};", "no variables are known before a request"),
        ("ssl on;", '"ssl on" is gone since nginx 1.25.1: listen 443 ssl;'),
        ("listen 127.0.0.1:2 ssl;", "the server needs ssl_certificate and ssl_certificate_key"),
        ("ssl_certificate C:/a.pem; ssl_certificate_key C:/a.key;", "this is a name of Windows'"),
        ("ssl_certificate /etc/none.pem; ssl_certificate_key /etc/none.key;", "there is no file /etc/none.pem"),
    ],
)
def test_in_a_server(tmp_path: Path, line: str, hint: str) -> None:
    text = SERVER % line
    if "ssl_certificate" in line:
        text = text.replace("listen 127.0.0.1:1;", "listen 127.0.0.1:1 ssl;")
    assert hint in said(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", '"events { }" has to stand beside'),
        ("http { }", '"events { }" has to stand beside'),
        ("<VirtualHost *:80>\n ServerName a\n</VirtualHost>\n", "this is Apache's configuration"),
        ("[uwsgi]\nsocket = 127.0.0.1:3031\n", "this is an ini file"),
        ("http:\n  server:\n    - listen: 80\n", "this looks like YAML"),
        ("a.example {\n    reverse_proxy localhost:1\n}\n", "this is a Caddyfile"),
    ],
)
def test_of_a_whole_file(tmp_path: Path, text: str, hint: str) -> None:
    assert hint in said(tmp_path, text)


def test_where_the_other_default_server_is(tmp_path: Path) -> None:
    servers = "server { listen 127.0.0.1:1 default_server; }\n" * 2
    shown = said(tmp_path, f"events {{}}\nhttp {{\n{servers}}}\n").splitlines()
    at = next(number for number, line in enumerate(shown) if line.endswith("the first one stands here"))
    assert shown[at - 1].startswith("    3 | ")


def test_nothing_is_said_where_nothing_is_known(tmp_path: Path) -> None:
    shown = said(tmp_path, LOCATION % "gzip maybe;")
    assert len(shown.splitlines()) == 4  # nginx's line, the source, the caret, the code
