"""The steps of rewrite, set, if, return and break, told one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway.dev.explain.findings import Findings, show
from gateway.http import script

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Statement
    from gateway.http.module import Result
    from gateway.http.request import Request
    from gateway.http.script import Condition, Operation, Step

DIRECTIVES: Final = ("rewrite", "return", "set", "break", "if")


def told(steps: list[Step], statements: list[Statement], findings: Findings) -> list[Step]:
    """The same steps, which tell what they did; `statements` are those of the block that they came from."""
    lines = [statement for statement in statements if statement.name in DIRECTIVES]
    return [_told(step, line, findings) for step, line in zip(steps, lines, strict=True)]


def _told(step: Step, line: Statement, findings: Findings) -> Step:
    if isinstance(step, script.Rewrite):
        return _Rewrite(**_values(step), where=line.where, findings=findings)
    if isinstance(step, script.Branch):
        inner = told(list(step.steps), list(line.block or ()), findings)
        condition = _condition(step.condition, " ".join(line.args), line.where, findings)
        return script.Branch(condition, inner, step.location)
    if isinstance(step, script.Return):
        return _Return(**_values(step), where=line.where, findings=findings)
    return _other(step, line, findings)


def _values(step: Any) -> dict[str, Any]:
    return {field.name: getattr(step, field.name) for field in dataclasses.fields(step)}


def _other(step: Step, line: Statement, findings: Findings) -> Step:
    def make(log: bool) -> Operation:
        operation = step(log)

        def run(request: Request) -> Result:
            result = operation(request)
            if line.name == "set":
                name = line.args[0].removeprefix("$")
                value = request.values.get(name)
                if value is None:
                    getter = request.cycle.variables.reference(name, line.where)
                    value = getter(request)
                findings.tell("set", f'${name} = "{show(value)}"', line.where, subrequest=sub(request))
            else:
                findings.tell("break", "the rest of these steps is left out", line.where, subrequest=sub(request))
            return result

        return run

    return make


def _condition(
    condition: Callable[[bool], Condition], text: str, where: Where, findings: Findings
) -> Callable[[bool], Condition]:
    def make(log: bool) -> Condition:
        holds = condition(log)

        def check(request: Request) -> bool:
            result = holds(request)
            findings.tell("if", f"{text} is {'true' if result else 'false'}", where, subrequest=sub(request))
            return result

        return check

    return make


def sub(request: Request) -> str:
    """What a finding about this request says of it: nothing, or the subrequest's URI."""
    return show(request.uri) if request.parent is not None else ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Rewrite(script.Rewrite):
    where: Where
    findings: Findings

    def __call__(self, log: bool) -> Operation:
        operation = script.Rewrite.__call__(self, log)

        def run(request: Request) -> Result:
            before = request.uri
            matches = self.regex.search(before) is not None
            result = operation(request)
            pattern = self.regex.pattern
            data: dict[str, Any] = {}
            if not matches:
                text = f'"{pattern}" does not match "{show(before)}"'
            elif self.status:
                text = f'"{pattern}" matches "{show(before)}": {self.status} to "{show(request.response.location)}"'
            else:
                after = request.uri + (b"?" + request.args if request.args else b"")
                data["became"] = show(after)
                then = "the location is chosen anew" if not self.stay else "it stays in this location"
                text = f'"{pattern}" matches "{show(before)}", which becomes "{show(after)}"'
                text += f"; {then}" if self.last else "; the next step follows"
            self.findings.tell("rewrite", text, self.where, subrequest=sub(request), matches=matches, **data)
            return result

        return run


@dataclasses.dataclass(frozen=True, slots=True)
class _Return(script.Return):
    where: Where
    findings: Findings

    def __call__(self, log: bool = False) -> Operation:
        operation = script.Return.__call__(self, log)

        def run(request: Request) -> Result:
            text = f"{self.status}"
            if self.text is not None:
                text += f' "{show(self.text(request))}"'
            self.findings.tell("return", text, self.where, subrequest=sub(request), status=self.status)
            return operation(request)

        return run
