"""make docs-trial: what pages of docs/ tell an admin to type, typed, in a fresh Debian.

    .ci/docs_trial.py [--release bookworm] [--release trixie]

The pages' own lines, in their order, each with its seconds, by a user who may `sudo`; only the authority is pebble
instead of Let's Encrypt, and packages come from what was fetched before.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import authority
import userland
from deb_trial import package
from userland import RELEASES, ROOT, Failed, Steps, Userland

# The parts of pages whose every line is typed.
TYPED: Final = {
    "flask.md": ("On the server", "When it does not work"),
    "django.md": ("On the server",),
    "fastapi.md": ("On the server",),
    "operations.md": ("Start, reload, stop",),
    "from-nginx.md": ("In its place", "Back"),
}

_BLOCK: Final = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.M | re.S)
_SHOP: Final = "/srv/shop"
_NAME: Final = "shop.example"
_WHEELS: Final = "/srv/wheels"


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


@dataclass(frozen=True, slots=True)
class Site:
    """An application's page: what pip installs for it, where it is asked, and what it then says."""

    page: str
    packages: tuple[str, ...]
    path: str
    says: str

    def __call__(self, release: str) -> None:
        """From an empty server to https://shop.example/, as the page says it."""
        deb = package(release)
        with userland.overlaid(release, Steps()) as debian:
            given = f"/home/you/{re.sub('py3[.][0-9]+', 'py3.11', deb.name)}"  # as the page names it
            debian.run("adduser --quiet --disabled-password --gecos '' you")
            (debian.root / given[1:]).write_bytes(deb.read_bytes())
            debian.fetch(f"{given} python3-venv pebble sudo")
            _wheels(debian, release, *self.packages)
            with debian.booted():
                _sudoer(debian)
                debian.run("apt-get -qq install pebble")
                authority.start(debian, _NAME)
                self._follow(debian)
                if self.page == "flask.md":
                    _operate(debian)
                    debian.run(authority.page(_NAME, self.path), says=self.says)
            print(f"  {debian.steps.whole:6.1f} s  in all\n")

    def _follow(self, debian: Userland) -> None:
        home = "~"
        for line in commands(section(self.page)):
            _typed(debian, line, home)
            if line.startswith("cd "):
                home = line.removeprefix("cd ")
            elif "pip install" in line:
                self._copy(debian)
            elif line.startswith("gateway init"):
                _with_pebble(debian)
        debian.until(authority.page(_NAME, self.path), self.says, 120)
        debian.run(f"curl -s -o /dev/null -w '%{{http_code}}' http://{_NAME}/", says="301")
        if "--static" in section(self.page):
            debian.run(authority.page(_NAME, "/static/admin/css/base.css"), says="DJANGO Admin styles")

    def _copy(self, debian: Userland) -> None:
        """The application, which who reads the page has by then."""
        shop = debian.root / _SHOP[1:]
        for kind, title, body in _BLOCK.findall((ROOT / "docs" / self.page).read_text()):
            if kind == "python" and title:
                (shop / title).write_text(body)
            elif "ALLOWED_HOSTS" in body:
                _typed(debian, ".venv/bin/django-admin startproject mysite .", _SHOP)
                with (shop / "mysite" / "settings.py").open("a") as file:
                    file.write(f"{body}DEBUG = False\n")


SITES: Final = (
    Site("flask.md", ("flask", "pyuwsgi"), "/", "hello, 127.0.0.1, over https"),
    Site("django.md", ("django", "pyuwsgi"), "/admin/login/", "Django administration"),
    Site("fastapi.md", ("fastapi", "uvicorn", "websockets"), "/", '{"scheme":"https","host":"shop.example"}'),
)


def _operate(debian: Userland) -> None:
    for line in commands(section("operations.md")):
        _typed(debian, line, _SHOP)
    debian.until("systemctl is-active gateway", "inactive")  # the last of them ends it
    debian.step("systemctl start gateway")


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


def _sudoer(debian: Userland) -> None:
    """Who says yes to apt, and to whom sudo says yes."""
    debian.run('echo \'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false";\' >/etc/apt/apt.conf.d/99trial')
    debian.run("apt-get -qq install sudo")
    debian.run("echo 'you ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/you")


def _typed(debian: Userland, line: str, where: str = "~") -> None:
    """By the user, in a shell of a login."""
    debian.step(f"runuser -l you <<'X'\ncd {where} && {line}\nX", shown=line)


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
        debian.run("adduser --quiet --disabled-password --gecos '' you")
        packages = f"/root/{deb.name} nginx certbot python3-certbot-nginx pebble"
        debian.fetch(f"{packages} sudo")
        with debian.booted():
            _sudoer(debian)
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
            debian.run("echo 'Defaults env_file=/etc/sudo.env' >>/etc/sudoers.d/you")
            debian.run(f"echo REQUESTS_CA_BUNDLE={authority.TRUSTED} >/etc/sudo.env")
            debian.run("echo CONF=/etc/nginx/nginx.conf >>/etc/default/gateway")
            for line in commands(section("from-nginx.md", "In its place")):
                _typed(debian, line)
                if "enable --now gateway" in line:
                    debian.run(f"curl -si http://{name}/", says="the shop")
                    _served_by(debian, "gateway")
            debian.step(authority.page(name), shown=f"curl https://{name}/", says="the shop")
            _served_by(debian, "gateway")
            for line in commands(section("from-nginx.md", "Back")):
                _typed(debian, line)
            _served_by(debian, "nginx")
            debian.step(authority.page(name), shown=f"curl https://{name}/", says="the shop")
        print(f"  {debian.steps.whole:6.1f} s  in all\n")


def _served_by(debian: Userland, unit: str) -> None:
    other = "nginx" if unit == "gateway" else "gateway"
    debian.run(f"systemctl is-active {unit}", says="active")
    if debian.run(f"systemctl is-active {other}", fails=None).stdout.strip() == "active":
        raise Failed(f"{other} serves beside {unit}")


TRIALS: Final = {
    **{site.page: site for site in SITES},
    "from-nginx.md": _from_nginx,
}


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
