"""gateway trust, untrust: the local authority in the stores of the system and of browsers; what fails is said."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.dev.authority import Authority, NoAuthority

# Where distributions look for authorities of the machine's own, and what they call afterwards.
_SYSTEMS: Final = (
    ("/usr/local/share/ca-certificates", "gateway-local.crt", ("update-ca-certificates",)),  # Debian, Ubuntu, Alpine
    ("/etc/pki/ca-trust/source/anchors", "gateway-local.pem", ("update-ca-trust", "extract")),  # Fedora
    ("/usr/share/pki/trust/anchors", "gateway-local.pem", ("update-ca-certificates",)),  # openSUSE
    ("/etc/ca-certificates/trust-source/anchors", "gateway-local.crt", ("trust", "extract-compat")),  # Arch
)
# Firefox's profiles and Chromium's store, below the home folder.
_BROWSERS: Final = (
    ".pki/nssdb", ".mozilla/firefox/*", "snap/firefox/common/.mozilla/firefox/*", "snap/chromium/current/.pki/nssdb",
)  # fmt: skip

_SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one store."""

    store: str
    fine: bool
    word: str


def _command_line(verb: str, description: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=f"gateway {verb}", description=description)
    made.add_argument("--no-system", action="store_true", help="leave the system's store alone")
    made.add_argument("--no-browsers", action="store_true", help="leave the browsers' stores alone")
    return made


def command_line() -> argparse.ArgumentParser:
    """The command line of `trust`."""
    text = "Put your local authority into the system's and the browsers' stores, so that they believe `--https`."
    return _command_line("trust", text)


def untrust_command_line() -> argparse.ArgumentParser:
    """The command line of `untrust`."""
    return _command_line("untrust", "Take your local authority out of the system's and the browsers' stores again.")


def main(argv: Sequence[str]) -> int:
    """Exit codes: 0 all stores have it, 1 some do not, 2 wrong use."""
    options = command_line().parse_args(argv)
    try:
        authority = Authority.of_user()
        authority.make()
    except NoAuthority as why:
        print(f"gateway trust: {why}", file=sys.stderr)
        return 1
    print(f"the authority is {authority.file}; its key stays beside it and is yours alone")
    done: list[Done] = []
    if not options.no_system:
        done.append(_system(authority, add=True))
    if not options.no_browsers:
        done += _browsers(authority, add=True)
    authority.believed = authority.believed or any(each.fine for each in done)
    return _tell(done, options, add=True)


def untrust(argv: Sequence[str]) -> int:
    """Exit codes: 0 no store has it any more, 1 some may, 2 wrong use."""
    options = untrust_command_line().parse_args(argv)
    try:
        authority = Authority.of_user()
    except NoAuthority as why:
        print(f"gateway untrust: {why}", file=sys.stderr)
        return 1
    if not authority.exists:
        print("there is no local authority")
        return 0
    done: list[Done] = []
    if not options.no_system:
        done.append(_system(authority, add=False))
    if not options.no_browsers:
        done += _browsers(authority, add=False)
    authority.believed = False
    return _tell(done, options, add=False)


def _tell(done: list[Done], options: argparse.Namespace, *, add: bool) -> int:
    for each in done:
        print(f"  {each.store}: {each.word}")
    if not options.no_browsers and all(each.store == _SYSTEM for each in done):
        later = "; type this again when one has been started" if add else ""
        print(f"  browsers: none has a store below {Path.home()}{later}")
    return 0 if all(each.fine for each in done) else 1


def _system(authority: Authority, *, add: bool) -> Done:
    known = (each for each in _SYSTEMS if os.path.isdir(each[0]) and shutil.which(each[2][0], path=_sbin()))
    folder, file, update = next(known, ("", "", ()))
    if not folder:
        return Done(_SYSTEM, False, f"no store that is known; put {authority.file} there yourself")
    target = f"{folder}/{file}"
    commands = [["install", "-m", "644", str(authority.file), target] if add else ["rm", "-f", target], list(update)]
    asking = [] if os.geteuid() == 0 else ["sudo"]
    if asking and not (sys.stdin.isatty() and shutil.which("sudo")):
        shown = " && ".join("sudo " + " ".join(command) for command in commands)
        return Done(_SYSTEM, False, f"that needs root: {shown}")
    for command in commands:
        failed = _run([*asking, *command], capture=not asking)
        if failed:
            return Done(_SYSTEM, False, failed)
    return Done(_SYSTEM, True, f"{'has it' if add else 'has it no more'} ({target})")


def _browsers(authority: Authority, *, add: bool) -> Iterator[Done]:
    home = Path.home()
    stores = [found for pattern in _BROWSERS for found in sorted(home.glob(pattern)) if (found / "cert9.db").exists()]
    if not stores:
        return
    tool = shutil.which("certutil")
    for store in stores:
        name = f"browser's {store.relative_to(home)}"
        if tool is None:
            yield Done(name, False, "certutil is missing (Debian: apt install libnss3-tools)")
            continue
        command = [tool, "-d", f"sql:{store}"]
        there = not _run([*command, "-L", "-n", authority.name])
        failed = ""
        if add and not there:
            failed = _run([*command, "-A", "-t", "C,,", "-n", authority.name, "-i", str(authority.file)])
        elif there and not add:
            failed = _run([*command, "-D", "-n", authority.name])
        yield Done(name, not failed, failed or ("has it" if add else "has it no more"))


def _sbin() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _run(command: list[str], *, capture: bool = True) -> str:
    """Why it failed, or nothing."""
    try:
        done = subprocess.run(
            command, capture_output=capture, text=True, check=False, env={**os.environ, "PATH": _sbin()}
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if not done.returncode:
        return ""
    said = (done.stderr or done.stdout or "").strip().splitlines() if capture else []
    return f"{' '.join(command[:2])} failed{f': {said[-1]}' if said else ''}"
