"""What -v, -V and -h print."""

from __future__ import annotations

import gateway
from gateway.cli.options import CommandLine

_USAGE = """\
Usage: gateway [-?hvVtTq] [-s signal] [-p prefix]
               [-e filename] [-c filename] [-g directives]
       gateway run APP [--static /URL=DIR] [--port N] [--processes N] [--print-conf]

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: the current directory)
  -e filename   : set error log file (default: logs/error.log if there is logs/, else stderr)
  -c filename   : set configuration file (default: ./nginx.conf, else /etc/nginx/nginx.conf)
  -g directives : set global directives out of configuration file

"""


def text(line: CommandLine) -> str:
    """Everything that the options ask for, as nginx orders it."""
    parts = [f"gateway version: gateway/{gateway.__version__} (nginx/{gateway.NGINX_VERSION})\n"]
    if line.help:
        parts.append(_USAGE)
    if line.configure:
        parts.append(_configure())
    return "".join(parts)


def _configure() -> str:
    import platform

    from gateway._fast.build import COMPILER, OPTIMIZED

    return (
        f"built by {platform.python_implementation()} {platform.python_version()}\n"
        f"compiled by {COMPILER}{'' if OPTIMIZED else ', not optimized'}\n"
        "configure arguments: --without-mail\n"
    )
