"""gateway init: what an application needs on a server, an nginx.conf with HTTPS and a unit. Nothing is overwritten."""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.dev import app_commands, run_conf
from gateway.dev.app_finder import Application, NoApplication, find
from gateway.dev.run_conf import quoted

_EXAMPLES: Final = """\
examples:
  gateway init --domain example.org --email me@example.org     HTTPS by Let's Encrypt, renewed by itself
  gateway init app:app --domain example.org --certificate /etc/ssl/example.org
  gateway init                                                 HTTP alone, for behind something else
"""

_LETS_ENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
_DOMAIN: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.I)


class CannotWrite(Exception):
    """The reason, for the user."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    application: Application
    domains: list[str]
    email: str
    certificate: str
    static: list[tuple[str, Path]]
    processes: int
    user: str

    @property
    def name(self) -> str:
        """Of the unit and the folder of the socket."""
        folder = re.sub(r"[^a-z0-9-]+", "-", self.application.folder.name.lower()).strip("-")
        return folder or "app"

    @property
    def socket(self) -> str:
        return f"/run/{self.name}/app.sock"


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway init",
        description="Write nginx.conf and a systemd unit for an application on a server. Nothing is overwritten.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("app", nargs="?", metavar="APP", help="module:callable, module, or file.py")
    made.add_argument(
        "--domain", action="append", default=[], metavar="NAME", help="the site's name; more than one is fine"
    )
    made.add_argument("--email", default="", help="the certificate authority writes there when something is wrong")
    made.add_argument(
        "--certificate", default="", metavar="STEM", help="STEM.pem and STEM.key instead of Let's Encrypt"
    )
    made.add_argument("--static", action="append", default=[], metavar="/URL=DIR", help="serve DIR at /URL/")
    made.add_argument("--processes", type=int, default=2, metavar="N", help="of the application (%(default)s)")
    made.add_argument("--user", default="", help="who the application runs as (you)")
    made.add_argument("--print", dest="shown", action="store_true", help="print the files and write nothing")
    return made


def main(argv: Sequence[str]) -> int:
    """Exit codes: 0 written, 1 cannot be, 2 wrong use."""
    options = command_line().parse_args(argv)
    try:
        for domain in options.domain:
            if not _DOMAIN.fullmatch(domain):
                raise CannotWrite(f'"{domain}" is no domain name; it should look like example.org')
        wanted = Wanted(
            find(options.app, Path.cwd()),
            options.domain,
            options.email,
            options.certificate,
            [run_conf.static_location(spec, Path.cwd()) for spec in options.static],
            options.processes,
            options.user or getpass.getuser(),
        )
        files = {"nginx.conf": configuration(wanted), f"{wanted.name}.service": unit(wanted)}
        if options.shown:
            print("\n".join(f"# --- {name}\n{text}" for name, text in files.items()), end="")
            return 0
        for name in files:
            if Path(name).exists():
                raise CannotWrite(f"{name} is here already; move it away, or look at it with --print")
        for name, text in files.items():
            Path(name).write_text(text)
    except (CannotWrite, NoApplication, ValueError) as why:
        print(f"gateway init: {why}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"gateway init: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    print(_next(wanted, files))
    return 0


def _next(wanted: Wanted, files: dict[str, str]) -> str:
    return f"""\
wrote {" and ".join(files)}. Then, on the server:
  gateway check -c nginx.conf                                     what will hurt later
  sudo cp {wanted.name}.service /etc/systemd/system/ && sudo systemctl enable --now {wanted.name}
  sudo cp nginx.conf /etc/gateway/nginx.conf && sudo systemctl reload gateway"""


def configuration(wanted: Wanted) -> str:
    """The nginx.conf."""
    names = " ".join(wanted.domains) or "_"
    static = "".join(
        f"\n        location {quoted(url)} {{\n            alias {quoted(f'{path}/')};\n"
        "            expires 1h;\n        }\n"
        for url, path in wanted.static
    )
    if wanted.application.asgi:
        passed = run_conf.proxied(f"http://unix:{wanted.socket}", "$host")
        maps = "\n" + run_conf.UPGRADE
    else:
        passed = f"{run_conf.own('uwsgi_params', 12)}\n            uwsgi_pass unix:{wanted.socket};"
        maps = ""
    location = f"{static}\n        location / {{\n            {passed}\n        }}\n"
    if not wanted.domains:
        servers = f"""\
    server {{
        listen 80;
        server_name {names};
        client_max_body_size 20m;
{location}    }}
"""
    else:
        servers = f"""\
    server {{
        listen 80;
        server_name {names};

        location / {{
            return 301 https://$host$request_uri;
        }}
    }}

    server {{
        listen 443 ssl;
        http2 on;
        server_name {names};
        client_max_body_size 20m;

{_certificate(wanted)}
        ssl_session_cache shared:tls:10m;
{location}    }}
"""
    return f"""\
# Made by: gateway init {wanted.application.spec}

# Its group is that of the application's socket.
user www-data;
worker_processes auto;
pid /run/gateway.pid;
error_log /var/log/gateway/error.log;

events {{
    worker_connections 4096;
}}

http {{
{run_conf.mime_types().rstrip()}
{maps}    sendfile on;
    gzip on;
    gzip_types text/plain text/css application/javascript application/json image/svg+xml;
    access_log /var/log/gateway/access.log combined;
{_issuer(wanted)}
{servers}}}
"""


def _issuer(wanted: Wanted) -> str:
    if not wanted.domains or wanted.certificate:
        return ""
    contact = f"        contact {quoted('mailto:' + wanted.email)};\n" if wanted.email else ""
    return f"""
    acme_issuer letsencrypt {{
        uri {_LETS_ENCRYPT};
{contact}        state_path /var/lib/gateway/acme-letsencrypt;
        accept_terms_of_service;
    }}
"""


def _certificate(wanted: Wanted) -> str:
    if wanted.certificate:
        return (
            f"        ssl_certificate {quoted(wanted.certificate + '.pem')};\n"
            f"        ssl_certificate_key {quoted(wanted.certificate + '.key')};"
        )
    return (
        "        acme_certificate letsencrypt;\n"
        "        ssl_certificate $acme_certificate;\n"
        "        ssl_certificate_key $acme_certificate_key;\n"
        "        ssl_certificate_cache max=4;"
    )


def unit(wanted: Wanted) -> str:
    """A unit for systemd: the application in its app server, on the socket that nginx.conf names."""
    application = wanted.application
    kind = app_commands.available(application) or ("uvicorn" if application.asgi else "uWSGI")
    start = app_commands.for_unit(kind, application, wanted.socket, wanted.processes)
    return f"""\
# Made by: gateway init {application.spec}
[Unit]
Description={wanted.name}: {application.spec} in {kind}
After=network.target

[Service]
Type={"notify" if kind in ("uWSGI", "gunicorn") else "exec"}
NotifyAccess=all
User={wanted.user}
# gateway's workers reach the socket by this group.
Group=www-data
RuntimeDirectory={wanted.name}
WorkingDirectory={application.folder}
UMask=0007
ExecStart={start}
KillSignal=SIGTERM
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""
