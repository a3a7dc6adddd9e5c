"""Each directive is given all kinds of values, once and twice; nginx and gateway complain of the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config import known
from gateway.config.directive import MAIN
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.open_files import FILES
from gateway.modules import MODULES
from tests import structure

NGINX = shutil.which("nginx")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

VALUES = ["x", "0", "1", "-1", "1k", "on", "off", "9" * 20, "1s", '""', "$uri", "1.5", "=", "*", "200", "~("]

# The block that a directive is tried in, by context; the first that it is declared for.
BLOCKS = {
    "location": "http {{ server {{ location / {{ {} }} }} }}",
    "server": "http {{ server {{ {} }} }}",
    "http": "http {{ {} }}",
    "upstream": "http {{ upstream u {{ server 127.0.0.1; {} }} }}",
    "main": "{}",
}

# Not to be tried: they open files, become other users, or end the test in another way.
LEFT_OUT = {"access_log", "error_log", "user", "include", "http", "events", "load_module", "pid", "lock_file", "daemon"}

# "directive value" or the directive alone, with the reason.
KNOWN_DIFFERENCES = {
    "disable_symlinks": "nginx speaks of duplicate parameters where we say what is wrong with the second",
    "listen 1.5": "nginx -t binds the address",
    "rewrite *": "PCRE2's releases count the place of this error differently",
    "fastcgi_split_path_info *": "PCRE2's releases count the place of this error differently",
    "modern_browser": "nginx refuses a browser that it does not know without a word",
    "limit_conn": "a zone without a size is found when the zones are made, after the text was read",
    "zone": "a zone without a size is found when the zones are made, after the text was read",
    "gzip_disable *": "PCRE2's releases count the place of this error differently",
    "ssl_certificate": "nginx names neither the whole path nor the place of a certificate without a key",
    "http2_max_concurrent_pushes": "obsolete since nginx 1.25.1; the installed nginx is older",
    "http2_push": "obsolete since nginx 1.25.1; the installed nginx is older",
    "http2_push_preload": "obsolete since nginx 1.25.1; the installed nginx is older",
    'quic_host_key ""': "nginx names the place of a folder since 1.31; the installed one is older",
    "http3_hq on": "hq-interop, HTTP/0.9 over QUIC, is not built",
    "keepalive 0": "switches the cache off since nginx 1.29.7; the installed nginx is older",
}
for _family in ("uwsgi", "proxy", "fastcgi", "scgi"):
    KNOWN_DIFFERENCES[f"{_family}_cache"] = KNOWN_DIFFERENCES["zone"]
    KNOWN_DIFFERENCES[f'{_family}_store ""'] = "an empty path is refused by 1.31; the installed nginx is older"
    KNOWN_DIFFERENCES[f"{_family}_limit_rate"] = "takes variables since nginx 1.27.0; the installed nginx is older"


def trials() -> list[tuple[str, str, int]]:
    """List (directive, block, number of arguments)."""
    found = {}
    for directive in structure.declared():
        contexts = structure.contexts(directive)
        if directive.block or directive.name in LEFT_OUT or not known.table().get(directive.name):
            continue
        for context, block in BLOCKS.items():
            if context in contexts and directive.name not in found:
                count = next((count for count in range(1, 4) if directive.arguments.allows(count)), 0)
                found[directive.name] = (directive.name, block, count)
    return list(found.values())


def gateway_says(text: str, path: Path) -> str:
    prefix = f"{path.parent}/"
    loader = Loader(MODULES, prefix=prefix, conf_prefix=prefix, testing=True)
    loader.parts.get(FILES)
    try:
        loader.walk(parse(text, str(path), conf_prefix=prefix).statements, Scope(MAIN))
    except ConfigError as error:
        return str(error)
    return ""


def nginx_says(text: str, path: Path) -> str:
    path.write_text(text)
    folder = path.parent
    command = [str(NGINX), "-t", "-p", f"{folder}/", "-e", f"{folder}/e.log", "-c", str(path), "-g", f"pid {folder}/p;"]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    found = re.search(r"nginx: \[(?:emerg|crit)\] (.*?)\nnginx: ", done.stderr.decode(), re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize(("name", "block", "count"), trials(), ids=[name for name, _, _ in trials()])
def test_values(name: str, block: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    if name in KNOWN_DIFFERENCES:
        pytest.skip(KNOWN_DIFFERENCES[name])
    for value in VALUES if count else [""]:
        line = f"{name}{f' {value}' * count};\n"
        if f"{name} {value}" in KNOWN_DIFFERENCES:
            continue
        for times in (1, 2):
            text = "events {}\n" + block.format(line * times)
            theirs = nginx_says(text, path)
            if theirs.startswith("unknown directive"):
                pytest.skip("the installed nginx does not know it yet")
            assert gateway_says(text, path) == theirs, text
            if theirs:
                break
