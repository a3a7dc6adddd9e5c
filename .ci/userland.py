"""A fresh Debian that is booted beside this one: systemd as process 1, a loopback of its own, gone when the trial ends.

debootstrap makes it once for each release, in build/userland; what a trial changes stands in an overlay above. It
needs root, debootstrap, and systemd-nspawn (Debian: systemd-container). Booted, it reaches nothing outside: packages
are fetched before.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
BASES: Final = ROOT / "build" / "userland"

# The Python of each release, as wheels are tagged: Debian 12 and 13, Ubuntu 24.04.
RELEASES: Final = {"bookworm": "cp311", "trixie": "cp313", "noble": "cp312"}

# Ubuntu's keys are in no package of Debian's: there apt, which brings its own, is the first to check a signature. A
# debootstrap that is older than a release knows it by the script of an older one; the mirror is the script's.
_UBUNTU: Final = {"noble": "gutsy"}
_UBUNTU_KEYS: Final = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")

# What every server of theirs has, or what a trial looks through.
_PACKAGES: Final = "systemd,systemd-sysv,dbus,ca-certificates,curl,openssl,logrotate,procps,python3"
_BOOT_S: Final = 120.0
_COMMAND_S: Final = 300.0

# What debootstrap calls its end, so that one which was broken off is made anew.
_MADE: Final = ".made"


class Failed(SystemExit):
    """A step did not do what it must; its text says which and what was said."""


@dataclass(slots=True)
class Steps:
    """What was done, and how long each took; printed as it goes."""

    times: list[tuple[str, float]] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self, shown: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except BaseException:
            print(f"  failed    {shown}", flush=True)
            raise
        seconds = time.monotonic() - began
        self.times.append((shown, seconds))
        print(f"  {seconds:6.1f} s  {shown}", flush=True)

    @property
    def whole(self) -> float:
        return sum(seconds for _, seconds in self.times)


def lacking() -> str:
    """Why there can be no trial here; nothing where there can."""
    if os.geteuid():
        return "a userland is booted by root only"
    wanted = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
    missing = [package for name, package in wanted.items() if shutil.which(name) is None]
    return f"apt-get install {' '.join(missing)}" if missing else ""


def base(release: str, steps: Steps) -> Path:
    """The release as debootstrap leaves it; made where there is none."""
    folder = BASES / release
    if not (folder / _MADE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with steps.step(f"debootstrap {release}"):
            _quiet(_debootstrap(release, folder), 1200)
        (folder / "etc/hostname").write_text(f"{release}\n")
        (folder / "etc/hosts").write_text(f"127.0.0.1 localhost {release}\n::1 localhost\n")
        (folder / _MADE).touch()
    return folder


def _debootstrap(release: str, folder: Path) -> list[str]:
    command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}"]
    if release not in _UBUNTU:
        return [*command, release, str(folder)]
    if not _UBUNTU_KEYS.exists():
        command.append("--no-check-gpg")
    return [*command, "--components=main,universe", release, str(folder), "", _UBUNTU[release]]


@contextlib.contextmanager
def overlaid(release: str, steps: Steps) -> Iterator[Userland]:
    """A copy of a release that is written to and thrown away."""
    lower = base(release, steps)
    with tempfile.TemporaryDirectory(prefix=f"{release}-") as name:
        root, upper, work = (Path(name) / each for each in ("root", "upper", "work"))
        for folder in (root, upper, work):
            folder.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        _quiet(["mount", "-t", "overlay", "overlay", "-o", options, str(root)], 30)
        try:
            yield Userland(root, steps)
        finally:
            _quiet(["umount", str(root)], 60)


@dataclass(slots=True)
class Userland:
    """One copy: commands run in it before it boots, with this machine's network, or while it is up, with its own."""

    root: Path
    steps: Steps
    _leader: int = 0

    def fetch(self, packages: str) -> None:
        """Into apt's cache, with this machine's network."""
        with self.steps.step(f"apt-get update, and fetch {packages} with what they depend on"):
            shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
            self.run("apt-get -qq update")
            self.run(f"apt-get -qq -y --download-only install --no-install-recommends {packages}")

    def aside(self, command: list[str]) -> int:
        """A program in it, not booted, with this machine's network and its way to the index of Python's packages."""
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        if certificates.exists():
            shutil.copy(certificates, self.root / certificates.relative_to("/"))
        own = Path.home() / ".config" / "pip" / "pip.conf"
        if own.exists():
            shutil.copy(own, self.root / "etc/pip.conf")
        enter = ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--as-pid2", "--pipe", "--register=no"]
        kept = [f"--setenv={name}={value}" for name, value in os.environ.items() if name.startswith("PIP_")]
        return subprocess.call([*enter, "--keep-unit", *kept, *command], stdin=subprocess.DEVNULL)

    @contextlib.contextmanager
    def booted(self) -> Iterator[None]:
        """With systemd as its process 1, on a loopback of its own."""
        log = self.root.parent / "console"
        command = ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot", "--private-network"]
        # it is no machine of this system's: a copy of systemd that this one need not even run
        command += ["--register=no", "--keep-unit", "--console=pipe", "--link-journal=no", "--resolv-conf=off"]
        environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with _own_group() as join:
            with log.open("w") as out:
                command = ["sh", "-c", f'{join} && exec "$@"', "sh", *command]
                running = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            try:
                with self.steps.step("boot"):
                    self._boot(running, log)
                yield
            finally:
                self._leader = 0
                _end(running)

    def _boot(self, running: subprocess.Popen[bytes], log: Path) -> None:
        end = time.monotonic() + _BOOT_S
        while not self._leader:
            if running.poll() is not None or time.monotonic() > end:
                raise Failed(f"it does not boot: {log.read_text()}")
            children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
            inits = [pid for pid in children if _is_init(int(pid))]
            self._leader = int(inits[0]) if inits else 0
            time.sleep(0.05)
        while True:
            # "degraded": this release has units that want hardware
            said = self.run("systemctl is-system-running --wait", fails=None).stdout.strip()
            if said in ("running", "degraded"):
                return
            if running.poll() is not None or time.monotonic() > end:
                raise Failed(f"it does not boot ({said}): {log.read_text()}")
            time.sleep(0.1)

    def run(
        self, command: str, *, says: str = "", fails: bool | None = False, timeout_s: float = _COMMAND_S
    ) -> subprocess.CompletedProcess[str]:
        """A line of sh; `fails` None: either way. `says` stands in what it has printed."""
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        clean = ["env", "-i", path, "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", command]
        done = subprocess.run(
            [*self._entered(), *clean],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
        said = done.stdout + done.stderr
        if fails is not None and bool(done.returncode) != fails:
            raise Failed(f"{command}: exit code {done.returncode}\n{said}{self._journal()}")
        if says not in said:
            raise Failed(f"{command}: this is not in what it says: {says}\n{said}{self._journal()}")
        return done

    def step(self, command: str, *, shown: str = "", says: str = "", fails: bool = False) -> str:
        """One that is listed with its seconds; what it printed."""
        with self.steps.step(shown or command):
            return self.run(command, says=says, fails=fails).stdout

    def until(self, command: str, says: str, patience_s: float = 60.0) -> None:
        """Asked again until it says that."""
        end = time.monotonic() + patience_s
        while True:
            done = self.run(command, fails=None)
            if says in done.stdout + done.stderr:
                return
            if time.monotonic() > end:
                raise Failed(f"{command}: never said: {says}\n{done.stdout}{done.stderr}{self._journal()}")
            time.sleep(0.1)

    def _entered(self) -> list[str]:
        if self._leader:
            return ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        return ["chroot", str(self.root)]

    def _journal(self) -> str:
        if not self._leader:
            return ""
        said = ["journalctl", "-n", "60", "--no-pager", "-o", "short-precise"]
        done = subprocess.run([*self._entered(), *said], capture_output=True, text=True, timeout=30)
        return f"\nits journal ends with:\n{done.stdout}{done.stderr}"


@contextlib.contextmanager
def _own_group() -> Iterator[str]:
    """A control group that no other trial is in, as a line of sh that joins it.

    In one and the same, each systemd would have the other's processes in its units, and wait for their end.
    """
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    top = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if top is None:
        yield "true"
        return
    (own,) = (line[4:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::/"))
    group = Path(tempfile.mkdtemp(prefix="trial-", dir=top / own))
    try:
        yield f"echo 0 >{group}/cgroup.procs"
    finally:
        for folder in (*sorted(group.rglob("*/"), reverse=True), group):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _is_init(pid: int) -> bool:
    """Whether this is process 1 of a namespace: systemd, no longer what starts it."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"
    except OSError:
        return False


def _end(running: subprocess.Popen[bytes]) -> None:
    """It is asked to halt, and ended where it does not."""
    for sign, patience_s in ((signal.SIGTERM, 30), (signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        with contextlib.suppress(ProcessLookupError):
            running.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(patience_s)
            return


def _quiet(command: list[str], patience_s: float) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def parser(description: str) -> argparse.ArgumentParser:
    """The options of a trial."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--release", action="append", choices=tuple(RELEASES), help="(all)")
    return made


def releases(words: list[str] | None) -> list[str]:
    """Those that were asked for, else all; with a sentence where none can be tried."""
    if reason := lacking():
        print(f"no trial here: {reason}", file=sys.stderr)
        raise SystemExit(2)
    return words or list(RELEASES)
