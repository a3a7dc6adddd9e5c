"""The nginx.conf that `gateway run` makes: complete in itself, and nginx takes it as it stands."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from gateway.dev.app_finder import Application

# `gateway run` reads these lines and prints them shorter.
LOG_FORMAT: Final = "$time_iso8601 $request_method $request_uri $status $body_bytes_sent $request_time"


def quoted(text: str) -> str:
    """A word of the configuration."""
    if text and not set(text) & set(" \t\"'\\;{}"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _own(name: str, indent: int) -> str:
    """The directives of one of the project's own conf files, without its comments; the first line is not indented."""
    lines = (files("gateway") / "conf" / name).read_text("utf-8").splitlines()
    return "\n".join(" " * indent + line for line in lines if line and not line.startswith("#")).strip()


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
    # Only files need types; the application says its own.
    types = f"    {_own('mime.types', 4)}\n    default_type application/octet-stream;\n\n" if static else ""
    return f"""\
# Made by: gateway run {application.spec}
# The application listens on the socket below, for example with
#   uwsgi --socket {socket_path} --master --processes {processes} --wsgi {application.spec}
#   gunicorn --bind unix:{socket_path} --protocol uwsgi --workers {processes} {application.spec}

events {{
    worker_connections 1024;
}}

http {{
{types}    log_format run '{LOG_FORMAT}';
    access_log /dev/stdout run;
    sendfile on;

    server {{
        listen 127.0.0.1:{port};
        server_name localhost;
        client_max_body_size 100m;
{locations}
        location / {{
            {_own("uwsgi_params", 12)}
            uwsgi_pass unix:{socket_path};
        }}
    }}
}}
"""

