"""The documentation's page of each rule of gateway check: `python -m tests.rule_pages` writes docs/rules.

The examples are the test's own (tests/data/check/rules.toml): the first configuration in which a rule finds something,
what `--fix` makes of the first that it mends, and the first in which there is nothing to find.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.dev.check.command import check, edited
from gateway.dev.check.rule import RULES, Rule
from gateway.dev.fmt import formatted
from tests.dev.check.cases import CASES, load, make_site, names_of_cases

OTHERS: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(
    (Path(__file__).parent / "data" / "check" / "others.toml").read_text()
)
FOLDER = Path(__file__).parents[1] / "docs" / "rules"
_FAMILIES = {
    "1": "Files", "2": "Headers and addresses", "3": "What is passed to applications", "4": "Servers and locations",
    "5": "Regular expressions", "6": "TLS", "7": "Limits, logs, compression", "8": "Mistyped",
}  # fmt: skip
_SEVERITIES = {
    "error": "somebody can do harm, or it does not work",
    "warn": "it does something else than it seems to do",
    "note": "there is a better way",
}


def pages() -> dict[str, str]:
    """The text of each file of the folder, by its name."""
    with tempfile.TemporaryDirectory() as folder, names_of_cases():
        site = Path(folder) / "site"
        site.mkdir()
        make_site(site)
        made = {f"{id}.md": _page(rule, site, Path(folder)) for id, rule in sorted(RULES.items())}
    return made | {"index.md": _index(), "others.md": _others()}


def _index() -> str:
    lines = ["# Rules of gateway check", "", "`gateway check` looks for these; `gateway help GW101` shows one of them."]
    lines += ["", "[What other collections find](others.md) says which of theirs are among them."]
    family = ""
    for id, rule in sorted(RULES.items()):
        if _FAMILIES[id[2]] != family:
            family = _FAMILIES[id[2]]
            lines += ["", f"## {family}", "", "| rule | | reason |", "| --- | --- | --- |"]
        reason = rule.reason.replace("|", "\\|")
        lines.append(f"| [{id} {rule.name}]({id}.md) | {rule.severity} | {reason} |")
    return "\n".join(lines) + "\n"


def _others() -> str:
    """What finds here what the rules of other collections find."""
    lines = ["# What other collections find", "", "Their rules, and which of `gateway check` finds the same."]
    for collection, theirs in OTHERS.items():
        lines += ["", f"## {collection}", "", "| theirs | here | what is not found, and why |", "| --- | --- | --- |"]
        for name, said in theirs.items():
            here = ", ".join(f"[{id} {RULES[id].name}]({id}.md)" for id in said["rules"]) or "none"
            left_out = str(said.get("not", "")).replace("|", "\\|")
            lines.append(f"| {name} | {here} | {left_out} |")
    return "\n".join(lines) + "\n"


def _page(rule: Rule, site: Path, folder: Path) -> str:
    bad, good = CASES[rule.id]
    lines = [
        f"# {rule.id} {rule.name}",
        "",
        f"{rule.reason}",
        "",
        f"{rule.severity}: {_SEVERITIES[rule.severity]}.",
        "",
    ]
    lines += ["## Found in", "", "```nginx", *_shown(bad[0]), "```", ""]
    for number, text in enumerate(bad):
        mended = _mended(rule, text, site, folder / f"{rule.id}-{number}")
        if mended is not None:
            title = "## What `--fix` makes of it" if number == 0 else "## What `--fix` makes of another one"
            lines += [title, "", "```nginx", *mended, "```", ""]
            break
    lines += ["## Nothing to find in", "", "```nginx", *_shown(good[0]), "```", ""]
    lines += [f"`gateway check --skip {rule.id}` leaves the rule out."]
    return "\n".join(lines) + "\n"


def _shown(text: str) -> Iterator[str]:
    yield from (
        formatted(text.removeprefix("main:").replace("SITE", "/srv/site").strip() + "\n").rstrip("\n").split("\n")
    )


def _mended(rule: Rule, text: str, site: Path, folder: Path) -> list[str] | None:
    """The configuration with the rule's edits made; None where it has none."""
    folder.mkdir()
    found = [each for each in check(load(folder, site, text)) if each.rule.id == rule.id]
    changes = edited(found).get(str(folder / "nginx.conf"))
    if changes is None:
        return None
    after = changes[1].replace(str(site), "/srv/site").replace(str(folder), "/etc/gateway")
    if not text.startswith("main:"):
        after = after.removeprefix("events {}\nhttp {\n").removesuffix("}\n")
    return list(_shown(after))


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for name, text in written.items():
        (FOLDER / name).write_text(text)
    for file in FOLDER.glob("*.md"):
        if file.name not in written:
            file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
