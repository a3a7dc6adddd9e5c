"""make deb: a package for the Debian or Ubuntu that this runs on, into dist/. dpkg-deb and pip are all it needs.

    .ci/make_deb.py [--for 3.13] [--arch aarch64]     for the system's Python and machine, or for others

Everything of Python stands in /usr/lib/gateway, with what gateway depends on, so that it is in nobody's way; the
command is `/usr/bin/python3` with that folder in front. It is made for one version of Python, which is a part of the
package's version: that of a younger release is an upgrade. Debian 12 has 3.11, Debian 13 has 3.13, Ubuntu 24.04 3.12.
Beside it comes nginx-is-gateway, for programs that call nginx by its name.
"""

from __future__ import annotations

import argparse
import contextlib
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
MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}

# glibc of Debian 12 is 2.36, of Ubuntu 24.04 2.39.
_PLATFORMS: Final = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")

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


def system_python() -> str:
    """The version of /usr/bin/python3, as 3.11."""
    said = subprocess.run(["/usr/bin/python3", "-V"], capture_output=True, text=True, check=True).stdout
    return ".".join(said.split()[1].split(".")[:2])


def wheel(python: str, machine: str) -> Path:
    """The newest wheel in dist/ for this version of Python and this machine; made if there is none.

    One that pip has made (linux_x86_64) is for the glibc of where it was made, which nobody knows any more.
    """
    tag = f"cp{python.replace('.', '')}"
    pattern = f"gateway-{version()}-{tag}-{tag}-manylinux*{machine}.whl"
    found = sorted(DIST.glob(pattern), key=os.path.getmtime)
    if not found:
        print(f"no wheel for Python {python} in dist/: making one", file=sys.stderr)
        make = [sys.executable, str(ROOT / ".ci" / "make_wheel.py"), "--arch", machine]
        if python != platform.python_version().rpartition(".")[0]:
            make += ["--python", f"python{python}"]
        subprocess.run(make, check=True, stdout=sys.stderr)
        found = list(DIST.glob(pattern))
    return found[-1]


def place(tree: Path, python: str, machine: str) -> None:
    """All files of the package, as they will stand below /."""
    library = tree / "usr/lib/gateway"
    # as pip of that Python would choose them, which need not be here
    kinds = [f"--platform={kind}_{machine}" for kind in _PLATFORMS]
    chosen = ["--python-version", python, "--implementation", "cp", "--only-binary", ":all:", *kinds]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "-q", "--no-compile", *chosen, "--target", str(library)]
    env = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run([*install, str(wheel(python, machine))], check=True, env=env, stdout=sys.stderr)
    for beside in ("bin", "share"):
        shutil.rmtree(library / beside, ignore_errors=True)
    for name in library.glob("*.dist-info/direct_url.json"):
        name.unlink()  # where the wheel lay when this was made
    for name, function in (("gateway", "main"), ("gateway-nginx", "nginx")):
        command = tree / "usr/sbin" / name
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(_COMMAND.format(function=function))
        command.chmod(0o755)
    # where it is found by who is not root, too
    (tree / "usr/bin").mkdir()
    (tree / "usr/bin/gateway").symlink_to("../sbin/gateway")
    for source, target, mode in FILES:
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / target)
        (tree / target).chmod(mode)
    for source, target in _COMPRESSED:
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        (tree / target).write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))
    (tree / "etc/gateway/conf.d").mkdir()


def control(python: str, machine: str, kilobytes: int) -> str:
    major, minor = python.split(".")
    after = f"{major}.{int(minor) + 1}"
    return f"""\
Package: gateway
Version: {version()}+py{python}
Architecture: {MACHINES[machine]}
Maintainer: the gateway project <gateway@localhost>
Depends: python3 (>= {python}), python3 (<< {after}), libssl3 | libssl3t64, init-system-helpers
Suggests: uwsgi, logrotate
Section: httpd
Priority: optional
Installed-Size: {kilobytes}
Description: nginx for Python people
 A front server that reads your own nginx.conf, terminates TLS and HTTP, serves
 files, speaks uwsgi, HTTP, FastCGI and SCGI to app servers, balances load over
 them, and explains itself when something is wrong.
"""


_STAND_IN: Final = """\
Package: nginx-is-gateway
Version: {version}
Architecture: all
Maintainer: the gateway project <gateway@localhost>
Depends: gateway
Provides: nginx
Conflicts: nginx, nginx-core, nginx-light, nginx-full, nginx-extras
Replaces: nginx, nginx-core, nginx-light, nginx-full, nginx-extras
Section: httpd
Priority: optional
Description: gateway as /usr/sbin/nginx
 For programs that call nginx by its name, certbot's plugin for example, and for
 packages that depend on it. nginx itself gives way; its configuration stays.
"""


def make_stand_in() -> Path:
    """The package that is called nginx: a link, and nothing of its own."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "nginx-is-gateway"
        (tree / "usr/sbin").mkdir(parents=True)
        (tree / "usr/sbin/nginx").symlink_to("gateway-nginx")
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN" / "control").write_text(_STAND_IN.format(version=version()))
        return _build(tree, f"nginx-is-gateway_{version()}_all.deb")


def make(python: str, machine: str) -> Path:
    """The package in dist/."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "gateway"
        place(tree, python, machine)
        size = sum(file.stat().st_size for file in tree.rglob("*") if file.is_file())
        meta = tree / "DEBIAN"
        meta.mkdir()
        (meta / "control").write_text(control(python, machine, size // 1024))
        kept = sorted(f"/{file.relative_to(tree)}\n" for file in (tree / "etc").rglob("*") if file.is_file())
        (meta / "conffiles").write_text("".join(kept))
        for script in ("postinst", "prerm", "postrm"):
            shutil.copy(_DEBIAN / script, meta / script)
            (meta / script).chmod(0o755)
        return _build(tree, f"gateway_{version()}+py{python}_{MACHINES[machine]}.deb")


def _build(tree: Path, name: str) -> Path:
    for folder in [tree, *(each for each in tree.rglob("*") if each.is_dir() and not each.is_symlink())]:
        folder.chmod(0o755)
    DIST.mkdir(exist_ok=True)
    command = ["dpkg-deb", "--build", "--root-owner-group", str(tree), str(DIST / name)]
    # times of files are no part of a package: made twice of one wheel it is the same
    environment = {"SOURCE_DATE_EPOCH": _of_the_source(), **os.environ}
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    return DIST / name


def _of_the_source() -> str:
    """When the last commit was made; where there is no git, when the changelog was written."""
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return str(int((ROOT / "CHANGELOG.md").stat().st_mtime))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Make a package for Debian or Ubuntu.")
    parser.add_argument("--for", dest="python", metavar="VERSION", help="of Python (the system's)")
    parser.add_argument("--arch", choices=tuple(MACHINES), default=platform.machine(), help="(%(default)s)")
    options = parser.parse_args(argv)
    for made in (make(options.python or system_python(), options.arch), make_stand_in()):
        print(f"dist/{made.name}  {made.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
