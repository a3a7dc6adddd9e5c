"""make wheel: manylinux wheels for x86_64 and aarch64, without Docker: zig is the compiler, auditwheel the judge.

    .ci/make_wheel.py [--arch x86_64] [--arch aarch64] [--python python3.13]

into dist/; each is tried as far as this machine can run it. Another Python than this one gets a venv in build/.

zig brings the headers and the link-time names of each glibc, so that a wheel made here runs on any that is as old as
the policy says. Nothing is linked but libc: OpenSSL is found at run time.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from build import HOLDER, NAMES

ROOT: Final = Path(__file__).resolve().parents[1]
DIST: Final = ROOT / "dist"
ARCHITECTURES: Final = ("x86_64", "aarch64")

# manylinux2014: CentOS 7, Debian 9, Ubuntu 18.04 and everything younger.
GLIBC: Final = "2.17"
_POLICY: Final = "manylinux2014"

# What a wheel may weigh; without -g0 it was ten times as much.
_MOST_BYTES: Final = 10_000_000

_BUILD: Final = """\
import sys
sys.path.insert(0, ".ci")
import backend
backend.build_wheel(sys.argv[1], base=sys.argv[2])
"""


def environment(architecture: str, headers: Path) -> dict[str, str]:
    """What setuptools reads to compile for that machine instead of this one."""
    compiler = f"{sys.executable} -m ziglang cc -target {architecture}-linux-gnu.{GLIBC} -fno-sanitize=undefined"
    own = platform.machine()
    suffix = sysconfig.get_config_var("EXT_SUFFIX").replace(own, architecture)
    return {
        **os.environ,
        "CC": compiler,
        "LDSHARED": f"{compiler} -shared -s",
        "CFLAGS": "-Wno-unused-command-line-argument",
        "CPPFLAGS": f"-I{_machine_headers(own, architecture, headers)}",
        "SETUPTOOLS_EXT_SUFFIX": suffix,
        "_PYTHON_HOST_PLATFORM": f"linux-{architecture}",
    }


def _machine_headers(own: str, architecture: str, folder: Path) -> Path:
    """Debian keeps one pyconfig.h for each machine, in a folder that zig does not look into; 64 bits are the same."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    here = Path(f"/usr/include/{own}-linux-gnu/{version}/pyconfig.h")
    if here.exists():
        there = folder / f"{architecture}-linux-gnu" / version
        there.mkdir(parents=True)
        shutil.copy(here, there)
    return folder


def make(architecture: str) -> Path:
    """One wheel in dist/, with the tag that auditwheel finds it worth."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = f"build/wheel-{architecture}"
        for old in (ROOT / base).glob("lib.*"):
            shutil.rmtree(old)
        built = folder / "built"
        built.mkdir()
        command = [sys.executable, "-c", _BUILD, str(built), base]
        env = environment(architecture, folder / "headers")
        subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=sys.stderr)
        (wheel,) = built.glob("*.whl")
        without_doubles(wheel, NAMES, HOLDER)
        repaired = folder / "repaired"
        # "auto": the choices that it offers by name are this machine's
        repair = ["repair", "--plat", "auto", "--wheel-dir", str(repaired), str(wheel)]
        env = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
        subprocess.run([sys.executable, "-m", "auditwheel", *repair], check=True, env=env, stdout=sys.stderr)
        (wheel,) = repaired.glob(f"*{_POLICY}_{architecture}*.whl")
        DIST.mkdir(exist_ok=True)
        return Path(shutil.copy(wheel, DIST))


def without_doubles(wheel: Path, names: Collection[str], holder: str) -> None:
    """Take out the products that lie in the holder's, too: a tenth of what is downloaded, and never loaded."""

    def product(file: str) -> str:
        return file.partition(".")[0].replace("/", ".") if file.endswith(".so") else ""

    with zipfile.ZipFile(wheel) as old:
        files = {item: old.read(item) for item in old.infolist()}
    if holder not in {product(item.filename) for item in files}:
        return
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as new:
        for item, content in files.items():
            if item.filename.endswith(".dist-info/RECORD"):
                lines = content.decode().splitlines(keepends=True)
                content = "".join(line for line in lines if product(line.partition(",")[0]) not in names).encode()
            if product(item.filename) not in names:
                new.writestr(item, content)


def try_it(wheel: Path) -> None:
    """Install it where there is no compiler, and serve one answer of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        python = folder / "venv" / "bin" / "python"
        empty = folder / "empty"  # a PATH without cc, gcc, zig
        empty.mkdir()
        env = {name: value for name, value in os.environ.items() if name not in ("CC", "PYTHONPATH")}
        env["PATH"] = str(empty)
        quiet = ["-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([str(python), *quiet, str(wheel)], check=True, env=env)
        (folder / "nginx.conf").write_text("events {} http { server { listen unix:s; location / { return 204; } } }")
        command = [str(python), "-m", "gateway", "-t", "-p", "."]
        said = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        if said.returncode:
            raise SystemExit(f"{wheel.name} does not run: {said.stderr}")


def other(python: str) -> Path:
    """That Python with what a wheel needs: `python` of a venv that is made once for each version."""
    found = shutil.which(python)
    if found is None:
        raise SystemExit(f"{python} is not here: a wheel is made by the Python that it is for")
    print_tag = "import sys; print('cp%d%d' % sys.version_info[:2])"
    tag = subprocess.run([found, "-c", print_tag], capture_output=True, text=True, check=True).stdout.strip()
    venv = ROOT / "build" / f"wheel-{tag}"
    inside = venv / "bin" / "python"
    if not (venv / "bin" / "auditwheel").exists():
        subprocess.run([found, "-m", "venv", str(venv)], check=True)
        with (ROOT / "pyproject.toml").open("rb") as file:
            project = tomllib.load(file)["project"]
        wanted = [*project["dependencies"], *project["optional-dependencies"]["wheel"]]
        quiet = ["-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([str(inside), *quiet, *wanted], check=True, stdout=sys.stderr)
    return inside


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Make wheels that install without a compiler.")
    parser.add_argument("--arch", action="append", choices=ARCHITECTURES, help="(all)")
    parser.add_argument("--python", help="for this one (that which runs this)")
    options = parser.parse_args(argv)
    if options.python:
        command = [str(other(options.python)), __file__]
        return subprocess.call([*command, *(f"--arch={each}" for each in options.arch or ())], cwd=ROOT)
    for architecture in options.arch or ARCHITECTURES:
        wheel = make(architecture)
        weight = wheel.stat().st_size
        tried = architecture == platform.machine()
        if tried:
            try_it(wheel)
        print(f"dist/{wheel.name}  {weight / 1e6:.1f} MB{'  installed and tried without a compiler' if tried else ''}")
        if weight > _MOST_BYTES:
            print(f"that is more than {_MOST_BYTES / 1e6:.0f} MB", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
