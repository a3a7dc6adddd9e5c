"""What -v, -V and -h print."""

from __future__ import annotations

import gateway
from gateway.cli.options import CommandLine

_USAGE = """\
Usage: gateway [-?hvVtTq] [-s signal] [-p prefix]
               [-e filename] [-c filename] [-g directives]
       gateway VERB … (gateway --help)

Options:
"""

# What nginx has to be told to build, and people's scripts look for, as far as it is part of gateway.
_BUILT_IN = (
    *(
        f"--with-http_{name}_module"
        for name in (
            "ssl", "v2", "realip", "addition", "sub", "dav", "flv", "mp4", "gunzip", "gzip_static", "random_index",
            "secure_link", "stub_status", "auth_request", "slice", "geoip",
        )
    ),
    "--with-mail",
    "--with-mail_ssl_module",
    "--with-stream",
    *(f"--with-stream_{name}_module" for name in ("ssl", "realip", "geoip", "ssl_preread")),
)  # fmt: skip


def text(line: CommandLine, *, as_nginx: bool = False) -> str:
    """Everything that the options ask for, as nginx orders it; `as_nginx` in the form that other programs parse."""
    own, theirs = f"gateway/{gateway.__version__}", f"nginx/{gateway.NGINX_VERSION}"
    parts = [f"nginx version: {theirs} ({own})\n" if as_nginx else f"gateway version: {own} ({theirs})\n"]
    if line.help:
        parts.append(_USAGE + _options() + "\n")
    if line.configure:
        parts.append(_configure_as_nginx() if as_nginx else _configure())
    return "".join(parts)


def _options() -> str:
    """As nginx lists them: the two letters for the help on one line."""
    from gateway.dev.verbs import NGINX_OPTIONS

    lines = []
    for letters, value, what in NGINX_OPTIONS:
        if letters != "-h":
            shown = f"{letters} {value}" if value else "-?,-h" if letters == "-?" else letters
            lines.append(f"  {shown:<14}: {what}\n")
    return "".join(lines)


def _configure() -> str:
    import platform

    from gateway._fast.build import COMPILER, OPTIMIZED
    from gateway.http import deflate

    return (
        f"built by {platform.python_implementation()} {platform.python_version()}\n"
        f"compiled by {COMPILER}{'' if OPTIMIZED else ', not optimized'}\n"
        f"{_tls()}"
        f"deflate by {deflate.words()}\n"
        f"configure arguments: {' '.join(_BUILT_IN)}\n"
    )


def _configure_as_nginx() -> str:
    """What certbot and others look for: OpenSSL, SNI, and the modules that nginx may be built without."""
    import platform

    from gateway._fast.openssl import version
    from gateway.process.options import SYSTEM_CONF, system_prefix

    prefix = (system_prefix() or "/usr/share/nginx").rstrip("/")
    words = [f"--prefix={prefix}", f"--conf-path={SYSTEM_CONF}", *_BUILT_IN]
    return (
        f"built by {platform.python_implementation()} {platform.python_version()}\n"
        f"built with {version()}\n"
        "TLS SNI support enabled\n"
        f"configure arguments: {' '.join(words)}\n"
    )


def _tls() -> str:
    """nginx's two lines, of the library that will be used."""
    from gateway._fast import openssl

    try:
        return f"running with {openssl.version()}\nTLS SNI support enabled\n"
    except openssl.OpenSslError as error:
        return f"without TLS: {error}\n"
