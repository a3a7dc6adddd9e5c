"""The nginx.conf that `gateway run` makes: complete in itself, and nginx takes it as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.dev.app_finder import Application

# Types of what a web application serves from its static folder, as nginx's own table groups them.
_TYPES: Final = (
    ("text/html", "html htm"), ("text/css", "css"), ("text/javascript", "js mjs"), ("application/json", "json map"),
    ("text/plain", "txt"), ("text/xml", "xml"), ("text/markdown", "md"), ("image/svg+xml", "svg"),
    ("image/png", "png"), ("image/jpeg", "jpeg jpg"), ("image/gif", "gif"), ("image/webp", "webp"),
    ("image/avif", "avif"), ("image/x-icon", "ico"), ("font/woff", "woff"), ("font/woff2", "woff2"),
    ("application/wasm", "wasm"), ("application/pdf", "pdf"), ("application/zip", "zip"), ("audio/mpeg", "mp3"),
    ("video/mp4", "mp4"), ("video/webm", "webm"), ("application/manifest+json", "webmanifest"),
)  # fmt: skip

# What PEP 3333 asks of a server, by nginx's names: the content of nginx's uwsgi_params.
_PARAMS: Final = (
    ("QUERY_STRING", "$query_string"), ("REQUEST_METHOD", "$request_method"), ("CONTENT_TYPE", "$content_type"),
    ("CONTENT_LENGTH", "$content_length"), ("REQUEST_URI", "$request_uri"), ("PATH_INFO", "$document_uri"),
    ("DOCUMENT_ROOT", "$document_root"), ("SERVER_PROTOCOL", "$server_protocol"),
    ("REQUEST_SCHEME", "$scheme"), ("HTTPS", "$https if_not_empty"), ("REMOTE_ADDR", "$remote_addr"),
    ("REMOTE_PORT", "$remote_port"), ("SERVER_PORT", "$server_port"), ("SERVER_NAME", "$server_name"),
)  # fmt: skip

# `gateway run` reads these lines and prints them shorter.
LOG_FORMAT: Final = "$time_iso8601 $request_method $request_uri $status $body_bytes_sent $request_time"


def quoted(text: str) -> str:
    """A word of the configuration."""
    if text and not set(text) & set(" \t\"'\\;{}"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def static_location(spec: str, folder: Path) -> tuple[str, Path]:
    """`/static=DIR` as (location, folder); ValueError if it is not that."""
    url, sign, path = spec.partition("=")
    if not sign or not url.startswith("/") or not path:
        raise ValueError(f'"{spec}" should look like /static=DIR')
    target = (folder / path).resolve()
    if not target.is_dir():
        raise ValueError(f"{target} is no folder")
    if "$" in spec:
        raise ValueError(f'"{spec}": "$" begins a variable in a configuration and has no escape')
    return url.rstrip("/") + "/", target


def configuration(
    application: Application, socket_path: str, *, port: int, static: list[tuple[str, Path]], processes: int
) -> str:
    """The text; it names the socket that the application has to listen on."""
    locations = "".join(
        f"\n        location {quoted(url)} {{\n            alias {quoted(f'{path}/')};\n        }}\n"
        for url, path in static
    )
    types = "\n".join(f"        {kind:<28}{extensions};" for kind, extensions in _TYPES)
    params = "\n".join(f"            uwsgi_param {name:<16}{value};" for name, value in _PARAMS)
    return f"""\
# Made by: gateway run {application.spec}
# The application listens on the socket below, for example with
#   uwsgi --socket {socket_path} --master --processes {processes} --wsgi {application.spec}
#   gunicorn --bind unix:{socket_path} --protocol uwsgi --workers {processes} {application.spec}

events {{
    worker_connections 1024;
}}

http {{
    types {{
{types}
    }}
    default_type application/octet-stream;

    log_format run '{LOG_FORMAT}';
    access_log /dev/stdout run;
    sendfile on;

    server {{
        listen 127.0.0.1:{port};
        server_name localhost;
        client_max_body_size 100m;
{locations}
        location / {{
{params}
            uwsgi_pass unix:{socket_path};
        }}
    }}
}}
"""

