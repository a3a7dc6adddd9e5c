"""make deb: a package for the Debian or Ubuntu that this runs on, into dist/. dpkg-deb and pip are all it needs.

Everything of Python stands in /usr/lib/gateway, with what gateway depends on, so that it is in nobody's way; the
command is `/usr/bin/python3` with that folder in front. It is made for that Python's version: another release of Debian
needs its own package.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
DIST: Final = ROOT / "dist"
_DEBIAN: Final = ROOT / "packaging" / "debian"
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}

_COMMAND: Final = """\
#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "/usr/lib/gateway")
from gateway.cli import {function}

sys.exit({function}())
"""

# Where each file goes, and its mode.
FILES: Final = (
    (_DEBIAN / "gateway.service", "usr/lib/systemd/system/gateway.service", 0o644),
    (_DEBIAN / "gateway.socket", "usr/lib/systemd/system/gateway.socket", 0o644),
    (_DEBIAN / "logrotate", "etc/logrotate.d/gateway", 0o644),
    (_DEBIAN / "default", "etc/default/gateway", 0o644),
    (_DEBIAN / "nginx.conf", "etc/gateway/nginx.conf", 0o644),
    (_DEBIAN / "index.html", "usr/share/gateway/html/index.html", 0o644),
    (ROOT / "packaging" / "gateway.bash", "usr/share/bash-completion/completions/gateway", 0o644),
    (ROOT / "packaging" / "_gateway", "usr/share/zsh/vendor-completions/_gateway", 0o644),
    (ROOT / "packaging" / "gateway.fish", "usr/share/fish/vendor_completions.d/gateway.fish", 0o644),
    (ROOT / "LICENSE", "usr/share/doc/gateway/copyright", 0o644),
    *(
        (ROOT / "gateway" / "conf" / name, f"etc/gateway/{name}", 0o644)
        for name in ("mime.types", "uwsgi_params", "fastcgi_params", "fastcgi.conf", "scgi_params")
    ),
)
_COMPRESSED: Final = (
    (ROOT / "packaging" / "gateway.8", "usr/share/man/man8/gateway.8.gz"),
    (ROOT / "CHANGELOG.md", "usr/share/doc/gateway/changelog.gz"),
)


def version() -> str:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: str = tomllib.load(file)["project"]["version"]
    return found


def wheel(python: str) -> Path:
    """The newest wheel in dist/ for this Python and machine; made if there is none."""
    tag = subprocess.run(
        [python, "-c", "import sys; print('cp%d%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True
    ).stdout.strip()
    pattern = f"gateway-{version()}-{tag}-{tag}-*{platform.machine()}.whl"
    found = sorted(DIST.glob(pattern), key=os.path.getmtime)
    if not found:
        print("no wheel for this Python in dist/: making one", file=sys.stderr)
        make = [sys.executable, str(ROOT / ".ci" / "make_wheel.py"), "--arch", platform.machine()]
        subprocess.run(make, check=True, stdout=sys.stderr)
        found = list(DIST.glob(pattern))
    return found[-1]


def place(tree: Path, python: str) -> None:
    """All files of the package, as they will stand below /."""
    library = tree / "usr/lib/gateway"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    install = [*pip, "install", "-q", "--no-compile", "--target", str(library)]
    env = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run([*install, str(wheel(python))], check=True, env=env, stdout=sys.stderr)
    for beside in ("bin", "share"):
        shutil.rmtree(library / beside, ignore_errors=True)
    for name, function in (("gateway", "main"), ("gateway-nginx", "nginx")):
        command = tree / "usr/sbin" / name
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(_COMMAND.format(function=function))
        command.chmod(0o755)
    for source, target, mode in FILES:
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / target)
        (tree / target).chmod(mode)
    for source, target in _COMPRESSED:
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        (tree / target).write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))
    (tree / "etc/gateway/conf.d").mkdir()


def control(python: str, kilobytes: int) -> str:
    text = "import sys; print('%d.%d %d.%d' % (*sys.version_info[:2], sys.version_info[0], sys.version_info[1] + 1))"
    done = subprocess.run([python, "-c", text], capture_output=True, text=True, check=True)
    own, after = done.stdout.split()
    return f"""\
Package: gateway
Version: {version()}
Architecture: {_MACHINES[platform.machine()]}
Maintainer: the gateway project <gateway@localhost>
Depends: python3 (>= {own}), python3 (<< {after}), libssl3 | libssl3t64, init-system-helpers
Suggests: uwsgi, logrotate
Section: httpd
Priority: optional
Installed-Size: {kilobytes}
Description: nginx for Python people
 A front server that reads your own nginx.conf, terminates TLS and HTTP, serves
 files, speaks uwsgi, HTTP, FastCGI and SCGI to app servers, balances load over
 them, and explains itself when something is wrong.
"""


def make(python: str) -> Path:
    """The package in dist/."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "gateway"
        place(tree, python)
        size = sum(file.stat().st_size for file in tree.rglob("*") if file.is_file())
        meta = tree / "DEBIAN"
        meta.mkdir()
        (meta / "control").write_text(control(python, size // 1024))
        kept = sorted(f"/{file.relative_to(tree)}\n" for file in (tree / "etc").rglob("*") if file.is_file())
        (meta / "conffiles").write_text("".join(kept))
        for script in ("postinst", "prerm", "postrm"):
            shutil.copy(_DEBIAN / script, meta / script)
            (meta / script).chmod(0o755)
        for folder in [tree, *(each for each in tree.rglob("*") if each.is_dir())]:
            folder.chmod(0o755)
        DIST.mkdir(exist_ok=True)
        target = DIST / f"gateway_{version()}_{_MACHINES[platform.machine()]}.deb"
        subprocess.run(
            ["dpkg-deb", "--build", "--root-owner-group", str(tree), str(target)], check=True, stdout=sys.stderr
        )
    return target


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Make a package for Debian or Ubuntu.")
    parser.add_argument("--python", default="/usr/bin/python3", help="the system's (%(default)s)")
    made = make(parser.parse_args(argv).python)
    print(f"dist/{made.name}  {made.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
