"""What --fix changes is what its diff says, and nothing else: statements, comments and braces before and after.

The configurations are those in which a rule finds something, and those that explain is tried on. That what comes out is
taken, and that the fault is gone, test_rules.py says of each rule.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from gateway.config.lexer import Ending, Lexer
from gateway.config.parser import load as parse_file
from gateway.config.text import to_bytes
from gateway.dev.check.command import Found, check, edited, text
from gateway.dev.check.edits import Edit
from tests.dev.check.cases import CASES, load

ROOT = Path(__file__).parents[3]
EXPLAINED = ROOT / "tests" / "data" / "explain"
BAD = [(id, text) for id, (bad, _) in CASES.items() for text in bad]
Words = tuple[str, ...]


def statements(text: str) -> tuple[Counter[Words], int]:
    """Each statement's words, how often they stand there, and the braces that are left open."""
    lexer = Lexer(to_bytes(text), "x")
    counted: Counter[Words] = Counter()
    depth = 0
    while (reading := lexer.read()).ending is not Ending.END:
        if reading.tokens:
            counted[tuple(token.text for token in reading.tokens)] += 1
        depth += {Ending.OPEN: 1, Ending.CLOSE: -1}.get(reading.ending, 0)
    return counted, depth


def made(edits: list[Edit], before: str) -> tuple[Counter[Words], Counter[Words]]:
    """What edits take away and what they put in; of two for one statement the first one is made."""
    lines = before.split("\n")
    taken: dict[tuple[int, int, str], Edit] = {}
    for edit in edits:
        taken.setdefault((edit.where.first_line, edit.where.column, edit.text if edit.after else ""), edit)
    gone: Counter[Words] = Counter()
    come: Counter[Words] = Counter()
    for edit in taken.values():
        if not edit.after:
            rest = "\n".join(
                [lines[edit.where.first_line - 1][edit.where.column - 1 :], *lines[edit.where.first_line :]]
            )
            gone[tuple(token.text for token in Lexer(to_bytes(rest), "x").read().tokens)] += 1
        if edit.text:
            come += statements(edit.text + ("" if edit.after else ";"))[0]
    return gone, come


def patched(before: str, shown: str) -> str:
    """A file after the hunks of its diff, as patch makes it."""
    old, new, at = before.splitlines(keepends=True), [], 0
    for line in shown.split("\n"):
        if (hunk := re.match(r"@@ -(\d+)(?:,(\d+))? ", line)) is not None:
            begin = int(hunk[1]) - (0 if hunk[2] == "0" else 1)
            new += old[at:begin]
            at = begin
        elif line.startswith((" ", "-")) and not line.startswith("---"):
            assert old[at].rstrip("\n") == line[1:]
            new += [old[at]] if line[0] == " " else []
            at += 1
        elif line.startswith("+") and not line.startswith("+++"):
            new.append(line[1:] + "\n")
    return "".join(new + old[at:])


def said_and_done(found: list[Found], folder: Path) -> int:
    """Compare for each file that is changed; how many there are."""
    changes = edited(found)
    for file, (before, after) in changes.items():
        edits = [edit for each in found for edit in each.problem.edits if edit.where.file == file]
        gone, come = made(edits, before)
        (old, open_before), (new, open_after) = statements(before), statements(after)
        assert open_before == open_after
        assert +(new - old) <= come and +(old - new) <= gone
        assert new + gone == old + come
        assert before.count("#") == after.count("#")
        shown = text(found, {file: (before, after)}, fixed=False)
        assert patched(before, shown[shown.index("\n---") + 1 :]).rstrip("\n") == after.rstrip("\n")
    return len(changes)


@pytest.mark.parametrize(("id", "given"), BAD)
def test_of_a_rule(id: str, given: str, site: Path, tmp_path: Path) -> None:
    given = given if given.startswith("main:") else f"# above\n{given} # beside\n# below"
    found = [each for each in check(load(tmp_path, site, given)) if each.rule.id == id]
    assert said_and_done(found, tmp_path) == bool([edit for each in found for edit in each.problem.edits])


def test_of_whole_configurations(site: Path, tmp_path: Path) -> None:
    for name in ("uwsgi_params", "fastcgi_params", "scgi_params", "mime.types"):
        shutil.copy(ROOT / "gateway" / "conf" / name, tmp_path)
    shutil.copy(EXPLAINED / "http.inc", tmp_path)
    changed = 0
    for each in sorted(EXPLAINED.glob("*.conf")):
        file = tmp_path / each.name
        file.write_text(
            re.sub(r"@SITE@/\.\./(\w+_params)", rf"{tmp_path}/\1", each.read_text()).replace("@SITE@", str(site))
        )
        changed += said_and_done(check(parse_file(str(file))), tmp_path)
    assert changed > 20


def test_what_was_mended_shows_nothing_more_to_mend(site: Path, tmp_path: Path) -> None:
    """A host that is not passed and a scheme that is not passed are one reading of the file, not two."""
    tls = "listen 8443 ssl; ssl_certificate SITE/cert.pem; ssl_certificate_key SITE/key.pem;"
    found = check(load(tmp_path, site, f"server {{ {tls} location / {{ proxy_pass http://127.0.0.1:1; }} }}"))
    for file, (_, after) in edited(found).items():
        Path(file).write_text(after)
        again = [each.rule.id for each in check(parse_file(file)) if each.problem.edits]
        assert not again
