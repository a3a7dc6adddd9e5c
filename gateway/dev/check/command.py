"""gateway check: the verb's command line, its output, and its exit codes."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from gateway.config import codes
from gateway.config.errors import ConfigError, Where, format_for_terminal
from gateway.config.report import Report
from gateway.config.text import to_str
from gateway.core.logs import Log, console
from gateway.dev.check import (  # each brings its rules
    access,
    circles,
    files,
    files_first,
    headers,
    mistyped,
    names,
    origins,
    passing,
    regexes,
    routing,
    small,
    tls,
)
from gateway.dev.check.block import Block
from gateway.dev.check.edits import Edit, apply, diff
from gateway.dev.check.rule import RULES, Problem, Rule
from gateway.process import options as process_options

if TYPE_CHECKING:
    from gateway.config.parser import Source
    from gateway.process.options import Options

_FAMILIES: Final = (
    access, circles, files, files_first, headers, mistyped, names, origins, passing, regexes, routing, small, tls,
)  # fmt: skip
_RANK: Final = {"error": 0, "warn": 1, "note": 2}
_SARIF_LEVELS: Final = {"error": "error", "warn": "warning", "note": "note"}

_EXAMPLES: Final = """\
examples:
  gateway check                      ./nginx.conf, else /etc/nginx/nginx.conf
  gateway check -c site.conf --fix   make the edits that are shown
  gateway check --strict --sarif     notes count too; for a CI

Exit codes: 0 nothing found, 1 something found or a configuration that does not load, 2 wrong use.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A problem with the rule that found it."""

    rule: Rule
    problem: Problem


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway check",
        description="Say what -t accepts and what will still hurt, with the reason and a safe way out if there is one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("-c", dest="conf", metavar="FILE", help="the configuration")
    made.add_argument("-p", dest="prefix", metavar="DIR", help="the prefix of relative paths")
    made.add_argument("-g", dest="globals", default="", metavar="TEXT", help="directives of the main context")
    made.add_argument("--strict", action="store_true", help="notes count for the exit code too")
    made.add_argument("--fix", action="store_true", help="make the edits")
    made.add_argument("--only", default="", metavar="ID,…", help="these rules alone")
    made.add_argument("--skip", default="", metavar="ID,…", help="all but these rules")
    made.add_argument("--rules", action="store_true", help="list the rules and end")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", default="text", help="as JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="as CSV")
    form.add_argument("--sarif", dest="form", action="store_const", const="sarif", help="as SARIF 2.1.0")
    return made


def main(argv: Sequence[str]) -> int:
    options = command_line().parse_args(argv)
    if options.rules:
        for each in sorted(RULES.values(), key=lambda rule: rule.id):
            print(f"{each.id}  {each.severity:<5}  {each.name}\n       {each.reason}")
        return 0
    unknown = [id for id in _ids(options.only) + _ids(options.skip) if id not in RULES]
    if unknown:
        print(f"gateway check: there is no rule {', '.join(unknown)} (gateway check --rules)", file=sys.stderr)
        return 2
    try:
        given = options_for(options.conf, options.prefix, options.globals)
        source = _load(given)
    except ConfigError as error:
        _mistakes([error, *error.further], options.form)
        return 1
    except process_options.NoConfiguration as error:
        print(f"gateway check: there is neither {' nor '.join(error.places)}; name one with -c", file=sys.stderr)
        return 1
    found = check(source, _ids(options.only), _ids(options.skip), given)
    changes = edited(found)
    if options.form == "text":
        print(text(found, changes, fixed=options.fix), end="")
    else:
        _for_a_program(found, options.form)
    if options.fix:
        for file, (_, after) in changes.items():
            Path(file).write_text(after, "utf-8", "surrogateescape")
        fixed = {id(each) for each in found if each.problem.edits}
        found = [each for each in found if id(each) not in fixed]
    counted = [each for each in found if options.strict or each.rule.severity != "note"]
    return 1 if counted else 0


def _mistakes(errors: list[ConfigError], form: str) -> None:
    """It does not load; all that is known to be wrong."""
    if form == "text":
        for each in errors:
            print(format_for_terminal(each), file=sys.stderr)
        return
    found = [Found(_rule_of(each), Problem(_place(each) or Where("", 0), each.message)) for each in errors]
    _for_a_program(found, form)


def _place(error: ConfigError) -> Where | None:
    """Where nginx says that it is, else where it is used."""
    return Report(error, color=False, program="gateway", source=error.source).where()


def _for_a_program(found: list[Found], form: str) -> None:
    if form == "csv":
        columns = ("id", "name", "severity", "file", "line", "text")
        writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(_as_json(each) for each in found)
        return
    json.dump([_as_json(each) for each in found] if form == "json" else sarif(found), sys.stdout, indent=2)
    print()


def _rule_of(error: ConfigError) -> Rule:
    """A kind of mistake in the form of a rule, whose look never runs."""
    kind = codes.kind_of(error.message)
    return Rule(kind.code, kind.name, "error", kind.what, lambda _: iter(()))


def about(id: str) -> str:
    """What a rule or the code of a mistake says, and where its page is; nothing where there is none of this name."""
    for each in RULES.values():
        if id.upper() == each.id or id.lower() == each.name:
            reason = textwrap.fill(each.reason, 100)
            return f"{each.id} {each.name} ({each.severity})\n\n{reason}\n\nExamples: {page(each)} of the documentation"
    return codes.about(id)


def page(rule: Rule) -> str:
    """Where the documentation has its examples."""
    return f"rules/{rule.id}.md" if rule.id in RULES else codes.page(rule.id, rule.name)


def _ids(words: str) -> list[str]:
    return [word.strip().upper() for word in words.split(",") if word.strip()]


def read(conf: str | None, prefix: str | None = None, globals_text: str = "") -> Source:
    """The statements of a configuration that loads. Errors: ConfigError, NoConfiguration."""
    return _load(options_for(conf, prefix, globals_text))


def options_for(conf: str | None, prefix: str | None = None, globals_text: str = "") -> Options:
    """What a configuration is loaded with. Errors: NoConfiguration."""
    if conf is not None and not conf.startswith("/"):
        conf = str(Path.cwd() / conf)
    return process_options.resolve(conf_file=conf, prefix=prefix, globals_text=globals_text, test=True, quiet=True)


def _load(options: Options) -> Source:
    from gateway.process.load import load

    console.enabled = False
    loaded = load(options, Log())
    loaded.check_zones()
    return loaded.source


def check(
    source: Source, only: Sequence[str] = (), skip: Sequence[str] = (), options: Options | None = None
) -> list[Found]:
    """What the rules find, by file and line; `options`: what it was loaded with, where that is more than its file."""
    config = Block(None, list(source.statements), None)
    main_file = next((name for name, _ in source.files), "")
    config.options = options or (options_for(main_file, source.conf_prefix) if main_file else None)
    found = []
    for each in RULES.values():
        if (not only or each.id in only) and each.id not in skip:
            found += [Found(each, problem) for problem in each.look(config)]
    order = {name: number for number, (name, _) in enumerate(source.files)}
    unique = {(one.rule.id, one.problem.where, one.problem.text): one for one in found}
    return sorted(
        unique.values(), key=lambda one: (order.get(one.problem.where.file, 0), one.problem.where.line, one.rule.id)
    )


def edited(found: Iterable[Found]) -> dict[str, tuple[str, str]]:
    """The files that the edits change: their text before and after."""
    by_file: dict[str, list[Edit]] = {}
    for each in found:
        for edit in each.problem.edits:
            by_file.setdefault(edit.where.file, []).append(edit)
    changes = {}
    for file, edits in by_file.items():
        if file:
            before = to_str(Path(file).read_bytes())
            after = apply(before, edits)
            if after != before:
                changes[file] = before, after
    return changes


def text(found: list[Found], changes: dict[str, tuple[str, str]], *, fixed: bool) -> str:
    """For a person: a line for each problem, then the edits as a diff."""
    lines = []
    for each in found:
        lines.append(
            f"{each.problem.where}: {each.rule.severity}: {each.problem.text}  [{each.rule.id} {each.rule.name}]"
        )
    if not found:
        lines.append("nothing found")
    if changes:
        lines.append("\nchanged:" if fixed else "\na way out, made with --fix:")
        lines += [diff(file, before, after).rstrip("\n") for file, (before, after) in changes.items()]
    counts = {severity: sum(each.rule.severity == severity for each in found) for severity in _RANK}
    if found:
        lines.append(
            "\n"
            + ", ".join(f"{count} {name}{'s' if count != 1 else ''}" for name, count in counts.items() if count)
            + f"; gateway help {found[0].rule.id} says more"
        )
    return "\n".join(lines) + "\n"


def _as_json(each: Found) -> dict[str, Any]:
    where = each.problem.where
    return {
        "id": each.rule.id, "name": each.rule.name, "severity": each.rule.severity, "file": where.file,
        "line": where.line, "text": each.problem.text, "reason": each.rule.reason, "fixable": bool(each.problem.edits),
        "page": page(each.rule),
    }  # fmt: skip


def sarif(found: list[Found]) -> dict[str, Any]:
    """SARIF 2.1.0, as code hosts read it."""
    rules = sorted({each.rule.id: each.rule for each in found}.values(), key=lambda rule: rule.id)
    results = []
    for each in found:
        where = each.problem.where
        place = {"artifactLocation": {"uri": quote(where.file)}, "region": {"startLine": max(where.first_line, 1)}}
        results.append({
            "ruleId": each.rule.id,
            "level": _SARIF_LEVELS[each.rule.severity],
            "message": {"text": each.problem.text},
            "locations": [{"physicalLocation": place}],
        })  # fmt: skip
    described = [
        {
            "id": each.id,
            "name": each.name,
            "fullDescription": {"text": each.reason},
            "help": {"text": f"{each.reason} ({page(each)} of the documentation, gateway help {each.id})"},
        }
        for each in rules
    ]
    driver = {"name": "gateway check", "rules": described}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
