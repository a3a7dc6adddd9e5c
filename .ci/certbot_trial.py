"""make certbot-trial: Debian's own `certbot --nginx` with gateway as nginx, against pebble, in a fresh Debian.

    .ci/certbot_trial.py [--release bookworm] [--release trixie]

The packages of dist/ are installed as an admin does it, a certificate is ordered, used and renewed; each step with its
seconds. The first that does not hold ends it with exit code 1. It is booted as in deb_trial.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import authority
import userland
from deb_trial import package
from userland import ROOT, Failed, Steps, Userland

NAME: Final = "shop.example"
_SITE: Final = f"""\
server {{
    listen 80;
    server_name {NAME};
    location / {{ return 200 "the shop, over $scheme\\\\n"; }}
}}
"""

_SPEAKS: Final = f"openssl s_client -connect 127.0.0.1:443 -servername {NAME} </dev/null 2>/dev/null"
_SERIAL: Final = f"{_SPEAKS} | openssl x509 -noout -serial"
_PAGE: Final = authority.page(NAME)


def trial(release: str) -> None:
    deb = package(release)
    stand_in = max((ROOT / "dist").glob("nginx-is-gateway_*_all.deb"), key=lambda file: file.stat().st_mtime)
    steps = Steps()
    print(f"{release}, {deb.name} and {stand_in.name}", flush=True)
    with userland.overlaid(release, steps) as debian:
        names = [_given(debian, file) for file in (deb, stand_in)]
        packages = f"{' '.join(names)} certbot python3-certbot-nginx pebble"
        debian.fetch(packages)
        with debian.booted():
            command = f"apt-get -qq -y install --no-install-recommends {packages}"
            shown = "apt-get install ./gateway.deb ./nginx-is-gateway.deb certbot python3-certbot-nginx"
            debian.step(command, shown=f"{shown} (and pebble)")
            _prepare(debian)
            _plugin(debian)
            _order(debian)
            _renew(debian)
    print(f"  {steps.whole:6.1f} s  in all\n")


def _given(debian: Userland, file: Path) -> str:
    (debian.root / "root" / file.name).write_bytes(file.read_bytes())
    return f"/root/{file.name}"


def _prepare(debian: Userland) -> None:
    """The site over HTTP, and the authority."""
    debian.run(f"cat >/etc/gateway/conf.d/shop.conf <<'X'\n{_SITE}X")
    debian.run("systemctl reload gateway")
    authority.start(debian, NAME)
    debian.run(f"curl -s http://{NAME}/", says="the shop, over http")


def _certbot(words: str) -> str:
    return f"REQUESTS_CA_BUNDLE={authority.TRUSTED} certbot {words} 2>&1"


def _plugin(debian: Userland) -> None:
    # where the configuration is not /etc/nginx; certbot reads this file itself
    debian.run("mkdir -p /etc/letsencrypt; echo nginx-server-root = /etc/gateway >>/etc/letsencrypt/cli.ini")
    debian.step("nginx -v 2>&1", says="nginx version: nginx/")
    said = debian.step(_certbot("plugins --init --prepare"), shown="certbot plugins --init --prepare", says="* nginx")
    if "Nginx Web Server plugin" not in said:
        raise Failed(f"certbot plugins: {said}")


def _order(debian: Userland) -> None:
    master = "systemctl show gateway -p MainPID --value"
    before = debian.run(master).stdout
    words = f"--nginx -n --agree-tos -m you@{NAME} -d {NAME} --server {authority.DIRECTORY}"
    shown = f"certbot --nginx -d {NAME}"
    debian.step(_certbot(words), shown=shown, says="Successfully received certificate")
    debian.step(_PAGE, shown=f"curl https://{NAME}/", says="the shop, over https")
    debian.run(
        f"curl -s -o /dev/null -w '%{{http_code}} %{{redirect_url}}' http://{NAME}/", says=f"301 https://{NAME}/"
    )
    debian.run("grep 'managed by Certbot' /etc/gateway/conf.d/shop.conf")
    debian.step("nginx -t -c /etc/gateway/nginx.conf 2>&1", says="test is successful")
    if debian.run(master).stdout != before:
        raise Failed("the service was started anew for a certificate")


def _renew(debian: Userland) -> None:
    before = debian.run(_SERIAL, says="serial=").stdout
    debian.step(_certbot("renew"), shown="certbot renew: not due", says="not yet due for renewal")
    shown = "certbot renew --force-renewal, until the new one is served"
    with debian.steps.step(shown):
        debian.run(_certbot("renew --force-renewal --no-random-sleep-on-renew"), says="all renewals succeeded")
        debian.until(f'[ "$({_SERIAL})" != "{before.strip()}" ] && {_SERIAL}', "serial=")
    debian.run(_PAGE, says="the shop, over https")
    debian.run("systemctl restart gateway")
    debian.run(_PAGE, says="the shop, over https")
    debian.step("systemctl is-active certbot.timer", says="active")


def main(argv: list[str]) -> int:
    options = userland.parser("certbot --nginx with gateway, in a fresh Debian.").parse_args(argv)
    for release in userland.releases(options.release):
        trial(release)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
