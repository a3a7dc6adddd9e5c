"""make deb-trial: the package in a fresh Debian that is booted with systemd: installed, served, reloaded, purged.

    .ci/deb_trial.py [--release bookworm] [--release trixie]      with the package of dist/ that is for its Python

What an admin does and relies on, each step with its seconds; the first that does not hold ends it with exit code 1.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import userland
from make_deb import MACHINES
from userland import RELEASES, ROOT, Failed, Steps, Userland

_SITE: Final = "server { listen 80; server_name one.example; location / { return 200 'word\\n'; } }"
_PORTS: Final = """\
[Socket]
ListenStream=
ListenStream=0.0.0.0:80
"""

# A client that asks all the time and writes down what it got: what an admin does meanwhile must not be seen by it.
_ASKING: Final = (
    "while [ -e /run/asking ]; do curl -s -m 20 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1/; done >/run/answers"
)

# systemd starts nothing more than five times in ten seconds.
_RESTART: Final = "systemctl reset-failed gateway; systemctl restart gateway"

# What the system itself writes, and what dpkg and apt remember.
_NOT_OURS: Final = (
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache",
    "/var/log",
    "/run",
    "/proc",
    "/sys",
    "/dev",
    "/tmp",
    "/var/lib/logrotate",
)


def package(release: str) -> Path:
    """The newest for the Python of that release and this machine."""
    python = RELEASES[release].removeprefix("cp")
    name = f"gateway_*+py{python[0]}.{python[1:]}_{MACHINES[os.uname().machine]}.deb"
    found = sorted((ROOT / "dist").glob(name), key=lambda deb: deb.stat().st_mtime)
    if not found:
        raise SystemExit(f'no package for {release}: make deb DEB="--for {python[0]}.{python[1:]}"')
    return found[-1]


def trial(release: str) -> None:
    deb = package(release)
    steps = Steps()
    print(f"{release}, {deb.name}", flush=True)
    with userland.overlaid(release, steps) as debian:
        name = f"/root/{deb.name}"
        (debian.root / "root" / deb.name).write_bytes(deb.read_bytes())
        debian.fetch(name)
        with debian.booted():
            before = _files(debian)
            _install(debian, name)
            _serve(debian)
            _reload(debian)
            _logs(debian)
            _crash(debian)
            _sockets(debian)
            _upgrade(debian, name)
            _remove(debian, before)
    print(f"  {steps.whole:6.1f} s  in all\n")


def _install(debian: Userland, name: str) -> None:
    debian.step(f"apt-get -qq -y install --no-install-recommends {name}", shown="apt-get install ./gateway.deb")
    debian.step("systemctl is-active gateway && systemctl is-enabled gateway", says="enabled")
    # systemd says what it does not understand and ends with 0 all the same
    units = "gateway.service gateway.socket"
    command = f"systemd-analyze verify --man=no {units} 2>&1 | grep -i gateway || true"
    said = debian.step(command, shown=f"systemd-analyze verify {units}")
    if said:
        raise Failed(f"systemd-analyze verify: {said}")
    debian.step("gateway -t -c /etc/gateway/nginx.conf 2>&1", says="test is successful")
    debian.step("gateway --version", says="gateway")
    debian.run("env PATH=/usr/local/bin:/usr/bin:/bin gateway --version", says="gateway")  # who is not root
    debian.run("zcat /usr/share/man/man8/gateway.8.gz", says=".TH")


def _serve(debian: Userland) -> None:
    debian.step("curl -s http://127.0.0.1/", says="<h1>gateway is running</h1>")
    # Active is what systemd was told, not that a process is there: the first request after it is answered.
    with debian.steps.step("systemctl restart gateway, five times, and a page at once after each"):
        for _ in range(5):
            debian.run(f"{_RESTART} && curl -s -m 5 http://127.0.0.1/", says="gateway is running")
    debian.step("systemctl show gateway -p Type,NotifyAccess,StatusText", says="Type=notify")
    debian.run("systemctl show gateway -p StatusText | grep -v '^StatusText=$'", says="StatusText=")
    workers = "ps -o user= --ppid $(systemctl show gateway -p MainPID --value) | sort -u"
    debian.step(workers, shown="ps: its workers are www-data's", says="www-data")


def _reload(debian: Userland) -> None:
    ask = "curl -s -H 'Host: one.example' http://127.0.0.1/"
    site = "/etc/gateway/conf.d/one.conf"
    (first, second) = (_SITE.replace("word", word) for word in ("first", "second"))
    debian.run(f"cat >{site} <<'X'\n{first}\nX")
    debian.step("systemctl reload gateway", shown="systemctl reload gateway, with a new site")
    debian.run(ask, says="first")
    with debian.steps.step("systemctl reload gateway, ten times under requests: each is answered"):
        _beside(debian, "for n in 1 2 3 4 5 6 7 8 9 10; do systemctl reload gateway || exit 1; done", {"200"})
    debian.run(f"cat >{site} <<'X'\n{second.replace('return', 'retrun')}\nX")
    debian.step("systemctl reload gateway", shown="systemctl reload gateway, with a mistake: it fails", fails=True)
    debian.run(ask, says="first")
    debian.until("journalctl -u gateway --no-pager", 'unknown directive "retrun"')
    debian.step(_RESTART, shown="systemctl restart gateway, with a mistake: it fails", fails=True)
    debian.run("systemctl is-active gateway", fails=True)
    debian.run(f"cat >{site} <<'X'\n{second}\nX")
    debian.step("systemctl reset-failed gateway; systemctl start gateway")
    debian.run(ask, says="second")


def _beside(debian: Userland, command: str, allowed: set[str]) -> None:
    """While it runs, a client gets these answers and no others."""
    asking = f"touch /run/asking; systemd-run -q --unit=asking sh -c \"$(cat <<'X'\n{_ASKING}\nX\n)\""
    debian.run(asking)
    debian.until("wc -c </run/answers | grep -qv '^0$' && echo begun", "begun")
    debian.run(command)
    debian.run("rm /run/asking; while systemctl -q is-active asking; do sleep 0.1; done")
    answers = set(debian.run("cat /run/answers").stdout.split())
    if not answers or answers - allowed:
        raise Failed(f"{command}: a client got {sorted(answers)}")


def _logs(debian: Userland) -> None:
    logs = "/var/log/gateway"
    debian.run("curl -s -o /dev/null http://127.0.0.1/before")
    debian.until(f"cat {logs}/access.log", "/before")
    debian.step("logrotate -f /etc/logrotate.d/gateway")
    debian.run(f"grep -q /before {logs}/access.log.1")
    debian.until(f"curl -s -o /dev/null http://127.0.0.1/after; cat {logs}/access.log", "/after")
    debian.run(f"stat -c '%U %G %a' {logs}/access.log", says="www-data adm 640")
    debian.run(f"! grep -q /after {logs}/access.log.1")
    debian.step("logrotate -f /etc/logrotate.d/gateway", shown="logrotate -f, a second time: the first is compressed")
    debian.run(f"zgrep -q /before {logs}/access.log.2.gz")


def _crash(debian: Userland) -> None:
    with debian.steps.step("kill -9 of the master: systemd starts it again"):
        restarts = int(debian.run("systemctl show gateway -p NRestarts --value").stdout)
        debian.run("systemctl kill -s KILL --kill-who=main gateway")
        debian.until("curl -s -m 5 http://127.0.0.1/", "gateway is running")
        debian.until("systemctl show gateway -p NRestarts", f"NRestarts={restarts + 1}")
    with debian.steps.step("kill -9 of a worker: the next requests are answered"):
        debian.run("kill -9 $(ps -o pid= --ppid $(systemctl show gateway -p MainPID --value) | head -n 1)")
        debian.until("curl -s -m 5 http://127.0.0.1/", "gateway is running")
        debian.run("systemctl is-active gateway")


def _sockets(debian: Userland) -> None:
    """systemd holds port 80: the first client starts the service, and none is refused while it starts again."""
    debian.run("systemctl reset-failed gateway; systemctl stop gateway")
    debian.step("systemctl start gateway.socket")
    debian.run("systemctl is-active gateway.service", fails=True)
    debian.step("curl -s -m 60 http://127.0.0.1/", shown="curl: the first client starts it", says="gateway is running")
    debian.run("systemctl is-active gateway.service", says="active")
    with debian.steps.step("systemctl restart gateway, three times under requests: none is refused"):
        _beside(debian, f"for n in 1 2 3; do {_RESTART} || exit 1; done", {"200"})
    debian.step("systemctl stop gateway.socket gateway.service; systemctl start gateway.service")
    debian.run("curl -s http://127.0.0.1/", says="gateway is running")


def _upgrade(debian: Userland, name: str) -> None:
    debian.run("sed -i 's/worker_connections .*/worker_connections 512;/' /etc/gateway/nginx.conf")
    main = "systemctl show gateway -p MainPID --value"
    old = debian.run(main).stdout
    again = f"apt-get -qq -y install --reinstall {name}"
    debian.step(again, shown="apt-get install --reinstall, as an upgrade does")
    debian.run("grep 'worker_connections 512;' /etc/gateway/nginx.conf")
    if debian.run(main).stdout == old:
        raise Failed("after an upgrade the old program goes on")
    debian.run("curl -s -m 5 http://127.0.0.1/", says="gateway is running")


def _remove(debian: Userland, before: set[str]) -> None:
    debian.step("apt-get -qq -y remove gateway", shown="apt-get remove gateway")
    debian.run("pgrep -f [/]usr/sbin/gateway", fails=True)
    debian.run("grep 'worker_connections 512;' /etc/gateway/nginx.conf && ls /var/log/gateway/access.log")
    debian.run("rm /etc/gateway/conf.d/one.conf")
    debian.step("apt-get -qq -y purge gateway", shown="apt-get purge gateway")
    if left := {name for name in _files(debian) - before if not name.startswith(_NOT_OURS)}:
        raise Failed(f"what purge leaves: {sorted(left)}")
    debian.run("ls -d /var/log/gateway /run/gateway.pid", fails=True)
    debian.run("systemctl daemon-reload; systemctl list-unit-files | grep gateway", fails=True)


def _files(debian: Userland) -> set[str]:
    """All files, but those of Python and what else came with the package as a dependency."""
    theirs = {"/usr/lib/python3", "/etc/python3"}
    found = debian.run("find / -xdev \\( -type f -o -type l -o -type d \\) 2>/dev/null", fails=None).stdout.split("\n")
    owned = set(debian.run("cat /var/lib/dpkg/info/*.list").stdout.split("\n"))
    return {name for name in found if name not in owned and not any(name.startswith(each) for each in theirs)}


def main(argv: list[str]) -> int:
    options = userland.parser("The Debian package, tried in a fresh Debian.").parse_args(argv)
    for release in userland.releases(options.release):
        trial(release)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
