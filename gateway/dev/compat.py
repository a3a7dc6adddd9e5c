"""gateway compat: what a configuration uses, and of each directive: done, without effect here, or refused."""

from __future__ import annotations

import argparse
import csv
import io
import json
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import gateway
from gateway.config import known, parser
from gateway.config.codes import kind_of
from gateway.config.errors import ConfigError
from gateway.config.hints import of_unknown
from gateway.config.loader import CONTEXT_NAMES, Loader
from gateway.config.outline import context_of
from gateway.config.text import to_str
from gateway.core.logs import Log, console
from gateway.dev.anonymize import anonymize
from gateway.modules import MODULES, packages
from gateway.process import options as process_options

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Source, Statement
    from gateway.process.options import Options

State = Literal["done", "no effect", "refused"]

_DEBIAN: Final = ("/etc/nginx/nginx.conf", "/usr/share/nginx")
# What third parties' modules are for, and what does it here.
_INSTEAD: Final = (
    (("lua_", "content_by_lua", "access_by_lua", "rewrite_by_lua", "set_by_lua"), "Lua is not run"),
    (("js_",), "njs is not run"),
    (("perl",), "Perl is not run"),
    (("pagespeed",), "pages are not rewritten; do it when they are built"),
    (("vhost_traffic_status",), "the figures are in api and status_zone"),
    (("check", "check_http_send", "check_http_expect_alive"), "health_check, in NGINX Plus's form"),
    (("passenger_", "rails_"), "Passenger is a server of its own: uwsgi_pass to uWSGI or gunicorn"),
    (("modsecurity",), "there is no firewall of applications here"),
)  # fmt: skip


# A configuration with these is not loaded: Python code would run.
_RUN_CODE: Final = ("py_import", "load_module")
# Kinds of mistakes that are this machine's, or that follow from others: files, certificates, names, users, code; and
# those that are said without loading.
_NO_REFUSALS: Final = frozenset({
    "GW001", "GW002", "GW008", "GW009", "GW010", "GW011", "GW016", "GW017", "GW019", "GW020", "GW022",
})  # fmt: skip


@dataclass(slots=True)
class Used:
    """A directive that a configuration uses."""

    name: str
    module: str
    state: State
    why: str = ""
    places: list[Where] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "module": self.module, "state": self.state, "why": self.why,
            "places": [str(where) for where in self.places],
        }  # fmt: skip


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway compat",
        description="List the directives that a configuration uses: done, without effect here and why, refused and "
        "what instead. Exit codes: 0 all of it runs, 1 something is refused, 2 wrong use.",
    )
    made.add_argument("-c", dest="conf", metavar="FILE", help="the configuration")
    made.add_argument("-p", dest="prefix", metavar="DIR", help="the prefix of relative paths")
    made.add_argument("--from", dest="system", choices=["debian"], help="the configuration of Debian's nginx")
    made.add_argument("--all", action="store_true", help="name those that are done, too")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", default="text", help="as JSON")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="as CSV, a line for each place")
    form.add_argument(
        "--anonymize", nargs="?", const="secrets", choices=("secrets", "names"),
        help="for a bug report: the files too, without secrets, or without names as well",
    )  # fmt: skip
    return made


def main(argv: Sequence[str]) -> int:
    options = command_line().parse_args(argv)
    conf, prefix = (options.conf, options.prefix) if options.system is None else _DEBIAN
    if conf is not None and not conf.startswith("/"):
        conf = str(Path.cwd() / conf)
    try:
        where = process_options.resolve(conf_file=conf, prefix=prefix, test=True, quiet=True)
    except process_options.NoConfiguration as error:
        print(f"gateway compat: there is neither {' nor '.join(error.places)}; name one with -c", file=sys.stderr)
        return 1
    source = parser.load(where.conf_file, mend=True)
    found = with_mistakes(uses(source.statements.readable()), source, mistakes(where, source))
    if options.form == "json":
        json.dump([each.as_json() for each in found], sys.stdout, indent=2)
        print()
    elif options.form == "csv":
        print(as_csv(found), end="")
    elif options.anonymize:
        print(report(source, names=options.anonymize == "names"), end="")
    else:
        print(text(found, everything=options.all))
    if source.error is not None:
        print(f"gateway compat: read up to here: {source.error}", file=sys.stderr)
        return 1
    return 1 if any(each.state == "refused" for each in found) else 0


def uses(statements: list[Statement]) -> list[Used]:
    """By name: what is refused first, then what has no effect, then the rest."""
    allowed = Loader((*MODULES, *packages.of(statements))).allowed
    contexts = {name: context for context, name in CONTEXT_NAMES.items()}
    found: dict[tuple[str, str], Used] = {}

    def walk(block: list[Statement], around: list[str]) -> None:
        context = context_of(around)
        for statement in block:
            one = _of(statement, context, allowed[contexts[context]._value_] if context in contexts else {})
            found.setdefault((one.name, one.state), one).places.append(statement.where)
            # what may stand in a block that nobody knows, nobody knows either
            known_block = one.module or one.state == "done"
            if statement.block is not None and known_block and statement.name not in known.DATA_BLOCKS:
                walk(statement.block.readable(), [*around, statement.name])

    walk(statements, [])
    order = {"refused": 0, "no effect": 1, "done": 2}
    return sorted(found.values(), key=lambda one: (order[one.state], one.name))


def mistakes(options: Options, source: Source) -> list[ConfigError]:
    """What -t refuses although the directive is known: parameters, values, and what does not go together.

    Each is looked for in what the ones before leave. Files, names and users that this machine lacks are none.
    """
    from gateway.dev.explain import mended
    from gateway.process.load import load

    if source.error is not None or any(each.name in _RUN_CODE for each in _walk(source.statements.readable())):
        return []
    console.enabled = False
    try:
        load(options, Log())
    except ConfigError as first:
        try:
            wrong = mended.load(options, first)[1]
        except ConfigError:  # the rest makes no sense without it
            wrong = [first]
        return [each for each in wrong if kind_of(each.message).code not in _NO_REFUSALS]
    return []


def _walk(statements: list[Statement]) -> Iterator[Statement]:
    for statement in statements:
        yield statement
        if statement.block is not None:
            yield from _walk(statement.block.readable())


def with_mistakes(found: list[Used], source: Source, wrong: list[ConfigError]) -> list[Used]:
    """The list with what is wrong among the refused, a line for each reason."""
    names = {each.where: each.name for each in _walk(source.statements.readable())}
    on_line = {(where.file, where.line): name for where, name in reversed(list(names.items()))}
    refused: dict[tuple[str, str], Used] = {}
    for error in wrong:
        for where in [error.where] if error.where is not None else _users_of_variable(error.message, source):
            name = names.get(where) or on_line.get((where.file, where.line), "")
            fits = [one for one in found if one.name == name]
            if not fits or any(one.state == "refused" and where in one.places for one in fits):
                continue
            one = refused.setdefault((name, error.message), Used(name, fits[0].module, "refused", error.message))
            one.places.append(where)
            for each in fits:  # what is wrong is not done as well
                each.places = [place for place in each.places if place != where]
    return [*refused.values(), *(one for one in found if one.places)]


def _users_of_variable(message: str, source: Source) -> list[Where]:
    """Where a variable is used that nothing makes: the message names no place."""
    unknown = re.fullmatch(r'unknown "(\w+)" variable', message)
    if unknown is None:
        return []
    use = re.compile(rf"\$(?:{unknown[1]}\b|\{{{unknown[1]}\}})")
    return [each.where for each in _walk(source.statements.readable()) if any(map(use.search, each.args))]


def _of(statement: Statement, context: str, allowed: dict[str, Any]) -> Used:
    name = statement.name
    entry = known.find(name, context)
    module = entry.module if entry is not None else known.OWN.get(name, "")
    if name in allowed or name == "include":
        return Used(name, module, "done")
    if entry is None:
        if known.table().get(name):
            return Used(name, known.table()[name][0].module, "refused", f"nginx does not allow it in {context}")
        return Used(name, "", "refused", _instead(name))
    if entry.no_effect:
        return Used(name, module, "no effect", entry.no_effect)
    return Used(name, module, "refused", "not built yet")


def _instead(name: str) -> str:
    for prefixes, words in _INSTEAD:
        if name.startswith(prefixes):
            return words
    return of_unknown(name) or known.foreign(name) or "no directive of nginx's own"


def as_csv(found: list[Used]) -> str:
    """A line for each place."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("state", "name", "module", "why", "place"))
    writer.writerows((one.state, one.name, one.module, one.why, str(where)) for one in found for where in one.places)
    return out.getvalue()


def report(source: Source, *, names: bool) -> str:
    """What a bug report needs, also of what does not load: the versions and all files, without secrets."""
    mistakes = [*(source.mistakes or ()), *filter(None, [source.error])]
    wrong = "".join(f"# {kind_of(each.message).code} in line {each.where.line}\n" for each in mistakes if each.where)
    anonymize(source, names=names)
    head = f"# gateway {gateway.__version__} (nginx {gateway.NGINX_VERSION}), Python {platform.python_version()}, "
    return f"{head}{platform.system()} {platform.release()}\n{wrong}{to_str(source.dump())}"


def text(found: list[Used], *, everything: bool) -> str:
    """For a person."""
    lines = []
    for one in found:
        if one.state == "done" and not everything:
            continue
        places = ", ".join(str(where) for where in one.places[:3]) + (" …" if len(one.places) > 3 else "")
        why = f": {one.why}" if one.why else ""
        lines.append(f"{one.state:<9}  {one.name}{why}  ({places})")
    counts = {state: sum(one.state == state for one in found) for state in ("done", "no effect", "refused")}
    uses_of = f"{len({one.name for one in found})} directives: {counts['done']} done"
    lines.append(f"{uses_of}, {counts['no effect']} without effect here, {counts['refused']} refused")
    return "\n".join(lines)
