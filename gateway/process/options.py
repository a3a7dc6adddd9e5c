"""What the command line said, and the paths that follow from it (nginx's ngx_process_options)."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, field
from typing import Final

SYSTEM_CONF: Final = "/etc/nginx/nginx.conf"
# Debian's nginx is built with this prefix; nginx.org's packages have /etc/nginx.
_SYSTEM_PREFIXES: Final = ("/usr/share/nginx/", "/etc/nginx/")


class NoConfiguration(Exception):
    """No -c was given and there is no nginx.conf in the usual places; `places` were looked at."""

    def __init__(self, places: list[str]) -> None:
        super().__init__(places)
        self.places = places


@dataclass(slots=True)
class Options:
    """nginx's options, with every path resolved."""

    conf_file: str = ""
    prefix: str = ""  # ends with "/"; logs, roots and the pid file are relative to it
    state: str = ""  # ends with "/"; where folders are made that the configuration does not name
    conf_prefix: str = ""  # the configuration file's folder; includes are relative to it
    error_log: str = ""  # where errors go until, and unless, error_log says otherwise; "" is stderr
    globals_text: str = ""  # -g
    test: bool = False
    dump: bool = False
    quiet: bool = False
    signal: str = ""
    argv: list[str] = field(default_factory=list)

    def full_name(self, name: str) -> str:
        """A path from the command line or the configuration, relative to the prefix."""
        return name if name.startswith("/") else self.prefix + name

    @property
    def default_pid(self) -> str:
        """The pid file when no `pid` names one: in logs/ as nginx has it, else where this user may write."""
        if os.path.isdir(self.prefix + "logs"):
            return self.prefix + "logs/nginx.pid"
        if os.geteuid() == 0:
            return "/run/gateway.pid"
        run = os.environ.get("XDG_RUNTIME_DIR", "")
        if run and os.access(run, os.W_OK):
            # One for each configuration, so that several may run; the same again for `-s`.
            digest = zlib.crc32(os.fsencode(os.path.realpath(self.conf_file)))
            return f"{run}/gateway-{digest:08x}.pid"
        return self.prefix + "gateway.pid"


# Where Debian's nginx keeps temporary files, and where ours are when no -p says a place.
_DEBIANS_STATE: Final = "/var/lib/nginx/"
_STATE: Final = "/var/lib/gateway/"


def state_folder(conf_file: str) -> str:
    """Without -p: not the folder in which somebody happens to stand. One for each configuration, ends with "/"."""
    root = os.geteuid() == 0
    if conf_file == SYSTEM_CONF and root and os.path.isdir(_DEBIANS_STATE):
        return _DEBIANS_STATE
    base = _STATE
    if not root:
        home = os.environ.get("XDG_STATE_HOME", "") or os.path.expanduser("~/.local/state")
        base = f"{home}/gateway/" if home.startswith("/") else ""
    digest = zlib.crc32(os.fsencode(os.path.realpath(conf_file)))
    return f"{base}{digest:08x}/" if base else ""


def system_prefix() -> str | None:
    """The prefix that goes with SYSTEM_CONF, as far as it is there."""
    return next((place for place in _SYSTEM_PREFIXES if os.path.isdir(place)), None)


def resolve(
    *,
    conf_file: str | None = None,
    prefix: str | None = None,
    error_log: str | None = None,
    globals_text: str = "",
    test: bool = False,
    dump: bool = False,
    quiet: bool = False,
    signal: str = "",
    argv: list[str] | None = None,
) -> Options:
    """Options from the raw command line; NoConfiguration when none is named and none is found."""
    here = os.getcwd()
    here = here if here.endswith("/") else here + "/"
    if prefix is not None and prefix and not prefix.endswith("/"):
        prefix += "/"
    if conf_file is None:
        places = [here + "nginx.conf", SYSTEM_CONF]
        if prefix is not None:
            places = [prefix + "nginx.conf", prefix + "conf/nginx.conf"]
        conf_file = next((place for place in places if os.path.exists(place)), None)
        if conf_file is None:
            raise NoConfiguration(places)
    named = prefix is not None
    if prefix is None:
        prefix = here
        if conf_file == SYSTEM_CONF:
            prefix = system_prefix() or here
    if not conf_file.startswith("/"):
        conf_file = prefix + conf_file
    folder = conf_file.rpartition("/")[0]
    if error_log is None:
        error_log = prefix + "logs/error.log" if os.path.isdir(prefix + "logs") else ""
    elif error_log == "stderr":
        error_log = ""
    elif error_log and not error_log.startswith("/"):
        error_log = prefix + error_log
    return Options(
        conf_file=conf_file,
        prefix=prefix,
        state=prefix if named else state_folder(conf_file) or prefix,
        conf_prefix=folder + "/",
        error_log=error_log,
        globals_text=globals_text,
        test=test,
        dump=dump,
        quiet=quiet,
        signal=signal,
        argv=list(argv or []),
    )
