"""Rewrite scripts: what `rewrite`, `set`, `if`, `return` and `break` of one block do, one operation after the other.

nginx's ngx_http_script.c. Each operation is made when the location's plan is made; it gives None to go on,
EXIT to end the script, or the result that ends the request's phase.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import uri as uri_grammar
from gateway._fast.value import value_of
from gateway.core.files import FileError, OpenedFile
from gateway.core.template import Capture, Template, parse
from gateway.http.module import RESTART, Handler, Result
from gateway.http.part import Part, part_of
from gateway.http.plan import Plan, make_plan, own_handler

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.core.regex import Regex
    from gateway.core.variables import Getter, Registry, VariableSetter
    from gateway.http.locations import Location
    from gateway.http.request import Request

EXIT: Final = -100

Operation = Callable[["Request"], "Result"]
# Makes an operation; the flag is rewrite_log, which is known only after the settings are merged.
Step = Callable[[bool], Operation]
Condition = Callable[["Request"], bool]
ContentType = Callable[["Request"], bytes]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})

# In request.state once a rewrite matched and went on: captures are then copied as they are. (nginx clears its
# engine's `quote`, which is set when the script begins, at the end of each rewrite.)
_PLAIN_CAPTURES: Final = object()


# -- values ------------------------------------------------------------------------------------------------------


def _escaped(request: Request, text: bytes) -> bytes:
    """A capture is escaped if its URI came escaped; a subrequest's URI did not come from a client."""
    head = request.head
    if (head.quoted_uri or head.plus_in_uri) and request.parent is None:
        return uri_grammar.escape(text, "args")
    return text


class _EscapedCapture(Capture):
    """A group in a redirect, or in arguments."""

    def value(self, request: Any) -> bytes | None:
        text = Capture.value(self, request)
        return _escaped(request, text) if text else text


class _ValueCapture(Capture):
    """A group in a `set`, or in an `if`."""

    def value(self, request: Any) -> bytes | None:
        text = Capture.value(self, request)
        return _escaped(request, text) if text and _PLAIN_CAPTURES not in request.state else text


def compile_value(text: str, registry: Registry, where: Where | None = None) -> Template:
    """The value of a `set`, or a side of an `if`."""
    return Template(text, parse(text, registry, where, _ValueCapture))


# -- operations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A `rewrite` as it was configured. A `status` makes it a redirect."""

    regex: Regex
    target: Template  # up to its question mark, unless it is a redirect
    args: Template | None
    has_args: bool
    add_args: bool  # the request's own are appended
    status: int
    last: bool  # the script ends here if it matched
    stay: bool  # flag "break": the location is not chosen anew

    def __call__(self, log: bool) -> Operation:
        return self._redirect(log) if self.status else self._replace(log)

    def _redirect(self, log: bool) -> Operation:
        matcher = _Matcher(self.regex, log)

        def redirect(request: Request) -> Result:
            if not matcher.match(request, request.uri):
                return None
            request.internal = True
            request.valid_unparsed_uri = False
            request.uri_changed = not self.stay
            target = uri_grammar.unescape(self.target(request), "redirect")
            if self.add_args and request.args:
                target += (b"&" if self.has_args else b"?") + request.args
            if log:
                request.log("notice", b'rewritten redirect: "%s"' % target)
            request.response.redirect_to(target, request.http_version)
            return self.status

        return redirect

    def _replace(self, log: bool) -> Operation:
        matcher = _Matcher(self.regex, log)
        target, template, add_args, stay, last = self.target, self.args, self.add_args, self.stay, self.last

        def replace(request: Request) -> Result:
            if not matcher.match(request, request.uri):
                return None
            request.internal = True
            request.valid_unparsed_uri = False
            request.uri_changed = not stay
            if stay:
                request.valid_location = False
            uri = target(request)
            if template is not None:
                args = template(request)
                request.args = args + b"&" + request.args if add_args and request.args else args
            elif not add_args:
                request.args = b""
            if log:
                request.log("notice", b'rewritten data: "%s", args: "%s"' % (uri, request.args))
            request.uri = uri
            if not uri:
                request.log("error", b"the rewritten URI has a zero length")
                return 500
            if last:
                return EXIT
            request.state[_PLAIN_CAPTURES] = True
            return None

        return replace


def compile_rewrite(
    regex: Regex, replacement: str, registry: Registry, where: Where | None, *, status: int, last: bool, stay: bool
) -> Rewrite:
    """Compile a replacement: what follows the first "?" are arguments, a "?" at the end drops the request's own."""
    add_args = not replacement.endswith("?")
    if not add_args:
        replacement = replacement[:-1]
    has_args = "?" in replacement
    if status:
        target = Template(replacement, parse(replacement, registry, where, _EscapedCapture))
        return Rewrite(regex, target, None, has_args, add_args, status, True, stay)
    path, _, tail = replacement.partition("?")
    target = Template(path, parse(path, registry, where))
    args = Template(tail, parse(tail, registry, where, _EscapedCapture)) if has_args else None
    return Rewrite(regex, target, args, has_args, add_args, 0, last, stay)


class _Matcher:
    """Matches, and keeps the captures or forgets the former ones; with rewrite_log, tells about it."""

    def __init__(self, regex: Regex, log: bool) -> None:
        self.regex = regex
        self.log = log

    def match(self, request: Request, subject: bytes) -> bool:
        captures = self.regex.search(subject)
        if self.log:
            matches = b"does not match" if captures is None else b"matches"
            pattern = self.regex.pattern.encode("utf-8", "surrogateescape")
            request.log("notice", b'"%s" %s "%s"' % (pattern, matches, subject))
        if captures is None:
            request.captures = None
            return False
        request.matched(captures)
        return True


class _Set(Part):
    """`set` of what is kept in the request's values."""

    def __init__(self, name: str, value: Template) -> None:
        self.name = name
        self.template = value

    def run(self, request: Request) -> Result:
        request.values[self.name] = self.template.value(request)
        return None


def set_variable(name: str, setter: VariableSetter | None, value: Template) -> Operation:
    """`set`: through the variable's own setter ($args, $limit_rate), or into the request's values."""
    if setter is None:
        return _Set(name, value)
    store = setter

    def call(request: Request) -> Result:
        store(request, value(request))
        return None

    return call


def stop(request: Request) -> Result:
    """`break`: the rest of the script is left out; a URI that was rewritten stays in this location."""
    if request.uri_changed:
        request.valid_location = False
        request.uri_changed = False
    return EXIT


def _type(request: Request, content_type: ContentType) -> bytes | None:
    """The type that an X-Accel-Redirect left, else the location's."""
    return request.response.content_type or content_type(request)


@dataclass(frozen=True, slots=True)
class Return:
    """A `return`: the status alone, a redirect, or a response with this text."""

    status: int
    text: Template | None
    content_type: ContentType

    def __call__(self, log: bool = False) -> Operation:
        status, text, content_type = self.status, self.text, self.content_type
        if text is None and status >= 400:
            return lambda request: status
        template = text if text is not None else Template("", [])
        body = template.constant
        if status in _REDIRECTS:

            def redirect(request: Request) -> Result:
                wrong = request.discard_body()
                if wrong:
                    return wrong
                request.response.status = status
                request.response.redirect_to(template(request), request.http_version)
                return status

            return redirect
        if body is None:

            def answer(request: Request) -> Result:
                wrong = request.discard_body()
                if wrong:
                    return wrong
                request.response.status = status  # for $status in the text
                return request.respond(status, template(request), _type(request, content_type))

            return answer
        constant = body

        def answer_constant(request: Request) -> Result:
            return request.discard_body() or request.respond(status, constant, _type(request, content_type))

        return answer_constant


@dataclass(frozen=True, slots=True)
class Branch:
    """An `if`: where it holds, the block's settings hold from here on (not in a server) and its steps are run."""

    condition: Callable[[bool], Condition]
    steps: Sequence[Step]
    location: Location | None

    def __call__(self, log: bool) -> Operation:
        enter = None if self.location is None else _entering(self.location)
        return _Branch(self.condition(log), enter, [step(log) for step in self.steps])


class _Branch(Part):
    def __init__(
        self, condition: Condition, enter: Callable[[Request], None] | None, operations: Sequence[Operation]
    ) -> None:
        self.condition = part_of(condition)
        self.enter = enter
        self.operations = tuple(map(part_of, operations))

    def run(self, request: Request) -> Result:
        if not self.condition.run(request):
            return None
        if self.enter is not None:
            self.enter(request)
        for operation in self.operations:
            result: Result = operation.run(request)
            if result is not None:
                return result
        return None


# What a request's state holds: the handler that an `if` of a location has set.
_HANDLER: Final = "if handler"


def _entering(location: Location) -> Callable[[Request], None]:
    """Entering an `if`. nginx keeps the content handler of one before it, for which this one may have no settings."""
    outer = location.parent
    assert outer is not None
    if not any(own_handler(other) for other in outer.children if other.nameless):
        return lambda request: request.enter(location)
    own = own_handler(location)
    usual = own_handler(outer)
    plans: dict[str, Plan] = {}

    def enter(request: Request) -> None:
        request.enter(location)
        if own is not None:
            request.state[_HANDLER] = outer, own
            return
        setter, handler = request.state.get(_HANDLER, (None, None))
        if setter is outer and handler != usual:
            if handler not in plans:
                plans[handler] = make_plan(location, request.cycle.modules, handler)
            request.plan = plans[handler]

    return enter


def compile_script(steps: Sequence[Step], log: bool) -> Handler:
    """A block's steps as a handler of its phase."""
    first = steps[0]
    if isinstance(first, Return):
        return first()
    return _Script([step(log) for step in steps], _may_go_on(steps))


class _Script(Part):
    def __init__(self, operations: Sequence[Operation], cleans: bool) -> None:
        self.operations = tuple(map(part_of, operations))
        self.cleans = cleans

    def run(self, request: Request) -> Result:
        entered = request.location
        result: Result = EXIT
        for operation in self.operations:
            found: Result = operation.run(request)
            if found is not None:
                result = found
                break
        if self.cleans:
            request.state.pop(_PLAIN_CAPTURES, None)
        if result != EXIT:
            return result
        return None if request.location is entered else RESTART


def _may_go_on(steps: Sequence[Step]) -> bool:
    """Whether there is a rewrite that may match without ending the script."""
    return any(
        not step.last if isinstance(step, Rewrite) else isinstance(step, Branch) and _may_go_on(step.steps)
        for step in steps
    )


# -- conditions --------------------------------------------------------------------------------------------------


class _IsTrue(Part):
    def __init__(self, variable: Getter) -> None:
        self.variable = value_of(variable)

    def run(self, request: Request) -> bool:
        found = self.variable.value(request)
        return bool(found) and found != b"0"


class _IsEqual(Part):
    def __init__(self, variable: Getter, value: Template, negated: bool) -> None:
        self.variable = value_of(variable)
        self.template = value
        self.negated = negated

    def run(self, request: Request) -> bool:
        found = self.variable.value(request) or b""
        return (found == self.template.value(request)) is not self.negated


class _Matches(Part):
    def __init__(self, variable: Getter, regex: Regex, negated: bool, log: bool) -> None:
        self.variable = value_of(variable)
        self.matcher = _Matcher(regex, log)
        self.negated = negated

    def run(self, request: Request) -> bool:
        return self.matcher.match(request, self.variable.value(request) or b"") is not self.negated


def is_true(variable: Getter) -> Condition:
    """`if ($x)`: neither empty nor "0"."""
    return _IsTrue(variable)


def is_equal(variable: Getter, value: Template, negated: bool) -> Condition:
    """`if ($x = text)` and `!=`; a variable that is not found is empty."""
    return _IsEqual(variable, value, negated)


def matches(variable: Getter, regex: Regex, negated: bool, log: bool) -> Condition:
    """`if ($x ~ regex)` and its kin."""
    return _Matches(variable, regex, negated, log)


def is_file(
    path: Template,
    kind: Callable[[OpenedFile], bool],
    negated: bool,
    test: Callable[[Request, bytes], OpenedFile],
) -> Condition:
    """`if (-f path)` and its kin."""

    def check(request: Request) -> bool:
        try:
            found = kind(test(request, path(request)))
        except FileError as error:
            if error.errno not in _MISSING:
                request.log("crit", error.message, OSError(error.errno, ""))
            found = False
        return found is not negated

    return check
