"""What -v, -V and -h print."""

from __future__ import annotations

import re

import gateway
from gateway._fast.build import COMPILER, OPTIMIZED
from gateway.cli.options import parse
from gateway.cli.version import text


def test_version() -> None:
    assert text(parse(["-v"])) == f"gateway version: gateway/{gateway.__version__} (nginx/{gateway.NGINX_VERSION})\n"


def test_help_names_each_option() -> None:
    shown = text(parse(["-h"]))
    for letter in "?hvVtTqspecg":
        assert f"-{letter}" in shown


def test_configure() -> None:
    shown = text(parse(["-V"]))
    assert f"\ncompiled by {COMPILER}" in shown
    assert ("not optimized" in shown) is not OPTIMIZED
    assert "\nrunning with OpenSSL 3" in shown and "\ndeflate by " in shown
    (arguments,) = (line for line in shown.splitlines() if line.startswith("configure arguments: "))
    assert {"--with-mail", "--with-http_v2_module", "--with-stream_ssl_preread_module"} <= set(arguments.split())


def test_as_nginx() -> None:
    """By the expressions with which certbot's plugin for nginx reads it."""
    shown = text(parse(["-V"]), as_nginx=True)
    assert re.search(r"nginx version: ([^/]+)/([0-9\.]*)", shown, re.I)[2] == gateway.NGINX_VERSION  # type: ignore[index]
    assert re.search(r"TLS SNI support enabled", shown)
    assert re.search(r" --with-http_ssl_module", shown)
    assert re.search(r"built with OpenSSL ([^ ]+) ", shown)
    assert text(parse(["-v"]), as_nginx=True).startswith("nginx version: nginx/")
