from __future__ import annotations

from gateway.cli.options import CommandLine, parse
from gateway.dev.verbs import NGINX_OPTIONS, VERBS


def test_nginxs_options_are_those_that_are_read() -> None:
    values = {"-s": "stop"}
    for letters, value, _ in NGINX_OPTIONS:
        line = parse([letters, values.get(letters, "x")] if value else [letters])
        assert line != CommandLine(), letters


def test_verbs_are_no_options() -> None:
    assert all(name.isalpha() and entry.what and entry.group for name, entry in VERBS.items())
