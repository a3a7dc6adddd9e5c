"""make docs-trial: what pages of docs/ tell an admin to type, typed, in a fresh Debian.

    .ci/docs_trial.py [--release bookworm] [--release trixie]

The pages' own lines, in their order, each with its seconds; only the authority is pebble instead of Let's Encrypt, and
packages come from what was fetched before. `sudo` is nothing there, where all is done by root.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import authority
import userland
from deb_trial import package
from userland import RELEASES, ROOT, Failed, Steps, Userland

# The parts of pages whose every line is typed.
TYPED: Final = {
    "flask.md": ("On the server", "When it does not work"),
    "operations.md": ("Start, reload, stop",),
    "from-nginx.md": ("In its place", "Back"),
}

_BLOCK: Final = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.M | re.S)
_SHOP: Final = "/srv/shop"
_WHEELS: Final = "/root/wheels"


def commands(text: str) -> Iterator[str]:
    """The lines of a page's ```sh blocks, without what is said behind them."""
    for kind, _, body in _BLOCK.findall(text):
        if kind == "sh":
            yield from (line for each in body.splitlines() if (line := re.sub(r"\s+#.*$", "", each)).strip())


def section(page: str, *heads: str) -> str:
    """What stands below these headings of a page, or below all that are typed."""
    heads = heads or TYPED[page]
    parts = re.split(r"^## (.+)$", (ROOT / "docs" / page).read_text(), flags=re.M)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return "\n".join(found[head] for head in heads)


def _flask(release: str) -> None:
    """From an empty server to https://shop.example/, as docs/flask.md says it."""
    name = "shop.example"
    deb = package(release)
    with userland.overlaid(release, Steps()) as debian:
        given = f"/srv/shop/{re.sub('py3[.][0-9]+', 'py3.11', deb.name)}"  # as the page names it
        (debian.root / "srv/shop").mkdir()
        (debian.root / given[1:]).write_bytes(deb.read_bytes())
        for kind, title, body in _BLOCK.findall((ROOT / "docs" / "flask.md").read_text()):
            if title == "app.py" and kind == "python":
                (debian.root / "srv/shop/app.py").write_text(body)
        debian.fetch(f"{given} python3-venv pebble")
        _wheels(debian, release, "flask", "pyuwsgi")
        with debian.booted():
            _quiet_admin(debian)
            debian.run("apt-get -qq install pebble")
            authority.start(debian, name)
            debian.run(f"adduser -q --disabled-password --gecos '' you && chown -R you {_SHOP}")
            for line in commands(section("flask.md")):
                if line.startswith("gateway init"):
                    # printed for the page; an admin takes what it writes
                    debian.run(f"cd {_SHOP} && {line}", says="[Service]")
                    debian.run(f"cd {_SHOP} && runuser -u you -- {line.removesuffix(' --print')}")
                    _with_pebble(debian)
                    continue
                _typed(debian, line)
            debian.until(f"{authority.page(name)}", "hello, 127.0.0.1, over https", 120)
            debian.run(f"curl -s -o /dev/null -w '%{{http_code}}' http://{name}/", says="301")
            for line in commands(section("operations.md")):
                _typed(debian, line)
            debian.until("systemctl is-active gateway", "inactive")  # the last of them ends it
            debian.step("systemctl start gateway")
            debian.run(authority.page(name), says="hello, 127.0.0.1, over https")
        print(f"  {debian.steps.whole:6.1f} s  in all\n")


def _wheels(debian: Userland, release: str, *names: str) -> None:
    """What pip installs there, fetched before; pip looks nowhere else."""
    tag = RELEASES[release].removeprefix("cp")
    chosen = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", tag]
    platforms = [f"--platform=manylinux{kind}_x86_64" for kind in ("_2_34", "_2_28", "_2_17", "2014")]
    with debian.steps.step(f"fetch {' '.join(names)} of PyPI"), tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q", "-d", folder]
        subprocess.run([*command, *chosen, *platforms, *names], check=True, stderr=subprocess.DEVNULL)
        (debian.root / _WHEELS[1:]).mkdir()
        for wheel in Path(folder).iterdir():
            (debian.root / _WHEELS[1:] / wheel.name).write_bytes(wheel.read_bytes())
    (debian.root / "etc/pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {_WHEELS}\n")


def _quiet_admin(debian: Userland) -> None:
    """Who says yes to apt, and is root."""
    debian.run('echo \'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false";\' >/etc/apt/apt.conf.d/99trial')
    debian.run("printf '#!/bin/sh\\nexec \"$@\"\\n' >/usr/local/bin/sudo && chmod +x /usr/local/bin/sudo")


def _typed(debian: Userland, line: str) -> None:
    debian.step(f"cd {_SHOP} && {line}", shown=line)


def _with_pebble(debian: Userland) -> None:
    """The one thing that is not as an admin has it."""
    conf = f"{_SHOP}/nginx.conf"
    trusted = f"ssl_trusted_certificate {authority.TRUSTED};"
    debian.run(f"chmod a+rx /root && sed -i 's#^\\( *\\)uri .*#\\1uri {authority.DIRECTORY}; {trusted}#' {conf}")
    debian.run(f"cat {conf}", says=authority.DIRECTORY)


def _from_nginx(release: str) -> None:
    """Debian's nginx gives way and comes back, as docs/from-nginx.md says it."""
    name = "example.org"
    deb = package(release)
    with userland.overlaid(release, Steps()) as debian:
        (debian.root / "root" / deb.name).write_bytes(deb.read_bytes())
        (debian.root / "srv/shop").mkdir()
        packages = f"/root/{deb.name} nginx certbot python3-certbot-nginx pebble"
        debian.fetch(packages)
        with debian.booted():
            _quiet_admin(debian)
            debian.run("systemctl mask gateway")  # port 80 is nginx's
            debian.step(f"apt-get -qq install {packages}", shown="apt-get install nginx, certbot, gateway")
            debian.run("systemctl unmask gateway")
            site = f"server {{ listen 80; server_name {name}; root /var/www/html; }}"
            debian.run(f"echo '{site}' >/etc/nginx/sites-enabled/{name}; echo the shop >/var/www/html/index.html")
            debian.run("systemctl start nginx; systemctl reload nginx")
            authority.start(debian, name)
            debian.run(f"curl -si http://{name}/", says="the shop")
            words = f"email = you@{name}\\nagree-tos = true\\nnon-interactive = true\\nserver = {authority.DIRECTORY}"
            debian.run(f"mkdir -p /etc/letsencrypt; printf '{words}\\n' >>/etc/letsencrypt/cli.ini")
            debian.run("echo CONF=/etc/nginx/nginx.conf >>/etc/default/gateway")
            for line in commands(section("from-nginx.md", "In its place")):
                certificates = f"REQUESTS_CA_BUNDLE={authority.TRUSTED} " if "certbot" in line else ""
                debian.step(f"{certificates}{line} 2>&1", shown=line)
                if "enable --now gateway" in line:
                    debian.run(f"curl -si http://{name}/", says="the shop")
                    _served_by(debian, "gateway")
            debian.step(authority.page(name), shown=f"curl https://{name}/", says="the shop")
            _served_by(debian, "gateway")
            for line in commands(section("from-nginx.md", "Back")):
                debian.step(line)
            _served_by(debian, "nginx")
            debian.step(authority.page(name), shown=f"curl https://{name}/", says="the shop")
        print(f"  {debian.steps.whole:6.1f} s  in all\n")


def _served_by(debian: Userland, unit: str) -> None:
    other = "nginx" if unit == "gateway" else "gateway"
    debian.run(f"systemctl is-active {unit}", says="active")
    if debian.run(f"systemctl is-active {other}", fails=None).stdout.strip() == "active":
        raise Failed(f"{other} serves beside {unit}")


TRIALS: Final = {"flask.md": _flask, "from-nginx.md": _from_nginx}


def main(argv: list[str]) -> int:
    parser = userland.parser("The pages for admins, followed in a fresh Debian.")
    parser.add_argument("--page", action="append", choices=tuple(TRIALS), help="(all)")
    options = parser.parse_args(argv)
    for release in userland.releases(options.release):
        for page in options.page or TRIALS:
            print(f"docs/{page} on {release}", flush=True)
            TRIALS[page](release)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
