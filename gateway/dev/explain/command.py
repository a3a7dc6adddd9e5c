"""gateway explain: the verb's command line, and how an explanation is shown."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.config.errors import ConfigError, format_for_terminal
from gateway.core.logs import Log, console
from gateway.dev.explain.early import as_early_data
from gateway.dev.explain.findings import Finding, Findings
from gateway.dev.explain.past import NotKept, find
from gateway.dev.explain.question import BadQuestion, Question, ask
from gateway.dev.explain.rules import tell_rules
from gateway.modules.http import request_history
from gateway.process import options as process_options

if TYPE_CHECKING:
    from gateway.http.cycle import HttpCycle
    from gateway.process.load import Loaded

_EXAMPLES: Final = """\
examples:
  gateway explain http://a.example/static/app.css     with ./nginx.conf, else /etc/nginx/nginx.conf
  gateway explain -c site.conf POST https://a.example/login -H 'Content-Length: 12'
  gateway explain POST /login -d 'user=bob' --from 10.1.2.3
  gateway explain /api/users?page=2 --from 10.1.2.3 --json
  gateway explain --http2 https://a.example/          as a browser asks, also where it is prior knowledge
  gateway explain --http3 https://a.example/          as one asks that has heard Alt-Svc
  gateway explain /reports/7 --answer 'X-Accel-Redirect: /protected/7.pdf'
  gateway explain --id 2f1c…                          a request that request_history has kept
"""


_MOST_URL: Final = 2000


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway explain",
        description="Say what a configuration does with a request, step by step, with file and line. "
        "Nothing is sent, and no server needs to run.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("words", nargs="*", metavar="[METHOD] URL", help="a path alone asks the first server")
    made.add_argument("-c", dest="conf", metavar="FILE", help="the configuration")
    made.add_argument("-p", dest="prefix", metavar="DIR", help="the prefix of relative paths")
    made.add_argument("-g", dest="globals", default="", metavar="TEXT", help="directives of the main context")
    made.add_argument("-H", dest="fields", action="append", default=[], metavar="FIELD", help="a field of the request")
    made.add_argument("-d", "--data", default="", metavar="TEXT", help="the body; a declared one is made up of zeros")
    made.add_argument("--answer", action="append", default=[], metavar="FIELD",
                      help="a field of the application's answer, X-Accel-Redirect and the like")  # fmt: skip
    spoken = made.add_mutually_exclusive_group()
    spoken.add_argument("--http2", dest="http", action="store_const", const="2", default="",
                        help="over HTTP/2; without it https is so where the server speaks it")  # fmt: skip
    spoken.add_argument("--http3", dest="http", action="store_const", const="3",
                        help="over HTTP/3, where a socket of QUIC is")  # fmt: skip
    spoken.add_argument("--http1.1", dest="http", action="store_const", const="1.1", help="over HTTP/1.1")
    made.add_argument("--early-data", action="store_true",
                      help="before the handshake is over (0-RTT), where that is taken")  # fmt: skip
    made.add_argument("--from", dest="client", default="127.0.0.1", metavar="ADDR", help="the client (%(default)s)")
    made.add_argument("--id", dest="id", metavar="ID", help="one of the last requests instead, by its $request_id")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def main(argv: Sequence[str]) -> int:
    """Exit codes: 0 explained, 1 the configuration has mistakes or the URL does not allow it, 2 wrong use."""
    options = command_line().parse_args(argv)
    try:
        if options.id and (options.words or options.fields or options.data or options.answer or options.early_data):
            raise BadQuestion("--id brings its own method, URL and fields")
        if options.conf == "":
            raise BadQuestion("-c wants a file")
        place = (options.conf, options.prefix, options.globals)
        if options.id:
            question, findings = explain_past(options.id, *place)
        else:
            question = ask(
                options.words, options.fields, options.client, options.data, options.answer, options.http,
                early=options.early_data,
            )  # fmt: skip
            findings = explain(question, *place)
    except BadQuestion as why:
        return _complain(f"gateway explain: {why}", 2)
    except ConfigError as error:
        return _complain(format_for_terminal(error), 1)
    except process_options.NoConfiguration as error:
        return _complain(f"gateway explain: there is neither {' nor '.join(error.places)}; name one with -c", 1)
    except (Unexplained, NotKept) as why:
        for mistake in getattr(why, "mistakes", ()):
            _complain(format_for_terminal(mistake), 1)
        return _complain(f"gateway explain: {why}", 1)
    if options.json:
        json.dump({"request": question.url, "steps": [f.as_json() for f in findings.all]}, sys.stdout, indent=2)
        print()
    else:
        print(text_of(question, findings.all, os.get_terminal_size().columns if sys.stdout.isatty() else 0))
    for each in findings.of("mistake"):
        _complain(f"gateway: [emerg] {each.data['message']}", 1)
    return 1 if findings.of("mistake") else 0


def _complain(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


class Unexplained(Exception):
    """The question leads nowhere; str() says why, `mistakes` what was left out of the configuration before."""

    def __init__(self, why: str, mistakes: Sequence[ConfigError] = ()) -> None:
        super().__init__(why)
        self.mistakes = mistakes


def explain(question: Question, conf: str | None, prefix: str | None = None, globals_text: str = "") -> Findings:
    """Load the configuration and ask it; one with mistakes without the lines that are wrong, as its findings `mistake`
    say. Errors: ConfigError, NoConfiguration, Unexplained."""
    with as_early_data() if question.early else contextlib.nullcontext():
        loaded, wrong = _load(conf, prefix, globals_text)
        findings = Findings()
        for error in wrong:
            said = f"{error.message}: no server starts with it, and here it is left out"
            findings.tell("mistake", said, error.where, message=str(error))
        try:
            return _explain(question, loaded, findings)
        except Unexplained as why:
            raise Unexplained(str(why), wrong) from None


def explain_past(
    id: str, conf: str | None, prefix: str | None = None, globals_text: str = ""
) -> tuple[Question, Findings]:
    """Ask for a request that took place. Errors: NotKept, BadQuestion, and those of explain."""
    loaded, _ = _load(conf, prefix, globals_text)
    assert loaded.http is not None
    past = find(loaded.http, id)
    question = past.question()
    findings = Findings()
    _explain(question, loaded, findings)
    past.compare(findings)
    now = findings.all
    findings.all = []
    past.tell(findings)
    findings.all += now
    return question, findings


def _load(conf: str | None, prefix: str | None, globals_text: str) -> tuple[Loaded, list[ConfigError]]:
    """With what is wrong in it. Errors: ConfigError, NoConfiguration, Unexplained."""
    from gateway.dev.explain import mended
    from gateway.process.load import load

    if conf is not None and not conf.startswith("/"):
        conf = os.path.abspath(conf)
    options = process_options.resolve(conf_file=conf, prefix=prefix, globals_text=globals_text, test=True, quiet=True)
    console.enabled = False
    wrong: list[ConfigError] = []
    try:
        loaded = load(options, Log())
    except ConfigError as error:
        loaded, wrong = mended.load(options, error)
        if loaded.http is None:
            raise
    if loaded.http is None:
        raise Unexplained("this configuration has no http block")
    return loaded, wrong


def _explain(question: Question, loaded: Loaded, findings: Findings) -> Findings:
    import trio

    from gateway.dev.explain.engine import Engine
    from gateway.dev.explain.sockets import NotListening

    cycle = prepare(loaded)
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise Unexplained(f"{error.strerror}; TMPDIR names a folder that can be written to") from None
    try:
        trio.run(Engine(cycle, loaded.log, findings).answer, question)
    except* NotListening as group:
        # Without -c it may be another than the one that is meant: Debian's own, say.
        file = next((name for name, _ in loaded.source.files), "-g")
        raise Unexplained(f"{group.exceptions[0]} ({file})") from None
    except* trio.TooSlowError:
        raise Unexplained("a step of it waits for something that does not come here") from None
    with contextlib.suppress(ConfigError):  # of a file that cannot be read to its end, which is told already
        tell_rules(loaded.source, findings)
    return findings


def prepare(loaded: Loaded) -> HttpCycle:
    """Its http block, to be asked in this process: with zones of its own, for the workers' user."""
    cycle = loaded.http
    assert cycle is not None
    history = cycle.scope.conf(request_history.module, "main").history
    if history is not None:
        history.closed = True  # it is the server's
    loaded.share(None)
    cycle.user = _workers_user(loaded)
    return cycle


def _workers_user(loaded: Loaded) -> tuple[int, set[int]]:
    core: Any = loaded.core
    if os.geteuid() == 0 and core.user is not None:
        return core.user, set(os.getgrouplist(core.username, core.group))
    return os.geteuid(), {os.getegid(), *os.getgroups()}


def text_of(question: Question, findings: Sequence[Finding], columns: int = 0) -> str:
    """For a terminal: what, its words, and the file and line where it stands."""
    url = question.url
    shown = url if len(url) <= _MOST_URL else f"{url[:_MOST_URL]}… ({len(url)} characters)"
    lines = [f"{question.method} {shown}", ""]
    for finding in findings:
        place = f"  ({finding.where})" if finding.where is not None else ""
        about = f"[{finding.subrequest}] " if finding.subrequest else ""
        lines.append(f"{finding.kind:<10} {about}{finding.text}{place}")
        lines += [f"{'':<13}{detail}" for detail in finding.details]
    return "\n".join(lines)
