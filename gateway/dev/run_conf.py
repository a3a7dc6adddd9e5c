"""The nginx.conf that `gateway run`, `serve` and `proxy` make: complete in itself, and nginx takes it as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from gateway.dev.app_finder import Application

# `gateway run` reads these lines and prints them shorter.
LOG_FORMAT: Final = (
    "$time_iso8601 $request_method $request_uri $status $body_bytes_sent $request_time [$upstream_addr]"
)
# What only gateway knows stands behind it.
OWN_LOG_FORMAT: Final = f"{LOG_FORMAT} $request_location"

# Where `gateway run` shows what happens; no application will have this path.
DASHBOARD: Final = "/__gateway/"


def quoted(text: str) -> str:
    """A word of the configuration."""
    if text and not set(text) & set(" \t\"'\\;{}"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def own(name: str, indent: int) -> str:
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
        django = "; manage.py collectstatic makes the one of STATIC_ROOT" if (folder / "manage.py").exists() else ""
        raise ValueError(f"{target} is no folder{django}")
    if "$" in spec:
        raise ValueError(f'"{spec}": "$" begins a variable in a configuration and has no escape')
    return url.rstrip("/") + "/", target


@dataclass(frozen=True, slots=True)
class Place:
    """Where a made configuration listens."""

    host: str = "127.0.0.1"
    port: int = 8080
    names: str = "localhost"
    certificate: tuple[Path, Path] | None = None  # the chain and the key

    @property
    def address(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def lines(self) -> str:
        """The first lines of a server block."""
        if self.certificate is None:
            return f"listen {self.address};\n        server_name {self.names};"
        chain, key = (quoted(str(path)) for path in self.certificate)
        return f"""\
listen {self.address} ssl;
        http2 on;
        server_name {self.names};
        ssl_certificate {chain};
        ssl_certificate_key {key};
        error_page 497 =301 https://$host:$server_port$request_uri;"""


def mime_types() -> str:
    """A line that names the package's own table: 127 lines less to read."""
    table = quoted(str(files("gateway") / "conf" / "mime.types"))
    return f"    include {table};\n    default_type application/octet-stream;\n\n"


UPGRADE: Final = "    map $http_upgrade $connection_upgrade {\n        default upgrade;\n        '' '';\n    }\n\n"


def proxied(target: str, host: str = "$http_host") -> str:
    """What a location has that passes on to a server that speaks HTTP, WebSockets too.

    `$http_host` has the port, which a development server is not found without; on a server `$host` is what was checked.
    """
    return f"""\
proxy_pass {target};
            proxy_http_version 1.1;
            proxy_set_header Host {host};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;"""


def whole(comments: str, place: Place, body: str, *, http: str = "", log_format: str = LOG_FORMAT) -> str:
    """A file with one server; `body` is what stands in it, `http` what stands before."""
    return f"""\
{comments}
events {{
    worker_connections 1024;
}}

http {{
{http}    log_format run '{log_format}';
    access_log /dev/stdout run;
    sendfile on;

    server {{
        {place.lines()}
{body}    }}
}}
"""


def configuration(
    application: Application,
    socket_path: str,
    *,
    place: Place,
    static: list[tuple[str, Path]],
    processes: int,
    history: str = "",
    bodies: int = 0,
    more: str = "",
) -> str:
    """The text; it names the socket that the application has to listen on. `history` is for gateway alone: the file for
    the last requests, with `bodies` bytes of their bodies, which the pages below DASHBOARD show to this machine. `more`
    is for the server block, and changes what pages have in them, so that they must come as they are."""
    locations = "".join(
        f"\n        location {quoted(url)} {{\n            alias {quoted(f'{path}/')};\n        }}\n"
        for url, path in static
    )
    if history:
        locations += (
            f"\n        location {DASHBOARD} {{\n            dashboard replay=on;\n"
            "            allow 127.0.0.1;\n            allow ::1;\n            deny all;\n        }\n"
        )
    locations += more
    if application.asgi:
        passed = proxied(f"http://unix:{socket_path}")
        passed += '\n            proxy_set_header Accept-Encoding "";' if more else ""
        started = (
            f"#   uvicorn --uds {socket_path} --workers {processes} --forwarded-allow-ips '*' {application.spec}\n"
        )
    else:
        passed = f"{own('uwsgi_params', 12)}\n            uwsgi_pass unix:{socket_path};"
        passed += '\n            uwsgi_param HTTP_ACCEPT_ENCODING "";' if more else ""
        started = (
            f"#   uwsgi --socket {socket_path} --master --processes {processes} --wsgi {application.spec}\n"
            f"#   gunicorn --bind unix:{socket_path} --protocol uwsgi --workers {processes} {application.spec}\n"
        )
    comments = (
        f"# Made by: gateway run {application.spec}\n"
        f"# The application listens on the socket below, for example with\n{started}"
    )
    # Only files need types; the application says its own.
    size = f" body={bodies}" if bodies else ""
    kept = f"    request_history {quoted(history)}{size};\n" if history else ""
    http = (mime_types() if static else "") + (UPGRADE if application.asgi else "") + kept
    body = f"        client_max_body_size 100m;\n{locations}\n        location / {{\n            {passed}\n        }}\n"
    return whole(comments, place, body, http=http, log_format=OWN_LOG_FORMAT if history else LOG_FORMAT)
